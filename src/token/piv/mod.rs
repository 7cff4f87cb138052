//! A YubiKey's PIV application, over PC/SC, without a module in between (NIST
//! SP 800-73-4; <https://developers.yubico.com/PIV/Introduction/Yubico_extensions.html>).
//!
//! PIV knows slots where PKCS#11 knows objects: a key is named by its slot's number,
//! one byte, which stands where a CKA_ID does. It has neither labels nor sessions, and
//! holds one certificate a slot.

pub mod flaws;
pub mod policy;
pub mod rules;
pub mod uri;

#[cfg(feature = "piv")]
mod device;

use secrecy::SecretSlice;

use self::policy::{PinPolicy, TouchPolicy};
use self::uri::PivUri;
use super::{Token, TokenInfo};
use crate::error::Result;

/// How a YubiKey is to be used.
pub struct Options {
    /// The management key, where it is neither kept under the PIN nor the factory's.
    pub management_key: Option<SecretSlice<u8>>,
    /// Of the root's key, when it is made.
    pub pin_policy: PinPolicy,
    /// Of the root's key, when it is made.
    pub touch_policy: TouchPolicy,
    /// Told what the person at the YubiKey has to know or to do now.
    pub tell: Box<dyn Fn(&str) + Send>,
}

/// Opens the one YubiKey that the URI means.
#[cfg(feature = "piv")]
pub fn open(uri: &PivUri, options: Options) -> Result<Box<dyn Token>> {
    Ok(Box::new(device::Piv::open(*uri, options)?))
}

/// Every YubiKey that is plugged in.
#[cfg(feature = "piv")]
pub fn list() -> Result<Vec<TokenInfo>> {
    device::Piv::list()
}

/// Opens the one YubiKey that the URI means.
#[cfg(not(feature = "piv"))]
pub fn open(_: &PivUri, _: Options) -> Result<Box<dyn Token>> {
    Err(left_out())
}

/// Every YubiKey that is plugged in.
#[cfg(not(feature = "piv"))]
pub fn list() -> Result<Vec<TokenInfo>> {
    Err(left_out())
}

#[cfg(not(feature = "piv"))]
fn left_out() -> crate::error::Error {
    crate::error::Error::usage("token.piv", "this build was made without support for YubiKeys").next(
        "build it with the feature `piv`, which is there by default; or name the YubiKey by a PKCS#11 URI",
    )
}
