//! Making system calls fail or kill, and counting what the token was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anchorite::x509::certificate::Facts;
use data_encoding::BASE64;
use serde_json::Value;

pub use power::{DISKS, Disk, LOSSES, Loss, Tree, restore, tree};
pub use trace::{Call, What, disturbed_at, killed_at, killed_in_any_thread, run_with, traced};

use crate::appliance::{self, Appliance, Ran};

mod power;
mod trace;

/// A command line for an appliance.
pub type Args = fn(&Appliance) -> Vec<String>;

fn real_module() -> &'static str {
    static MODULE: OnceLock<String> = OnceLock::new();
    MODULE.get_or_init(appliance::module)
}

/// OpenSC's module that writes down every call and passes it on.
pub fn spy_module() -> String {
    let out = Command::new("dpkg").args(["-L", "opensc-pkcs11"]).output().unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    list.lines().find(|l| l.ends_with("pkcs11-spy.so")).expect("tests/run installs opensc").to_string()
}

/// An appliance with a home whose token is watched.
pub fn watched() -> Appliance {
    let a = Appliance::bare();
    let (home, spy) = (a.path("home"), spy_module());
    let token = ["--token", "pkcs11:token=ceremony", "--module", &spy, "--unattended"];
    run(&a, &[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
    a
}

/// Clusters whose requests are on the stick.
pub const REQUESTS: [&str; 2] = ["east", "west"];

/// The same with a root and requests on the stick.
pub fn watched_with_requests() -> Appliance {
    let mut a = watched();
    a.root_sha256 = run(&a, &[root_create(&a), vec!["--json".into()]].concat()).code(0).json()["sha256"]
        .as_str()
        .unwrap()
        .into();
    REQUESTS.iter().for_each(|cluster| a.request(cluster));
    a
}

/// A copy of everything, the token included.
pub fn copy(of: &Appliance) -> Appliance {
    let dir = tempfile::tempdir().unwrap();
    appliance::copy(&of.dir.path().join("."), dir.path());
    let a = Appliance { dir, root_sha256: of.root_sha256.clone() };
    let conf = std::fs::read_to_string(a.path("hsm/softhsm2.conf")).unwrap();
    let (from, to) = (of.dir.path().to_str().unwrap(), a.dir.path().to_str().unwrap());
    a.write("hsm/softhsm2.conf", conf.replace(from, to));
    a
}

fn command(a: &Appliance, program: &str) -> Command {
    let mut command = a.command(program);
    command.env("PKCS11SPY", real_module()).env("PKCS11SPY_OUTPUT", a.path("spy"));
    command
}

/// Runs the binary, watched.
pub fn run<S: AsRef<str>>(a: &Appliance, args: &[S]) -> Ran {
    let args = args.iter().map(AsRef::as_ref);
    appliance::ran(command(a, env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap())
}

pub fn words(a: &Appliance, words: &str, places: &[&str]) -> Vec<String> {
    let mut args: Vec<String> = words.split(' ').map(Into::into).collect();
    for (option, place) in places.chunks(2).map(|pair| (pair[0], pair[1])) {
        args.extend([option.into(), a.path(place).to_str().unwrap().into()]);
    }
    args
}

pub fn root_create(a: &Appliance) -> Vec<String> {
    let mut args = words(a, "root create --key p256 --ttl 20y --yes", &["--pin-file", "pin"]);
    args.extend(["--subject".into(), "O=Example,CN=Example Root G1".into()]);
    args
}

pub fn sign(a: &Appliance) -> Vec<String> {
    words(a, "sign --policy istio --yes", &["--from", "in", "--to", "out", "--pin-file", "pin"])
}

pub fn pin(a: &Appliance) -> Vec<String> {
    words(a, "policy pin --yes", &["--pin-file", "pin"])
}

/// `perform` of a plan that the home kept.
pub fn perform(a: &Appliance, digest: &str, to: &str) -> Vec<String> {
    let mut args = words(a, "perform --yes", &["--to", to, "--pin-file", "pin"]);
    args.push(a.path(&format!("home/plans/{digest}.json")).to_str().unwrap().into());
    args
}

/// Performs a plan that broke off, and tells how many of its serials a crash had burnt.
#[track_caller]
pub fn take_up(a: &Appliance, digest: &str) -> usize {
    let ran = run(a, &perform(a, digest, "out"));
    let burnt = ran.stdout.matches("burnt by a crash, needs a new plan").count();
    ran.code(i32::from(burnt > 0));
    burnt
}

/// Whether everything is tried with everything, rather than each with one.
pub fn all() -> bool {
    std::env::var_os("ANCHORITE_FAULTS").is_some_and(|value| value == "all")
}

/// The calls by which a whole run leaves its mark on these places, or every `step`th of them.
pub fn some_steps(of: &Appliance, places: &[&str], step: usize, args: Args) -> Vec<Call> {
    let a = copy(of);
    let (ran, calls) = traced(&a, &[], &args(&a));
    ran.code(0);
    let calls = calls.into_iter().filter(|call| call.marks(places));
    calls.step_by(if all() { 1 } else { step }).collect()
}

/// Does the work for each, two at a time.
pub fn each<T: Sync>(items: &[T], work: impl Fn(usize, &T) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some((n, item)) =
            Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|n| Some((n, items.get(n)?)))
        {
            work(n, item);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(worker);
        scope.spawn(worker);
    });
}

/// What the kernel says of a disk that cannot go on, in strace's words and in its own.
pub const ERRORS: [(&str, &str); 3] = [
    ("ENOSPC", "No space left on device"),
    ("EIO", "Input/output error"),
    ("EROFS", "Read-only file system"),
];

/// Makes each such call fail, and shows `check` what came of it, and the calls that
/// came after. One error each, so that every kind of call meets every error.
pub fn fail_everywhere(
    of: &Appliance,
    step: usize,
    args: Args,
    check: impl Fn(&Failure<'_>, &Appliance) + Sync,
) {
    let mut of_kind: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for call in some_steps(of, &DISKS, step, args) {
        let kind = format!("{} {}", call.name, &call.path[..3]);
        of_kind.entry(kind).or_default().push(call);
    }
    let mut cases = Vec::new();
    for calls in of_kind.values() {
        let every = all() || calls.len() < ERRORS.len();
        for (n, call) in calls.iter().enumerate() {
            let errors = if every { &ERRORS[..] } else { &ERRORS[n % ERRORS.len()..][..1] };
            cases.extend(errors.iter().map(|error| (call, error)));
        }
    }
    each(&cases, |_, (call, (error, words))| {
        let a = copy(of);
        let (ran, mut calls, at) = disturbed_at(&a, call, &format!("error={error}"), &args(&a));
        let (after, context) = (calls.split_off(at + 1), format!("{error} at {call}"));
        check(&Failure { call, words, ran, after, context }, &a);
    });
}

/// A run with a call that failed.
pub struct Failure<'a> {
    pub call: &'a Call,
    /// What the kernel says of it.
    pub words: &'a str,
    pub ran: Ran,
    pub after: Vec<Call>,
    pub context: String,
}

/// Kills a run at each call that leaves a mark on a disk, and shows `check` what was
/// left; and what would be left had the power gone. Returns how many calls there were.
pub fn kill_everywhere(of: &Appliance, args: Args, check: impl Fn(&str, &Appliance) + Sync) -> usize {
    let calls = some_steps(of, &DISKS, 1, args);
    kill_at_each(of, &calls, args, check);
    calls.len()
}

/// The same at these calls.
pub fn kill_at_each(of: &Appliance, calls: &[Call], args: Args, check: impl Fn(&str, &Appliance) + Sync) {
    each(calls, |n, call| {
        let a = copy(of);
        let disk = Disk::after(of, &killed_at(&a, call, &args(&a)));
        let here = tree(&a);
        assert_eq!(disk.left(Loss::None), here, "{call}: the calls do not explain what is on the disks");
        let mut losses: Vec<(Loss, Tree)> = LOSSES.map(|loss| (loss, disk.left(loss))).into();
        losses.retain(|(_, tree)| *tree != here);
        losses.dedup_by(|(_, tree), (_, other)| tree == other);
        if !all() && !losses.is_empty() {
            losses = vec![losses.swap_remove(n % losses.len())];
        }
        for (loss, tree) in losses {
            let b = copy(&a);
            restore(&b, &tree);
            check(&format!("killed at {call}, lost {loss:?}"), &b);
        }
        check(&format!("killed at {call}"), &a);
    });
}

/// `audit verify`, which must not find the journal broken.
pub fn sound(a: &Appliance, context: &str) -> Value {
    let ran = run(a, &["audit", "verify", "--json"]);
    let report = ran.json();
    assert!(ran.code <= 1 && report["state"] != "broken", "{context}: {report}");
    report
}

/// `audit verify`, which must find everything settled; nothing half is left in the home.
pub fn settled(a: &Appliance, context: &str) {
    let report = sound(a, context);
    assert_eq!(report["state"], "ok", "{context}: {report}");
    let half = tree(a).into_keys().find(|path| path.starts_with("home/") && path.ends_with(".tmp"));
    assert_eq!(half, None, "{context}");
}

/// The plan that the audit says can be taken up again.
pub fn plan_to_take_up(report: &Value) -> Option<String> {
    let open = report["open"].as_array().unwrap().iter().map(|o| o.as_str().unwrap());
    let matter = open.into_iter().find(|o| o.contains("is not released"))?;
    Some(matter.split(' ').nth(1).unwrap().to_string())
}

/// How often the token made a signature, and a key pair.
pub fn token_calls(a: &Appliance) -> (usize, usize) {
    let log = std::fs::read(a.path("spy")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let calls = |name: &str| log.lines().filter(|line| line.ends_with(name)).count();
    // Asked for the length first, a token makes no signature. (Lanes write into the log
    // at the same time: lines are whole, calls are not.)
    let asked = log.matches("pSignature[*pulSignatureLen] NULL").count();
    (calls(": C_Sign") - asked, calls(": C_GenerateKeyPair"))
}

/// What the journal says became of its signatures.
#[derive(Debug, Default)]
pub struct Record {
    pub signed: usize,
    pub rejected: usize,
    pub settled: usize,
    pub withdrawn: usize,
    /// Serials of signed intermediates, in order.
    pub serials: Vec<String>,
}

pub fn record(a: &Appliance) -> Record {
    let entries: Vec<Value> = a.journal().lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let mut record = Record::default();
    for entry in &entries {
        let intents = entry["intents"].as_array().map_or(0, Vec::len);
        match entry["event"].as_str().unwrap() {
            "signed" => {
                record.signed += 1;
                let intent = &entries[usize::try_from(entry["intent"].as_u64().unwrap()).unwrap()];
                if intent["purpose"] == "intermediate" {
                    let tbs = BASE64.decode(intent["message"].as_str().unwrap().as_bytes()).unwrap();
                    record.serials.push(Facts::from_tbs(&tbs).unwrap().serial.to_string());
                }
            }
            "rejected" => record.rejected += 1,
            "settled" => record.settled += intents,
            "withdrawn" => record.withdrawn += intents,
            _ => {}
        }
    }
    record
}

/// Every signature that the token made is accounted for, and none was made twice.
pub fn accounted_for(a: &Appliance, context: &str) {
    let (record, (made, _)) = (record(a), token_calls(a));
    let known = record.signed + record.rejected;
    assert!(known <= made && made <= known + record.settled, "{context}: {made} made, {record:?}");
    let different: BTreeSet<_> = record.serials.iter().collect();
    assert_eq!(different.len(), record.serials.len(), "{context}: a serial was signed twice");
}

/// Releases on a stick that `verify` accepts: those with a manifest and no others.
pub fn releases(a: &Appliance, stick: &Path, context: &str) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(stick).unwrap() {
        let folder = entry.unwrap().path();
        let args = ["verify", folder.to_str().unwrap(), "--root-sha256", &a.root_sha256];
        let whole = folder.join("MANIFEST.toml").exists();
        let ran = a.run(&args);
        assert_eq!(ran.code == 0, whole, "{context}: {}: {}{}", folder.display(), ran.stdout, ran.stderr);
        count += usize::from(whole);
    }
    count
}
