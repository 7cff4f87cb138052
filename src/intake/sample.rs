//! Requests for the tests, put together byte by byte, so that each can be wrong in one thing.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};

use crate::text::unhex;

/// One DER element.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let mut out = vec![tag];
    match length {
        0..128 => out.push(length as u8),
        128..256 => out.extend([0x81, length as u8]),
        256..65_536 => out.extend([0x82, (length >> 8) as u8, length as u8]),
        _ => out.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    out.extend(parts.concat());
    out
}

fn oid(dotted: &str) -> Vec<u8> {
    tlv(6, &[const_oid::ObjectIdentifier::new_unwrap(dotted).as_bytes()])
}

/// AlgorithmIdentifier.
pub fn algorithm(dotted: &str, parameters: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&oid(dotted), parameters])
}

/// RSASSA-PSS-params with the hashes 2.16.840.1.101.3.4.2.N.
pub fn pss(hash: u8, mask_hash: u8, salt: u8) -> Vec<u8> {
    let sha2 = |n: u8| algorithm(&format!("2.16.840.1.101.3.4.2.{n}"), &[5, 0]);
    let mgf1 = algorithm("1.2.840.113549.1.1.8", &sha2(mask_hash));
    tlv(0x30, &[&tlv(0xa0, &[&sha2(hash)]), &tlv(0xa1, &[&mgf1]), &tlv(0xa2, &[&tlv(2, &[&[salt]])])])
}

/// SubjectPublicKeyInfo.
pub fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tlv(0x30, &[algorithm, &tlv(3, &[&[0], key])])
}

/// An attribute with one value.
pub fn attribute(dotted: &str, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&oid(dotted), &tlv(0x31, &[value])])
}

/// An extension.
pub fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &[&oid(dotted), critical, &tlv(4, &[value])])
}

/// The extensionRequest attribute.
pub fn extension_request(extensions: &[Vec<u8>]) -> Vec<u8> {
    attribute("1.2.840.113549.1.9.14", &tlv(0x30, &[&extensions.concat()]))
}

/// CertificationRequestInfo with the subject `CN=a`.
pub fn info(spki: &[u8], attributes: &[Vec<u8>]) -> Vec<u8> {
    let name = tlv(0x30, &[&tlv(0x31, &[&tlv(0x30, &[&oid("2.5.4.3"), &tlv(12, &[b"a"])])])]);
    tlv(0x30, &[&[2, 1, 0], &name, spki, &tlv(0xa0, &[&attributes.concat()])])
}

/// CertificationRequest.
pub fn request(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    tlv(0x30, &[info, algorithm, &tlv(3, &[&[0], signature])])
}

static ED25519: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static P256: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap());
static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());

/// A public Ed25519 key.
pub fn ed25519_key() -> Vec<u8> {
    ED25519.public_key().as_ref().to_vec()
}

/// A public P-256 point.
pub fn p256_point() -> Vec<u8> {
    P256.public_key().as_ref().to_vec()
}

/// The SubjectPublicKeyInfo of an Ed25519 key.
pub fn ed25519_spki(key: &[u8]) -> Vec<u8> {
    spki(&algorithm("1.3.101.112", &[]), key)
}

/// The SubjectPublicKeyInfo of an EC point on P-256.
pub fn p256_spki(point: &[u8]) -> Vec<u8> {
    spki(&algorithm("1.2.840.10045.2.1", &oid("1.2.840.10045.3.1.7")), point)
}

/// The SubjectPublicKeyInfo of an RSA key.
pub fn rsa_spki() -> Vec<u8> {
    spki(&algorithm("1.2.840.113549.1.1.1", &[5, 0]), RSA.public_key().as_ref())
}

/// A sound Ed25519 request with these attributes.
pub fn ed25519(attributes: &[Vec<u8>]) -> Vec<u8> {
    ed25519_info(&info(&ed25519_spki(&ed25519_key()), attributes))
}

/// An Ed25519 request whose CertificationRequestInfo is given.
pub fn ed25519_info(info: &[u8]) -> Vec<u8> {
    request(info, &algorithm("1.3.101.112", &[]), ED25519.sign(info).as_ref())
}

/// A sound P-256 request with every claim that is read.
pub fn p256() -> Vec<u8> {
    let info = info(&p256_spki(&p256_point()), &[full_extension_request()]);
    let signature = P256.sign(&SystemRandom::new(), &info).unwrap();
    request(&info, &algorithm("1.2.840.10045.4.3.2", &[]), signature.as_ref())
}

/// An extensionRequest that asks for every extension that is read, and one that is not.
pub fn full_extension_request() -> Vec<u8> {
    extension_request(&[
        extension("2.5.29.19", true, &unhex("30060101ff020101").unwrap()),
        extension("2.5.29.15", true, &unhex("03020106").unwrap()),
        extension("2.5.29.37", false, &tlv(0x30, &[&oid("1.3.6.1.5.5.7.3.1"), &oid("1.3.6.1.5.5.7.3.2")])),
        extension("2.5.29.17", false, &tlv(0x30, &[&tlv(0x82, &[b"a.example"])])),
        extension("2.5.29.14", false, &tlv(4, &[&[1, 2, 3]])),
        extension("2.5.29.30", true, &[0x30, 0]),
    ])
}

/// An RSA-2048 request, signed with the given padding and algorithm identifier.
pub fn rsa(padding: &'static dyn signature::RsaEncoding, algorithm: &[u8]) -> Vec<u8> {
    let info = info(&rsa_spki(), &[]);
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(padding, &SystemRandom::new(), &info, &mut signature).unwrap();
    request(&info, algorithm, &signature)
}
