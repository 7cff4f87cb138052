//! Tokens that are taken out, fail, fill up or kill the process, before, between and
//! after the signatures of a session.

use super::*;
use crate::faults::copy;

/// What C_Sign may fail with, and what the operator reads.
const FAILURES: [(&str, &str, &str); 21] = [
    ("fail 0x32", "token.removed", "CKR_DEVICE_REMOVED"),
    ("lose 0x32", "token.removed", "CKR_DEVICE_REMOVED"),
    ("fail 0xe0", "token.removed", "CKR_TOKEN_NOT_PRESENT"),
    ("fail 0xb3", "token.removed", "CKR_SESSION_HANDLE_INVALID"),
    ("fail 0xb0", "token.removed", "CKR_SESSION_CLOSED"),
    ("fail 0x30", "token.device", "CKR_DEVICE_ERROR"),
    ("lose 0x30", "token.device", "CKR_DEVICE_ERROR"),
    ("fail 0x5", "token.device", "CKR_GENERAL_ERROR"),
    ("fail 0x31", "token.full", "CKR_DEVICE_MEMORY"),
    ("fail 0x2", "token.memory", "CKR_HOST_MEMORY"),
    ("fail 0x101", "token.not-logged-in", "CKR_USER_NOT_LOGGED_IN"),
    ("fail 0x68", "token.not-permitted", "CKR_KEY_FUNCTION_NOT_PERMITTED"),
    ("fail 0x50", "token.cancelled", "CKR_FUNCTION_CANCELED"),
    ("fail 0x82", "token.object-gone", "CKR_OBJECT_HANDLE_INVALID"),
    ("fail 0x91", "token.state", "CKR_OPERATION_NOT_INITIALIZED"),
    ("fail 0xe1", "token.unrecognised", "CKR_TOKEN_NOT_RECOGNIZED"),
    ("fail 0xe2", "token.write-protected", "CKR_TOKEN_WRITE_PROTECTED"),
    ("fail 0x13", "token.template", "CKR_ATTRIBUTE_VALUE_INVALID"),
    ("fail 0x54", "token.function", "CKR_FUNCTION_NOT_SUPPORTED"),
    ("fail 0x1b6", "token.self-test", "CKR_FIPS_SELF_TEST_FAILED"),
    ("fail 0x80000001", "token.vendor", "0x80000001"),
];

#[test]
fn a_token_that_is_taken_out_in_the_middle_of_a_hundred() {
    let of = with_requests(100);
    for orders in [
        "C_Sign 33 gone",
        // Signed, but the answer never came: as good as issued.
        "C_Sign 50 lose-gone",
        // Nothing can have been signed, and yet it stands as an intent like any other.
        "C_SignInit 100- fail 0xb3",
    ] {
        let a = copy(&of);
        let words = ["token `ceremony`", "the token is gone", "anchorite perform"];
        refused(a.sign_while(orders), (3, "token.removed", &words));
        assert_eq!(nothing_released(&a), "open", "{orders}");
        accounted_for(&a);
        let burnt = spent(&a);
        assert!((1..=lanes()).contains(&burnt), "{orders}: {burnt}");
        taken_up(&a, 100 - burnt, burnt);
    }
}

#[test]
fn each_way_of_failing_has_its_name_and_costs_one_serial() {
    let of = with_requests(2);
    for (how, id, word) in FAILURES {
        let a = copy(&of);
        let words = ["token `ceremony`: C_Sign: ", word, "anchorite perform"];
        refused(a.sign_while(&format!("C_Sign 2 {how}")), (3, id, &words));
        assert_eq!(nothing_released(&a), "open", "{how}");
        accounted_for(&a);
        taken_up(&a, 1, 1);
    }
}

#[test]
fn a_token_that_is_gone_when_the_journal_is_sealed_or_the_release_is_signed() {
    let of = with_requests(2);
    for orders in [
        "C_Sign 3 gone",
        "C_Sign 3 lose-gone",
        // The head, which the token keeps before anything leaves: the new one is made, the old one goes.
        "C_CreateObject 2 gone",
        "C_CreateObject 2 lose-gone",
        "C_DestroyObject 2 gone",
        "C_DestroyObject 2 lose-gone",
        "C_Sign 4 gone",
        "C_Sign 4 lose-gone",
    ] {
        let a = copy(&of);
        refused(a.sign_while(orders), (3, "token.removed", &["the token is gone", "anchorite perform"]));
        assert_eq!(nothing_released(&a), "open", "{orders}");
        accounted_for(&a);
        taken_up(&a, 2, 0);
    }
}

#[test]
fn a_token_that_is_gone_before_it_signs_has_signed_nothing() {
    let of = with_requests(2);
    for how in ["C_CreateObject 1 gone", "C_DestroyObject 1 lose-gone"] {
        let a = copy(&of);
        let before = a.made("C_Sign");
        refused(a.sign_while(how), (3, "token.removed", &["nothing of it was signed", "anchorite perform"]));
        assert_eq!((a.made("C_Sign"), record(&a).withdrawn), (before, 2), "{how}");
        assert_eq!(nothing_released(&a), "open", "{how}");
        taken_up(&a, 2, 0);
    }
}

#[test]
fn a_token_that_is_gone_after_the_release_leaves_it_good() {
    let of = with_requests(2);
    for orders in [
        "C_Sign 5 gone",
        "C_Sign 5 lose-gone",
        "C_CreateObject 3 gone",
        "C_CreateObject 3 lose-gone",
        "C_DestroyObject 3 gone",
        "C_DestroyObject 3 lose-gone",
    ] {
        let a = copy(&of);
        let words = ["the token is gone", "the release is written and on record"];
        let ran = refused(a.sign_while(orders), (3, "token.removed", &words));
        assert!(!ran.stderr.contains("anchorite perform"), "{}", ran.stderr);
        verified(&a);
        assert_eq!(state(&a), "open", "{orders}");
        accounted_for(&a);
        a.run(&["policy", "pin", "--yes", "--pin-file", &a.arg("pin")]).code(0);
        settled(&a);
    }
}

#[test]
fn what_fails_before_the_session_leaves_no_trace() {
    let a = with_requests(1);
    for (orders, id, words) in [
        ("C_GetSlotList * none", "token.absent", &["no initialised tokens", "plug the token in"][..]),
        ("C_GetSlotList * fail 0x30", "token.device", &["C_GetSlotList: CKR_DEVICE_ERROR"]),
        ("C_GetTokenInfo * fail 0xe1", "token.absent", &["no token matches `pkcs11:token=ceremony`"]),
        ("C_OpenSession * fail 0xb1", "token.sessions", &["CKR_SESSION_COUNT", "end other programs"]),
        ("C_OpenSession * gone", "token.removed", &["put the token back"]),
        ("C_FindObjectsInit * fail 0x32", "token.removed", &["C_FindObjectsInit"]),
        ("C_GetAttributeValue * fail 0x30", "token.device", &["C_GetAttributeValue"]),
        ("C_GenerateRandom * fail 0x30", "token.device", &["C_GenerateRandom: CKR_DEVICE_ERROR"]),
        ("C_GenerateRandom 1 gone", "token.removed", &["C_GenerateRandom"]),
    ] {
        a.order(orders);
        refused_without_trace(&a, || a.sign(&SIGN), (3, id, words));
        assert_eq!(state(&a), "ok", "{orders}");
    }
    a.sign_while("C_GenerateRandom * fail 0x121").code(0); // CKR_RANDOM_NO_RNG
    settled(&a);
}

#[test]
fn a_token_without_room_for_the_head_says_so_and_loses_nothing() {
    let a = with_requests(2);
    let words = ["CKR_DEVICE_MEMORY", "no room left on the token", "free room", "anchorite perform"];
    refused(a.sign_while("C_CreateObject * fail 0x31"), (3, "token.full", &words));
    assert_eq!(nothing_released(&a), "open", "nothing leaves whose head the token does not keep");
    taken_up(&a, 2, 0);
}

#[test]
fn a_token_that_keeps_no_data_at_all_is_gone_on_without() {
    let a = with_requests(2);
    a.sign_while("C_CreateObject * fail 0xd1").code(0); // CKR_TEMPLATE_INCONSISTENT
    verified(&a);
    settled(&a);
}

#[test]
fn a_token_whose_randomness_is_none_spoils_no_serial() {
    let a = with_requests(2);
    a.sign_while("C_GenerateRandom * constant").code(0);
    std::fs::remove_dir_all(a.release()).unwrap();
    (2..4).for_each(|n| a.request(&cluster(n)));
    (0..2).for_each(|n| std::fs::remove_file(a.path(&format!("in/{}.csr", cluster(n)))).unwrap());
    a.sign_while("C_GenerateRandom * constant").code(0);
    settled(&a);
    assert_eq!(record(&a).serials.len(), 4);
}

#[test]
fn a_module_that_kills_the_process_is_a_crash_like_any_other() {
    let of = with_requests(3);
    for (orders, signed) in
        [("C_Sign 1 abort", 0), ("C_Sign 2 abort", 1), ("C_Sign 2 lose-abort", 1), ("C_Sign 4 lose-abort", 3)]
    {
        let a = copy(&of);
        assert_eq!(a.sign_while(orders).code, -1, "{orders}");
        assert_eq!(nothing_released(&a), "open", "{orders}");
        accounted_for(&a);
        let burnt = if signed == 3 { 0 } else { 3 };
        if burnt == 0 {
            taken_up(&a, 3, 0);
        } else {
            // The group was not recorded yet: all of it counts as issued.
            refused(a.perform(&plans(&a)[0], &[]), (1, "plan.burnt", &["make a new plan"]));
            a.sign(&SIGN).code(0);
            settled(&a);
        }
    }
}
