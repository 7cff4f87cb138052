//! One permit, one signature, never tried twice.

use std::borrow::Borrow;

use cryptoki::mechanism::dsa::{HedgeType, SignAdditionalContext};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::session::Session;
use der::asn1::Uint;
use der::{Encode as _, Sequence};
use secrecy::SecretString;

use super::errors::explained;
use super::keys::handle_of;
use super::mechanisms::rsa_mechanism;
use super::single::SinglePart;
use super::{Known, Pkcs11, at_token};
use crate::error::{Error, Result};
use crate::journal::Permit;
use crate::token::message::{check_match, digest, digest_info, of_length};
use crate::token::{Key, Signer, TokenInfo};
use crate::x509::KeyAlgorithm;

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
struct Found<'t> {
    keys: &'t [Known],
    mechanisms: &'t [MechanismType],
    info: &'t TokenInfo,
    single: Option<&'t SinglePart>,
    pin: Option<&'t SecretString>,
    tell: fn(&str),
}

/// A session that signs beside others. Login and object handles hold for all
/// sessions with a token (PKCS#11 2.40 §2.6).
pub(super) struct Lane<'t, S> {
    session: S,
    found: Found<'t>,
}

impl<S: Borrow<Session> + Send> Signer for Lane<'_, S> {
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        self.found.sign(self.session.borrow(), key, &permit)
    }
}

impl Pkcs11 {
    /// The session that there is.
    pub(super) fn lane(&mut self) -> Lane<'_, &mut Session> {
        let found = Found {
            keys: &self.keys,
            mechanisms: &self.mechanisms,
            info: &self.info,
            single: self.single.as_ref(),
            pin: self.pin.as_ref(),
            tell: self.tell,
        };
        Lane { session: &mut self.session, found }
    }

    /// The session that there is, and further ones. A token that has none to give
    /// signs in those it has. A login for one signature is not to meet another's.
    pub(super) fn lanes(&mut self, most: usize) -> Result<Vec<Box<dyn Signer + '_>>> {
        let most = if self.single.is_some() { 1 } else { most };
        let open = || self.module.cryptoki.open_ro_session(self.slot);
        let more: Vec<Session> = (1..most).map_while(|_| open().ok()).collect();
        let first = self.lane();
        let found = first.found;
        let more = more.into_iter().map(|session| Box::new(Lane { session, found }) as Box<dyn Signer + '_>);
        Ok(std::iter::once(Box::new(first) as Box<dyn Signer + '_>).chain(more).collect())
    }
}

impl Found<'_> {
    fn sign(&self, session: &Session, key: &Key, permit: &Permit) -> Result<Vec<u8>> {
        check_match(key.public_key.algorithm(), permit.algorithm())?;
        let handle = handle_of(self.keys, key).ok_or_else(|| {
            Error::integrity("token.key-unknown", "the key to sign with was not found in this session")
        })?;
        let single = self.single.filter(|_| key.always_authenticate);
        let sign = |mechanism: &Mechanism, data: &[u8]| match single {
            Some(single) => {
                single.sign(session, self.pin, self.tell, mechanism, handle, data).map_err(explained)
            }
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
            KeyAlgorithm::MlDsa65 => of_length(sign(&Mechanism::MlDsa(pure_ml_dsa()), message)?, 3309),
            KeyAlgorithm::MlDsa87 => of_length(sign(&Mechanism::MlDsa(pure_ml_dsa()), message)?, 4627),
            KeyAlgorithm::P256 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 32),
            KeyAlgorithm::P384 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 48),
            KeyAlgorithm::P521 => ecdsa_der(&sign(&Mechanism::Ecdsa, &digest(algorithm, message))?, 66),
        }
    }
}

/// The message itself with an empty context, as certificates are signed (RFC 9881 §2);
/// whether it is hedged is the token's to choose, for nobody can tell.
fn pure_ml_dsa() -> SignAdditionalContext<'static> {
    SignAdditionalContext::new(HedgeType::Preferred, None)
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
    }
}
