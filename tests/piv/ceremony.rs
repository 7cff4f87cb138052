//! The whole way, for every kind of key a YubiKey makes.

use super::desk::{Desk, SERIAL};
use crate::support::run;

fn ceremony(firmware: &str, kind: &str) {
    let desk = Desk::with_root(firmware, kind);
    let home = desk.appliance.path("home");
    // The root is in its slot, as other software sees it.
    let filed = desk.tool(&["-a", "read-certificate", "-s", "9c"]).code(0).stdout;
    assert_eq!(filed.trim(), std::fs::read_to_string(home.join("root.pem")).unwrap().trim());
    let filed = desk.tool(&["-a", "read-certificate", "-s", "82"]).code(0).stdout;
    assert_eq!(filed.trim(), std::fs::read_to_string(home.join("journal-cert.pem")).unwrap().trim());
    // Several signatures in one session, each after the PIN.
    for cluster in ["east", "west", "north"] {
        desk.appliance.request(cluster);
    }
    let before = desk.card.made("SIGN");
    desk.sign(&["--policy", "istio"]).code(0);
    assert_eq!(
        desk.card.made("SIGN") - before,
        3 + 1 + 1 + 2,
        "certificates, the CRL, the release, a seal before it and one after"
    );
    let release = desk.appliance.release();
    desk.run(&["verify", release.to_str().unwrap(), "--root-sha256", &desk.appliance.root_sha256]).code(0);
    let root = home.join("root.pem");
    let east = release.join("east/ca-cert.pem");
    let (root, east) = (root.to_str().unwrap(), east.to_str().unwrap());
    run(&home, "openssl", &["verify", "-x509_strict", "-CAfile", root, east]);
    let audit = desk.appliance.audit(&[]).code(0).json();
    assert_eq!(audit["signatures"], 10, "{audit}");
    desk.verb(&["root", "renew", "--ttl", "30y"], &[]).code(0);
    let filed = desk.tool(&["-a", "read-certificate", "-s", "9c"]).code(0).stdout;
    assert_eq!(filed.trim(), std::fs::read_to_string(root).unwrap().trim());
    desk.appliance.audit(&[]).code(0);
}

#[test]
fn of_a_p256_root() {
    ceremony("5.7.4", "p256");
}

#[test]
fn of_a_p384_root_in_an_older_yubikey() {
    ceremony("5.4.3", "p384");
}

#[test]
fn of_an_rsa_root() {
    ceremony("5.7.4", "rsa3072");
}

#[test]
fn of_an_ed25519_root() {
    ceremony("5.7.4", "ed25519");
}

#[test]
fn a_plan_is_performed_later() {
    let desk = Desk::with_root("5.7.4", "p256");
    desk.appliance.request("east");
    let (from, plan, to) =
        (desk.appliance.path("in"), desk.appliance.path("plan.json"), desk.appliance.path("out"));
    let (from, plan, to) = (from.to_str().unwrap(), plan.to_str().unwrap(), to.to_str().unwrap());
    desk.run(&["plan", "--from", from, "--out", plan, "--policy", "istio"]).code(0);
    desk.verb(&["perform", plan, "--to", to], &[]).code(0);
    desk.appliance.audit(&[]).code(0);
    let again = desk.verb(&["perform", plan, "--to", to], &[]);
    assert_ne!(again.code, 0, "a plan is spent once");
}

#[test]
fn an_older_copy_of_the_home_is_noticed_by_the_yubikey() {
    let desk = Desk::with_root("5.7.4", "p256");
    crate::appliance::copy(&desk.appliance.path("home"), &desk.appliance.path("older"));
    desk.appliance.request("east");
    desk.sign(&["--policy", "istio"]).code(0);
    std::fs::rename(desk.appliance.path("home"), desk.appliance.path("newer")).unwrap();
    std::fs::rename(desk.appliance.path("older"), desk.appliance.path("home")).unwrap();
    desk.appliance.empty_out();
    desk.sign(&["--policy", "istio"]).fails(4, "journal.behind");
}

#[test]
fn two_yubikeys_are_told_apart_by_their_serial_numbers() {
    let desk = Desk::new("5.7.4");
    let mut other = desk.host.card(1_234_567, "5.4.3");
    desk.host.plug(&mut other, 1);
    desk.init("any", "piv:9c").fails(3, "token.ambiguous");
    let listed = desk.run(&["token", "list", "--piv"]).code(0).stdout;
    assert!(
        listed.contains("piv:?serial=1234567") && listed.contains(&format!("piv:?serial={SERIAL}")),
        "{listed}"
    );
    desk.create_root("p256", &["--touch-policy", "never"]).code(0);
    assert_eq!((desk.card.made("GENERATE"), other.made("GENERATE")), (2, 0));
    desk.host.unplug(&mut other);
}
