//! `retype-pin`: the PIN is typed anew for each signature of the root's key, by a person.

use super::misbehaving::{misbehaving_module, settled, state};
use super::refused_without_trace;
use super::terminal::{ASKS_PIN, QUESTION, Session, at_terminal, attended_through, sign_args};
use crate::appliance::{Appliance, PIN, Ran};
use crate::faults::record;

const LAST: &str = "Spend the last try? Type yes to go on, anything else to stop: ";
/// CKA_ALWAYS_AUTHENTICATE of every key.
const EACH: &str = "C_GetAttributeValue * attribute 0x202 1";

/// An attended home, and two requests.
fn demanded() -> Appliance {
    let a = attended_through(&misbehaving_module());
    a.edit("home/anchorite.toml", "[token]\n", "[token]\nretype-pin = true\n");
    a.edit("home/anchorite.toml", "along = true", "along = false");
    let right = format!("{PIN}\n");
    let pinned = at_terminal(&a, &[(QUESTION, "yes\n"), (ASKS_PIN, &right)], &["policy", "pin"]);
    assert_eq!(pinned.value("exit"), "0", "the journal's key alone signed: {}", pinned.text);
    a.request("west");
    a
}

/// `sign` with what is typed where the PIN is asked for.
fn sign(a: &Appliance, typed: &[(&str, &str)]) -> Session {
    let args = sign_args(a);
    at_terminal(
        a,
        &[&[(QUESTION, "yes\n")], typed].concat(),
        &args.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

fn logins(a: &Appliance) -> usize {
    a.calls().lines().filter(|line| line.starts_with("begin C_Login ")).count()
}

/// Performs the one plan; so many certificates are released, none is burnt.
fn taken_up(a: &Appliance, released: usize, typed: &[(&str, &str)]) {
    let plan = std::fs::read_dir(a.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let out = a.arg("out");
    let args = ["perform", plan.to_str().unwrap(), "--to", &out];
    let ran = at_terminal(a, &[&[(QUESTION, "yes\n")], typed].concat(), &args);
    assert_eq!(ran.value("exit"), "0", "{}", ran.text);
    assert!(!ran.text.contains("burnt by a crash, needs"), "{}", ran.text);
    let clusters = std::fs::read_dir(a.release())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().join("ca-cert.pem").exists());
    assert_eq!(clusters.count(), released);
    assert_eq!(state(a), "ok");
}

#[test]
fn each_signature_is_shown_and_waits_for_the_pin() {
    for orders in ["", EACH] {
        let a = demanded();
        let right = format!("{PIN}\n");
        let (before, made) = (logins(&a), a.made("C_Sign"));
        a.order(orders);
        let pin = (ASKS_PIN, right.as_str());
        let session = sign(
            &a,
            &[pin, ("signature 1 of 2 by the root's key: ", ""), pin, ("signature 2 of 2", ""), pin],
        );
        assert_eq!(session.value("exit"), "0", "{}", session.text);
        assert!(
            session.text.contains("L=east") && session.text.contains("SHA-256 of what is signed"),
            "{}",
            session.text
        );
        assert!(!session.text.contains(PIN) && !a.journal().contains(PIN));
        a.order("");
        // At the beginning and for each of the root's; and for each at all where the keys want that.
        let each = if orders.is_empty() { 0 } else { a.made("C_Sign") - made };
        assert_eq!(logins(&a) - before, 3 + each, "{orders}");
        settled(&a);
    }
}

#[test]
fn a_wrong_pin_is_told_and_asked_for_again() {
    for orders in ["", EACH] {
        let a = demanded();
        a.order(orders);
        let right = format!("{PIN}\n");
        let pin = (ASKS_PIN, right.as_str());
        let typed =
            [pin, (ASKS_PIN, "wrong-pin\n"), ("wrong: ", ""), (ASKS_PIN, "1\n"), (ASKS_PIN, "\n"), pin, pin];
        let session = sign(&a, &typed);
        assert_eq!(session.value("exit"), "0", "{}", session.text);
        for told in [
            "wrong PIN; the token says: a wrong PIN was entered",
            "says of its PIN: low",
            "have 4 to 255 bytes",
            "it is empty",
        ] {
            assert!(session.text.contains(told), "{told}: {}", session.text);
        }
        assert!(!session.text.contains("wrong-pin"));
        a.order("");
        settled(&a);
    }
}

#[test]
fn the_last_try_is_not_spent_unasked() {
    let a = demanded();
    let right = format!("{PIN}\n");
    let pin = (ASKS_PIN, right.as_str());
    // Asked for its flags twice when it is opened, twice before each PIN, and after a wrong one.
    a.order("C_Login 3 fail 0xa0\nC_GetTokenInfo 9- flags 0x20000");
    let before = logins(&a);
    let session =
        sign(&a, &[pin, pin, (ASKS_PIN, "wrong-pin\n"), ("one more wrong PIN locks it", ""), (LAST, "no\n")]);
    session.ran().fails(3, "token.pin-final-try");
    assert_eq!(logins(&a) - before, 3);
    assert_eq!((record(&a).withdrawn, record(&a).rejected), (1, 0), "the other was signed");
    // One that tells nothing of its tries may be at its last.
    a.order("C_Login 2 fail 0xa0");
    let session = sign_again(&a, &[pin, (ASKS_PIN, "wrong-pin\n")]);
    session.ran().fails(3, "token.pin-incorrect");
    a.order("");
    taken_up(&a, 2, &[pin, pin]);
}

/// `perform` of the kept plan.
fn sign_again(a: &Appliance, typed: &[(&str, &str)]) -> Session {
    let plan = std::fs::read_dir(a.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let out = a.arg("out");
    at_terminal(
        a,
        &[&[(QUESTION, "yes\n")], typed].concat(),
        &["perform", plan.to_str().unwrap(), "--to", &out],
    )
}

#[test]
fn an_interrupt_stops_between_two_signatures_and_burns_nothing() {
    let right = format!("{PIN}\n");
    let pin = (ASKS_PIN, right.as_str());
    for signed in [0, 1] {
        let a = demanded();
        let typed = [&[pin][..], &vec![pin; signed], &[(ASKS_PIN, "24\u{3}")]].concat();
        let session = sign(&a, &typed);
        session.ran().fails(130, "interrupted");
        assert_eq!(session.value("after"), "shown", "{}", session.text);
        assert_eq!(record(&a).withdrawn, 2 - signed);
        assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);
        taken_up(&a, 2, &[&[pin][..], &vec![pin; 2 - signed]].concat());
    }
}

/// While somebody is waited for, anything may happen to the process.
#[test]
fn each_signature_is_on_record_before_the_next_is_waited_for() {
    let a = demanded();
    let right = format!("{PIN}\n");
    let pin = (ASKS_PIN, right.as_str());
    let before = record(&a).signed;
    a.order("C_Login 3 abort");
    let session = sign(&a, &[pin, pin, pin]);
    assert_ne!(session.value("exit"), "0", "{}", session.text);
    a.order("");
    assert_eq!(record(&a).signed, before + 1, "{}", a.journal());
    let session = sign_again(&a, &[pin]);
    assert!(session.text.contains("1 signed before, 0 to sign, 1 burnt"), "{}", session.text);
    settled(&a);
}

#[test]
fn a_quit_at_the_pin_is_an_interrupt_and_leaves_the_terminal_as_it_was() {
    let a = demanded();
    let session = sign(&a, &[(ASKS_PIN, "12\u{1c}34\n")]);
    session.ran().fails(130, "interrupted");
    assert_eq!(session.value("after"), "shown", "{}", session.text);
}

#[test]
fn the_roots_own_certificates_wait_for_it_too() {
    let a = Appliance::bare();
    let (home, module) = (a.arg("home"), crate::appliance::module());
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"]).code(0);
    a.edit("home/anchorite.toml", "[token]\n", "[token]\nretype-pin = true\n");
    a.run(&["policy", "pin", "--yes"]).code(0);
    let right = format!("{PIN}\n");
    let pin = (ASKS_PIN, right.as_str());
    let create = ["root", "create", "--subject", "CN=Root", "--key", "p256", "--ttl", "20y", "--yes"];
    let stopped = at_terminal(&a, &[pin, ("signature 1 of 2", ""), (ASKS_PIN, "\u{3}")], &create);
    stopped.ran().fails(130, "interrupted");
    let made = [
        pin,
        ("signature 1 of 2 by the root's key: CN=Root", ""),
        pin,
        ("signature 2 of 2", ""),
        (ASKS_PIN, "\u{3}"),
    ];
    at_terminal(&a, &made, &create).ran().fails(130, "interrupted");
    let finished = at_terminal(&a, &[pin, ("signature 2 of 2", ""), pin], &create);
    assert_eq!(finished.value("exit"), "0", "{}", finished.text);
    let renewed = [pin, ("signature 1 of 2", ""), pin, ("signature 2 of 2", ""), pin];
    let renewed = at_terminal(&a, &renewed, &["root", "renew", "--ttl", "30y", "--yes"]);
    assert_eq!(renewed.value("exit"), "0", "{}", renewed.text);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn a_pin_that_nobody_types_is_refused_where_the_root_signs() {
    let a = demanded();
    let (from, to, pin, plan) = (a.arg("in"), a.arg("out"), a.arg("pin"), a.arg("plan.json"));
    a.run(&["plan", "--from", &from, "--out", &plan, "--policy", "istio"]).code(0);
    let verbs: [&[&str]; 3] = [
        &["sign", "--from", &from, "--to", &to, "--policy", "istio"],
        &["perform", &plan, "--to", &to],
        &["root", "renew", "--ttl", "30y"],
    ];
    for verb in verbs {
        for option in [["--pin-file", &pin], ["--pin-fd", "0"]] {
            let run = || -> Ran { a.run(&[verb, &option].concat()) };
            refused_without_trace(&a, run, (1, "pin.retype", &[option[0], "retype-pin"]));
        }
    }
    // Where the root signs nothing it may come from anywhere.
    a.run(&["token", "check", "--pin-file", &pin]).code(0);
    let fresh = Appliance::with_home();
    fresh.edit("home/anchorite.toml", "[token]\n", "[token]\nretype-pin = true\npin-env = \"CA_PIN\"\n");
    fresh.run(&["policy", "pin", "--yes"]).code(0);
    let create = ["root", "create", "--subject", "CN=Root", "--key", "p256", "--ttl", "20y", "--yes"];
    refused_without_trace(&fresh, || fresh.run(&create), (1, "pin.retype", &["pin-env"]));
}

#[test]
fn a_pin_pad_is_waited_for_once_for_each_signature() {
    const PAD: &str = "C_GetTokenInfo * flags 0x100";
    for orders in [PAD.to_string(), format!("{PAD}\n{EACH}")] {
        let a = demanded();
        a.write("hsm/pad", PIN);
        a.order(&orders);
        let (before, made) = (logins(&a), a.made("C_Sign"));
        let session = sign(
            &a,
            &[
                ("enter the PIN at the token", ""),
                ("signature 2 of 2", ""),
                ("enter the PIN at the token", ""),
            ],
        );
        assert_eq!(session.value("exit"), "0", "{}", session.text);
        // Where the key asks by itself, nobody has to type it twice.
        let wanted = if orders == PAD { 3 } else { 1 + a.made("C_Sign") - made };
        assert_eq!(logins(&a) - before, wanted, "{}", session.text);
        a.order("");
        std::fs::remove_file(a.path("hsm/pad")).unwrap();
        settled(&a);
    }
}
