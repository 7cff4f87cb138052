//! Strict DER (X.690 §10, §11).

use der::{Decode, Encode};

/// Decodes bytes that must be the one encoding of their value, with nothing behind it.
pub fn decode<T>(bytes: &[u8]) -> Result<T, String>
where
    T: for<'a> Decode<'a, Error = der::Error> + Encode,
{
    let named = |what: &str| format!("it is BER, not DER: {what}");
    let value = T::from_der(bytes).map_err(|e| ber(bytes).map_or_else(|| e.to_string(), named))?;
    match value.to_der() {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(named("its value has another encoding")),
    }
}

const BOOLEAN: u8 = 1;
const CONSTRUCTED: u8 = 0x20;
/// BIT STRING, OCTET STRING, and the strings of characters.
const STRINGS: [u8; 8] = [3, 4, 12, 19, 20, 22, 28, 30];

/// The first thing that BER allows and DER does not (X.690 §10, §11.1). Contents follow
/// their header, so that one walk from element to element sees them all.
fn ber(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes;
    loop {
        let [tag, first, after @ ..] = rest else { return None };
        if tag & 0x1f == 0x1f && *first < 0x1f {
            return Some("a tag in more bytes than it takes");
        }
        if *first == 0x80 {
            return Some("an indefinite length");
        }
        let octets = usize::from(if *first < 0x80 { 0 } else { first & 0x7f });
        let (length, content) = after.split_at_checked(octets)?;
        if matches!(length, [0, ..] | [0..0x80]) {
            return Some("a length in more bytes than it takes");
        }
        if STRINGS.iter().any(|string| string | CONSTRUCTED == *tag) {
            return Some("a string in parts");
        }
        if *tag == BOOLEAN && !matches!(content.first(), Some(0 | 0xff)) {
            return Some("a TRUE that is not 255");
        }
        let length = match length {
            [] => usize::from(*first),
            [_, _, _, _, _, ..] => return None,
            octets => octets.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)),
        };
        rest = if tag & CONSTRUCTED == 0 { content.get(length..)? } else { content };
    }
}

#[cfg(test)]
mod tests {
    use super::{ber, decode};
    use x509_cert::ext::pkix::BasicConstraints;

    #[test]
    fn only_the_one_encoding_passes() {
        assert!(decode::<BasicConstraints>(b"\x30\x03\x01\x01\xff").unwrap().ca);
        assert!(!decode::<BasicConstraints>(b"\x30\x00").unwrap().ca);
        for bad in [
            &b"\x30\x03\x01\x01\x00"[..], // a default, encoded
            b"\x30\x03\x01\x01\x01",      // TRUE that is not 0xff
            b"\x30\x81\x03\x01\x01\xff",  // long length
            b"\x30\x03\x01\x01\xff\x00",  // trailing byte
            b"\x30\x80\x01\x01\xff\x00\x00",
            b"\x30\x03\x01\x01",
        ] {
            assert!(decode::<BasicConstraints>(bad).is_err(), "{bad:x?}");
        }
    }

    #[test]
    fn what_is_ber_is_called_so() {
        for (bytes, what) in [
            (&b"\x30\x80\x00\x00"[..], Some("an indefinite length")),
            (b"\x30\x06\x02\x01\x00\x30\x80\x00", Some("an indefinite length")),
            (b"\x30\x81\x03\x02\x01\x00", Some("a length in more bytes than it takes")),
            (b"\x30\x82\x00\xff", Some("a length in more bytes than it takes")),
            (b"\x24\x04\x04\x02ab", Some("a string in parts")),
            (b"\x1f\x02\x01\x00", Some("a tag in more bytes than it takes")),
            (b"\x30\x03\x01\x01\x01", Some("a TRUE that is not 255")),
            // What is in a string is the string's.
            (b"\x30\x04\x04\x02\x30\x80", None),
            (b"\x30\x06\x02\x01\x00\x01\x01\xff", None),
            (b"\x30\x85\x01\x02\x03\x04\x05", None),
            (b"\x30", None),
            (b"", None),
        ] {
            assert_eq!(ber(bytes), what, "{bytes:x?}");
        }
    }
}
