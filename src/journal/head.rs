//! A known head: how far the journal had come when somebody noted it down.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::text::shown;
use crate::x509::Digest;

/// How many lines, and the hash of the last of them. Kept in `state/head`, in the
/// token, in every release and on the printed sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of lines.
    pub count: u64,
    /// SHA-256 of the last line.
    pub hash: Digest,
}

/// How a journal stands to a known head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Exactly there.
    Same,
    /// It holds the head and goes on after it.
    Ahead,
}

impl Head {
    /// Reads the JSON that [`Head::to_json`] writes.
    pub fn from_json(place: &str, bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|e| {
            Error::integrity(
                "journal.head-unreadable",
                format!("{place}: not a journal head ({})", shown(&e.to_string())),
            )
        })
    }

    /// One line of JSON with its newline.
    pub fn to_json(self) -> Vec<u8> {
        format!("{{\"count\":{},\"hash\":\"{}\"}}\n", self.count, self.hash).into_bytes()
    }

    /// Compares with a journal, given as the hash of its line number `count - 1`
    /// and its own number of lines.
    pub fn compare(self, place: &str, lines: u64, hash_there: Option<Digest>) -> Result<Standing> {
        if lines < self.count {
            return Err(Error::integrity(
                "journal.behind",
                format!("the journal ends at line {lines}, but {place} knows {} lines: it was cut short or replaced by an older copy", self.count),
            )
            .next("stop the ceremony; find the newer copy, such as the last export, and `anchorite audit restore` it"));
        }
        if hash_there != Some(self.hash) {
            return Err(Error::integrity(
                "journal.unlike",
                format!(
                    "the journal's line {} is not the one that {place} knows ({})",
                    self.count, self.hash
                ),
            )
            .next("stop the ceremony; this is another journal, or it was rewritten"));
        }
        Ok(if lines == self.count { Standing::Same } else { Standing::Ahead })
    }
}
