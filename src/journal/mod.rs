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
#[cfg(test)]
mod properties;
mod read;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use consent::Consent;
pub use entry::{Bytes, Entry, Event, GENESIS, Purpose, RefusedRequest, RootDecision};
pub use file::{CertificateIntent, FILE as JOURNAL_FILE, Journal};
pub use head::{Head, Standing};
pub use ledger::{IntentRecord, KeyRecord, Ledger, PlanState, Seal};
#[cfg(test)]
pub(crate) use permit::testing;
pub use permit::{KeyPermit, KeyRole, Permit};
pub use read::{Replay, replay};

use crate::x509::{Digest, Time};

/// What a seal signs: how many lines there are, the hash of the last of them, and
/// the time of the seal's own two lines. It begins with a letter; all else that is
/// signed here is DER, of another first byte, so that neither can pose as the other.
pub fn seal_message(count: u64, head: Digest, time: Time) -> Vec<u8> {
    format!("anchorite journal seal v1\n{count}\n{head}\n{time}\n").into_bytes()
}
