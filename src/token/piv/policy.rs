//! What a YubiKey asks for before a key is used, decided when the key is made
//! (<https://developers.yubico.com/PIV/Introduction/Yubico_extensions.html>).

use std::fmt;

/// Whether the PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinPolicy {
    /// By whoever has the YubiKey, without a PIN.
    Never,
    /// Once, until the YubiKey is pulled or reset.
    Once,
    /// For each signature.
    Always,
}

/// Whether the YubiKey has to be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchPolicy {
    /// Not at all.
    Never,
    /// For each signature.
    Always,
    /// Where the last touch is more than 15 seconds ago.
    Cached,
}

impl PinPolicy {
    /// For a new key: one that needs no PIN is not offered.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Once, Self::Always].into_iter().find(|policy| policy.to_string() == text)
    }
}

impl TouchPolicy {
    /// Reads the names of the command line.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Never, Self::Always, Self::Cached].into_iter().find(|policy| policy.to_string() == text)
    }
}

impl fmt::Display for PinPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Once => "once",
            Self::Always => "always",
        })
    }
}

impl fmt::Display for TouchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::Cached => "cached",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_pin_is_not_offered() {
        assert_eq!(PinPolicy::parse("always"), Some(PinPolicy::Always));
        assert_eq!(PinPolicy::parse("never"), None);
        assert_eq!(TouchPolicy::parse("never"), Some(TouchPolicy::Never));
        assert_eq!(TouchPolicy::parse("Cached"), None);
    }
}
