//! What a ledger keeps of keys, intents, plans and seals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::journal::{Companion, KeyRole, Purpose, RootCourse, base64};
use crate::x509::{Digest, KeyAlgorithm, PublicKey, Serial, SignatureAlgorithm, Time};

/// A key of the home, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The kind of key.
    pub algorithm: KeyAlgorithm,
    /// CKA_LABEL
    pub label: String,
    /// CKA_ID
    #[serde(with = "base64")]
    pub id: Vec<u8>,
    /// Number of the intent.
    pub intent: u64,
    /// The public key, once made.
    pub public_key: Option<PublicKey>,
}

/// A signature asked for whose outcome is not recorded, or not yet released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentRecord {
    /// What for.
    pub purpose: Purpose,
    /// By which key.
    pub role: KeyRole,
    /// With which algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The plan it belongs to.
    pub plan: Option<Digest>,
    /// SHA-256 of the request it answers.
    pub request: Option<Digest>,
    /// The policy that granted it.
    pub policy: Option<String>,
    /// SHA-256 of the number that its session knows, until there is an outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commitment: Option<Digest>,
    /// The exact bytes.
    #[serde(with = "base64")]
    pub message: Vec<u8>,
    /// The signature, once made.
    #[serde(with = "base64::option")]
    pub signature: Option<Vec<u8>>,
    /// The serial, where the bytes are a certificate's.
    pub certificate: Option<Serial>,
}

/// The root's CRL that was signed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlRecord {
    /// cRLNumber
    pub number: u64,
    /// SHA-256 of its DER.
    pub digest: Digest,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate
    pub next_update: Time,
    /// How many certificates it lists.
    pub entries: u64,
}

/// How far a plan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanState {
    /// Confirmed; not everything of it is released.
    Begun,
    /// Released: spent.
    Finished,
}

/// The last seal, with what it vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Lines covered, its own included.
    pub count: u64,
    /// The documents pinned by then.
    pub(super) files: BTreeMap<String, Digest>,
    /// The other roots on record by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) companions: Vec<Companion>,
    /// Where the root stood by then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) course: RootCourse,
}

pub(super) fn is_default(course: &RootCourse) -> bool {
    *course == RootCourse::default()
}
