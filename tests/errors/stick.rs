//! Sticks that are missing, full, forbidden, the same, or carry what they must not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::{printable, refused, refused_without_trace};
use crate::appliance::{Appliance, Ran, ran};

const SIGN: [&str; 2] = ["--policy", "istio"];

fn ready() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a
}

fn sign(a: &Appliance, from: &str, to: &str) -> Ran {
    let pin = a.arg("pin");
    a.run(&["sign", "--from", from, "--to", to, "--yes", "--policy", "istio", "--pin-file", &pin])
}

#[test]
fn a_stick_without_requests_or_none_at_all() {
    let a = Appliance::with_root("p256");
    let (from, to) = (a.arg("in"), a.arg("out"));
    a.write("in/readme.txt", "hello\n");
    refused_without_trace(
        &a,
        || sign(&a, &from, &to),
        (2, "media.empty", &["/in: no certification request"]),
    );
    refused_without_trace(
        &a,
        || a.run(&["inspect", &from]),
        (2, "media.empty", &["/in: no certification request"]),
    );
    for (from, to, wanted) in [
        (a.arg("none").as_str(), to.as_str(), (2, "media.missing", &["/none: No such file"][..])),
        (a.arg("pin").as_str(), to.as_str(), (2, "media.empty", &["/pin: no certification request"])),
        (from.as_str(), a.arg("none").as_str(), (2, "output.missing", &["/none: No such file"])),
        (from.as_str(), a.arg("pin").as_str(), (2, "output.missing", &["/pin: Not a directory"])),
    ] {
        refused_without_trace(&a, || sign(&a, from, to), wanted);
    }
    refused(a.run(&["inspect", &a.arg("none")]), (2, "media.missing", &["/none: No such file"]));
}

#[test]
fn what_goes_out_goes_to_another_stick() {
    let a = ready();
    std::fs::create_dir(a.path("in/out")).unwrap();
    symlink(a.path("in"), a.path("alias")).unwrap();
    for (from, to) in [("in", "in"), ("in", "in/out"), ("in/out", "in"), ("in", "alias"), ("in", "out/../in")]
    {
        let (from, to) = (a.arg(from), a.arg(to));
        let wanted = (2, "output.same-stick", &[to.as_str(), "read from"][..]);
        refused_without_trace(&a, || sign(&a, &from, &to), wanted);
    }
    // A folder in the home that is no part of it would be found broken by the next audit.
    for to in ["home", "home/issued"] {
        let to = a.arg(to);
        let wanted = (2, "output.home", &["the CA home"][..]);
        refused_without_trace(&a, || sign(&a, &a.arg("in"), &to), wanted);
    }
}

#[test]
fn a_release_never_overwrites_anything() {
    let a = ready();
    let today = anchorite::x509::Time::from_unix(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(),
    );
    let folder = format!("out/anchorite-{}-0001", today.date());
    for taken in [folder.clone(), format!("{folder}.partial")] {
        std::fs::create_dir(a.path(&taken)).unwrap();
        a.write(&format!("{taken}/mine"), "mine");
        refused_without_trace(&a, || a.sign(&SIGN), (2, "output.exists", &[&taken, "File exists"]));
        std::fs::remove_dir_all(a.path(&taken)).unwrap();
    }
    a.write(&folder, "a file of that name");
    refused_without_trace(&a, || a.sign(&SIGN), (2, "output.exists", &[&folder]));
}

/// Words before a command that may mount: as root, or in a user namespace of one's
/// own, or where those are forbidden with sudo.
pub fn namespace(a: &Appliance) -> &'static [&'static str] {
    let own = a.command("unshare").args(["-rm", "true"]).output().is_ok_and(|o| o.status.success());
    if own { &["unshare", "-rm"] } else { &["sudo", "-En", "unshare", "-m"] }
}

/// Runs `sign` where a tmpfs with these options is mounted on `out`.
fn sign_on(a: &Appliance, options: &str) -> Ran {
    let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" || exit 99; shift 2; exec "$@""#;
    let unshare = namespace(a);
    let (from, out, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    let mut command = a.command(unshare[0]);
    command.args(&unshare[1..]).args([
        "sh",
        "-c",
        script,
        "sh",
        options,
        &out,
        env!("CARGO_BIN_EXE_anchorite"),
    ]);
    command.args(["sign", "--from", &from, "--to", &out, "--yes", "--policy", "istio", "--pin-file", &pin]);
    ran(command.output().unwrap())
}

#[test]
fn a_stick_that_cannot_take_the_release_is_found_before_anything_is_signed() {
    let a = ready();
    let full = (2, "output.full", &["/out: ", "bytes free, want"][..]);
    refused_without_trace(&a, || sign_on(&a, "size=64k"), full);
    let read_only = (2, "output.not-writable", &["/out: Read-only file system"][..]);
    refused_without_trace(&a, || sign_on(&a, "ro"), read_only);
    let no_names_left = (2, "output.full", &["/out: No space left on device"][..]);
    refused_without_trace(&a, || sign_on(&a, "nr_inodes=2"), no_names_left);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn a_private_key_on_the_stick_stops_the_session_in_every_disguise() {
    let a = ready();
    a.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sec1.pem"]);
    a.openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", "sec1.pem", "-out", "pkcs8.pem"]);
    a.openssl(&["pkey", "-in", "sec1.pem", "-outform", "DER", "-out", "key.der"]);
    a.openssl(&["req", "-x509", "-new", "-key", "sec1.pem", "-subj", "/CN=x", "-out", "cert.pem"]);
    a.openssl(&[
        "pkcs12", "-export", "-inkey", "sec1.pem", "-in", "cert.pem", "-passout", "pass:", "-out", "all.p12",
    ]);
    a.openssl(&["base64", "-A", "-in", "pkcs8.pem", "-out", "base64"]);
    let read = |name: &str| std::fs::read(a.path(name)).unwrap();
    let request = std::fs::read(a.path("in/east.csr")).unwrap();
    let utf16 =
        String::from_utf8(read("pkcs8.pem")).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let secret = format!("data:\n  ca-key.pem: {}\n", String::from_utf8(read("base64")).unwrap());
    std::fs::create_dir_all(a.path("in/deep/er")).unwrap();
    let disguises: [(&str, Vec<u8>); 8] = [
        ("in/west.key", read("sec1.pem")),
        ("in/west.csr", read("pkcs8.pem")),
        ("in/both.csr", [request, read("pkcs8.pem")].concat()),
        ("in/photo.jpg", read("key.der")),
        ("in/deep/er/store", read("all.p12")),
        ("in/notes.txt", utf16),
        ("in/.hidden", read("sec1.pem")),
        ("in/secret.yaml", secret.into_bytes()),
    ];
    for (file, bytes) in disguises {
        a.write(file, bytes);
        let name = file.strip_prefix("in/").unwrap();
        let wanted = (1, "media.private-key", &[name, "PRIVATE KEY ON THE STICK"][..]);
        refused_without_trace(&a, || a.sign(&SIGN), wanted);
        let (from, plan) = (a.arg("in"), a.arg("plan.json"));
        refused_without_trace(
            &a,
            || a.run(&["plan", "--from", &from, "--out", &plan, "--policy", "istio"]),
            wanted,
        );
        assert!(!a.path("plan.json").exists());
        let seen = a.run(&["inspect", &from, "--policy", "istio", "--json"]).code(1).json();
        let found: Vec<_> =
            seen["media"].as_array().unwrap().iter().filter(|m| m["rule"] == "media.private-key").collect();
        assert_eq!(
            (found.len(), &found[0]["file"], &found[0]["rule"]),
            (1, &name.into(), &"media.private-key".into())
        );
        std::fs::remove_file(a.path(file)).unwrap();
    }
    a.sign(&SIGN).code(0);
}

#[test]
fn what_is_not_a_regular_file_is_never_opened() {
    let a = ready();
    let make = |args: &[&str]| {
        assert!(a.command(args[0]).args(&args[1..]).status().unwrap().success(), "{args:?}");
    };
    let x = a.arg("in/x.csr");
    let socket = "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])";
    let kinds: [(&[&str], &str); 4] = [
        (&["ln", "-s", "/etc/shadow", &x], "media.symlink"),
        (&["ln", "-s", "east.csr", &x], "media.symlink"),
        (&["mkfifo", &x], "media.fifo"),
        (&["python3", "-c", socket, &x], "media.socket"),
    ];
    for (command, rule) in kinds {
        make(command);
        refused_without_trace(&a, || a.sign(&SIGN), (1, rule, &["x.csr: is a", "was not opened"]));
        let seen = a.run(&["inspect", &a.arg("in"), "--policy", "istio", "--json"]).code(1).json();
        assert_eq!((&seen["media"][0]["file"], &seen["media"][0]["rule"]), (&"x.csr".into(), &rule.into()));
        std::fs::remove_file(&x).unwrap();
    }
    // A device can be made by root alone, but a stick's own can be named: /dev/zero, as a folder's neighbour.
    refused(a.run(&["inspect", "/dev/zero"]), (2, "media.not-regular", &["/dev/zero"]));
    // A folder may be named like a request; what lies in it counts.
    std::fs::create_dir(&x).unwrap();
    std::fs::rename(a.path("in/east.csr"), a.path("in/x.csr/east")).unwrap();
    let signed = a.sign(&["--policy", "istio", "--json"]).code(0).json();
    assert_eq!(signed["released"][0]["file"], "x.csr/east");
}

#[test]
fn names_that_steer_a_terminal_are_never_written_raw() {
    let a = Appliance::with_root("p256");
    let names: [(&[u8], &str); 5] = [
        (b"\x1b[31mred\x1b[0m.csr", "ansi"),
        (b"two\nlines.csr", "newline"),
        ("\u{202e}rsc.bidi".as_bytes(), "bidi"),
        (b"latin1-\xe9\xff.csr", "latin1"),
        (b"\x9b2J\xc2\x9b2J.csr", "c1"),
    ];
    for (name, cluster) in names {
        a.request(cluster);
        let from = a.path(&format!("in/{cluster}.csr"));
        std::fs::rename(from, a.path("in").join(OsStr::from_bytes(name))).unwrap();
    }
    symlink("nowhere", a.path("in").join("\u{1b}]0;link\u{7}")).unwrap();
    let (from, plan) = (a.arg("in"), a.arg("plan.json"));
    for run in [
        a.run(&["inspect", &from, "--policy", "istio"]).code(1),
        a.run(&["inspect", &from, "--policy", "istio", "--json"]).code(1),
        a.sign(&["--policy", "istio", "--dry-run"]).code(1),
        a.sign(&SIGN).fails(1, "media.symlink"),
    ] {
        printable(&run);
    }
    std::fs::remove_file(a.path("in").join("\u{1b}]0;link\u{7}")).unwrap();
    printable(&a.run(&["plan", "--from", &from, "--out", &plan, "--policy", "istio"]).code(0));
    let ran = a.sign(&SIGN).code(0);
    printable(&ran);
    for shown in
        ["\\u{1b}[31mred", "two\\u{a}lines.csr", "\\u{202e}rsc", "latin1-\\xe9\\xff", "\\x9b2J\\u{9b}2J"]
    {
        assert!(ran.stderr.contains(shown), "{shown} in:\n{}", ran.stderr);
    }
    for file in [a.path("home/journal/journal.jsonl"), plan.into(), a.release().join("MANIFEST.toml")] {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\u{7}']), "{}", file.display());
    }
    printable(&a.run(&["audit", "show"]).code(0));
}

#[test]
fn a_stick_beyond_the_limits_is_not_read_in_part() {
    let a = ready();
    a.edit("home/anchorite.toml", "files = 2000", "files = 5");
    a.edit("home/anchorite.toml", "total-size = \"64MiB\"", "total-size = \"64KiB\"");
    a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    for n in 0..5 {
        a.write(&format!("in/{n}.txt"), "x");
    }
    refused_without_trace(&a, || a.sign(&SIGN), (2, "media.too-many", &["more than 5 files"]));
    for n in 0..5 {
        std::fs::remove_file(a.path(&format!("in/{n}.txt"))).unwrap();
    }
    a.write("in/large", vec![b'x'; 70_000]);
    refused_without_trace(&a, || a.sign(&SIGN), (2, "media.too-much", &["65536"]));
}

/// A stick whose folder cannot be read to its end is named as it was given.
#[test]
fn a_stick_that_fails_while_it_is_read_is_named() {
    let a = ready();
    let words = format!("{}: cannot be read: Input/output error", a.arg("in"));
    // Other folders are read before it.
    let named = (1..9).any(|when| {
        let fails = format!("inject=getdents64:error=EIO:when={when}");
        let mut strace = a.command("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=getdents64", "-e", &fails]);
        strace.args([env!("CARGO_BIN_EXE_anchorite"), "inspect", "--policy", "istio", &a.arg("in")]);
        let ran = ran(strace.output().unwrap());
        let seen = ran.stdout.contains(&words) && ran.stdout.contains("[media.unreadable]");
        assert!(!seen || ran.code == 1, "{}", ran.stdout);
        seen
    });
    assert!(named, "{words}");
}
