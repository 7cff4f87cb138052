//! Small private data objects (CKO_DATA), such as the journal's head: without the PIN
//! nobody reads, replaces or removes them.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::errors::explained;
use super::{Pkcs11, attributes};
use crate::error::Result;

const APPLICATION: &[u8] = b"anchorite";

impl Pkcs11 {
    /// The new object is there before the old ones go: a crash in between leaves
    /// one too many, never none.
    pub(super) fn replace_data(&mut self, label: &str, value: &[u8]) -> Result<bool> {
        let older = self.find_data(label)?;
        let mut template = named(label).to_vec();
        template.extend([
            Attribute::Private(true),
            Attribute::Modifiable(true),
            Attribute::Value(value.to_vec()),
        ]);
        if self.raw.write_protected() {
            return Ok(false);
        }
        let session = self.writable()?;
        match session.create_object(&template) {
            Ok(_) => {}
            Err(CryptokiError::Pkcs11(code, _)) if cannot(code) => return Ok(false),
            Err(e) => return Err(explained(e)),
        }
        older.into_iter().try_for_each(|object| session.destroy_object(object)).map_err(explained)?;
        Ok(true)
    }

    pub(super) fn all_data(&self, label: &str) -> Result<Vec<Vec<u8>>> {
        let read = |object| attributes::bytes(&self.session, object, AttributeType::Value).transpose();
        self.find_data(label)?.into_iter().filter_map(read).collect()
    }

    fn find_data(&self, label: &str) -> Result<Vec<ObjectHandle>> {
        self.session.find_objects(&named(label)).map_err(explained)
    }
}

pub(super) fn named(label: &str) -> [Attribute; 4] {
    [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

/// Codes by which a token says that it does not keep such objects at all; a full
/// token or a lost one is another matter.
fn cannot(code: RvError) -> bool {
    matches!(
        code,
        RvError::FunctionNotSupported
            | RvError::ActionProhibited
            | RvError::AttributeReadOnly
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
            | RvError::TokenWriteProtected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_cannot_is_told_from_one_that_fails() {
        assert!(cannot(RvError::TemplateInconsistent));
        assert!(!cannot(RvError::DeviceMemory));
        assert!(!cannot(RvError::DeviceRemoved));
    }
}
