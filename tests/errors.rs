//! Bad input of every kind, through the binary: each refusal has its exit code and
//! its stable ID, says what was found and what to do next, and leaves nothing behind.

mod adopt;
mod cluster;
mod hangup;
mod home;
mod matrix;
pub mod misbehaving;
mod output;
mod plan;
mod record;
mod requests;
mod retype;
mod root;
mod stick;
pub mod terminal;
pub mod token;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anchorite::text::is_shown;
use anchorite::x509::Digest;

use crate::appliance::{Appliance, Ran};

/// What a refusal is to be: exit code, ID, and words of its message.
type Wanted<'a> = (i32, &'a str, &'a [&'a str]);

/// Demands a refusal with these words, a next step, and nothing that steers a terminal.
#[track_caller]
fn refused(ran: Ran, (code, id, words): Wanted<'_>) -> Ran {
    let ran = ran.fails(code, id);
    let error = ran.stderr.split("error: ").last().unwrap_or_default();
    for word in words {
        assert!(error.contains(word), "wanted '{word}' in:\n{error}");
    }
    let next = error.split("\n  next: ").nth(1).unwrap_or_default();
    assert!(!next.trim().is_empty(), "no next step in:\n{error}");
    printable(&ran);
    ran
}

/// As [`refused`], and home, sticks and keys are as they were, the token holds the same objects.
#[track_caller]
fn refused_without_trace(a: &Appliance, run: impl FnOnce() -> Ran, wanted: Wanted<'_>) -> Ran {
    let before = trace(a);
    let ran = refused(run(), wanted);
    let after = trace(a);
    let changed: Vec<&String> =
        before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name)).collect();
    assert_eq!(changed, Vec::<&String>::new(), "left behind; stderr:\n{}", ran.stderr);
    ran
}

/// Nothing but what [`is_shown`] lets pass, newlines, and what our own words use beyond it.
#[track_caller]
pub fn printable(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        for line in text.lines() {
            assert!(is_shown(&line.replace(['§', '…', '×'], "")), "{line:?} in\n{text}");
        }
    }
}

/// Every file of the home and the sticks with its digest; of the token, which keeps
/// count of tries, the names alone.
fn trace(a: &Appliance) -> BTreeMap<String, Option<Digest>> {
    let mut found = BTreeMap::new();
    for (folder, contents) in [("home", true), ("in", true), ("out", true), ("keys", true), ("hsm", false)] {
        walk(&a.path(folder), contents, &mut found);
    }
    found
}

fn walk(folder: &Path, contents: bool, found: &mut BTreeMap<String, Option<Digest>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned();
        // Larger than anything that is ours: a sparse file that would be read for minutes.
        let ours = entry.metadata().unwrap().len() < 64 << 20;
        let read = contents && kind.is_file() && entry.file_name() != "lock" && ours;
        found.insert(name, read.then(|| Digest::of(&std::fs::read(&path).unwrap())));
        if kind.is_dir() {
            walk(&path, contents, found);
        }
    }
}

impl Appliance {
    /// A path as an argument.
    fn arg(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    /// Copies of the home and the token, to come back to.
    fn keep(&self) {
        for part in ["home", "hsm"] {
            crate::appliance::copy(&self.path(part), &self.path(&format!("kept-{part}")));
        }
    }

    /// Back to what was kept.
    fn put_back(&self) {
        for part in ["home", "hsm"] {
            std::fs::remove_dir_all(self.path(part)).unwrap();
            crate::appliance::copy(&self.path(&format!("kept-{part}")), &self.path(part));
        }
    }

    /// Replaces text in a file of the appliance; it must be there.
    #[track_caller]
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} holds no {from:?}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// OpenSSL in the appliance's folder.
    fn openssl(&self, args: &[&str]) {
        crate::support::run(self.dir.path(), "openssl", args);
    }
}
