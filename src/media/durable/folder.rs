//! A folder of several files that appears whole or not at all.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, Mode};
use rustix::io::retry_on_intr;

use super::{open_directory, unwritable};
use crate::error::{Error, Result};
use crate::media::file;

/// A file of a folder that is written at once.
#[derive(Debug)]
pub struct NewFile<'a> {
    /// Its path in the folder, at most one folder deep.
    pub path: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
    /// Cut by the umask.
    pub mode: u32,
}

/// Writes the files under a temporary name beside the folder's, flushes them, and
/// gives the folder its name, which must be free. After a failure nothing of it is
/// left; what a crash leaves, the same call removes the next time.
pub fn write_folder(path: &Path, mode: u32, files: &[NewFile<'_>]) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Error::usage("file.unwritable", format!("{}: names no folder to be made", file::shown(path)))
            .next("give the new folder a name in UTF-8")
    })?;
    let temporary = format!(".{name}.tmp");
    open_directory(path.parent().unwrap_or(path))
        .and_then(|parent| {
            remove(&parent, &temporary, files);
            let written = write(&parent, &temporary, mode, files)
                .and_then(|()| file::rename_new(&parent, &temporary, name));
            if written.is_err() {
                remove(&parent, &temporary, files);
            }
            written?;
            file::sync_directory(&parent)
        })
        .map_err(|e| unwritable(path, &e))
}

fn write(parent: &OwnedFd, folder: &str, mode: u32, files: &[NewFile<'_>]) -> io::Result<()> {
    let make = |name: &str| retry_on_intr(|| fs::mkdirat(parent, name, Mode::from_raw_mode(mode)));
    make(folder)?;
    for inner in inner_folders(files) {
        make(&format!("{folder}/{inner}"))?;
    }
    for new in files {
        file::write_unflushed(parent, &format!("{folder}/{}", new.path), new.bytes, new.mode)?;
    }
    Ok(retry_on_intr(|| fs::syncfs(parent))?)
}

/// Removes what [`write`] made and nothing else; where more is in it, it stays.
fn remove(parent: &OwnedFd, folder: &str, files: &[NewFile<'_>]) {
    for new in files {
        let _ = fs::unlinkat(parent, format!("{folder}/{}", new.path), AtFlags::empty());
    }
    for inner in inner_folders(files) {
        let _ = fs::unlinkat(parent, format!("{folder}/{inner}"), AtFlags::REMOVEDIR);
    }
    let _ = fs::unlinkat(parent, folder, AtFlags::REMOVEDIR);
}

fn inner_folders<'a>(files: &[NewFile<'a>]) -> BTreeSet<&'a str> {
    files.iter().filter_map(|new| new.path.rsplit_once('/')).map(|(inner, _)| inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [NewFile<'static>; 2] = [
        NewFile { path: "head", bytes: b"h", mode: 0o600 },
        NewFile { path: "issued/1.pem", bytes: b"one", mode: 0o644 },
    ];

    #[test]
    fn a_folder_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let (path, left) = (dir.path().join("copy"), dir.path().join(".copy.tmp"));
        // What a crash left is made away with.
        std::fs::create_dir_all(left.join("issued")).unwrap();
        std::fs::write(left.join("issued/1.pem"), "on").unwrap();
        write_folder(&path, 0o700, &FILES).unwrap();
        assert_eq!(std::fs::read(path.join("issued/1.pem")).unwrap(), b"one");
        assert!(!left.exists());
        assert_eq!(write_folder(&path, 0o700, &FILES).unwrap_err().id, "file.exists");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_written_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let twice = [FILES[0].path, FILES[0].path].map(|path| NewFile { path, bytes: b"", mode: 0o600 });
        assert_eq!(write_folder(&dir.path().join("copy"), 0o700, &twice).unwrap_err().id, "file.exists");
        assert_eq!(write_folder(&dir.path().join(".."), 0o700, &FILES).unwrap_err().id, "file.unwritable");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        // A stranger's file is not touched.
        std::fs::create_dir(dir.path().join(".copy.tmp")).unwrap();
        std::fs::write(dir.path().join(".copy.tmp/mine"), "").unwrap();
        assert_eq!(write_folder(&dir.path().join("copy"), 0o700, &FILES).unwrap_err().id, "file.exists");
        assert!(dir.path().join(".copy.tmp/mine").exists());
    }
}
