//! What a token is given to sign, and what it may give back: the same for each.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::error::{Error, Result};
use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

/// A permit for one kind of key must never be spent with another.
pub(super) fn check_match(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Result<()> {
    use SignatureAlgorithm as S;
    let fits = match key {
        KeyAlgorithm::Rsa(_) => matches!(algorithm, S::RsaSha256 | S::RsaSha384 | S::RsaSha512),
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => {
            matches!(algorithm, S::EcdsaSha256 | S::EcdsaSha384 | S::EcdsaSha512)
        }
        KeyAlgorithm::Ed25519 => algorithm == S::Ed25519,
        KeyAlgorithm::MlDsa65 => algorithm == S::MlDsa65,
        KeyAlgorithm::MlDsa87 => algorithm == S::MlDsa87,
    };
    if fits {
        return Ok(());
    }
    let message = format!("the permit is for {}, the key is {key}", algorithm.describe());
    Err(Error::integrity("token.permit-mismatch", message)
        .next("stop: journal and token do not belong together; nothing was signed"))
}

/// The hash of a message, for those that take it so.
pub(super) fn digest(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        SignatureAlgorithm::EcdsaSha384 | SignatureAlgorithm::RsaSha384 => Sha384::digest(message).to_vec(),
        SignatureAlgorithm::EcdsaSha512 | SignatureAlgorithm::RsaSha512 => Sha512::digest(message).to_vec(),
        _ => Sha256::digest(message).to_vec(),
    }
}

/// The digest in its DigestInfo (RFC 8017 §9.2, note 1): the prefixes differ only
/// in two lengths and in the last arc of the hash's object identifier.
pub(super) fn digest_info(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    let digest = digest(algorithm, message);
    let (total, arc, length) = match algorithm {
        SignatureAlgorithm::RsaSha384 => (0x41, 2, 0x30),
        SignatureAlgorithm::RsaSha512 => (0x51, 3, 0x40),
        _ => (0x31, 1, 0x20),
    };
    let sha2 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc];
    [&[0x30, total, 0x30, 0x0d, 0x06, 0x09][..], &sha2, &[0x05, 0x00, 0x04, length], &digest].concat()
}

/// A signature whose length is known.
pub(super) fn of_length(signature: Vec<u8>, length: usize) -> Result<Vec<u8>> {
    if signature.len() == length {
        return Ok(signature);
    }
    let message = format!("the token's signature is malformed: {} bytes, wanted {length}", signature.len());
    Err(Error::token("token.signature", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_fits_its_own_kind_of_key_only() {
        use SignatureAlgorithm as S;
        for (key, fitting) in [
            (KeyAlgorithm::P256, S::EcdsaSha256),
            (KeyAlgorithm::P384, S::EcdsaSha384),
            (KeyAlgorithm::Rsa(3072), S::RsaSha256),
            (KeyAlgorithm::Ed25519, S::Ed25519),
            (KeyAlgorithm::MlDsa65, S::MlDsa65),
            (KeyAlgorithm::MlDsa87, S::MlDsa87),
        ] {
            for algorithm in
                [S::EcdsaSha256, S::EcdsaSha384, S::RsaSha256, S::Ed25519, S::MlDsa65, S::MlDsa87]
            {
                let same_family = algorithm == fitting
                    || matches!(
                        (algorithm, fitting),
                        (S::EcdsaSha256 | S::EcdsaSha384, S::EcdsaSha256 | S::EcdsaSha384)
                    );
                assert_eq!(check_match(key, algorithm).is_ok(), same_family, "{key} {algorithm:?}");
            }
        }
        let error = check_match(KeyAlgorithm::P256, S::RsaSha256).unwrap_err();
        assert_eq!((error.id, error.kind), ("token.permit-mismatch", crate::Kind::Integrity));
    }

    #[test]
    fn digest_info_has_the_published_prefix() {
        let info = digest_info(SignatureAlgorithm::RsaSha384, b"");
        assert_eq!(crate::text::hex(&info[..19]), "3041300d060960864801650304020205000430");
        assert_eq!(info.len(), 19 + 48);
        assert_eq!(info[1] as usize, info.len() - 2);
    }

    #[test]
    fn a_signature_of_another_length_is_refused() {
        assert_eq!(of_length(vec![1; 63], 64).unwrap_err().id, "token.signature");
        assert!(of_length(vec![1; 64], 64).is_ok());
    }
}
