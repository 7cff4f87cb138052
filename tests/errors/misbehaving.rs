//! Tokens that fail, lie, vanish and die: what they spoil is never released, every
//! signature they made is accounted for, and with a good token the work goes on.

mod clock;
mod interrupt;
mod keys;
mod mounts;
mod pins;
mod removed;
mod signatures;
mod vendors;

use std::path::PathBuf;

use super::{refused, refused_without_trace};
use crate::appliance::{self, Appliance, Ran};
use crate::faults::record;

/// The module that misbehaves. `cargo test` builds it; `cargo test --test suite` does not.
pub fn misbehaving_module() -> String {
    let module = PathBuf::from(env!("CARGO_BIN_EXE_anchorite")).with_file_name("examples/libmisbehaving.so");
    let built = module.metadata().and_then(|m| m.modified());
    let sources = std::fs::read_dir("tests/misbehaving").unwrap().map(|e| e.unwrap().path());
    let newest = sources.map(|path| path.metadata().unwrap().modified().unwrap()).max().unwrap();
    assert!(built.is_ok_and(|at| at >= newest), "{}: run `cargo build --examples`", module.display());
    module.to_str().unwrap().to_string()
}

/// A token behind that module, which behaves as long as nothing is ordered; and a home.
fn with_home() -> Appliance {
    let a = Appliance::bare();
    a.write("hsm/module", appliance::module());
    let (home, module) = (a.arg("home"), misbehaving_module());
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"]).code(0);
    a
}

/// The same with a root, and requests on the stick.
fn with_requests(clusters: usize) -> Appliance {
    let mut a = with_home();
    // The certificates' signatures are the root's first here.
    a.edit("home/anchorite.toml", "along = true", "along = false");
    a.run(&["policy", "pin", "--yes"]).code(0);
    a.root_sha256 = a.create_root("p256", &[]).code(0).json()["sha256"].as_str().unwrap().into();
    (0..clusters).for_each(|n| a.request(&cluster(n)));
    a
}

/// The `n`th in the order of a plan.
fn cluster(n: usize) -> String {
    format!("c{n:03}")
}

const SIGN: [&str; 2] = ["--policy", "istio"];

impl Appliance {
    /// What the module is to do from now on; see `tests/misbehaving/orders.rs`.
    pub(super) fn order(&self, orders: &str) {
        self.write("hsm/orders", orders);
    }

    /// Every call that the module wrote down, in all runs.
    pub(super) fn calls(&self) -> String {
        String::from_utf8(std::fs::read(self.path("hsm/calls")).unwrap_or_default()).unwrap()
    }

    /// How often the token really did this.
    pub(super) fn made(&self, function: &str) -> usize {
        self.calls().lines().filter(|line| line.starts_with(&format!("made {function} "))).count()
    }

    /// `sign` while this is ordered; then the module behaves again.
    fn sign_while(&self, orders: &str) -> Ran {
        self.order(orders);
        let ran = self.sign(&SIGN);
        self.order("");
        ran
    }

    /// `perform` of a kept plan.
    fn perform(&self, plan: &str, more: &[&str]) -> Ran {
        let (plan, to, pin) =
            (self.arg(&format!("home/plans/{plan}.json")), self.arg("out"), self.arg("pin"));
        self.run(&[&["perform", &plan, "--to", &to, "--yes", "--pin-file", &pin], more].concat())
    }

    /// `root create`, for people.
    fn make_root(&self) -> Ran {
        let args = root_args(self);
        self.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The plans that the home kept.
fn plans(a: &Appliance) -> Vec<String> {
    let plans = std::fs::read_dir(a.path("home/plans")).unwrap();
    plans.map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_string()).collect()
}

/// Nothing is on the stick, and the audit, which never says broken, gives a state.
#[track_caller]
fn nothing_released(a: &Appliance) -> String {
    let found: Vec<_> = std::fs::read_dir(a.path("out")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(found, Vec::<PathBuf>::new(), "on the stick");
    state(a)
}

#[track_caller]
pub(super) fn state(a: &Appliance) -> String {
    let report = a.run(&["audit", "verify", "--json"]).json();
    assert_ne!(report["state"], "broken", "{report}");
    assert_eq!(report["errors"].as_array().unwrap().len(), 0, "{report}");
    report["state"].as_str().unwrap().to_string()
}

/// Intents without an outcome on record, those settled since included.
fn unknown(a: &Appliance) -> usize {
    let record = record(a);
    let intents = a.journal().lines().filter(|line| line.contains("\"event\":\"intent\"")).count();
    intents - record.signed - record.rejected - record.withdrawn
}

/// Serials that are spent for nothing.
fn spent(a: &Appliance) -> usize {
    unknown(a) + record(a).rejected
}

/// How many signatures a token may have in hand at a time.
fn lanes() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// Every signature that the token made is on record, or its intent is.
#[track_caller]
fn accounted_for(a: &Appliance) {
    let (record, made, unknown) = (record(a), a.made("C_Sign"), unknown(a));
    let known = record.signed + record.rejected;
    assert!(known <= made && made <= known + unknown, "{made} made, {unknown} intents open, {record:?}");
    let mut serials = record.serials.clone();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), record.serials.len(), "a serial was signed twice");
}

/// With a token that behaves, the one kept plan is taken up: so many are released, so
/// many serials are burnt; then everything is settled.
#[track_caller]
fn taken_up(a: &Appliance, released: usize, burnt: usize) {
    let plans = plans(a);
    assert_eq!(plans.len(), 1, "{plans:?}");
    let outcome = a.perform(&plans[0], &["--json"]).code(i32::from(burnt > 0)).json();
    let count = |what: &str| outcome[what].as_array().unwrap().len();
    assert_eq!((count("released"), count("burnt")), (released, burnt), "{outcome}");
    settled(a);
    verified(a);
}

#[track_caller]
pub(super) fn settled(a: &Appliance) {
    assert_eq!(state(a), "ok");
    accounted_for(a);
}

/// What lies on the stick is what anybody can check.
#[track_caller]
fn verified(a: &Appliance) {
    let release = a.release();
    a.run(&["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256]).code(0);
}

/// `root create` of the root that all these tests have.
fn root_args(a: &Appliance) -> Vec<String> {
    let (subject, pin) = ("O=Example,CN=Example Root G1", a.arg("pin"));
    let args = [
        "root",
        "create",
        "--subject",
        subject,
        "--key",
        "p256",
        "--ttl",
        "20y",
        "--yes",
        "--pin-file",
        &pin,
    ];
    args.into_iter().map(Into::into).collect()
}

#[test]
fn the_module_without_orders_is_the_real_one() {
    let a = with_requests(2);
    let before = a.made("C_Sign");
    a.sign(&SIGN).code(0);
    verified(&a);
    settled(&a);
    // Two certificates, the seal, the release, the last seal.
    assert_eq!(a.made("C_Sign") - before, 5);
    assert_eq!(a.made("C_GenerateKeyPair"), 2);
}

#[test]
fn an_order_that_nobody_knows_is_noticed() {
    let a = with_requests(1);
    let ran = a.sign_while("C_Sign 1 flap");
    assert!(ran.code != 0 && ran.stderr.contains("nothing is known of `flap`"), "{}", ran.stderr);
}
