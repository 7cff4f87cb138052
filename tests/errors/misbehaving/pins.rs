//! Locked, expired and unset PINs, and what the token tells of tries left. (SoftHSM
//! never locks; a real token does, for good.)

use super::*;
use crate::appliance::PIN;
use crate::errors::terminal::{ASKS_PIN, QUESTION, at_terminal, attended_through, sign_args};

#[test]
fn a_failed_login_is_named_and_leaves_no_trace() {
    let a = with_requests(1);
    // CKF_USER_PIN_COUNT_LOW, _FINAL_TRY, _LOCKED, as C_GetTokenInfo tells them after the try.
    // Before it: of two slots when it is opened, and twice to know of the last try.
    let told = |flags: &str| format!("C_Login * fail 0xa0\nC_GetTokenInfo 5- flags {flags}");
    for (orders, id, words) in [
        ("C_Login * fail 0xa4", "token.pin-locked", &["token `ceremony`", "locked", "security officer"][..]),
        ("C_Login * fail 0xa0", "token.pin-incorrect", &["says nothing of tries left"]),
        (&told("0x10000"), "token.pin-incorrect", &["a wrong PIN was entered at least once"]),
        (&told("0x20000"), "token.pin-incorrect", &["one more wrong PIN locks it"]),
        (&told("0x40000"), "token.pin-locked", &["the user PIN is locked"]),
        ("C_Login * fail 0xa3", "token.pin-expired", &["CKR_PIN_EXPIRED", "change the PIN"]),
        ("C_Login * fail 0xa2", "token.pin-length", &["CKR_PIN_LEN_RANGE"]),
        ("C_Login * fail 0x102", "token.pin-unset", &["no user PIN was ever set"]),
        ("C_Login * fail 0x104", "token.other-user", &["end the other program"]),
        ("C_Login * fail 0x32", "token.removed", &["the token is gone"]),
        ("C_Login * lose 0x30", "token.device", &["C_Login: CKR_DEVICE_ERROR"]),
        ("C_Login * gone", "token.removed", &["the token is gone"]),
    ] {
        let (before, calls) = (record(&a).signed, a.made("C_Sign"));
        a.order(orders);
        refused_without_trace(&a, || a.sign(&SIGN), (3, id, words));
        assert_eq!((record(&a).signed, a.made("C_Sign")), (before, calls), "{orders}");
        assert_eq!(state(&a), "ok", "{orders}");
    }
    a.sign_while("").code(0);
}

#[test]
fn a_pin_that_is_known_to_be_locked_is_not_tried() {
    let a = with_requests(1);
    let tried = |a: &Appliance| a.calls().matches("begin C_Login").count();
    let before = tried(&a);
    a.order("C_GetTokenInfo * flags 0x40000");
    let wanted = (3, "token.pin-locked", &["the user PIN is locked", "set a new user PIN"][..]);
    let ran = refused_without_trace(&a, || a.sign(&SIGN), wanted);
    assert!(ran.stderr.contains("the token says of its PIN: locked"), "{}", ran.stderr);
    assert_eq!(tried(&a), before, "no try was spent");
    let listed = a.run(&["token", "list", "--json"]).code(0).json();
    assert_eq!(listed["tokens"][0]["pin_state"], "locked");
}

#[test]
fn a_wrong_pin_before_is_announced() {
    let a = with_requests(1);
    a.order("C_GetTokenInfo * flags 0x10000\nC_Login * fail 0xa0");
    let ran = refused_without_trace(&a, || a.sign(&SIGN), (3, "token.pin-incorrect", &[]));
    let words = "the token says of its PIN: low: a wrong PIN was entered since the last right one";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn the_last_try_is_not_spent_where_nobody_can_be_asked() {
    let a = with_requests(1);
    let tried = |a: &Appliance| a.calls().matches("begin C_Login").count();
    // Also where it comes to that while the PIN is being found.
    for orders in ["* flags 0x20000", "* flags 0x30000", "4- flags 0x20000"] {
        let before = tried(&a);
        a.order(&format!("C_GetTokenInfo {orders}"));
        let wanted = (3, "token.pin-final-try", &["ceremony: one try", "--pin-file", "was not spent"][..]);
        refused_without_trace(&a, || a.sign(&SIGN), wanted);
        assert_eq!(tried(&a), before, "{orders}");
    }
    a.order("C_GetTokenInfo * flags 0x20000\nC_Login * fail 0xa0");
    let spent = || a.sign(&[&SIGN[..], &["--spend-last-pin-try"]].concat());
    let ran = refused_without_trace(&a, spent, (3, "token.pin-incorrect", &["one more wrong PIN locks it"]));
    assert!(ran.stderr.contains("the token says of its PIN: final try"), "{}", ran.stderr);
    a.order("C_GetTokenInfo * flags 0x20000");
    spent().code(0);
    a.order("");
    settled(&a);
}

#[test]
fn the_last_try_is_spent_when_somebody_at_the_terminal_says_so() {
    const LAST: &str = "Spend the last try? Type yes to go on, anything else to stop: ";
    let a = attended_through(&misbehaving_module());
    let (args, pin) = (sign_args(&a), format!("{PIN}\n"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    a.order("C_GetTokenInfo * flags 0x20000");
    for answer in ["no\n", "y\n", "\n"] {
        let before = super::super::trace(&a);
        let session = at_terminal(&a, &[(QUESTION, "yes\n"), (LAST, answer)], &args);
        refused(session.ran(), (3, "token.pin-final-try", &["not the word yes", "was not spent"]));
        assert_eq!(super::super::trace(&a), before);
    }
    let stopped = at_terminal(&a, &[(QUESTION, "yes\n"), (LAST, "\u{3}")], &args);
    stopped.ran().fails(130, "interrupted");
    assert!(
        at_terminal(&a, &[(QUESTION, "yes\n"), (LAST, "yes\n"), (ASKS_PIN, &pin)], &args).value("exit")
            == "0"
    );
    a.order("");
    assert_eq!(state(&a), "ok");
}

#[test]
fn somebody_else_who_is_logged_in_is_no_obstacle() {
    let a = with_requests(1);
    a.sign_while("C_Login * lose 0x100").code(0); // CKR_USER_ALREADY_LOGGED_IN
    settled(&a);
}
