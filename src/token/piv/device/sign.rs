//! One permit, one signature, never tried twice.

use der::asn1::Uint;
use der::{Decode as _, Encode as _, Sequence};
use yubikey::Error as Yubikey;
use yubikey::piv::{self, SlotId};

use super::Piv;
use super::errors::explained;
use super::guard::Fault;
use super::slots::{InSlot, algorithm_id};
use crate::error::{Error, Result};
use crate::journal::Permit;
use crate::token::Key;
use crate::token::message::{check_match, digest, digest_info, of_length};
use crate::token::piv::policy::TouchPolicy;
use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

/// What fits into the crate's buffer, with what is put around it.
const LONGEST: usize = 1000;
/// At this length it miscounts (a length of two bytes for three) and falls over.
const MISCOUNTED: usize = 255;

/// It waited for somebody in vain, and said so.
pub(super) const UNTOUCHED: &str = "token.touch";

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
#[derive(Sequence)]
struct EcdsaSigValue {
    r: Uint,
    s: Uint,
}

impl Piv {
    pub(super) fn sign_permit(&mut self, key: &Key, permit: &Permit) -> Result<Vec<u8>> {
        check_match(key.public_key.algorithm(), permit.algorithm())?;
        let kind = key.public_key.algorithm();
        let input = input(kind, permit.algorithm(), permit.message())?;
        let slot = self.same_key(key)?;
        let (Some(algorithm), Ok(id)) = (algorithm_id(kind), SlotId::try_from(slot.slot.number())) else {
            return Err(Error::token("token.mechanism", format!("no YubiKey has {kind} keys")));
        };
        self.verify_pin()?;
        if slot.touch != TouchPolicy::Never {
            self.tell("touch the YubiKey when it blinks");
        }
        let signature = self
            .call(|yubikey| piv::sign_data(yubikey, &input, algorithm, id))
            .map_err(|e| refused(e, slot.touch))?;
        match kind {
            KeyAlgorithm::Rsa(bits) => of_length(signature.to_vec(), bits.div_ceil(8) as usize),
            KeyAlgorithm::Ed25519 => of_length(signature.to_vec(), 64),
            _ => ecdsa(&signature),
        }
    }

    /// The key in the slot is still the one that was found there.
    fn same_key(&mut self, key: &Key) -> Result<InSlot> {
        let found = match super::keys::slot_of_key(key) {
            Some(slot) => self.key_in(slot)?,
            None => None,
        };
        found.filter(|found| found.public_key == key.public_key).ok_or_else(|| {
            Error::integrity("token.key-unknown", "the key to sign with is not in its slot any more")
        })
    }
}

/// What the card signs: it neither hashes nor pads.
fn input(key: KeyAlgorithm, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>> {
    match key {
        KeyAlgorithm::Rsa(bits) => Ok(padded(&digest_info(algorithm, message), bits.div_ceil(8) as usize)),
        KeyAlgorithm::Ed25519 if message.len() > LONGEST || message.len() == MISCOUNTED => {
            let message = format!(
                "a message of {} bytes cannot be signed with Ed25519 here, which the card hashes itself: want at most {LONGEST}, and not {MISCOUNTED}",
                message.len()
            );
            Err(Error::token("token.message-length", message)
                .next("use a shorter subject, or a root of another kind"))
        }
        KeyAlgorithm::Ed25519 => Ok(message.to_vec()),
        _ => Ok(digest(algorithm, message)),
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2), whose digests are all far shorter than the key.
fn padded(digest_info: &[u8], length: usize) -> Vec<u8> {
    let filling = vec![0xff; length.saturating_sub(digest_info.len() + 3)];
    [&[0, 1], filling.as_slice(), &[0], digest_info].concat()
}

/// The PIN was right a moment ago: a key that asks to be touched was not.
fn refused(fault: Fault, touch: TouchPolicy) -> Error {
    match fault {
        Fault::Told(Yubikey::AuthenticationError) if touch != TouchPolicy::Never => {
            Error::token(UNTOUCHED, "the YubiKey was not touched in time; nothing was signed")
                .next("run again and touch it when it blinks: it waits for 15 seconds")
        }
        fault => explained(fault, "signing"),
    }
}

/// Strict DER, whatever the card made of it.
fn ecdsa(signature: &[u8]) -> Result<Vec<u8>> {
    let value = EcdsaSigValue::from_der(signature).map_err(|e| {
        Error::token(
            "token.signature",
            format!("the token's signature is malformed: not a DER Ecdsa-Sig-Value ({e})"),
        )
    })?;
    value
        .to_der()
        .map_err(|e| Error::token("token.signature", format!("the token's signature is malformed: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_is_padded_to_the_keys_length() {
        let padded = padded(&[7; 51], 384);
        assert_eq!((padded.len(), &padded[..3]), (384, &[0, 1, 0xff][..]));
        assert_eq!(&padded[384 - 52..], &[&[0][..], &[7; 51]].concat());
        assert!(padded[2..384 - 52].iter().all(|b| *b == 0xff));
    }

    #[test]
    fn what_the_crate_cannot_send_is_not_begun() {
        for (length, id) in [
            (254, None),
            (255, Some("token.message-length")),
            (256, None),
            (1001, Some("token.message-length")),
        ] {
            let result = input(KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519, &vec![1; length]);
            assert_eq!(result.err().map(|e| e.id), id, "{length}");
        }
        assert_eq!(input(KeyAlgorithm::P384, SignatureAlgorithm::EcdsaSha384, b"").unwrap().len(), 48);
    }

    #[test]
    fn not_touched_is_told_from_not_permitted() {
        let fault = Fault::Told(Yubikey::AuthenticationError);
        assert_eq!(refused(fault, TouchPolicy::Always).id, "token.touch");
        assert_eq!(refused(fault, TouchPolicy::Never).id, "token.not-permitted");
    }

    #[test]
    fn an_ecdsa_signature_is_der_or_none() {
        assert_eq!(ecdsa(&[0x30, 6, 2, 1, 5, 2, 1, 7]).unwrap(), [0x30, 6, 2, 1, 5, 2, 1, 7]);
        for malformed in [&[][..], &[0x30, 7, 2, 2, 0, 5, 2, 1, 7], &[0x30, 6, 2, 1, 5, 2, 1], &[1; 64]] {
            assert_eq!(ecdsa(malformed).unwrap_err().id, "token.signature");
        }
    }
}
