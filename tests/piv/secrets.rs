//! PIN and management key.

use super::desk::{Desk, PIN};
use crate::appliance::Ran;

const UNTOUCHED: [&str; 2] = ["--touch-policy", "never"];

fn with_pin(desk: &Desk, pin: &str) -> Ran {
    desk.appliance.write("other-pin", pin);
    let file = desk.appliance.path("other-pin");
    let args =
        ["root", "create", "--subject", "CN=Root", "--ttl", "20y", "--key", "p256", "--yes", "--pin-file"];
    desk.run(&[&args[..], &[file.to_str().unwrap()], &UNTOUCHED].concat())
}

#[test]
fn a_wrong_pin_is_told_with_what_is_left_before_the_next() {
    let desk = Desk::new("5.7.4");
    let before = desk.card.calls().matches("begin VERIFY").count();
    with_pin(&desk, "12345").fails(3, "token.pin-length");
    with_pin(&desk, "123456789").fails(3, "token.pin-length");
    let asked = desk.card.calls().matches("begin VERIFY").count() - before;
    assert_eq!(asked, 2, "how many tries are left, once for each opening; none was spent");
    let first = with_pin(&desk, "654321").fails(3, "token.pin-incorrect");
    assert!(
        first.stderr.contains("3 of 3 tries left") && first.stderr.contains("2 tries are left"),
        "{}",
        first.stderr
    );
    let second = with_pin(&desk, "654321").fails(3, "token.pin-incorrect");
    assert!(
        second.stderr.contains("2 of 3 tries left") && second.stderr.contains("locks it"),
        "{}",
        second.stderr
    );
    let before = desk.card.calls().matches("begin VERIFY").count();
    let third = with_pin(&desk, PIN).fails(3, "token.pin-final-try");
    assert!(third.stderr.contains("final try") && third.stderr.contains("not spent"), "{}", third.stderr);
    let asked = desk.card.calls().matches("begin VERIFY").count() - before;
    assert_eq!(asked, 1, "how many are left, and no more");
    spends_the_last(&desk);
    let locked = with_pin(&desk, PIN).fails(3, "token.pin-locked");
    assert!(locked.stderr.contains("says of its PIN: locked"), "{}", locked.stderr);
    assert_eq!(desk.card.made("GENERATE"), 0);
    let checked = desk.verb(&["token", "check"], &[]);
    checked.fails(3, "token.pin-locked");
}

/// Once it was said, at the terminal or by the option.
fn spends_the_last(desk: &Desk) {
    let from_terminal = ["root", "create", "--subject", "CN=Root", "--ttl", "20y", "--key", "p256", "--yes"];
    let last = "Spend the last try? Type yes to go on, anything else to stop: ";
    for answer in ["no\n", "yes \n"] {
        desk.at_terminal(&[(last, answer)], &from_terminal).ran().fails(3, "token.pin-final-try");
    }
    let wrong = [(last, "yes\n"), ("PIN of YubiKey 12345678: ", "654321\n")];
    desk.at_terminal(&wrong, &from_terminal).ran().fails(3, "token.pin-locked");
}

#[test]
fn every_kind_of_management_key_is_shown() {
    for (firmware, cipher, key) in [
        ("5.4.3", 0x03, "0102030405060708a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8"),
        ("5.7.4", 0x08, "000102030405060708090a0b0c0d0e0f"),
        ("5.7.4", 0x0a, "000102030405060708090a0b0c0d0e0f1011121314151617"),
        ("5.7.4", 0x0c, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
    ] {
        let mut desk = Desk::new(firmware);
        let file = desk.change_management_key(cipher, key);
        let refused = desk.create_root("p256", &UNTOUCHED).fails(3, "token.management-key");
        assert!(refused.stderr.contains("--mgm-key-file"), "{}", refused.stderr);
        desk.appliance.write("wrong", "ff".repeat(key.len() / 2));
        let wrong = desk.appliance.path("wrong");
        let wrong = [&UNTOUCHED[..], &["--mgm-key-file", wrong.to_str().unwrap()]].concat();
        desk.create_root("p256", &wrong).fails(3, "token.management-key");
        let made = desk.create_root("p256", &[&UNTOUCHED[..], &["--mgm-key-file", &file]].concat()).code(0);
        assert!(!made.stderr.contains("WARNING") && !made.stderr.contains(key), "{cipher}: {}", made.stderr);
        // Without it everything but the head and the certificates goes on as before.
        let renewed = desk.verb(&["root", "renew", "--ttl", "30y"], &[]).code(0);
        for note in ["does not keep the journal's head", "not written to its slot"] {
            assert_eq!(renewed.stderr.matches(note).count(), 1, "{note}: {}", renewed.stderr);
        }
        desk.appliance.audit(&[]).code(0);
    }
}

#[test]
fn a_management_key_of_another_length_is_told_so() {
    let desk = Desk::new("5.7.4");
    desk.appliance.write("key", "000102030405060708090a0b0c0d0e0f");
    let key = desk.appliance.path("key");
    let args = [&UNTOUCHED[..], &["--mgm-key-file", key.to_str().unwrap()]].concat();
    let refused = desk.create_root("p256", &args).fails(3, "token.management-key");
    assert!(
        refused.stderr.contains("has 16 bytes") && refused.stderr.contains("AES-192, of 24"),
        "{}",
        refused.stderr
    );
    for text in ["", "0102", "zz".repeat(24).as_str(), "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"] {
        desk.appliance.write("key", text);
        let refused = desk.create_root("p256", &args).fails(2, "token.mgm-key-file");
        assert!(text.is_empty() || !refused.stderr.contains(text), "{}", refused.stderr);
    }
}

#[test]
fn the_factorys_management_key_is_warned_of_loudly() {
    let desk = Desk::new("5.7.4");
    let made = desk.create_root("p256", &UNTOUCHED).code(0);
    assert_eq!(
        made.stderr.matches("WARNING: the management key is the factory's").count(),
        1,
        "{}",
        made.stderr
    );
}

/// As ykman's `change-management-key --protect` leaves it.
#[test]
fn a_management_key_under_the_pin_needs_no_file() {
    let mut desk = Desk::new("5.7.4");
    let key = "000102030405060708090a0b0c0d0e0f1011121314151617";
    desk.change_management_key(0x0a, key);
    let kept: Vec<u8> = [&[0x88, 0x1a, 0x89, 0x18][..], &(0..0x18).collect::<Vec<u8>>()].concat();
    desk.alter(|card| {
        card["objects"]["5fff00"] = vec![0x80, 3, 0x81, 1, 2].into();
        card["objects"]["5fc109"] = kept.into();
    });
    let made = desk.create_root("p256", &UNTOUCHED).code(0);
    assert!(!made.stderr.contains("WARNING"), "{}", made.stderr);
    let renewed = desk.verb(&["root", "renew", "--ttl", "30y"], &[]).code(0);
    assert!(!renewed.stderr.contains("without the management key"), "{}", renewed.stderr);
}

#[test]
fn a_pin_that_is_typed_anew_is_asked_for_with_the_tries_left() {
    let desk = Desk::new("5.7.4");
    desk.configure("retype-pin = true");
    let asks = "PIN of YubiKey 12345678: ";
    let (right, wrong, last) = (format!("{PIN}\n"), "654321\n", "Spend the last try? Type yes to go on, ");
    let create = ["root", "create", "--subject", "CN=Root", "--ttl", "20y", "--key", "p256", "--yes"];
    let create = [&create[..], &UNTOUCHED].concat();
    let steps = [
        ("PIN: 3 of 3 tries left", ""),
        (asks, right.as_str()),
        ("signature 1 of 2 by the root's key: CN=Root", ""),
        (asks, wrong),
        ("2 tries are left", ""),
        ("PIN: 2 of 3 tries left", ""),
        (asks, &right),
        ("signature 2 of 2 by the root's key: ", ""),
        ("PIN: 3 of 3 tries left", ""),
        (asks, wrong),
        (asks, wrong),
        ("PIN: final try", ""),
        (last, "no\n"),
    ];
    desk.at_terminal(&steps, &create).ran().fails(3, "token.pin-final-try");
    assert_eq!((desk.card.made("SIGN"), desk.events("withdrawn").len()), (1, 1));
    let steps = [(last, "yes\n"), (asks, right.as_str()), ("signature 2 of 2", ""), (asks, &right)];
    assert_eq!(desk.at_terminal(&steps, &create).value("exit"), "0");
    desk.appliance.audit(&[]).code(0);
    desk.appliance.request("east");
    desk.sign(&["--policy", "istio"]).fails(1, "pin.retype");
}
