//! AlgorithmIdentifiers as exact bytes (RFC 5758 §3.2, RFC 4055 §5, RFC 8410 §3,
//! RFC 9881 §2).

use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

/// Every algorithm a certificate may be signed with, and its one DER encoding:
/// NULL parameters for RSA, none for the others.
const IDENTIFIERS: [(SignatureAlgorithm, &[u8]); 9] = [
    (SignatureAlgorithm::EcdsaSha256, b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"),
    (SignatureAlgorithm::EcdsaSha384, b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"),
    (SignatureAlgorithm::EcdsaSha512, b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"),
    (SignatureAlgorithm::RsaSha256, b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"),
    (SignatureAlgorithm::RsaSha384, b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00"),
    (SignatureAlgorithm::RsaSha512, b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00"),
    (SignatureAlgorithm::Ed25519, b"\x30\x05\x06\x03\x2b\x65\x70"),
    (SignatureAlgorithm::MlDsa65, b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12"),
    (SignatureAlgorithm::MlDsa87, b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13"),
];

/// The algorithm with exactly this DER. SHA-1, MD5, RSASSA-PSS and stray
/// parameters have none.
pub(crate) fn from_der(der: &[u8]) -> Option<SignatureAlgorithm> {
    IDENTIFIERS.iter().find(|(_, bytes)| *bytes == der).map(|(algorithm, _)| *algorithm)
}

/// Whether a key of this kind can make such a signature.
pub(crate) fn fits(algorithm: SignatureAlgorithm, key: KeyAlgorithm) -> bool {
    use SignatureAlgorithm::{
        EcdsaSha256, EcdsaSha384, EcdsaSha512, Ed25519, MlDsa65, MlDsa87, RsaSha256, RsaSha384, RsaSha512,
    };
    match algorithm {
        EcdsaSha256 | EcdsaSha384 | EcdsaSha512 => matches!(key, KeyAlgorithm::P256 | KeyAlgorithm::P384),
        RsaSha256 | RsaSha384 | RsaSha512 => matches!(key, KeyAlgorithm::Rsa(_)),
        Ed25519 => key == KeyAlgorithm::Ed25519,
        MlDsa65 => key == KeyAlgorithm::MlDsa65,
        MlDsa87 => key == KeyAlgorithm::MlDsa87,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_pss_and_stray_parameters_have_no_algorithm() {
        for (algorithm, der) in IDENTIFIERS {
            assert_eq!(from_der(der), Some(algorithm));
        }
        let sha1_with_rsa = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00";
        let ecdsa_with_null = b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00";
        let rsa_without_null = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b";
        for der in [&sha1_with_rsa[..], ecdsa_with_null, rsa_without_null, b""] {
            assert_eq!(from_der(der), None);
        }
    }

    #[test]
    fn an_algorithm_belongs_to_one_family_of_keys() {
        assert!(fits(SignatureAlgorithm::EcdsaSha384, KeyAlgorithm::P384));
        assert!(!fits(SignatureAlgorithm::EcdsaSha256, KeyAlgorithm::Rsa(3072)));
        assert!(!fits(SignatureAlgorithm::RsaSha256, KeyAlgorithm::Ed25519));
        assert!(!fits(SignatureAlgorithm::Ed25519, KeyAlgorithm::P256));
        assert!(fits(SignatureAlgorithm::MlDsa87, KeyAlgorithm::MlDsa87));
        assert!(!fits(SignatureAlgorithm::MlDsa87, KeyAlgorithm::MlDsa65));
    }
}
