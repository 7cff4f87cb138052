//! Tag, length, value: BER as PIV writes it, which is DER for all that we make.

/// A data object: a tag of one or two bytes, and what it holds.
pub fn tlv(tag: u16, value: &[u8]) -> Vec<u8> {
    let tag: Vec<u8> = tag.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let length = value.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let short = value.len() < 0x80;
    let first = if short { value.len() as u8 } else { 0x80 | length.len() as u8 };
    let more: &[u8] = if short { &[] } else { &length };
    [&tag[..], &[first], more, value].concat()
}

/// The data objects in these bytes, in their order; `None` if they are none.
pub fn parse(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, rest) = split_tag(bytes)?;
        let (value, rest) = split_value(rest)?;
        found.push((tag, value));
        bytes = rest;
    }
    Some(found)
}

/// The first data object of this tag.
pub fn get(bytes: &[u8], tag: u16) -> Option<&[u8]> {
    parse(bytes)?.into_iter().find(|(found, _)| *found == tag).map(|(_, value)| value)
}

fn split_tag(bytes: &[u8]) -> Option<(u16, &[u8])> {
    match bytes {
        [first, second, rest @ ..] if first & 0x1f == 0x1f => {
            Some((u16::from_be_bytes([*first, *second]), rest))
        }
        [first, rest @ ..] => Some((u16::from(*first), rest)),
        [] => None,
    }
}

fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(length)
}
