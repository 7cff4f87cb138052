//! Reading a journal: every line, every hash, every sequence. Pure.

use std::io::{BufRead, Read as _};

use super::index::Index;
use super::{Entry, Event, Ledger, Purpose, sealed_index};
use crate::error::{Error, Result};
use crate::x509::Digest;

/// No line is longer: a plan's with ten thousand refusals takes three megabytes.
const LINE_MAXIMUM: u64 = 256 << 20;

/// A journal replayed.
#[derive(Debug)]
pub struct Replay {
    /// What it adds up to.
    pub ledger: Ledger,
    /// A last line that a crash left without its newline.
    pub torn: Vec<u8>,
    /// The hash of each line that was read, so that any known head can be compared.
    pub(super) hashes: Vec<Digest>,
}

/// Replays a whole journal and shows each entry to `each`. The first fault ends it.
pub fn replay(bytes: &[u8], each: impl FnMut(&Entry, &Ledger) -> Result<()>) -> Result<Replay> {
    replay_lines(bytes, each)
}

/// The same, line by line from a file: no more of it is in memory than what it adds up to.
pub fn replay_lines(lines: impl BufRead, each: impl FnMut(&Entry, &Ledger) -> Result<()>) -> Result<Replay> {
    replay_on(Ledger::default(), lines, each)
}

/// Replays the lines that follow an index. The first of them must be the seal
/// that vouches for it.
pub fn replay_after(
    index: &Index,
    start: Ledger,
    lines: impl BufRead,
    mut each: impl FnMut(&Entry, &Ledger) -> Result<()>,
) -> Result<Replay> {
    let first = start.count();
    let replayed = replay_on(start, lines, |entry, ledger| {
        let vouches = matches!(&entry.event, Event::Intent { purpose: Purpose::Seal, message, .. }
            if sealed_index(&message.0) == Some(index.digest()));
        if entry.seq == first && !vouches {
            return Err(unvouched());
        }
        each(entry, ledger)
    })?;
    // Its signature is in the next line, or the seal is still open.
    if replayed.ledger.seal().is_none_or(|seal| seal.count < first + 2) {
        Err(unvouched())
    } else {
        Ok(replayed)
    }
}

fn unvouched() -> Error {
    Error::integrity("journal.index", "no seal vouches for the index of the lines before")
}

fn replay_on(
    mut ledger: Ledger,
    mut lines: impl BufRead,
    mut each: impl FnMut(&Entry, &Ledger) -> Result<()>,
) -> Result<Replay> {
    let mut hashes = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.by_ref().take(LINE_MAXIMUM).read_until(b'\n', &mut line).map_err(|e| {
            Error::usage("file.unreadable", format!("journal line {}: {e}", ledger.count() + 1))
                .next("see that its disk is sound")
        })?;
        let Some(whole) = line.strip_suffix(b"\n") else { break };
        let entry = Entry::from_line(ledger.count(), whole)?;
        // Shown before it is applied, so that an audit sees what it refers to.
        each(&entry, &ledger)?;
        ledger.apply(&entry, whole)?;
        hashes.push(ledger.head());
    }
    if ledger.count() == 0 {
        return Err(Error::integrity("journal.empty", "the journal holds no whole line")
            .next("a new home's journal holds one; restore it from a release"));
    }
    Ok(Replay { ledger, torn: line, hashes })
}

impl Replay {
    /// The hash of the line that ends a journal of `count` lines, where it was read.
    pub fn hash_at(&self, count: u64) -> Option<Digest> {
        let first = self.ledger.count().checked_sub(self.hashes.len() as u64)?;
        let index = usize::try_from(count.checked_sub(first + 1)?).ok()?;
        self.hashes.get(index).copied()
    }

    /// Whether these are the lines after the first `count`, each with its hash, all of which
    /// were read; one that a crash left unfinished may follow.
    pub(super) fn are_after(&self, count: u64, bytes: &[u8]) -> bool {
        let lines = bytes.split_inclusive(|b| *b == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        let wanted = (count + 1..=self.ledger.count()).map(|count| self.hash_at(count));
        lines.map(|line| Some(Digest::of(line))).eq(wanted)
    }

    /// Whether a line that was read has this hash.
    pub fn holds(&self, head: &Digest) -> bool {
        self.hashes.contains(head)
    }
}
