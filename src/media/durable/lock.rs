//! One process at a time on a CA home.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rustix::fs::{self, FileType, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::{unwritable, write_protected};
use crate::error::{Error, Result};
use crate::media::file;

/// Held until dropped, or until the process ends however it ends.
#[derive(Debug)]
pub struct Lock {
    file: Option<File>,
}

impl Drop for Lock {
    /// Let go, not only closed: a process that a PKCS#11 module forked and left behind
    /// has the file open as well, and would hold it on.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::flock(file, FlockOperation::Unlock);
        }
    }
}

/// Takes the lock file at `path`, making it where there is none. It is never
/// removed: two processes could then each hold a file of that name. On a disk that
/// nobody can write to (a copy for an auditor) there is no need of one; whoever may
/// only read the file holds it as well.
pub fn lock_exclusive(path: &Path) -> Result<Lock> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |how: OFlags| retry_on_intr(|| fs::open(path, how | flags, Mode::from_raw_mode(0o600)));
    let there = retry_on_intr(|| fs::lstat(path)).map(|it| FileType::from_raw_mode(it.st_mode));
    if there.is_ok_and(|there| there != FileType::RegularFile) {
        let message = format!("{}: is no file that could be locked", file::shown(path));
        return Err(Error::usage("file.not-regular", message)
            .next("find out who put it there, then remove it: it is made anew"));
    }
    let protected = path.parent().and_then(write_protected);
    let fd = match open(OFlags::RDWR | OFlags::CREATE) {
        Err(Errno::ROFS) if protected == Some(Errno::ROFS) => return Ok(Lock { file: None }),
        Err(Errno::ACCESS) => open(OFlags::RDONLY),
        opened => opened,
    };
    let fd = fd.map_err(|e| unwritable(path, &e.into()))?;
    let mut file = File::from(fd);
    match retry_on_intr(|| fs::flock(&file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(held(path, &file)),
        Err(e) => return Err(unwritable(path, &e.into())),
    }
    if write_protected(path).is_none() {
        write_pid(&mut file).map_err(|e| unwritable(path, &e))?;
    }
    Ok(Lock { file: Some(file) })
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn held(path: &Path, file: &File) -> Error {
    let holder = file::read_at_most(file, 20)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok()?.trim_end().parse::<u32>().ok())
        .map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    Error::usage("home.locked", format!("{}: held by {holder}", file::shown(path)))
        .next("wait until it has ended; the lock goes with it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_goes_with_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let lock = lock_exclusive(&path).unwrap();
        let error = lock_exclusive(&path).unwrap_err();
        assert_eq!(error.id, "home.locked");
        assert!(error.message.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        lock_exclusive(&path).unwrap();
    }

    #[test]
    fn a_holder_that_left_no_number_is_not_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let _lock = lock_exclusive(&path).unwrap();
        std::fs::write(&path, "\u{1b}[31m1").unwrap();
        let error = lock_exclusive(&path).unwrap_err();
        assert!(error.message.ends_with("held by another process"), "{error}");
    }

    #[test]
    fn a_lock_is_private_and_never_follows_a_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let (path, link) = (home.path().join("lock"), home.path().join("link"));
        let _lock = lock_exclusive(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::os::unix::fs::symlink(home.path().join("elsewhere"), &link).unwrap();
        assert_eq!(lock_exclusive(&link).unwrap_err().id, "file.not-regular");
        assert_eq!(lock_exclusive(home.path()).unwrap_err().id, "file.not-regular");
        assert_eq!(lock_exclusive(&home.path().join("no/lock")).unwrap_err().id, "file.unwritable");
    }
}
