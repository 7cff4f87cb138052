//! Strict DER (X.690 §8, §10, §11). The parser behind the lints tolerates much
//! that other verifiers refuse; what is not canonical is found here first.

/// Deeper than anything X.509 or CMS nests; bounds the recursion.
const DEPTH: usize = 24;

/// One TLV with a single-byte tag, which is all that X.509 and CMS use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    /// Class, constructed bit and number.
    pub tag: u8,
    /// The value.
    pub content: &'a [u8],
    /// Tag, length and value.
    pub raw: &'a [u8],
}

/// What is wrong with an encoding.
pub(crate) type Strict<T> = Result<T, String>;

/// Reads one element with a definite, minimal length; gives what follows too.
pub(crate) fn read(bytes: &[u8]) -> Strict<(Element<'_>, &[u8])> {
    let cut = || "cut short".to_string();
    let (&tag, after_tag) = bytes.split_first().ok_or_else(cut)?;
    if tag & 0x1f == 0x1f {
        return Err(format!("multi-byte tag 0x{tag:02x}"));
    }
    let (&first, after_length) = after_tag.split_first().ok_or_else(cut)?;
    let (length, body) = match first {
        0..=0x7f => (usize::from(first), after_length),
        0x81..=0x84 => {
            let (octets, body) = after_length.split_at_checked(usize::from(first & 0x7f)).ok_or_else(cut)?;
            let length = octets.iter().fold(0, |length, b| length << 8 | usize::from(*b));
            if length < 0x80 || octets.first() == Some(&0) {
                return Err("length not minimal".into());
            }
            (length, body)
        }
        _ => return Err("indefinite or oversized length".into()),
    };
    let (content, rest) = body.split_at_checked(length).ok_or_else(cut)?;
    let raw = bytes.get(..bytes.len() - rest.len()).ok_or_else(cut)?;
    Ok((Element { tag, content, raw }, rest))
}

/// Reads exactly one element.
pub(crate) fn only(bytes: &[u8]) -> Strict<Element<'_>> {
    let (element, rest) = read(bytes)?;
    if !rest.is_empty() {
        return Err(format!("{} trailing bytes", rest.len()));
    }
    Ok(element)
}

/// Reads exactly one element with this tag and gives the elements inside it.
pub(crate) fn members(bytes: &[u8], tag: u8) -> Strict<Vec<Element<'_>>> {
    let element = only(bytes)?;
    if element.tag != tag {
        return Err(format!("tag 0x{:02x} where 0x{tag:02x} is wanted", element.tag));
    }
    children(element.content)
}

/// The elements that follow one another in `content`.
pub(crate) fn children(content: &[u8]) -> Strict<Vec<Element<'_>>> {
    each(content).collect()
}

/// The same one by one; what follows an element that cannot be read is not looked at.
fn each(mut content: &[u8]) -> impl Iterator<Item = Strict<Element<'_>>> {
    std::iter::from_fn(move || {
        if content.is_empty() {
            return None;
        }
        let read = read(content);
        content = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(element, _)| element))
    })
}

/// Demands one element, canonical through all its depth. OCTET STRINGs are not
/// opened: whoever knows that one holds DER checks its content by another call.
pub(crate) fn check(bytes: &[u8]) -> Strict<()> {
    check_element(&only(bytes)?, 0)
}

fn check_element(element: &Element<'_>, depth: usize) -> Strict<()> {
    if depth > DEPTH {
        return Err("nested too deep".into());
    }
    let universal = element.tag & 0xc0 == 0;
    let constructed = element.tag & 0x20 != 0;
    match element.tag {
        0x30 | 0x31 => {}
        tag if universal && constructed => return Err(format!("constructed form of type 0x{tag:02x}")),
        _ if constructed => {}
        _ if universal => return check_primitive(element),
        _ => return Ok(()),
    }
    let mut before: &[u8] = &[];
    for child in each(element.content) {
        let child = child?;
        if element.tag == 0x31 && child.raw < before {
            return Err("SET OF not in ascending order".into());
        }
        before = child.raw;
        check_element(&child, depth + 1)?;
    }
    Ok(())
}

fn check_primitive(element: &Element<'_>) -> Strict<()> {
    let content = element.content;
    let (sound, what) = match element.tag {
        0x01 => (matches!(content, [0x00 | 0xff]), "BOOLEAN neither 00 nor FF"),
        0x02 | 0x0a => (minimal_integer(content), "INTEGER not minimal"),
        0x03 => (minimal_bit_string(content), "BIT STRING with stray unused bits"),
        0x05 => (content.is_empty(), "NULL with content"),
        0x06 => (sound_oid(content), "OBJECT IDENTIFIER not minimal"),
        0x0c => (std::str::from_utf8(content).is_ok(), "UTF8String that is not UTF-8"),
        0x13 => (content.iter().all(|b| printable(*b)), "PrintableString with a character it does not allow"),
        0x16 => (content.is_ascii(), "IA5String that is not ASCII"),
        0x17 => (zulu(content, 12), "UTCTime not as YYMMDDHHMMSSZ"),
        0x18 => (zulu(content, 14), "GeneralizedTime not as YYYYMMDDHHMMSSZ"),
        0x00 | 0x10 | 0x11 => (false, "type that is never primitive"),
        _ => (true, ""),
    };
    if sound { Ok(()) } else { Err(what.into()) }
}

fn minimal_integer(content: &[u8]) -> bool {
    match content {
        [] => false,
        [0x00, second, ..] => *second > 0x7f,
        [0xff, second, ..] => *second < 0x80,
        _ => true,
    }
}

fn minimal_bit_string(content: &[u8]) -> bool {
    match content {
        [0] => true,
        [unused @ 0..=7, .., last] => last.trailing_zeros() >= u32::from(*unused),
        _ => false,
    }
}

fn sound_oid(content: &[u8]) -> bool {
    let mut fresh = true;
    let padded = content.iter().any(|b| {
        let leading = fresh && *b == 0x80;
        fresh = *b < 0x80;
        leading
    });
    !content.is_empty() && !padded && fresh
}

/// The characters of PrintableString (X.680 §41.4).
fn printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// So many digits and a `Z` (RFC 5280 §4.1.2.5).
fn zulu(content: &[u8], digits: usize) -> bool {
    content.strip_suffix(b"Z").is_some_and(|d| d.len() == digits && d.iter().all(u8::is_ascii_digit))
}

/// Writes one element.
pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let octets: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
            out.push(0x80 | u8::try_from(octets.len()).unwrap_or(8));
            out.extend(octets);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_encodings_pass() {
        for good in [
            &[0x30, 0x00][..],
            &[0x01, 0x01, 0xff],
            &[0x02, 0x02, 0x00, 0x80],
            &[0x03, 0x02, 0x01, 0x06],
            &[0x03, 0x01, 0x00],
            &[0x06, 0x03, 0x55, 0x1d, 0x0e],
            &[0x31, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x02],
            &[0xa0, 0x03, 0x02, 0x01, 0x02],
            b"\x17\x0d261122100000Z",
            b"\x13\x03A-Z",
        ] {
            assert_eq!(check(good), Ok(()), "{good:02x?}");
        }
        let long = write(0x04, &[7; 300]);
        assert_eq!(long.get(..4), Some(&[0x04, 0x82, 0x01, 0x2c][..]));
        assert_eq!(check(&long), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x01],
            &[0x30, 0x00, 0x00],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x81, 0x00],
            &[0x04, 0x82, 0x00, 0x80],
            &[0x1f, 0x22, 0x00],
            &[0x24, 0x02, 0x04, 0x00],
            &[0x01, 0x01, 0x01],
            &[0x02, 0x00],
            &[0x02, 0x02, 0x00, 0x7f],
            &[0x02, 0x02, 0xff, 0x80],
            &[0x03, 0x00],
            &[0x03, 0x02, 0x01, 0x07],
            &[0x03, 0x01, 0x01],
            &[0x03, 0x02, 0x08, 0x00],
            &[0x05, 0x01, 0x00],
            &[0x06, 0x00],
            &[0x06, 0x02, 0x55, 0x80],
            &[0x06, 0x03, 0x55, 0x80, 0x01],
            &[0x31, 0x06, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01],
            b"\x0c\x01\xff",
            b"\x13\x01*",
            b"\x16\x01\xe9",
            b"\x17\x0b2611221000Z",
            b"\x17\x11261122100000+0000",
            b"\x18\x1120500101000000.5Z",
        ] {
            assert!(check(bad).is_err(), "{bad:02x?}");
        }
        let deep = (0..40).fold(Vec::new(), |inner, _| write(0x30, &inner));
        assert_eq!(check(&deep), Err("nested too deep".into()));
    }
}
