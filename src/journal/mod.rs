//! The tamper-evident journal: on record before it exists.
//!
//! [`Entry`] is a line, [`Ledger`] what the lines add up to (both pure),
//! [`Journal`] the file. Only [`Journal`] makes permits, and only after the
//! intent is on disk.

mod attested;
mod base64;
mod consent;
mod course;
mod entry;
mod file;
mod head;
mod index;
mod ledger;
mod line;
mod past;
mod permit;
#[cfg(test)]
mod properties;
mod read;
#[cfg(test)]
pub(crate) mod sample;
mod secret;
mod store;
#[cfg(test)]
mod tests;
mod usual;

pub use attested::{AttestedFacts, KeyAttested};
pub use consent::Consent;
pub use course::{Emitted, Rollover, RootCourse, Side, Stage};
pub use entry::{
    Bytes, CertifiedCrl, ClusterCrl, Companion, Entry, Event, GENESIS, Purpose, RefusedRequest,
    RevokedCertificate, RootAdoption, RootDecision,
};
pub use file::{CertificateIntent, FILE as JOURNAL_FILE, Journal, READ_WHOLE};
pub use head::{Head, Standing};
pub use index::{Index, Update, find, update};
pub use ledger::{CrlRecord, IntentRecord, KeyRecord, Ledger, PlanState, RECOVERED, Seal};
pub use past::Past;
#[cfg(test)]
pub(crate) use permit::testing;
pub use permit::{KeyPermit, KeyRole, Permit};
pub use read::{Replay, replay, replay_after, replay_lines};
pub use secret::commitment;
pub use store::{INDEX_FILE, check_index};

use crate::x509::{Digest, Time};

/// What a seal signs: how many lines there are, the hash of the last of them, the
/// time of the seal's own two lines, and the SHA-256 of the index of those lines,
/// where one was made. It begins with a letter; all else that is signed here is DER,
/// of another first byte, so that neither can pose as the other.
pub fn seal_message(count: u64, head: Digest, time: Time, index: Option<Digest>) -> Vec<u8> {
    let index = index.map(|digest| format!("index {digest}\n")).unwrap_or_default();
    format!("anchorite journal seal v1\n{count}\n{head}\n{time}\n{index}").into_bytes()
}

/// The index that a seal's message names.
pub fn sealed_index(message: &[u8]) -> Option<Digest> {
    let last = message.strip_suffix(b"\n")?.rsplit(|b| *b == b'\n').next()?;
    Digest::parse(std::str::from_utf8(last.strip_prefix(b"index ")?).ok()?)
}
