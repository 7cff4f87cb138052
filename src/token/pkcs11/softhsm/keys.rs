//! Generating, finding and signing.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey, VerificationAlgorithm,
};

use super::*;
use crate::Kind;
use crate::token::KeyAttributes;
use crate::x509::SignatureAlgorithm;

fn verifies(signature: &[u8], algorithm: SignatureAlgorithm, key: &PublicKey, message: &[u8]) -> bool {
    let verifier: &'static dyn VerificationAlgorithm = match algorithm {
        SignatureAlgorithm::EcdsaSha256 => &ECDSA_P256_SHA256_ASN1,
        SignatureAlgorithm::EcdsaSha384 => &ECDSA_P384_SHA384_ASN1,
        SignatureAlgorithm::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::RsaSha384 => &RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::Ed25519 => &ED25519,
        other => panic!("{other:?}"),
    };
    UnparsedPublicKey::new(verifier, key.key_bits()).verify(message, signature).is_ok()
}

fn generated(token: &mut Pkcs11, algorithm: KeyAlgorithm, label: &str, id: &[u8]) -> Result<Key> {
    token.generate(key_permit(KeyRole::Root, algorithm, label, id))
}

pub(super) fn each_kind_of_key_is_generated_found_again_and_signs() {
    let mut token = logged_in("keys");
    for (number, algorithm) in [
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Rsa(3072),
        KeyAlgorithm::Rsa(4096),
        KeyAlgorithm::Ed25519,
    ]
    .into_iter()
    .enumerate()
    {
        let (label, id) = (format!("{algorithm} key"), [0, number as u8, 0xff]);
        token.supports(algorithm).unwrap();
        assert!(token.find_key(&id).unwrap().is_none());
        let made = generated(&mut token, algorithm, &label, &id).unwrap();
        assert_eq!(made.public_key.algorithm(), algorithm);
        assert_eq!(
            protection(&token, &id),
            KeyAttributes {
                sensitive: Some(true),
                extractable: Some(false),
                always_sensitive: Some(true),
                never_extractable: Some(true),
                local: Some(true),
                private: Some(true),
                token: Some(true),
                modifiable: Some(true),
                copyable: Some(true),
                sign: Some(true),
                sign_recover: Some(false),
                decrypt: Some(false),
                unwrap: Some(false),
                derive: Some(false),
                always_authenticate: Some(false),
                mechanisms: Some(vec![]),
            }
        );

        let mut again = logged_in("keys");
        let key = again.find_key(&id).unwrap().unwrap();
        assert_eq!((&key.label, &key.id), (&label, &id.to_vec()));
        assert_eq!(key.public_key, made.public_key);

        let message = b"to be signed";
        let with = SignatureAlgorithm::of_issuer(algorithm).unwrap();
        let signature = again.sign(&key, permit(KeyRole::Root, with, message)).unwrap();
        assert!(verifies(&signature, with, &key.public_key, message), "{algorithm}");
        assert!(!verifies(&signature, with, &key.public_key, b"something else"), "{algorithm}");
    }
}

pub(super) fn rsa_signs_without_the_hashing_mechanism_too() {
    let mut token = logged_in("plain rsa");
    let key = generated(&mut token, KeyAlgorithm::Rsa(2048), "plain", b"plain").unwrap();
    for plain in [false, true] {
        if plain {
            token
                .mechanisms
                .retain(|m| [MechanismType::RSA_PKCS, MechanismType::RSA_PKCS_KEY_PAIR_GEN].contains(m));
            token.supports(KeyAlgorithm::Rsa(2048)).unwrap();
        }
        for with in [SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaSha384] {
            let signature = token.sign(&key, permit(KeyRole::Root, with, b"message")).unwrap();
            assert!(verifies(&signature, with, &key.public_key, b"message"), "{with:?} {plain}");
        }
    }
    let error = token.supports(KeyAlgorithm::P256).unwrap_err();
    assert!(error.message.contains("CKM_EC_KEY_PAIR_GEN"), "{error}");
    assert_eq!(error.id, "token.mechanism");
    let error = generated(&mut token, KeyAlgorithm::Ed25519, "ed", b"ed").unwrap_err();
    assert!(error.message.contains("CKM_EC_EDWARDS_KEY_PAIR_GEN"), "{error}");
}

pub(super) fn a_size_out_of_range_is_refused_before_generating() {
    let mut token = open("pkcs11:token=keys").unwrap();
    for bits in [256, 32768] {
        let error = token.supports(KeyAlgorithm::Rsa(bits)).unwrap_err();
        assert_eq!(error.id, "token.mechanism");
        assert!(error.message.contains("512 to 16384"), "{error}");
    }
}

pub(super) fn what_does_not_fit_the_permit_is_not_done() {
    let mut token = logged_in("permits");
    let key = generated(&mut token, KeyAlgorithm::P256, "root", b"root").unwrap();

    assert!(token.label_in_use("root").unwrap());
    assert!(!token.label_in_use("roo").unwrap());
    assert!(open("pkcs11:token=permits").unwrap().label_in_use("root").unwrap());
    assert_eq!(generated(&mut token, KeyAlgorithm::P256, "root", b"b").unwrap_err().id, "token.label-in-use");
    assert_eq!(generated(&mut token, KeyAlgorithm::P256, "b", b"root").unwrap_err().id, "token.id-in-use");

    let error = token.sign(&key, permit(KeyRole::Root, SignatureAlgorithm::RsaSha256, b"m")).unwrap_err();
    assert_eq!((error.id, error.kind), ("token.permit-mismatch", Kind::Integrity));

    // a key that this session never found, though its number is the same
    let mut other = logged_in("keys");
    let error = other.sign(&key, permit(KeyRole::Root, SignatureAlgorithm::EcdsaSha256, b"m")).unwrap_err();
    assert_eq!((error.id, error.kind), ("token.key-unknown", Kind::Integrity));
}

fn protection(token: &Pkcs11, id: &[u8]) -> KeyAttributes {
    let [key] = &token.described_keys(&Wanted::Id(id)).unwrap()[..] else { panic!("one key was made") };
    key.attributes.clone()
}
