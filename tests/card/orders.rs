//! Orders, a line each: a command, which of its calls since the card was plugged in,
//! what to do. As in `tests/misbehaving/orders.rs`.
//!
//! ```text
//! SIGN 3 flip             the third call
//! SIGN 3- fail 0x6f00     the third and all that follow
//! VERIFY * slow 500       every call
//! ```
//!
//! Before the command: `wait` (until the file `go` is there), `slow MS`, `fail STATUS`,
//! `gone` (the card is taken out). After it: `lose STATUS` (it was done, and says that it
//! failed), `lose-gone`, and for all answers `flip` (their last bit), `cut N` (bytes at
//! the end), `empty`, `say N...` (these bytes instead). What else there is, is described
//! where it is done. The commands' names are in `piv`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::apdu::Answer;
use crate::deed::{Deed, ordered};

/// Takes an order out of those that are still to be done.
pub fn take(deeds: &mut Vec<Deed>, word: &str) -> Option<Deed> {
    let at = deeds.iter().position(|deed| deed.word == word)?;
    Some(deeds.remove(at))
}

/// The card's folder: orders in, the record of calls out.
pub struct Orders {
    folder: PathBuf,
    calls: BTreeMap<&'static str, u64>,
}

impl Orders {
    pub fn new(folder: PathBuf) -> Self {
        note(&folder, "plugged in");
        Self { folder, calls: BTreeMap::new() }
    }

    /// Counts this call from 1, and does what was ordered to be done before it. The rest
    /// of its orders, or the status word that it fails with.
    pub fn before(&mut self, command: &'static str) -> Result<Vec<Deed>, u16> {
        let nth = self.calls.entry(command).or_default();
        *nth += 1;
        let nth = *nth;
        self.note(&format!("begin {command} {nth}"));
        let mut rest = Vec::new();
        for deed in ordered(&self.folder, command, nth) {
            match deed.word.as_str() {
                "wait" => self.wait("go"),
                "slow" => std::thread::sleep(Duration::from_millis(deed.number(0))),
                "fail" => return Err(status(&deed)),
                "gone" => self.gone(),
                _ => rest.push(deed),
            }
        }
        Ok(rest)
    }

    /// Spoils an answer as it was ordered.
    pub fn after(&self, rest: &[Deed], mut answer: Vec<u8>) -> Answer {
        for deed in rest {
            match deed.word.as_str() {
                "lose" => return Err(status(deed)),
                "lose-gone" => self.gone(),
                "flip" => answer.last_mut().map(|last| *last ^= 1).unwrap_or_default(),
                "cut" => answer.truncate(answer.len().saturating_sub(deed.number(0) as usize)),
                "empty" => answer.clear(),
                "say" => answer = deed.bytes(),
                _ => panic!("order: nothing is known of `{}` here", deed.word),
            }
        }
        Ok(answer)
    }

    /// Notes how a call ended.
    pub fn end(&self, command: &'static str, answer: &Answer) {
        let status = answer.as_ref().err().copied().unwrap_or(crate::apdu::status::OK);
        self.note(&format!("end {command} {} 0x{status:04x}", self.nth(command)));
    }

    /// Notes what was really done: a key or a signature made.
    pub fn made(&self, command: &'static str, what: &str) {
        self.note(&format!("made {command} {} {what}", self.nth(command)));
    }

    pub fn note(&self, line: &str) {
        note(&self.folder, line);
    }

    /// Whether the key is touched within 15 seconds: by the file `touch`, which is then
    /// gone, or by an order: `TOUCH 1 after MS`, `TOUCH 1 refuse`.
    pub fn touched(&mut self) -> bool {
        let Ok(deeds) = self.before("TOUCH") else { return false };
        match deeds.first() {
            Some(deed) if deed.word == "after" => {
                std::thread::sleep(Duration::from_millis(deed.number(0)));
                return true;
            }
            Some(deed) if deed.word == "refuse" => return false,
            Some(deed) => panic!("order: nothing is known of `{}` here", deed.word),
            None => {}
        }
        let file = self.folder.join("touch");
        for _ in 0..15_000 / 5 {
            if std::fs::remove_file(&file).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// The card is taken out: its process ends, and with it the connection.
    fn gone(&self) -> ! {
        self.note("gone");
        std::process::exit(0)
    }

    fn nth(&self, command: &str) -> u64 {
        self.calls.get(command).copied().unwrap_or_default()
    }

    fn wait(&self, file: &str) {
        while !self.folder.join(file).exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn status(deed: &Deed) -> u16 {
    u16::try_from(deed.number(0)).expect("order: a status word")
}

/// One line, whole, whoever else writes.
fn note(folder: &std::path::Path, line: &str) {
    let file = File::options().create(true).append(true).open(folder.join("calls"));
    file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).expect("`calls` can be written");
}
