//! The virtual YubiKey is what it says: Yubico's own tool, OpenSC and ykcs11 work with it,
//! and OpenSSL verifies what it made.

use crate::appliance::Ran;
use crate::card_host::{Card, Host};
use crate::support::run;

const PIN: &str = "123456";

/// Where Debian puts PKCS#11 modules.
fn module(name: &str) -> String {
    format!("/usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH)
}

fn piv_tool(host: &Host, arguments: &[&str]) -> Ran {
    host.run("yubico-piv-tool", arguments)
}

#[test]
fn it_can_be_plugged_and_unplugged_and_keeps_its_keys() {
    let (mut host, mut card) = Host::with_card(7_654_321, "5.4.3");
    let made = piv_tool(&host, &["-a", "generate", "-s", "9c", "-A", "ECCP384"]).code(0);
    assert!(made.stdout.contains("BEGIN PUBLIC KEY"));
    host.unplug(&mut card);
    let failed = piv_tool(&host, &["-a", "status"]);
    assert_ne!(failed.code, 0, "{}", failed.stdout);
    let mut other = host.card(1, "5.4.3");
    host.plug(&mut other, 0);
    assert!(piv_tool(&host, &["-a", "status"]).code(0).stdout.contains("Serial Number:\t1\n"));
    host.plug(&mut card, 1);
    host.unplug(&mut other);
    host.stop();
    assert_ne!(piv_tool(&host, &["-a", "status"]).code, 0);
    host.start();
    host.seen_again(&card);
    let attested = piv_tool(&host, &["-a", "attest", "-s", "9c"]).code(0);
    assert!(attested.stdout.contains("BEGIN CERTIFICATE"));
    assert_eq!(card.made("GENERATE"), 1);
}
