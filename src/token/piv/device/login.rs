//! The PIN: tried only where it can be the right one, and kept for each signature.

use secrecy::{ExposeSecret as _, SecretString};
use yubikey::Error as Yubikey;

use super::errors::{explained, locked, wrong_pin};
use super::guard::Fault;
use super::{Piv, state};
use crate::error::{Error, Result};

/// SP 800-73-4 part 2 §2.4.3: six to eight bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=8;

impl Piv {
    pub(super) fn log_in(&mut self, pin: &SecretString) -> Result<()> {
        if self.info.pin_state == state::LOCKED {
            return Err(self.at(locked()));
        }
        let length = pin.expose_secret().len();
        if !LENGTH.contains(&length) {
            let message = "this PIN cannot be the YubiKey's: its PINs have 6 to 8 bytes";
            return Err(self
                .at(Error::token("token.pin-length", message))
                .next("check which PIN belongs to this YubiKey; no try was spent"));
        }
        self.pin = Some(pin.clone());
        self.verify_pin().map_err(|e| self.at(e)).inspect_err(|_| self.pin = None)
    }

    /// Shows the PIN to the card. A wrong one was refused at login, so that no try is
    /// spent here, unless somebody changed it meanwhile: then it is forgotten.
    pub(super) fn verify_pin(&mut self) -> Result<()> {
        let pin = self.pin.clone().ok_or_else(|| {
            Error::token("token.not-logged-in", "this needs the PIN").next("run again with the PIN")
        })?;
        match self.call(|key| key.verify_pin(pin.expose_secret().as_bytes())) {
            Ok(()) => Ok(()),
            Err(fault) => {
                if let Fault::Told(Yubikey::WrongPin { tries }) = fault {
                    self.pin = None;
                    return Err(if tries == 0 { locked() } else { wrong_pin(tries) });
                }
                Err(explained(fault, "showing the PIN"))
            }
        }
    }
}
