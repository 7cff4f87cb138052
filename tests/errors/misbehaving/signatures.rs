//! Signatures that are not what was asked for: each is found before anything leaves.

use super::*;
use crate::faults::copy;

/// What a token may answer instead of a signature, and what that is called.
const SPOILT: [(&str, i32, &str); 7] = [
    ("flip", 4, "token.wrong-signature"),
    ("other-key", 4, "token.wrong-signature"),
    ("zero", 3, "token.signature"),
    ("cut 1", 3, "token.signature"),
    ("cut 32", 3, "token.signature"),
    ("grow 1", 3, "token.signature"),
    ("empty", 3, "token.signature"),
];

/// One of each kind.
const KINDS: [(&str, i32, &str); 2] = [SPOILT[1], SPOILT[3]];

/// A spoilt signature is on record as rejected, or its intent stays open.
#[track_caller]
fn on_record(a: &Appliance, code: i32, rejected_before: usize) {
    assert_eq!(record(a).rejected - rejected_before, usize::from(code == 4));
    accounted_for(a);
}

#[test]
fn a_certificate_that_is_wrongly_signed_is_not_released_whatever_is_wrong_with_it() {
    let of = with_requests(3);
    for (deed, code, id) in SPOILT {
        let a = copy(&of);
        refused(a.sign_while(&format!("C_Sign 2 {deed}")), (code, id, &[]));
        // Two signatures were made, the third was given back.
        assert_eq!(nothing_released(&a), "open", "{deed}");
        on_record(&a, code, 0);
        assert_eq!(record(&a).withdrawn, 1, "{deed}");
        taken_up(&a, 2, 1);
        on_record(&a, code, 0);
    }
}

#[test]
fn a_wrong_signature_at_the_first_the_middle_and_the_last_of_a_batch() {
    let of = with_requests(40);
    for nth in [1, 20, 40] {
        let a = copy(&of);
        let words = ["token=ceremony", "on record as rejected", "stop the ceremony"];
        refused(a.sign_while(&format!("C_Sign {nth} flip")), (4, "token.wrong-signature", &words));
        assert_eq!(nothing_released(&a), "open", "{nth}");
        on_record(&a, 4, 0);
        taken_up(&a, 39, 1);
    }
}

#[test]
fn a_token_that_signs_nothing_rightly_never_gets_anything_released() {
    let a = with_requests(2);
    refused(a.sign_while("C_Sign * other-key"), (4, "token.wrong-signature", &[]));
    assert_eq!(nothing_released(&a), "open");
    a.order("C_Sign * flip");
    let plan = plans(&a).remove(0);
    refused(a.perform(&plan, &[]), (4, "token.wrong-signature", &[]));
    a.order("");
    assert_eq!(nothing_released(&a), "open");
    accounted_for(&a);
    // Both serials are burnt: the requests want a new plan.
    refused(a.perform(&plan, &[]), (1, "plan.burnt", &["crash", "make a new plan"]));
    a.sign(&SIGN).code(0);
    verified(&a);
    // One of each try, and the seal that was to cover it.
    assert_eq!(record(&a).rejected, 4);
    settled(&a);
}

#[test]
fn the_journals_own_signatures_are_checked_as_well() {
    let of = with_requests(2);
    // After two certificates: the seal, the release's CMS signature, the last seal.
    for (nth, what) in [(3, "the seal"), (4, "the release")] {
        for (deed, code, id) in KINDS {
            let a = copy(&of);
            refused(a.sign_while(&format!("C_Sign {nth} {deed}")), (code, id, &[]));
            assert_eq!(nothing_released(&a), "open", "{what}, {deed}");
            on_record(&a, code, 0);
            taken_up(&a, 2, 0);
        }
    }
}

#[test]
fn a_wrong_last_seal_leaves_a_good_release_and_is_followed_by_another() {
    let of = with_requests(2);
    for (deed, code, id) in KINDS {
        let a = copy(&of);
        refused(a.sign_while(&format!("C_Sign 5 {deed}")), (code, id, &[]));
        verified(&a);
        // One that is malformed stands as an intent like any other.
        assert_eq!(state(&a), if code == 4 { "ok" } else { "open" }, "{deed}");
        on_record(&a, code, 0);
        let plan = plans(&a).remove(0);
        refused(a.perform(&plan, &[]), (1, "plan.spent", &[]));
        a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
        settled(&a);
    }
}

#[test]
fn a_root_that_is_wrongly_signed_is_none() {
    let of = with_home();
    of.request("east");
    // The root's own certificate, the journal key's, the seal.
    for nth in 1..=3 {
        for (deed, code, id) in KINDS {
            let a = copy(&of);
            a.order(&format!("C_Sign {nth} {deed}"));
            refused(a.make_root(), (code, id, &[]));
            a.order("");
            state(&a);
            on_record(&a, code, 0);
            let plan = ["plan", "--from", &a.arg("in"), "--out", &a.arg("plan")];
            refused(a.run(&plan), (2, "home.no-root", &[]));
            a.make_root().code(0);
            assert_eq!(a.made("C_GenerateKeyPair"), 2, "{nth} {deed}: the keys were there already");
            settled(&a);
        }
    }
}

#[test]
fn signatures_of_rsa_are_checked_too() {
    let mut a = with_home();
    let made = a.create_root("rsa3072", &[]).code(0).json();
    a.root_sha256 = made["sha256"].as_str().unwrap().into();
    (0..2).for_each(|n| a.request(&cluster(n)));
    for (deed, code, id) in SPOILT.into_iter().filter(|(deed, ..)| !matches!(*deed, "other-key" | "zero")) {
        let before = record(&a).rejected;
        refused(a.sign_while(&format!("C_Sign 1 {deed}")), (code, id, &[]));
        // What was rejected is settled, and sealed; one that is malformed stands as an intent.
        assert_eq!(nothing_released(&a), if code == 4 { "ok" } else { "open" }, "{deed}");
        on_record(&a, code, before);
    }
    refused(a.sign_while("C_Sign 1 zero"), (4, "token.wrong-signature", &[]));
    a.sign(&SIGN).code(0);
    verified(&a);
    settled_but_for_old_plans(&a);
}

/// Plans that were given up stay open for whoever wants to take them up.
#[track_caller]
fn settled_but_for_old_plans(a: &Appliance) {
    let report = a.run(&["audit", "verify", "--json"]).json();
    let open = report["open"].as_array().unwrap();
    assert!(open.iter().all(|o| o.as_str().unwrap().contains("is not released")), "{report}");
    accounted_for(a);
}
