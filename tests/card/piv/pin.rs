//! PIN, PUK and management key.

use super::Piv;
use crate::apdu::{Answer, Command, status};
use crate::attestation;
use crate::deed::Deed;
use crate::management::{key_length, step};
use crate::orders::take;
use crate::state::{FACTORY_PIN, FACTORY_PUK, Management, Secret};
use crate::tlv::{get, tlv};

const PIN: u8 = 0x80;
const PUK: u8 = 0x81;

impl Secret {
    /// One try.
    fn check(&mut self, value: &[u8]) -> Result<(), u16> {
        match self.left {
            0 => Err(status::BLOCKED),
            _ if self.value == value => {
                self.left = self.tries;
                Ok(())
            }
            _ => {
                self.left -= 1;
                Err(status::tries(self.left))
            }
        }
    }
}

impl Piv {
    /// VERIFY: with nothing to verify it says how things stand. Order `block`: no try is
    /// left; `left N`: so many are.
    pub fn verify(&mut self, command: &Command, deeds: &mut Vec<Deed>) -> Answer {
        let ordered = take(deeds, "block").map(|_| 0).or_else(|| take(deeds, "left").map(|d| d.number(0)));
        if let Some(left) = ordered {
            self.state.pin.left = left as u8;
            self.state.save();
        }
        match (command.p1, command.p2, command.data.as_slice()) {
            (0xff, PIN, []) => self.session.verified = false,
            (0, PIN, []) if self.session.verified => {}
            (0, PIN, []) if self.state.pin.left == 0 => return Err(status::BLOCKED),
            (0, PIN, []) => return Err(status::tries(self.state.pin.left)),
            (0, PIN, pin) if pin.len() == 8 => {
                let checked = self.state.pin.check(pin);
                self.state.save();
                (self.session.verified, self.session.fresh) = (checked.is_ok(), checked.is_ok());
                checked?;
            }
            (0, PIN, _) => return Err(status::BAD_DATA),
            _ => return Err(status::NO_KEY),
        }
        Ok(Vec::new())
    }

    /// CHANGE REFERENCE DATA: the PIN or the PUK, by itself.
    pub fn change(&mut self, command: &Command) -> Answer {
        let (old, new) = two(&command.data)?;
        let secret = match command.p2 {
            PIN => &mut self.state.pin,
            PUK => &mut self.state.puk,
            _ => return Err(status::NO_KEY),
        };
        let checked = secret.check(old);
        if checked.is_ok() {
            secret.value = *new;
        }
        self.state.save();
        checked.map(|()| Vec::new())
    }

    /// RESET RETRY COUNTER: a new PIN, by the PUK.
    pub fn unblock(&mut self, command: &Command) -> Answer {
        let (puk, pin) = two(&command.data)?;
        let checked = self.state.puk.check(puk);
        if checked.is_ok() {
            self.state.pin = Secret::new(pin, self.state.pin.tries);
        }
        self.state.save();
        checked.map(|()| Vec::new())
    }

    /// SET PIN RETRIES: both are the factory's again.
    pub fn set_retries(&mut self, command: &Command) -> Answer {
        self.managed()?;
        if !self.session.verified {
            return Err(status::SECURITY);
        }
        self.state.pin = Secret::new(FACTORY_PIN, command.p1);
        self.state.puk = Secret::new(FACTORY_PUK, command.p2);
        self.state.save();
        Ok(Vec::new())
    }

    /// RESET, once PIN and PUK are blocked: all but the attestation key goes.
    pub fn reset(&mut self) -> Answer {
        if self.state.pin.left > 0 || self.state.puk.left > 0 {
            return Err(status::CONDITIONS);
        }
        self.leave();
        self.state.pin = Secret::new(FACTORY_PIN, 3);
        self.state.puk = Secret::new(FACTORY_PUK, 3);
        self.state.management = Management::factory(self.state.version);
        self.state.keys.retain(|slot, _| *slot == attestation::SLOT);
        self.state.objects.retain(|tag, _| tag == attestation::CERTIFICATE);
        self.state.save();
        Ok(Vec::new())
    }

    /// GENERAL AUTHENTICATE with the management key.
    pub fn manage(&mut self, command: &Command) -> Answer {
        let key = &self.state.management;
        let meant = if command.p1 == 0 { 0x03 } else { command.p1 };
        if meant != key.algorithm {
            return Err(status::BAD_DATA);
        }
        let template = get(&command.data, 0x7c).ok_or(status::BAD_DATA)?;
        let (answer, proved) = step(key, &mut self.session.waiting, template)?;
        if proved && key.touch && !self.orders.touched() {
            return Err(status::SECURITY);
        }
        self.session.managed |= proved;
        Ok(if answer.is_empty() { answer } else { tlv(0x7c, &answer) })
    }

    pub fn set_management_key(&mut self, command: &Command) -> Answer {
        self.managed()?;
        let [algorithm, 0x9b, length, key @ ..] = command.data.as_slice() else {
            return Err(status::BAD_DATA);
        };
        let wanted = key_length(*algorithm).filter(|_| *algorithm == 0x03 || self.state.version >= [5, 4, 0]);
        if wanted != Some(key.len()) || key.len() != usize::from(*length) {
            return Err(status::BAD_DATA);
        }
        let touch = command.p2 == 0xfe;
        self.state.management = Management { algorithm: *algorithm, key: key.to_vec(), touch };
        self.state.save();
        Ok(Vec::new())
    }
}

/// Two secrets of eight bytes.
fn two(data: &[u8]) -> Result<(&[u8], &[u8; 8]), u16> {
    let (first, second) = data.split_at_checked(8).ok_or(status::BAD_DATA)?;
    Ok((first, second.try_into().map_err(|_| status::BAD_DATA)?))
}
