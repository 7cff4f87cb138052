//! The end of a root: its last CRL, and its key's destruction on record.

use serde_json::json;

use super::{Change, answered};
use crate::appliance::{PIN, Ran, module};
use crate::support::run;

fn destroyed(change: &Change) -> Ran {
    answered(&change.0, "home", &["root", "retire", "--destroyed", "shredded; seen by A. and B."])
}

/// By the token's own tool.
fn destroy(change: &Change, label: &str, kind: &str) {
    let module = module();
    let args = ["--module", &module, "--login", "--pin", PIN, "--token-label", "ceremony"];
    let delete = ["--delete-object", "--type", kind, "--label", label];
    change.0.tool("pkcs11-tool", &[&args[..], &delete].concat());
}

#[test]
fn a_root_ends_with_a_last_crl_and_the_destruction_of_its_key() {
    let change = Change::trusted();
    let before = change.sign("home", "east");
    let revoke = before.join("east/ca-cert.pem");
    let revoke = ["revoke", "--certificate", revoke.to_str().unwrap(), "--reason", "superseded"];
    change.released("home", &revoke);
    let late = change.sign("home", "west").join("west/ca-cert.pem").display().to_string();
    destroyed(&change).fails(1, "retire.first");

    let (ran, last) = change.try_release("home", &["root", "retire"]);
    // One is alive: the revoked one and what was revoked before are no news.
    let told = ran.code(0).stderr;
    assert!(told.contains("1 intermediates of this root are alive and not revoked"), "{told}");
    assert!(told.contains("RETIRE the root"), "{told}");
    let last = last.unwrap();
    let end = |file: &str, kind: &str, field: &str| {
        let args = [kind, "-noout", field, "-dateopt", "iso_8601", "-in", file];
        let out = run(change.0.dir.path(), "openssl", &args).stdout;
        String::from_utf8(out).unwrap().trim().split_once('=').unwrap().1.to_string()
    };
    // OpenSSL 3.0 has no -dateopt for CRLs: its seconds are compared as text elsewhere.
    let next = run(&last, "openssl", &["crl", "-noout", "-nextupdate", "-in", "root-crl.pem"]).stdout;
    let next = String::from_utf8(next).unwrap().trim().replace("nextUpdate=", "");
    let root = run(change.0.dir.path(), "openssl", &["x509", "-noout", "-enddate", "-in", "home/root.pem"]);
    assert_eq!(String::from_utf8(root.stdout).unwrap().trim(), format!("notAfter={next}"));
    assert!(end("home/root.pem", "x509", "-enddate").len() > 10);

    // After it the key signs nothing.
    let (ran, release) = change.try_sign("home", "north");
    ran.fails(1, "issuer.course");
    assert_eq!(release, None);
    for (words, id) in [
        (&["crl"][..], "retire.signed"),
        (&["root", "rollover", "cross"], "rollover.retired"),
        (&["root", "rollover", "stage", "old"], "rollover.retired"),
        (&["root", "retire"], "retire.twice"),
        (&["revoke", "--certificate", &late, "--reason", "superseded"], "revoke.retired"),
    ] {
        change.refuses("home", words, id);
    }
    answered(&change.0, "home", &["root", "renew", "--ttl", "30y"]).fails(1, "rollover.retired");

    // The key is seen to be gone before that goes on record, in words that anybody can read.
    for text in ["", " ", "shredded\u{1b}[2J"] {
        answered(&change.0, "home", &["root", "retire", "--destroyed", text]).fails(2, "retire.destroyed");
    }
    destroyed(&change).fails(1, "retire.key-there");
    destroy(&change, "anchorite root", "privkey");
    destroyed(&change).code(0);
    destroyed(&change).fails(1, "rollover.step");
    assert_eq!(change.show("home")["destroyed"], json!("shredded; seen by A. and B."));
    change.audits_ok();
    for release in [&before, &last] {
        change.verify(release, &["home", "new"]).code(0);
    }
    // The journal's key lives on: the record can be exported, and goes on.
    std::fs::create_dir(change.0.path("archive")).unwrap();
    let archive = change.0.path("archive");
    answered(&change.0, "home", &["policy", "pin"]).code(0);
    let home = change.0.path("home");
    let export = ["audit", "export", "--to", archive.to_str().unwrap(), "--home", home.to_str().unwrap()];
    change.0.run(&export).code(0);
    // And without any key at all.
    destroy(&change, "anchorite root journal", "privkey");
    destroy(&change, "anchorite root journal", "pubkey");
    change.audits_ok();
}

/// A CA that closes down needs no other root.
#[test]
fn a_root_retires_without_a_rollover() {
    let change = Change::on_one_token();
    change.released("home", &["root", "retire"]);
    change.begin("home", "--new", "new/root.pem").fails(1, "rollover.retired");
    destroy(&change, "anchorite root", "privkey");
    destroyed(&change).code(0);
    change.audits_ok();
}
