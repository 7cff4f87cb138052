//! A card that is pulled in the middle of a batch, whichever module stands before it.

use super::rig::Rig;
use super::{TABLE, tokens};

fn pulled(mut rig: Rig) {
    let row = TABLE.iter().find(|row| !row.makes_keys).unwrap();
    super::promises::ready(row, &mut rig, "p256");
    for cluster in ["east", "west"] {
        rig.appliance.request(cluster);
    }
    let (from, to) = (rig.arg("in"), rig.arg("out"));
    let sign = ["sign", "--from", &from, "--to", &to, "--policy", "istio"];
    let card = rig.card.as_ref().unwrap();
    card.order(&format!("SIGN {} lose-gone", card.made("SIGN") + 2));
    let ran = rig.verb(&sign).code(3);
    assert!(ran.stderr.contains("[token."), "{}", ran.stderr);
    assert_eq!(rig.appliance.audit(&[]).code(1).json()["state"], "open");

    let (host, card) = (rig.host.as_ref().unwrap(), rig.card.as_mut().unwrap());
    host.unplug(card);
    card.order("");
    host.plug(card, 0);
    // What was signed is released; what was lost is burnt, for nobody knows whether it was made.
    let plan = std::fs::read_dir(rig.appliance.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let perform = ["perform", plan.to_str().unwrap(), "--to", &to, "--json"];
    let outcome = rig.verb(&perform).code(1).json();
    let count = |what: &str| outcome[what].as_array().unwrap().len();
    assert_eq!((count("released"), count("burnt")), (1, 1), "{outcome}");
    assert_eq!(rig.appliance.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn through_opensc() {
    pulled(tokens::opensc(&TABLE[2], "p256"));
}

#[test]
fn through_ykcs11() {
    pulled(tokens::ykcs11(&TABLE[3], "p256"));
}
