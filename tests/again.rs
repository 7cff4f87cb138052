//! A release that was lost, written once more.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::appliance::{Appliance, Ran};
use crate::support;

/// Two clusters' certificates that are out; and the plan that they were signed for.
fn released() -> (Appliance, PathBuf) {
    let a = Appliance::with_root("p256");
    ["east", "west"].iter().for_each(|cluster| a.request(cluster));
    let signed = a.sign(&["--policy", "istio", "--json"]).code(0).json();
    let plan = plan_of(&a, &signed);
    (a, plan)
}

fn plan_of(a: &Appliance, outcome: &Value) -> PathBuf {
    a.path(&format!("home/plans/{}.json", outcome["plan"].as_str().unwrap()))
}

fn perform(a: &Appliance, plan: &Path, more: &[&str]) -> Ran {
    let (to, pin) = (a.path("out"), a.path("pin"));
    let args = ["perform", plan.to_str().unwrap(), "--to", to.to_str().unwrap(), "--yes", "--json"];
    a.run(&[&args[..], &["--pin-file", pin.to_str().unwrap()], more].concat())
}

/// How often the root's key was asked to sign.
fn asked_of_the_root(a: &Appliance) -> usize {
    a.journal()
        .lines()
        .filter(|line| line.contains("\"intent\"") && line.contains("\"role\":\"root\""))
        .count()
}

fn read(release: &Path, file: &str) -> Vec<u8> {
    std::fs::read(release.join(file)).unwrap()
}

#[test]
fn a_release_that_was_lost_is_written_again() {
    let (a, plan) = released();
    let first = a.release();
    let files = ["east/ca-cert.pem", "west/cert-chain.pem", "root-cert.pem", "ca-crl.pem", "root-crl.pem"];
    let before = files.map(|file| read(&first, file));
    let asked = asked_of_the_root(&a);
    a.empty_out();

    let spent = perform(&a, &plan, &[]).fails(1, "plan.spent");
    assert!(spent.stderr.contains("--again"), "{}", spent.stderr);
    // As the audit and the review name it, from wherever it is run.
    let mut plan = Path::new("plans").join(plan.file_name().unwrap());
    // What was released again can be released again, too.
    for number in [2, 3] {
        a.empty_out();
        let told = perform(&a, &plan, &["--again"]).code(0);
        for word in ["to sign   0", "to release again 2", "RELEASE AGAIN of plan", "1. for cluster east"] {
            assert!(told.stderr.contains(word), "{word}: {}", told.stderr);
        }
        let outcome = told.json();
        assert_eq!(outcome["released"].as_array().unwrap().len(), 2, "{outcome}");
        assert_eq!(
            format!("{}.json", outcome["repeats"].as_str().unwrap()),
            plan.file_name().unwrap().to_str().unwrap()
        );
        let release = a.release();
        assert!(release.to_str().unwrap().ends_with(&format!("-{number:04}")), "{}", release.display());
        assert_eq!(files.map(|file| read(&release, file)), before);
        let repeats = outcome["repeats"].as_str().unwrap();
        let manifest = String::from_utf8(read(&release, "MANIFEST.toml")).unwrap();
        assert!(manifest.contains(&format!("repeats = \"{repeats}\"\n")), "{manifest}");
        assert!(String::from_utf8(read(&release, "README.txt")).unwrap().contains(repeats));
        let verify = ["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256];
        assert!(a.run(&verify).code(0).stdout.contains("a cluster that has a newer one keeps that"));
        assert_eq!(a.run(&[&verify[..], &["--json"]].concat()).code(0).json()["repeats"], repeats);
        for bundle in [release.clone(), release.join("west")] {
            a.run(&["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256]).code(0);
        }
        support::run(&release, "sha256sum", &["--quiet", "--strict", "-c", "SHA256SUMS"]);
        support::run(
            &release,
            "openssl",
            &["verify", "-x509_strict", "-CAfile", "root-cert.pem", "east/ca-cert.pem"],
        );
        plan = plan_of(&a, &outcome);
    }
    assert_eq!(asked_of_the_root(&a), asked, "the root's key has nothing to sign");
    assert_eq!(a.audit(&["--root-sha256", &a.root_sha256]).code(0).json()["state"], "ok");
    assert_eq!(std::fs::read_dir(a.path("home/quarantine")).unwrap().count(), 0);
}

#[test]
fn what_is_revoked_or_was_never_released_stays_where_it_is() {
    let (a, plan) = released();
    let serial = |cluster: &str| {
        let release = a.release().join(cluster);
        let out = support::run(&release, "openssl", &["x509", "-in", "ca-cert.pem", "-noout", "-serial"]);
        String::from_utf8(out.stdout).unwrap().trim().strip_prefix("serial=").unwrap().to_lowercase()
    };
    let serials = ["east", "west"].map(serial);
    let revoke = |serial: &str| {
        let pin = a.path("pin");
        let args =
            ["revoke", serial, "--reason", "keyCompromise", "--yes", "--pin-file", pin.to_str().unwrap()];
        a.run(&args).code(0);
    };
    a.empty_out();
    revoke(&serials[0]);
    let told = perform(&a, &plan, &["--again"]).code(0);
    assert!(
        told.stderr.contains(&format!("LEFT OUT east serial {}: it is revoked", serials[0])),
        "{}",
        told.stderr
    );
    let release = a.release();
    assert!(!release.join("east").exists() && release.join("west").exists());
    // A revocation was waiting for the next CRL, which comes along.
    let crl = support::run(&release, "openssl", &["crl", "-in", "root-crl.pem", "-noout", "-text"]);
    let crl = String::from_utf8(crl.stdout).unwrap().to_lowercase();
    assert!(crl.contains(&format!("serial number: {}", serials[0])), "{crl}");
    a.run(&["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256]).code(0);

    a.empty_out();
    revoke(&serials[1]);
    let nothing = perform(&a, &plan, &["--again"]).fails(1, "plan.nothing");
    assert!(nothing.stderr.contains("east is revoked, west is revoked"), "{}", nothing.stderr);
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);

    // Of a plan that nobody performed nothing was released.
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request("north");
    let (from, new) = (a.path("in"), a.path("new.json"));
    let args =
        ["plan", "--policy", "istio", "--from", from.to_str().unwrap(), "--out", new.to_str().unwrap()];
    a.run(&args).code(0);
    perform(&a, &new, &["--again"]).fails(1, "plan.not-released");
}

#[test]
fn what_was_put_in_its_place_is_not_released() {
    let (a, plan) = released();
    a.empty_out();
    let before = a.journal();
    // A plan file of one's own that claims to repeat another.
    let mut forged: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    let digest = plan.file_stem().unwrap().to_str().unwrap();
    let items = std::mem::replace(&mut forged["items"], serde_json::json!([]));
    forged["repeat"] = serde_json::json!({"plan": digest, "items": items});
    forged.as_object_mut().unwrap().remove("crl");
    let other = a.path("forged.json");
    let mut plan_of_forged: anchorite::plan::Plan = serde_json::from_value(forged).unwrap();
    std::fs::write(&other, plan_of_forged.to_bytes().unwrap()).unwrap();
    perform(&a, &other, &[]).fails(1, "plan.not-begun");
    perform(&a, &other, &["--again"]).fails(1, "plan.not-released");
    // One certificate twice.
    let repeat = plan_of_forged.repeat.as_mut().unwrap();
    repeat.items.push(repeat.items[0].clone());
    std::fs::write(&other, plan_of_forged.to_bytes().unwrap()).unwrap();
    perform(&a, &other, &[]).fails(4, "plan.serial-twice");
    assert_eq!(a.journal(), before);

    // Another certificate where the one on record was filed.
    let issued = |serial: &Value| a.path(&format!("home/issued/{}.pem", serial.as_str().unwrap()));
    let items: Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    let [east, west] = [0, 1].map(|n| issued(&items["items"][n]["serial"]));
    let kept = std::fs::read(&east).unwrap();
    std::fs::copy(&west, &east).unwrap();
    perform(&a, &plan, &["--again"]).fails(4, "home.issued");
    std::fs::remove_file(&east).unwrap();
    perform(&a, &plan, &["--again"]).fails(4, "home.issued");
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);

    std::fs::write(&east, kept).unwrap();
    // A good copy of the plan, and another thing where the home keeps its own.
    let copy = a.path("copy.json");
    std::fs::copy(&plan, &copy).unwrap();
    std::fs::write(&plan, "{}").unwrap();
    for given in [&copy, &plan] {
        perform(&a, given, &["--again"]).fails(4, "home.plan");
    }
    std::fs::remove_file(&plan).unwrap();
    let told = perform(&a, &copy, &["--again"]).fails(4, "home.plan");
    assert!(told.stderr.contains("put a copy in its place"), "{}", told.stderr);
    std::fs::copy(&copy, &plan).unwrap();
    perform(&a, &copy, &["--again"]).code(0);
    assert_eq!(a.audit(&["--root-sha256", &a.root_sha256]).code(0).json()["state"], "ok");
}

/// The operator may want it, and has to know.
#[test]
fn what_was_renewed_since_is_said() {
    let (a, plan) = released();
    std::fs::remove_dir_all(a.path("in")).unwrap();
    std::fs::remove_dir_all(a.path("keys")).unwrap();
    std::fs::create_dir(a.path("in")).unwrap();
    a.request("east");
    // A certificate that begins in a later second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    a.sign(&["--policy", "istio"]).code(0);
    a.empty_out();
    let told = perform(&a, &plan, &["--again"]).code(0).stderr;
    let (east, west) = told.split_once("2. for cluster west").unwrap();
    assert!(east.contains("!! REPLACED: this cluster has a later one, serial"), "{told}");
    assert!(!west.contains("REPLACED"), "{told}");
}
