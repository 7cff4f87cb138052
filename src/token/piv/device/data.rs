//! What is kept beside the keys: the journal's head, and the certificates.

use super::Piv;
use super::keys::slot_of_key;
use crate::error::Result;
use crate::token::Key;

/// Objects from 5F0000 to 5FFFFF are free but for the standard's own (5FC1xx) and
/// Yubico's (5FFFxx): <https://docs.yubico.com/yesdk/users-manual/application-piv/piv-objects.html>.
/// Ours are 5F61xx, where xx is the slot of the root's key, so that two homes on one
/// YubiKey have one each.
const HEADS: u32 = 0x5f_6100;

const WHAT: &str = "journal head";

const NOT_KEPT: &str = "note: without the management key the YubiKey does not keep the journal's head: only the printed sheet \
     tells of an older copy of the home; --mgm-key-file, or a management key under the PIN, lets it";
const NOT_FILED: &str = "note: without the management key the certificate is not written to its slot; give --mgm-key-file another time";

impl Piv {
    /// One object, written as a whole: either the old one is there or the new one.
    pub(super) fn keep(&mut self, label: &str, value: &[u8]) -> Result<bool> {
        if !self.has_management_key()? {
            self.tell_once(NOT_KEPT);
            return Ok(false);
        }
        self.authenticate()?;
        let bytes = [label.as_bytes(), b"\n", value].concat();
        self.put(self.head_object(), bytes, WHAT).map_err(|e| self.at(e))?;
        Ok(true)
    }

    /// Empty where another home's lies there.
    pub(super) fn kept(&mut self, label: &str) -> Result<Vec<Vec<u8>>> {
        let object = self.head_object();
        let bytes = self.object(object, WHAT).map_err(|e| self.at(e))?.unwrap_or_default();
        let value = bytes.strip_prefix(label.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
        Ok(value.map(<[u8]>::to_vec).into_iter().collect())
    }

    /// Puts a key's certificate into its slot, where other software looks for it.
    pub(super) fn file_certificate(&mut self, key: &Key, der: &[u8]) -> Result<bool> {
        let Some(slot) = slot_of_key(key) else { return Ok(false) };
        if !self.has_management_key()? {
            self.tell_once(NOT_FILED);
            return Ok(false);
        }
        if self.certificate_in(slot)?.as_deref() == Some(der) {
            return Ok(true);
        }
        self.authenticate()?;
        self.put_certificate(slot, der).map_err(|e| self.at(e))?;
        Ok(true)
    }

    fn head_object(&self) -> u32 {
        HEADS | u32::from(self.uri.root_slot().number())
    }
}
