//! Finding the one private key with an id, and the public key that belongs to it.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::errors::explained;
use super::single::SinglePart;
use super::{Known, Pkcs11, at_token, attributes, public_key};
use crate::error::{Error, Result};
use crate::text::{hex, shown_bytes};
use crate::token::uri::TokenUri;
use crate::token::{Key, KeyDescription, Wanted};
use crate::x509::PublicKey;

impl Pkcs11 {
    /// Token objects of a class with this attribute. The template keeps all other
    /// objects, whatever they are, out of sight.
    pub(super) fn find(&self, class: ObjectClass, attribute: Attribute) -> Result<Vec<ObjectHandle>> {
        let template = [Attribute::Class(class), Attribute::Token(true), attribute];
        self.session.find_objects(&template).map_err(explained)
    }

    pub(super) fn private_key(&mut self, id: &[u8]) -> Result<Option<Key>> {
        let found = self.find(ObjectClass::PRIVATE_KEY, Attribute::Id(id.to_vec()))?;
        match found.as_slice() {
            [] => Ok(None),
            [handle] => {
                let public_key = self.public_key_of(*handle, id)?;
                self.known_key(*handle, id, public_key).map(Some)
            }
            several => Err(self.ambiguous(id, &format!("{} private keys", several.len()))),
        }
    }

    pub(super) fn described_keys(&self, wanted: &Wanted<'_>) -> Result<Vec<KeyDescription>> {
        let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)];
        match wanted {
            Wanted::Uri(TokenUri::Pkcs11(uri)) => {
                template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
                template.extend(uri.id.clone().map(Attribute::Id));
            }
            Wanted::Uri(TokenUri::Piv(_)) => return Ok(Vec::new()),
            Wanted::Id(id) => template.push(Attribute::Id(id.to_vec())),
        }
        let found = self.session.find_objects(&template).map_err(explained)?;
        found.into_iter().map(|handle| self.describe_key(handle)).collect()
    }

    fn describe_key(&self, private: ObjectHandle) -> Result<KeyDescription> {
        let bytes = |kind| attributes::bytes(&self.session, private, kind);
        let id = bytes(AttributeType::Id)?.unwrap_or_default();
        let mut public_keys: Vec<PublicKey> =
            readable(public_key::of_private(&self.session, private))?.into_iter().collect();
        // Without an id nothing says which public key belongs to which private one.
        let beside = match id.as_slice() {
            [] => Vec::new(),
            id => self.find(ObjectClass::PUBLIC_KEY, Attribute::Id(id.to_vec()))?,
        };
        for handle in beside {
            let told = readable(public_key::of(&self.session, handle))?;
            public_keys.extend(told.filter(|key| !public_keys.contains(key)));
        }
        Ok(KeyDescription {
            label: shown_bytes(&bytes(AttributeType::Label)?.unwrap_or_default()),
            id,
            attributes: attributes::protection(&self.session, private)?,
            told: readable(public_key::algorithm(&self.session, private))?,
            public_keys,
        })
    }

    /// A [`Key`] that [`handle_of`] will know.
    pub(super) fn known_key(
        &mut self,
        handle: ObjectHandle,
        id: &[u8],
        public_key: PublicKey,
    ) -> Result<Key> {
        let label = attributes::bytes(&self.session, handle, AttributeType::Label)?.unwrap_or_default();
        let key = Key {
            handle: number(handle),
            label: shown_bytes(&label),
            id: id.to_vec(),
            always_authenticate: attributes::always_authenticate(&self.session, handle)?,
            public_key: public_key.clone(),
        };
        if key.always_authenticate && self.single.is_none() {
            self.single = Some(SinglePart::of(&self.module.file).map_err(explained)?);
        }
        if handle_of(&self.keys, &key).is_none() {
            self.keys.push(Known { number: key.handle, handle, id: id.to_vec(), public_key });
        }
        Ok(key)
    }

    /// Finds every known key again, whose handle a login anew made void.
    pub(super) fn find_again(&mut self) -> Result<()> {
        let mut known = std::mem::take(&mut self.keys);
        for key in &mut known {
            let found = self.find(ObjectClass::PRIVATE_KEY, Attribute::Id(key.id.clone()))?;
            match found.as_slice() {
                [handle] => key.handle = *handle,
                several => return Err(self.ambiguous(&key.id, &format!("{} private keys", several.len()))),
            }
        }
        self.keys = known;
        Ok(())
    }

    /// What the private key tells itself counts first; a public key object beside
    /// it is only as good as whoever wrote it.
    fn public_key_of(&self, private: ObjectHandle, id: &[u8]) -> Result<PublicKey> {
        if let Some(key) = public_key::of_private(&self.session, private)? {
            return Ok(key);
        }
        let mut keys: Vec<PublicKey> = Vec::new();
        for handle in self.find(ObjectClass::PUBLIC_KEY, Attribute::Id(id.to_vec()))? {
            if let Some(key) = public_key::of(&self.session, handle)?
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
        match (keys.pop(), keys.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), others) => Err(self.ambiguous(id, &format!("{} different public keys", others + 1))),
            (None, _) => Err(at_token(
                &self.info,
                Error::token(
                    "token.public-key-missing",
                    format!("the private key with CKA_ID {} has no public key that is known here", hex(id)),
                ),
            )
            .next("the token must hold its RSA, P-256, P-384, Ed25519 or ML-DSA public key under the same CKA_ID")),
        }
    }

    fn ambiguous(&self, id: &[u8], what: &str) -> Error {
        let message = format!("{what} have CKA_ID {}, one was wanted", hex(id));
        at_token(&self.info, Error::token("token.key-ambiguous", message))
            .next("give the other keys another CKA_ID; `anchorite token list` shows them")
    }

    pub(super) fn any_key_labelled(&self, label: &str) -> Result<bool> {
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY, ObjectClass::SECRET_KEY] {
            if !self.find(class, Attribute::Label(label.as_bytes().to_vec()))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A key that cannot be read is described as it is: without.
fn readable<T>(key: Result<Option<T>>) -> Result<Option<T>> {
    match key {
        Err(e) if e.id == "token.public-key" => Ok(None),
        other => other,
    }
}

#[allow(clippy::useless_conversion)] // CK_ULONG has 32 bits on some machines
fn number(handle: ObjectHandle) -> u64 {
    handle.handle().into()
}

/// The object behind a key that was found in this token's sessions. Another token's
/// key may have the same number, so the public key must be the same as well.
pub(super) fn handle_of(keys: &[Known], key: &Key) -> Option<ObjectHandle> {
    let same = |known: &&Known| known.number == key.handle && known.public_key == key.public_key;
    keys.iter().find(same).map(|known| known.handle)
}
