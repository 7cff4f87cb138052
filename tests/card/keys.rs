//! Key pairs: made, used, and shown the way a card shows them.

use aws_lc_rs::digest::{Digest, SHA256, SHA384};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use const_oid::db::rfc5912;
use der::{Decode as _, Encode as _};
use num_bigint::BigUint;
use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize};

use crate::apdu::{Answer, status};
use crate::state::Version;
use crate::tlv::{get, tlv};

/// Algorithms by their identifiers in SP 800-78-4, and Yubico's for what is not there.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
pub enum Algorithm {
    Rsa3072 = 0x05,
    Rsa2048 = 0x07,
    P256 = 0x11,
    P384 = 0x14,
    Rsa4096 = 0x16,
    Ed25519 = 0xe0,
}

use Algorithm::*;

impl Algorithm {
    /// What a card of this firmware can do.
    pub fn known(id: u8, firmware: Version) -> Option<Self> {
        let all = [Rsa2048, P256, P384, Rsa3072, Rsa4096, Ed25519];
        let known = if firmware >= [5, 7, 0] { &all[..] } else { &all[..3] };
        known.iter().copied().find(|algorithm| *algorithm as u8 == id)
    }

    pub fn name(self) -> &'static str {
        match self {
            Rsa2048 => "rsa2048",
            Rsa3072 => "rsa3072",
            Rsa4096 => "rsa4096",
            P256 => "p256",
            P384 => "p384",
            Ed25519 => "ed25519",
        }
    }

    fn signs_as(self) -> &'static rcgen::SignatureAlgorithm {
        match self {
            Rsa2048 | Rsa3072 | Rsa4096 => &rcgen::PKCS_RSA_SHA256,
            P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

/// A new key pair, as PKCS #8.
pub fn generate(algorithm: Algorithm) -> Vec<u8> {
    let rsa = |size| KeyPair::generate_rsa_for(algorithm.signs_as(), size);
    let pair = match algorithm {
        Rsa2048 => rsa(RsaKeySize::_2048),
        Rsa3072 => rsa(RsaKeySize::_3072),
        Rsa4096 => rsa(RsaKeySize::_4096),
        P256 | P384 | Ed25519 => KeyPair::generate_for(algorithm.signs_as()),
    };
    pair.expect("a key pair").serialize_der()
}

/// A key pair from outside, as IMPORT has it: RSA's primes and what goes with them in tags
/// 1 to 5, a scalar in 6, an Ed25519 seed in 7.
pub fn import(algorithm: Algorithm, data: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Rsa2048 | Rsa3072 | Rsa4096 => import_rsa(data),
        P256 => import_scalar(&ECDSA_P256_SHA256_ASN1_SIGNING, &rfc5912::SECP_256_R_1, get(data, 6)?),
        P384 => import_scalar(&ECDSA_P384_SHA384_ASN1_SIGNING, &rfc5912::SECP_384_R_1, get(data, 6)?),
        Ed25519 => {
            let pair = Ed25519KeyPair::from_seed_unchecked(get(data, 7)?).ok()?;
            Some(pair.to_pkcs8v1().ok()?.as_ref().to_vec())
        }
    }
}

/// RFC 5915 in RFC 5958, without the public key.
fn import_scalar(
    curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
    name: &const_oid::ObjectIdentifier,
    scalar: &[u8],
) -> Option<Vec<u8>> {
    let sec1 = tlv(0x30, &[tlv(0x02, &[1]), tlv(0x04, scalar)].concat());
    let algorithm = tlv(0x30, &[rfc5912::ID_EC_PUBLIC_KEY.to_der().ok()?, name.to_der().ok()?].concat());
    let pkcs8 = tlv(0x30, &[tlv(0x02, &[0]), algorithm, tlv(0x04, &sec1)].concat());
    let pair = EcdsaKeyPair::from_private_key_der(curve, &pkcs8).ok()?;
    Some(pair.to_pkcs8v1().ok()?.as_ref().to_vec())
}

fn import_rsa(data: &[u8]) -> Option<Vec<u8>> {
    let number = |tag| Some(BigUint::from_bytes_be(get(data, tag)?));
    let (p, q, one, e) = (number(1)?, number(2)?, BigUint::from(1u8), BigUint::from(65_537u32));
    let d = e.modinv(&((&p - &one) * (&q - &one)))?;
    let (n, version) = (&p * &q, BigUint::from(0u8));
    let parts = [version, n, e, d, p, q, number(3)?, number(4)?, number(5)?];
    let parts: Vec<u8> = parts.iter().flat_map(integer).collect();
    let algorithm = tlv(0x30, &[rfc5912::RSA_ENCRYPTION.to_der().ok()?, tlv(0x05, &[])].concat());
    let pkcs8 = tlv(0x30, &[tlv(0x02, &[0]), algorithm, tlv(0x04, &tlv(0x30, &parts))].concat());
    aws_lc_rs::rsa::KeyPair::from_pkcs8(&pkcs8).is_ok().then_some(pkcs8)
}

/// A DER INTEGER.
fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    der::asn1::UintRef::new(&bytes).and_then(|uint| uint.to_der()).expect("a number")
}

/// For certificates by and for this key.
pub fn pair(algorithm: Algorithm, pkcs8: &[u8]) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), algorithm.signs_as()).expect("a key that we made")
}

/// The public key as GENERATE and GET METADATA give it: modulus and exponent, or the point.
pub fn public(algorithm: Algorithm, pkcs8: &[u8]) -> Vec<u8> {
    match algorithm {
        P256 | P384 | Ed25519 => tlv(0x86, pair(algorithm, pkcs8).der_bytes()),
        Rsa2048 | Rsa3072 | Rsa4096 => {
            let RsaPrivateKey { n, e, .. } = rsa(pkcs8);
            [tlv(0x81, n.as_bytes()), tlv(0x82, e.as_bytes())].concat()
        }
    }
}

/// What a key makes of the content of tag 81: a signature over a digest, or (RSA) over a
/// padded block, or (Ed25519) over the message.
pub fn sign(algorithm: Algorithm, pkcs8: &[u8], data: &[u8]) -> Answer {
    match algorithm {
        P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, data, 32, &SHA256),
        P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8, data, 48, &SHA384),
        Ed25519 => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8).expect("a key that we made");
            Ok(pair.sign(data).as_ref().to_vec())
        }
        Rsa2048 | Rsa3072 | Rsa4096 => raw_rsa(pkcs8, data),
    }
}

/// ECDSA takes the digest as a number: a short one has zeros before it.
fn ecdsa(
    curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm,
    pkcs8: &[u8],
    data: &[u8],
    length: usize,
    size: &'static aws_lc_rs::digest::Algorithm,
) -> Answer {
    if data.is_empty() || data.len() > length {
        return Err(status::BAD_DATA);
    }
    let padded = [&vec![0; length - data.len()], data].concat();
    let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8).expect("a key that we made");
    let digest = Digest::import_less_safe(&padded, size).expect("of this length");
    Ok(pair.sign_digest(&digest).expect("a signature").as_ref().to_vec())
}

/// RFC 8017, 5.2.1, by the Chinese remainder theorem.
fn raw_rsa(pkcs8: &[u8], data: &[u8]) -> Answer {
    let key = rsa(pkcs8);
    let number = |part: der::asn1::UintRef<'_>| BigUint::from_bytes_be(part.as_bytes());
    let length = key.n.as_bytes().len();
    let message = BigUint::from_bytes_be(data);
    if data.len() != length || message >= number(key.n) {
        return Err(status::BAD_DATA);
    }
    let (p, q) = (number(key.p), number(key.q));
    let (first, second) = (message.modpow(&number(key.dp), &p), message.modpow(&number(key.dq), &q));
    let between = (number(key.qinv) * (first + &p - (&second % &p))) % &p;
    let made = (second + between * q).to_bytes_be();
    Ok([vec![0; length - made.len()], made].concat())
}

/// RFC 5958.
#[derive(der::Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: spki::AlgorithmIdentifierRef<'a>,
    key: &'a der::asn1::OctetStringRef,
}

/// RFC 8017, A.1.2.
#[derive(der::Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    n: der::asn1::UintRef<'a>,
    e: der::asn1::UintRef<'a>,
    d: der::asn1::UintRef<'a>,
    p: der::asn1::UintRef<'a>,
    q: der::asn1::UintRef<'a>,
    dp: der::asn1::UintRef<'a>,
    dq: der::asn1::UintRef<'a>,
    qinv: der::asn1::UintRef<'a>,
}

fn rsa(pkcs8: &[u8]) -> RsaPrivateKey<'_> {
    let info = PrivateKeyInfo::from_der(pkcs8).expect("PKCS #8");
    RsaPrivateKey::from_der(info.key.as_bytes()).expect("an RSA key")
}
