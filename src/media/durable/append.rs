//! The journal's file: it grows, each growth durable before the next step.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::{READ, open_regular, sync_parent, unreadable, unwritable, write_protected};
use crate::error::{Error, Result};
use crate::media::file;

const APPEND: OFlags = OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// A file that is only ever appended to.
///
/// After a write or a flush failed, nobody knows what is on the disk, and a
/// second fsync may well succeed although the pages of the first are lost:
/// nothing is tried again, and all that follows is refused.
#[derive(Debug)]
pub struct AppendFile {
    file: File,
    path: PathBuf,
    len: u64,
    poisoned: bool,
    /// Why nobody here can write to it: then it can be read and measured.
    protected: Option<Errno>,
}

impl AppendFile {
    /// Makes the file, which must not exist yet, durably. `mode` is cut by the umask.
    pub fn create(path: &Path, mode: u32) -> Result<Self> {
        let flags = APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd = retry_on_intr(|| fs::open(path, flags, Mode::from_raw_mode(mode)))
            .map_err(|e| unwritable(path, &e.into()))?;
        retry_on_intr(|| fs::fsync(&fd))
            .map_err(io::Error::from)
            .and_then(|()| sync_parent(path))
            .map_err(|e| unwritable(path, &e))?;
        Ok(Self { file: File::from(fd), path: path.to_owned(), len: 0, poisoned: false, protected: None })
    }

    /// Opens the file, which must exist.
    pub fn open(path: &Path) -> Result<Self> {
        let protected = write_protected(path);
        let file = open_regular(path, if protected.is_some() { READ } else { APPEND }, unwritable)?;
        let len = file::size(&fs::fstat(&file).map_err(|e| unreadable(path, &e.into()))?);
        Ok(Self { file, path: path.to_owned(), len, poisoned: false, protected })
    }

    /// Appends the bytes; when this returns they are on the disk.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.attempt(|file| {
            file.write_all(bytes)?;
            Ok(retry_on_intr(|| fs::fdatasync(&*file))?)
        })?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Cuts the file to `len` bytes: for a last line that a crash tore.
    pub fn truncate(&mut self, len: u64) -> Result<()> {
        if len > self.len {
            let message = format!("{}: cannot cut {} bytes to {len}", file::shown(&self.path), self.len);
            return Err(Error::integrity("journal.write", message));
        }
        self.attempt(|file| {
            file.set_len(len)?;
            Ok(retry_on_intr(|| fs::fsync(&*file))?)
        })?;
        self.len = len;
        Ok(())
    }

    /// Writes everything from this place on once more, the same bytes. After a flush
    /// that failed the kernel takes them for written though the disk may not hold
    /// them, and no later flush would write them.
    pub fn rewrite(&mut self, from: u64) -> Result<()> {
        let path = self.path.clone();
        self.attempt(|_| {
            // What is open for appending is written to at its end alone.
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let mut file = File::from(retry_on_intr(|| fs::open(&path, flags, Mode::empty()))?);
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(from))?;
            file.read_to_end(&mut bytes)?;
            file.write_all_at(&bytes, from)?;
            Ok(retry_on_intr(|| fs::fdatasync(&file))?)
        })
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn attempt(&mut self, change: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
        let place = file::shown(&self.path);
        if self.poisoned {
            let message = format!("{place}: a write failed before, nothing more is written");
            return Err(Error::integrity("journal.poisoned", message).next(STOP));
        }
        let write = |e: io::Error| Error::integrity("journal.write", format!("{place}: {e}")).next(STOP);
        if let Some(protected) = self.protected {
            return Err(write(protected.into()));
        }
        change(&mut self.file).map_err(|e| {
            self.poisoned = true;
            write(e)
        })
    }
}

const STOP: &str = "stop here; see to the disk, then run `anchorite audit verify` to see what is on record";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_is_reopened_and_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut file = AppendFile::create(&path, 0o600).unwrap();
        assert!(file.is_empty());
        file.append(b"one\n").unwrap();
        file.append(b"two\n").unwrap();
        assert_eq!(AppendFile::create(&path, 0o600).unwrap_err().id, "file.exists");
        let mut file = AppendFile::open(&path).unwrap();
        assert_eq!(file.len(), 8);
        file.append(b"thr").unwrap();
        file.truncate(8).unwrap();
        assert_eq!(file.truncate(9).unwrap_err().id, "journal.write");
        file.rewrite(4).unwrap();
        file.append(b"end\n").unwrap();
        assert_eq!((file.len(), std::fs::read(&path).unwrap()), (12, b"one\ntwo\nend\n".to_vec()));
    }

    #[test]
    fn only_an_existing_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(AppendFile::open(&path).unwrap_err().id, "file.missing");
        assert_eq!(AppendFile::open(dir.path()).unwrap_err().id, "file.not-regular");
        fs::mkfifoat(fs::CWD, &path, Mode::RWXU).unwrap();
        assert_eq!(AppendFile::open(&path).unwrap_err().id, "file.not-regular");
    }

    #[test]
    fn after_a_failure_nothing_more_is_written() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut file =
            AppendFile { file: full, path: "journal".into(), len: 0, poisoned: false, protected: None };
        let error = file.append(b"lost\n").unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("journal.write", 4));
        assert!(error.message.contains("No space left on device"), "{error}");

        // Even where the next write could succeed.
        file.file = tempfile::tempfile().unwrap();
        assert_eq!(file.append(b"next\n").unwrap_err().id, "journal.poisoned");
        assert_eq!(file.truncate(0).unwrap_err().id, "journal.poisoned");
        assert_eq!((file.len(), file.file.metadata().unwrap().len()), (0, 0));
    }

    #[test]
    fn a_failed_cut_poisons_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        std::fs::write(&path, "line\n").unwrap();
        let read_only = File::open(&path).unwrap();
        let mut file = AppendFile { file: read_only, path, len: 5, poisoned: false, protected: None };
        assert_eq!(file.truncate(0).unwrap_err().id, "journal.write");
        assert_eq!(file.append(b"x").unwrap_err().id, "journal.poisoned");
    }
}
