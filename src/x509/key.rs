//! Public keys (SubjectPublicKeyInfo, RFC 5280 §4.1.2.7) and their identifiers.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::{fips204, rfc5912, rfc8410};
use der::asn1::{BitString, Uint};
use der::{Decode as _, Encode as _, Sequence};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use spki::SubjectPublicKeyInfoOwned;

use super::Digest;
use crate::error::{Error, Result};
use crate::text::{base64, unbase64};

/// The kinds of key that can be told apart; what is accepted is policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with the modulus's length in bits.
    Rsa(u32),
    /// NIST P-256 (secp256r1)
    P256,
    /// NIST P-384 (secp384r1)
    P384,
    /// NIST P-521 (secp521r1)
    P521,
    /// Ed25519 (RFC 8032)
    Ed25519,
    /// ML-DSA-65 (FIPS 204)
    MlDsa65,
    /// ML-DSA-87 (FIPS 204)
    MlDsa87,
}

impl KeyAlgorithm {
    /// Reads the names of the command line, such as `p256`, `rsa3072`, `ed25519`, `ml-dsa-65`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "p256" => Some(Self::P256),
            "p384" => Some(Self::P384),
            "p521" => Some(Self::P521),
            "ed25519" => Some(Self::Ed25519),
            "ml-dsa-65" => Some(Self::MlDsa65),
            "ml-dsa-87" => Some(Self::MlDsa87),
            _ => name.strip_prefix("rsa")?.parse().ok().map(Self::Rsa),
        }
    }

    /// Whether it holds against quantum computers, and is loaded by few programs as yet.
    pub fn is_post_quantum(self) -> bool {
        matches!(self, Self::MlDsa65 | Self::MlDsa87)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa{bits}"),
            Self::P256 => f.write_str("p256"),
            Self::P384 => f.write_str("p384"),
            Self::P521 => f.write_str("p521"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::MlDsa65 => f.write_str("ml-dsa-65"),
            Self::MlDsa87 => f.write_str("ml-dsa-87"),
        }
    }
}

impl Serialize for KeyAlgorithm {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyAlgorithm {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom("want a kind of key, such as p256"))
    }
}

/// Public keys in bytes (FIPS 204, table 2).
const ML_DSA_65_LENGTH: usize = 1952;
const ML_DSA_87_LENGTH: usize = 2592;

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(Clone, Debug, Sequence)]
pub struct RsaPublicKey {
    /// The modulus n.
    pub modulus: Uint,
    /// The public exponent e.
    pub exponent: Uint,
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(&base64(&self.der))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let der = unbase64(&String::deserialize(d)?).ok_or_else(|| D::Error::custom("want base64"))?;
        Self::from_der(&der).map_err(D::Error::custom)
    }
}

/// A public key: its DER as it came and what kind it is. Whether it is a *good*
/// key is judged by intake; here it is only well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
    key_bits: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo; strict DER, named curves only, exact parameters.
    pub fn from_der(bytes: &[u8]) -> Result<Self> {
        let spki = SubjectPublicKeyInfoOwned::from_der(bytes)
            .map_err(|e| malformed(format!("not a DER SubjectPublicKeyInfo ({e})")))?;
        if spki.to_der().ok().as_deref() != Some(bytes) {
            return Err(malformed("not canonical DER".into()));
        }
        let key_bits = spki
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| malformed("the key's BIT STRING does not end at a byte".into()))?
            .to_vec();
        let algorithm = algorithm_of(&spki, &key_bits)?;
        Ok(Self { der: bytes.to_vec(), key_bits, algorithm })
    }

    /// An EC key on a named curve from its uncompressed point.
    pub fn from_ec_point(curve: KeyAlgorithm, point: &[u8]) -> Result<Self> {
        let oid = match curve {
            KeyAlgorithm::P256 => rfc5912::SECP_256_R_1,
            KeyAlgorithm::P384 => rfc5912::SECP_384_R_1,
            KeyAlgorithm::P521 => rfc5912::SECP_521_R_1,
            other => return Err(Error::token("key.curve", format!("{other} has no curve"))),
        };
        Self::assemble(rfc5912::ID_EC_PUBLIC_KEY, Some((&oid).into()), point)
    }

    /// An RSA key from modulus and exponent, big-endian.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let bad = |e| Error::token("key.encoding", format!("RSA key cannot be encoded ({e})"));
        let key = RsaPublicKey {
            modulus: Uint::new(modulus).map_err(bad)?,
            exponent: Uint::new(exponent).map_err(bad)?,
        };
        Self::assemble(rfc5912::RSA_ENCRYPTION, Some(der::asn1::Any::null()), &key.to_der().map_err(bad)?)
    }

    /// An Ed25519 key from its 32 bytes.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self> {
        Self::assemble(rfc8410::ID_ED_25519, None, bytes)
    }

    /// An ML-DSA key from its bytes, whose length says which parameter set it is of.
    pub fn from_ml_dsa(bytes: &[u8]) -> Result<Self> {
        match bytes.len() {
            ML_DSA_65_LENGTH => Self::assemble(fips204::ID_ML_DSA_65, None, bytes),
            ML_DSA_87_LENGTH => Self::assemble(fips204::ID_ML_DSA_87, None, bytes),
            length => Err(Error::token(
                "key.encoding",
                format!(
                    "an ML-DSA-65 or ML-DSA-87 key has {ML_DSA_65_LENGTH} or {ML_DSA_87_LENGTH} bytes, found {length}"
                ),
            )),
        }
    }

    fn assemble(oid: ObjectIdentifier, parameters: Option<der::asn1::Any>, bits: &[u8]) -> Result<Self> {
        let bad = |e| Error::token("key.encoding", format!("public key cannot be encoded ({e})"));
        let spki = SubjectPublicKeyInfoOwned {
            algorithm: spki::AlgorithmIdentifier { oid, parameters },
            subject_public_key: BitString::from_bytes(bits).map_err(bad)?,
        };
        Self::from_der(&spki.to_der().map_err(bad)?)
    }

    /// The SubjectPublicKeyInfo's DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The contents of the subjectPublicKey BIT STRING.
    pub fn key_bits(&self) -> &[u8] {
        &self.key_bits
    }

    /// What kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Modulus and exponent where it is an RSA key.
    pub fn rsa(&self) -> Option<RsaPublicKey> {
        matches!(self.algorithm, KeyAlgorithm::Rsa(_)).then(|| RsaPublicKey::from_der(&self.key_bits).ok())?
    }

    /// SHA-256 of the SubjectPublicKeyInfo: one key, one digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the key bits.
    pub fn key_id(&self) -> Vec<u8> {
        Digest::of(&self.key_bits).0.iter().copied().take(20).collect()
    }

    /// RFC 5280 §4.2.1.2 method 1: SHA-1 over the key bits, as OpenSSL and older Go write it.
    pub fn key_id_sha1(&self) -> Vec<u8> {
        sha1::Sha1::digest(&self.key_bits).to_vec()
    }
}

fn malformed(what: String) -> Error {
    Error::refused("key.encoding", format!("public key: {what}"))
        .next("make the key and its request again with another tool")
}

fn algorithm_of(spki: &SubjectPublicKeyInfoOwned, bits: &[u8]) -> Result<KeyAlgorithm> {
    let parameters = spki.algorithm.parameters.as_ref();
    match spki.algorithm.oid {
        rfc5912::RSA_ENCRYPTION => {
            if !parameters.is_some_and(der::asn1::Any::is_null) {
                return Err(malformed("rsaEncryption needs NULL parameters (RFC 3279 section 2.3.1)".into()));
            }
            let key = RsaPublicKey::from_der(bits)
                .map_err(|e| malformed(format!("not a DER RSAPublicKey ({e})")))?;
            let n = key.modulus.as_bytes();
            let leading = n.first().map_or(0, |b| b.leading_zeros());
            let length = u32::try_from(n.len() * 8).unwrap_or(u32::MAX);
            Ok(KeyAlgorithm::Rsa(length.saturating_sub(leading)))
        }
        rfc5912::ID_EC_PUBLIC_KEY => {
            let curve: ObjectIdentifier = parameters.and_then(|p| p.decode_as().ok()).ok_or_else(|| {
                malformed("EC parameters must name a curve (RFC 5480 section 2.1.1)".into())
            })?;
            match curve {
                rfc5912::SECP_256_R_1 => Ok(KeyAlgorithm::P256),
                rfc5912::SECP_384_R_1 => Ok(KeyAlgorithm::P384),
                rfc5912::SECP_521_R_1 => Ok(KeyAlgorithm::P521),
                other => Err(malformed(format!("curve {other} is not P-256, P-384 or P-521"))),
            }
        }
        rfc8410::ID_ED_25519 if parameters.is_some() => {
            Err(malformed("Ed25519 takes no parameters (RFC 8410 section 3)".into()))
        }
        rfc8410::ID_ED_25519 if bits.len() != 32 => {
            Err(malformed(format!("an Ed25519 key has 32 bytes, found {}", bits.len())))
        }
        rfc8410::ID_ED_25519 => Ok(KeyAlgorithm::Ed25519),
        fips204::ID_ML_DSA_65 => ml_dsa(spki, bits, KeyAlgorithm::MlDsa65, ML_DSA_65_LENGTH),
        fips204::ID_ML_DSA_87 => ml_dsa(spki, bits, KeyAlgorithm::MlDsa87, ML_DSA_87_LENGTH),
        other => Err(malformed(format!("algorithm {other} is not RSA, EC, Ed25519, ML-DSA-65 or ML-DSA-87"))),
    }
}

/// Each parameter set has an identifier of its own, and so no parameters.
fn ml_dsa(
    spki: &SubjectPublicKeyInfoOwned,
    bits: &[u8],
    algorithm: KeyAlgorithm,
    length: usize,
) -> Result<KeyAlgorithm> {
    if spki.algorithm.parameters.is_some() {
        return Err(malformed("ML-DSA takes no parameters (RFC 9881 section 2)".into()));
    }
    if bits.len() != length {
        return Err(malformed(format!("an {algorithm} key has {length} bytes, found {}", bits.len())));
    }
    Ok(algorithm)
}
