//! The durable files of a CA home: there whole or not at all, also after the power went.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use zeroize::Zeroizing;

use super::file::{self, READ};
use crate::cores;
use crate::error::{Error, Result};

mod append;
mod folder;
mod lock;

pub use append::AppendFile;
pub use folder::{NewFile, write_folder};
pub use lock::{Lock, lock_exclusive};

/// Up to so many files are flushed one by one: flushing all of a filesystem waits for
/// what others wrote, too.
const FEW: usize = 8;

/// Writes a file, replacing one of that name at once: after a crash either the
/// old or the new one is there, whole. `mode` is cut by the umask.
pub fn write_atomic(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    write_then(dir, name, bytes, mode, |dir, temporary| {
        Ok(retry_on_intr(|| fs::renameat(dir, temporary, dir, name))?)
    })
}

/// As [`write_atomic`], but refuses where the name is taken.
pub fn write_new(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    write_then(dir, name, bytes, mode, |dir, temporary| file::rename_new(dir, temporary, name))
}

/// Writes and flushes under a temporary name, has it put in place, flushes the directory.
fn write_then(
    dir: &Path,
    name: &str,
    bytes: &[u8],
    mode: u32,
    put: impl Fn(&OwnedFd, &str) -> io::Result<()>,
) -> Result<()> {
    let temporary = format!(".{name}.{}.tmp", std::process::id());
    open_directory(dir)
        .and_then(|dir| {
            // Left by an earlier process of the same number, if at all.
            let _ = fs::unlinkat(&dir, &temporary, AtFlags::empty());
            let written = file::write_new(&dir, &temporary, bytes, mode).and_then(|()| put(&dir, &temporary));
            if written.is_err() {
                let _ = fs::unlinkat(&dir, &temporary, AtFlags::empty());
            }
            written?;
            file::sync_directory(&dir)
        })
        .map_err(|e| unwritable(&dir.join(name), &e))
}

/// Whether a file of this name is what a crash left of [`write_atomic`] or [`write_new`].
pub fn is_temporary(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|n| n.strip_suffix(".tmp"));
    let number = inner.and_then(|n| n.rsplit_once('.'));
    number.is_some_and(|(name, pid)| !name.is_empty() && pid.parse::<u32>().is_ok())
}

/// Removes what crashes left in a directory; the caller holds the lock.
pub fn sweep(dir: &Path) -> Result<()> {
    remove_all(dir, is_temporary)
}

/// Removes the files in a directory whose names are such.
pub fn remove_all(dir: &Path, such: impl Fn(&str) -> bool) -> Result<()> {
    let removed = std::fs::read_dir(dir).and_then(|entries| {
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(&such) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    });
    removed.map_err(|e| unwritable(dir, &e))
}

/// Makes a directory that must not exist yet, durably. `mode` is cut by the umask.
pub fn create_dir(path: &Path, mode: u32) -> Result<()> {
    retry_on_intr(|| fs::mkdir(path, Mode::from_raw_mode(mode)))
        .map_err(io::Error::from)
        .and_then(|()| sync_parent(path))
        .map_err(|e| unwritable(path, &e))
}

/// The same, where one is as good that is there.
pub fn ensure_dir(path: &Path, mode: u32) -> Result<()> {
    match create_dir(path, mode) {
        Err(e) if e.id == "file.exists" => Ok(()),
        made => made,
    }
}

/// The parent of a plain name is "", which means here.
fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    file::open_directory(if path.as_os_str().is_empty() { Path::new(".") } else { path })
}

fn sync_parent(path: &Path) -> io::Result<()> {
    file::sync_directory(open_directory(path.parent().unwrap_or(path))?)
}

/// Writes a file whose loss costs nothing but time, replacing one of that name.
/// [`sync`] makes many of them durable at once.
pub fn write_unsynced(dir: &Path, name: &str, bytes: &[u8], mode: u32) -> Result<()> {
    open_directory(dir)
        .and_then(|dir| write_within(&dir, name, bytes, mode))
        .map_err(|e| unwritable(&dir.join(name), &e))
}

fn write_within(dir: &OwnedFd, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = format!(".{name}.{}.tmp", std::process::id());
    let _ = fs::unlinkat(dir, &temporary, AtFlags::empty());
    let written = file::write_unflushed(dir, &temporary, bytes, mode)
        .and_then(|_| Ok(retry_on_intr(|| fs::renameat(dir, &temporary, dir, name))?));
    if written.is_err() {
        let _ = fs::unlinkat(dir, &temporary, AtFlags::empty());
    }
    written
}

/// Makes a directory's entries durable: what was removed from it stays removed.
pub fn sync_entries(dir: &Path) -> Result<()> {
    open_directory(dir).and_then(file::sync_directory).map_err(|e| unwritable(dir, &e))
}

/// Writes files as [`write_atomic`] does, many of them with one flush for all.
pub fn write_all(dir: &Path, files: &[(String, String)], mode: u32) -> Result<()> {
    if files.len() <= FEW {
        return files.iter().try_for_each(|(name, text)| write_atomic(dir, name, text.as_bytes(), mode));
    }
    let folder = open_directory(dir).map_err(|e| unwritable(dir, &e))?;
    cores::each(files, |(name, text)| {
        write_within(&folder, name, text.as_bytes(), mode).map_err(|e| unwritable(&dir.join(name), &e))
    })?;
    sync(dir)
}

/// Moves durable files from one directory to another, durably.
pub fn move_all(from: &Path, to: &Path, names: &[String]) -> Result<()> {
    let both = open_directory(from).and_then(|source| Ok((source, open_directory(to)?)));
    let (source, target) = both.map_err(|e| unwritable(to, &e))?;
    cores::each(names, |name| {
        retry_on_intr(|| fs::renameat(&source, name, &target, name))
            .map_err(|e| unwritable(&to.join(name), &e.into()))
    })?;
    file::sync_directory(target).and_then(|()| file::sync_directory(source)).map_err(|e| unwritable(to, &e))
}

/// Makes everything on a directory's filesystem durable.
pub fn sync(dir: &Path) -> Result<()> {
    open_directory(dir)
        .and_then(|dir| Ok(retry_on_intr(|| fs::syncfs(&dir))?))
        .map_err(|e| unwritable(dir, &e))
}

/// Removes a file, which may be gone already.
pub fn remove(path: &Path) -> Result<()> {
    match retry_on_intr(|| fs::unlink(path)) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(unwritable(path, &e.into())),
    }
}

/// Opens a regular file for reading, which may be long; never waits for a FIFO.
pub fn open(path: &Path) -> Result<File> {
    open_regular(path, READ, unreadable)
}

/// Reads a regular file of at most `limit` bytes; never waits for a FIFO.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open_regular(path, READ, unreadable)?;
    let size = file::size(&fs::fstat(&file).map_err(|e| unreadable(path, &e.into()))?);
    if size > limit {
        return Err(too_large(path, size, limit));
    }
    let bytes = file::read_at_most(&file, limit).map_err(|e| unreadable(path, &e))?;
    match bytes.len() as u64 {
        grown if grown > limit => Err(too_large(path, grown, limit)),
        _ => Ok(bytes),
    }
}

/// As [`read_bounded`], for a PIN or a private key: into one buffer that never
/// grows, so that no copy of it is left behind, and that is wiped when dropped.
pub fn read_secret(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
    let file = open_regular(path, READ, unreadable)?;
    // Room beyond what is read, or the standard library tries on its stack whether more comes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(64)));
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    match bytes.len() {
        read if read > limit => Err(too_large(path, read as u64, limit as u64)),
        _ => Ok(bytes),
    }
}

/// Why nothing can be written there, where that is so: the disk is read-only, or the place is
/// another user's.
fn write_protected(path: &Path) -> Option<Errno> {
    let asked = retry_on_intr(|| fs::access(path, fs::Access::WRITE_OK));
    asked.err().filter(|e| matches!(*e, Errno::ROFS | Errno::ACCESS))
}

fn open_regular(path: &Path, flags: OFlags, otherwise: fn(&Path, &io::Error) -> Error) -> Result<File> {
    let not_regular = || {
        Error::usage("file.not-regular", format!("{}: not a regular file", file::shown(path)))
            .next("give the file itself")
    };
    let fd = retry_on_intr(|| fs::open(path, flags, Mode::empty())).map_err(|e| match e {
        Errno::NOENT | Errno::NOTDIR => {
            Error::usage("file.missing", format!("{}: {e}", file::shown(path))).next("check the path")
        }
        // A directory for writing; a socket, or a FIFO that nobody reads.
        Errno::ISDIR | Errno::NXIO => not_regular(),
        e => otherwise(path, &e.into()),
    })?;
    match fs::fstat(&fd) {
        Ok(stat) if file::kind(&stat) == FileType::RegularFile => Ok(File::from(fd)),
        Ok(_) => Err(not_regular()),
        Err(e) => Err(otherwise(path, &e.into())),
    }
}

fn too_large(path: &Path, size: u64, limit: u64) -> Error {
    Error::usage("file.too-large", format!("{}: {size} bytes, want at most {limit}", file::shown(path)))
        .next("check that this is the file you meant")
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::usage("file.unreadable", format!("{}: {error}", file::shown(path)))
        .next("see that you may read it, and that its disk is sound")
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let (id, next) = match error.kind() {
        ErrorKind::AlreadyExists => {
            ("file.exists", "nothing is overwritten: choose another name or move it away")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ("file.unwritable", "make room on its disk"),
        ErrorKind::ReadOnlyFilesystem => ("file.unwritable", "mount its disk for writing"),
        _ if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            ("file.unwritable", "its disk fails: copy what is on it to another one before anything else")
        }
        _ => ("file.unwritable", "see that its directory is there and that you may write to it"),
    };
    Error::usage(id, format!("{}: {error}", file::shown(path))).next(next)
}

#[cfg(test)]
mod tests;
