//! The management key, which lets keys be made and objects be written: from a file,
//! kept under the PIN, or still the factory's.

use secrecy::ExposeSecret as _;
use yubikey::{Error as Yubikey, MgmAlgorithmId, MgmKey};

use super::errors::explained;
use super::guard::Fault;
use super::slots::{cipher, member};
use super::{Piv, state};
use crate::error::{Error, Result};

/// The same in every YubiKey that leaves the factory, printed in every handbook.
const FACTORY: [u8; 24] = [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// Yubico's PIVMAN data: flags, and whether the key lies under the PIN, as ykman and
/// yubico-piv-tool write them.
const ADMIN_DATA: u32 = 0x5f_ff00;
const KEPT_UNDER_PIN: u8 = 0x02;

const WHAT: &str = "management key";

const FACTORY_WARNING: &str = "WARNING: the management key is the factory's, which everybody knows: whoever has this YubiKey \
     can overwrite the root's key with another. Change it: `ykman piv access change-management-key --protect --generate`";

impl Piv {
    /// Shows the management key to the card. The card forgets it with the next reset.
    pub(super) fn authenticate(&mut self) -> Result<()> {
        let key = self.management_key()?.ok_or_else(|| {
            self.at(Error::token("token.management-key", "the management key is needed, and is neither the factory's nor kept under the PIN"))
                .next("give --mgm-key-file with the key in hexadecimal; or keep it under the PIN: `ykman piv access change-management-key --protect`")
        })?;
        self.call(|yubikey| yubikey.authenticate(&key)).map_err(|e| match e {
            Fault::Told(Yubikey::AuthenticationError) => self
                .at(Error::token("token.management-key", "the management key is not this YubiKey's"))
                .next("check which key belongs to this YubiKey; a wrong one may be tried again"),
            e => self.at(explained(e, "showing the management key")),
        })
    }

    /// Whether there is a management key to show, without showing it.
    pub(super) fn has_management_key(&mut self) -> Result<bool> {
        Ok(self.management_key()?.is_some())
    }

    fn management_key(&mut self) -> Result<Option<MgmKey>> {
        let metadata = self.metadata(state::MANAGEMENT, WHAT)?;
        let cipher = metadata.as_ref().and_then(cipher).ok_or_else(|| {
            self.at(Error::token("token.answer", "the card does not tell the kind of its management key"))
        })?;
        if let Some(given) = &self.options.management_key {
            return self.read_key(given.expose_secret(), cipher).map(Some);
        }
        if self.pin.is_some() && self.kept_under_pin()? {
            self.verify_pin().map_err(|e| self.at(e))?;
            let kept = self.call(MgmKey::get_protected);
            return kept.map(Some).map_err(|e| self.at(explained(e, "the management key under the PIN")));
        }
        if metadata.is_some_and(|told| told.default == Some(true)) {
            self.tell_once(FACTORY_WARNING);
            return self.read_key(&FACTORY, cipher).map(Some);
        }
        Ok(None)
    }

    fn read_key(&self, bytes: &[u8], cipher: MgmAlgorithmId) -> Result<MgmKey> {
        MgmKey::from_bytes(bytes, Some(cipher)).map_err(|_| {
            let (name, wanted) = match cipher {
                MgmAlgorithmId::ThreeDes => ("3DES", 24),
                MgmAlgorithmId::Aes128 => ("AES-128", 16),
                MgmAlgorithmId::Aes192 => ("AES-192", 24),
                MgmAlgorithmId::Aes256 => ("AES-256", 32),
            };
            let message = format!(
                "the management key has {} bytes; this YubiKey's is {name}, of {wanted}",
                bytes.len()
            );
            self.at(Error::token("token.management-key", message))
                .next("check which key belongs to this YubiKey")
        })
    }

    fn kept_under_pin(&mut self) -> Result<bool> {
        let Some(data) = self.object(ADMIN_DATA, "administration data")? else { return Ok(false) };
        let flags = member(&data, 0x80).and_then(|data| member(data, 0x81));
        Ok(flags.and_then(<[u8]>::first).is_some_and(|flags| flags & KEPT_UNDER_PIN != 0))
    }
}
