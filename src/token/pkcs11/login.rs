//! Login: every wrong PIN costs a try, so what can be known before is checked before.

use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::session::UserType;
use secrecy::{ExposeSecret as _, SecretString};

use super::errors::explained;
use super::{Pkcs11, at_token, slots};
use crate::error::{Error, Result};
use crate::token::{FINAL_TRY, Key};

impl Pkcs11 {
    pub(super) fn log_in(&mut self, pin: &SecretString) -> Result<()> {
        if self.raw.user_pin_locked() {
            return Err(self.locked());
        }
        let pin = if self.raw.protected_authentication_path() { None } else { Some(pin) };
        if let Some(pin) = pin {
            self.check_length(pin.expose_secret().len())?;
        }
        match self.session.login(UserType::User, pin) {
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.pin = pin.cloned();
                Ok(())
            }
            Err(CryptokiError::Pkcs11(RvError::PinIncorrect, _)) => {
                self.reread();
                Err(self.incorrect())
            }
            Err(CryptokiError::Pkcs11(RvError::PinLocked, _)) => {
                self.reread();
                Err(self.locked())
            }
            Err(e) => Err(at_token(&self.info, explained(e))),
        }
    }

    /// A login takes no PIN where there was one before: out first. A PIN pad asks for each
    /// signature by itself where the key wants that.
    pub(super) fn log_in_anew(&mut self, key: &Key, pin: &SecretString) -> Result<()> {
        if key.always_authenticate && self.raw.protected_authentication_path() {
            return Ok(());
        }
        match self.session.logout() {
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserNotLoggedIn, _)) => {}
            Err(e) => return Err(at_token(&self.info, explained(e))),
        }
        self.log_in(pin)?;
        self.find_again().map_err(|e| at_token(&self.info, e))
    }

    /// The token's flags as they are now; a token that fails here keeps the flags it had,
    /// and what fails with it next is the thing to report.
    pub(super) fn reread(&mut self) {
        if let Ok(raw) = self.module.cryptoki.get_token_info(self.slot) {
            self.info = slots::info(&raw);
            self.raw = raw;
        }
    }

    fn check_length(&self, length: usize) -> Result<()> {
        // a token that does not say gives 0
        let (least, most) = (self.raw.min_pin_length(), self.raw.max_pin_length());
        if length >= least && (most == 0 || length <= most) {
            return Ok(());
        }
        let wanted = if most == 0 { format!("at least {least}") } else { format!("{least} to {most}") };
        let message = format!("this PIN cannot be the token's: its PINs have {wanted} bytes");
        Err(at_token(&self.info, Error::token("token.pin-length", message))
            .next("check which PIN belongs to this token; no try was spent"))
    }

    fn incorrect(&self) -> Error {
        if self.raw.user_pin_locked() {
            return self.locked();
        }
        let left = match self.info.pin_state.as_str() {
            FINAL_TRY => "the token says: one more wrong PIN locks it",
            "low" => "the token says: a wrong PIN was entered at least once since the last login",
            _ => "the token says nothing of tries left",
        };
        at_token(&self.info, Error::token("token.pin-incorrect", format!("wrong PIN; {left}")))
            .next("check which PIN belongs to this token before trying again")
    }

    fn locked(&self) -> Error {
        at_token(
            &self.info,
            Error::token("token.pin-locked", "the user PIN is locked after too many wrong tries"),
        )
        .next("have the security officer set a new user PIN with the token's own tool")
    }
}
