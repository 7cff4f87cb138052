//! Sticks and disks that fill up, are pulled or become read-only: real filesystems,
//! changed while the token holds a call. Mounting wants root (or sudo).

use super::*;
use crate::errors::trace;
use crate::faults::copy;

/// Mounts a filesystem with what lies at `$place` in its stead, runs the command,
/// changes the filesystem while `$call` is held, and leaves what is on it afterwards,
/// mounted anew, at `$place`.
const SCRIPT: &str = r#"
set -eu
place=$1 mount=$2 call=$3 change=$4
shift 4
pull() {  # as when the device goes: no more input or output, what was not flushed is lost
    python3 -c 'import fcntl, os, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, b"\2\0\0\0")' "$place"
}
fill() { ! cat /dev/zero >"$place/fill" 2>/dev/null; }  # ends when it is full, and only then
mounted() {
    case $mount in
        tmpfs) mount -t tmpfs -o size=8m tmpfs "$place" ;;
        ext4) mount -o loop "$place.img" "$place" ;;
    esac || exit 99
}
mv "$place" "$place.was"
mkdir "$place"
truncate -s 16m "$place.img"
/usr/sbin/mke2fs -q -F -t ext4 "$place.img"
mounted
rm -rf "$place/lost+found"
cp -a "$place.was/." "$place"
sync -f "$place"
before=$(wc -c <"$MISBEHAVING/calls")
"$@" & pid=$!
until tail -c +"$((before + 1))" "$MISBEHAVING/calls" | grep -qx "begin $call"; do
    kill -0 $pid || exit 98
    sleep 0.01
done
eval "$change"
touch "$MISBEHAVING/go"
code=0
wait $pid || code=$?
[ "$mount" = tmpfs ] || { umount "$place"; mounted; }
cp -a "$place" "$place.kept"
umount "$place"
rm -rf "$place" "$place.was" "$place.img" "$MISBEHAVING/go"
mv "$place.kept" "$place"
exit $code
"#;

/// `sign`, while `place` lies on such a filesystem, which changes during this call.
fn sign_while(a: &Appliance, place: &str, mount: &str, call: &str, change: &str) -> Ran {
    a.order(&format!("{call} wait"));
    let root = rustix::process::getuid().is_root();
    let unshare: &[&str] = if root { &["unshare", "-m"] } else { &["sudo", "-En", "unshare", "-m"] };
    let mut command = a.command(unshare[0]);
    command.args(&unshare[1..]).args(["sh", "-c", SCRIPT, "sh", &a.arg(place), mount, call, change]);
    command.args([env!("CARGO_BIN_EXE_anchorite"), "sign", "--policy", "istio", "--yes"]);
    command.args(["--from", &a.arg("in"), "--to", &a.arg("out"), "--pin-file", &a.arg("pin")]);
    let ran = appliance::ran(command.output().unwrap());
    a.order("");
    assert_ne!(
        ran.code, 99,
        "this test mounts filesystems: run it as root, where that may be done\n{}",
        ran.stderr
    );
    assert_ne!(ran.code, 98, "ended before {call}: {}", ran.stderr);
    ran
}

const FILL: &str = "fill";
/// Room for a file or two of the release.
const NEARLY_FILL: &str = r#"fill; truncate -s -16384 "$place/fill""#;
const READ_ONLY: &str = r#"mount -o remount,ro "$place""#;
const PULL: &str = "pull";

#[test]
fn a_stick_that_goes_bad_after_it_was_checked_costs_no_signature() {
    let of = with_requests(2);
    for (mount, call, change, id, words) in [
        ("tmpfs", "C_Sign 1", FILL, "output.full", "No space left on device"),
        ("tmpfs", "C_Sign 4", NEARLY_FILL, "output.full", "what had been written was removed"),
        ("tmpfs", "C_Sign 2", READ_ONLY, "output.not-writable", "Read-only file system"),
        ("ext4", "C_Sign 4", READ_ONLY, "output.not-writable", "write protection"),
        ("ext4", "C_Sign 1", PULL, "output.failed", "Input/output error"),
        ("ext4", "C_Sign 4", PULL, "output.failed", "still plugged in"),
    ] {
        let a = copy(&of);
        let ran = sign_while(&a, "out", mount, call, change);
        refused(ran, (2, id, &["/out", words, "anchorite perform"]));
        let _ = std::fs::remove_file(a.path("out/fill"));
        // A pulled stick may still show the probe: no release, and the next run clears it.
        let left = std::fs::read_dir(a.path("out")).unwrap().map(|e| e.unwrap().path());
        let left: Vec<_> = left.filter(|path| path.extension().is_none_or(|e| e != "partial")).collect();
        assert!(left.is_empty(), "{mount} {call} {change}: {left:?}");
        assert_eq!(state(&a), "open", "{mount} {call} {change}");
        accounted_for(&a);
        taken_up(&a, 2, 0);
    }
}

#[test]
fn a_stick_that_is_pulled_before_it_is_read_leaves_no_trace() {
    let a = with_requests(3);
    let before = home(&a);
    // The module starts before the stick is read.
    let ran = sign_while(&a, "in", "ext4", "C_Initialize 1", PULL);
    refused(ran, (1, "media.unreadable", &["c000.crl", "Input/output error", "nothing was signed"]));
    assert_eq!((home(&a), nothing_released(&a).as_str()), (before, "ok"));
}

#[test]
fn a_stick_that_is_pulled_while_it_is_read_leaves_no_trace() {
    let a = with_requests(3);
    let second = a.arg(&format!("in/{}.csr", cluster(1)));
    let sign = || {
        let mut strace = a.command("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-P", &second, "-e", "inject=read,pread64:error=EIO"]);
        strace.args([env!("CARGO_BIN_EXE_anchorite"), "sign", "--policy", "istio", "--yes"]);
        strace.args(["--from", &a.arg("in"), "--to", &a.arg("out"), "--pin-file", &a.arg("pin")]);
        appliance::ran(strace.output().unwrap())
    };
    // What cannot be read may be anything: --partial does not go past it.
    refused_without_trace(&a, sign, (1, "media.unreadable", &["c001.csr", "Input/output error"]));
}

/// The home's files.
fn home(a: &Appliance) -> Vec<(String, Option<anchorite::x509::Digest>)> {
    trace(a).into_iter().filter(|(name, _)| name.contains("/home/") && !name.ends_with("/lock")).collect()
}

#[test]
fn a_disk_that_fills_up_or_goes_while_it_signs_loses_no_signature() {
    let of = with_requests(2);
    for (mount, call, change) in [
        ("tmpfs", "C_Sign 1", FILL),
        ("tmpfs", "C_Sign 3", FILL),
        ("tmpfs", "C_Sign 4", FILL),
        ("ext4", "C_Sign 1", PULL),
        ("ext4", "C_Sign 2", PULL),
        ("ext4", "C_Sign 3", PULL),
        ("ext4", "C_Sign 4", PULL),
    ] {
        let a = copy(&of);
        let ran = sign_while(&a, "home", mount, call, change);
        let context = format!("{mount} {call} {change}: {}", ran.stderr);
        let error = ran.stderr.split("error: ").last().unwrap();
        assert!(matches!(ran.code, 2 | 4) && error.contains("next: "), "{context}");
        let _ = std::fs::remove_file(a.path("home/fill"));
        assert_eq!(state(&a), "open", "{context}");
        accounted_for(&a);
        if std::fs::read_dir(a.path("out")).unwrap().next().is_some() {
            // The release went out before the home could say so: it is good, and made again.
            verified(&a);
            std::fs::remove_dir_all(a.release()).unwrap();
        }
        let again = a.perform(&plans(&a)[0], &[]);
        if again.stderr.contains("[plan.spent]") {
            // It was on record as released; the seal is missing.
            a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
        } else if again.code == 1 {
            // Nothing of it is on record but the intents.
            refused(again, (1, "plan.burnt", &["make a new plan"]));
            a.sign(&SIGN).code(0);
            verified(&a);
        } else {
            assert_eq!(again.code, 0, "{context}: {}", again.stderr);
            verified(&a);
        }
        settled(&a);
    }
}
