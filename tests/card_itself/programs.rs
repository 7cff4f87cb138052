//! Yubico's tool, OpenSC and ykcs11 with a card that behaves.

use super::{OLD, PIN};
use crate::card_host::{Card, Host};

/// Where Debian puts PKCS#11 modules.
fn module(name: &str) -> String {
    format!("/usr/lib/{}-linux-gnu/{name}", std::env::consts::ARCH)
}

/// A certificate for `pub.pem`, by a key made for it, into a slot: OpenSC and ykcs11 show
/// a key by that alone.
fn install_certificate(host: &Host, slot: &str) {
    let (key, public, to) = (host.arg("issuer.pem"), host.arg("pub.pem"), host.arg("cert.pem"));
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"];
    host.run("openssl", &[&["genpkey"], &curve[..], &[&key]].concat()).code(0);
    let subject = ["-subj", "/CN=a slot's", "-out", &to];
    let new = ["x509", "-new", "-key", &key, "-force_pubkey", &public];
    host.run("openssl", &[&new[..], &subject].concat()).code(0);
    host.piv_tool(&["-a", "import-certificate", "-s", slot, "-i", &to]).code(0);
}

/// Signs `data` by a PKCS#11 module, with the login that each signature of 9c takes.
fn sign_by(host: &Host, module: &str, mechanism: &str) {
    std::fs::write(host.path("data"), format!("for {module} and {mechanism}")).unwrap();
    let (data, to) = (host.arg("data"), host.arg("signature"));
    let what = ["--sign", "-m", mechanism, "--id", "02", "--signature-format", "openssl"];
    let files = ["--login", "--pin", PIN, "-i", &data, "-o", &to];
    host.run("pkcs11-tool", &[&["--module", module], &what[..], &files].concat()).code(0);
}

#[test]
fn it_can_be_plugged_and_unplugged_and_keeps_its_keys() {
    let (mut host, mut card) = Host::with_card(7_654_321, OLD);
    host.generate("9c", "ECCP384");
    host.unplug(&mut card);
    assert_ne!(host.piv_tool(&["-a", "status"]).code, 0, "no card is there");

    let mut other = host.card(1, OLD);
    host.plug(&mut other, 0);
    assert!(host.piv_tool(&["-a", "status"]).code(0).stdout.contains("Serial Number:\t1\n"));
    host.plug(&mut card, 1);
    host.unplug(&mut other);
    host.stop();
    assert_ne!(host.piv_tool(&["-a", "status"]).code, 0, "pcscd does not run");

    host.start();
    host.seen_again(&card);
    assert!(host.piv_tool(&["-a", "status"]).code(0).stdout.contains("Serial Number:\t7654321\n"));
    host.attest("9c");
    assert_eq!(card.made("GENERATE"), 1);
}

#[test]
fn openssl_verifies_what_was_signed_through_each_program() {
    let (host, card) = Host::with_card(7_654_321, OLD);
    let modules = [module("opensc-pkcs11.so"), module("libykcs11.so")];
    let of_a_curve: &[&str] = &["ECDSA-SHA256"];
    let rsa: &[&str] = &["SHA256-RSA-PKCS", "SHA256-RSA-PKCS-PSS"];
    for (algorithm, mechanisms) in [("ECCP256", of_a_curve), ("ECCP384", of_a_curve), ("RSA2048", rsa)] {
        host.generate("9c", algorithm);
        let before = card.made("SIGN");
        host.sign("9c", algorithm).code(0);
        assert!(host.verifies(&[]), "{algorithm} by yubico-piv-tool");
        install_certificate(&host, "9c");
        for module in &modules {
            for mechanism in mechanisms {
                sign_by(&host, module, mechanism);
                let pss = mechanism.ends_with("PSS");
                let options: &[&str] = if pss { &["-sigopt", "rsa_padding_mode:pss"] } else { &[] };
                assert!(host.verifies(options), "{algorithm}, {mechanism} by {module}");
            }
        }
        assert_eq!(card.made("SIGN") - before, 1 + 2 * mechanisms.len());
    }
}

#[test]
fn ykcs11_generates_a_key_with_the_management_key() {
    let (host, card) = Host::with_card(7_654_321, OLD);
    let management = "010203040506070801020304050607080102030405060708";
    let (module, public) = (module("libykcs11.so"), host.arg("pub.pem"));
    let login = ["--login", "--login-type", "so", "--so-pin", management];
    let generate = ["--keypairgen", "--key-type", "EC:secp384r1", "--id", "2"];
    host.run("pkcs11-tool", &[&["--module", &module], &login[..], &generate].concat()).code(0);
    // It signs a certificate for the new key by itself.
    assert_eq!((card.made("GENERATE"), card.made("SIGN")), (1, 0));
    let certificate = host.piv_tool(&["-a", "read-certificate", "-s", "9c"]).code(0).stdout;
    std::fs::write(host.path("cert.pem"), certificate).unwrap();
    let cert = host.arg("cert.pem");
    host.run("openssl", &["x509", "-in", &cert, "-noout", "-pubkey", "-out", &public]).code(0);
    sign_by(&host, &module, "ECDSA-SHA256");
    assert!(host.verifies(&[]));
}

#[test]
fn an_attestation_says_where_a_key_was_made_and_chains_as_yubicos() {
    let (host, mut card) = Host::with_card(7_654_321, "5.7.4");
    // Old tools know no AES: somebody changed the management key.
    host.unplug(&mut card);
    edit(&card, |state| state["management"]["algorithm"] = 3.into());
    host.plug(&mut card, 0);
    host.generate("9c", "ECCP256");
    let said = host.attest("9c");
    assert!(host.chains(&card), "over two intermediates");
    assert!(said.contains("Issuer: CN = Yubico PIV Attestation\n"), "{said}");
    assert!(said.contains("Subject: CN = YubiKey PIV Attestation 9c\n"), "{said}");
    for (oid, dump) in [("3", "05 07 04"), ("7", "02 03 74 cb b1"), ("8", "03 01"), ("9", "03")] {
        let found = said.split(&format!("1.3.6.1.4.1.41482.3.{oid}: \n")).nth(1);
        let line = found.and_then(|rest| rest.lines().next()).unwrap_or_else(|| panic!("{said}"));
        let bytes = line.split_once(" - ").unwrap_or_else(|| panic!("{line}")).1;
        assert!(bytes.starts_with(&format!("{dump} ")), "{oid}: {line}");
    }

    let mut other = host.card(2, OLD);
    host.unplug(&mut card);
    host.plug(&mut other, 0);
    host.generate("9c", "RSA2048");
    host.attest("9c");
    assert!(host.chains(&other), "the root above slot F9");
    assert!(!host.chains(&card), "another card's root");

    let key = host.arg("outside.pem");
    host.run("openssl", &["genrsa", "-out", &key, "2048"]).code(0);
    host.piv_tool(&["-a", "import-key", "-s", "9c", "-i", &key]).code(0);
    assert_ne!(host.piv_tool(&["-a", "attest", "-s", "9c"]).code, 0, "a key from outside");
}

#[test]
fn pins_are_counted_changed_blocked_and_reset() {
    let (host, card) = Host::with_card(7_654_321, OLD);
    let verify = |pin: &str| host.piv_tool(&["-a", "verify-pin", "-P", pin]);
    let change = |what: &str, old: &str, new: &str| host.piv_tool(&["-a", what, "-P", old, "-N", new]);
    host.generate("9c", "ECCP256");
    change("change-pin", PIN, "654321").code(0);
    assert!(verify(PIN).stderr.contains("2 tries left"));
    verify("654321").code(0);
    for left in ["2 tries left", "1 tries left", "blocked", "blocked"] {
        let ran = verify(PIN);
        assert!(ran.code != 0 && ran.stderr.contains(left), "{}", ran.stderr);
    }
    assert!(verify("654321").stderr.contains("blocked"), "the right one comes too late");
    change("unblock-pin", "12345678", PIN).code(0);
    verify(PIN).code(0);
    host.piv_tool(&[
        "-a",
        "verify-pin",
        "-P",
        PIN,
        "-a",
        "pin-retries",
        "--pin-retries",
        "5",
        "--puk-retries",
        "1",
    ])
    .code(0);
    assert!(verify("000000").stderr.contains("4 tries left"));

    assert_ne!(host.piv_tool(&["-a", "reset"]).code, 0, "neither is blocked");
    assert_ne!(change("change-puk", "00000000", "12345678").code, 0);
    for _ in 0..4 {
        assert_ne!(verify("000000").code, 0);
    }
    host.piv_tool(&["-a", "reset"]).code(0);
    verify(PIN).code(0);
    assert_ne!(host.sign("9c", "ECCP256").code, 0, "no key is left");
    assert_eq!(card.made("SIGN"), 0);
}

#[test]
fn what_it_cannot_or_must_not_do_it_refuses() {
    let (host, mut card) = Host::with_card(7_654_321, "4.3.7");
    let answer = |apdu: &str| {
        let select = "00:A4:04:00:05:A0:00:00:03:08";
        let said = host.run("opensc-tool", &["-s", select, "-s", apdu]).code(0).stdout;
        said.rsplit("Received (").next().unwrap().lines().next().unwrap().to_string()
    };
    const METADATA_OF_PIN: &str = "00:F7:00:80:00";
    for (what, apdu, status) in [
        ("to make a key for anybody", "00:47:00:9C:05:AC:03:80:01:11", "SW1=0x69, SW2=0x82"),
        ("to store for anybody", "00:DB:3F:FF:08:5C:03:5F:C1:0A:53:01:00", "SW1=0x69, SW2=0x82"),
        ("printed information without the PIN", "00:CB:3F:FF:05:5C:03:5F:C1:09", "SW1=0x69, SW2=0x82"),
        ("an object that is not there", "00:CB:3F:FF:05:5C:03:5F:C1:0A", "SW1=0x6A, SW2=0x82"),
        ("a management key in AES before 5.4", "00:87:0A:9B:04:7C:02:80:00", "SW1=0x6A, SW2=0x80"),
        ("metadata before 5.3", METADATA_OF_PIN, "SW1=0x6D, SW2=0x00"),
    ] {
        assert!(answer(apdu).contains(status), "{what}: {}", answer(apdu));
    }
    host.unplug(&mut card);
    let mut newer = host.card(1, "5.3.0");
    host.plug(&mut newer, 0);
    assert!(answer(METADATA_OF_PIN).contains("SW1=0x90, SW2=0x00"));
}

/// Changes what a card keeps while it is unplugged.
fn edit(card: &Card, change: impl FnOnce(&mut serde_json::Value)) {
    let path = card.folder.join("card.json");
    let mut state = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut state);
    std::fs::write(path, state.to_string()).unwrap();
}
