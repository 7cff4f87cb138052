//! The power goes, a disk fails, somebody pulls the stick: at every step that
//! reaches a disk, and nothing is lost, signed twice or taken for whole.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::appliance::Appliance;
use data_encoding::BASE64;
use serde_json::Value;

use crate::faults::*;

mod failing;
mod older;
mod others;
mod revocation;
mod stick;

/// The same command again makes the root, or says that it is made.
fn root_is_taken_up(a: &Appliance, context: &str) {
    sound(a, context);
    let mut again = run(a, &root_create(a));
    if again.code == 3 && again.stderr.contains("[token.key-unfit]") {
        // The token itself was killed in the middle of its own writing: the error says what to delete.
        let id = again.stderr.split("with CKA_ID ").nth(1).unwrap().split(' ').next().unwrap();
        let mut tool = a.command("pkcs11-tool");
        tool.args(["--module", &crate::appliance::module(), "--token-label", "ceremony", "--login"]);
        tool.args(["--pin", crate::appliance::PIN, "--delete-object", "--type", "privkey", "--id", id]);
        assert!(tool.output().unwrap().status.success(), "{context}: {id} cannot be deleted");
        again = run(a, &root_create(a));
    }
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
            // A group is one write: where half of it is lost, a signature is. It counts as issued.
            let burnt = take_up(a, &plan);
            assert_eq!(before.len() + burnt, REQUESTS.len(), "{context}");
            assert!(!before.is_empty(), "{context}: nothing to take up");
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

/// The same command again puts the edit in force, and the home goes on.
fn pin_is_taken_up(a: &Appliance, context: &str) {
    // An edit that is not in force yet is the only thing that may be amiss.
    let report = run(a, &["audit", "verify", "--json"]).json();
    let amiss = report["errors"].as_array().unwrap();
    assert!(amiss.iter().all(|e| e["id"] == "home.edited"), "{context}: {report}");
    run(a, &pin(a)).code(0);
    settled(a, context);
    run(a, &sign(a)).code(0);
    accounted_for(a, context);
}

fn edit_a_policy(a: &Appliance) {
    let policy = std::fs::read_to_string(a.path("home/policies/istio.toml")).unwrap();
    a.write("home/policies/istio.toml", policy + "\n# edited\n");
}

/// Makes the journal one that has an index.
fn lengthen(a: &Appliance) {
    let length = |a: &Appliance| a.path("home/journal/journal.jsonl").metadata().unwrap().len();
    for n in 0.. {
        if length(a) > anchorite::journal::READ_WHOLE {
            return a.request("after");
        }
        // Too few for a second lane, with which the log of the token's calls could not be counted.
        for m in 0..13 {
            a.request(&format!("c{n}-{m}"));
        }
        run(a, &[sign(a), vec!["--partial".into()]].concat()).code(0);
        for release in std::fs::read_dir(a.path("out")).unwrap() {
            std::fs::remove_dir_all(release.unwrap().path()).unwrap();
        }
        std::fs::remove_dir_all(a.path("in")).unwrap();
        std::fs::create_dir(a.path("in")).unwrap();
    }
}

#[test]
fn root_create_survives_a_crash_at_every_step() {
    let steps = kill_everywhere(&watched(), root_create, |context, a| {
        root_is_taken_up(a, context);
        assert_eq!(token_calls(a).1, 2, "{context}: key pairs generated");
    });
    assert!(steps > 40, "only {steps} steps");
}

#[test]
fn sign_survives_a_crash_at_every_step() {
    let steps = kill_everywhere(&watched_with_requests(), sign, |context, a| signing_is_taken_up(a, context));
    assert!(steps > 100, "only {steps} steps");
}

#[test]
fn policy_pin_survives_a_crash_at_every_step() {
    let of = watched_with_requests();
    edit_a_policy(&of);
    let steps = kill_everywhere(&of, pin, |context, a| pin_is_taken_up(a, context));
    assert!(steps > 15, "only {steps} steps");
}

#[test]
fn a_long_journals_index_survives_a_crash_at_every_step() {
    let of = watched_with_requests();
    lengthen(&of);
    edit_a_policy(&of);
    let mut calls = some_steps(&of, &DISKS, 1, pin);
    calls.retain(|call| call.path.starts_with("home/state/index"));
    assert!(calls.len() > 9, "only {} steps", calls.len());
    let calls: Vec<_> = calls.into_iter().step_by(if all() { 1 } else { 5 }).collect();
    kill_at_each(&of, &calls, pin, |context, a| pin_is_taken_up(a, context));
}

#[test]
fn a_batch_in_several_groups_and_lanes_survives_crashes() {
    let of = watched_with_requests();
    // Beyond 32 there is another group, and beyond 16 another lane.
    (0..32).for_each(|n| of.request(&format!("c{n}")));
    let calls = some_steps(&of, &["home"], 1, sign);
    let (journal, others): (Vec<_>, Vec<_>) = calls.into_iter().partition(|c| c.path.ends_with(".jsonl"));
    let (few, fewer) = if all() { (1, 1) } else { (4, 80) };
    let calls: Vec<_> = journal.into_iter().step_by(few).chain(others.into_iter().step_by(fewer)).collect();
    assert!(calls.len() > 6, "only {} steps", calls.len());
    kill_at_each(&of, &calls, sign, |context, a| {
        sound(a, context);
        let again = run(a, &sign(a));
        if let Some(plan) = plan_to_take_up(&sound(a, context)) {
            again.code(1);
            take_up(a, &plan);
        } else if again.code != 0 {
            run(a, &pin(a)).code(0);
        }
        settled(a, context);
        // (Lanes write over each other in the log of the token's calls: they cannot be counted.)
        assert!(releases(a, &a.path("out"), context) >= 1, "{context}: no release");
    });
}

/// From some fifty clusters on, threads write the release side by side: each thread's own
/// calls are counted here, and where exactly a run is killed differs.
#[test]
fn a_release_that_all_cores_write_survives_crashes() {
    let of = watched_with_requests();
    (0..58).for_each(|n| of.request(&format!("c{n}")));
    let points = [("openat", 400), ("write", 130), ("syncfs", 2), ("renameat", 70), ("renameat", 130)];
    let broke_off = AtomicUsize::new(0);
    each(&points, |_, (call, when)| {
        let a = copy(&of);
        killed_in_any_thread(&a, call, *when, &sign(&a));
        let context = format!("killed at {call} {when}");
        let report = sound(&a, &context);
        if let Some(plan) = plan_to_take_up(&report) {
            broke_off.fetch_add(1, Ordering::Relaxed);
            take_up(&a, &plan);
        } else {
            run(&a, &pin(&a)).code(0);
        }
        settled(&a, &context);
        releases(&a, &a.path("out"), &context);
    });
    assert!(broke_off.into_inner() >= 2, "too few were killed between the first signature and the release");
}

#[test]
fn what_the_token_half_wrote_is_made_anew() {
    // SoftHSM writes a pair's two objects one attribute after the other, and the head in a third.
    for (of, args, taken_up, step) in [
        (watched(), root_create as Args, root_is_taken_up as fn(&Appliance, &str), 9),
        (watched_with_requests(), sign, signing_is_taken_up, 7),
    ] {
        let calls = some_steps(&of, &["hsm"], step, args);
        assert!(calls.len() > 8, "only {} steps", calls.len());
        each(&calls, |_, call| {
            let a = copy(&of);
            killed_at(&a, call, &args(&a));
            taken_up(&a, &format!("killed at {call}"));
        });
    }
}

#[test]
fn an_interrupt_stops_between_signatures_and_the_plan_is_taken_up() {
    let of = watched_with_requests();
    let between = AtomicUsize::new(0);
    let mut calls = some_steps(&of, &["home", "out", "spy"], 1, sign);
    calls.retain(|call| call.name == "write");
    let calls: Vec<_> = calls.into_iter().step_by(if all() { 1 } else { 4 }).collect();
    each(&calls, |_, call| {
        let (a, context) = (copy(&of), format!("interrupted at {call}"));
        let (ran, ..) = disturbed_at(&a, call, "signal=SIGINT", &sign(&a));
        assert!(matches!(ran.code, 0 | 130), "{context}: {} {}", ran.code, ran.stderr);
        let report = sound(&a, &context);
        if let (130, Some(plan)) = (ran.code, plan_to_take_up(&report)) {
            let half = record(&a);
            assert_eq!(half.serials.len() + half.withdrawn, REQUESTS.len(), "{context}: {half:?}");
            if half.withdrawn > 0 {
                let head = ran.stderr.split("journal head, for the sheet: ").nth(1).unwrap();
                let head = head.split_whitespace().nth(2).unwrap();
                assert_eq!(report["head"], head, "{context}: sealed, and the head noted");
                assert!(report["open"].as_array().unwrap().len() == 1, "{context}: {report}");
                between.fetch_add(1, Ordering::SeqCst);
            }
            assert!(ran.stderr.contains("anchorite perform"), "{context}: {}", ran.stderr);
            take_up(&a, &plan);
            assert_eq!(record(&a).settled, 0, "{context}: nothing was left open");
            assert_eq!(record(&a).serials.len(), REQUESTS.len(), "{context}");
        } else if ran.code == 130 && record(&a).serials.is_empty() {
            // Otherwise it came as the token was closed, when all was released.
            run(&a, &sign(&a)).code(0);
        }
        settled(&a, &context);
        accounted_for(&a, &context);
    });
    assert!(between.into_inner() > 0, "no interrupt came between two signatures");
}
