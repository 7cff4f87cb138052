//! Proof of possession (RFC 2986 §4.2): the request is signed by the very key it names.

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::{fips204, rfc5912, rfc8410};
use der::asn1::Any;
use spki::AlgorithmIdentifierOwned;

use super::pss;
use crate::finding::{Finding, Outcome};
use crate::x509::{KeyAlgorithm, PublicKey, Remembered, SignatureAlgorithm};

static VERIFIED: Remembered = Remembered::new();

/// Hashes that a request may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// RSASSA-PKCS1-v1_5
    RsaPkcs1(Hash),
    /// RSASSA-PSS, which has its hash in its parameters
    RsaPss,
    Ecdsa(Hash),
    Ed25519,
    /// Of this kind of key alone
    MlDsa(KeyAlgorithm),
    /// Known, and not accepted.
    Unfit,
}

/// The signature algorithms that are met in requests, by their names in the standards.
const ALGORITHMS: [(ObjectIdentifier, &str, Scheme); 27] = [
    (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, "sha256WithRSAEncryption", Scheme::RsaPkcs1(Hash::Sha256)),
    (rfc5912::SHA_384_WITH_RSA_ENCRYPTION, "sha384WithRSAEncryption", Scheme::RsaPkcs1(Hash::Sha384)),
    (rfc5912::SHA_512_WITH_RSA_ENCRYPTION, "sha512WithRSAEncryption", Scheme::RsaPkcs1(Hash::Sha512)),
    (rfc5912::ID_RSASSA_PSS, "RSASSA-PSS", Scheme::RsaPss),
    (rfc5912::ECDSA_WITH_SHA_256, "ecdsa-with-SHA256", Scheme::Ecdsa(Hash::Sha256)),
    (rfc5912::ECDSA_WITH_SHA_384, "ecdsa-with-SHA384", Scheme::Ecdsa(Hash::Sha384)),
    (rfc5912::ECDSA_WITH_SHA_512, "ecdsa-with-SHA512", Scheme::Ecdsa(Hash::Sha512)),
    (rfc8410::ID_ED_25519, "Ed25519", Scheme::Ed25519),
    (fips204::ID_ML_DSA_65, "ML-DSA-65", Scheme::MlDsa(KeyAlgorithm::MlDsa65)),
    (fips204::ID_ML_DSA_87, "ML-DSA-87", Scheme::MlDsa(KeyAlgorithm::MlDsa87)),
    (fips204::ID_ML_DSA_44, "ML-DSA-44", Scheme::Unfit),
    // Certificates and requests are signed as they are, never by their hash (RFC 9881 §2).
    (fips204::ID_HASH_ML_DSA_44_WITH_SHA_512, "HashML-DSA-44", Scheme::Unfit),
    (fips204::ID_HASH_ML_DSA_65_WITH_SHA_512, "HashML-DSA-65", Scheme::Unfit),
    (fips204::ID_HASH_ML_DSA_87_WITH_SHA_512, "HashML-DSA-87", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.2"), "md2WithRSAEncryption", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.4"), "md5WithRSAEncryption", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.5"), "sha1WithRSAEncryption", Scheme::Unfit),
    (unfit("1.3.14.3.2.29"), "sha1WithRSASignature", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.14"), "sha224WithRSAEncryption", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.15"), "sha512-224WithRSAEncryption", Scheme::Unfit),
    (unfit("1.2.840.113549.1.1.16"), "sha512-256WithRSAEncryption", Scheme::Unfit),
    (unfit("1.2.840.10045.4.1"), "ecdsa-with-SHA1", Scheme::Unfit),
    (unfit("1.2.840.10045.4.3.1"), "ecdsa-with-SHA224", Scheme::Unfit),
    (unfit("1.2.840.10040.4.3"), "dsa-with-SHA1", Scheme::Unfit),
    (unfit("2.16.840.1.101.3.4.3.1"), "dsa-with-SHA224", Scheme::Unfit),
    (unfit("2.16.840.1.101.3.4.3.2"), "dsa-with-SHA256", Scheme::Unfit),
    (unfit("1.3.101.113"), "Ed448", Scheme::Unfit),
];

const fn unfit(oid: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(oid)
}

/// Checks the algorithm, then the signature over `signed` (the CertificationRequestInfo's DER).
pub fn check(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    signed: &[u8],
    signature: Option<&[u8]>,
) -> Vec<Finding> {
    match choose(key.algorithm(), algorithm) {
        Err(finding) => vec![*finding],
        Ok((name, scheme)) => {
            let verified = verify(key, scheme, signed, signature);
            vec![fitting(key.algorithm(), &name), proof(&name, verified)]
        }
    }
}

/// Whether this key made this signature, by one of the algorithms that may sign
/// certificates and CRLs here: its name, or what is wrong.
pub fn signed_by(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    signed: &[u8],
    signature: Option<&[u8]>,
) -> Result<&'static str, String> {
    let known = SignatureAlgorithm::of_identifier(algorithm)
        .ok_or_else(|| format!("the signature algorithm {}", algorithm.oid))?;
    let (name, scheme) = choose(key.algorithm(), algorithm)
        .map_err(|_| format!("{}, which does not fit the {} key", known.describe(), key.algorithm()))?;
    match verify(key, scheme, signed, signature) {
        Some(true) => Ok(known.describe()),
        _ => Err(format!("a signature with {name} that does not verify under this key")),
    }
}

/// A scheme whose hash and parameters are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
    Ed25519,
    MlDsa,
}

/// What the algorithm identifier stands for, if it fits the key.
fn choose(key: KeyAlgorithm, algorithm: &AlgorithmIdentifierOwned) -> Result<(String, Chosen), Box<Finding>> {
    let known = ALGORITHMS.iter().find(|(oid, ..)| *oid == algorithm.oid);
    let Some((_, name, scheme)) = known else {
        return Err(unfitting(key, &algorithm.oid.to_string(), "is not known"));
    };
    let parameters = algorithm.parameters.as_ref();
    match (*scheme, key) {
        (Scheme::Unfit, _) => Err(unfitting(key, name, "is not accepted")),
        // RFC 4055 §5: NULL is right, and none must be accepted too.
        (Scheme::RsaPkcs1(hash), KeyAlgorithm::Rsa(_)) if parameters.is_none_or(Any::is_null) => {
            Ok(((*name).into(), Chosen::RsaPkcs1(hash)))
        }
        (Scheme::RsaPss, KeyAlgorithm::Rsa(_)) => match pss::hash(parameters) {
            Ok(hash) => Ok((format!("{name} with {}", hash.name()), Chosen::RsaPss(hash))),
            Err(why) => Err(unfitting(key, name, &why)),
        },
        (Scheme::Ecdsa(hash), KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521)
            if parameters.is_none() =>
        {
            Ok(((*name).into(), Chosen::Ecdsa(hash)))
        }
        (Scheme::Ed25519, KeyAlgorithm::Ed25519) if parameters.is_none() => {
            Ok(((*name).into(), Chosen::Ed25519))
        }
        (Scheme::MlDsa(kind), _) if kind == key && parameters.is_none() => {
            Ok(((*name).into(), Chosen::MlDsa))
        }
        (Scheme::RsaPkcs1(_), KeyAlgorithm::Rsa(_))
        | (Scheme::Ecdsa(_), KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521)
        | (Scheme::Ed25519, KeyAlgorithm::Ed25519)
        | (Scheme::MlDsa(KeyAlgorithm::MlDsa65), KeyAlgorithm::MlDsa65)
        | (Scheme::MlDsa(KeyAlgorithm::MlDsa87), KeyAlgorithm::MlDsa87) => {
            Err(unfitting(key, name, "has parameters that it must not have"))
        }
        _ => Err(unfitting(key, name, "does not fit the key")),
    }
}

/// `None` where there is no verifier for this key.
fn verify(key: &PublicKey, scheme: Chosen, signed: &[u8], signature: Option<&[u8]>) -> Option<bool> {
    let algorithm = verifier(key.algorithm(), scheme)?;
    let public = signature::UnparsedPublicKey::new(algorithm, key.key_bits());
    Some(signature.is_some_and(|signature| {
        let scheme = format!("{scheme:?}");
        let all = [key.as_der(), scheme.as_bytes(), signed, signature];
        VERIFIED.holds(&all, || public.verify(signed, signature).is_ok())
    }))
}

fn verifier(key: KeyAlgorithm, scheme: Chosen) -> Option<&'static dyn VerificationAlgorithm> {
    use Hash::{Sha256, Sha384, Sha512};
    use KeyAlgorithm::{P256, P384, P521, Rsa};
    Some(match (scheme, key) {
        (Chosen::RsaPkcs1(Sha256), Rsa(2048..=8192)) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (Chosen::RsaPkcs1(Sha384), Rsa(2048..=8192)) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (Chosen::RsaPkcs1(Sha512), Rsa(2048..=8192)) => &signature::RSA_PKCS1_2048_8192_SHA512,
        // Refused for its size all the same; whether the rest was right helps its sender.
        (Chosen::RsaPkcs1(Sha256), Rsa(1024..2048)) => {
            &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (Chosen::RsaPkcs1(Sha512), Rsa(1024..2048)) => {
            &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        (Chosen::RsaPss(Sha256), Rsa(2048..=8192)) => &signature::RSA_PSS_2048_8192_SHA256,
        (Chosen::RsaPss(Sha384), Rsa(2048..=8192)) => &signature::RSA_PSS_2048_8192_SHA384,
        (Chosen::RsaPss(Sha512), Rsa(2048..=8192)) => &signature::RSA_PSS_2048_8192_SHA512,
        (Chosen::Ecdsa(Sha256), P256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Chosen::Ecdsa(Sha384), P256) => &signature::ECDSA_P256_SHA384_ASN1,
        (Chosen::Ecdsa(Sha512), P256) => &signature::ECDSA_P256_SHA512_ASN1,
        (Chosen::Ecdsa(Sha256), P384) => &signature::ECDSA_P384_SHA256_ASN1,
        (Chosen::Ecdsa(Sha384), P384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Chosen::Ecdsa(Sha512), P384) => &signature::ECDSA_P384_SHA512_ASN1,
        (Chosen::Ecdsa(Sha256), P521) => &signature::ECDSA_P521_SHA256_ASN1,
        (Chosen::Ecdsa(Sha384), P521) => &signature::ECDSA_P521_SHA384_ASN1,
        (Chosen::Ecdsa(Sha512), P521) => &signature::ECDSA_P521_SHA512_ASN1,
        (Chosen::Ed25519, KeyAlgorithm::Ed25519) => &signature::ED25519,
        (Chosen::MlDsa, KeyAlgorithm::MlDsa65) => &signature::ML_DSA_65,
        (Chosen::MlDsa, KeyAlgorithm::MlDsa87) => &signature::ML_DSA_87,
        _ => return None,
    })
}

/// What a key of this kind may sign its request with.
fn wanted(key: KeyAlgorithm) -> &'static str {
    match key {
        KeyAlgorithm::Rsa(_) => "RSA PKCS#1 v1.5 or PSS with SHA-256, SHA-384 or SHA-512",
        KeyAlgorithm::Ed25519 => "Ed25519",
        KeyAlgorithm::MlDsa65 => "ML-DSA-65",
        KeyAlgorithm::MlDsa87 => "ML-DSA-87",
        _ => "ECDSA with SHA-256, SHA-384 or SHA-512",
    }
}

/// Rule `possession.algorithm`: SHA-2, of the key's kind, with exact parameters.
fn fitting(key: KeyAlgorithm, name: &str) -> Finding {
    Finding::new(
        "possession.algorithm",
        Outcome::Pass,
        "RFC 2986 §4.2",
        format!("the request is signed with {name}, which fits its {key} key"),
        name,
        wanted(key),
    )
}

fn unfitting(key: KeyAlgorithm, name: &str, why: &str) -> Box<Finding> {
    let wanted = wanted(key);
    Box::new(Finding::new(
        "possession.algorithm",
        Outcome::Refused,
        "RFC 2986 §4.2",
        format!(
            "the request's signature algorithm {name} {why}; the key is {key}: have its sender sign it with {wanted}"
        ),
        name,
        wanted,
    ))
}

/// Rule `possession.signature`: the signature verifies under the key in the request.
fn proof(name: &str, verified: Option<bool>) -> Finding {
    let (outcome, message, found) = match verified {
        Some(true) => {
            (Outcome::Pass, "the request's own key signed it: its maker holds the private key", "verifies")
        }
        Some(false) => (
            Outcome::Refused,
            "the request's signature does not verify: it was changed after signing, or made without its private key; \
             have its sender make it again",
            "does not verify",
        ),
        None => (
            Outcome::Refused,
            "the request's signature cannot be verified with a key of this size and this hash; \
             have its sender make a key within the bounds",
            "cannot be verified",
        ),
    };
    Finding::new(
        "possession.signature",
        outcome,
        "RFC 2986 §4.2",
        message,
        found,
        format!("a signature with {name}"),
    )
}

#[cfg(test)]
mod tests;
