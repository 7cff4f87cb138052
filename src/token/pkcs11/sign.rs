//! One permit, one signature, never tried twice.

use std::borrow::Borrow;

use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use der::asn1::Uint;
use der::{Encode as _, Sequence};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::errors::explained;
use super::keys::handle_of;
use super::mechanisms::rsa_mechanism;
use super::single::SinglePart;
use super::{Pkcs11, at_token};
use crate::error::{Error, Result};
use crate::journal::Permit;
use crate::token::{Key, Signer, TokenInfo};
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
#[derive(Sequence)]
struct EcdsaSigValue {
    r: Uint,
    s: Uint,
}

/// C_SignInit and C_Sign with one key in one session.
type CSign<'s> = dyn Fn(&Mechanism, &[u8]) -> Result<Vec<u8>> + 's;

/// What signing needs to know of a token, whichever of its sessions signs.
#[derive(Clone, Copy)]
pub(super) struct Found<'t> {
    keys: &'t [(ObjectHandle, PublicKey)],
    mechanisms: &'t [MechanismType],
    info: &'t TokenInfo,
    single: Option<&'t SinglePart>,
    pin: Option<&'t SecretString>,
}

/// A session that signs beside others. Login and object handles hold for all
/// sessions with a token (PKCS#11 2.40 §2.6).
struct Lane<'t, S> {
    session: S,
    found: Found<'t>,
}

impl<S: Borrow<Session> + Send> Signer for Lane<'_, S> {
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        self.found.sign(self.session.borrow(), key, &permit)
    }
}

impl Pkcs11 {
    pub(super) fn found(&self) -> Found<'_> {
        Found {
            keys: &self.keys,
            mechanisms: &self.mechanisms,
            info: &self.info,
            single: self.single.as_ref(),
            pin: self.pin.as_ref(),
        }
    }

    /// The session that there is, and further ones. A token that has none to give
    /// signs in those it has. A login for one signature is not to meet another's.
    pub(super) fn lanes(&mut self, most: usize) -> Result<Vec<Box<dyn Signer + '_>>> {
        let most = if self.single.is_some() { 1 } else { most };
        let open = || self.module.cryptoki.open_ro_session(self.slot);
        let more: Vec<Session> = (1..most).map_while(|_| open().ok()).collect();
        let found = Found {
            keys: &self.keys,
            mechanisms: &self.mechanisms,
            info: &self.info,
            single: self.single.as_ref(),
            pin: self.pin.as_ref(),
        };
        let first: Box<dyn Signer + '_> = Box::new(Lane { session: &mut self.session, found });
        let more = more.into_iter().map(|session| Box::new(Lane { session, found }) as Box<dyn Signer + '_>);
        Ok(std::iter::once(first).chain(more).collect())
    }
}

impl Found<'_> {
    pub(super) fn sign(&self, session: &Session, key: &Key, permit: &Permit) -> Result<Vec<u8>> {
        check_match(key.public_key.algorithm(), permit.algorithm())?;
        let handle = handle_of(self.keys, key).ok_or_else(|| {
            Error::integrity("token.key-unknown", "the key to sign with was not found in this session")
        })?;
        let single = self.single.filter(|_| key.always_authenticate);
        let sign = |mechanism: &Mechanism, data: &[u8]| match single {
            Some(single) => single.sign(session, self.pin, mechanism, handle, data).map_err(explained),
            None => session.sign(mechanism, handle, data).map_err(explained),
        };
        self.signature(&sign, key.public_key.algorithm(), permit).map_err(|e| at_token(self.info, e))
    }

    fn signature(&self, sign: &CSign<'_>, key: KeyAlgorithm, permit: &Permit) -> Result<Vec<u8>> {
        let (message, algorithm) = (permit.message(), permit.algorithm());
        match key {
            KeyAlgorithm::Rsa(bits) => {
                let signature = match rsa_mechanism(self.mechanisms, algorithm) {
                    MechanismType::SHA256_RSA_PKCS => sign(&Mechanism::Sha256RsaPkcs, message),
                    MechanismType::SHA384_RSA_PKCS => sign(&Mechanism::Sha384RsaPkcs, message),
                    MechanismType::SHA512_RSA_PKCS => sign(&Mechanism::Sha512RsaPkcs, message),
                    _ => sign(&Mechanism::RsaPkcs, &digest_info(algorithm, message)),
                }?;
                of_length(signature, bits.div_ceil(8) as usize)
            }
            KeyAlgorithm::Ed25519 => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                of_length(sign(&Mechanism::Eddsa(pure), message)?, 64)
            }
            KeyAlgorithm::P256 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 32),
            KeyAlgorithm::P384 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 48),
            KeyAlgorithm::P521 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 66),
        }
    }
}

/// A permit for one kind of key must never be spent with another.
fn check_match(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Result<()> {
    use SignatureAlgorithm as S;
    let fits = match key {
        KeyAlgorithm::Rsa(_) => matches!(algorithm, S::RsaSha256 | S::RsaSha384 | S::RsaSha512),
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => {
            matches!(algorithm, S::EcdsaSha256 | S::EcdsaSha384 | S::EcdsaSha512)
        }
        KeyAlgorithm::Ed25519 => algorithm == S::Ed25519,
    };
    if fits {
        return Ok(());
    }
    let message = format!("the permit is for {}, the key is {key}", algorithm.describe());
    Err(Error::integrity("token.permit-mismatch", message)
        .next("stop: journal and token do not belong together; nothing was signed"))
}

fn digest(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        SignatureAlgorithm::EcdsaSha384 | SignatureAlgorithm::RsaSha384 => Sha384::digest(message).to_vec(),
        SignatureAlgorithm::EcdsaSha512 | SignatureAlgorithm::RsaSha512 => Sha512::digest(message).to_vec(),
        _ => Sha256::digest(message).to_vec(),
    }
}

/// The digest in its DigestInfo (RFC 8017 §9.2, note 1): the prefixes differ only
/// in two lengths and in the last arc of the hash's object identifier.
fn digest_info(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    let digest = digest(algorithm, message);
    let (total, arc, length) = match algorithm {
        SignatureAlgorithm::RsaSha384 => (0x41, 2, 0x30),
        SignatureAlgorithm::RsaSha512 => (0x51, 3, 0x40),
        _ => (0x31, 1, 0x20),
    };
    let sha2 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc];
    [&[0x30, total, 0x30, 0x0d, 0x06, 0x09][..], &sha2, &[0x05, 0x00, 0x04, length], &digest].concat()
}

/// PKCS#11 gives r and s side by side, each as long as the curve's order.
fn ecdsa_der(raw: &[u8], length: usize) -> Result<Vec<u8>> {
    let malformed =
        |what: String| Error::token("token.signature", format!("the token's signature is malformed: {what}"));
    let (r, s) = raw
        .split_at_checked(length)
        .filter(|(_, s)| s.len() == length)
        .ok_or_else(|| malformed(format!("{} bytes, wanted {}", raw.len(), 2 * length)))?;
    if [r, s].iter().any(|half| half.iter().all(|b| *b == 0)) {
        return Err(malformed("r or s is zero".into()));
    }
    let integer = |half| Uint::new(half).map_err(|e| malformed(e.to_string()));
    EcdsaSigValue { r: integer(r)?, s: integer(s)? }.to_der().map_err(|e| malformed(e.to_string()))
}

fn of_length(signature: Vec<u8>, length: usize) -> Result<Vec<u8>> {
    if signature.len() == length {
        return Ok(signature);
    }
    let message = format!("the token's signature is malformed: {} bytes, wanted {length}", signature.len());
    Err(Error::token("token.signature", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_integers_are_minimal_and_positive() {
        let mut raw = [0; 64];
        raw[30] = 0x80; // r = 0x8000: leading zeros go, one comes back for the sign
        raw[63] = 0x7f;
        assert_eq!(ecdsa_der(&raw, 32).unwrap(), [0x30, 8, 2, 3, 0, 0x80, 0, 2, 1, 0x7f]);
        let long = [0xff; 132];
        assert_eq!(ecdsa_der(&long, 66).unwrap().len(), 3 + 2 * (2 + 67));
    }

    #[test]
    fn a_malformed_signature_is_refused() {
        for raw in [&[1; 63][..], &[1; 65], &[], &[0; 64], &[1; 128]] {
            assert_eq!(ecdsa_der(raw, 32).unwrap_err().id, "token.signature");
        }
        let mut half = [0; 64];
        half[0] = 1;
        assert!(ecdsa_der(&half, 32).is_err());
        assert!(of_length(vec![1; 63], 64).is_err());
        assert!(of_length(vec![1; 64], 64).is_ok());
    }

    #[test]
    fn a_permit_fits_its_own_kind_of_key_only() {
        use SignatureAlgorithm as S;
        for (key, fitting) in [
            (KeyAlgorithm::P256, S::EcdsaSha256),
            (KeyAlgorithm::P384, S::EcdsaSha384),
            (KeyAlgorithm::Rsa(3072), S::RsaSha256),
            (KeyAlgorithm::Ed25519, S::Ed25519),
        ] {
            for algorithm in [S::EcdsaSha256, S::EcdsaSha384, S::RsaSha256, S::Ed25519] {
                let same_family = algorithm == fitting
                    || matches!(
                        (algorithm, fitting),
                        (S::EcdsaSha256 | S::EcdsaSha384, S::EcdsaSha256 | S::EcdsaSha384)
                    );
                assert_eq!(check_match(key, algorithm).is_ok(), same_family, "{key} {algorithm:?}");
            }
        }
        let error = check_match(KeyAlgorithm::P256, S::RsaSha256).unwrap_err();
        assert_eq!((error.id, error.kind), ("token.permit-mismatch", crate::Kind::Integrity));
    }

    #[test]
    fn digest_info_has_the_published_prefix() {
        let info = digest_info(SignatureAlgorithm::RsaSha384, b"");
        assert_eq!(crate::text::hex(&info[..19]), "3041300d060960864801650304020205000430");
        assert_eq!(info.len(), 19 + 48);
        assert_eq!(info[1] as usize, info.len() - 2);
    }
}
