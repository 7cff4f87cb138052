//! The documents that govern a home, and their digests.

use std::collections::BTreeMap;
use std::path::Path;

use super::NewHome;
use crate::error::{Error, Result};
use crate::journal::JOURNAL_FILE;
use crate::media::durable::{self, Lock};
use crate::policy::{Config, DEFAULT_REGISTER, PolicySet, SHIPPED, render_default};
use crate::text::{shown, shown_bytes, shown_path};
use crate::x509::Digest;

/// No document is larger.
const LIMIT: u64 = 4 << 20;
const CONFIG: &str = "anchorite.toml";
const REGISTER: &str = "clusters.toml";
const SIGNERS: &str = "allowed_signers";
/// There while `init` is at work: a folder with it and without a journal is not a home yet.
pub(super) const BEGUN: &str = "init-unfinished";
pub(super) const BEGUN_TEXT: &[u8] =
    b"anchorite init broke off here; where there is no journal, run it again\n";

/// The documents' bytes by name, each read once.
#[derive(Debug)]
pub struct Documents(BTreeMap<String, Vec<u8>>);

impl Documents {
    /// Reads all of them.
    pub fn read(dir: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for name in [CONFIG, REGISTER] {
            let bytes = durable::read_bounded(&dir.join(name), LIMIT).map_err(gone)?;
            files.insert(name.to_string(), bytes);
        }
        if dir.join(SIGNERS).exists() {
            files.insert(SIGNERS.into(), durable::read_bounded(&dir.join(SIGNERS), LIMIT)?);
        }
        for name in policy_names(dir)? {
            let path = format!("policies/{name}");
            files.insert(path.clone(), durable::read_bounded(&dir.join(&path), LIMIT)?);
        }
        Ok(Self(files))
    }

    /// The bytes by name.
    pub(super) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.0
    }

    /// SHA-256 of each.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.0.iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect()
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config> {
        Config::parse(CONFIG, self.text(CONFIG)?)
    }

    /// Policies and register.
    pub fn policies(&self) -> Result<PolicySet> {
        let names = self.0.keys().filter(|name| name.starts_with("policies/"));
        let profiles = names.map(|name| Ok((name, self.text(name)?))).collect::<Result<Vec<_>>>()?;
        PolicySet::parse(profiles, (REGISTER, self.text(REGISTER)?))
    }

    fn text(&self, name: &str) -> Result<&str> {
        str::from_utf8(self.0.get(name).map(Vec::as_slice).unwrap_or_default()).map_err(|_| {
            Error::usage("file.not-utf8", format!("{name}: is not UTF-8 text")).next("save it as UTF-8")
        })
    }
}

/// How documents with these digests differ from the pinned ones, a sentence each.
pub(super) fn compare(here: &BTreeMap<String, Digest>, pinned: &BTreeMap<String, Digest>) -> Vec<String> {
    let differs = |(name, digest): (&String, &Digest)| match pinned.get(name) {
        None => Some(format!("{} is new and not in force", shown(name))),
        Some(p) if p != digest => {
            Some(format!("{} was edited: its SHA-256 is {digest}, pinned is {p}", shown(name)))
        }
        Some(_) => None,
    };
    let gone = pinned.keys().filter(|name| !here.contains_key(*name));
    here.iter().filter_map(differs).chain(gone.map(|name| format!("{} is gone", shown(name)))).collect()
}

/// A document without which nothing can be decided; the journal knows that it was there.
fn gone(error: Error) -> Error {
    match error.id {
        "file.missing" | "file.not-regular" => Error::integrity("home.edited", error.message)
            .next("put it back from a backup or an export; its SHA-256 is on record"),
        _ => error,
    }
}

fn policy_names(dir: &Path) -> Result<Vec<String>> {
    let folder = dir.join("policies");
    let unreadable = |e: std::io::Error| {
        Error::usage("home.policies", format!("{}: cannot be read ({e})", shown_path(&folder)))
            .next("put the folder back from a backup or an export")
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let Some(text) = name.to_str().filter(|n| shown(n) == *n) else {
            return Err(Error::usage(
                "home.policies",
                format!("{}: odd file name {}", shown_path(&folder), shown_bytes(name.as_encoded_bytes())),
            )
            .next("name policies with letters, digits and hyphens, ending in .toml"));
        };
        if text.ends_with(".toml") {
            names.push(text.to_string());
        }
    }
    names.sort();
    Ok(names)
}

/// `init` never writes into a folder that holds anything, but for what an `init` that
/// broke off left there.
pub(super) fn require_empty(dir: &Path) -> Result<()> {
    if dir.join(BEGUN).exists() && !dir.join("journal").join(JOURNAL_FILE).exists() {
        return Ok(());
    }
    let temporary = |entry: std::io::Result<std::fs::DirEntry>| {
        Ok(entry?.file_name().to_str().is_some_and(durable::is_temporary))
    };
    match std::fs::read_dir(dir)
        .and_then(|entries| entries.map(temporary).collect::<std::io::Result<Vec<bool>>>())
    {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::usage("home.unreadable", format!("{}: cannot be read ({e})", shown_path(dir)))
            .next("give a folder that does not exist yet")),
        Ok(entries) if entries.iter().all(|temporary| *temporary) => Ok(()),
        Ok(_) => Err(Error::usage("home.not-empty", format!("{}: exists and is not empty", shown_path(dir)))
            .next("give a folder that does not exist yet; a home is never overwritten")),
    }
}

pub(super) fn write_initial(dir: &Path, new: &NewHome<'_>) -> Result<()> {
    let config = render_default(new.token, new.module, new.module_args, new.unattended, new.rehearsal);
    Config::parse(CONFIG, &config)?;
    durable::write_atomic(dir, CONFIG, config.as_bytes(), 0o600)?;
    durable::write_atomic(dir, REGISTER, DEFAULT_REGISTER.as_bytes(), 0o600)?;
    for (name, text) in SHIPPED {
        let name = name.strip_prefix("policies/").unwrap_or(name);
        durable::write_atomic(&dir.join("policies"), name, text.as_bytes(), 0o600)?;
    }
    Ok(())
}

pub(super) fn lock(dir: &Path) -> Result<Lock> {
    // A release has a journal/ too, and nothing may be written into it; a home that
    // lost its journal/ or its state/ is still one.
    if !dir.join("state").is_dir() && !dir.join(CONFIG).exists() {
        return Err(Error::usage("home.missing", format!("{}: is not a CA home (no state/ and no anchorite.toml in it)", shown_path(dir)))
            .next("name the home with --home DIR or ANCHORITE_HOME, or make one with `anchorite init DIR --token URI`"));
    }
    durable::lock_exclusive(&dir.join("lock"))
}
