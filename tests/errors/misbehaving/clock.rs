//! Clocks that are set back and forward, between sessions and in the middle of one.

use super::interrupt::{ended, held_at, sign_args, strs};
use super::*;
use crate::faults::copy;

/// From now on every run has the clock at this time, which can change while it runs.
fn clock(a: &Appliance, time: &str) {
    a.write("clock", format!("{time}\n"));
}

/// Environment variables under which the clock is the one in the file.
fn clocked(a: &Appliance) -> Vec<String> {
    let out = std::process::Command::new("dpkg").args(["-L", "libfaketime"]).output().unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    let library =
        list.lines().find(|l| l.ends_with("libfaketime.so.1")).expect("tests/run installs faketime");
    vec![
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", a.arg("clock")),
        "FAKETIME_NO_CACHE=1".into(),
    ]
}

fn run_clocked(a: &Appliance, args: &[&str]) -> Ran {
    let mut command = a.command("env");
    appliance::ran(command.args(clocked(a)).arg(env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap())
}

fn sign_clocked(a: &Appliance, more: &[&str]) -> Ran {
    run_clocked(a, &[&strs(&sign_args(a))[..], more].concat())
}

/// Another cluster's request in place of those before.
fn only(a: &Appliance, cluster: &str) {
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request(cluster);
}

/// A CRL that a cluster signed today has run out years from now.
fn without_crls(a: &Appliance) {
    for entry in std::fs::read_dir(a.path("in")).unwrap().map(|e| e.unwrap().path()) {
        if entry.extension().is_some_and(|e| e == "crl") {
            std::fs::remove_file(entry).unwrap();
        }
    }
}

#[test]
fn a_clock_that_was_ten_years_ahead_is_set_right_on_record() {
    let a = with_requests(1);
    without_crls(&a);
    clock(&a, "+10y");
    sign_clocked(&a, &[]).code(0);
    let release = a.release();
    let verify = ["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256];
    assert_eq!(a.run(&verify).code, 4, "not valid yet");
    run_clocked(&a, &verify).code(0);

    only(&a, "west");
    clock(&a, "+0");
    let words = ["the clock says", "last entry was written at", "--correct-clock"];
    refused_without_trace(&a, || sign_clocked(&a, &[]), (1, "clock.behind", &words));
    let pin = ["policy", "pin", "--yes", "--pin-file", &a.arg("pin")];
    std::fs::write(a.path("home/policies/other.toml"), std::fs::read("policies/istio.toml").unwrap())
        .unwrap();
    refused_without_trace(&a, || run_clocked(&a, &pin), (1, "clock.behind", &words));
    std::fs::remove_file(a.path("home/policies/other.toml")).unwrap();
    assert_eq!(state(&a), "ok");

    sign_clocked(&a, &["--correct-clock"]).code(0);
    assert_eq!(a.journal().matches("\"event\":\"clock-corrected\"").count(), 1);
    a.run(&["verify", a.out("0002").as_str(), "--root-sha256", &a.root_sha256]).code(0);
    settled(&a);
    // Once is enough.
    only(&a, "north");
    sign_clocked(&a, &["--correct-clock"]).code(0);
    assert_eq!(a.journal().matches("\"event\":\"clock-corrected\"").count(), 1);
    settled(&a);
}

impl Appliance {
    /// The release with this number.
    fn out(&self, number: &str) -> String {
        let entries = std::fs::read_dir(self.path("out")).unwrap().map(|e| e.unwrap().path());
        let mut found = entries.filter(|path| path.to_str().unwrap().ends_with(number));
        found.next().expect("a release").to_str().unwrap().to_string()
    }
}

#[test]
fn a_clock_far_behind_is_refused_and_so_is_none_at_all() {
    let a = with_requests(1);
    for time in ["-1m", "-10y", "@1970-01-01 00:00:01", "@2000-02-29 12:00:00"] {
        clock(&a, time);
        refused_without_trace(&a, || sign_clocked(&a, &[]), (1, "clock.behind", &["set the clock"]));
    }
    clock(&a, "+0");
    sign_clocked(&a, &[]).code(0);
    settled(&a);
}

#[test]
fn a_root_of_a_clock_ahead_signs_nothing_until_its_time_comes() {
    let mut a = with_home();
    clock(&a, "+1y");
    let pin = a.arg("pin");
    let name = "O=Example,CN=Example Root G1";
    let make = ["root", "create", "--subject", name, "--key", "p256", "--ttl", "20y", "--yes", "--json"];
    let made = run_clocked(&a, &[&make[..], &["--pin-file", &pin]].concat()).code(0).json();
    a.root_sha256 = made["sha256"].as_str().unwrap().into();
    a.request("east");
    without_crls(&a);
    refused_without_trace(&a, || a.sign(&SIGN), (1, "clock.behind", &["--correct-clock"]));
    let corrected = [&SIGN[..], &["--correct-clock"]].concat();
    let ran = refused_without_trace(&a, || a.sign(&corrected), (1, "plan.refusals", &["1 of 1"]));
    assert!(ran.stderr.contains("[validity."), "{}", ran.stderr);
    sign_clocked(&a, &[]).code(0);
    settled(&a);
}

#[test]
fn a_plan_of_a_clock_ahead_is_not_performed_before_its_time() {
    let a = with_requests(1);
    clock(&a, "+2d");
    let plan = a.arg("plan.json");
    run_clocked(&a, &["plan", "--from", &a.arg("in"), "--out", &plan, "--policy", "istio"]).code(0);
    let perform = ["perform", &plan, "--to", &a.arg("out"), "--yes", "--pin-file", &a.arg("pin")];
    refused_without_trace(&a, || a.run(&perform), (1, "plan.stale", &["ahead of the clock"]));
    // Both clocks are there to be confirmed: the plan's, and the one by which it is performed.
    clock(&a, "+3d");
    let ran = run_clocked(&a, &perform).code(0);
    let today = |line: &str| ran.stderr.lines().find(|l| l.contains(line)).unwrap_or_default().to_string();
    let (now, then) = (today(" now, on this host"), today(" when the plan was made"));
    assert!(now.starts_with("clock     2") && then.starts_with("          2"), "{}", ran.stderr);
    assert_ne!(now.get(10..20), then.get(10..20));
    settled(&a);
}

/// `sign`, held at its second signature while the clock changes to this time.
fn changed_meanwhile(a: &Appliance, time: &str) -> Ran {
    clock(a, "+0");
    let (clocked, args) = (clocked(a), sign_args(a));
    let child = held_at(
        a,
        "C_Sign 2",
        "env",
        &[&strs(&clocked)[..], &[env!("CARGO_BIN_EXE_anchorite")], &strs(&args)].concat(),
    );
    clock(a, time);
    a.write("hsm/go", "");
    let ran = ended(a, child);
    std::fs::remove_file(a.path("hsm/go")).unwrap();
    a.order("");
    ran
}

#[test]
fn a_clock_that_is_set_back_in_the_middle_loses_no_signature() {
    let of = with_requests(3);
    for time in ["-1h", "-10y"] {
        let a = copy(&of);
        changed_meanwhile(&a, time).code(0);
        verified(&a);
        settled(&a);
        // The next session sees it.
        only(&a, "west");
        refused_without_trace(&a, || sign_clocked(&a, &[]), (1, "clock.behind", &[]));
        clock(&a, "+0");
        sign_clocked(&a, &[]).code(0);
    }
}

#[test]
fn a_clock_that_jumps_ten_years_in_the_middle_releases_nothing_until_it_is_right_again() {
    let a = with_requests(3);
    let ran = changed_meanwhile(&a, "+10y");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert_eq!(nothing_released(&a), "open");
    accounted_for(&a);
    let plan = plans(&a).remove(0);
    refused_without_trace(&a, || a.perform(&plan, &[]), (1, "clock.behind", &[]));
    a.perform(&plan, &["--correct-clock"]).code(0);
    verified(&a);
    settled(&a);
    assert_eq!(record(&a).serials.len(), 3);
}

#[test]
fn a_clock_past_the_roots_end_makes_no_record_false() {
    let a = with_requests(1);
    clock(&a, "+21y");
    let ran = refused_without_trace(&a, || sign_clocked(&a, &[]), (1, "plan.refusals", &["1 of 1"]));
    assert!(ran.stderr.contains("[validity.expired]"), "{}", ran.stderr);
    a.edit("home/policies/istio.toml", "default = \"60d\"", "default = \"30d\"");
    run_clocked(&a, &["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
    assert_eq!(state(&a), "ok");
    clock(&a, "+0");
    sign_clocked(&a, &["--correct-clock"]).code(0);
    verified(&a);
    settled(&a);
}
