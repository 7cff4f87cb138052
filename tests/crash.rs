//! The power goes, a disk fails, somebody pulls the stick: at every step that
//! reaches a disk, and nothing is lost, signed twice or taken for whole.

use crate::appliance::Appliance;
use crate::faults::*;

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
    assert!(steps > 120, "only {steps} steps");
}

#[test]
fn policy_pin_survives_a_crash_at_every_step() {
    let of = watched_with_requests();
    let policy = std::fs::read_to_string(of.path("home/policies/istio.toml")).unwrap();
    of.write("home/policies/istio.toml", policy + "\n# edited\n");
    let steps = kill_everywhere(&of, pin, |context, a| pin_is_taken_up(a, context));
    assert!(steps > 15, "only {steps} steps");
}

