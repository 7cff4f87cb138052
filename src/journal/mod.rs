//! The tamper-evident journal: on record before it exists.
//!
//! [`Entry`] is a line, [`Ledger`] what the lines add up to (both pure),
//! [`Journal`] the file. Only [`Journal`] makes permits, and only after the
//! intent is on disk.

mod consent;
mod entry;
mod file;
mod head;
mod ledger;
mod permit;
mod read;

pub use consent::Consent;
pub use entry::{Bytes, Entry, Event, GENESIS, Purpose, RefusedRequest, RootDecision};
pub use file::{CertificateIntent, FILE as JOURNAL_FILE, Journal};
pub use head::{Head, Standing};
pub use ledger::{IntentRecord, KeyRecord, Ledger, PlanState, Seal};
#[cfg(test)]
pub(crate) use permit::testing;
pub use permit::{KeyPermit, KeyRole, Permit};
pub use read::{Replay, replay};

use crate::x509::Digest;

/// What a seal signs: how many lines there are and the hash of the last of them.
pub fn seal_message(count: u64, head: Digest) -> Vec<u8> {
    format!("anchorite journal seal v1\n{count}\n{head}\n").into_bytes()
}
