//! The index's files: `state/index.json`, and its pages and buckets in `state/index/`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Ledger;
use super::index::{Index, Part, update};
use super::past::Past;
use crate::error::{Error, Result};
use crate::media::durable;
use crate::text::shown_path;
use crate::x509::Digest;

/// The index in the home's `state/`, and in the part of a journal that a release carries.
pub const INDEX_FILE: &str = "index.json";
const PARTS: &str = "index";
const LIMIT: u64 = 1 << 30;

/// So many bytes of pages and buckets are kept for when they are asked for again.
const KEPT: usize = 4 << 20;

/// An index on disk. Every page and bucket is named by its digest and compared when read.
#[derive(Debug)]
pub(super) struct Store {
    state: PathBuf,
    pub index: Index,
    /// The bytes of `index.json`.
    pub bytes: Vec<u8>,
    /// Pages and buckets that were read: a session asks for the same few many times.
    kept: Mutex<HashMap<Digest, Part>>,
}

impl Store {
    /// What lies in `state/`, if it can be read. Whether a seal vouches for it is not
    /// known yet. Where something else than a file lies there, no new one could be written.
    pub fn open(state: &Path) -> Result<Option<Arc<Self>>> {
        let bytes = match durable::read_bounded(&state.join(INDEX_FILE), LIMIT) {
            Err(e) if e.id == "file.not-regular" => {
                return Err(
                    e.next("look at what lies there, and move it away: the next run makes the index anew")
                );
            }
            Err(_) => return Ok(None),
            Ok(bytes) => bytes,
        };
        let index = Index::read(&bytes).ok().filter(Index::is_current);
        Ok(index.map(|index| Arc::new(Self::of(state, index, bytes))))
    }

    /// Makes the index of everything that the ledger knows, on top of the one it
    /// stands on. The old one stays usable until the new one is whole.
    pub fn write(state: &Path, ledger: &Ledger, below: Option<&Self>) -> Result<Arc<Self>> {
        let load = |digest: &Digest| below.map_or(Ok(Part::default()), |store| store.part(digest));
        let update = update(ledger, below.map(|store| &store.index), load)?;
        let folder = state.join(PARTS);
        durable::ensure_dir(&folder, 0o700)?;
        for (digest, bytes) in &update.parts {
            durable::write_unsynced(&folder, &digest.to_string(), bytes, 0o600)?;
        }
        durable::sync(&folder)?;
        durable::write_atomic(state, INDEX_FILE, &update.index, 0o600)?;
        for digest in &update.stale {
            durable::remove(&folder.join(digest.to_string()))?;
        }
        if below.is_none() {
            // Those of an index that could not be built upon.
            let new: HashSet<Digest> = update.parts.iter().map(|(digest, _)| *digest).collect();
            let old = |name: &str| Digest::parse(name).is_some_and(|digest| !new.contains(&digest));
            durable::remove_all(&folder, old)?;
        }
        let index = Index::read(&update.index)?;
        Ok(Arc::new(Self::of(state, index, update.index)))
    }

    fn of(state: &Path, index: Index, bytes: Vec<u8>) -> Self {
        Self { state: state.to_path_buf(), index, bytes, kept: Mutex::default() }
    }

    fn part(&self, digest: &Digest) -> Result<Part> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = kept().get(digest) {
            return Ok(part.clone());
        }
        let part = self.read(digest)?;
        let mut kept = kept();
        if part.len().saturating_add(kept.values().map(|part| part.len()).sum()) > KEPT {
            kept.clear();
        }
        kept.insert(*digest, part.clone());
        Ok(part)
    }

    fn read(&self, digest: &Digest) -> Result<Part> {
        let path = self.state.join(PARTS).join(digest.to_string());
        let unlike = |message: String| {
            Error::integrity("journal.index", message).next(
                "`anchorite audit verify` reads the journal whole; where it is as it should be, remove state/index.json and the next run makes the index anew",
            )
        };
        let bytes = durable::read_bounded(&path, LIMIT).map_err(|e| unlike(e.message))?;
        if Digest::of(&bytes) != *digest {
            return Err(unlike(format!("{}: is not what the seal vouches for", shown_path(&path))));
        }
        Ok(bytes.into())
    }
}

/// The index in `state/`, each page and bucket compared with its digest; `None` where
/// there is none that could be read.
pub fn check_index(state: &Path) -> Result<Option<Index>> {
    let Some(store) = Store::open(state)? else { return Ok(None) };
    let parts = store.index.parts(&|digest| store.part(digest))?;
    parts.iter().try_for_each(|digest| store.part(digest).map(drop))?;
    Ok(Arc::into_inner(store).map(|store| store.index))
}

impl Past for Store {
    fn get(&self, key: &Digest) -> Result<Option<String>> {
        self.index.get(key, &|digest| self.part(digest))
    }

    fn get_all(&self, keys: &[Digest]) -> Result<HashMap<Digest, String>> {
        self.index.get_all(keys, &|digest| self.part(digest))
    }
}
