//! Sticks that are missing, too large, or carry what they must not.

use std::os::unix::fs::PermissionsExt as _;

use super::Scene::Root;
use super::Seen::{Id, Words};
use super::{Row, Run, by, here, inspect, sign};
use crate::appliance::Appliance;

const LOOK: &str = "take it off the stick; find out who put it there";
const SPARSE: u64 = 10 << 30;

fn large(a: &Appliance) {
    std::fs::File::create(a.path("in/x.csr")).unwrap().set_len(SPARSE).unwrap();
}

fn deep(a: &Appliance) {
    let path = (0..40).fold(a.path("in"), |path, _| path.join("d"));
    std::fs::create_dir_all(&path).unwrap();
    std::fs::copy(a.path("in/east.csr"), path.join("x.csr")).unwrap();
}

fn many(a: &Appliance) {
    (0..5000).for_each(|n| a.write(&format!("in/{n}.csr"), ""));
}

fn unreadable(a: &Appliance) {
    a.write("in/x.csr", "x");
    std::fs::set_permissions(a.path("in/x.csr"), std::fs::Permissions::from_mode(0o000)).unwrap();
}

/// Root reads everything; without these two powers it does not.
const LIKE_OTHERS: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

fn mere(run: Run) -> Run {
    let root = rustix::process::geteuid().is_root();
    if root { run.through(&LIKE_OTHERS) } else { run }
}

/// A device at the place of a request: bound over a file, in a mount namespace of one's own.
fn device(a: &Appliance, run: Run) -> Run {
    a.write("in/x.csr", "");
    let script = format!("mount --bind /dev/zero '{}' && exec \"$@\"", a.arg("in/x.csr"));
    run.through(&[super::super::stick::namespace(a), &["sh", "-c", &script, "sh"]].concat())
}

/// Another filesystem within the stick.
fn mounted(a: &Appliance, run: Run) -> Run {
    std::fs::create_dir(a.path("in/other")).unwrap();
    let script = format!("mount -t tmpfs tmpfs '{}' && exec \"$@\"", a.arg("in/other"));
    run.through(&[super::super::stick::namespace(a), &["sh", "-c", &script, "sh"]].concat())
}

fn make(a: &Appliance, args: &[&str]) {
    assert!(a.command(args[0]).args(&args[1..]).status().unwrap().success(), "{args:?}");
}

pub fn rows() -> Vec<Row> {
    vec![
        here("no such folder", Root, |a| Run::of(&["inspect", &a.arg("none")]), 2, "media.missing", "No such file"),
        here(
            "a stick without a request",
            Root,
            |a| {
                std::fs::remove_file(a.path("in/east.csr")).unwrap();
                sign(a)
            },
            2,
            "media.empty",
            "no certification request found",
        )
        .told("no request lies on the stick", "is it the right one? requests are PKCS#10, in PEM or DER"),
        here(
            "a private key",
            Root,
            |a| {
                std::fs::copy(a.path("keys/east.key"), a.path("in/east.key")).unwrap();
                sign(a)
            },
            1,
            "media.private-key",
            "PRIVATE KEY ON THE STICK",
        )
        .told(
            "a private key travelled: in PEM, DER, base64 or a key store, whatever its file is called. One that is compressed, or in hexadecimal, is not seen",
            "treat it as compromised; destroy the stick; new key, new request",
        ),
        here("a private key, inspected", Root, |a| {
            std::fs::copy(a.path("keys/east.key"), a.path("in/east.key")).unwrap();
            inspect(a)
        }, 1, "media.private-key", "PRIVATE KEY ON THE STICK"),
        here(
            "a symbolic link",
            Root,
            |a| {
                std::os::unix::fs::symlink("/etc/shadow", a.path("in/x.csr")).unwrap();
                sign(a)
            },
            1,
            "media.symlink",
            "was not opened",
        )
        .also(&["media.fifo", "media.socket", "media.device", "media.too-large", "media.depth", "media.other-filesystem"])
        .told("something on the stick is no request, and was not opened: no file, too large, too deep, mounted within", LOOK),
        here(
            "a FIFO",
            Root,
            |a| {
                make(a, &["mkfifo", &a.arg("in/x.csr")]);
                sign(a)
            },
            1,
            "media.fifo",
            "was not opened",
        ),
        here(
            "a socket",
            Root,
            |a| {
                std::os::unix::net::UnixListener::bind(a.path("in/x.csr")).unwrap();
                sign(a)
            },
            1,
            "media.socket",
            "was not opened",
        ),
        here("a device", Root, |a| device(a, sign(a)), 1, "media.device", "was not opened"),
        here("a device for a stick", Root, |_| Run::of(&["inspect", "/dev/zero"]), 2, "media.not-regular", "/dev/zero"),
        here(
            "a file that may not be read",
            Root,
            |a| {
                unreadable(a);
                mere(inspect(a))
            },
            1,
            "media.unreadable",
            "Permission denied",
        )
        .told("a file or folder on the stick cannot be read", "see to its rights; a bad stick: copy anew, to another"),
        here(
            "a folder named like a request, that may not be read",
            Root,
            |a| {
                std::fs::create_dir(a.path("in/x.csr")).unwrap();
                std::fs::set_permissions(a.path("in/x.csr"), std::fs::Permissions::from_mode(0o000)).unwrap();
                mere(inspect(a))
            },
            1,
            "media.unreadable",
            "x.csr",
        ),
        here("a file whose disk fails", Root, |a| {
            // The second read of a plain file in `in` is the request's.
            inspect(a).through(&["strace", "-qq", "-o", "/dev/null", "-P", &a.arg("in/east.csr"), "-e", "inject=read,pread64:error=EIO"])
        }, 1, "media.unreadable", "Input/output error"),
        here(
            "a file of 10 GiB",
            Root,
            |a| {
                large(a);
                sign(a)
            },
            1,
            "media.too-large",
            "10737418240 bytes",
        ),
        here(
            "5000 files",
            Root,
            |a| {
                many(a);
                sign(a)
            },
            2,
            "media.too-many",
            "more than 2000",
        )
        .also(&["media.too-much"])
        .told(
            "more lies there than a session reads",
            "give the folder with the requests alone; or raise `[limits]` in `anchorite.toml` and pin it",
        ),
        by(
            "errors/stick.rs::a_stick_beyond_the_limits_is_not_read_in_part",
            "files that add up to more than is read",
            2,
            Id("media.too-much"),
        ),
        here(
            "40 levels of folders",
            Root,
            |a| {
                deep(a);
                sign(a)
            },
            1,
            "media.depth",
            "directories deep",
        ),
        here("another filesystem within", Root, |a| mounted(a, sign(a)), 1, "media.other-filesystem", "unmount it"),
        here(
            "a file with two names",
            Root,
            |a| {
                std::fs::hard_link(a.path("in/east.csr"), a.path("hsm/x")).unwrap();
                inspect(a)
            },
            0,
            "media.hard-link",
            "has 2 names",
        ),
        by("errors/stick.rs::names_that_steer_a_terminal_are_never_written_raw", "names with newlines, ANSI and invalid UTF-8", 0, Words("")),
        by("errors/stick.rs::what_goes_out_goes_to_another_stick", "one stick for both ways", 2, Id("output.same-stick"))
            .also(&["output.home"])
            .told(
                "the release would go to where the requests lie, or into the home",
                "a stick of its own for what goes out",
            ),
        by("errors/stick.rs::what_goes_out_goes_to_another_stick", "a release into the CA home", 2, Id("output.home")),
        here(
            "nowhere to write to",
            Root,
            |a| {
                std::fs::remove_dir(a.path("out")).unwrap();
                sign(a)
            },
            2,
            "output.missing",
            "No such file",
        )
        .told(
            "there is no such directory to write the release to",
            "plug in and mount the stick, then give its directory",
        ),
        by("errors/stick.rs::a_stick_that_cannot_take_the_release_is_found_before_anything_is_signed", "a stick full or read-only", 2, Id("output.full"))
            .also(&["output.not-writable"])
            .told("the release does not fit, or cannot be written; what was signed before that showed is on record", "another stick; where it was signed, `anchorite perform plans/DIGEST.json --to` it takes the release up"),
        by("errors/stick.rs::a_release_never_overwrites_anything", "a release of that name lies there", 2, Id("output.exists"))
            .told("a release of that name, or what is left of one, lies there", "an empty stick; or look at what lies there and move it away"),
        by("errors/misbehaving/mounts.rs::a_stick_that_goes_bad_after_it_was_checked_costs_no_signature", "a stick that fails, or is pulled, while it is written", 2, Id("output.failed"))
            .told(
                "the stick failed after the signing; the release is not on it",
                "`anchorite perform plans/DIGEST.json --to` another stick: nothing is signed twice",
            ),
        by("crash/stick.rs::a_release_is_read_back_past_the_kernels_copy_and_compared", "a stick that gives back other bytes than were written", 4, Id("output.read-back"))
            .told("the stick did not keep what was written, something else lies beside it, or it was taken away meanwhile", "as above, and never use that stick again"),
        by("crash.rs::sign_survives_a_crash_at_every_step", "a release that broke off", 0, Words("a folder `….partial`, or one without `MANIFEST.toml`"))
            .told("a release that broke off", "it is no release: remove it; the next one has another number"),
    ]
}
