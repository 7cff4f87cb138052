//! A new key in an empty slot. Nothing that is there is ever overwritten.

use der::Encode as _;
use yubikey::piv::{self, SlotId};
use yubikey::{PinPolicy as YkPin, TouchPolicy as YkTouch};

use super::errors::explained;
use super::slots::{InSlot, algorithm_id};
use super::{LARGER_KEYS, Piv};
use crate::error::{Error, Result};
use crate::journal::{KeyPermit, KeyRole};
use crate::token::Key;
use crate::token::piv::policy::{PinPolicy, TouchPolicy};
use crate::token::piv::uri::Slot;
use crate::x509::KeyAlgorithm;

impl Piv {
    pub(super) fn slot_of(&self, role: KeyRole) -> Slot {
        match role {
            KeyRole::Root => self.uri.root_slot(),
            KeyRole::Journal => self.uri.journal_slot(),
        }
    }

    pub(super) fn check_algorithm(&self, algorithm: KeyAlgorithm) -> Result<()> {
        match algorithm {
            KeyAlgorithm::Rsa(3072 | 4096) | KeyAlgorithm::Ed25519 if self.firmware() < LARGER_KEYS => {
                Err(self.too_old(&algorithm.to_string(), LARGER_KEYS))
            }
            _ if algorithm_id(algorithm).is_some() => Ok(()),
            _ => Err(self
                .at(Error::token("token.mechanism", format!("no YubiKey has {algorithm} keys")))
                .next("choose p256, p384, rsa3072, rsa4096 or ed25519")),
        }
    }

    /// Both are asked: another program may have left a key without a certificate, and a
    /// certificate whose key was deleted may be all that is left of it.
    pub(super) fn check_empty(&mut self, slot: Slot) -> Result<()> {
        let holds = match (self.metadata(slot.number(), &format!("slot {slot}"))?, self.certificate_in(slot)?)
        {
            (None, None) => return Ok(()),
            (Some(_), None) => "a key",
            (None, Some(_)) => "a certificate",
            (Some(_), Some(_)) => "a key and its certificate",
        };
        Err(self.at(Error::token("token.slot-in-use", format!("slot {slot} holds {holds} already")))
            .next("nothing is ever overwritten: name another slot, as `piv:9a` for the root or `&journal=83` for the journal, or another YubiKey; what nobody needs any more `ykman piv` deletes"))
    }

    pub(super) fn generate_in_slot(&mut self, permit: &KeyPermit) -> Result<Key> {
        let slot = self.slot_of(permit.role());
        self.check_algorithm(permit.algorithm())?;
        // The slot was empty before that intent: what is there now was made by it.
        if permit.again()
            && self.certificate_in(slot)?.is_none()
            && let Some(key) = self.key_in(slot)?
        {
            self.check_policies(permit.role(), &key)?;
            return self.fit(permit, key);
        }
        self.check_empty(slot)?;
        self.authenticate()?;
        let (pin, touch) = self.policies(permit.role());
        let (id, algorithm) = (SlotId::try_from(slot.number()), algorithm_id(permit.algorithm()));
        let (Ok(id), Some(algorithm)) = (id, algorithm) else {
            return self.check_empty(slot).and(Err(self.lost(slot)));
        };
        let made = self.call(|key| piv::generate(key, id, algorithm, pin_id(pin), touch_id(touch)));
        let made = made.map_err(|e| self.at(explained(e, &format!("generating the key in slot {slot}"))))?;
        let key = self.key_in(slot)?.ok_or_else(|| self.lost(slot))?;
        if made.to_der().ok().as_deref() != Some(key.public_key.as_der()) {
            return Err(self.unfit(slot, "the slot tells another public key than was answered"));
        }
        if (key.pin, key.touch) != (pin, touch) {
            let what = format!(
                "its PIN policy is {}, its touch policy {}; wanted {pin} and {touch}",
                key.pin, key.touch
            );
            return Err(self.unfit(slot, &what));
        }
        self.fit(permit, key)
    }

    /// The root's as asked for. The journal's seals after every step, and can certify
    /// nothing: for it the PIN once a session has to do.
    fn policies(&self, role: KeyRole) -> (PinPolicy, TouchPolicy) {
        match role {
            KeyRole::Root => (self.options.pin_policy, self.options.touch_policy),
            KeyRole::Journal => (PinPolicy::Once, TouchPolicy::Never),
        }
    }

    /// A run that was broken off may have been asked for other policies than this one.
    pub(super) fn check_policies(&self, role: KeyRole, key: &InSlot) -> Result<()> {
        let (pin, touch) = self.policies(role);
        if (key.pin, key.touch) == (pin, touch) {
            return Ok(());
        }
        let what = format!(
            "its PIN policy is {}, its touch policy {}; wanted {pin} and {touch}",
            key.pin, key.touch
        );
        let next = format!(
            "give --pin-policy {} --touch-policy {} as the run before was given, if that is what is wanted; \
             a key's policies cannot be changed: for others begin anew in another home and slot",
            key.pin, key.touch
        );
        Err(self.unfit(key.slot, &what).next(next))
    }

    /// What was asked for is not believed until the card says it.
    fn fit(&self, permit: &KeyPermit, key: InSlot) -> Result<Key> {
        if key.public_key.algorithm() != permit.algorithm() {
            let what = format!("it is {}, wanted {}", key.public_key.algorithm(), permit.algorithm());
            return Err(self.unfit(key.slot, &what));
        }
        if !key.generated {
            return Err(self.unfit(key.slot, "it was brought in, not generated there"));
        }
        if key.pin == PinPolicy::Never {
            return Err(self.unfit(key.slot, "it can be used without the PIN"));
        }
        Ok(self.known(key))
    }

    fn unfit(&self, slot: Slot, what: &str) -> Error {
        self.at(Error::token(
            "token.key-unfit",
            format!("the new key in slot {slot} is not as wanted: {what}"),
        ))
        .next("this YubiKey is not fit for a root; begin anew in another home with another one")
    }

    fn lost(&self, slot: Slot) -> Error {
        self.unfit(slot, "the slot is empty after it was generated")
    }
}

fn pin_id(policy: PinPolicy) -> YkPin {
    match policy {
        PinPolicy::Never => YkPin::Never,
        PinPolicy::Once => YkPin::Once,
        PinPolicy::Always => YkPin::Always,
    }
}

fn touch_id(policy: TouchPolicy) -> YkTouch {
    match policy {
        TouchPolicy::Never => YkTouch::Never,
        TouchPolicy::Always => YkTouch::Always,
        TouchPolicy::Cached => YkTouch::Cached,
    }
}
