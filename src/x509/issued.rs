//! What is known of a certificate once the root was asked to sign it.

use serde::{Deserialize, Serialize};

use super::{Digest, Name, Revocation, Serial, Time};

/// How far a certificate came. Everything but `Released` may still exist
/// somewhere: an open intent counts as issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// On record as about to be signed; the outcome is not known.
    Open,
    /// An open intent that the operator settled: its serial is burnt, it was never released.
    Burnt,
    /// Signed and on record, not yet released.
    Signed,
    /// Verified and released.
    Released,
}

/// A certificate as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject, byte for byte.
    pub subject: Name,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: Digest,
    /// The cluster it was signed for; `None` for the root's own and the journal's.
    pub cluster: Option<String>,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// How far it came.
    pub status: Status,
    /// The CRL that its own key signed, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<OwnCrl>,
    /// What CRLs say of it, where it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

/// The CRL of an intermediate, which its cluster signed beforehand: empty, so that
/// nothing is known of it but when it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnCrl {
    /// SHA-256 of its DER.
    pub digest: Digest,
    /// cRLNumber
    pub number: u64,
    /// nextUpdate
    pub next_update: Time,
}
