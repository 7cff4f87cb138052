//! What a token's maker says of a key, on record.

use serde::{Deserialize, Serialize};

use super::{Bytes, KeyRole};

/// What a token said of one of the home's keys, in its maker's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAttested {
    /// Which key of the home.
    pub role: KeyRole,
    /// DER: the attestation, and the certificate of the device's key that signed it.
    pub certificates: Vec<Bytes>,
    /// What they say, where they verify.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub facts: Option<AttestedFacts>,
    /// Why they do not, by the error's ID and in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
}

/// What a verified attestation says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedFacts {
    /// The issuer that was trusted.
    pub voucher: String,
    /// The device's serial number, where it tells it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub serial: Option<u32>,
    /// e.g. `5.7.4`
    pub firmware: String,
    /// `once`, `always`, …
    pub pin_policy: String,
    /// `never`, `always`, `cached`
    pub touch_policy: String,
    /// e.g. `USB-C keychain`
    pub form_factor: String,
}
