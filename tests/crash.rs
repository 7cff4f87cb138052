//! The power goes, a disk fails, somebody pulls the stick: at every step that
//! reaches a disk, and nothing is lost, signed twice or taken for whole.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::appliance::{Appliance, Ran};
use crate::faults::*;

/// A crash in the middle of a write leaves part of a line.
fn tear(a: &Appliance) {
    let path = a.path("home/journal/journal.jsonl");
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"{\"seq\":99,\"time\":\"20").unwrap();
}

/// A run that met a failing call says so, in order, with a code of its own.
fn well_failed(ran: &Ran, context: &str) {
    assert!(matches!(ran.code, 0 | 2 | 3 | 4), "{context}: {} {}", ran.code, ran.stderr);
    if ran.code != 0 {
        assert!(ran.stderr.contains("error:"), "{context}: {}", ran.stderr);
        assert!(ran.stderr.contains("next:"), "{context}: {}", ran.stderr);
    }
    let journal = ran.stderr.contains("[journal.write]") || ran.stderr.contains("[output.read-back]");
    assert_eq!(ran.code == 4, journal, "{context}: {}", ran.stderr);
}

/// The same command again makes the root, or says that it is made.
fn root_is_taken_up(a: &Appliance, context: &str) {
    sound(a, context);
    let again = run(a, &root_create(a));
    if again.code != 0 {
        again.fails(2, "root.exists");
        run(a, &pin(a)).code(0);
    }
    let pin = a.path("pin");
    let list = ["token", "list", "--json", "--login", "--pin-file", pin.to_str().unwrap()];
    let list = run(a, &list).code(0).json();
    let objects = list["tokens"][0]["objects"].as_array().unwrap();
    for class in ["private key", "public key"] {
        let mut labels: Vec<&str> =
            objects.iter().filter(|o| o["class"] == class).map(|o| o["label"].as_str().unwrap()).collect();
        labels.sort_unstable();
        assert_eq!(labels, ["anchorite root", "anchorite root journal"], "{context}: {class}");
    }
    settled(a, context);
    accounted_for(a, context);
}

/// The same command again signs anew where nothing was signed; else the plan is
/// taken up, and the root's key signs nothing more.
fn signing_is_taken_up(a: &Appliance, context: &str) {
    sound(a, context);
    releases(a, &a.path("out"), context);
    let again = run(a, &sign(a));
    let report = sound(a, context);
    match (again.code, plan_to_take_up(&report)) {
        (0, None) => {}
        (1, Some(plan)) => {
            assert!(again.stderr.contains(&format!("perform plans/{plan}.json")), "{}", again.stderr);
            let before = record(a).serials;
            assert_eq!(before.len(), 3, "{context}");
            run(a, &perform(a, &plan, "out")).code(0);
            assert_eq!(record(a).serials, before, "{context}: signed again");
        }
        // All of it was released; only the last seal may be missing.
        (1, None) => {
            assert!(a.journal().contains("\"event\":\"released\""), "{context}: {}", again.stderr);
            run(a, &pin(a)).code(0);
        }
        other => panic!("{context}: {other:?} {}", again.stderr),
    }
    settled(a, context);
    accounted_for(a, context);
    assert!(releases(a, &a.path("out"), context) >= 1, "{context}: no release");
    let left = std::fs::read_dir(a.path("home/quarantine")).unwrap().count();
    assert_eq!(left, 0, "{context}: something is left in quarantine");
}

#[test]
fn root_create_survives_a_kill_at_every_step() {
    let kills = each_step(&watched(), (&DURABLE, "signal=SIGKILL"), 1, root_create, |context, a, ran| {
        if ran.code != 0 && context.len() % 2 == 0 {
            tear(a);
        }
        root_is_taken_up(a, context);
        assert_eq!(token_calls(a).1, 2, "{context}: key pairs generated");
    });
    assert!(kills > 25, "only {kills} steps");
}

#[test]
fn a_key_pair_that_the_token_half_made_is_made_anew() {
    // SoftHSM writes a pair's two objects one attribute after the other.
    let kills = each_step(&watched(), (&["write"], "signal=SIGKILL"), 19, root_create, |context, a, _| {
        root_is_taken_up(a, context);
    });
    assert!(kills > 8, "only {kills} steps");
}

#[test]
fn sign_survives_a_kill_at_every_step() {
    let of = watched_with_requests();
    let kills = each_step(&of, (&DURABLE, "signal=SIGKILL"), 1, sign, |context, a, ran| {
        if ran.code != 0 && context.len() % 2 == 0 {
            tear(a);
        }
        signing_is_taken_up(a, context);
    });
    assert!(kills > 60, "only {kills} steps");
}

#[test]
fn policy_pin_survives_a_kill_at_every_step() {
    let of = watched_with_requests();
    let policy = std::fs::read_to_string(of.path("home/policies/istio.toml")).unwrap();
    of.write("home/policies/istio.toml", policy + "\n# edited\n");
    let kills = each_step(&of, (&DURABLE, "signal=SIGKILL"), 1, pin, |context, a, ran| {
        if ran.code != 0 && context.len() % 2 == 0 {
            tear(a);
        }
        // An edit that is not in force yet is the only thing that may be amiss.
        let report = run(a, &["audit", "verify", "--json"]).json();
        let amiss = report["errors"].as_array().unwrap();
        assert!(amiss.iter().all(|e| e["id"] == "home.edited"), "{context}: {report}");
        run(a, &pin(a)).code(0);
        settled(a, context);
        run(a, &sign(a)).code(0);
        accounted_for(a, context);
    });
    assert!(kills > 8, "only {kills} steps");
}

#[test]
fn a_disk_that_fails_is_told_of_and_gone_on_from() {
    let (bare, ready) = (watched(), watched_with_requests());
    let calls = [&DURABLE[..], &["write"]].concat();
    for error in ["ENOSPC", "EIO", "EROFS"] {
        let fault = format!("error={error}");
        each_step(&bare, (&calls, &fault), 37, root_create, |context, a, ran| {
            well_failed(&ran, context);
            root_is_taken_up(a, context);
        });
        each_step(&ready, (&calls, &fault), 23, sign, |context, a, ran| {
            well_failed(&ran, context);
            signing_is_taken_up(a, context);
        });
    }
}

#[test]
fn an_interrupt_stops_between_signatures_and_the_plan_is_taken_up() {
    let of = watched_with_requests();
    let between = AtomicUsize::new(0);
    each_step(&of, (&["write"], "signal=SIGINT"), 5, sign, |context, a, ran| {
        assert!(matches!(ran.code, 0 | 130), "{context}: {} {}", ran.code, ran.stderr);
        let report = sound(a, context);
        if let (130, Some(plan)) = (ran.code, plan_to_take_up(&report)) {
            let half = record(a);
            assert_eq!(half.signed - 3 + half.withdrawn, 3, "{context}: {half:?}");
            if half.withdrawn > 0 {
                between.fetch_add(1, Ordering::SeqCst);
            }
            assert!(ran.stderr.contains("anchorite perform"), "{context}: {}", ran.stderr);
            run(a, &perform(a, &plan, "out")).code(0);
            assert_eq!(record(a).settled, 0, "{context}: nothing was left open");
            assert_eq!(record(a).serials.len(), 3, "{context}");
        } else if ran.code == 130 {
            run(a, &sign(a)).code(0);
        }
        settled(a, context);
        accounted_for(a, context);
    });
    assert!(between.into_inner() > 0, "no interrupt came between two signatures");
}

#[test]
fn a_stick_that_fails_at_the_release_costs_nothing() {
    let of = watched_with_requests();
    // The second directory that is made is the release's own; the first was a probe.
    let faults = [
        ("mkdirat", "error=EIO", 2, "output.failed"),
        ("mkdirat", "error=ENOSPC", 4, "output.full"),
        ("mkdirat", "error=EROFS", 3, "output.not-writable"),
        ("syncfs", "error=ENOSPC", 1, "output.full"),
        ("syncfs", "error=EIO", 4, "output.failed"),
    ];
    for (calls, fault, when, id) in faults {
        let a = copy(&of);
        let context = format!("{calls} {fault} {when}");
        let ran = run_with(&a, calls, fault, when, &sign(&a)).code(2);
        assert!(ran.stderr.contains(id) && ran.stderr.contains("anchorite perform"), "{}", ran.stderr);
        assert_eq!(releases(&a, &a.path("out"), &context), 0);
        let plan = plan_to_take_up(&sound(&a, &context)).expect("a plan to take up");
        let signed = record(&a).serials;
        assert_eq!(signed.len(), 3, "{context}");
        // The stick is gone; another one takes the release.
        std::fs::remove_dir_all(a.path("out")).unwrap();
        std::fs::create_dir(a.path("other")).unwrap();
        run(&a, &perform(&a, &plan, "out")).fails(2, "output.missing");
        run(&a, &perform(&a, &plan, "other")).code(0);
        assert_eq!(releases(&a, &a.path("other"), &context), 1);
        assert_eq!(record(&a).serials, signed, "{context}: signed again");
        settled(&a, &context);
        accounted_for(&a, &context);
        run(&a, &perform(&a, &plan, "other")).fails(1, "plan.spent");
    }
}
