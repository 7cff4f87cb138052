//! Keys by their slots: found, described, judged, attested, listed.

use yubikey::Error as Yubikey;
use yubikey::piv::{self, SlotId};

use super::Piv;
use super::errors::explained;
use super::guard::Fault;
use super::slots::{ATTESTATION, InSlot};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::token::piv::policy::PinPolicy;
use crate::token::piv::rules::{self, SlotKey};
use crate::token::piv::uri::{PivUri, Slot};
use crate::token::uri::TokenUri;
use crate::token::{Evidence, Key, KeyAttributes, KeyDescription, ObjectInfo, Wanted};
use crate::x509::PublicKey;

impl Piv {
    pub(super) fn key_by_id(&mut self, id: &[u8]) -> Result<Option<Key>> {
        let Some(slot) = slot_by_id(id) else { return Ok(None) };
        Ok(self.key_in(slot)?.map(|key| self.known(key)))
    }

    /// A key of ours is its slot.
    pub(super) fn known(&self, key: InSlot) -> Key {
        Key {
            handle: u64::from(key.slot.number()),
            label: label(key.slot),
            id: vec![key.slot.number()],
            always_authenticate: key.pin == PinPolicy::Always,
            public_key: key.public_key,
        }
    }

    pub(super) fn described(&mut self, wanted: &Wanted<'_>) -> Result<Vec<KeyDescription>> {
        let slots: Vec<Slot> = match wanted {
            Wanted::Id(id) => slot_by_id(id).into_iter().collect(),
            Wanted::Uri(TokenUri::Piv(PivUri { slot: Some(slot), .. })) => vec![*slot],
            Wanted::Uri(TokenUri::Piv(_)) => Slot::all().collect(),
            Wanted::Uri(TokenUri::Pkcs11(_)) => Vec::new(),
        };
        let mut found = Vec::new();
        for slot in slots {
            found.extend(self.key_in(slot)?.map(|key| KeyDescription {
                label: label(slot),
                id: vec![slot.number()],
                attributes: attributes(&key),
                told: Some(key.public_key.algorithm()),
                public_keys: vec![key.public_key],
            }));
        }
        Ok(found)
    }

    pub(super) fn judge_slot(
        &mut self,
        key: &KeyDescription,
        recorded: Option<&PublicKey>,
    ) -> Result<Vec<Finding>> {
        let slot = slot_by_id(&key.id);
        let told = match slot {
            Some(slot) => self.key_in(slot)?,
            None => None,
        };
        let told = told.map(|told| SlotKey {
            generated: told.generated,
            pin: told.pin,
            touch: told.touch,
            roots: told.slot == self.uri.root_slot(),
            firmware: self.firmware(),
            algorithm: told.public_key.algorithm(),
        });
        Ok(rules::judge_key(told.as_ref(), key, recorded))
    }

    /// What the YubiKey says of the key, and the certificate of the key that says so.
    pub(super) fn attestation(&mut self, key: &Key) -> Result<Option<Evidence>> {
        let Some(slot) = slot_by_id(&key.id) else { return Ok(None) };
        let what = format!("attesting slot {slot}");
        // A key that was brought in is not attested.
        let Some(told) = self.key_in(slot)?.filter(|key| key.generated) else { return Ok(None) };
        let id = SlotId::try_from(slot.number()).map_err(|e| explained(Fault::Told(e), &what))?;
        let certificate = self.call(|yubikey| piv::attest(yubikey, id)).map_err(|e| match e {
            Fault::Told(Yubikey::GenericError) => self.no_attestation(&what),
            e => self.at(explained(e, &what)),
        })?;
        let device = self.certificate(ATTESTATION, "certificate of slot f9")?;
        let device = device.ok_or_else(|| self.no_attestation("certificate of slot f9"))?;
        Ok(Some(Evidence {
            certificate: certificate.to_vec(),
            device,
            pin_policy: told.pin.to_string(),
            touch_policy: told.touch.to_string(),
        }))
    }

    fn no_attestation(&self, what: &str) -> Error {
        self.at(Error::token("token.attestation", format!("{what}: the YubiKey gives none")))
            .next("its attestation key (slot f9) was deleted or does not work: nobody can vouch for this YubiKey's keys")
    }

    pub(super) fn list_slots(&mut self) -> Result<Vec<ObjectInfo>> {
        let mut found = Vec::new();
        for slot in Slot::all() {
            let uri = PivUri {
                slot: Some(slot),
                journal: None,
                ..PivUri { serial: Some(self.key.serial().0), ..self.uri }
            };
            let info = |class: String, algorithm: String| ObjectInfo {
                class,
                label: label(slot),
                id: slot.to_string(),
                algorithm,
                uri: uri.to_string(),
            };
            // What cannot be read is shown as such: nothing there can spoil the list.
            match self.key_in(slot) {
                Ok(Some(key)) => {
                    let mut shown = info("private key".into(), key.public_key.algorithm().to_string());
                    let origin = if key.generated { "generated" } else { "imported" };
                    shown.label = format!("{}, {origin}, PIN {}, touch {}", shown.label, key.pin, key.touch);
                    found.push(shown);
                }
                Ok(None) => {}
                Err(e) if e.id == "token.removed" => return Err(e),
                Err(e) => found.push(info(format!("unreadable ({})", e.id), String::new())),
            }
            if self.certificate_in(slot)?.is_some() {
                found.push(info("certificate".into(), String::new()));
            }
        }
        Ok(found)
    }
}

pub(super) fn slot_of_key(key: &Key) -> Option<Slot> {
    slot_by_id(&key.id)
}

fn slot_by_id(id: &[u8]) -> Option<Slot> {
    match id {
        [number] => Slot::new(*number),
        _ => None,
    }
}

fn label(slot: Slot) -> String {
    format!("slot {slot}")
}

/// What is the same for every key in a YubiKey, and what its slot tells, in the terms of
/// PKCS#11.
fn attributes(key: &InSlot) -> KeyAttributes {
    KeyAttributes {
        sensitive: Some(true),
        extractable: Some(false),
        always_sensitive: Some(key.generated),
        never_extractable: Some(key.generated),
        local: Some(key.generated),
        private: Some(key.pin != PinPolicy::Never),
        token: Some(true),
        sign: Some(true),
        always_authenticate: Some(key.pin == PinPolicy::Always),
        ..KeyAttributes::default()
    }
}
