//! Public keys as tokens tell them: RSA (PKCS#11 2.40 §2.1), EC and Edwards
//! curves (PKCS#11 3.0 §2.3), ML-DSA (PKCS#11 3.2).

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc8410};
use cryptoki::object::{
    AttributeType, KeyType, MlDsaParameterSetType, ObjectClass, ObjectHandle, ParameterSetType,
};
use cryptoki::session::Session;
use der::Decode as _;
use der::asn1::{OctetStringRef, PrintableStringRef};

use super::attributes;
use crate::error::{Error, Result};
use crate::x509::{KeyAlgorithm, PublicKey};

/// The public key that an object tells of; `None` where it lacks the parts, as
/// an EC private key does, or is of a kind not known here.
pub(super) fn of(session: &Session, object: ObjectHandle) -> Result<Option<PublicKey>> {
    let both = |kinds| attributes::all_bytes(session, object, kinds);
    let key = match attributes::key_type(session, object)? {
        Some(KeyType::RSA) => match both([AttributeType::Modulus, AttributeType::PublicExponent])? {
            [Some(n), Some(e)] if !n.is_empty() && !e.is_empty() => Some(PublicKey::from_rsa(&n, &e)),
            _ => None,
        },
        Some(KeyType::EC | KeyType::EC_EDWARDS) => {
            match both([AttributeType::EcParams, AttributeType::EcPoint])? {
                [Some(parameters), Some(point)] if !point.is_empty() => {
                    curve(&parameters).map(|curve| on_curve(curve, &point))
                }
                _ => None,
            }
        }
        // A private key's CKA_VALUE is the secret itself: it is never asked for.
        Some(KeyType::ML_DSA) if attributes::class(session, object)? == Some(ObjectClass::PUBLIC_KEY) => {
            let set = attributes::parameter_set(session, object)?.and_then(ml_dsa);
            let value = attributes::bytes(session, object, AttributeType::Value)?;
            set.zip(value).map(|(set, value)| of_set(set, &value))
        }
        _ => None,
    };
    key.transpose().map_err(malformed)
}

/// As [`of`], or from CKA_PUBLIC_KEY_INFO, which newer tokens give with private keys.
pub(super) fn of_private(session: &Session, object: ObjectHandle) -> Result<Option<PublicKey>> {
    if let Some(key) = of(session, object)? {
        return Ok(Some(key));
    }
    match attributes::bytes(session, object, AttributeType::PublicKeyInfo)? {
        Some(spki) if !spki.is_empty() => PublicKey::from_der(&spki).map(Some).map_err(malformed),
        _ => Ok(None),
    }
}

/// What kind of key it is; an EC private key tells its curve but not its point.
pub(super) fn algorithm(session: &Session, object: ObjectHandle) -> Result<Option<KeyAlgorithm>> {
    if let Some(key) = of(session, object)? {
        return Ok(Some(key.algorithm()));
    }
    match attributes::key_type(session, object)? {
        Some(KeyType::EC | KeyType::EC_EDWARDS) => {
            let parameters = attributes::bytes(session, object, AttributeType::EcParams)?;
            Ok(parameters.as_deref().and_then(curve))
        }
        Some(KeyType::ML_DSA) => Ok(attributes::parameter_set(session, object)?.and_then(ml_dsa)),
        _ => Ok(None),
    }
}

/// CKA_EC_PARAMS: the curve's object identifier, or its name as PKCS#11 3.0 spells it.
fn curve(parameters: &[u8]) -> Option<KeyAlgorithm> {
    if let Ok(name) = PrintableStringRef::from_der(parameters) {
        return (name.as_str() == "edwards25519").then_some(KeyAlgorithm::Ed25519);
    }
    match ObjectIdentifier::from_der(parameters).ok()? {
        rfc5912::SECP_256_R_1 => Some(KeyAlgorithm::P256),
        rfc5912::SECP_384_R_1 => Some(KeyAlgorithm::P384),
        rfc5912::SECP_521_R_1 => Some(KeyAlgorithm::P521),
        rfc8410::ID_ED_25519 => Some(KeyAlgorithm::Ed25519),
        _ => None,
    }
}

/// CKA_EC_POINT: wrapped in an OCTET STRING by some tokens, bare by others. The
/// length of a point is known, so that there is nothing to guess.
fn on_curve(curve: KeyAlgorithm, point: &[u8]) -> Result<PublicKey> {
    let length = match curve {
        KeyAlgorithm::P256 => 65,
        KeyAlgorithm::P384 => 97,
        KeyAlgorithm::P521 => 133,
        _ => 32,
    };
    let bare = if point.len() == length {
        point
    } else {
        let inner = <&OctetStringRef>::from_der(point).map(OctetStringRef::as_bytes).unwrap_or_default();
        if inner.len() != length {
            let found = point.len();
            return Err(Error::token(
                "token.public-key",
                format!("CKA_EC_POINT has {found} bytes, which is no uncompressed point of {curve}"),
            ));
        }
        inner
    };
    match curve {
        KeyAlgorithm::Ed25519 => PublicKey::from_ed25519(bare),
        _ => PublicKey::from_ec_point(curve, bare),
    }
}

/// CKA_PARAMETER_SET. ML-DSA-44 is not known here.
fn ml_dsa(set: ParameterSetType) -> Option<KeyAlgorithm> {
    let known = [
        (MlDsaParameterSetType::ML_DSA_65, KeyAlgorithm::MlDsa65),
        (MlDsaParameterSetType::ML_DSA_87, KeyAlgorithm::MlDsa87),
    ];
    known.into_iter().find(|(known, _)| ParameterSetType::from(*known) == set).map(|(_, key)| key)
}

/// CKA_VALUE, whose length must be that of its parameter set.
fn of_set(set: KeyAlgorithm, value: &[u8]) -> Result<PublicKey> {
    let key = PublicKey::from_ml_dsa(value)?;
    if key.algorithm() == set {
        return Ok(key);
    }
    let message = format!("CKA_PARAMETER_SET says {set}, CKA_VALUE is a key of {}", key.algorithm());
    Err(Error::token("token.public-key", message))
}

fn malformed(error: Error) -> Error {
    Error::token("token.public-key", format!("the token tells a malformed public key: {}", error.message))
        .next("look for a newer version of the module, or use another token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_known_by_number_and_by_name() {
        let oid = |body: &[u8]| [&[6, body.len() as u8], body].concat();
        assert_eq!(curve(&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])), Some(KeyAlgorithm::P256));
        assert_eq!(curve(&oid(&[0x2b, 0x81, 4, 0, 0x22])), Some(KeyAlgorithm::P384));
        assert_eq!(curve(&oid(&[0x2b, 0x65, 0x70])), Some(KeyAlgorithm::Ed25519));
        assert_eq!(curve(b"\x13\x0cedwards25519"), Some(KeyAlgorithm::Ed25519));
        assert_eq!(curve(b"\x13\x0aedwards448"), None);
        assert_eq!(curve(&oid(&[0x2b, 0x81, 4, 0, 10])), None); // secp256k1
        assert_eq!(curve(b""), None);
    }

    #[test]
    fn a_point_is_read_wrapped_and_bare() {
        // a bare point whose second byte looks like the length of an OCTET STRING
        let mut bare = [0x3f; 65];
        bare[0] = 4;
        let wrapped = [&[4, 65][..], &bare].concat();
        let key = on_curve(KeyAlgorithm::P256, &bare).unwrap();
        assert_eq!(key.key_bits(), bare);
        assert_eq!(on_curve(KeyAlgorithm::P256, &wrapped).unwrap(), key);

        let wrapped = [&[4, 32][..], &[7; 32]].concat();
        assert_eq!(on_curve(KeyAlgorithm::Ed25519, &wrapped).unwrap().key_bits(), [7; 32]);
        assert_eq!(on_curve(KeyAlgorithm::Ed25519, &[7; 32]).unwrap().key_bits(), [7; 32]);
    }

    #[test]
    fn an_ml_dsa_key_is_of_its_parameter_set() {
        let (set_65, set_87) = (MlDsaParameterSetType::ML_DSA_65, MlDsaParameterSetType::ML_DSA_87);
        assert_eq!(ml_dsa(set_65.into()), Some(KeyAlgorithm::MlDsa65));
        assert_eq!(ml_dsa(set_87.into()), Some(KeyAlgorithm::MlDsa87));
        assert_eq!(ml_dsa(MlDsaParameterSetType::ML_DSA_44.into()), None);
        assert_eq!(of_set(KeyAlgorithm::MlDsa87, &[7; 2592]).unwrap().key_bits(), [7; 2592]);
        assert_eq!(of_set(KeyAlgorithm::MlDsa87, &[7; 1952]).unwrap_err().id, "token.public-key");
        assert_eq!(of_set(KeyAlgorithm::MlDsa65, &[7; 1312]).unwrap_err().id, "key.encoding");
    }

    #[test]
    fn a_point_of_another_length_is_refused() {
        for point in [&[4, 65, 4][..], &[2; 33], &[4, 33, 0], &[]] {
            assert_eq!(on_curve(KeyAlgorithm::P256, point).unwrap_err().id, "token.public-key");
        }
        assert!(on_curve(KeyAlgorithm::P384, &[4; 65]).is_err());
    }
}
