//! The signature algorithms a root signs with (RFC 3279, 4055, 5758, 8410, 9881).

use const_oid::ObjectIdentifier;
use const_oid::db::{fips204, rfc5912, rfc8410};
use der::asn1::Any;
use serde::{Deserialize, Serialize};
use spki::AlgorithmIdentifierOwned;

use super::KeyAlgorithm;

/// A signature algorithm with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256 (RFC 5758 §3.2)
    EcdsaSha256,
    /// ecdsa-with-SHA384
    EcdsaSha384,
    /// ecdsa-with-SHA512
    EcdsaSha512,
    /// sha256WithRSAEncryption (RFC 4055 §5)
    RsaSha256,
    /// sha384WithRSAEncryption
    RsaSha384,
    /// sha512WithRSAEncryption
    RsaSha512,
    /// id-Ed25519 (RFC 8410 §3)
    Ed25519,
    /// id-ml-dsa-65 (RFC 9881 §2): pure, with an empty context
    #[serde(rename = "ml-dsa-65")]
    MlDsa65,
    /// id-ml-dsa-87
    #[serde(rename = "ml-dsa-87")]
    MlDsa87,
}

impl SignatureAlgorithm {
    const ALL: [Self; 9] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::Ed25519,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// What a root of this kind signs with: P-256 and RSA with SHA-256, P-384
    /// with SHA-384. P-521 is not offered: ring-based verifiers refuse it.
    pub fn of_issuer(key: KeyAlgorithm) -> Option<Self> {
        match key {
            KeyAlgorithm::P256 => Some(Self::EcdsaSha256),
            KeyAlgorithm::P384 => Some(Self::EcdsaSha384),
            KeyAlgorithm::P521 => None,
            KeyAlgorithm::Rsa(_) => Some(Self::RsaSha256),
            KeyAlgorithm::Ed25519 => Some(Self::Ed25519),
            KeyAlgorithm::MlDsa65 => Some(Self::MlDsa65),
            KeyAlgorithm::MlDsa87 => Some(Self::MlDsa87),
        }
    }

    /// The object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::EcdsaSha256 => rfc5912::ECDSA_WITH_SHA_256,
            Self::EcdsaSha384 => rfc5912::ECDSA_WITH_SHA_384,
            Self::EcdsaSha512 => rfc5912::ECDSA_WITH_SHA_512,
            Self::RsaSha256 => rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
            Self::RsaSha384 => rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
            Self::RsaSha512 => rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
            Self::Ed25519 => rfc8410::ID_ED_25519,
            Self::MlDsa65 => fips204::ID_ML_DSA_65,
            Self::MlDsa87 => fips204::ID_ML_DSA_87,
        }
    }

    /// The AlgorithmIdentifier: NULL parameters for RSA, none for the others.
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let rsa = matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512);
        AlgorithmIdentifierOwned { oid: self.oid(), parameters: rsa.then(Any::null) }
    }

    /// The algorithm with exactly this AlgorithmIdentifier.
    pub fn of_identifier(identifier: &AlgorithmIdentifierOwned) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.identifier() == *identifier)
    }

    /// As people write it, e.g. `ECDSA with SHA-256`.
    pub fn describe(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
            Self::RsaSha256 => "RSA PKCS#1 v1.5 with SHA-256",
            Self::RsaSha384 => "RSA PKCS#1 v1.5 with SHA-384",
            Self::RsaSha512 => "RSA PKCS#1 v1.5 with SHA-512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }
}
