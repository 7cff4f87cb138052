//! Reading an object's attributes, whatever else the object may be.

use cryptoki::error::Error as CryptokiError;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle, ParameterSetType};
use cryptoki::session::Session;

use super::errors::explained;
use crate::error::Result;
use crate::text::shown;
use crate::token::KeyAttributes;

/// One attribute. `None` where the token does not say, or says what is not
/// known here, such as another vendor's key type. Asked one at a time: in a
/// common question a single unknown value would spoil all the answers.
fn read(session: &Session, object: ObjectHandle, kind: AttributeType) -> Result<Option<Attribute>> {
    match session.get_attributes(object, &[kind]) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(e @ (CryptokiError::Pkcs11(..) | CryptokiError::NullFunctionPointer)) => Err(explained(e)),
        Err(_) => Ok(None),
    }
}

/// CKA_CLASS
pub(super) fn class(session: &Session, object: ObjectHandle) -> Result<Option<ObjectClass>> {
    Ok(match read(session, object, AttributeType::Class)? {
        Some(Attribute::Class(class)) => Some(class),
        _ => None,
    })
}

/// CKA_KEY_TYPE
pub(super) fn key_type(session: &Session, object: ObjectHandle) -> Result<Option<KeyType>> {
    Ok(match read(session, object, AttributeType::KeyType)? {
        Some(Attribute::KeyType(kind)) => Some(kind),
        _ => None,
    })
}

/// CKA_PARAMETER_SET (PKCS#11 3.2)
pub(super) fn parameter_set(session: &Session, object: ObjectHandle) -> Result<Option<ParameterSetType>> {
    Ok(match read(session, object, AttributeType::ParameterSet)? {
        Some(Attribute::ParameterSet(set)) => Some(set),
        _ => None,
    })
}

/// An attribute that is a string of bytes.
pub(super) fn bytes(session: &Session, object: ObjectHandle, kind: AttributeType) -> Result<Option<Vec<u8>>> {
    Ok(read(session, object, kind)?.as_ref().and_then(string).cloned())
}

/// Several attributes that are strings of bytes, asked at once, in this order.
pub(super) fn all_bytes<const N: usize>(
    session: &Session,
    object: ObjectHandle,
    kinds: [AttributeType; N],
) -> Result<[Option<Vec<u8>>; N]> {
    let found = session.get_attributes(object, &kinds).map_err(explained)?;
    Ok(kinds.map(|kind| found.iter().find(|told| told.attribute_type() == kind).and_then(string).cloned()))
}

fn string(attribute: &Attribute) -> Option<&Vec<u8>> {
    match attribute {
        Attribute::Label(bytes)
        | Attribute::Id(bytes)
        | Attribute::Modulus(bytes)
        | Attribute::PublicExponent(bytes)
        | Attribute::EcParams(bytes)
        | Attribute::EcPoint(bytes)
        | Attribute::PublicKeyInfo(bytes)
        | Attribute::Value(bytes) => Some(bytes),
        _ => None,
    }
}

/// CKA_ALWAYS_AUTHENTICATE, which is false where a token knows of no such thing.
pub(super) fn always_authenticate(session: &Session, key: ObjectHandle) -> Result<bool> {
    Ok(flag(session, key, AttributeType::AlwaysAuthenticate)? == Some(true))
}

/// The attributes that decide whether a private key is fit to be a root's.
pub(super) fn protection(session: &Session, key: ObjectHandle) -> Result<KeyAttributes> {
    let flag = |kind| flag(session, key, kind);
    Ok(KeyAttributes {
        sensitive: flag(AttributeType::Sensitive)?,
        extractable: flag(AttributeType::Extractable)?,
        always_sensitive: flag(AttributeType::AlwaysSensitive)?,
        never_extractable: flag(AttributeType::NeverExtractable)?,
        local: flag(AttributeType::Local)?,
        private: flag(AttributeType::Private)?,
        token: flag(AttributeType::Token)?,
        modifiable: flag(AttributeType::Modifiable)?,
        copyable: flag(AttributeType::Copyable)?,
        sign: flag(AttributeType::Sign)?,
        sign_recover: flag(AttributeType::SignRecover)?,
        decrypt: flag(AttributeType::Decrypt)?,
        unwrap: flag(AttributeType::Unwrap)?,
        derive: flag(AttributeType::Derive)?,
        always_authenticate: flag(AttributeType::AlwaysAuthenticate)?,
        mechanisms: mechanisms(session, key)?,
    })
}

/// CKA_ALLOWED_MECHANISMS, which is new enough for a token not to know of it.
fn mechanisms(session: &Session, key: ObjectHandle) -> Result<Option<Vec<String>>> {
    Ok(match read(session, key, AttributeType::AllowedMechanisms)? {
        Some(Attribute::AllowedMechanisms(list)) => {
            Some(list.iter().map(|m| shown(&m.to_string())).collect())
        }
        _ => None,
    })
}

fn flag(session: &Session, key: ObjectHandle, kind: AttributeType) -> Result<Option<bool>> {
    Ok(match read(session, key, kind)? {
        Some(
            Attribute::Sensitive(value)
            | Attribute::Extractable(value)
            | Attribute::AlwaysSensitive(value)
            | Attribute::NeverExtractable(value)
            | Attribute::Local(value)
            | Attribute::Private(value)
            | Attribute::Token(value)
            | Attribute::Modifiable(value)
            | Attribute::Copyable(value)
            | Attribute::SignRecover(value)
            | Attribute::Sign(value)
            | Attribute::Decrypt(value)
            | Attribute::Unwrap(value)
            | Attribute::Derive(value)
            | Attribute::AlwaysAuthenticate(value),
        ) => Some(value),
        _ => None,
    })
}
