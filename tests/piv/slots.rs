//! Which YubiKey, which slot, which kind of key, under which policies.

use std::process::Stdio;
use std::time::Duration;

use super::desk::{Desk, SERIAL};

const UNTOUCHED: [&str; 2] = ["--touch-policy", "never"];

#[test]
fn a_root_is_taken_up_again_with_the_policies_it_was_begun_with() {
    let desk = Desk::new("5.7.4");
    desk.card.order("SIGN 1 fail 0x6f00");
    let weak = ["--pin-policy", "once", "--touch-policy", "never"];
    assert_ne!(desk.create_root("p256", &weak).code, 0);
    assert_eq!(desk.events("key-made").len(), 2);
    let refused = desk.create_root("p256", &[]).fails(3, "token.key-unfit");
    assert!(refused.stderr.contains("give --pin-policy once --touch-policy never"), "{}", refused.stderr);
    desk.create_root("p256", &weak).code(0);
}

#[test]
fn a_slot_in_use_is_never_overwritten() {
    let desk = Desk::new("5.4.3");
    desk.tool(&["-a", "generate", "-s", "9c", "-A", "ECCP256"]).code(0);
    let refused = desk.create_root("p256", &UNTOUCHED).fails(3, "token.slot-in-use");
    assert!(refused.stderr.contains("slot 9c holds a key already"), "{}", refused.stderr);
    let free = Desk::named("5.4.3", "piv:9a");
    // A certificate whose key is gone.
    let certificate = free.appliance.path("certificate.pem");
    std::fs::copy(free.card.folder.join("root.pem"), &certificate).unwrap();
    free.tool(&["-a", "import-certificate", "-s", "82", "-i", certificate.to_str().unwrap()]).code(0);
    let refused = free.create_root("p256", &UNTOUCHED).fails(3, "token.slot-in-use");
    assert!(refused.stderr.contains("slot 82 holds a certificate already"), "{}", refused.stderr);
    assert_eq!(free.card.made("GENERATE"), 0, "neither key was made");
    assert!(!free.appliance.journal().contains("key-intent"));
}

#[test]
fn two_homes_have_slots_of_their_own() {
    let desk = Desk::with_root("5.7.4", "p256");
    let uri = format!("piv:9a?serial={SERIAL}&journal=83");
    let second = desk.appliance.path("second");
    let second = second.to_str().unwrap();
    desk.init("second", &uri).code(0);
    desk.verb(
        &["root", "create", "--home", second, "--subject", "CN=Second", "--ttl", "20y", "--key", "p384"],
        &UNTOUCHED,
    )
    .code(0);
    desk.run(&["audit", "verify", "--home", second]).code(0);
    let listed = desk.run(&["token", "list"]).code(0).stdout;
    for slot in ["slot 9c", "slot 9a", "slot 82", "slot 83"] {
        assert_eq!(listed.matches(slot).count(), 2, "key and certificate: {listed}");
    }
    // Each has an object of its own for its journal's head.
    for object in ["0x5f619c", "0x5f619a"] {
        let kept = desk.tool(&["-a", "read-object", "--id", object, "-f", "binary"]).code(0).stdout;
        assert!(kept.starts_with("anchorite head "), "{kept}");
    }
    desk.verb(&["root", "renew", "--ttl", "30y"], &[]).code(0);
    desk.verb(&["root", "renew", "--ttl", "30y", "--home", second], &[]).code(0);
}

#[test]
fn a_root_is_taken_over() {
    let desk = Desk::with_root("5.7.4", "p256");
    let root = desk.appliance.path("root.pem");
    std::fs::copy(desk.appliance.path("home/root.pem"), &root).unwrap();
    let (root, home) = (root.to_str().unwrap(), desk.appliance.path("taken"));
    let home = home.to_str().unwrap();
    let adopt =
        |key: &str| desk.verb(&["root", "adopt", "--home", home, "--certificate", root, "--key", key], &[]);
    desk.init("taken", "piv:9c").code(0);
    adopt("piv:9c").fails(3, "token.slot-in-use");
    std::fs::remove_dir_all(home).unwrap();
    desk.init("taken", "piv:9c?journal=83").code(0);
    for key in ["piv:", "piv:9c?serial=1", "pkcs11:object=root"] {
        adopt(key).fails(2, "adopt.key-uri");
    }
    adopt("piv:82").fails(1, "adopt.key-mismatch");
    adopt("piv:9d").fails(3, "token.no-such-key");
    adopt("piv:9c").code(0);
    desk.run(&["audit", "verify", "--home", home]).code(0);
}

#[test]
fn the_yubikey_that_is_meant_is_not_there() {
    let mut desk = Desk::new("5.7.4");
    let other = desk.init("other", "piv:?serial=99").code(0);
    assert!(
        other.stderr.contains("no YubiKey with serial number 99")
            && other.stderr.contains("piv:?serial=12345678")
    );
    let other = desk.appliance.path("other");
    desk.run(&["token", "list", "--home", other.to_str().unwrap()]).fails(3, "token.absent");
    desk.host.unplug(&mut desk.card);
    let none = desk.create_root("p256", &[]).fails(3, "token.absent");
    assert!(none.stderr.contains("no YubiKey is there"), "{}", none.stderr);
    desk.host.stop();
    desk.create_root("p256", &[]).fails(3, "token.pcscd");
    // A home can be made before the YubiKey is out of its safe.
    desk.init("early", "piv:9c?serial=5").code(0);
    desk.init("upper", "PIV:9c").code(0);
    desk.run(&["init", "x", "--token", "piv:9c", "--module", "/lib/x.so"]).fails(2, "token.module-unused");
}

#[test]
fn a_card_that_is_no_yubikey_is_named_so() {
    let desk = Desk::new("5.7.4");
    for order in ["SELECT * fail 0x6a82", "VERSION * fail 0x6d00", "VERSION * say 7 0 0"] {
        desk.card.order(order);
        let refused = desk.run(&["token", "list"]).fails(3, "token.not-yubikey");
        assert!(refused.stderr.contains("Yubico YubiKey OTP+FIDO+CCID"), "{}", refused.stderr);
    }
}

#[test]
fn firmware_that_is_too_old_is_named_with_what_is_wanted() {
    let desk = Desk::new("5.4.3");
    for kind in ["rsa3072", "rsa4096", "ed25519"] {
        let refused = desk.create_root(kind, &UNTOUCHED).fails(3, "token.firmware");
        for wanted in [kind, "5.4.3", "5.7.0"] {
            assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
        }
    }
    assert_eq!(desk.card.made("GENERATE"), 0);
    let (host, card) = crate::card_host::Host::with_card(1, "5.2.7");
    let old = Desk { card, host, appliance: crate::appliance::Appliance::empty("123456") };
    old.init("home", "piv:9c").fails(3, "token.firmware");
}

#[test]
fn a_key_is_touched_and_the_operator_told_so() {
    let desk = Desk::new("5.7.4");
    desk.card.order("TOUCH * after 1\n");
    let made = desk.create_root("p256", &[]).code(0);
    assert_eq!(
        made.stderr.matches("touch the YubiKey").count(),
        2,
        "the root's two signatures: {}",
        made.stderr
    );
    let listed = desk.run(&["token", "list"]).code(0).stdout;
    assert!(listed.contains("slot 9c, generated, PIN always, touch always"), "{listed}");
    assert!(listed.contains("slot 82, generated, PIN once, touch never"), "{listed}");

    let cached = Desk::new("5.7.4");
    cached.card.order("TOUCH * after 1\n");
    cached.create_root("p256", &["--touch-policy", "cached", "--pin-policy", "once"]).code(0);
    let listed = cached.run(&["token", "list"]).code(0).stdout;
    assert!(listed.contains("slot 9c, generated, PIN once, touch cached"), "{listed}");
    cached.create_root("p256", &["--pin-policy", "never"]).fails(2, "command-line.usage");
}

#[test]
fn one_that_is_not_touched_signs_nothing_and_can_be_touched_later() {
    let desk = Desk::new("5.7.4");
    desk.card.order("TOUCH 1 refuse\nTOUCH 2- after 1\n");
    desk.create_root("p256", &[]).fails(3, "token.touch");
    assert_eq!((desk.card.made("GENERATE"), desk.card.made("SIGN")), (2, 0));
    desk.create_root("p256", &[]).code(0);
    assert_eq!(desk.card.made("GENERATE"), 2, "the keys that were there");
    desk.appliance.audit(&[]).code(0);
}

#[test]
fn a_touch_that_does_not_come_in_a_batch_burns_nothing() {
    let desk = Desk::new("5.7.4");
    // The root's own two, then those of the batch.
    desk.card.order("TOUCH 4 refuse\nTOUCH * after 1\n");
    desk.create_root("p256", &[]).code(0);
    ["east", "west"].iter().for_each(|cluster| desk.appliance.request(cluster));
    desk.sign(&["--policy", "istio"]).fails(3, "token.touch");
    assert_eq!(desk.events("withdrawn").len(), 1);
    let plan = std::fs::read_dir(desk.appliance.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let out = desk.appliance.path("out");
    let perform = ["perform", plan.to_str().unwrap(), "--to", out.to_str().unwrap(), "--json"];
    let done = desk.verb(&perform, &[]).code(0).json();
    assert_eq!((done["released"].as_array().unwrap().len(), &done["burnt"]), (2, &serde_json::json!([])));
    desk.appliance.audit(&[]).code(0);
}

#[test]
fn a_list_shows_what_is_there_and_a_check_judges_it() {
    let desk = Desk::with_root("5.4.3", "p256");
    let told = desk.run(&["token", "list", "--json"]).code(0).json();
    let token = &told["tokens"][0];
    assert_eq!(
        (token["firmware"].as_str(), token["pin_state"].as_str()),
        (Some("5.4.3"), Some("3 of 3 tries left"))
    );
    assert_eq!(token["objects"].as_array().unwrap().len(), 4, "{told}");
    let checked = desk.verb(&["token", "check"], &[]).code(0).stdout;
    for rule in [
        "token.piv.pin ",
        "token.piv.puk ",
        "token.piv.management-key ",
        "token.piv.flaws ",
        "token.piv.touch-policy ",
    ] {
        assert!(checked.contains(&format!("warn    {rule}")), "{rule}: {checked}");
    }
    assert!(checked.contains("ok      token.key.pair"), "{checked}");
    desk.verb(&["token", "check", "--strict"], &[]).code(1);
    desk.verb(&["token", "check", "pkcs11:token=x"], &[]).fails(2, "token.no-module");
}

/// The PIN stays in memory for as long as the session lasts.
#[test]
fn memory_is_locked_while_the_pin_is_in_it() {
    let desk = Desk::new("5.7.4");
    let mut command = desk.command();
    let pin = desk.appliance.path("pin");
    command.args([
        "root",
        "create",
        "--subject",
        "CN=Root",
        "--ttl",
        "20y",
        "--key",
        "p256",
        "--yes",
        "--pin-file",
    ]);
    let mut there = desk.host.enter(command.arg(pin));
    let mut running = there.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !desk.card.calls().contains("begin TOUCH") {
        assert!(running.try_wait().unwrap().is_none(), "ended before it was touched");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    let kilobytes: u64 = locked.trim().trim_end_matches(" kB").parse().unwrap();
    // Whoever may lock nothing is told so; here the tests' host says whether it may.
    let root = rustix::process::geteuid().is_root();
    assert!(kilobytes > 0 || !root, "{locked}");
    desk.card.order("TOUCH 2- after 1\n");
    desk.card.touch();
    assert!(running.wait().unwrap().success());
}

#[test]
fn a_host_without_a_reader_and_one_without_pcscd_are_told_apart() {
    let mut host = crate::card_host::Host::without_reader();
    let appliance = crate::appliance::Appliance::empty("123456");
    let path = |name: &str| appliance.path(name).to_str().unwrap().to_string();
    let (home, pin) = (path("home"), path("pin"));
    let run = |host: &crate::card_host::Host, args: &[&str]| {
        let mut command = appliance.command(env!("CARGO_BIN_EXE_anchorite"));
        command.args(args);
        crate::appliance::ran(host.enter(&command).output().unwrap())
    };
    let init = |host: &_| run(host, &["init", &home, "--token", "piv:9c?serial=5", "--unattended"]).code(0);
    let words = |stderr: &str, wanted: &[&str]| {
        assert!(wanted.iter().all(|word| stderr.contains(word)), "{wanted:?}: {stderr}");
    };
    // A home can be made while the reader is in the safe.
    words(&init(&host).stderr, &["note:", "no card reader is there"]);
    let create = ["root", "create", "--subject", "CN=Root", "--ttl", "20y", "--key", "p256", "--yes"];
    let create = [&create[..], &["--pin-file", &pin]].concat();
    let verbs: [&[&str]; 4] =
        [&["token", "list"], &["token", "list", "--piv"], &["token", "check", "--pin-file", &pin], &create];
    for verb in verbs {
        let none = run(&host, verb).fails(3, "token.no-reader").stderr;
        words(
            &none,
            &["no card reader is there, and no YubiKey either", "next: plug the YubiKey in", "CCID"],
        );
    }
    host.stop();
    for verb in verbs {
        let none = run(&host, verb).fails(3, "token.pcscd").stderr;
        words(&none, &["pcscd, which talks to card readers, does not run", "systemctl start pcscd"]);
    }
    assert!(!appliance.journal().contains("root-decided"));
}

/// By its number where the URI has one; else by what its slots hold.
#[test]
fn another_yubikey_is_never_taken_for_the_one_that_is_meant() {
    let mut desk = Desk::with_root("5.7.4", "p256");
    desk.appliance.request("east");
    desk.card.order("SERIAL * say 0 0 0 9");
    let refused = desk.sign(&["--policy", "istio"]).fails(3, "token.absent");
    assert!(refused.stderr.contains("`piv:?serial=9`"), "{}", refused.stderr);
    desk.card.order("");
    let config = desk.appliance.path("home/anchorite.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("?serial=12345678", "")).unwrap();
    desk.verb(&["policy", "pin"], &[]).code(0);
    let mut other = desk.host.card(9, "5.7.4");
    desk.host.unplug(&mut desk.card);
    desk.host.plug(&mut other, 0);
    desk.sign(&["--policy", "istio"]).fails(4, "journal.head-removed");
    let all_the_same = ["--policy", "istio", "--accept-loss"];
    desk.sign(&all_the_same).fails(3, "token.no-such-key");
    desk.host.unplug(&mut other);
    // One with a root of its own.
    let there = desk.appliance.path("there");
    let mut third = desk.host.card(10, "5.7.4");
    desk.host.plug(&mut third, 0);
    desk.init("there", "piv:9c").code(0);
    let create = ["root", "create", "--home", there.to_str().unwrap(), "--subject", "CN=Other"];
    desk.verb(&[&create[..], &["--ttl", "20y", "--key", "p256"]].concat(), &UNTOUCHED).code(0);
    let before = third.made("SIGN");
    desk.sign(&all_the_same).fails(4, "token.key-mismatch");
    assert_eq!((third.made("SIGN"), other.made("SIGN")), (before, 0));
    desk.host.unplug(&mut third);
}
