//! What a card was ordered to do it does, and what it really made is written down.

use super::OLD;
use crate::card_host::{Card, Host};

fn with_key() -> (Host, Card) {
    let (host, card) = Host::with_card(7_654_321, OLD);
    host.generate("9c", "ECCP256");
    (host, card)
}

#[test]
fn signatures_are_spoilt_or_lost() {
    let (host, card) = with_key();
    // What is ordered, how many are made by then, whether the program takes what it gets.
    let orders = [
        ("flip", 1, true),
        ("zero", 2, true),
        ("shorten 1", 3, true),
        ("other-key", 4, true),
        ("other-data", 5, true),
        ("cut 4", 6, false),
        ("empty", 7, false),
        ("lose 0x6f00", 8, false),
        ("fail 0x6f00", 8, false),
    ];
    for (nth, (order, made, taken)) in orders.into_iter().enumerate() {
        card.order(&format!("SIGN {} {order}", nth + 1));
        assert_eq!(host.sign("9c", "ECCP256").code == 0, taken, "{order}");
        assert!(!taken || !host.verifies(&[]), "{order}");
        assert_eq!(card.made("SIGN"), made, "{order}");
    }
    host.sign("9c", "ECCP256").code(0);
    assert!(host.verifies(&[]), "nothing is ordered of this one");
}

#[test]
fn it_is_taken_out_before_a_signature_and_after_it() {
    let (host, mut card) = with_key();
    for (order, made) in [("gone", 0), ("lose-gone", 1)] {
        card.order(&format!("SIGN 1 {order}"));
        assert_ne!(host.sign("9c", "ECCP256").code, 0, "{order}");
        assert_eq!(card.made("SIGN"), made, "{order}");
        host.unplug(&mut card);
        card.order("");
        host.plug(&mut card, 0);
    }
    host.sign("9c", "ECCP256").code(0);
    assert!(host.verifies(&[]));
}

#[test]
fn a_touch_is_awaited_refused_or_given() {
    let (host, card) = Host::with_card(7_654_321, OLD);
    let generate = |policy: &str| {
        let policies = ["-s", "9c", "-A", "ECCP256", "--touch-policy", policy, "-o", &host.arg("pub.pem")];
        host.piv_tool(&[&["-a", "generate"], &policies[..]].concat()).code(0);
    };
    generate("always");
    card.order("TOUCH 1 refuse\nTOUCH 2 after 50");
    assert_ne!(host.sign("9c", "ECCP256").code, 0);
    assert_eq!(card.made("SIGN"), 0);
    host.sign("9c", "ECCP256").code(0);
    card.touch();
    host.sign("9c", "ECCP256").code(0);
    assert!(host.verifies(&[]));
    assert!(!card.folder.join("touch").exists(), "the touch was felt");
    generate("cached");
    card.order("TOUCH * refuse");
    host.sign("9c", "ECCP256").code(0);
    assert_eq!(card.made("SIGN"), 3, "the last touch still lasts");
}

#[test]
fn it_is_another_or_blocked_or_old_if_it_is_told_so() {
    let (host, card) = with_key();
    card.order("SERIAL * say 0 0 0 9\nVERSION * say 5 2 4\nVERIFY * left 1");
    let said = host.piv_tool(&["-a", "status"]).code(0).stdout;
    for line in ["Version:\t5.2.4\n", "Serial Number:\t9\n", "PIN tries left:\t1\n"] {
        assert!(said.contains(line), "{said}");
    }
    card.order("VERIFY * block");
    assert_ne!(host.sign("9c", "ECCP256").code, 0);
    card.order("");
    assert_ne!(host.sign("9c", "ECCP256").code, 0, "it stays blocked");
    assert_eq!(card.made("SIGN"), 0);
}

#[test]
fn attestations_are_forged() {
    let (host, card) = with_key();
    let genuine = host.attest("9c");
    assert!(host.chains(&card));
    let field =
        |text: &str, after: &str| text.split(after).nth(1).unwrap().lines().nth(1).unwrap().to_string();
    for (order, place) in [
        ("other-key", "pub:"),
        ("other-version 5 7 4", "41482.3.3:"),
        ("other-serial 9", "41482.3.7:"),
        ("other-policies 1 1", "41482.3.8:"),
    ] {
        card.order(&format!("ATTEST * {order}"));
        let forged = host.attest("9c");
        assert!(host.chains(&card), "{order}: signed as the genuine one");
        assert_ne!(field(&forged, place), field(&genuine, place), "{order}");
    }
    card.order("ATTEST * other-slot 0x9a");
    assert!(host.attest("9c").contains("YubiKey PIV Attestation 9a"));
    for order in ["ATTEST * flip", "ATTEST * other-root", "ATTEST * other-root\nGET * other-root"] {
        card.order(order);
        host.attest("9c");
        assert!(!host.chains(&card), "{order}");
    }
}

#[test]
#[should_panic(expected = "nothing is known of `flap` here")]
fn an_order_that_nobody_knows_is_noticed() {
    let (host, card) = with_key();
    card.order("SIGN 1 flap");
    assert_ne!(host.sign("9c", "ECCP256").code, 0);
    card.alive();
}
