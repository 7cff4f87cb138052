//! Reading a journal: every line, every hash, every sequence. Pure.

use std::io::{BufRead, Read as _};

use super::index::Index;
use super::line::Line;
use super::{Entry, Event, Ledger, Purpose, sealed_index};
use crate::cores::{InOrder, beside};
use crate::error::{Error, Result};
use crate::x509::Digest;

/// No line is longer: a plan's with ten thousand refusals takes three megabytes.
const LINE_MAXIMUM: u64 = 256 << 20;

/// How many bytes of lines are read together, beside others: many times what handing them
/// over costs. A journal that has no more is read on one core. (In tests a few: so that a few
/// lines make many blocks.)
const BLOCK: usize = if cfg!(any(test, fuzzing)) { 2 << 10 } else { 64 << 10 };

/// A little less than a line has on average.
const USUAL_LINE: usize = 512;

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
    let (mut hashes, mut number) = (Vec::new(), ledger.count());
    let mut follow = |line: Line| {
        // Shown before it is applied, so that an audit sees what it refers to.
        each(&line.entry, &ledger)?;
        ledger.apply_digested(&line.entry, line.digested)?;
        hashes.push(ledger.head());
        Ok(())
    };
    let block = Block::read(&mut lines, &mut number)?;
    let torn = if block.is_last() {
        block.lines().try_for_each(|line| follow(line?))?;
        block.torn().to_vec()
    } else {
        replay_long(block, lines, number, follow)?
    };
    if ledger.count() == 0 {
        return Err(Error::integrity("journal.empty", "the journal holds no whole line")
            .next("a new home's journal holds one; restore it from a release"));
    }
    Ok(Replay { ledger, torn, hashes })
}

/// Lines follow one another while those after them are read on all cores. Gives the last
/// one if it is torn.
fn replay_long(
    first: Block,
    mut lines: impl BufRead,
    mut number: u64,
    mut follow: impl FnMut(Line) -> Result<()>,
) -> Result<Vec<u8>> {
    beside(|cores| {
        let mut ahead = InOrder::new(cores);
        let (mut last, mut size) = (None, 0);
        let mut next = Some(Ok(first));
        loop {
            // What cannot be read any more is told of once all before it has followed.
            match next.take() {
                Some(Ok(block)) if block.is_last() => last = Some(Ok(block)),
                Some(Ok(block)) => {
                    size += block.bytes.len();
                    ahead.put(move || {
                        let mut lines = Vec::with_capacity(block.bytes.len() / USUAL_LINE);
                        lines.extend(block.lines());
                        (block.bytes.len(), lines)
                    });
                }
                Some(Err(error)) => last = Some(Err(error)),
                None => {}
            }
            if last.is_some() || ahead.is_full() || size > LINE_MAXIMUM as usize {
                let Some((followed, lines)) = ahead.take() else { break };
                size -= followed;
                lines.into_iter().try_for_each(|line| follow(line?))?;
            }
            if last.is_none() {
                next = Some(Block::read(&mut lines, &mut number));
            }
        }
        let Some(last) = last.transpose()? else { return Ok(Vec::new()) };
        last.lines().try_for_each(|line| follow(line?))?;
        Ok(last.torn().to_vec())
    })
}

/// Some lines of a journal, one after another.
struct Block {
    /// The number of the first.
    number: u64,
    bytes: Vec<u8>,
}

impl Block {
    /// Reads some lines; fewer than asked for are the last ones. `number` is that of the
    /// next line.
    fn read(lines: &mut impl BufRead, number: &mut u64) -> Result<Self> {
        let mut block = Self { number: *number, bytes: Vec::new() };
        while block.bytes.len() < BLOCK {
            let before = block.bytes.len();
            lines.by_ref().take(LINE_MAXIMUM).read_until(b'\n', &mut block.bytes).map_err(|e| {
                Error::usage("file.unreadable", format!("journal line {}: {e}", *number + 1))
                    .next("see that its disk is sound")
            })?;
            if block.bytes.len() == before || !block.bytes.ends_with(b"\n") {
                break;
            }
            *number += 1;
        }
        Ok(block)
    }

    /// Whether no whole line follows.
    fn is_last(&self) -> bool {
        self.bytes.len() < BLOCK || !self.bytes.ends_with(b"\n")
    }

    fn lines(&self) -> impl Iterator<Item = Result<Line>> {
        let lines = self.bytes.split_inclusive(|b| *b == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        (self.number..).zip(lines).map(|(number, line)| Line::read(number, line))
    }

    /// A last line without its newline.
    fn torn(&self) -> &[u8] {
        let whole = self.bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        self.bytes.get(whole..).unwrap_or_default()
    }
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

#[cfg(test)]
mod tests;
