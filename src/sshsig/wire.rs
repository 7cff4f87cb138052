//! SSH's encoding of strings and numbers (RFC 4251 §5).

/// Bytes that are read from the front.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }

    /// Nothing follows.
    pub fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// As a string.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// The digits of an `mpint` above zero, in its one encoding.
pub fn positive(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0, 0x80..=0xff, ..] => bytes.get(1..),
        [1..=0x7f, ..] => Some(bytes),
        _ => None,
    }
}
