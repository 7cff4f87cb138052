//! The few system calls that reading and writing share.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

use crate::text;

/// For reading: never waits for a FIFO's other end, never becomes a controlling
/// terminal, never leaks into a child.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A path, fit for a message.
pub(super) fn shown(path: &Path) -> String {
    text::shown_bytes(path.as_os_str().as_encoded_bytes())
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(super) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(u64::MAX)
}

pub(super) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    // A plain "name" has the parent "", which means here.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Ok(retry_on_intr(|| fs::open(path, READ | OFlags::DIRECTORY, Mode::empty()))?)
}

/// Reads at most `limit` bytes and one more, so that a file which grew after
/// it was measured shows by its length and costs no memory.
pub(super) fn read_at_most(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file that must not exist yet, and flushes it to the device.
pub(super) fn write_new(dir: impl AsFd, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| fs::openat(&dir, name, flags, Mode::from_raw_mode(mode)))?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    Ok(retry_on_intr(|| fs::fsync(&file))?)
}

/// Flushes a directory's entries. Some filesystems know no such thing and say
/// so with EINVAL; there is nothing more to be had from them.
pub(super) fn sync_directory(dir: impl AsFd) -> io::Result<()> {
    match retry_on_intr(|| fs::fsync(&dir)) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
