//! The few system calls that reading and writing share.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
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
    Ok(retry_on_intr(|| fs::open(path, READ | OFlags::DIRECTORY, Mode::empty()))?)
}

/// Reads at most `limit` bytes and one more, so that a file which grew after
/// it was measured shows by its length and costs no memory.
pub(super) fn read_at_most(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    // Room for all of a small one, and for finding that nothing follows: it is read at once.
    let size = fs::fstat(file).map_or(0, |stat| size(&stat)).min(limit).min(1 << 20);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(64));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file that must not exist yet, and flushes it to the device.
pub(super) fn write_new(dir: &OwnedFd, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let file = write_unflushed(dir, name, bytes, mode)?;
    Ok(retry_on_intr(|| fs::fsync(&file))?)
}

/// The same, where many are flushed at once afterwards.
pub(super) fn write_unflushed(dir: &OwnedFd, name: &str, bytes: &[u8], mode: u32) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = retry_on_intr(|| fs::openat(dir, name, flags, Mode::from_raw_mode(mode)))?;
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    Ok(file)
}

/// Renames within a directory, to a name that must be free.
pub(super) fn rename_new(dir: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
    match retry_on_intr(|| fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE)) {
        // exFAT, for one, knows neither this nor hard links: look, then rename.
        Err(Errno::INVAL | Errno::NOSYS) => look_and_rename(dir, from, to),
        result => Ok(result?),
    }
}

fn look_and_rename(dir: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
    match retry_on_intr(|| fs::statat(dir, to, AtFlags::SYMLINK_NOFOLLOW)) {
        Err(Errno::NOENT) => Ok(retry_on_intr(|| fs::renameat(dir, from, dir, to))?),
        Ok(_) => Err(Errno::EXIST.into()),
        Err(e) => Err(e.into()),
    }
}

/// Flushes a directory's entries. Some filesystems know no such thing and say
/// so with EINVAL; there is nothing more to be had from them.
pub(super) fn sync_directory(dir: impl AsFd) -> io::Result<()> {
    match retry_on_intr(|| fs::fsync(&dir)) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_never_renamed_over() {
        for rename in [rename_new, look_and_rename] {
            let place = tempfile::tempdir().unwrap();
            let dir = open_directory(place.path()).unwrap();
            write_new(&dir, "a", b"a", 0o600).unwrap();
            write_new(&dir, "b", b"b", 0o600).unwrap();
            assert_eq!(rename(&dir, "a", "b").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            rename(&dir, "a", "c").unwrap();
            let read = |name| std::fs::read(place.path().join(name)).unwrap();
            assert_eq!((read("b"), read("c")), (b"b".to_vec(), b"a".to_vec()));
            assert!(!place.path().join("a").exists());
        }
    }
}
