//! A stick: names, kinds, links and contents, on a real file system.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use anchorite::intake::{self, find_private_key};
use anchorite::media::{Limits, read_paths};
use anchorite::x509::Digest;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::csr::{arrived, decide_by};
use super::{files, fit, good, world};

/// Narrow, so that a small input reaches them.
const LIMITS: Limits = Limits { file_bytes: 4096, files: 24, depth: 3, total_bytes: 16 << 10 };

pub fn stick(data: &[u8]) {
    let dir = folder();
    let made = lay_out(dir.path(), data);
    let paths = [dir.path().to_path_buf()];
    let Some(stick) = good(read_paths(&paths, &LIMITS)) else { return };
    let again = read_paths(&paths, &LIMITS).unwrap();
    assert_eq!(format!("{stick:?}"), format!("{again:?}"), "read alike each time");

    assert!(stick.files.len() <= made, "nothing is read that is not there");
    let total: u64 = stick.files.iter().map(|file| file.bytes.len() as u64).sum();
    assert!(total <= LIMITS.total_bytes);
    let mut requests = Vec::new();
    for file in &stick.files {
        fit(&file.path);
        assert!(file.bytes.len() as u64 <= LIMITS.file_bytes);
        assert_eq!(file.digest, Digest::of(&file.bytes));
        let _ = find_private_key(&file.bytes);
        requests.extend(intake::read(&file.path, &file.bytes).into_iter().filter_map(arrived));
    }
    for finding in &stick.findings {
        fit(&finding.file);
        fit(&finding.message);
    }
    if !requests.is_empty() {
        decide_by(world::policies(), "istio", &requests);
    }
}

/// In memory where there is such a place: a run makes thousands a second.
pub(super) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Makes what the input names; a name that ends in one of these characters is no plain
/// file. What the file system refuses is not there. Gives how many files were made.
fn lay_out(dir: &Path, data: &[u8]) -> usize {
    let mut made = 0;
    for (name, bytes) in files::unpack(data) {
        let (name, kind) = match name.split_last() {
            Some((kind @ (b'@' | b'|' | b'%' | b'&'), name)) => (name, *kind),
            _ => (name, b' '),
        };
        let relative = Path::new(OsStr::from_bytes(name));
        // Laid out beneath the folder, and nowhere else.
        if name.is_empty() || !relative.components().all(|c| matches!(c, Component::Normal(_))) {
            continue;
        }
        let path = dir.join(relative);
        if let Some(parent) = path.parent() {
            let _ = fs::create_dir_all(parent);
        }
        let target = OsStr::from_bytes(bytes.get(..64).unwrap_or(bytes));
        let done = match kind {
            b'@' => std::os::unix::fs::symlink(target, &path).is_ok(),
            b'|' => mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).is_ok(),
            b'%' => fs::File::create_new(&path).and_then(|f| f.set_len(1 << 40)).is_ok(),
            b'&' => fs::hard_link(dir.join("a.csr"), &path).is_ok(),
            // Never what is there already: that may be a FIFO, which waits for a reader.
            _ => fs::File::create_new(&path).and_then(|mut f| f.write_all(bytes)).is_ok(),
        };
        made += usize::from(done);
    }
    made
}
