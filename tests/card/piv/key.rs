//! Keys in slots: made, used, described, attested.

use std::time::{Duration, Instant};

use super::Piv;
use crate::apdu::{Answer, Command, status};
use crate::attestation::{self, Statement};
use crate::deed::Deed;
use crate::keys::{self, Algorithm};
use crate::orders::take;
use crate::state::{FACTORY_MANAGEMENT_KEY, FACTORY_PIN, FACTORY_PUK, Key, Secret};
use crate::tlv::{get, tlv};

/// PIN policies, in Yubico's numbers.
const NEVER: u8 = 1;
const ONCE: u8 = 2;
const ALWAYS: u8 = 3;
/// Touch policies.
const TOUCH_ALWAYS: u8 = 2;
const TOUCH_CACHED: u8 = 3;

/// How long a touch lasts where it is cached.
const CACHED: Duration = Duration::from_secs(15);

impl Piv {
    /// GENERATE ASYMMETRIC KEY PAIR. Order `other-key`: the public key it tells is another's.
    pub fn generate(&mut self, command: &Command, deeds: &mut Vec<Deed>) -> Answer {
        self.managed()?;
        let slot = slot(command.p2)?;
        let template = get(&command.data, 0xac).ok_or(status::BAD_DATA)?;
        let algorithm = first(template, 0x80).and_then(|id| self.known(id)).ok_or(status::BAD_DATA)?;
        let (pin_policy, touch_policy) = policies(slot, template)?;
        let pkcs8 = keys::generate(algorithm);
        let told = match take(deeds, "other-key") {
            Some(_) => keys::public(algorithm, &keys::generate(algorithm)),
            None => keys::public(algorithm, &pkcs8),
        };
        let key = Key { algorithm: algorithm as u8, pkcs8, pin_policy, touch_policy, imported: false };
        self.state.keys.insert(slot, key);
        self.state.save();
        self.orders.made("GENERATE", &format!("{slot:02x} {}", algorithm.name()));
        Ok(tlv(0x7f49, &told))
    }

    /// IMPORT ASYMMETRIC KEY.
    pub fn import(&mut self, command: &Command) -> Answer {
        self.managed()?;
        let slot = slot(command.p2)?;
        let algorithm = self.known(command.p1).ok_or(status::BAD_DATA)?;
        let (pin_policy, touch_policy) = policies(slot, &command.data)?;
        let pkcs8 = keys::import(algorithm, &command.data).ok_or(status::BAD_DATA)?;
        let key = Key { algorithm: algorithm as u8, pkcs8, pin_policy, touch_policy, imported: true };
        self.state.keys.insert(slot, key);
        self.state.save();
        Ok(Vec::new())
    }

    /// MOVE KEY, from firmware 5.7 on: to slot FF it is deleted.
    pub fn move_key(&mut self, command: &Command) -> Answer {
        self.firmware([5, 7, 0])?;
        self.managed()?;
        let to = if command.p1 == 0xff { None } else { Some(slot(command.p1)?) };
        let key = self.state.keys.remove(&slot(command.p2)?).ok_or(status::NO_KEY)?;
        if let Some(to) = to {
            self.state.keys.insert(to, key);
        }
        self.state.save();
        Ok(Vec::new())
    }

    /// GENERAL AUTHENTICATE with a slot's key. Each signature is written down with the
    /// SHA-256 of what it was made over. Orders: `zero` (a signature of zeros), `shorten N`
    /// (bytes off its end), `other-key` (a good signature by a key made for it),
    /// `other-data` (by this key, over other data).
    pub fn sign(&mut self, command: &Command, deeds: &mut Vec<Deed>) -> Answer {
        let slot = slot(command.p2)?;
        let key = self.state.keys.get(&slot).ok_or(status::BAD_DATA)?.clone();
        let algorithm =
            self.known(command.p1).filter(|a| *a as u8 == key.algorithm).ok_or(status::BAD_DATA)?;
        let template = get(&command.data, 0x7c).ok_or(status::BAD_DATA)?;
        let mut data = get(template, 0x81).ok_or(status::BAD_DATA)?.to_vec();
        self.allowed(&key)?;
        if take(deeds, "other-data").is_some() {
            *data.last_mut().ok_or(status::BAD_DATA)? ^= 1;
        }
        let mut made = keys::sign(algorithm, &key.pkcs8, &data)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &data);
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.orders.made("SIGN", &format!("{slot:02x} {} {digest}", algorithm.name()));
        if take(deeds, "zero").is_some() {
            made.fill(0);
        }
        if let Some(deed) = take(deeds, "shorten") {
            made.truncate(made.len().saturating_sub(deed.number(0) as usize));
        }
        if take(deeds, "other-key").is_some() {
            made = keys::sign(algorithm, &keys::generate(algorithm), &data)?;
        }
        Ok(tlv(0x7c, &tlv(0x82, &made)))
    }

    /// Whether PIN and touch are as the key demands. A PIN that was verified just before
    /// is used up.
    fn allowed(&mut self, key: &Key) -> Result<(), u16> {
        let fresh = std::mem::take(&mut self.session.fresh);
        let verified = match key.pin_policy {
            NEVER => true,
            ONCE => self.session.verified,
            _ => fresh,
        };
        if !verified {
            return Err(status::SECURITY);
        }
        let cached = self.touched.is_some_and(|at| at.elapsed() < CACHED);
        let needed = key.touch_policy == TOUCH_ALWAYS || key.touch_policy == TOUCH_CACHED && !cached;
        if needed {
            if !self.orders.touched() {
                return Err(status::SECURITY);
            }
            self.touched = Some(Instant::now());
        }
        Ok(())
    }

    /// GET METADATA, from firmware 5.3 on.
    pub fn metadata(&mut self, command: &Command) -> Answer {
        self.firmware([5, 3, 0])?;
        let secret = |secret: &Secret, factory: &[u8; 8]| {
            let usual = u8::from(secret.value == *factory);
            [tlv(1, &[0xff]), tlv(5, &[usual]), tlv(6, &[secret.tries, secret.left])].concat()
        };
        match command.p2 {
            0x80 => return Ok(secret(&self.state.pin, FACTORY_PIN)),
            0x81 => return Ok(secret(&self.state.puk, FACTORY_PUK)),
            0x9b => {
                let key = &self.state.management;
                let usual = u8::from(key.key == FACTORY_MANAGEMENT_KEY);
                let touch = if key.touch { TOUCH_ALWAYS } else { NEVER };
                return Ok([tlv(1, &[key.algorithm]), tlv(2, &[0, touch]), tlv(5, &[usual])].concat());
            }
            _ => {}
        }
        let key = self.state.keys.get(&slot(command.p2)?).ok_or(status::NO_KEY)?;
        let algorithm = self.known(key.algorithm).ok_or(status::NO_KEY)?;
        Ok([
            tlv(1, &[key.algorithm]),
            tlv(2, &[key.pin_policy, key.touch_policy]),
            tlv(3, &[if key.imported { 2 } else { 1 }]),
            tlv(4, &keys::public(algorithm, &key.pkcs8)),
        ]
        .concat())
    }

    /// ATTEST, from firmware 4.3 on. Orders: `other-key` (it attests a key that is not the
    /// slot's), `other-serial N`, `other-version N N N`, `other-policies PIN TOUCH`,
    /// `other-slot N`, `other-root` (it is a forger's, who signs with a chain of his own;
    /// order it of GET, too, else the certificate of slot F9 does not match).
    pub fn attest(&mut self, command: &Command, deeds: &mut Vec<Deed>) -> Answer {
        self.firmware([4, 3, 0])?;
        let slot = slot(command.p1)?;
        let key = self.state.keys.get(&slot).filter(|key| !key.imported).ok_or(status::BAD_DATA)?;
        let mut statement =
            Statement { slot, key: key.clone(), serial: self.state.serial, version: self.state.version };
        if take(deeds, "other-key").is_some() {
            let algorithm = self.known(key.algorithm).ok_or(status::BAD_DATA)?;
            statement.key.pkcs8 = keys::generate(algorithm);
        }
        if let Some(deed) = take(deeds, "other-serial") {
            statement.serial = deed.number(0) as u32;
        }
        if let Some(deed) = take(deeds, "other-version") {
            statement.version = deed.bytes().try_into().expect("order: three bytes");
        }
        if let Some(deed) = take(deeds, "other-policies") {
            (statement.key.pin_policy, statement.key.touch_policy) =
                (deed.number(0) as u8, deed.number(1) as u8);
        }
        if let Some(deed) = take(deeds, "other-slot") {
            statement.slot = deed.number(0) as u8;
        }
        let by = match take(deeds, "other-root") {
            Some(_) => self.forged().0.clone(),
            None => self.state.keys.get(&attestation::SLOT).ok_or(status::BAD_DATA)?.clone(),
        };
        Ok(attestation::attest(&by, &statement))
    }

    /// The forger's attestation key, made once.
    pub fn forged(&mut self) -> &(Key, Vec<u8>) {
        self.forged.get_or_insert_with(|| attestation::forged(self.state.version))
    }

    fn known(&self, id: u8) -> Option<Algorithm> {
        Algorithm::known(id, self.state.version)
    }
}

/// The first byte of this tag's value.
fn first(template: &[u8], tag: u16) -> Option<u8> {
    get(template, tag)?.first().copied()
}

/// PIN and touch policy as demanded, or as usual.
fn policies(slot: u8, template: &[u8]) -> Result<(u8, u8), u16> {
    let demanded = |tag| first(template, tag).filter(|policy| *policy != 0);
    let pin = demanded(0xaa).unwrap_or_else(|| usual_pin_policy(slot));
    let touch = demanded(0xab).unwrap_or(NEVER);
    let known = pin <= ALWAYS && touch <= TOUCH_CACHED;
    known.then_some((pin, touch)).ok_or(status::BAD_DATA)
}

fn usual_pin_policy(slot: u8) -> u8 {
    match slot {
        0x9c => ALWAYS,
        0x9e => NEVER,
        _ => ONCE,
    }
}

/// The slots of PIV, of its retired keys, and Yubico's for attestation.
fn slot(number: u8) -> Result<u8, u16> {
    match number {
        0x9a | 0x9c..=0x9e | 0x82..=0x95 | attestation::SLOT => Ok(number),
        _ => Err(status::WRONG_SLOT),
    }
}
