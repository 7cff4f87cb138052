//! What is in a slot: its key's metadata, its certificate, and objects by their tags.

use der::Encode as _;
use yubikey::piv::{self, AlgorithmId, Origin, SlotAlgorithmId, SlotId, SlotMetadata};
use yubikey::{Error as Yubikey, PinPolicy as YkPin, TouchPolicy as YkTouch};

use super::Piv;
use super::errors::explained;
use super::guard::Fault;
use crate::error::{Error, Result};
use crate::token::piv::policy::{PinPolicy, TouchPolicy};
use crate::token::piv::uri::Slot;
use crate::x509::{KeyAlgorithm, PublicKey};

/// The slot of the key that attests others.
pub(super) const ATTESTATION: u32 = 0x5f_ff01;

/// A key as its slot tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InSlot {
    pub slot: Slot,
    pub public_key: PublicKey,
    /// Whether it was generated there; else it was brought in, and a copy may exist.
    pub generated: bool,
    pub pin: PinPolicy,
    pub touch: TouchPolicy,
}

impl Piv {
    /// The key in a slot, if there is one.
    pub(super) fn key_in(&mut self, slot: Slot) -> Result<Option<InSlot>> {
        let what = format!("slot {slot}");
        let Some(told) = self.metadata(slot.number(), &what)? else { return Ok(None) };
        let lacking =
            || Error::token("token.answer", format!("{what}: the card does not tell enough of its key"));
        let spki = told.public.as_ref().and_then(|spki| spki.to_der().ok()).ok_or_else(lacking)?;
        let public_key = PublicKey::from_der(&spki).map_err(|e| {
            Error::token("token.public-key", format!("{what}: {}", e.message))
                .next("use another slot, or another YubiKey")
        })?;
        let (pin, touch) = told.policy.ok_or_else(lacking)?;
        let generated = told.origin.ok_or_else(lacking)? == Origin::Generated;
        Ok(Some(InSlot {
            slot,
            public_key,
            generated,
            pin: pin_policy(pin, slot),
            touch: touch_policy(touch),
        }))
    }

    /// Metadata of a slot, of the PIN or of the management key; none where it is empty.
    pub(super) fn metadata(&mut self, slot: u8, what: &str) -> Result<Option<SlotMetadata>> {
        let id = SlotId::try_from(slot).map_err(|e| explained(Fault::Told(e), what))?;
        match self.call(|key| piv::metadata(key, id)) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Fault::Told(Yubikey::NotFound)) => Ok(None),
            Err(fault) => Err(explained(fault, what)),
        }
    }

    /// The certificate in a slot, if there is one.
    pub(super) fn certificate_in(&mut self, slot: Slot) -> Result<Option<Vec<u8>>> {
        self.certificate(certificate_object(slot), &format!("certificate of slot {slot}"))
    }

    /// A certificate object's certificate (SP 800-73-4 part 1 appendix A, table 10).
    pub(super) fn certificate(&mut self, object: u32, what: &str) -> Result<Option<Vec<u8>>> {
        let Some(bytes) = self.object(object, what)? else { return Ok(None) };
        // One that is packed, or cut off, counts as there all the same.
        Ok(Some(member(&bytes, 0x70).map(<[u8]>::to_vec).unwrap_or(bytes)))
    }

    /// A data object, if it is there and not empty.
    pub(super) fn object(&mut self, object: u32, what: &str) -> Result<Option<Vec<u8>>> {
        match self.call(|key| key.fetch_object(object)) {
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(Fault::Told(Yubikey::NotFound)) => Ok(None),
            Err(fault) => Err(explained(fault, what)),
        }
    }

    /// Writes a data object; the management key has been shown.
    pub(super) fn put(&mut self, object: u32, mut bytes: Vec<u8>, what: &str) -> Result<()> {
        self.call(|key| key.save_object(object, &mut bytes)).map_err(|e| match e {
            Fault::Told(Yubikey::SizeError) => {
                Error::token("token.full", format!("{what}: is larger than a YubiKey's object can be"))
            }
            e => explained(e, what),
        })
    }

    /// Writes a certificate into its slot.
    pub(super) fn put_certificate(&mut self, slot: Slot, der: &[u8]) -> Result<()> {
        let length = u16::try_from(der.len()).unwrap_or(u16::MAX).to_be_bytes();
        // The certificate, that it is not packed, and an empty error detection code.
        let bytes = [&[0x70, 0x82], &length[..], der, &[0x71, 1, 0, 0xfe, 0]].concat();
        self.put(certificate_object(slot), bytes, &format!("writing the certificate of slot {slot}"))
    }
}

/// SP 800-73-4 part 1 table 3.
fn certificate_object(slot: Slot) -> u32 {
    match slot.number() {
        0x9a => 0x5f_c105,
        0x9c => 0x5f_c10a,
        0x9d => 0x5f_c10b,
        0x9e => 0x5f_c101,
        retired => 0x5f_c10d + u32::from(retired) - 0x82,
    }
}

/// The contents of the first member with this tag.
pub(super) fn member(mut bytes: &[u8], tag: u8) -> Option<&[u8]> {
    while let [found, rest @ ..] = bytes {
        let (length, rest) = match rest {
            [short @ ..=0x7f, rest @ ..] => (usize::from(*short), rest),
            [0x81, a, rest @ ..] => (usize::from(*a), rest),
            [0x82, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        if *found == tag {
            return Some(value);
        }
        bytes = rest;
    }
    None
}

/// What PIV calls a kind of key; none for those that a YubiKey never has.
pub(super) fn algorithm_id(algorithm: KeyAlgorithm) -> Option<AlgorithmId> {
    match algorithm {
        KeyAlgorithm::P256 => Some(AlgorithmId::EccP256),
        KeyAlgorithm::P384 => Some(AlgorithmId::EccP384),
        KeyAlgorithm::Ed25519 => Some(AlgorithmId::Ed25519),
        KeyAlgorithm::Rsa(2048) => Some(AlgorithmId::Rsa2048),
        KeyAlgorithm::Rsa(3072) => Some(AlgorithmId::Rsa3072),
        KeyAlgorithm::Rsa(4096) => Some(AlgorithmId::Rsa4096),
        KeyAlgorithm::Rsa(_) | KeyAlgorithm::P521 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => None,
    }
}

/// The management key's kind of cipher.
pub(super) fn cipher(metadata: &SlotMetadata) -> Option<yubikey::MgmAlgorithmId> {
    match metadata.algorithm {
        SlotAlgorithmId::Management(cipher) => Some(cipher),
        _ => None,
    }
}

/// What "default" is depends on the slot.
fn pin_policy(told: YkPin, slot: Slot) -> PinPolicy {
    match (told, slot.number()) {
        (YkPin::Never, _) | (YkPin::Default, 0x9e) => PinPolicy::Never,
        (YkPin::Always, _) | (YkPin::Default, 0x9c) => PinPolicy::Always,
        _ => PinPolicy::Once,
    }
}

fn touch_policy(told: YkTouch) -> TouchPolicy {
    match told {
        YkTouch::Default | YkTouch::Never => TouchPolicy::Never,
        YkTouch::Always => TouchPolicy::Always,
        YkTouch::Cached => TouchPolicy::Cached,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_their_lengths_and_nothing_cut_short_is_one() {
        let long = vec![7; 300];
        let bytes = [&[0x70, 0x82, 1, 44][..], &long, &[0x71, 1, 0, 0xfe, 0]].concat();
        assert_eq!(member(&bytes, 0x70), Some(&long[..]));
        assert_eq!(member(&bytes, 0x71), Some(&[0][..]));
        assert_eq!(member(&bytes, 0xfe), Some(&[][..]));
        assert_eq!(member(&bytes, 0x53), None);
        for cut in
            [&b""[..], b"\x70", b"\x70\x81", b"\x70\x82\x01", b"\x70\x05\x01", b"\x70\x84\0\0\0\x01\x01"]
        {
            assert_eq!(member(cut, 0x70), None, "{cut:?}");
        }
        assert_eq!(member(b"\x70\x81\x01\x09", 0x70), Some(&[9][..]));
    }

    #[test]
    fn every_slot_has_its_own_certificate() {
        let mut objects: Vec<u32> = Slot::all().map(certificate_object).collect();
        assert_eq!(certificate_object(Slot::new(0x82).unwrap()), 0x5f_c10d);
        assert_eq!(certificate_object(Slot::new(0x95).unwrap()), 0x5f_c120);
        objects.sort_unstable();
        objects.dedup();
        assert_eq!(objects.len(), 24);
    }
}
