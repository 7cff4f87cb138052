//! The YubiKey itself.

mod data;
mod errors;
mod generate;
mod guard;
mod keys;
mod login;
mod management;
mod readers;
mod sign;
mod slots;
mod state;

use std::fmt;

use secrecy::SecretString;
use yubikey::piv::{self, ManagementSlotId, SlotId};
use yubikey::{Version, YubiKey};

use self::guard::{Answer, Fault, guarded};
use super::Options;
use super::flaws::Firmware;
use super::uri::PivUri;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::journal::{KeyPermit, KeyRole, Permit};
use crate::token::{Evidence, Key, KeyDescription, ObjectInfo, Signer, Token, TokenInfo, Wanted};
use crate::x509::{KeyAlgorithm, PublicKey};

/// From this firmware on a YubiKey tells what is in a slot without using it. Before
/// that an occupied slot cannot be told from an empty one.
const OLDEST: Firmware = (5, 3, 0);
/// The first with RSA of 3072 and 4096 bits, and Ed25519.
const LARGER_KEYS: Firmware = (5, 7, 0);

/// A YubiKey. Dropping it resets its card, which logs out.
pub struct Piv {
    key: YubiKey,
    uri: PivUri,
    info: TokenInfo,
    /// Kept for as long as the session lasts: it is shown anew for each signature.
    pin: Option<SecretString>,
    options: Options,
    /// What was told once and need not be told again.
    told: Vec<&'static str>,
    /// What nobody touched it for.
    untouched: Option<Permit>,
}

impl Piv {
    /// Opens the one YubiKey that the URI means.
    pub fn open(uri: PivUri, options: Options) -> Result<Self> {
        let key = readers::select(readers::found()?, &uri)?;
        let mut piv =
            Self { info: info(&key), key, uri, pin: None, options, told: Vec::new(), untouched: None };
        if piv.firmware() < OLDEST {
            return Err(piv.too_old("telling what is in a slot", OLDEST));
        }
        piv.info.pin_state = piv.pin_state()?;
        Ok(piv)
    }

    /// Every YubiKey that is plugged in, left as it is.
    pub fn list() -> Result<Vec<TokenInfo>> {
        let keys = readers::found()?.keys;
        let infos = keys.iter().map(info).collect();
        keys.into_iter().for_each(readers::leave);
        Ok(infos)
    }

    /// A call to the card. To the crate an answer that did not come is one that says no:
    /// whether the card is there at all is asked where it makes a difference.
    fn call<T>(&mut self, call: impl FnOnce(&mut YubiKey) -> yubikey::Result<T>) -> Answer<T> {
        use yubikey::Error as Yubikey;
        let result = guarded(|| call(&mut self.key));
        if matches!(result, Err(Fault::Told(Yubikey::GenericError | Yubikey::AuthenticationError)))
            && let Err(gone @ Fault::Told(Yubikey::PcscError { .. })) =
                guarded(|| piv::metadata(&mut self.key, SlotId::Management(ManagementSlotId::Pin)))
        {
            return Err(gone);
        }
        result
    }

    fn firmware(&self) -> Firmware {
        let Version { major, minor, patch } = self.key.version();
        (major, minor, patch)
    }

    fn too_old(&self, what: &str, wanted: Firmware) -> Error {
        let message =
            format!("{what}: its firmware is {}, wanted {} or newer", shown(self.firmware()), shown(wanted));
        self.at(Error::token("token.firmware", message))
            .next("use a newer YubiKey, or another kind of key: firmware cannot be updated")
    }

    /// An error about this YubiKey, named so that an operator with several knows which.
    fn at(&self, error: Error) -> Error {
        error.at(&self.info.label)
    }

    fn tell(&self, what: &str) {
        (self.options.tell)(what);
    }

    fn tell_once(&mut self, what: &'static str) {
        if !self.told.contains(&what) {
            self.told.push(what);
            self.tell(what);
        }
    }
}

impl Signer for Piv {
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        let signed = self.sign_permit(key, &permit);
        let untouched = signed.as_ref().is_err_and(|e| e.id == sign::UNTOUCHED);
        self.untouched = untouched.then_some(permit);
        signed.map_err(|e| self.at(e))
    }

    fn given_back(&mut self) -> Option<Permit> {
        self.untouched.take()
    }
}

impl Token for Piv {
    fn info(&self) -> &TokenInfo {
        &self.info
    }

    /// A card does one thing at a time.
    fn signers(&mut self, _: usize) -> Result<Vec<Box<dyn Signer + '_>>> {
        Ok(vec![Box::new(self)])
    }

    /// PIV has no command for it.
    fn random(&mut self, _: usize) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn supports(&mut self, algorithm: KeyAlgorithm) -> Result<()> {
        self.check_algorithm(algorithm)
    }

    fn pin_at_token(&self) -> bool {
        false
    }

    fn login(&mut self, pin: &SecretString) -> Result<()> {
        self.log_in(pin)
    }

    fn check_made(&mut self, role: KeyRole, _key: &Key) -> Result<()> {
        let slot = self.slot_of(role);
        match self.key_in(slot)? {
            Some(key) => self.check_policies(role, &key),
            None => Ok(()),
        }
    }

    fn look_at_pin(&mut self) -> Result<()> {
        self.look_at_tries()
    }

    fn objects(&mut self) -> Result<Vec<ObjectInfo>> {
        self.list_slots()
    }

    /// PIV has no labels; that the slot is free is asked by [`Token::check_free`].
    fn label_in_use(&mut self, _: &str) -> Result<bool> {
        Ok(false)
    }

    fn find_key(&mut self, id: &[u8]) -> Result<Option<Key>> {
        self.key_by_id(id)
    }

    fn generate(&mut self, permit: KeyPermit) -> Result<Key> {
        self.generate_in_slot(&permit)
    }

    fn store_data(&mut self, label: &str, value: &[u8]) -> Result<bool> {
        self.keep(label, value)
    }

    fn load_data(&mut self, label: &str) -> Result<Vec<Vec<u8>>> {
        self.kept(label)
    }

    fn key_id(&self, role: KeyRole) -> Option<Vec<u8>> {
        Some(vec![self.slot_of(role).number()])
    }

    fn check_free(&mut self, role: KeyRole) -> Result<()> {
        let slot = self.slot_of(role);
        self.check_empty(slot)
    }

    fn store_certificate(&mut self, key: &Key, der: &[u8]) -> Result<bool> {
        self.file_certificate(key, der)
    }

    fn attest(&mut self, key: &Key) -> Result<Option<Evidence>> {
        self.attestation(key)
    }

    fn describe_keys(&mut self, wanted: &Wanted<'_>) -> Result<Vec<KeyDescription>> {
        self.described(wanted)
    }

    fn judge(&mut self) -> Result<Vec<Finding>> {
        self.judge_state()
    }

    fn judge_key(&mut self, key: &KeyDescription, recorded: Option<&PublicKey>) -> Result<Vec<Finding>> {
        self.judge_slot(key, recorded)
    }
}

impl fmt::Debug for Piv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piv").field("info", &self.info).finish_non_exhaustive()
    }
}

fn info(key: &YubiKey) -> TokenInfo {
    let Version { major, minor, patch } = key.version();
    let serial = key.serial().0;
    TokenInfo {
        uri: PivUri { serial: Some(serial), ..PivUri::default() }.to_string(),
        label: format!("YubiKey {serial}"),
        manufacturer: "Yubico".into(),
        model: format!("YubiKey {major}"),
        serial: serial.to_string(),
        firmware: shown((major, minor, patch)),
        pin_state: String::new(),
    }
}

fn shown((major, minor, patch): Firmware) -> String {
    format!("{major}.{minor}.{patch}")
}
