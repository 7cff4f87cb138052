//! CRLs for tests, signed by a real key, to be bent where a test says.

use std::sync::LazyLock;

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use crate::x509::{CrlSpec, Name, PublicKey, Seconds, SignatureAlgorithm, Time};

static KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap());

/// A cluster's key.
pub(crate) fn key() -> &'static KeyPair {
    &KEY
}

/// Its public half.
pub(crate) fn public_key() -> PublicKey {
    PublicKey::from_der(&KEY.subject_public_key_info()).unwrap()
}

/// What a cluster's own CRL says.
pub(crate) fn spec(subject: &Name, now: Time) -> CrlSpec {
    CrlSpec {
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: subject.clone(),
        key_id: public_key().key_id(),
        this_update: now.earlier(Seconds(300)),
        next_update: now + Seconds(390 * 86_400),
        number: 1,
        entries: Vec::new(),
    }
}

/// The same, signed.
pub(crate) fn signed(spec: &CrlSpec) -> Vec<u8> {
    let tbs = spec.to_tbs().unwrap();
    tbs.assemble(&KEY.sign(tbs.as_der()).unwrap()).unwrap()
}
