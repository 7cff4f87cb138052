//! The drill: an intermediate is stolen, and one session later nobody takes it for good.

use std::path::Path;

use crate::appliance::{Ran, ran};
use crate::runbooks::Fleet;

/// A workload's certificate beneath an intermediate.
fn leaf(fleet: &Fleet, name: &str, ca: &Path, key: &Path) {
    let config = "[req]\ndistinguished_name = dn\n[dn]\n[leaf]\nbasicConstraints = critical, CA:FALSE\n\
        subjectAltName = URI:spiffe://cluster.local/ns/shop/sa/web\n";
    fleet.0.write("leaf.conf", config);
    let (conf, out) = (fleet.0.path("leaf.conf"), fleet.0.path(name));
    let mut openssl = fleet.0.command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-noenc",
        "-days",
        "1",
    ]);
    openssl
        .args(["-subj", "/CN=web", "-extensions", "leaf", "-config"])
        .arg(conf)
        .arg("-CA")
        .arg(ca)
        .arg("-CAkey")
        .arg(key);
    openssl.arg("-keyout").arg(fleet.0.path("leaf.key")).arg("-out").arg(out);
    ran(openssl.output().unwrap()).code(0);
}

/// What OpenSSL says of it, given what a cluster has loaded.
fn judged(fleet: &Fleet, loaded: &str, leaf: &str, ca: &Path) -> Ran {
    let file = |name: &str| fleet.0.path(loaded).join(name);
    let mut openssl = fleet.0.command("openssl");
    openssl.args(["verify", "-crl_check_all", "-x509_strict", "-CAfile"]).arg(file("root-cert.pem"));
    openssl.arg("-CRLfile").arg(file("ca-crl.pem")).arg("-untrusted").arg(ca).arg(fleet.0.path(leaf));
    ran(openssl.output().unwrap())
}

#[test]
fn a_stolen_intermediate_is_refused_after_one_session_and_the_others_pass() {
    let fleet = Fleet::new();
    let blocks = Fleet::blocks("ceremony/compromised-intermediate.md");
    assert_eq!(blocks.len(), 6);
    let a = &fleet.0;
    let (stolen, stolen_key) = (a.path("east/stolen.pem"), a.path("east/key"));
    std::fs::copy(a.path("east/release/east/ca-cert.pem"), &stolen).unwrap();
    leaf(&fleet, "thief.pem", &stolen, &stolen_key);
    leaf(&fleet, "west.pem", &a.path("west/release/west/ca-cert.pem"), &a.path("west/key"));
    let serial = fleet.serial("east", |_| true);

    let before = std::fs::read_to_string(a.path("home/journal/journal.jsonl"))
        .unwrap()
        .matches("\"verb\":\"sign\"")
        .count();
    for block in &blocks {
        fleet.run(block, &[("STOLEN", &serial)]).code(0);
    }
    let after = a.journal().matches("\"verb\":\"sign\"").count();
    assert_eq!(after - before, 1, "one session at the root");
    let made = a.release();
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 1, "one release");

    // Whatever west and east load, they say the same.
    leaf(&fleet, "new.pem", &a.path("east/cacerts/ca-cert.pem"), &a.path("east/new.key"));
    for loaded in ["west/cacerts", "east/cacerts"] {
        let thief = judged(&fleet, loaded, "thief.pem", &stolen);
        assert!(
            thief.code != 0 && thief.stderr.contains("certificate revoked"),
            "{}{}",
            thief.stdout,
            thief.stderr
        );
        judged(&fleet, loaded, "west.pem", &a.path("west/cacerts/ca-cert.pem")).code(0);
        judged(&fleet, loaded, "new.pem", &made.join("east/ca-cert.pem")).code(0);
    }
    // With what was loaded before the theft, the new one is refused and the stolen one passes:
    // hence the order.
    let old = "west/release";
    judged(&fleet, old, "thief.pem", &stolen).code(0);
    let early = judged(&fleet, old, "new.pem", &made.join("east/ca-cert.pem"));
    assert!(early.code != 0 && early.stderr.contains("unable to get certificate CRL"), "{}", early.stderr);
    assert_eq!(fleet.serial("east", |it| it["revoked"]["reason"] == "keyCompromise"), serial);
}

#[test]
fn where_nobody_can_make_a_request_it_is_revoked_alone() {
    let fleet = Fleet::new();
    let sheet = std::fs::read_to_string("ceremony/compromised-intermediate.md").unwrap();
    let line = sheet.lines().find(|line| line.starts_with("    anchorite revoke ")).unwrap();
    let serial = fleet.serial("east", |_| true);
    fleet.run(line, &[("STOLEN", &serial)]).code(0);
    let a = &fleet.0;
    leaf(&fleet, "thief.pem", &a.path("east/release/east/ca-cert.pem"), &a.path("east/key"));
    leaf(&fleet, "west.pem", &a.path("west/release/west/ca-cert.pem"), &a.path("west/key"));
    let release = a.release().strip_prefix(a.dir.path()).unwrap().display().to_string();
    let thief = judged(&fleet, &release, "thief.pem", &a.path("east/release/east/ca-cert.pem"));
    assert!(thief.code != 0 && thief.stderr.contains("certificate revoked"), "{}", thief.stderr);
    judged(&fleet, &release, "west.pem", &a.path("west/release/west/ca-cert.pem")).code(0);
    // The cluster is registered and has nothing in force: it has to come with a request.
    let report = a.run(&["status", "--json"]).code(1).json();
    assert_eq!(report["without"][0]["cluster"], "east", "{report}");
}
