//! Reading a stick: bounded, without following links, without ever hanging.
//!
//! Whatever cannot be read whole and as a regular file becomes a finding, and
//! the rest is read all the same: the operator sees everything at once.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use serde::Serialize;

use super::file::{self, READ};
use crate::error::{Error, Result};
use crate::text;
use crate::x509::Digest;

/// What a signature's file is called after the file that it is of.
pub const SIGNATURE: &str = ".sig";

/// How much of a stick is read at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one file. A request has a few kilobytes; a mebibyte holds
    /// hundreds of them in one file.
    pub file_bytes: u64,
    /// Entries of any kind, directories included, over all paths: twice the
    /// largest batch meant for one session. It bounds the findings, too.
    pub files: usize,
    /// Directories within each other: more than anyone arranges by hand, and
    /// few enough that their open handles never run out.
    pub depth: usize,
    /// Bytes of all files together, as they are held in memory.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 1 << 20, files: 2000, depth: 8, total_bytes: 64 << 20 }
    }
}

/// A regular file, read once; these bytes are the ones used from here on.
#[derive(Debug, Clone)]
pub struct StickFile {
    /// The path beneath the stick, fit for a terminal.
    pub path: String,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// SHA-256 over `bytes`.
    pub digest: Digest,
}

/// Something on the stick that is not just a readable regular file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaFinding {
    /// The path beneath the stick, fit for a terminal.
    pub file: String,
    /// The rule's stable ID, e.g. `media.symlink`.
    pub rule: &'static str,
    /// What was found and what to do about it.
    pub message: String,
    /// Whether an operator must look before the session goes on: true for
    /// everything whose contents are unknown.
    #[serde(skip)]
    pub refused: bool,
}

/// What was found on a stick.
#[derive(Debug, Clone, Default)]
pub struct Stick {
    /// The files, in the order of the paths given, then of their names' bytes.
    pub files: Vec<StickFile>,
    /// What was not read, and what the operator should know, in the same order.
    pub findings: Vec<MediaFinding>,
}

/// Reads directories (with all beneath them) and single regular files, each with the file that
/// lies beside it in its signature's place: by itself as in its folder, a file says the same.
///
/// A path that is missing or neither of the two, and a stick beyond the limits
/// on number and total, is an error; everything else that is wrong is a finding.
pub fn read_paths(paths: &[PathBuf], limits: &Limits) -> Result<Stick> {
    let given = String::new();
    let mut reader = Reader { limits, entries: 0, total: 0, device: 0, given, stick: Stick::default() };
    for path in paths {
        // With several arguments a name starts with its own, so that no two files share one.
        reader.argument(path, paths.len() > 1)?;
        let beside = beside(path);
        if !paths.contains(&beside) && path.is_file() && beside.is_file() {
            reader.argument(&beside, paths.len() > 1)?;
        }
    }
    Ok(reader.stick)
}

/// Where the signature of a file lies.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIGNATURE);
    name.into()
}

struct Reader<'a> {
    limits: &'a Limits,
    entries: usize,
    total: u64,
    /// The device of the path being read.
    device: u64,
    /// Itself, as it was given.
    given: String,
    stick: Stick,
}

impl Reader<'_> {
    fn argument(&mut self, path: &Path, several: bool) -> Result<()> {
        self.given = file::shown(path);
        let unreadable = |e: Errno| {
            Error::usage("media.unreadable", format!("{}: {e}", file::shown(path)))
                .next("check that the stick is mounted and that you may read it")
        };
        let raw = path.components().as_path().as_os_str().as_encoded_bytes(); // without a trailing slash
        let target = retry_on_intr(|| fs::stat(path)).map_err(|e| match e {
            Errno::NOENT | Errno::NOTDIR => {
                Error::usage("media.missing", format!("{}: {e}", file::shown(path)))
                    .next("check the path, and that the stick is mounted")
            }
            e => unreadable(e),
        })?;
        match file::kind(&target) {
            // Mount points are often named through a link (/media to /run/media), and the
            // operator, not the stick, chose this path: a link to a directory is resolved once.
            FileType::Directory => {
                let dir = retry_on_intr(|| fs::open(path, READ | OFlags::DIRECTORY, Mode::empty()))
                    .map_err(unreadable)?;
                self.device = fs::fstat(&dir).map_err(unreadable)?.st_dev;
                self.directory(&dir, if several { raw } else { b"" }, 0)
            }
            // A link to a file is not: a shell's `stick/*` makes the stick's links arguments, too.
            FileType::RegularFile => {
                self.count()?;
                let name = path.file_name().map_or(raw, |name| name.as_encoded_bytes());
                let opened = retry_on_intr(|| fs::open(path, READ | OFlags::NOFOLLOW, Mode::empty()));
                self.opened(opened, if several { raw } else { name }, 0)
            }
            _ => Err(Error::usage(
                "media.not-regular",
                format!("{}: neither a directory nor a regular file", file::shown(path)),
            )
            .next("give the directory where the stick is mounted, or a request's file")),
        }
    }

    fn directory(&mut self, dir: &OwnedFd, at: &[u8], depth: usize) -> Result<()> {
        for name in self.names(dir, at)? {
            let path = match at {
                b"" => name.to_bytes().to_vec(),
                at => [at, name.to_bytes()].join(&b'/'),
            };
            self.entry(dir, &name, &path, depth)?;
        }
        Ok(())
    }

    /// The names in a directory, sorted by their bytes.
    fn names(&mut self, dir: &OwnedFd, at: &[u8]) -> Result<Vec<CString>> {
        let mut names = Vec::new();
        match Dir::read_from(dir) {
            Err(e) => self.unreadable(at, e),
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                        Ok(entry) => {
                            self.count()?;
                            names.push(entry.file_name().to_owned());
                        }
                        Err(e) => {
                            self.unreadable(at, e);
                            break;
                        }
                    }
                }
            }
        }
        names.sort();
        Ok(names)
    }

    fn entry(&mut self, dir: &OwnedFd, name: &CStr, path: &[u8], depth: usize) -> Result<()> {
        // Looked at before it is opened, because opening a device can already act on it.
        match retry_on_intr(|| fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) if is_special(file::kind(&stat)) => {
                self.special(path, file::kind(&stat));
                Ok(())
            }
            Ok(_) => self.opened(open_beneath(dir, name), path, depth),
            Err(e) => {
                self.unreadable(path, e);
                Ok(())
            }
        }
    }

    /// Decides on what was really opened, not on what the name led to a moment before.
    fn opened(&mut self, opened: rustix::io::Result<OwnedFd>, path: &[u8], depth: usize) -> Result<()> {
        let (fd, stat) = match opened.and_then(|fd| fs::fstat(&fd).map(|stat| (fd, stat))) {
            Ok(both) => both,
            Err(e) => {
                match e {
                    Errno::LOOP => self.special(path, FileType::Symlink),
                    Errno::XDEV => self.other_filesystem(path),
                    e => self.unreadable(path, e),
                }
                return Ok(());
            }
        };
        match file::kind(&stat) {
            FileType::RegularFile => self.regular(&File::from(fd), &stat, path),
            FileType::Directory if stat.st_dev != self.device => {
                self.other_filesystem(path);
                Ok(())
            }
            FileType::Directory if depth >= self.limits.depth => {
                let message = format!(
                    "lies more than {} directories deep and was not read: move what you need further up",
                    self.limits.depth
                );
                self.finding(path, "media.depth", message, true);
                Ok(())
            }
            FileType::Directory => self.directory(&fd, path, depth + 1),
            kind => {
                self.special(path, kind);
                Ok(())
            }
        }
    }

    fn regular(&mut self, file: &File, stat: &Stat, path: &[u8]) -> Result<()> {
        let size = file::size(stat);
        let limit = self.limits.file_bytes;
        if size > limit {
            let message = format!(
                "has {size} bytes, at most {limit} are read: it is no request, take it off the stick"
            );
            self.finding(path, "media.too-large", message, true);
            return Ok(());
        }
        self.total = self.total.saturating_add(size);
        if self.total > self.limits.total_bytes {
            return Err(Error::usage(
                "media.too-much",
                format!(
                    "{}: the files add up to more than {} bytes",
                    text::shown_bytes(path),
                    self.limits.total_bytes
                ),
            )
            .next(NOT_A_STICK));
        }
        let bytes = match file::read_at_most(file, limit) {
            Ok(bytes) => bytes,
            Err(e) => {
                self.unreadable(path, e);
                return Ok(());
            }
        };
        let unchanged = fs::fstat(file).is_ok_and(|after| {
            (after.st_size, after.st_mtime, after.st_mtime_nsec)
                == (stat.st_size, stat.st_mtime, stat.st_mtime_nsec)
        });
        if !unchanged || bytes.len() as u64 != size {
            let message =
                "changed while it was read: see that nothing else writes to the stick, then read it again";
            self.finding(path, "media.changed", message, true);
            return Ok(());
        }
        if stat.st_nlink > 1 {
            let message = format!("has {} names (hard links), some perhaps elsewhere", stat.st_nlink);
            self.finding(path, "media.hard-link", message, false);
        }
        let digest = Digest::of(&bytes);
        self.stick.files.push(StickFile { path: text::shown_bytes(path), bytes, digest });
        Ok(())
    }

    fn count(&mut self) -> Result<()> {
        self.entries += 1;
        if self.entries <= self.limits.files {
            return Ok(());
        }
        Err(Error::usage("media.too-many", format!("more than {} files and directories", self.limits.files))
            .next(NOT_A_STICK))
    }

    fn special(&mut self, path: &[u8], kind: FileType) {
        let (rule, what) = match kind {
            FileType::Symlink => ("media.symlink", "a symbolic link"),
            FileType::Fifo => ("media.fifo", "a FIFO"),
            FileType::Socket => ("media.socket", "a socket"),
            _ => ("media.device", "a device"),
        };
        let message =
            format!("is {what} and was not opened: only regular files are read, take it off the stick");
        self.finding(path, rule, message, true);
    }

    fn other_filesystem(&mut self, path: &[u8]) {
        let message = "is on another filesystem, mounted within the stick, and was not read: unmount it";
        self.finding(path, "media.other-filesystem", message, true);
    }

    fn unreadable(&mut self, path: &[u8], error: impl Into<std::io::Error>) {
        let error = error.into();
        // mkfs.ext4 makes lost+found readable by root alone; every such stick has one.
        let expected = error.kind() == std::io::ErrorKind::PermissionDenied
            && path.rsplit(|b| *b == b'/').next() == Some(b"lost+found");
        let message = format!("cannot be read: {error}");
        self.finding(path, "media.unreadable", message, !expected);
    }

    fn finding(&mut self, path: &[u8], rule: &'static str, message: impl Into<String>, refused: bool) {
        let file = if path.is_empty() { self.given.clone() } else { text::shown_bytes(path) };
        self.stick.findings.push(MediaFinding { file, rule, message: message.into(), refused });
    }
}

const NOT_A_STICK: &str = "give the directory that holds the requests, or take everything else off the stick";

fn is_special(kind: FileType) -> bool {
    !matches!(kind, FileType::RegularFile | FileType::Directory)
}

/// Opens one name in a directory: no link, no mount, nothing outside.
fn open_beneath(dir: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    match retry_on_intr(|| fs::openat2(dir, name, READ | OFlags::NOFOLLOW, Mode::empty(), resolve)) {
        // Kernels before 5.6 have no openat2, and older container filters answer EPERM for it.
        Err(Errno::NOSYS | Errno::PERM) => open_component(dir, name),
        result => result,
    }
}

/// The same by older means: a single component cannot lead outside but by a
/// link, and a mounted directory shows by its device.
fn open_component(dir: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    retry_on_intr(|| fs::openat(dir, name, READ | OFlags::NOFOLLOW, Mode::empty()))
}

#[cfg(test)]
mod tests;
