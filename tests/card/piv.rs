//! The PIV application: SP 800-73-4 part 2, with Yubico's extensions and habits.

mod data;
mod key;
mod pin;

use std::time::Instant;

use crate::apdu::{Answer, Command, status};
use crate::management::Waiting;
use crate::orders::Orders;
use crate::state::State;

pub struct Piv {
    pub state: State,
    pub orders: Orders,
    session: Session,
}

/// What ends when the card is unplugged, or another application selected.
#[derive(Default)]
struct Session {
    verified: bool,
    /// The PIN was verified just before: what a key with PIN policy "always" asks for.
    fresh: bool,
    managed: bool,
    waiting: Waiting,
    touched: Option<Instant>,
}

pub const AID: &[u8] = &[0xa0, 0, 0, 3, 8];

/// The answer to SELECT: application identifier and its authority.
const SELECTED: &[u8] = &[0x61, 0x11, 0x4f, 6, 0, 0, 0x10, 0, 1, 0, 0x79, 7, 0x4f, 5, 0xa0, 0, 0, 3, 8];

impl Piv {
    pub fn new(state: State, orders: Orders) -> Self {
        Self { state, orders, session: Session::default() }
    }

    pub fn select(&mut self) -> Answer {
        self.session.fresh = false;
        Ok(SELECTED.to_vec())
    }

    /// Another application is selected, or the card is reset.
    pub fn leave(&mut self) {
        self.session = Session::default();
    }

    pub fn perform(&mut self, command: &Command) -> Answer {
        let name = name(command).ok_or(status::UNKNOWN_INS)?;
        let answer = self.ordered(name, command);
        self.orders.end(name, &answer);
        answer
    }

    fn ordered(&mut self, name: &'static str, command: &Command) -> Answer {
        let mut deeds = self.orders.before(name)?;
        if name != "SIGN" && name != "VERIFY" {
            self.session.fresh = false;
        }
        let answer = match name {
            "VERIFY" => self.verify(command, &mut deeds),
            "CHANGE" => self.change(command),
            "UNBLOCK" => self.unblock(command),
            "RETRIES" => self.set_retries(command),
            "RESET" => self.reset(),
            "MANAGE" => self.manage(command),
            "SET-KEY" => self.set_management_key(command),
            "SIGN" => self.sign(command, &mut deeds),
            "GENERATE" => self.generate(command, &mut deeds),
            "METADATA" => self.metadata(command),
            "ATTEST" => self.attest(command, &mut deeds),
            "GET" => self.get(command),
            "PUT" => self.put(command),
            "VERSION" => Ok(self.state.version.to_vec()),
            _ => Ok(self.state.serial.to_be_bytes().to_vec()),
        };
        self.orders.after(&deeds, answer?)
    }

    fn firmware(&self, least: [u8; 3]) -> Result<(), u16> {
        (self.state.version >= least).then_some(()).ok_or(status::UNKNOWN_INS)
    }

    fn managed(&self) -> Result<(), u16> {
        self.session.managed.then_some(()).ok_or(status::SECURITY)
    }
}

/// What orders call a command.
fn name(command: &Command) -> Option<&'static str> {
    Some(match command.ins {
        0x20 => "VERIFY",
        0x24 => "CHANGE",
        0x2c => "UNBLOCK",
        0x47 => "GENERATE",
        0x87 if command.p2 == 0x9b => "MANAGE",
        0x87 => "SIGN",
        0xcb => "GET",
        0xdb => "PUT",
        0xf7 => "METADATA",
        0xf8 => "SERIAL",
        0xf9 => "ATTEST",
        0xfa => "RETRIES",
        0xfb => "RESET",
        0xfd => "VERSION",
        0xff => "SET-KEY",
        _ => return None,
    })
}
