//! Published flaws of YubiKeys that touch the keys in their PIV slots. Firmware cannot
//! be updated: a YubiKey keeps its flaws.

use crate::x509::KeyAlgorithm;

/// Firmware: major, minor, patch.
pub type Firmware = (u8, u8, u8);

/// A flaw, as its maker published it.
#[derive(Debug, Clone, Copy)]
pub struct Flaw {
    /// The advisory's number.
    pub advisory: &'static str,
    /// What it lets happen.
    pub what: &'static str,
    /// The firmware that has it, first and last.
    firmware: (Firmware, Firmware),
    /// The keys that it touches.
    touches: fn(KeyAlgorithm) -> bool,
}

/// <https://www.yubico.com/support/security-advisories/>
const FLAWS: &[Flaw] = &[
    Flaw {
        advisory: "YSA-2024-03",
        what: "EUCLEAK: whoever has it in hand with laboratory equipment can take an ECDSA key out",
        firmware: ((0, 0, 0), (5, 6, u8::MAX)),
        touches: |key| matches!(key, KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521),
    },
    Flaw {
        advisory: "YSA-2017-01",
        what: "ROCA: RSA keys generated in it can be computed from their public half",
        firmware: ((4, 2, 6), (4, 3, 4)),
        touches: |key| matches!(key, KeyAlgorithm::Rsa(_)),
    },
];

/// The flaws that touch a key of this kind, generated under this firmware.
pub fn flaws(firmware: Firmware, key: KeyAlgorithm) -> impl Iterator<Item = &'static Flaw> {
    FLAWS.iter().filter(move |flaw| {
        let (first, last) = flaw.firmware;
        (first..=last).contains(&firmware) && (flaw.touches)(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flaw_has_its_firmware_and_its_keys() {
        let ids = |firmware, key| flaws(firmware, key).map(|flaw| flaw.advisory).collect::<Vec<_>>();
        assert_eq!(ids((5, 6, 9), KeyAlgorithm::P256), ["YSA-2024-03"]);
        assert_eq!(ids((5, 7, 0), KeyAlgorithm::P384), [""; 0]);
        assert_eq!(ids((5, 4, 3), KeyAlgorithm::Rsa(2048)), [""; 0]);
        assert_eq!(ids((4, 3, 4), KeyAlgorithm::Rsa(2048)), ["YSA-2017-01"]);
        assert_eq!(ids((4, 3, 5), KeyAlgorithm::Rsa(2048)), [""; 0]);
        assert_eq!(ids((4, 2, 5), KeyAlgorithm::Rsa(2048)), [""; 0]);
        assert_eq!(ids((4, 3, 4), KeyAlgorithm::P384), ["YSA-2024-03"]);
        assert_eq!(ids((5, 7, 4), KeyAlgorithm::Ed25519), [""; 0]);
    }
}
