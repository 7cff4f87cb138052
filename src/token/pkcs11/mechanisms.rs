//! Which mechanisms a kind of key needs, and whether the token has them.

use cryptoki::mechanism::MechanismType;

use super::errors::explained;
use super::{Pkcs11, at_token};
use crate::error::{Error, Result};
use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

impl Pkcs11 {
    pub(super) fn check_mechanisms(&self, algorithm: KeyAlgorithm) -> Result<()> {
        let bits = |bits| Some((bits, "bits"));
        // the public key's (PKCS#11 3.2)
        let bytes = |bytes| Some((bytes, "bytes"));
        let (generation, size) = match algorithm {
            KeyAlgorithm::Rsa(length) => (MechanismType::RSA_PKCS_KEY_PAIR_GEN, bits(length)),
            KeyAlgorithm::P256 => (MechanismType::ECC_KEY_PAIR_GEN, bits(256)),
            KeyAlgorithm::P384 => (MechanismType::ECC_KEY_PAIR_GEN, bits(384)),
            KeyAlgorithm::P521 => (MechanismType::ECC_KEY_PAIR_GEN, bits(521)),
            // its size is 255, 256 or 32 to different tokens
            KeyAlgorithm::Ed25519 => (MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, None),
            KeyAlgorithm::MlDsa65 => (MechanismType::ML_DSA_KEY_PAIR_GEN, bytes(1952)),
            KeyAlgorithm::MlDsa87 => (MechanismType::ML_DSA_KEY_PAIR_GEN, bytes(2592)),
        };
        let signing = match algorithm {
            KeyAlgorithm::Rsa(_) => rsa_mechanism(&self.mechanisms, SignatureAlgorithm::RsaSha256),
            KeyAlgorithm::Ed25519 => MechanismType::EDDSA,
            KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => MechanismType::ML_DSA,
            _ => MechanismType::ECDSA,
        };
        for mechanism in [generation, signing] {
            self.check_mechanism(mechanism, size, algorithm)?;
        }
        Ok(())
    }

    fn check_mechanism(
        &self,
        mechanism: MechanismType,
        size: Option<(u32, &str)>,
        key: KeyAlgorithm,
    ) -> Result<()> {
        let lacking = |what: String| {
            at_token(&self.info, Error::token("token.mechanism", what))
                .next("choose another kind of key with --key, or another token")
        };
        if !self.mechanisms.contains(&mechanism) {
            return Err(lacking(format!("it has no {mechanism}, which {key} needs")));
        }
        let Some((size, unit)) = size else { return Ok(()) };
        let range = self.module.cryptoki.get_mechanism_info(self.slot, mechanism).map_err(explained)?;
        let (least, most) = (range.min_key_size(), range.max_key_size());
        // a token that does not say gives 0
        if least as u64 > u64::from(size) || (most != 0 && (most as u64) < u64::from(size)) {
            return Err(lacking(format!("its {mechanism} takes {least} to {most} {unit}, {key} has {size}")));
        }
        Ok(())
    }
}

/// The hashing mechanism where the token has it, otherwise the plain one, which
/// wants the hash wrapped in a DigestInfo.
pub(super) fn rsa_mechanism(known: &[MechanismType], algorithm: SignatureAlgorithm) -> MechanismType {
    let hashing = match algorithm {
        SignatureAlgorithm::RsaSha384 => MechanismType::SHA384_RSA_PKCS,
        SignatureAlgorithm::RsaSha512 => MechanismType::SHA512_RSA_PKCS,
        _ => MechanismType::SHA256_RSA_PKCS,
    };
    if known.contains(&hashing) { hashing } else { MechanismType::RSA_PKCS }
}
