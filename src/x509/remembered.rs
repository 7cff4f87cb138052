//! Signatures that verified once in this process. A root's over itself is asked about with
//! every certificate, and each other one when it comes in, is filed and is released.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

/// So many are remembered: 2 MiB of them.
const MOST: usize = 1 << 16;

/// Questions that were answered with yes, each as the SHA-256 of all that decides it:
/// the same bytes give the same answer. What does not verify is not remembered.
pub struct Remembered(LazyLock<Mutex<HashSet<[u8; 32]>>>);

impl Remembered {
    /// Nothing yet.
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// Whether it holds: asked, unless it is known. `all` is everything that decides it.
    pub fn holds(&self, all: &[&[u8]], ask: impl FnOnce() -> bool) -> bool {
        let question = question(all);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&question) {
            return true;
        }
        let holds = ask();
        if holds {
            let mut known = known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(question);
        }
        holds
    }
}

/// Each part with its length: no two questions share one.
fn question(all: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in all {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_yes_is_remembered_and_only_for_the_very_same_parts() {
        let (remembered, asked) = (Remembered::new(), Cell::new(0));
        let holds = |all: &[&[u8]], answer| {
            remembered.holds(all, || {
                asked.set(asked.get() + 1);
                answer
            })
        };
        // What is asked, what the answer would be, what is told, and how often it was asked by then.
        let questions: [(&[&[u8]], bool, bool, usize); 6] = [
            (&[b"a", b"b"], false, false, 1),
            (&[b"a", b"b"], true, true, 2),
            (&[b"a", b"b"], false, true, 2),
            (&[b"ab"], false, false, 3),
            (&[b"", b"ab"], false, false, 4),
            (&[b"b", b"a"], false, false, 5),
        ];
        for (all, answer, told, times) in questions {
            assert_eq!((holds(all, answer), asked.get()), (told, times), "{all:?}");
        }
    }
}
