//! Whatever the card does, nothing wrong is released and the journal tells what happened.

use serde_json::Value;

use super::desk::Desk;

/// A home with a root and three requests on the stick.
fn ready() -> Desk {
    let desk = Desk::with_root("5.7.4", "p256");
    for cluster in ["east", "west", "north"] {
        desk.appliance.request(cluster);
    }
    desk
}

/// A card in the reader anew counts its calls anew.
fn again(desk: &mut Desk) {
    desk.host.unplug(&mut desk.card);
    desk.host.plug(&mut desk.card, 0);
}

fn nothing_released(desk: &Desk) {
    let left: Vec<_> = std::fs::read_dir(desk.appliance.path("out")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(desk.events("released").is_empty());
}

/// Certificates and releases asked for, without an outcome.
fn open(desk: &Desk) -> usize {
    let closed: Vec<Value> = ["signed", "rejected"]
        .iter()
        .flat_map(|kind| desk.events(kind))
        .map(|e| e["intent"].clone())
        .collect();
    let withdrawn = desk.events("withdrawn");
    let withdrawn = withdrawn.iter().flat_map(|e| e["intents"].as_array().unwrap().clone());
    let closed: Vec<Value> = closed.into_iter().chain(withdrawn).collect();
    desk.events("intent").iter().filter(|e| !closed.contains(&e["seq"])).count()
}

/// The plan that broke off, performed to its end: what was burnt stays so.
fn take_up(desk: &Desk) {
    let plans = std::fs::read_dir(desk.appliance.path("home/plans")).unwrap();
    let plans: Vec<_> = plans.map(|plan| plan.unwrap().path()).collect();
    let [plan] = plans.as_slice() else { panic!("one plan: {plans:?}") };
    let out = desk.appliance.path("out");
    let ran = desk.verb(&["perform", plan.to_str().unwrap(), "--to", out.to_str().unwrap()], &[]);
    let burnt = ran.stdout.contains("burnt by a crash, needs a new plan");
    ran.code(i32::from(burnt));
    desk.appliance.audit(&[]).code(0);
}

#[test]
fn a_signature_that_does_not_verify_is_on_record_and_ends_the_session() {
    for order in ["other-key", "other-data"] {
        let mut desk = ready();
        again(&mut desk);
        desk.card.order(&format!("SIGN 3 {order}\n"));
        desk.sign(&["--policy", "istio"]).fails(4, "token.wrong-signature");
        assert_eq!(desk.events("rejected").len(), 1, "{order}");
        assert_eq!(desk.card.made("SIGN"), 3 + 3 + 1, "those of the root before, and after it a seal");
        nothing_released(&desk);
        desk.card.order("");
        take_up(&desk);
    }
}

#[test]
fn an_answer_that_cannot_be_one_leaves_its_intent_open() {
    for (order, id) in [
        ("zero", "token.signature"),
        ("shorten 9", "token.signature"),
        ("cut 9", "token.answer"),
        ("empty", "token.answer"),
        ("say 124 2 130 0", "token.signature"),
        ("lose 0x6f00", "token.device"),
        ("lose 0x6982", "token.not-permitted"),
        ("lose-gone", "token.removed"),
    ] {
        let mut desk = ready();
        again(&mut desk);
        desk.card.order(&format!("SIGN 3 {order}\n"));
        let failed = desk.sign(&["--policy", "istio"]).fails(3, id);
        assert!(!failed.stderr.contains("panicked"), "{order}: {}", failed.stderr);
        assert_eq!(open(&desk), 1, "{order}: it may have been made");
        nothing_released(&desk);
        desk.card.order("");
        again(&mut desk);
        take_up(&desk);
        assert_eq!(desk.events("settled").len(), 1, "{order}: its serial is burnt");
    }
}

#[test]
fn a_yubikey_that_is_pulled_in_the_middle_of_a_batch_is_put_back() {
    for (command, nth) in [("SIGN", 2), ("SIGN", 4), ("VERIFY", 4), ("METADATA", 6)] {
        let mut desk = ready();
        again(&mut desk);
        desk.card.order(&format!("{command} {nth} gone\n"));
        desk.sign(&["--policy", "istio"]).fails(3, "token.removed");
        desk.card.order("");
        again(&mut desk);
        take_up(&desk);
    }
}

#[test]
fn one_that_is_pulled_when_all_is_done_but_its_head_to_be_kept_goes_on_the_next_time() {
    // It is kept before each of four signatures, before anything leaves, and at the end. Each
    // takes two of the one.
    for (command, nth, released) in
        [("MANAGE", 1, 0), ("PUT", 3, 0), ("MANAGE", 9, 0), ("PUT", 5, 0), ("MANAGE", 11, 1), ("PUT", 6, 1)]
    {
        let mut desk = ready();
        again(&mut desk);
        desk.card.order(&format!("{command} {nth} gone\n"));
        desk.sign(&["--policy", "istio"]).fails(3, "token.removed");
        assert_eq!(desk.events("released").len(), released);
        desk.card.order("");
        again(&mut desk);
        if released == 0 {
            nothing_released(&desk);
            take_up(&desk);
        }
        desk.verb(&["root", "renew", "--ttl", "30y"], &[]).code(0);
        desk.appliance.audit(&[]).code(0);
    }
}

#[test]
fn a_pin_that_is_blocked_meanwhile_ends_the_session() {
    let mut desk = ready();
    again(&mut desk);
    desk.card.order("VERIFY 4 block\n");
    desk.sign(&["--policy", "istio"]).fails(3, "token.pin-locked");
    nothing_released(&desk);
}

#[test]
fn pcscd_that_dies_meanwhile_is_told() {
    let mut desk = ready();
    again(&mut desk);
    desk.host.stop();
    desk.sign(&["--policy", "istio"]).fails(3, "token.pcscd");
    desk.host.start();
    desk.host.seen_again(&desk.card);
    desk.sign(&["--policy", "istio"]).code(0);
}

#[test]
fn a_new_key_is_not_believed_until_its_slot_tells_it() {
    for (order, id) in [
        ("GENERATE 1 other-key", "token.key-unfit"),
        ("GENERATE 1 cut 20", "token.answer"),
        ("GENERATE 1 empty", "token.answer"),
        ("GENERATE 1 lose 0x6f00", "token.device"),
        ("GENERATE 1 lose-gone", "token.removed"),
        ("GENERATE 1 fail 0x6a80", "token.answer"),
        ("MANAGE 1 empty", "token.management-key"),
        ("MANAGE 2 cut 18", "token.answer"),
    ] {
        let mut desk = Desk::new("5.7.4");
        desk.card.order(&format!("{order}\n"));
        let failed = desk.create_root("p256", &["--touch-policy", "never"]).fails(3, id);
        assert!(!failed.stderr.contains("panicked"), "{order}: {}", failed.stderr);
        assert_eq!(desk.card.made("SIGN"), 0);
        desk.card.order("");
        again(&mut desk);
        // What the slot holds was made for the intent on record, and is taken.
        desk.create_root("p256", &["--touch-policy", "never"]).code(0);
        assert!(desk.card.made("GENERATE") <= 2, "{order}");
        desk.appliance.audit(&[]).code(0);
    }
}

#[test]
fn another_key_in_the_slot_is_found_before_anything_is_asked_of_it() {
    let desk = Desk::with_root("5.4.3", "p256");
    desk.appliance.request("east");
    desk.tool(&["-a", "generate", "-s", "9c", "-A", "ECCP256"]).code(0);
    desk.sign(&["--policy", "istio"]).fails(4, "token.key-mismatch");
    nothing_released(&desk);
}
