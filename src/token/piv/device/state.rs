//! What the YubiKey says of its PIN, its PUK and its management key, judged.

use yubikey::piv::SlotMetadata;

use super::Piv;
use super::errors::explained;
use crate::error::Result;
use crate::finding::Finding;
use crate::token::FINAL_TRY;
use crate::token::piv::rules::{self, Secrets};

const PIN: u8 = 0x80;
const PUK: u8 = 0x81;
pub(super) const MANAGEMENT: u8 = 0x9b;

/// [`crate::token::TokenInfo::pin_state`] where no try is left.
pub(super) const LOCKED: &str = "locked";

impl Piv {
    /// In words, for whoever is about to type it.
    pub(super) fn pin_state(&mut self) -> Result<String> {
        let left = self.call(yubikey::YubiKey::get_pin_retries);
        let left = left.map_err(|e| self.at(explained(e, "asking for the PIN's tries")))?;
        let most = self.metadata(PIN, "PIN")?.and_then(|told| told.retries).map(|tries| tries.retry_count);
        Ok(in_words(left, most))
    }

    /// The same as it is now. Unlike asking for the tries it does not log out.
    pub(super) fn look_at_tries(&mut self) -> Result<()> {
        if let Some(tries) = self.metadata(PIN, "PIN")?.and_then(|told| told.retries) {
            self.info.pin_state = in_words(tries.remaining_count, Some(tries.retry_count));
        }
        Ok(())
    }

    pub(super) fn judge_state(&mut self) -> Result<Vec<Finding>> {
        let mut told = |slot, what| self.metadata(slot, what);
        let [pin, puk, management] =
            [told(PIN, "PIN")?, told(PUK, "PUK")?, told(MANAGEMENT, "management key")?];
        let factory = |told: &Option<SlotMetadata>| told.as_ref().and_then(|told| told.default);
        let tries = pin.as_ref().and_then(|told| told.retries.as_ref());
        Ok(rules::judge_secrets(&Secrets {
            pin_factory: factory(&pin),
            puk_factory: factory(&puk),
            management_factory: factory(&management),
            pin_tries: tries.map(|tries| (tries.remaining_count, tries.retry_count)),
        }))
    }
}

fn in_words(left: u8, most: Option<u8>) -> String {
    match (left, most) {
        (0, _) => LOCKED.into(),
        (1, _) => FINAL_TRY.into(),
        (left, Some(most)) => format!("{left} of {most} tries left"),
        (left, None) => format!("{left} tries left"),
    }
}
