//! The PIV application: SP 800-73-4 part 2, with Yubico's extensions and habits.

mod data;
mod key;
mod pin;

use std::time::Instant;

use crate::apdu::{Answer, Command, status};
use crate::deed::Deed;
use crate::management::Waiting;
use crate::orders::Orders;
use crate::state::{Key, State};

pub struct Piv {
    pub state: State,
    pub orders: Orders,
    session: Session,
    /// When the key was last touched for a signature; a reset does not end that.
    touched: Option<Instant>,
    /// An attestation key and certificate that are not the card's own.
    forged: Option<(Key, Vec<u8>)>,
}

/// What ends when the card is unplugged, or an application selected.
#[derive(Default)]
struct Session {
    verified: bool,
    /// The PIN was verified just before: what a key with PIN policy "always" asks for.
    fresh: bool,
    managed: bool,
    waiting: Waiting,
}

pub const AID: &[u8] = &[0xa0, 0, 0, 3, 8];

/// The answer to SELECT: application identifier and its authority.
const SELECTED: &[u8] = &[0x61, 0x11, 0x4f, 6, 0, 0, 0x10, 0, 1, 0, 0x79, 7, 0x4f, 5, 0xa0, 0, 0, 3, 8];

impl Piv {
    pub fn new(state: State, orders: Orders) -> Self {
        Self { state, orders, session: Session::default(), touched: None, forged: None }
    }

    pub fn select(&mut self) -> Answer {
        self.named("SELECT", |_, _| Ok(SELECTED.to_vec()))
    }

    /// An application is selected. Is it this one again, it forgets the PIN too: Yubico's
    /// own tool builds on that.
    pub fn leave(&mut self) {
        self.session = Session::default();
    }

    pub fn perform(&mut self, command: &Command) -> Answer {
        let name = name(command).ok_or(status::UNKNOWN_INS)?;
        if name != "SIGN" {
            self.session.fresh = false;
        }
        self.named(name, |this, deeds| match name {
            "VERIFY" => this.verify(command, deeds),
            "CHANGE" => this.change(command),
            "UNBLOCK" => this.unblock(command),
            "RETRIES" => this.set_retries(command),
            "RESET" => this.reset(),
            "MANAGE" => this.manage(command),
            "SET-KEY" => this.set_management_key(command),
            "SIGN" => this.sign(command, deeds),
            "GENERATE" => this.generate(command, deeds),
            "IMPORT" => this.import(command),
            "MOVE" => this.move_key(command),
            "METADATA" => this.metadata(command),
            "ATTEST" => this.attest(command, deeds),
            "GET" => this.get(command, deeds),
            "PUT" => this.put(command),
            "SERIAL" => this.firmware([5, 0, 0]).map(|()| this.state.serial.to_be_bytes().into()),
            _ => Ok(this.state.version.into()),
        })
    }

    /// Performs a command as it was ordered, and writes it down.
    fn named(
        &mut self,
        name: &'static str,
        perform: impl FnOnce(&mut Self, &mut Vec<Deed>) -> Answer,
    ) -> Answer {
        let answer = self.orders.before(name).and_then(|mut deeds| {
            let answer = perform(self, &mut deeds)?;
            self.orders.after(&deeds, answer)
        });
        self.orders.end(name, &answer);
        answer
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
        0xf6 => "MOVE",
        0xf7 => "METADATA",
        0xf8 => "SERIAL",
        0xf9 => "ATTEST",
        0xfa => "RETRIES",
        0xfb => "RESET",
        0xfd => "VERSION",
        0xfe => "IMPORT",
        0xff => "SET-KEY",
        _ => return None,
    })
}
