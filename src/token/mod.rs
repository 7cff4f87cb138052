//! What keeps the keys. One trait; every token passes the same suite.

mod message;
pub mod pin;
pub mod piv;
pub mod pkcs11;
pub mod rules;
pub mod uri;

use secrecy::SecretString;

use self::uri::TokenUri;
use crate::error::Result;
use crate::finding::Finding;
use crate::journal::{KeyPermit, KeyRole, Permit};
use crate::x509::{KeyAlgorithm, PublicKey};

/// What a token says of itself, fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TokenInfo {
    /// Its URI: `pkcs11:token=…;serial=…` (RFC 7512), or `piv:?serial=…`.
    pub uri: String,
    /// CK_TOKEN_INFO label
    pub label: String,
    /// manufacturerID
    pub manufacturer: String,
    /// model
    pub model: String,
    /// serialNumber
    pub serial: String,
    /// firmwareVersion, e.g. `2.6`
    pub firmware: String,
    /// What it says of the PIN: `low`, `final try`, `locked`, `2 of 3 tries left`, or empty.
    pub pin_state: String,
}

/// [`TokenInfo::pin_state`] where the next wrong PIN locks the token.
pub const FINAL_TRY: &str = "final try";

/// One object on a token, as `token list` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ObjectInfo {
    /// `private key`, `public key`, `certificate`, `data`, …
    pub class: String,
    /// CKA_LABEL, fit for a terminal.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// The kind of key, where it is one that is known here, e.g. `p256`.
    pub algorithm: String,
    /// Its RFC 7512 URI.
    pub uri: String,
}

/// The attributes of a private key that decide whether it is fit to be a root's
/// (PKCS#11 2.40 §4.9). `None` where the token does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct KeyAttributes {
    /// CKA_SENSITIVE
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE
    pub extractable: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE
    pub always_sensitive: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE
    pub never_extractable: Option<bool>,
    /// CKA_LOCAL
    pub local: Option<bool>,
    /// CKA_PRIVATE
    pub private: Option<bool>,
    /// CKA_TOKEN
    pub token: Option<bool>,
    /// CKA_MODIFIABLE
    pub modifiable: Option<bool>,
    /// CKA_COPYABLE
    pub copyable: Option<bool>,
    /// CKA_SIGN
    pub sign: Option<bool>,
    /// CKA_SIGN_RECOVER
    pub sign_recover: Option<bool>,
    /// CKA_DECRYPT
    pub decrypt: Option<bool>,
    /// CKA_UNWRAP
    pub unwrap: Option<bool>,
    /// CKA_DERIVE
    pub derive: Option<bool>,
    /// CKA_ALWAYS_AUTHENTICATE
    pub always_authenticate: Option<bool>,
    /// CKA_ALLOWED_MECHANISMS, fit for a terminal.
    pub mechanisms: Option<Vec<String>>,
}

/// A private key as a token describes it, whether or not it is one to sign with.
#[derive(Debug, Clone)]
pub struct KeyDescription {
    /// CKA_LABEL, fit for a terminal.
    pub label: String,
    /// CKA_ID
    pub id: Vec<u8>,
    /// Its protection.
    pub attributes: KeyAttributes,
    /// The kind of key that the private key itself says it is.
    pub told: Option<KeyAlgorithm>,
    /// The different public keys that it tells, or that lie under the same CKA_ID.
    pub public_keys: Vec<PublicKey>,
}

/// What a token says of its PINs and itself (CK_TOKEN_INFO's flags).
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct TokenFlags {
    /// CKF_RNG
    pub rng: bool,
    /// CKF_LOGIN_REQUIRED
    pub login_required: bool,
    /// CKF_USER_PIN_INITIALIZED
    pub user_pin_initialised: bool,
    /// CKF_USER_PIN_TO_BE_CHANGED
    pub user_pin_to_be_changed: bool,
    /// CKF_USER_PIN_COUNT_LOW
    pub user_pin_count_low: bool,
    /// CKF_USER_PIN_FINAL_TRY
    pub user_pin_final_try: bool,
    /// CKF_USER_PIN_LOCKED
    pub user_pin_locked: bool,
    /// CKF_SO_PIN_TO_BE_CHANGED
    pub so_pin_to_be_changed: bool,
    /// CKF_SO_PIN_COUNT_LOW
    pub so_pin_count_low: bool,
    /// CKF_SO_PIN_FINAL_TRY
    pub so_pin_final_try: bool,
    /// CKF_SO_PIN_LOCKED
    pub so_pin_locked: bool,
}

/// A private key found on a token, with the public key that belongs to it.
#[derive(Debug, Clone)]
pub struct Key {
    /// Where to find it again within the session that found it.
    pub handle: u64,
    /// CKA_LABEL, fit for a terminal.
    pub label: String,
    /// CKA_ID
    pub id: Vec<u8>,
    /// Its public key.
    pub public_key: PublicKey,
    /// CKA_ALWAYS_AUTHENTICATE: it wants the PIN for each signature.
    pub always_authenticate: bool,
}

/// Which keys to describe.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Those that a URI means.
    Uri(&'a TokenUri),
    /// That with this CKA_ID.
    Id(&'a [u8]),
}

/// What a token says of a key of its own, in its maker's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The key's certificate, made when it was asked for.
    pub certificate: Vec<u8>,
    /// The certificate of the key that signed it, one a token.
    pub device: Vec<u8>,
    /// When the token says that it asks for the PIN: to be what the certificate says.
    pub pin_policy: String,
    /// When it says that it has to be touched: as above.
    pub touch_policy: String,
}

/// A way to sign with a token, each signature against a permit of the journal.
pub trait Signer: Send {
    /// What has to come before a signature; where it fails, nothing was signed.
    fn ready(&mut self, _key: &Key, _permit: &Permit) -> Result<()> {
        Ok(())
    }
    /// Signs the permit's bytes. ECDSA signatures come back as DER (RFC 3279 §2.2.3).
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>>;
    /// After a failure: the permit, where the token answered that it signed nothing. Where an
    /// answer did not come, or was no answer, there is none: a signature may have been made.
    fn given_back(&mut self) -> Option<Permit> {
        None
    }
}

/// A token: generates keys and signs, each against a permit of the journal.
pub trait Token: Signer {
    /// What it says of itself.
    fn info(&self) -> &TokenInfo;
    /// Up to so many ways to sign at the same time; at least one.
    fn signers(&mut self, most: usize) -> Result<Vec<Box<dyn Signer + '_>>>;
    /// Randomness of the token's own, without login; `None` where it has none to give.
    fn random(&mut self, length: usize) -> Result<Option<Vec<u8>>>;
    /// Whether the token can generate and use such a key; an error names what is missing.
    fn supports(&mut self, algorithm: KeyAlgorithm) -> Result<()>;
    /// Whether the PIN is typed at the token itself (CKF_PROTECTED_AUTHENTICATION_PATH).
    fn pin_at_token(&self) -> bool;
    /// Logs the user in. An error says what the token tells of tries left.
    fn login(&mut self, pin: &SecretString) -> Result<()>;
    /// Takes the PIN anew before a signature by this key, and has it verified, whatever the
    /// token knows from before.
    fn reenter(&mut self, _key: &Key, pin: &SecretString) -> Result<()> {
        self.login(pin)
    }
    /// Asks anew what the token says of its PIN, for [`Token::info`]; costs no try.
    fn look_at_pin(&mut self) -> Result<()> {
        Ok(())
    }
    /// Everything that can be seen; private objects only after login.
    fn objects(&mut self) -> Result<Vec<ObjectInfo>>;
    /// Whether any key object carries this label. Public objects are seen without login.
    fn label_in_use(&mut self, label: &str) -> Result<bool>;
    /// The one private key with this CKA_ID, after login; `None` where there is none.
    fn find_key(&mut self, id: &[u8]) -> Result<Option<Key>>;
    /// Generates the key pair: private, sensitive, non-extractable, sign-only; or
    /// takes the one that a run which was broken off made against the same intent.
    fn generate(&mut self, permit: KeyPermit) -> Result<Key>;
    /// Keeps a small data object (CKO_DATA) under this label, replacing an older one;
    /// `false` where the token cannot. Where it can, it takes a login.
    fn store_data(&mut self, label: &str, value: &[u8]) -> Result<bool>;
    /// Reads it back, after login. Empty where there is none; several where a crash came between
    /// writing the newer and removing the older one: the caller can tell them apart.
    fn load_data(&mut self, label: &str) -> Result<Vec<Vec<u8>>>;
    /// Every private key that is meant, after login.
    fn describe_keys(&mut self, wanted: &Wanted<'_>) -> Result<Vec<KeyDescription>>;
    /// Every rule on the token.
    fn judge(&mut self) -> Result<Vec<Finding>>;
    /// Every rule on a key. `recorded` is the public key that a journal has for it.
    fn judge_key(&mut self, key: &KeyDescription, recorded: Option<&PublicKey>) -> Result<Vec<Finding>>;
    /// What it says of its PINs and itself, where it has such flags.
    fn flags(&self) -> Option<TokenFlags> {
        None
    }
    /// The CKA_ID that a new key has to get, where the token has a place for each.
    fn key_id(&self, _role: KeyRole) -> Option<Vec<u8>> {
        None
    }
    /// Whether that place is free; an error says what is there.
    fn check_free(&mut self, _role: KeyRole) -> Result<()> {
        Ok(())
    }
    /// Whether a key that an earlier run made asks for what a new one is to ask for.
    fn check_made(&mut self, _role: KeyRole, _key: &Key) -> Result<()> {
        Ok(())
    }
    /// Keeps a key's certificate beside it, replacing an older one; `false` where the
    /// token does not.
    fn store_certificate(&mut self, _key: &Key, _der: &[u8]) -> Result<bool> {
        Ok(false)
    }
    /// What its maker's key says of this one; `None` where it says nothing.
    fn attest(&mut self, _key: &Key) -> Result<Option<Evidence>> {
        Ok(None)
    }
}

impl<S: Signer + ?Sized> Signer for &mut S {
    fn ready(&mut self, key: &Key, permit: &Permit) -> Result<()> {
        (**self).ready(key, permit)
    }
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        (**self).sign(key, permit)
    }
    fn given_back(&mut self) -> Option<Permit> {
        (**self).given_back()
    }
}
