//! Signatures under a public key (RFC 5758, RFC 4055, RFC 8410, RFC 9881), by aws-lc-rs.

use aws_lc_rs::signature::{self as aws, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};

use crate::error::{Error, Result};
use crate::x509::{Digest, KeyAlgorithm, PublicKey, Remembered, SignatureAlgorithm};

static VERIFIED: Remembered = Remembered::new();

/// Verifies `signature` over `message`: ECDSA as DER (RFC 3279 §2.2.3), RSA as
/// PKCS#1 v1.5 with at least 2048 bits.
pub fn verify_signature(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<()> {
    let verifier = verifier(key.algorithm(), algorithm).ok_or_else(|| foreign(key, algorithm))?;
    let all = [key.as_der(), algorithm.describe().as_bytes(), message, signature];
    let ask = || UnparsedPublicKey::new(verifier, key.key_bits()).verify(message, signature).is_ok();
    if VERIFIED.holds(&all, ask) { Ok(()) } else { Err(wrong(key, algorithm, message)) }
}

/// A key made ready once for a great many signatures, each of which is verified, and none
/// remembered: of those that a journal holds no two are the same.
pub(super) struct ReadyKey<'a> {
    key: &'a PublicKey,
    algorithm: SignatureAlgorithm,
    parsed: ParsedPublicKey,
}

impl<'a> ReadyKey<'a> {
    /// For signatures of this algorithm alone; `None` where it is not the key's, or this is no key.
    pub fn new(key: &'a PublicKey, algorithm: SignatureAlgorithm) -> Option<Self> {
        let parsed = ParsedPublicKey::new(verifier(key.algorithm(), algorithm)?, key.key_bits()).ok()?;
        Some(Self { key, algorithm, parsed })
    }

    /// As [`verify_signature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let verified = self.parsed.verify_sig(message, signature);
        verified.map_err(|_| wrong(self.key, self.algorithm, message))
    }

    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

fn foreign(key: &PublicKey, algorithm: SignatureAlgorithm) -> Error {
    Error::integrity(
        "verify.signature.algorithm",
        format!("{} does not belong to a key of kind {}", algorithm.describe(), key.algorithm()),
    )
}

fn wrong(key: &PublicKey, algorithm: SignatureAlgorithm, message: &[u8]) -> Error {
    Error::integrity(
        "verify.signature",
        format!(
            "{} signature over {} (SHA-256) does not verify under the {} key {}",
            algorithm.describe(),
            Digest::of(message),
            key.algorithm(),
            key.digest()
        ),
    )
}

fn verifier(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    use SignatureAlgorithm::{
        EcdsaSha256, EcdsaSha384, EcdsaSha512, Ed25519, MlDsa65, MlDsa87, RsaSha256, RsaSha384, RsaSha512,
    };
    Some(match (key, algorithm) {
        (KeyAlgorithm::P256, EcdsaSha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (KeyAlgorithm::P256, EcdsaSha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (KeyAlgorithm::P256, EcdsaSha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (KeyAlgorithm::P384, EcdsaSha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (KeyAlgorithm::P384, EcdsaSha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (KeyAlgorithm::P384, EcdsaSha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (KeyAlgorithm::Rsa(_), RsaSha256) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (KeyAlgorithm::Rsa(_), RsaSha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (KeyAlgorithm::Rsa(_), RsaSha512) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (KeyAlgorithm::Ed25519, Ed25519) => &aws::ED25519,
        (KeyAlgorithm::MlDsa65, MlDsa65) => &aws::ML_DSA_65,
        (KeyAlgorithm::MlDsa87, MlDsa87) => &aws::ML_DSA_87,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, SigningKey as _};

    use super::*;
    use crate::lint::fixtures::public;

    #[test]
    fn each_kind_of_key_verifies_its_own_signatures_and_no_others() {
        use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA512};
        for (made_by, algorithm) in [
            (&PKCS_ECDSA_P256_SHA256, SignatureAlgorithm::EcdsaSha256),
            (&PKCS_ECDSA_P384_SHA384, SignatureAlgorithm::EcdsaSha384),
            (&PKCS_ED25519, SignatureAlgorithm::Ed25519),
            (&PKCS_RSA_SHA512, SignatureAlgorithm::RsaSha512),
        ] {
            let pair = KeyPair::generate_for(made_by).unwrap();
            let (key, signature) = (public(&pair), pair.sign(b"seal").unwrap());
            let id = |key: &PublicKey, algorithm, message: &[u8], signature: &[u8]| {
                verify_signature(key, algorithm, message, signature).map_err(|e| e.id)
            };
            assert_eq!(id(&key, algorithm, b"seal", &signature), Ok(()));
            assert_eq!(id(&key, algorithm, b"sea1", &signature), Err("verify.signature"));
            assert_eq!(id(&key, algorithm, b"seal", b""), Err("verify.signature"));
            let another = public(&KeyPair::generate_for(made_by).unwrap());
            assert_eq!(id(&another, algorithm, b"seal", &signature), Err("verify.signature"));
            let foreign = match key.algorithm() {
                KeyAlgorithm::Rsa(_) => SignatureAlgorithm::EcdsaSha256,
                _ => SignatureAlgorithm::RsaSha256,
            };
            assert_eq!(id(&key, foreign, b"seal", &signature), Err("verify.signature.algorithm"));
        }
    }
}
