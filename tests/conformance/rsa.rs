//! RSA through modules: each takes the sizes that it knows, and of another it says so at the
//! first signature, by which a root that was made elsewhere is taken over.

use super::rig::{Rig, There};
use super::{TABLE, promises, tokens};
use crate::support::run;

/// A root of RSA-2048 that was made elsewhere and brought into slot 9c, where the tools put it.
fn of_2048_bits(uri: &str, module: &str) -> Rig {
    // What Debian has of Yubico's tool knows no management keys but 3DES.
    let mut rig = tokens::card("5.4.3");
    let file = |name: &str| rig.arg(name);
    let (key, root, public, journal) = (file("key.pem"), file("old.pem"), file("9a.pub"), file("9a.pem"));
    let made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "900", "-subj", "/CN=Old Root"];
    let fit = ["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", &key, "-out", &root];
    run(rig.appliance.dir.path(), "openssl", &[&made[..], &fit].concat());
    for (key, certificate) in [("-aimport-key", &key), ("-aimport-certificate", &root)] {
        rig.run("yubico-piv-tool", &[key, "-s9c", "-i", certificate]).code(0);
    }
    let tool = |args: &[&str]| rig.run("yubico-piv-tool", &[args, &["-s9a"]].concat()).code(0);
    tool(&["-agenerate", "-AECCP256", "-o", &public]);
    let issue = ["x509", "-new", "-subj", "/CN=Journal", "-days", "900", "-key", &key, "-force_pubkey"];
    run(rig.appliance.dir.path(), "openssl", &[&issue[..], &[&public, "-out", &journal]].concat());
    tool(&["-aimport-certificate", "-i", &journal]);
    let (root_key, journal_key) = ("pkcs11:id=%02".into(), "pkcs11:id=%01".into());
    rig.there = Some(There { certificate: root, root_key, journal_key });
    rig.uri = uri.into();
    rig.module = tokens::debian(module);
    rig
}

fn taken_over_and_warned_of(mut rig: Rig) {
    let row = TABLE.iter().find(|row| !row.makes_keys).unwrap();
    promises::ready(row, &mut rig, "rsa2048");
    promises::signs(row, &rig, &["east"]);
}

#[test]
fn of_2048_bits_through_opensc() {
    taken_over_and_warned_of(of_2048_bits("pkcs11:manufacturer=piv_II", "opensc-pkcs11.so"));
}

#[test]
fn of_2048_bits_through_ykcs11() {
    taken_over_and_warned_of(of_2048_bits("pkcs11:serial=7654321", "libykcs11.so"));
}

#[test]
fn a_size_that_the_module_cannot_sign_with_shows_at_the_first_signature() {
    for (row, rig, id, told) in [
        (&TABLE[2], tokens::opensc(&TABLE[2], "rsa4096"), "token.function", "CKR_FUNCTION_NOT_SUPPORTED"),
        (&TABLE[3], tokens::ykcs11(&TABLE[3], "rsa3072"), "token.device", "CKR_DEVICE_ERROR"),
    ] {
        let ran = promises::adopts(row, &rig).fails(3, id);
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        assert!(!rig.appliance.path("home/journal-cert.pem").exists());
        assert_eq!(rig.appliance.audit(&[]).code(1).json()["state"], "open", "{}", row.through);
    }
}
