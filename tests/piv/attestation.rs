//! What the YubiKey says of its keys: verified, on record, demanded.

use super::desk::{Desk, SERIAL};
use crate::appliance::{Appliance, Ran};

const UNTOUCHED: [&str; 2] = ["--touch-policy", "never"];

#[track_caller]
fn nothing_signed(desk: &Desk) {
    assert_eq!(desk.card.made("SIGN"), 0, "{}", desk.card.calls());
}

#[test]
fn it_is_verified_and_goes_on_record() {
    for firmware in ["5.7.4", "5.4.3"] {
        let desk = Desk::new(firmware);
        desk.trust_card();
        let made = desk.create_root("p384", &UNTOUCHED).code(0).json();
        let facts = &made["attested"][0]["facts"];
        assert_eq!(
            (facts["serial"].as_u64(), facts["firmware"].as_str()),
            (Some(SERIAL.into()), Some(firmware))
        );
        assert_eq!(
            (facts["pin_policy"].as_str(), facts["touch_policy"].as_str()),
            (Some("always"), Some("never"))
        );
        let events = desk.events("key-attested");
        assert_eq!((events.len(), &events[0]["facts"]), (2, facts), "the root's and the journal's");
        assert_eq!(
            (events[1]["role"].as_str(), events[1]["facts"]["pin_policy"].as_str()),
            (Some("journal"), Some("once"))
        );
        desk.appliance.audit(&[]).code(0);
        let shown = desk.run(&["token", "attest"]).code(0).stdout;
        for wanted in ["attested slot 9c", "attested slot 82", "USB-C keychain", "touch policy   never"] {
            assert!(shown.contains(wanted), "{wanted}: {shown}");
        }
        let told = desk.run(&["token", "attest", "piv:82", "--json"]).code(0).json();
        assert_eq!(told["attested"][0]["slot"], "82", "{told}");
        let checked = desk.verb(&["token", "check", "--json"], &[]).code(0).json();
        let keys = checked["judged"].as_array().unwrap();
        let attested = keys.iter().flat_map(|key| key["findings"].as_array().unwrap());
        let attested = attested.filter(|f| f["rule"] == "token.piv.attested" && f["outcome"] == "pass");
        assert_eq!(attested.count(), 2, "{checked}");
    }
}

#[test]
fn without_trust_it_is_warned_of_and_on_record_as_it_is() {
    let desk = Desk::new("5.7.4");
    let made = desk.create_root("p256", &UNTOUCHED).code(0).json();
    let problem = made["attested"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("[attest.chain]"), "{problem}");
    assert!(desk.events("key-attested")[0].get("facts").is_none());
    desk.run(&["token", "attest"]).fails(4, "attest.chain");
    let checked = desk.verb(&["token", "check"], &[]).code(0).stdout;
    assert!(checked.contains("warn    token.piv.attested"), "{checked}");
}

#[test]
fn where_it_is_demanded_nothing_is_signed_without() {
    let desk = Desk::new("5.7.4");
    desk.configure("require-attestation = true");
    desk.create_root("p256", &UNTOUCHED).fails(4, "attest.chain");
    nothing_signed(&desk);
    // The same command goes on once the issuer is trusted.
    desk.trust_card();
    desk.create_root("p256", &UNTOUCHED).code(0);
    assert_eq!(desk.card.made("GENERATE"), 2);
}

#[test]
fn where_it_is_demanded_later_nothing_more_is_signed_without() {
    // Made when nobody asked; then it is asked for.
    let desk = Desk::new("5.7.4");
    desk.create_root("p256", &UNTOUCHED).code(0);
    let config = desk.appliance.path("home/anchorite.toml");
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replacen(from, to, 1)).unwrap();
    };
    let demand = "[token]\nrequire-attestation = true\n";
    edit("[token]\n", demand);
    let before = desk.appliance.journal();
    desk.verb(&["policy", "pin"], &[]).fails(4, "attest.chain");
    assert_eq!(desk.appliance.journal(), before);
    edit(demand, &format!("{demand}{}\n", desk.roots()));
    desk.verb(&["policy", "pin"], &[]).code(0);

    // The issuer is trusted no more, while it is still asked for.
    edit(&desk.roots(), "");
    let before = desk.appliance.journal();
    desk.verb(&["policy", "pin"], &[]).fails(4, "attest.chain");
    assert_eq!(desk.appliance.journal(), before);
    edit(demand, "[token]\n");
    desk.verb(&["policy", "pin"], &[]).code(0);
}

#[test]
fn a_root_that_is_not_attested_is_not_taken_over_where_that_is_demanded() {
    let desk = Desk::with_root("5.7.4", "p256");
    let root = desk.appliance.path("old.pem");
    std::fs::copy(desk.appliance.path("home/root.pem"), &root).unwrap();
    std::fs::remove_dir_all(desk.appliance.path("home")).unwrap();
    desk.init("home", &format!("piv:9c?serial={SERIAL}&journal=83")).code(0);
    desk.configure("require-attestation = true");
    let adopt = ["root", "adopt", "--certificate", root.to_str().unwrap(), "--key", "piv:9c"];
    desk.verb(&adopt, &[]).fails(4, "attest.chain");
    assert_eq!(desk.events("root-adopted").len(), 0, "the home is free for another");
    desk.trust_card();
    desk.verb(&adopt, &[]).code(0);
}

#[test]
fn no_pkcs11_token_attests() {
    let appliance = Appliance::with_home();
    let path = appliance.path("home/anchorite.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("[token]\n", "[token]\nrequire-attestation = true\n", 1)).unwrap();
    appliance.run(&["policy", "pin", "--yes"]).code(0);
    appliance.create_root("p256", &[]).fails(1, "attest.none");
    appliance.run(&["token", "attest", "pkcs11:token=ceremony"]).fails(1, "attest.none");
    assert!(!appliance.journal().contains("key-intent"), "no key was asked for");
}

#[test]
fn a_firmware_with_flaws_is_refused_before_a_key_is_made() {
    let desk = Desk::new("5.6.9");
    desk.configure("require-unaffected-firmware = true");
    let refused = desk.create_root("p256", &UNTOUCHED).fails(1, "attest.firmware");
    assert!(refused.stderr.contains("YSA-2024-03"), "{}", refused.stderr);
    assert_eq!(desk.card.made("GENERATE"), 0);
    let newer = Desk::new("5.7.0");
    newer.configure("require-unaffected-firmware = true");
    newer.create_root("p256", &UNTOUCHED).code(0);
}

#[test]
fn a_key_that_was_brought_in_is_not_attested() {
    let desk = Desk::new("5.4.3");
    let key = desk.appliance.path("key.pem");
    let key = key.to_str().unwrap();
    crate::support::run(
        desk.appliance.dir.path(),
        "openssl",
        &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
    );
    desk.tool(&["-a", "import-key", "-s", "9a", "-i", key]).code(0);
    desk.run(&["token", "attest", "piv:9a"]).fails(1, "attest.none");
    desk.run(&["token", "attest", "piv:9d"]).fails(3, "token.no-such-key");
    let checked = desk.verb(&["token", "check", "piv:9a"], &[]).code(0).stdout;
    assert!(checked.contains("warn    token.piv.generated"), "{checked}");
    desk.verb(&["token", "check", "piv:9a", "--strict"], &[]).code(1);
}

#[test]
fn another_key_in_the_roots_slot_is_not_shown_as_the_roots() {
    let desk = Desk::new("5.4.3");
    desk.trust_card();
    desk.create_root("p256", &UNTOUCHED).code(0);
    desk.run(&["token", "attest"]).code(0);
    let key = desk.appliance.path("new.pem");
    desk.tool(&["-a", "generate", "-s", "9c", "-A", "ECCP256", "-o", key.to_str().unwrap()]).code(0);
    desk.run(&["token", "attest"]).fails(4, "token.key-mismatch");
}

fn ordered(orders: &str, demanded: bool) -> (Desk, Ran) {
    let desk = Desk::new("5.7.4");
    let demand = if demanded { "require-attestation = true\n" } else { "" };
    desk.configure(&format!("{demand}{}", desk.roots()));
    desk.card.order(orders);
    let ran = desk.create_root("p256", &UNTOUCHED);
    (desk, ran)
}

#[test]
fn a_forged_attestation_is_found() {
    let (desk, ran) = ordered("ATTEST * other-root\nGET * other-root\n", true);
    ran.fails(4, "attest.signature");
    nothing_signed(&desk);
    let (desk, ran) = ordered("ATTEST * other-root\nGET * other-root\n", false);
    ran.code(0);
    assert!(desk.events("key-attested")[0]["problem"].as_str().unwrap().contains("[attest.signature]"));
}

#[test]
fn one_that_contradicts_itself_is_never_accepted() {
    for order in ["other-key", "other-serial 1", "other-version 5 7 9", "other-policies 1 1"] {
        let (desk, ran) = ordered(&format!("ATTEST 1 {order}\n"), false);
        ran.fails(4, "attest.mismatch");
        nothing_signed(&desk);
    }
}

#[test]
fn a_damaged_one_is_told() {
    for (order, id) in [("cut 3", "attest.form"), ("flip", "attest.signature")] {
        let (desk, ran) = ordered(&format!("ATTEST 1 {order}\n"), true);
        ran.fails(4, id);
        nothing_signed(&desk);
    }
    for (order, id) in [("empty", "token.answer"), ("fail 0x6a80", "token.attestation")] {
        let (desk, ran) = ordered(&format!("ATTEST 1 {order}\n"), false);
        ran.fails(3, id);
        nothing_signed(&desk);
    }
}

#[test]
fn the_audit_verifies_again_what_is_on_record() {
    let desk = Desk::new("5.7.4");
    desk.trust_card();
    desk.create_root("p256", &UNTOUCHED).code(0);
    let told = desk.appliance.audit(&[]).code(0).json()["attested"].clone();
    let told: Vec<&str> = told.as_array().unwrap().iter().map(|told| told.as_str().unwrap()).collect();
    assert!(told.len() == 2 && told.iter().all(|told| told.contains("verifies as of")), "{told:?}");
    assert!(
        told[0].contains("the root key's attestation") && told[0].contains("serial 12345678, firmware 5.7.4")
    );

    // Away from the home its own issuers are not at hand: said, and no fault.
    let (journal, root) = (desk.appliance.path("home/journal"), desk.appliance.path("home/root.pem"));
    let away = ["audit", "verify", "--journal", journal.to_str().unwrap(), "--root", root.to_str().unwrap()];
    let seen = desk.run(&away).code(0).stdout;
    assert_eq!(seen.matches("its issuer was not verified").count(), 2, "{seen}");

    // One that does not verify any more is a fault of the record, until it does again.
    let config = desk.appliance.path("home/anchorite.toml");
    let trusting = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, trusting.replacen(&desk.roots(), "", 1)).unwrap();
    desk.verb(&["policy", "pin"], &[]).code(0);
    let broken = desk.run(&["audit", "verify"]).code(4).stdout;
    assert!(
        broken.contains("[attest.chain]") && broken.contains("goes back into attestation-roots"),
        "{broken}"
    );
    std::fs::write(&config, trusting).unwrap();
    desk.verb(&["policy", "pin"], &[]).code(0);
    desk.appliance.audit(&[]).code(0);
}

/// By somebody who makes every hash anew: the attestation itself still tells.
#[test]
fn a_tampered_attestation_is_named_by_the_audit() {
    let desk = Desk::new("5.7.4");
    desk.trust_card();
    desk.create_root("p256", &UNTOUCHED).code(0);
    let journal = desk.appliance.path("home/journal/journal.jsonl");
    let (mut forged, mut old, mut new) = (String::new(), String::new(), String::new());
    for line in desk.appliance.journal().lines() {
        let mut changed = line.replace(&old, &new);
        if line.contains("key-attested") {
            changed = changed.replacen("\"serial\":12345678", "\"serial\":12345679", 1);
        }
        (old, new) = (sha256(line), sha256(&changed));
        forged.push_str(&format!("{changed}\n"));
    }
    std::fs::write(&journal, forged).unwrap();
    let report = desk.appliance.audit(&[]).code(4).json();
    let errors = report["errors"].as_array().unwrap();
    let named: Vec<_> = errors.iter().filter(|e| e["id"] == "audit.attestation").collect();
    assert_eq!(named.len(), 2, "{report}");
    assert!(named[0]["message"].as_str().unwrap().contains("another serial number"), "{report}");
}

fn sha256(line: &str) -> String {
    anchorite::x509::Digest::of(line.as_bytes()).to_string()
}
