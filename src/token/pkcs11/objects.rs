//! What lies on a token, shown to people: nothing there can spoil the list.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::errors::explained;
use super::{Pkcs11, attributes, public_key};
use crate::error::Result;
use crate::text::{hex, shown_bytes};
use crate::token::ObjectInfo;
use crate::token::uri::{ObjectType, Pkcs11Uri};

impl Pkcs11 {
    pub(super) fn list_objects(&self) -> Result<Vec<ObjectInfo>> {
        let found = self.session.find_objects(&[Attribute::Token(true)]).map_err(explained)?;
        Ok(found
            .into_iter()
            .map(|object| self.described(object).unwrap_or_else(|e| self.unreadable(e.id)))
            .collect())
    }

    fn described(&self, object: ObjectHandle) -> Result<ObjectInfo> {
        let bytes = |kind| attributes::bytes(&self.session, object, kind);
        let (class, object_type) = match attributes::class(&self.session, object)? {
            Some(ObjectClass::PRIVATE_KEY) => ("private key", Some(ObjectType::Private)),
            Some(ObjectClass::PUBLIC_KEY) => ("public key", Some(ObjectType::Public)),
            Some(ObjectClass::SECRET_KEY) => ("secret key", Some(ObjectType::SecretKey)),
            Some(ObjectClass::CERTIFICATE) => ("certificate", Some(ObjectType::Certificate)),
            Some(ObjectClass::DATA) => ("data", Some(ObjectType::Data)),
            _ => ("other", None),
        };
        let algorithm = match object_type {
            Some(ObjectType::Private | ObjectType::Public) => public_key::algorithm(&self.session, object)?,
            _ => None,
        };
        let label = bytes(AttributeType::Label)?.unwrap_or_default();
        let id = bytes(AttributeType::Id)?.unwrap_or_default();
        let uri = Pkcs11Uri {
            object: String::from_utf8(label.clone()).ok().filter(|label| !label.is_empty()),
            id: (!id.is_empty()).then(|| id.clone()),
            object_type,
            ..self.uri.clone()
        };
        Ok(ObjectInfo {
            class: class.to_owned(),
            label: shown_bytes(&label),
            id: hex(&id),
            algorithm: algorithm.map(|kind| kind.to_string()).unwrap_or_default(),
            uri: uri.to_string(),
        })
    }

    fn unreadable(&self, why: &str) -> ObjectInfo {
        ObjectInfo {
            class: format!("unreadable ({why})"),
            label: String::new(),
            id: String::new(),
            algorithm: String::new(),
            uri: self.uri.to_string(),
        }
    }
}
