//! Folders of ours read whole: releases, bundles, exports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anchorite::exported::RECORD;
use anchorite::media::read::{Limits, read_paths};
use anchorite::media::write::PARTIAL;
use anchorite::{Error, Result};

use super::shown_path;

/// A release holds a copy of the journal, so its bounds are wider than a stick's.
const LIMITS: Limits = Limits { file_bytes: 2 << 30, files: 100_000, depth: 4, total_bytes: 3 << 30 };
/// Only the journal's copy and an export's record grow; nothing else of ours comes near this.
const DOCUMENT_MAXIMUM: usize = 8 << 20;

/// Refuses a folder that is not there.
pub fn demand(folder: &Path, next: &str) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::usage("folder.missing", format!("{}: is not a folder", shown_path(folder))).next(next))
}

/// Folders without a file beneath them: what a release says of files says nothing of these.
pub fn without_files(folder: &Path) -> Vec<Error> {
    let mut empty = Vec::new();
    find_empty(folder, LIMITS.depth, &mut empty);
    let extra = |at: PathBuf| {
        Error::integrity("release.extra", format!("{}: a folder without a file", shown_path(&at)))
            .next("do not load it: somebody put it there")
    };
    empty.into_iter().map(extra).collect()
}

/// What is wrong with a cluster's folder within a release that broke off before it was whole.
pub fn broken_off(folder: &Path) -> Option<Error> {
    let folder = folder.canonicalize().ok()?;
    let above = folder.parent()?;
    let name = above.file_name()?.to_string_lossy();
    name.ends_with(PARTIAL).then(|| {
        let message =
            format!("{}: lies in a release that broke off before it was whole", shown_path(&folder));
        Error::integrity("release.partial", message)
            .next("do not load it: ask for the release, which has another number; remove what broke off")
    })
}

fn find_empty(folder: &Path, depth: usize, empty: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut nothing = true;
    for entry in entries.flatten() {
        nothing = false;
        if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_empty(&entry.path(), depth - 1, empty);
        }
    }
    if nothing {
        empty.push(folder.into());
    }
}

/// Every file beneath a folder by its path; anything odd in it is an error.
pub fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    demand(folder, "name the release's folder, or one cluster's folder in it")?;
    let stick = read_paths(&[PathBuf::from(folder)], &LIMITS)?;
    if let Some(odd) = stick.findings.iter().find(|f| f.refused) {
        return Err(Error::integrity(odd.rule, format!("{}: {}", odd.file, odd.message)));
    }
    let grows = |path: &str| path.starts_with("journal/") || path == RECORD;
    let large = |path: &str, bytes: &[u8]| !grows(path) && bytes.len() > DOCUMENT_MAXIMUM;
    if let Some(file) = stick.files.iter().find(|file| large(&file.path, &file.bytes)) {
        return Err(Error::integrity(
            "folder.too-large",
            format!("{}: {} bytes, no file of a release is that large", file.path, file.bytes.len()),
        )
        .next("do not use it; fetch the release again from where it was made"));
    }
    Ok(stick.files.into_iter().map(|file| (file.path, file.bytes)).collect())
}
