//! A token behind a PKCS#11 module (OASIS PKCS#11 2.40 and 3.x).

mod attributes;
mod data;
mod errors;
mod generate;
mod keys;
mod login;
mod mechanisms;
#[expect(clippy::disallowed_methods, reason = "the module is a file, with a digest")]
mod module;
mod objects;
mod public_key;
mod sign;
mod single;
mod slots;

#[cfg(test)]
mod softhsm;

use std::path::PathBuf;

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo as RawInfo};
use secrecy::SecretString;

use self::errors::explained;
use self::module::Module;
pub use self::module::Ready;
use self::single::SinglePart;
use super::rules::{accepting, judge_key, judge_token};
use super::uri::Pkcs11Uri;
use super::{Key, KeyDescription, ObjectInfo, Signer, Token, TokenFlags, TokenInfo, Wanted};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::journal::{KeyPermit, Permit};
use crate::x509::{Digest, KeyAlgorithm, PublicKey};

/// A token and a session with it. Dropping it closes the session, which logs out.
#[derive(Debug)]
pub struct Pkcs11 {
    // fields are dropped in this order: the session before its module
    session: Session,
    /// Whether the session is a read/write one; it becomes one when that is needed.
    writable: bool,
    slot: Slot,
    uri: Pkcs11Uri,
    raw: RawInfo,
    info: TokenInfo,
    mechanisms: Vec<MechanismType>,
    /// What [`Key::handle`] may refer to.
    keys: Vec<Known>,
    /// Where one of these keys wants the PIN for each signature.
    single: Option<SinglePart>,
    /// The PIN that logged in, for that; none where it is typed at the token.
    pin: Option<SecretString>,
    accept: Vec<String>,
    tell: fn(&str),
    module: Module,
}

/// A private key that was found.
#[derive(Debug)]
struct Known {
    /// [`Key::handle`]: the object's handle when it was found first.
    number: u64,
    /// Its handle now; a login anew gives another.
    handle: ObjectHandle,
    id: Vec<u8>,
    public_key: PublicKey,
}

/// A module, and how it is used.
#[derive(Debug, Clone)]
pub struct ModuleUse {
    /// Its file.
    pub file: PathBuf,
    /// The digest that the file must have, where one is given.
    pub sha256: Option<Digest>,
    /// What it is told when it starts, where it wants to be told something.
    pub args: Option<String>,
    /// Rules on a key that may stay unfulfilled here, by their IDs.
    pub accept: Vec<String>,
    /// Tells the operator what the token waits for.
    pub tell: fn(&str),
}

impl ModuleUse {
    /// A module without conditions.
    pub fn of(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), sha256: None, args: None, accept: Vec::new(), tell: |_| {} }
    }
}

/// The initialised tokens that a module shows.
pub fn list(module: &ModuleUse) -> Result<Vec<TokenInfo>> {
    let module = Module::load(module)?;
    Ok(slots::listed(&slots::tokens(&module.cryptoki)?))
}

impl Pkcs11 {
    /// Loads the module and opens a session with the one token that the URI means.
    pub fn open(how: &ModuleUse, uri: &Pkcs11Uri) -> Result<Self> {
        let module = Module::load(how)?;
        let cryptoki = &module.cryptoki;
        let (slot, raw) = slots::select(slots::tokens(cryptoki)?, uri)?;
        Ok(Self {
            session: cryptoki.open_ro_session(slot).map_err(explained)?,
            writable: false,
            slot,
            uri: slots::token_uri(&raw),
            info: slots::info(&raw),
            mechanisms: cryptoki.get_mechanism_list(slot).map_err(explained)?,
            raw,
            keys: Vec::new(),
            single: None,
            pin: None,
            accept: how.accept.clone(),
            tell: how.tell,
            module,
        })
    }

    /// A session that may write. Login holds for all sessions with a token, and
    /// the new one is open before the old one closes, so that it is kept.
    fn writable(&mut self) -> Result<&Session> {
        if !self.writable {
            self.session = self.module.cryptoki.open_rw_session(self.slot).map_err(explained)?;
            self.writable = true;
        }
        Ok(&self.session)
    }
}

impl Signer for Pkcs11 {
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        self.lane().sign(key, permit)
    }
}

impl Token for Pkcs11 {
    fn signers(&mut self, most: usize) -> Result<Vec<Box<dyn Signer + '_>>> {
        self.lanes(most)
    }

    fn info(&self) -> &TokenInfo {
        &self.info
    }

    fn pin_at_token(&self) -> bool {
        self.raw.protected_authentication_path()
    }

    fn random(&mut self, length: usize) -> Result<Option<Vec<u8>>> {
        if !self.raw.rng() {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        match self.session.generate_random_slice(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(
                CryptokiError::Pkcs11(RvError::RandomNoRng | RvError::FunctionNotSupported, _)
                | CryptokiError::NullFunctionPointer,
            ) => Ok(None),
            Err(e) => Err(explained(e)),
        }
    }

    fn supports(&mut self, algorithm: KeyAlgorithm) -> Result<()> {
        self.check_mechanisms(algorithm)
    }

    fn login(&mut self, pin: &SecretString) -> Result<()> {
        self.log_in(pin)
    }

    fn reenter(&mut self, key: &Key, pin: &SecretString) -> Result<()> {
        self.log_in_anew(key, pin)
    }

    fn look_at_pin(&mut self) -> Result<()> {
        self.reread();
        Ok(())
    }

    fn objects(&mut self) -> Result<Vec<ObjectInfo>> {
        self.list_objects()
    }

    fn label_in_use(&mut self, label: &str) -> Result<bool> {
        self.any_key_labelled(label)
    }

    fn find_key(&mut self, id: &[u8]) -> Result<Option<Key>> {
        self.private_key(id)
    }

    fn generate(&mut self, permit: KeyPermit) -> Result<Key> {
        self.generate_pair(&permit)
    }

    fn store_data(&mut self, label: &str, value: &[u8]) -> Result<bool> {
        self.replace_data(label, value)
    }

    fn load_data(&mut self, label: &str) -> Result<Vec<Vec<u8>>> {
        self.all_data(label)
    }

    fn describe_keys(&mut self, wanted: &Wanted<'_>) -> Result<Vec<KeyDescription>> {
        self.described_keys(wanted)
    }

    fn judge(&mut self) -> Result<Vec<Finding>> {
        Ok(judge_token(&slots::flags(&self.raw)))
    }

    fn judge_key(&mut self, key: &KeyDescription, recorded: Option<&PublicKey>) -> Result<Vec<Finding>> {
        Ok(accepting(&self.accept, judge_key(key, recorded)))
    }

    /// As they were when it was opened: a login resets its counters.
    fn flags(&self) -> Option<TokenFlags> {
        Some(slots::flags(&self.raw))
    }
}

/// An error about one token, named so that an operator with several knows which.
fn at_token(info: &TokenInfo, error: Error) -> Error {
    error.at(format!("token `{}`", info.label))
}
