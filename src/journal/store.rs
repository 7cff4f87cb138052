//! The index's files: `state/index.json` and the buckets in `state/index/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Ledger;
use super::index::{Index, empty, find, update};
use super::past::Past;
use crate::error::{Error, Result};
use crate::media::durable;
use crate::text::shown_path;
use crate::x509::Digest;

/// The index in the home's `state/`, and in the part of a journal that a release carries.
pub const INDEX_FILE: &str = "index.json";
const BUCKETS: &str = "index";
/// A million certificates make an index.json of five megabytes.
const LIMIT: u64 = 1 << 30;

/// An index on disk. Every bucket is named by its digest and compared when read.
#[derive(Debug)]
pub(super) struct Store {
    state: PathBuf,
    pub index: Index,
    /// The bytes of `index.json`.
    pub bytes: Vec<u8>,
}

impl Store {
    /// What lies in `state/`, if it can be read. Whether a seal vouches for it is not
    /// known yet.
    pub fn open(state: &Path) -> Option<Arc<Self>> {
        let bytes = durable::read_bounded(&state.join(INDEX_FILE), LIMIT).ok()?;
        let index = Index::read(&bytes).ok()?;
        Some(Arc::new(Self { state: state.to_path_buf(), index, bytes }))
    }

    /// Makes the index of everything that the ledger knows, on top of the one it
    /// stands on. The old one stays usable until the new one is whole.
    pub fn write(state: &Path, ledger: &Ledger, below: Option<&Self>) -> Result<Arc<Self>> {
        let load = |digest: &Digest| below.map_or(Ok(Vec::new()), |store| store.bucket(digest));
        let update = update(ledger, below.map(|store| &store.index), load)?;
        let folder = state.join(BUCKETS);
        durable::ensure_dir(&folder, 0o700)?;
        for (digest, bytes) in &update.buckets {
            durable::write_unsynced(&folder, &digest.to_string(), bytes, 0o600)?;
        }
        durable::sync(&folder)?;
        durable::write_atomic(state, INDEX_FILE, &update.index, 0o600)?;
        for digest in &update.stale {
            durable::remove(&folder.join(digest.to_string()))?;
        }
        let index = Index::read(&update.index)?;
        Ok(Arc::new(Self { state: state.to_path_buf(), index, bytes: update.index }))
    }

    fn bucket(&self, digest: &Digest) -> Result<Vec<u8>> {
        if *digest == empty() {
            return Ok(Vec::new());
        }
        let path = self.state.join(BUCKETS).join(digest.to_string());
        let unlike = |message: String| {
            Error::integrity("journal.index", message).next(
                "`anchorite audit verify` reads the journal whole; where it is as it should be, remove state/index.json and the next run makes the index anew",
            )
        };
        let bytes = durable::read_bounded(&path, LIMIT).map_err(|e| unlike(e.message))?;
        if Digest::of(&bytes) != *digest {
            return Err(unlike(format!("{}: is not what the seal vouches for", shown_path(&path))));
        }
        Ok(bytes)
    }
}

/// The index in `state/`, each of its buckets compared with its digest; `None` where
/// there is none that could be read.
pub fn check_index(state: &Path) -> Result<Option<Index>> {
    let Some(store) = Store::open(state) else { return Ok(None) };
    store.index.buckets().iter().try_for_each(|digest| store.bucket(digest).map(drop))?;
    Ok(Arc::into_inner(store).map(|store| store.index))
}

impl Past for Store {
    fn get(&self, key: &Digest) -> Result<Option<String>> {
        match self.index.bucket_of(key) {
            Some(digest) => find(&self.bucket(digest)?, key),
            None => Ok(None),
        }
    }
}
