//! Reading a whole journal: every line, every hash, every sequence. Pure.

use super::{Entry, Ledger};
use crate::error::{Error, Result};
use crate::x509::Digest;

/// A journal replayed from its bytes.
#[derive(Debug)]
pub struct Replay {
    /// What it adds up to.
    pub ledger: Ledger,
    /// How many bytes the whole lines take.
    pub whole: u64,
    /// A last line that a crash left without its newline.
    pub torn: Vec<u8>,
    /// The hash of each line, so that any known head can be compared.
    pub hashes: Vec<Digest>,
}

/// Replays a journal and shows each entry to `each`. The first fault ends it.
pub fn replay(bytes: &[u8], mut each: impl FnMut(&Entry, &Ledger) -> Result<()>) -> Result<Replay> {
    let mut ledger = Ledger::default();
    let mut hashes = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|b| *b == b'\n') {
        let (line, after) = rest.split_at(end);
        let entry = Entry::from_line(ledger.count(), line)?;
        // Shown before it is applied, so that an audit sees what it refers to.
        each(&entry, &ledger)?;
        ledger.apply(&entry, line)?;
        hashes.push(ledger.head());
        rest = after.get(1..).unwrap_or_default();
    }
    if ledger.count() == 0 {
        return Err(Error::integrity("journal.empty", "the journal holds no whole line")
            .next("a new home's journal holds one; restore it from a release"));
    }
    let whole = (bytes.len() - rest.len()) as u64;
    Ok(Replay { ledger, whole, torn: rest.to_vec(), hashes })
}

impl Replay {
    /// The hash of the line that ends a journal of `count` lines.
    pub fn hash_at(&self, count: u64) -> Option<Digest> {
        let index = usize::try_from(count.checked_sub(1)?).ok()?;
        self.hashes.get(index).copied()
    }
}
