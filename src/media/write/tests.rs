use std::fs::{create_dir, create_dir_all, read, read_dir, write};
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use super::*;

const FOLDER: &str = "anchorite-2030-01-01-1";
const LAST: &str = "MANIFEST.toml";

fn files() -> Vec<(String, Vec<u8>)> {
    [(LAST, "manifest"), ("root-cert.pem", "root"), ("east/ca-cert.pem", "ca"), ("east/deep/er/empty", "")]
        .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
        .to_vec()
}

fn each(files: Vec<(String, Vec<u8>)>) -> impl Iterator<Item = Result<(String, Vec<u8>)>> {
    files.into_iter().map(Ok)
}

/// Of more clusters than are written one after the other.
fn many_files() -> Vec<(String, Vec<u8>)> {
    let fleet = (0..300).flat_map(|n| {
        let file = move |name: &str| (format!("cluster{n}/{name}"), format!("{n} {name}").repeat(400).into());
        [file("ca-cert.pem"), file("cert-chain.pem")]
    });
    files().into_iter().chain(fleet).collect()
}

fn written(files: Vec<(String, Vec<u8>)>) -> Vec<Written> {
    files.iter().map(|(name, bytes)| Written::of(name, bytes)).collect()
}

fn stick() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(to: &Path) -> &'static str {
    let error = check_output(to, FOLDER).unwrap_err();
    assert_eq!(error.kind.exit_code(), 2);
    assert!(!error.next.is_empty());
    error.id
}

#[test]
fn a_release_is_written_whole_and_nothing_else_is_left() {
    for files in [files(), many_files()] {
        let stick = stick();
        let output = check_output(stick.path(), FOLDER).unwrap();
        assert_eq!(listing(stick.path()), [""; 0], "the probe leaves nothing");
        let folder = output.write(each(files.clone()), LAST).unwrap();
        assert_eq!(folder, stick.path().join(FOLDER));
        assert_eq!(listing(stick.path()), [FOLDER]);
        let mut top: Vec<&str> = files.iter().filter_map(|(name, _)| name.split('/').next()).collect();
        top.sort();
        top.dedup();
        assert_eq!(listing(&folder), top);
        assert_eq!(listing(&folder.join("east")), ["ca-cert.pem", "deep"]);
        for (name, bytes) in files {
            assert_eq!(read(folder.join(name)).unwrap(), bytes);
        }
    }
}

#[test]
fn the_place_must_be_a_directory() {
    let stick = stick();
    write(stick.path().join("file"), "").unwrap();
    assert_eq!(refusal(&stick.path().join("none")), "output.missing");
    assert_eq!(refusal(&stick.path().join("file")), "output.missing");
    assert_eq!(refusal(Path::new("")), "output.missing");
}

#[test]
fn nothing_is_overwritten() {
    for name in [FOLDER.to_owned(), format!("{FOLDER}.partial")] {
        let stick = stick();
        symlink("nowhere", stick.path().join(&name)).unwrap();
        assert_eq!(refusal(stick.path()), "output.exists");
        assert_eq!(listing(stick.path()), [name]);
    }
}

#[test]
fn a_folder_that_comes_up_meanwhile_is_left_alone() {
    for name in [FOLDER.to_owned(), format!("{FOLDER}.partial")] {
        let stick = stick();
        let output = check_output(stick.path(), FOLDER).unwrap();
        create_dir_all(stick.path().join(&name).join("theirs")).unwrap();
        assert_eq!(output.write(each(files()), LAST).unwrap_err().id, "output.exists");
        assert_eq!(listing(stick.path()), [name.as_str()]);
        assert_eq!(listing(&stick.path().join(name)), ["theirs"]);
    }
}

#[test]
fn a_stick_without_room_is_refused() {
    let stick = stick();
    let output = check_output(stick.path(), FOLDER).unwrap();
    output.room(100, 1000).unwrap();
    for (files, bytes) in [(0, u64::MAX), (u64::MAX, 0), (1 << 40, 0)] {
        let error = output.room(files, bytes).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("output.full", 2));
        assert!(error.message.contains("bytes free, want "), "{error}");
    }
    drop(output);
    assert_eq!(listing(stick.path()), [""; 0]);
}

#[test]
fn a_bad_name_leaves_nothing_behind() {
    let stick = stick();
    assert_eq!(check_output(stick.path(), "../up").unwrap_err().id, "output.name");
    for bad in ["../up", "CON", "manifest.toml"] {
        let mut files = files();
        files.push((bad.to_owned(), Vec::new()));
        let output = check_output(stick.path(), FOLDER).unwrap();
        assert_eq!(output.write(each(files), LAST).unwrap_err().id, "output.name");
    }
    let output = check_output(stick.path(), FOLDER).unwrap();
    assert_eq!(output.write(each(files()), "SHA256SUMS").unwrap_err().id, "output.name");
    assert_eq!(listing(stick.path()), [""; 0]);
}

#[test]
fn what_cannot_be_made_leaves_nothing_behind() {
    let stick = stick();
    let output = check_output(stick.path(), FOLDER).unwrap();
    let broken = Error::integrity("release.differs", "it differs");
    let error = output.write(each(files()).chain([Err(broken)]), LAST).unwrap_err();
    assert_eq!(
        (error.id, error.message.as_str()),
        ("release.differs", "it differs; what had been written was removed")
    );
    assert_eq!(listing(stick.path()), [""; 0]);
}

#[test]
fn what_differs_when_read_back_is_caught() {
    let stick = stick();
    let folder = check_output(stick.path(), FOLDER).unwrap().write(each(files()), LAST).unwrap();
    let dir = file::open_directory(&folder).unwrap();
    read_back(&dir, &folder, &written(files())).unwrap();
    let fleet = stick.path().join("fleet");
    create_dir(&fleet).unwrap();
    let fleet = check_output(&fleet, FOLDER).unwrap().write(each(many_files()), LAST).unwrap();
    let of_fleet = file::open_directory(&fleet).unwrap();
    read_back(&of_fleet, &fleet, &written(many_files())).unwrap();
    for n in [299, 7, 150] {
        // Of all that differ the first is told.
        let name = format!("cluster{n}/cert-chain.pem");
        write(fleet.join(&name), "other").unwrap();
        let error = read_back(&of_fleet, &fleet, &written(many_files())).unwrap_err();
        let first = if n == 299 { name } else { "cluster7/cert-chain.pem".into() };
        assert!(error.message.contains(&format!("{first}: read back")), "{error}");
    }
    for altered in [Some("r00t"), Some("root2"), Some("roo"), None] {
        let path = folder.join("root-cert.pem");
        match altered {
            Some(text) => write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = read_back(&dir, &folder, &written(files())).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("output.read-back", 4));
        assert!(error.message.contains("root-cert.pem: read back"), "{error}");
    }
}

#[test]
fn what_somebody_else_put_there_meanwhile_is_caught() {
    fn symlinked(folder: &Path) {
        std::fs::rename(folder.join("east"), folder.with_extension("east")).unwrap();
        symlink(folder.with_extension("east"), folder.join("east")).unwrap();
    }
    fn moved(folder: &Path) {
        std::fs::rename(folder, folder.with_extension("away")).unwrap();
    }
    fn replaced(folder: &Path) {
        moved(folder);
        create_dir(folder).unwrap();
    }
    type Bend = (fn(&Path), &'static str, &'static str);
    let bends: [Bend; 5] = [
        (
            |folder| write(folder.join("east/more.pem"), "").unwrap(),
            "output.read-back",
            "more.pem: lies there",
        ),
        (|folder| create_dir(folder.join("west")).unwrap(), "output.read-back", "west: lies there"),
        (symlinked, "output.failed", "east: "),
        (moved, "output.read-back", "is not the folder that was written"),
        (replaced, "output.read-back", "is not the folder that was written"),
    ];
    for (bend, id, words) in bends {
        let stick = stick();
        let output = check_output(stick.path(), FOLDER).unwrap();
        let folder = stick.path().join(FOLDER);
        create_dir(&folder).unwrap();
        let mut release =
            Release { output: &output, name: FOLDER.to_owned(), directories: Vec::new(), files: Vec::new() };
        let open = release.open().unwrap();
        release.make_directories(&open, vec!["east".into()]).unwrap();
        release.write_files(&open, &[("east/ca-cert.pem".into(), b"ca".to_vec())]).unwrap();
        release.put_in_place(&open, 0).unwrap();
        release.nothing_else(&open).and_then(|()| release.still_there(&open)).unwrap();
        bend(&folder);
        let error = release.nothing_else(&open).and_then(|()| release.still_there(&open)).unwrap_err();
        assert_eq!(error.id, id, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn what_was_written_is_removed_and_no_more() {
    let stick = stick();
    let output = check_output(stick.path(), FOLDER).unwrap();
    let folder = stick.path().join(FOLDER);
    create_dir_all(folder.join("east")).unwrap();
    for left in [LAST, "east/ca-cert.pem", "root-cert.pem~"] {
        write(folder.join(left), "").unwrap();
    }
    write(folder.join("theirs"), "").unwrap();
    let directories = vec!["east".to_owned()];
    let release = Release { output: &output, name: FOLDER.to_owned(), directories, files: written(files()) };

    let error = release.discard(Error::usage("output.full", "no room"));
    assert!(error.message.contains("could not be removed (Directory not empty"), "{error}");
    assert_eq!(listing(&folder), ["theirs"]);

    std::fs::remove_file(folder.join("theirs")).unwrap();
    let error = release.discard(Error::usage("output.full", "no room"));
    assert_eq!(
        (error.id, error.message.as_str()),
        ("output.full", "no room; what had been written was removed")
    );
    assert_eq!(listing(stick.path()), [""; 0]);
}

#[test]
fn each_errno_has_its_advice() {
    let id = |errno: Errno| failure(Path::new("x"), &errno.into()).id;
    assert_eq!(id(Errno::NOSPC), "output.full");
    assert_eq!(id(Errno::DQUOT), "output.full");
    assert_eq!(id(Errno::ROFS), "output.not-writable");
    assert_eq!(id(Errno::ACCESS), "output.not-writable");
    assert_eq!(id(Errno::PERM), "output.not-writable");
    assert_eq!(id(Errno::IO), "output.failed");
}

#[test]
fn one_place_is_found_by_any_name() {
    let (one, two) = (stick(), stick());
    create_dir(one.path().join("in")).unwrap();
    write(one.path().join("in/a.csr"), "").unwrap();
    symlink(one.path(), two.path().join("link")).unwrap();
    let same = |from: &Path, to: &Path| same_place(from, to).unwrap();
    assert!(same(one.path(), one.path()));
    assert!(same(&one.path().join("in"), one.path()));
    assert!(same(one.path(), &two.path().join("link/in")));
    assert!(same(&one.path().join("in/a.csr"), one.path()));
    assert!(!same(one.path(), two.path()));
    assert_eq!(same_place(&one.path().join("none"), two.path()).unwrap_err().id, "media.missing");
    assert_eq!(same_place(one.path(), &two.path().join("none")).unwrap_err().id, "output.missing");
}

/// The variable that tells the test below that it runs in a mount namespace of its own.
const INSIDE: &str = "ANCHORITE_TEST_MOUNTS";

/// A full and a write-protected filesystem need a mount, and a mount needs a
/// namespace: the test runs itself once more within one.
#[test]
fn a_full_and_a_write_protected_stick() {
    if let Some(dir) = std::env::var_os(INSIDE) {
        return on_real_mounts(Path::new(&dir));
    }
    let dir = stick();
    for name in ["full", "few", "read-only"] {
        create_dir(dir.path().join(name)).unwrap();
    }
    let mount = "mount -t tmpfs -o size=2m none \"$1/full\" && mount -t tmpfs -o ro none \"$1/read-only\" \
        && mount -t tmpfs -o size=8m,nr_inodes=50 none \"$1/few\"";
    let unshare = |script: &str, arguments: &[&std::ffi::OsStr]| {
        Command::new("unshare")
            .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
            .arg(dir.path())
            .args(arguments)
            .env(INSIDE, dir.path())
            .output()
    };
    if !unshare(mount, &[]).is_ok_and(|tried| tried.status.success()) {
        eprintln!("not tried: this system allows no mount in a namespace");
        return;
    }
    let again = std::env::current_exe().unwrap();
    let name = "media::write::tests::a_full_and_a_write_protected_stick";
    let output = unshare(
        &format!("{mount} && exec \"$2\" --exact \"$3\" --nocapture"),
        &[again.as_os_str(), name.as_ref()],
    )
    .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn on_real_mounts(dir: &Path) {
    assert_eq!(refusal(&dir.join("read-only")), "output.not-writable");

    let few = check_output(&dir.join("few"), FOLDER).unwrap();
    few.room(40, 1000).unwrap();
    let error = few.room(60, 1000).unwrap_err();
    assert_eq!(error.id, "output.full");
    assert!(error.message.contains(" inodes free, want 60"), "{error}");

    let full = dir.join("full");
    let output = check_output(&full, FOLDER).unwrap();
    let mut files = files();
    files.push(("west/big".to_owned(), vec![7; 3 << 20]));
    let error = output.write(each(files), LAST).unwrap_err();
    assert_eq!(error.id, "output.full");
    assert!(error.message.contains("west/big: No space left on device"), "{error}");
    assert!(error.message.ends_with("what had been written was removed"), "{error}");
    assert_eq!(listing(&full), [""; 0]);
    let error = check_output(&full, FOLDER).unwrap().write(each(many_files()), LAST).unwrap_err();
    assert_eq!(error.id, "output.full");
    assert!(error.message.ends_with("what had been written was removed"), "{error}");
    assert_eq!(listing(&full), [""; 0]);

    write(full.join("filler"), vec![7; (2 << 20) - 4096]).unwrap();
    assert_eq!(refusal(&full), "output.full");
    assert_eq!(listing(&full), ["filler"]);
}
