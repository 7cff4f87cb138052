use std::ffi::OsStr;
use std::fs::{create_dir, create_dir_all, hard_link, write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use rustix::fs::CWD;
use tempfile::TempDir;

use super::*;

fn stick() -> TempDir {
    let stick = tempfile::tempdir().unwrap();
    write(stick.path().join("good.csr"), "request").unwrap();
    stick
}

fn read(path: impl AsRef<Path>) -> Stick {
    read_paths(&[path.as_ref().to_owned()], &Limits::default()).unwrap()
}

fn names(stick: &Stick) -> Vec<&str> {
    stick.files.iter().map(|file| file.path.as_str()).collect()
}

/// A reader of no device, for what a race would put in the way of an open.
fn reader(limits: &Limits) -> Reader<'_> {
    Reader { limits, entries: 0, total: 0, device: u64::MAX, given: String::new(), stick: Stick::default() }
}

/// The one finding there is; the good file beside it was read all the same.
fn only(stick: &Stick) -> (&str, &str, bool) {
    assert_eq!(names(stick), ["good.csr"]);
    match stick.findings.as_slice() {
        [finding] => (&finding.file, finding.rule, finding.refused),
        findings => panic!("{findings:?}"),
    }
}

#[test]
fn files_come_sorted_by_their_bytes_with_their_digests() {
    let stick = stick();
    create_dir_all(stick.path().join("a/b")).unwrap();
    for name in ["Z", "a.csr", "a/b/2", "a/b/10", "empty"] {
        write(stick.path().join(name), name).unwrap();
    }
    write(stick.path().join("empty"), "").unwrap();
    let read = read(stick.path());
    assert_eq!(names(&read), ["Z", "a/b/10", "a/b/2", "a.csr", "empty", "good.csr"]);
    assert_eq!(read.findings, []);
    let good = read.files.last().unwrap();
    assert_eq!((good.bytes.as_slice(), good.digest), (b"request".as_slice(), Digest::of(b"request")));
}

#[test]
fn a_links_target_is_never_read() {
    let stick = stick();
    symlink("/etc/passwd", stick.path().join("link.csr")).unwrap();
    assert_eq!(only(&read(stick.path())), ("link.csr", "media.symlink", true));
}

#[test]
fn a_linked_directory_is_never_entered() {
    let stick = stick();
    symlink(".", stick.path().join("loop")).unwrap();
    assert_eq!(only(&read(stick.path())), ("loop", "media.symlink", true));
}

#[test]
fn a_link_put_in_place_of_a_file_is_not_followed() {
    let stick = stick();
    symlink("good.csr", stick.path().join("link")).unwrap();
    let dir = fs::open(stick.path(), READ, Mode::empty()).unwrap();
    for open in [open_beneath, open_component] {
        assert_eq!(open(&dir, c"link").unwrap_err(), Errno::LOOP);
        open(&dir, c"good.csr").unwrap();
    }
    let limits = Limits::default();
    let mut reader = reader(&limits);
    reader.opened(open_beneath(&dir, c"link"), b"link", 0).unwrap();
    assert_eq!(reader.stick.findings[0].rule, "media.symlink");
}

#[test]
fn a_fifo_is_not_waited_for() {
    let stick = stick();
    fs::mkfifoat(CWD, stick.path().join("pipe.csr"), Mode::RWXU).unwrap();
    assert_eq!(only(&read(stick.path())), ("pipe.csr", "media.fifo", true));
}

#[test]
fn a_fifo_put_in_place_of_a_file_is_not_waited_for() {
    let stick = tempfile::tempdir().unwrap();
    fs::mkfifoat(CWD, stick.path().join("pipe"), Mode::RWXU).unwrap();
    let dir = fs::open(stick.path(), READ, Mode::empty()).unwrap();
    let limits = Limits::default();
    let mut reader = reader(&limits);
    reader.opened(open_beneath(&dir, c"pipe"), b"pipe", 0).unwrap();
    assert_eq!(reader.stick.findings[0].rule, "media.fifo");
}

#[test]
fn a_socket_is_refused() {
    let stick = stick();
    let _listener = UnixListener::bind(stick.path().join("s.csr")).unwrap();
    assert_eq!(only(&read(stick.path())), ("s.csr", "media.socket", true));
}

#[test]
fn a_device_is_refused_by_name_and_once_open() {
    let limits = Limits::default();
    let mut reader = reader(&limits);
    let dir = fs::open("/dev", READ, Mode::empty()).unwrap();
    reader.entry(&dir, c"zero", b"zero", 0).unwrap();
    reader.opened(fs::open("/dev/zero", READ, Mode::empty()), b"zero", 0).unwrap();
    assert_eq!((reader.stick.files.len(), reader.stick.findings.len()), (0, 2));
    assert!(reader.stick.findings.iter().all(|f| f.rule == "media.device" && f.refused));
}

#[test]
fn a_directory_named_like_a_request_is_a_directory() {
    let stick = stick();
    create_dir(stick.path().join("x.csr")).unwrap();
    let read = read(stick.path());
    assert_eq!(names(&read), ["good.csr"]);
    assert_eq!(read.findings, []);
}

#[test]
fn a_sparse_file_is_judged_by_its_size() {
    let stick = stick();
    File::create(stick.path().join("big")).unwrap().set_len(10 << 30).unwrap();
    assert_eq!(only(&read(stick.path())), ("big", "media.too-large", true));
}

#[test]
fn a_file_of_just_the_limit_is_read() {
    let stick = stick();
    let limits = Limits { file_bytes: 7, ..Limits::default() };
    write(stick.path().join("over"), "12345678").unwrap();
    let read = read_paths(&[stick.path().to_owned()], &limits).unwrap();
    assert_eq!(only(&read), ("over", "media.too-large", true));
}

#[test]
fn thousands_of_files_are_too_many() {
    let stick = stick();
    for i in 0..5000 {
        write(stick.path().join(i.to_string()), "").unwrap();
    }
    let error = read_paths(&[stick.path().to_owned()], &Limits::default()).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("media.too-many", 2));
    let enough = Limits { files: 5001, ..Limits::default() };
    assert_eq!(read_paths(&[stick.path().to_owned()], &enough).unwrap().files.len(), 5001);
}

#[test]
fn files_that_are_too_much_together_stop_the_reading() {
    let stick = stick();
    write(stick.path().join("more"), "1").unwrap();
    let limits = |total_bytes| Limits { total_bytes, ..Limits::default() };
    let error = read_paths(&[stick.path().to_owned()], &limits(7)).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("media.too-much", 2));
    assert_eq!(read_paths(&[stick.path().to_owned()], &limits(8)).unwrap().files.len(), 2);
}

#[test]
fn forty_levels_are_too_deep_and_eight_are_not() {
    let stick = stick();
    create_dir_all(stick.path().join("d/".repeat(40))).unwrap();
    let eight = "d/".repeat(8);
    write(stick.path().join(&eight).join("deep.csr"), "").unwrap();
    write(stick.path().join(&eight).join("d/deeper.csr"), "").unwrap();
    let read = read(stick.path());
    assert_eq!(names(&read), [format!("{eight}deep.csr").as_str(), "good.csr"]);
    let finding = &read.findings[0];
    assert_eq!(
        (finding.file.as_str(), finding.rule, finding.refused),
        (&*format!("{eight}d"), "media.depth", true)
    );
}

#[test]
fn names_steer_no_terminal() {
    let stick = tempfile::tempdir().unwrap();
    for name in [b"a\nb".as_slice(), b"\x1b[2Jc", b"d\xff\xfe"] {
        write(stick.path().join(OsStr::from_bytes(name)), "").unwrap();
    }
    symlink("x", stick.path().join("e\u{202e}f")).unwrap();
    let read = read(stick.path());
    assert_eq!(names(&read), ["\\u{1b}[2Jc", "a\\u{a}b", "d\\xff\\xfe"]);
    assert_eq!(read.findings[0].file, "e\\u{202e}f");
}

#[test]
fn a_second_name_is_noted_and_the_file_is_read() {
    let stick = stick();
    hard_link(stick.path().join("good.csr"), stick.path().join("same.csr")).unwrap();
    let read = read(stick.path());
    assert_eq!(names(&read), ["good.csr", "same.csr"]);
    assert!(read.findings.iter().all(|f| f.rule == "media.hard-link" && !f.refused));
    assert_eq!(read.findings.len(), 2);
}

#[test]
fn what_may_not_be_read_is_refused_but_for_lost_and_found() {
    let stick = stick();
    let chmod = |mode| {
        for name in ["lost+found", "secret"] {
            fs::chmodat(CWD, stick.path().join(name), mode, AtFlags::empty()).unwrap();
        }
    };
    create_dir(stick.path().join("lost+found")).unwrap();
    create_dir(stick.path().join("secret")).unwrap();
    chmod(Mode::empty());
    let root = std::fs::read_dir(stick.path().join("secret")).is_ok(); // may read everything
    let read = read(stick.path());
    chmod(Mode::RWXU);
    let found: Vec<_> = read.findings.iter().map(|f| (f.file.as_str(), f.rule, f.refused)).collect();
    let refused = [("lost+found", "media.unreadable", false), ("secret", "media.unreadable", true)];
    assert_eq!(found, if root { &refused[..0] } else { &refused });
}

#[test]
fn an_error_while_reading_is_a_finding_that_says_which() {
    // Its first page is mapped in no process: opening succeeds, the read fails, for root as well.
    let read = read("/proc/self/mem");
    assert_eq!(names(&read), [""; 0]);
    let finding = &read.findings[0];
    assert_eq!((finding.file.as_str(), finding.rule, finding.refused), ("mem", "media.unreadable", true));
    assert!(finding.message.contains("os error"), "{}", finding.message);
}

#[test]
fn a_file_whose_size_does_not_hold_is_refused() {
    // Says that it has no bytes, and has some.
    let read = read("/proc/self/status");
    assert_eq!(names(&read), [""; 0]);
    assert_eq!((read.findings[0].rule, read.findings[0].refused), ("media.changed", true));
}

#[test]
fn another_filesystem_is_not_entered() {
    let stick = stick();
    let limits = Limits::default();
    let mut reader = Reader {
        limits: &limits,
        entries: 0,
        total: 0,
        device: u64::MAX,
        given: String::new(),
        stick: Stick::default(),
    };
    // By the kernel's word, then by the device's number.
    reader.opened(Err(Errno::XDEV), b"mounted", 0).unwrap();
    reader.opened(fs::open(stick.path(), READ, Mode::empty()), b"mounted", 0).unwrap();
    assert_eq!(reader.stick.findings.len(), 2);
    assert!(reader.stick.findings.iter().all(|f| f.rule == "media.other-filesystem" && f.refused));
    let root = fs::open("/", READ, Mode::empty()).unwrap();
    assert_eq!(open_beneath(&root, c"proc").unwrap_err(), Errno::XDEV);
}

#[test]
fn the_operators_own_link_leads_to_the_stick_but_not_to_a_file() {
    let (stick, elsewhere) = (stick(), tempfile::tempdir().unwrap());
    let (mount, file) = (elsewhere.path().join("usb"), elsewhere.path().join("file"));
    symlink(stick.path(), &mount).unwrap();
    symlink(stick.path().join("good.csr"), &file).unwrap();
    assert_eq!(names(&read(mount)), ["good.csr"]);
    assert_eq!(read(file).findings[0].rule, "media.symlink");
}

#[test]
fn single_files_and_several_paths_are_told_apart() {
    let (one, two) = (stick(), stick());
    let file = one.path().join("good.csr");
    assert_eq!(names(&read(&file)), ["good.csr"]);
    let paths = [file.clone(), two.path().join("")];
    let read = read_paths(&paths, &Limits::default()).unwrap();
    assert_eq!(names(&read), [file.to_str().unwrap(), two.path().join("good.csr").to_str().unwrap()]);
}

#[test]
fn the_path_itself_must_be_there_and_be_readable() {
    let stick = stick();
    let id = |path: &Path| read_paths(&[path.to_owned()], &Limits::default()).unwrap_err().id;
    assert_eq!(id(&stick.path().join("none")), "media.missing");
    assert_eq!(id(&stick.path().join("good.csr/none")), "media.missing");
    assert_eq!(id(Path::new("")), "media.missing");
    assert_eq!(id(Path::new("/dev/zero")), "media.not-regular");
    let fifo = stick.path().join("fifo");
    fs::mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    assert_eq!(id(&fifo), "media.not-regular");
    let looped = stick.path().join("looped");
    symlink("looped", &looped).unwrap();
    assert_eq!(id(&looped), "media.unreadable");
}

#[test]
fn a_finding_is_written_as_the_contract_says() {
    let finding = MediaFinding { file: "a".into(), rule: "media.fifo", message: "b".into(), refused: true };
    assert_eq!(
        serde_json::to_value(finding).unwrap(),
        serde_json::json!({"file": "a", "rule": "media.fifo", "message": "b"})
    );
}

#[test]
fn a_file_by_itself_brings_what_lies_in_its_signatures_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["a.csr", "a.csr.sig", "b.csr"] {
        std::fs::write(at(name), name).unwrap();
    }
    let names = |paths: &[PathBuf]| -> Vec<String> {
        let read = read_paths(paths, &Limits::default()).unwrap().files;
        read.into_iter().map(|file| file.path.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[at("a.csr")]), ["a.csr", "a.csr.sig"]);
    assert_eq!(names(&[at("a.csr"), at("a.csr.sig")]), ["a.csr", "a.csr.sig"]);
    assert_eq!(names(&[at("b.csr"), at("a.csr")]), ["b.csr", "a.csr", "a.csr.sig"]);
    assert_eq!(names(&[at("b.csr")]), ["b.csr"]);
}

#[test]
fn a_signature_lies_where_intake_looks_for_it() {
    assert_eq!(super::SIGNATURE, crate::intake::SUFFIX);
}
