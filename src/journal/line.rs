//! What a line is by itself, whatever stands before it: read beside others, on all cores.

use super::{Entry, Event};
use crate::error::Result;
use crate::x509::Digest;
use crate::x509::certificate::Facts;

/// A line, read.
#[derive(Debug)]
pub(super) struct Line {
    pub entry: Entry,
    pub digested: Digested,
}

impl Line {
    /// Reads a line without its newline; refuses one that is not canonical.
    pub fn read(number: u64, line: &[u8]) -> Result<Self> {
        let entry = Entry::from_line(number, line)?;
        let digested = Digested::of(&entry, line);
        Ok(Self { entry, digested })
    }
}

/// What the ledger needs of a line besides its entry.
#[derive(Debug)]
pub(super) struct Digested {
    pub hash: Digest,
    /// Its newline included.
    pub length: u64,
    /// What the certificate says that it asks for, if it does.
    pub facts: Option<Result<Facts>>,
}

impl Digested {
    /// Of an entry and its exact bytes without the newline.
    pub fn of(entry: &Entry, line: &[u8]) -> Self {
        let facts = match &entry.event {
            Event::Intent { purpose, message, .. } if purpose.is_certificate() => {
                Some(Facts::from_tbs(&message.0))
            }
            _ => None,
        };
        Self { hash: Digest::of(line), length: line.len() as u64 + 1, facts }
    }
}
