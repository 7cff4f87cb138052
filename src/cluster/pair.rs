//! A private key that signs, of any kind that is read here.

use aws_lc_rs::signature::{
    KeyPair as _, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
};
use rcgen::{Error, KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use zeroize::Zeroize as _;

/// rcgen makes ML-DSA keys but reads none.
pub(super) enum Pair {
    Classic(Box<KeyPair>),
    MlDsa(PqdsaKeyPair, &'static SignatureAlgorithm),
}

impl Pair {
    /// From PKCS#8, SEC 1 or PKCS#1; ML-DSA from PKCS#8 alone (RFC 9881 §6).
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = KeyPair::try_from(der) {
            return Some(Self::Classic(Box::new(pair)));
        }
        let ml_dsa = |algorithm: &'static PqdsaSigningAlgorithm, name| {
            PqdsaKeyPair::from_pkcs8(algorithm, der).ok().map(|pair| Self::MlDsa(pair, name))
        };
        ml_dsa(&ML_DSA_65_SIGNING, &rcgen::PKCS_ML_DSA_65)
            .or_else(|| ml_dsa(&ML_DSA_87_SIGNING, &rcgen::PKCS_ML_DSA_87))
    }
}

impl PublicKeyData for Pair {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::Classic(pair) => pair.der_bytes(),
            Self::MlDsa(pair, _) => pair.public_key().as_ref(),
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::Classic(pair) => pair.algorithm(),
            Self::MlDsa(_, name) => name,
        }
    }
}

impl SigningKey for Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Classic(pair) => pair.sign(message),
            Self::MlDsa(pair, _) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature).map_err(|_| Error::RingUnspecified)?;
                Ok(signature)
            }
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // The other is wiped by the library that holds it.
        if let Self::Classic(pair) = self {
            pair.zeroize();
        }
    }
}
