//! Writing a release to a stick, where a rename may not be atomic and what was
//! written may not be what is there.
//!
//! Everything goes into `<folder>.partial` first; then the folder takes its
//! name; then the manifest is written, without which a folder is no release;
//! then all of it is read back from the device, and nothing else lies beside it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Advice, AtFlags, Dir, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::file::{self, READ};
use super::names::{self, Tree};
use crate::cores;
use crate::error::{Error, Result};
use crate::x509::Digest;

/// Room for directories, allocation tables and the temporary name.
const MARGIN: u64 = 1 << 20;

/// What is on the stick is not what was written there.
pub const READ_BACK: &str = "output.read-back";

/// What a release's folder is called until it is whole: its name, and this.
pub const PARTIAL: &str = ".partial";

/// A file that is still being written; `~` is no part of a release's names.
const TEMPORARY: &str = "~";

/// So many files are written before more are made.
const AT_A_TIME: usize = 512;

/// A stick that was found fit to be written to; it stays open, and with that
/// mounted, until it is.
#[derive(Debug)]
pub struct Output {
    dir: OwnedFd,
    path: PathBuf,
    folder: String,
}

/// Whether one of the two is the other or lies beneath it.
pub fn same_place(from: &Path, to: &Path) -> Result<bool> {
    let (from, to) = (ancestors(from, "media.missing")?, ancestors(to, "output.missing")?);
    let within = |inner: &[_], outer: &[_]| outer.first().is_some_and(|place| inner.contains(place));
    Ok(within(&from, &to) || within(&to, &from))
}

/// Device and inode of a path and of all above it. Names would not do: one
/// filesystem can be mounted in two places.
fn ancestors(path: &Path, missing: &'static str) -> Result<Vec<(u64, u64)>> {
    let identity = |place: &Path| Ok(fs::stat(place).map(|stat| (stat.st_dev, stat.st_ino))?);
    std::fs::canonicalize(path).and_then(|real| real.ancestors().map(identity).collect()).map_err(|e| {
        Error::usage(missing, format!("{}: {e}", file::shown(path)))
            .next("check the path, and that the stick is mounted")
    })
}

/// Finds out, before anything is signed, whether `folder` can be written in `to`.
pub fn check_output(to: &Path, folder: &str) -> Result<Output> {
    names::check_component(folder, folder)?;
    let dir = file::open_directory(to).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Error::usage("output.missing", format!("{}: {e}; want a directory", file::shown(to)))
                .next("plug in and mount the stick for output, then give its directory")
        }
        _ => failure(to, &e),
    })?;
    let output = Output { dir, path: to.to_owned(), folder: folder.to_owned() };
    output.absent(&output.folder)?;
    output.clear_probe();
    output.absent(&output.partial())?;
    output.probe().map_err(|e| failure(to, &e))?;
    output.room(0, 0)?;
    Ok(output)
}

impl Output {
    /// The folder's name.
    pub fn name(&self) -> &str {
        &self.folder
    }

    fn partial(&self) -> String {
        format!("{}{PARTIAL}", self.folder)
    }

    fn absent(&self, name: &str) -> Result<()> {
        match retry_on_intr(|| fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(failure(&self.path.join(name), &e.into())),
            Ok(_) => Err(failure(&self.path.join(name), &Errno::EXIST.into())),
        }
    }

    /// Removes a probe that broke off. A folder with anything else in it stays.
    fn clear_probe(&self) {
        let partial = self.partial();
        let _ = fs::unlinkat(&self.dir, format!("{partial}/{TEMPORARY}"), AtFlags::empty());
        let _ = fs::unlinkat(&self.dir, partial, AtFlags::REMOVEDIR);
    }

    /// Does once what writing will do: a directory, a file in it, a flush.
    fn probe(&self) -> io::Result<()> {
        let partial = self.partial();
        let probe = format!("{partial}/{TEMPORARY}");
        fs::mkdirat(&self.dir, &partial, Mode::from_raw_mode(0o755))?;
        let written = file::write_new(&self.dir, &probe, b"probe", 0o644);
        let file = fs::unlinkat(&self.dir, &probe, AtFlags::empty());
        let folder = fs::unlinkat(&self.dir, &partial, AtFlags::REMOVEDIR);
        // What failed first is told: without the file there is none to remove.
        written?;
        Ok(file.and(folder)?)
    }

    /// Demands room for so many files and directories, which hold so many bytes together.
    pub fn room(&self, files: u64, bytes: u64) -> Result<()> {
        let stat = fs::fstatvfs(&self.dir).map_err(|e| failure(&self.path, &e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        // Each file ends within a block (on FAT a cluster) that is its own.
        let needed = files.saturating_mul(stat.f_frsize).saturating_add(bytes).saturating_add(MARGIN);
        let full = |found: String| {
            let message = format!("{}: {found}", file::shown(&self.path));
            Err(Error::usage("output.full", message).next(FULL))
        };
        // A filesystem without any blocks (some network and memory ones) does not count its
        // room, and one without any inodes (FAT) not its files.
        if stat.f_blocks != 0 && free < needed {
            return full(format!("{free} bytes free, want {needed}"));
        }
        if stat.f_files != 0 && stat.f_favail < files {
            return full(format!("{} inodes free, want {files}", stat.f_favail));
        }
        Ok(())
    }

    /// Writes the files (relative paths with `/`, and contents) as they come, the one named
    /// `last` after all others, and reads everything back. Returns the folder's
    /// path. After a failure what had been written is removed again.
    pub fn write(
        self,
        files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>,
        last: &str,
    ) -> Result<PathBuf> {
        let partial = self.partial();
        self.absent(&self.folder)?;
        fs::mkdirat(&self.dir, &partial, Mode::from_raw_mode(0o755))
            .map_err(|e| failure(&self.path.join(&partial), &e.into()))?;
        let mut release =
            Release { output: &self, name: partial, directories: Vec::new(), files: Vec::new() };
        match release.write(files, last) {
            Ok(()) => Ok(self.path.join(&self.folder)),
            Err(e) => Err(release.discard(e)),
        }
    }
}

/// A release while it is written.
struct Release<'a> {
    output: &'a Output,
    /// The folder's name as yet.
    name: String,
    /// What was made in it, in this order.
    directories: Vec<String>,
    files: Vec<Written>,
}

/// A file that was written, and what reading it back must give.
struct Written {
    name: String,
    length: u64,
    digest: Digest,
}

impl Written {
    fn of(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), length: bytes.len() as u64, digest: Digest::of(bytes) }
    }
}

impl Release<'_> {
    fn write(
        &mut self,
        files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>,
        last: &str,
    ) -> Result<()> {
        let folder = self.open().map_err(|e| self.failure("", &e))?;
        let (mut tree, mut kept) = (Tree::default(), None);
        let mut files = files.into_iter();
        loop {
            let mut some = files.by_ref().take(AT_A_TIME).collect::<Result<Vec<_>>>()?;
            if some.is_empty() {
                break;
            }
            for (name, _) in &some {
                self.make_directories(&folder, tree.add(name)?)?;
            }
            kept = some.iter().position(|(name, _)| name == last).map(|place| some.remove(place)).or(kept);
            self.write_files(&folder, &some)?;
        }
        let (_, kept) = kept.ok_or_else(|| {
            Error::usage("output.name", format!("{last} is not among the files to be written"))
        })?;
        self.put_in_place(&folder, 0)?;
        self.take_name()?;
        let others = self.files.len();
        self.write_files(&folder, &[(last.to_owned(), kept)])?;
        self.put_in_place(&folder, others)?;
        read_back(&folder, &self.place(""), &self.files)?;
        self.nothing_else(&folder)?;
        self.still_there(&folder)
    }

    /// Somebody may have put a file beside what was written, which nothing vouches for.
    fn nothing_else(&self, folder: &OwnedFd) -> Result<()> {
        let files = self.files.iter().map(|file| file.name.as_str());
        let known: BTreeSet<&str> = files.chain(self.directories.iter().map(String::as_str)).collect();
        for directory in std::iter::once("").chain(self.directories.iter().map(String::as_str)) {
            for name in entries(folder, directory).map_err(|e| self.failure(directory, &e))? {
                let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
                if !known.contains(path.as_str()) {
                    let place = file::shown(&self.place(&path));
                    return Err(unlike(format!("{place}: lies there and was not written here")));
                }
            }
        }
        Ok(())
    }

    /// The stick may have been unmounted meanwhile, or the folder moved: then what was written
    /// is not where people are told that it is.
    fn still_there(&self, folder: &OwnedFd) -> Result<()> {
        let path = self.place("");
        let identity = |stat: fs::Stat| (stat.st_dev, stat.st_ino);
        let written = fs::fstat(folder).map(identity).map_err(|e| self.failure("", &e.into()))?;
        match retry_on_intr(|| fs::lstat(&path)).map(identity) {
            Ok(found) if found == written => Ok(()),
            Err(e) if e != Errno::NOENT && e != Errno::NOTDIR => Err(self.failure("", &e.into())),
            _ => Err(unlike(format!("{}: is not the folder that was written", file::shown(&path)))),
        }
    }

    fn make_directories(&mut self, folder: &OwnedFd, names: Vec<String>) -> Result<()> {
        for name in names {
            fs::mkdirat(folder, &name, Mode::from_raw_mode(0o755))
                .map_err(|e| self.failure(&name, &e.into()))?;
            self.directories.push(name);
        }
        Ok(())
    }

    fn write_files(&mut self, folder: &OwnedFd, files: &[(String, Vec<u8>)]) -> Result<()> {
        self.files.extend(cores::map(files, |(name, bytes)| Written::of(name, bytes)));
        cores::each(files, |(name, bytes)| {
            let written = file::write_unflushed(folder, &temporary(name), bytes, 0o644);
            written.map(drop).map_err(|e| self.failure(name, &e))
        })
    }

    /// Flushes twice for all of them, not once for each: a fleet's release has
    /// thousands of files, and a stick takes its time over every flush. (What a
    /// kernel before 5.8 does not report here, reading back finds.)
    fn put_in_place(&self, folder: &OwnedFd, from: usize) -> Result<()> {
        let flush = || retry_on_intr(|| fs::syncfs(folder)).map_err(|e| self.failure("", &e.into()));
        flush()?;
        cores::each(self.files.get(from..).unwrap_or_default(), |Written { name, .. }| {
            retry_on_intr(|| fs::renameat(folder, temporary(name), folder, name))
                .map_err(|e| self.failure(name, &e.into()))
        })?;
        flush()
    }

    fn take_name(&mut self) -> Result<()> {
        let Output { dir, folder, .. } = self.output;
        file::rename_new(dir, &self.name, folder).map_err(|e| failure(&self.output.path.join(folder), &e))?;
        self.name.clone_from(folder);
        file::sync_directory(dir).map_err(|e| failure(&self.output.path, &e))
    }

    /// Removes what this run made and nothing else, the manifest first.
    fn discard(&self, error: Error) -> Error {
        let removed = self.open().and_then(|folder| {
            for Written { name, .. } in self.files.iter().rev() {
                // Not every file got written; one that stays makes the directory's removal fail.
                let _ = fs::unlinkat(&folder, name, AtFlags::empty());
                let _ = fs::unlinkat(&folder, temporary(name), AtFlags::empty());
            }
            for name in self.directories.iter().rev() {
                let _ = fs::unlinkat(&folder, name, AtFlags::REMOVEDIR);
            }
            fs::unlinkat(&self.output.dir, &self.name, AtFlags::REMOVEDIR)?;
            file::sync_directory(&self.output.dir)
        });
        let place = file::shown(&self.place(""));
        let state = match removed {
            Ok(()) => "what had been written was removed".to_owned(),
            Err(e) => format!("{place} is no release and could not be removed ({e}): remove it by hand"),
        };
        Error { message: format!("{}; {state}", error.message), ..error }
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let flags = READ | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        Ok(retry_on_intr(|| fs::openat(&self.output.dir, &self.name, flags, Mode::empty()))?)
    }

    fn place(&self, name: &str) -> PathBuf {
        let folder = self.output.path.join(&self.name);
        if name.is_empty() { folder } else { folder.join(name) }
    }

    fn failure(&self, name: &str, error: &io::Error) -> Error {
        failure(&self.place(name), error)
    }
}

fn temporary(name: &str) -> String {
    format!("{name}{TEMPORARY}")
}

/// What lies in a directory beneath the folder; it is none that somebody put in its place.
fn entries(folder: &OwnedFd, directory: &str) -> io::Result<Vec<String>> {
    let directory = if directory.is_empty() { "." } else { directory };
    let flags = READ | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let opened = retry_on_intr(|| fs::openat(folder, directory, flags, Mode::empty()))?;
    let names = Dir::new(opened)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    Ok(names.into_iter().filter(|name| name != "." && name != "..").collect())
}

fn unlike(message: String) -> Error {
    Error::integrity(READ_BACK, message).next("do not use this stick again: take another one")
}

/// Reads every file past the page cache and compares it. (A cache within the
/// device itself cannot be passed by; unplugging and `verify` can.)
fn read_back(folder: &OwnedFd, place: &Path, files: &[Written]) -> Result<()> {
    cores::each(files, |Written { name, length, digest }| {
        let broken = |found: String| {
            let place = file::shown(&place.join(name));
            unlike(format!("{place}: read back {found}, wrote {digest}"))
        };
        let found = retry_on_intr(|| fs::openat(folder, name, READ | OFlags::NOFOLLOW, Mode::empty()))
            .map_err(io::Error::from)
            .and_then(|fd| {
                fs::fadvise(&fd, 0, None, Advice::DontNeed)?;
                file::read_at_most(&File::from(fd), *length)
            })
            .map_err(|e| broken(format!("failed ({e})")))?;
        let found = Digest::of(&found);
        if found == *digest { Ok(()) } else { Err(broken(found.to_string())) }
    })
}

const EXISTS: &str = "nothing is overwritten: use an empty stick, \
    or look at it and move it away (a run that broke off leaves a .partial)";
const FULL: &str = "make room or use an empty stick";

fn failure(path: &Path, error: &io::Error) -> Error {
    let (id, next) = match error.kind() {
        ErrorKind::AlreadyExists => ("output.exists", EXISTS),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ("output.full", FULL),
        ErrorKind::ReadOnlyFilesystem => {
            ("output.not-writable", "release the stick's write protection, or mount it for writing")
        }
        ErrorKind::PermissionDenied => ("output.not-writable", "mount the stick so that you may write to it"),
        _ => ("output.failed", "see that the stick is still plugged in and mounted; if so, use another one"),
    };
    Error::usage(id, format!("{}: {error}", file::shown(path))).next(next)
}

#[cfg(test)]
mod tests;
