use std::fs::{metadata, read, read_dir, symlink_metadata, write};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use super::*;

fn mode(path: &Path) -> u32 {
    metadata(path).unwrap().permissions().mode() & 0o777
}

fn entries(dir: &Path) -> usize {
    read_dir(dir).unwrap().count()
}

#[test]
fn a_secret_is_read_without_a_copy_and_within_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pin");
    for (length, fits) in [(0, true), (9, true), (10, true), (11, false), (5000, false)] {
        std::fs::write(&path, vec![b'7'; length]).unwrap();
        match read_secret(&path, 10) {
            Ok(bytes) => assert!(fits && bytes.len() == length && bytes.capacity() == 74, "{length}"),
            Err(e) => assert!(!fits && e.id == "file.too-large" && !e.message.contains("77"), "{e}"),
        }
    }
    assert_eq!(read_secret(dir.path(), 10).unwrap_err().id, "file.not-regular");
}

#[test]
fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    write_atomic(dir.path(), "head", b"one", 0o600).unwrap();
    // What an earlier process of the same number may have left is no obstacle.
    write(dir.path().join(format!(".head.{}.tmp", std::process::id())), "torn").unwrap();
    write_atomic(dir.path(), "head", b"two", 0o600).unwrap();
    let path = dir.path().join("head");
    assert_eq!((read(&path).unwrap(), mode(&path), entries(dir.path())), (b"two".to_vec(), 0o600, 1));
}

#[test]
fn a_link_is_replaced_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, target) = (dir.path().join("head"), dir.path().join("target"));
    write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    write_atomic(dir.path(), "head", b"new", 0o600).unwrap();
    assert!(symlink_metadata(&path).unwrap().is_file());
    assert_eq!(read(target).unwrap(), b"kept");
}

#[test]
fn a_new_file_never_replaces_one() {
    let dir = tempfile::tempdir().unwrap();
    write_new(dir.path(), "1.pem", b"one", 0o644).unwrap();
    let error = write_new(dir.path(), "1.pem", b"two", 0o644).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("file.exists", 2));
    assert_eq!((read(dir.path().join("1.pem")).unwrap(), entries(dir.path())), (b"one".to_vec(), 1));
}

#[test]
fn a_failed_write_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("taken/full")).unwrap();
    assert_eq!(write_atomic(dir.path(), "taken", b"x", 0o600).unwrap_err().id, "file.unwritable");
    assert_eq!(entries(dir.path()), 1);
    let missing = dir.path().join("no\n");
    let error = write_atomic(&missing, "x", b"x", 0o600).unwrap_err();
    assert_eq!(error.id, "file.unwritable");
    assert!(error.message.contains("no\\u{a}/x: No such file"), "{error}");
}

#[test]
fn a_directory_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("issued");
    create_dir(&path, 0o700).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(create_dir(&path, 0o700).unwrap_err().id, "file.exists");
    assert_eq!(create_dir(&dir.path().join("no/issued"), 0o700).unwrap_err().id, "file.unwritable");
}

#[test]
fn a_file_is_read_up_to_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("policy.toml");
    write(&path, "12345").unwrap();
    assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
    assert_eq!(read_bounded(&path, 4).unwrap_err().id, "file.too-large");
    let sparse = File::create(dir.path().join("sparse")).unwrap();
    sparse.set_len(10 << 30).unwrap();
    assert_eq!(read_bounded(&dir.path().join("sparse"), 1 << 20).unwrap_err().id, "file.too-large");
    // Says that it has no bytes, and has some.
    assert!(!read_bounded(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
    assert_eq!(read_bounded(Path::new("/proc/self/status"), 10).unwrap_err().id, "file.too-large");
}

#[test]
fn what_is_no_readable_regular_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let id = |path: &Path| read_bounded(path, 100).unwrap_err().id;
    let (fifo, socket) = (dir.path().join("fifo"), dir.path().join("socket"));
    fs::mkfifoat(fs::CWD, &fifo, Mode::RWXU).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    assert_eq!(id(&dir.path().join("none")), "file.missing");
    assert_eq!(id(&fifo.join("beneath")), "file.missing");
    assert_eq!(id(dir.path()), "file.not-regular");
    assert_eq!(id(&fifo), "file.not-regular");
    assert_eq!(id(&socket), "file.not-regular");
    assert_eq!(id(Path::new("/dev/zero")), "file.not-regular");
    // Its first page is mapped in no process: the read itself fails, for root as well.
    assert_eq!(id(Path::new("/proc/self/mem")), "file.unreadable");
}

#[test]
fn what_a_crash_left_is_known_by_its_name_and_swept() {
    for name in [".head.12.tmp", ".a.pem.4194304.tmp"] {
        assert!(is_temporary(name), "{name}");
    }
    for name in ["head", ".head.tmp", "head.12.tmp", ".12.tmp", ".head.x.tmp", ".head.12.tmp2"] {
        assert!(!is_temporary(name), "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    for name in [".head.12.tmp", "head"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    sweep(dir.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["head"]);
}
