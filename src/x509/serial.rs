//! Certificate serial numbers (RFC 5280 §4.1.2.2).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::text;

/// A positive serial number of at most 20 octets; leading zeros do not count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    /// The magnitude, then zeros: a great many of these are in memory.
    bytes: [u8; LONGEST],
    length: u8,
}

/// RFC 5280 §4.1.2.2
const LONGEST: usize = 20;

impl Serial {
    /// From the big-endian magnitude. Zero, and more than 20 octets once encoded
    /// as a positive INTEGER, are refused.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let start = bytes.iter().position(|b| *b != 0)?;
        let magnitude = bytes.get(start..)?;
        let padded = magnitude.len() + usize::from(magnitude.first().is_some_and(|b| *b > 0x7f));
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..magnitude.len()).filter(|_| padded <= LONGEST)?.copy_from_slice(magnitude);
        Some(Self { bytes, length: u8::try_from(magnitude.len()).ok()? })
    }

    /// A new serial: 159 bits of SHA-256 over the operating system's randomness
    /// and the token's, so that either source alone keeps it unpredictable.
    pub fn from_entropy(system: &[u8; 32], token: &[u8]) -> Self {
        let mut hasher = sha2::Sha256::new();
        hasher.update(b"anchorite serial v1");
        hasher.update(system);
        hasher.update(token);
        let mut bytes = [0; LONGEST];
        bytes.iter_mut().zip(hasher.finalize()).for_each(|(byte, random)| *byte = random);
        let [first, ..] = &mut bytes;
        // Positive, of full length, never zero.
        *first = *first & 0x7f | 0x40;
        Self { bytes, length: LONGEST as u8 }
    }

    /// Reads hexadecimal in any case, with or without colons.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(&text::unhex(text)?)
    }

    /// Big-endian magnitude without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::hex(self.as_bytes()))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("want a serial of 1 to 20 octets in hexadecimal"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_rfc_5280() {
        assert_eq!(Serial::from_bytes(&[0, 0]), None);
        assert!(Serial::from_bytes(&[0x7f; 20]).is_some());
        assert_eq!(Serial::from_bytes(&[0x80; 20]), None, "21 octets once encoded");
        assert_eq!(Serial::parse("00:0A"), Serial::from_bytes(&[10]));
    }

    #[test]
    fn they_are_ordered_as_their_bytes() {
        let of = |bytes: &[u8]| Serial::from_bytes(bytes).unwrap();
        let ordered = [&[1][..], &[1, 0], &[1, 0, 0], &[1, 0, 1], &[2], &[0x7f, 0xff]];
        assert!(ordered.is_sorted() && ordered.map(of).is_sorted());
        assert_ne!(of(&[1]), of(&[1, 0]));
        assert_eq!(of(&[1, 0]).as_bytes(), [1, 0]);
    }

    #[test]
    fn either_source_changes_the_serial() {
        let a = Serial::from_entropy(&[0; 32], b"x");
        assert_eq!(a.as_bytes().len(), 20);
        assert_ne!(a, Serial::from_entropy(&[1; 32], b"x"));
        assert_ne!(a, Serial::from_entropy(&[0; 32], b"y"));
    }
}
