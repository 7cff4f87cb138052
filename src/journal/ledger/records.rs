//! What a ledger keeps of keys, intents, plans and seals.

use std::collections::BTreeMap;

use crate::journal::{KeyRole, Purpose};
use crate::x509::{Digest, KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// A key of the home, as recorded.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// The kind of key.
    pub algorithm: KeyAlgorithm,
    /// CKA_LABEL
    pub label: String,
    /// CKA_ID
    pub id: Vec<u8>,
    /// Number of the intent.
    pub intent: u64,
    /// The public key, once made.
    pub public_key: Option<PublicKey>,
}

/// A signature asked for whose outcome is not recorded, or not yet released.
#[derive(Debug, Clone)]
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
    /// The exact bytes.
    pub message: Vec<u8>,
    /// The signature, once made.
    pub signature: Option<Vec<u8>>,
    /// The certificate's place in [`Ledger::certificates`].
    pub certificate: Option<usize>,
}

/// How far a plan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanState {
    /// Confirmed; not everything of it is released.
    Begun,
    /// Released: spent.
    Finished,
}

/// The last seal, with what it vouches for.
#[derive(Debug, Clone)]
pub struct Seal {
    /// Lines covered, its own included.
    pub count: u64,
    /// The documents pinned by then.
    pub(super) files: BTreeMap<String, Digest>,
}
