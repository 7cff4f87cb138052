//! One try of the PIN is left on the card: both modules tell it, and it is not spent unasked.

use super::rig::Rig;
use super::{TABLE, promises, tokens};

/// With a root, and a card that was put back after two wrong PINs.
fn at_the_last(mut rig: Rig) -> Rig {
    let row = TABLE.iter().find(|row| !row.makes_keys).unwrap();
    promises::ready(row, &mut rig, "p256");
    rig.appliance.request("east");
    let (host, card) = (rig.host.as_ref().unwrap(), rig.card.as_mut().unwrap());
    host.unplug(card);
    let path = card.folder.join("card.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    kept["pin"]["left"] = 1.into();
    std::fs::write(path, kept.to_string()).unwrap();
    host.plug(card, 0);
    rig
}

fn sign(rig: &Rig, more: &[&str]) -> crate::appliance::Ran {
    let (from, to) = (rig.arg("in"), rig.arg("out"));
    rig.verb(&[&["sign", "--from", &from, "--to", &to, "--policy", "istio"], more].concat())
}

fn nothing_is_spent_unasked(rig: Rig) {
    let rig = at_the_last(rig);
    sign(&rig, &[]).fails(3, "token.pin-final-try");
    sign(&rig, &["--spend-last-pin-try"]).code(0);
}

#[test]
fn through_opensc() {
    nothing_is_spent_unasked(tokens::opensc(&TABLE[2], "p256"));
}

#[test]
fn through_ykcs11() {
    nothing_is_spent_unasked(tokens::ykcs11(&TABLE[3], "p256"));
}
