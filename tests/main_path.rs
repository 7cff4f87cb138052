//! The main job, end to end, on SoftHSM.

use std::collections::BTreeSet;
use std::process::Command;

use crate::appliance::Appliance;
use crate::support;

#[test]
fn a_fleet_is_signed_and_every_judge_agrees() {
    for kind in ["p256", "p384", "rsa3072", "ed25519"] {
        let a = Appliance::with_root(kind);
        for cluster in ["east", "west"] {
            a.request(cluster);
        }
        let signed = a.sign(&["--policy", "istio", "--json"]).code(0).json();
        assert_eq!(signed["released"].as_array().unwrap().len(), 2, "{signed}");
        let release = a.release();

        // Ours, on the release and on one cluster's folder.
        for bundle in [release.clone(), release.join("east")] {
            let checked = a
                .run(&["verify", bundle.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--json"])
                .code(0);
            assert_eq!(checked.json()["ok"], true);
        }
        // Stock tools alone.
        support::run(&release, "sha256sum", &["--quiet", "-c", "SHA256SUMS"]);
        support::run(
            &release,
            "openssl",
            &[
                "cms",
                "-verify",
                "-inform",
                "DER",
                "-in",
                "SHA256SUMS.p7s",
                "-content",
                "SHA256SUMS",
                "-binary",
                "-purpose",
                "any",
                "-nointern",
                "-certfile",
                "journal-cert.pem",
                "-CAfile",
                "root-cert.pem",
                "-out",
                "/dev/null",
            ],
        );
        let mut roots = BTreeSet::new();
        for cluster in ["east", "west"] {
            let path = format!("{cluster}/ca-cert.pem");
            support::run(&release, "openssl", &["verify", "-x509_strict", "-CAfile", "root-cert.pem", &path]);
            roots.insert(std::fs::read(release.join(cluster).join("root-cert.pem")).unwrap());
        }
        roots.insert(std::fs::read(release.join("root-cert.pem")).unwrap());
        assert_eq!(roots.len(), 1, "root-cert.pem must be the same bytes everywhere");

        let audit = a.audit(&["--root-sha256", &a.root_sha256]).code(0).json();
        assert_eq!(audit["state"], "ok", "{audit}");
        // The copy in the release says the same, with nothing else at hand.
        let (journal, root) = (release.join("journal"), release.join("root-cert.pem"));
        a.audit(&[
            "--journal",
            journal.to_str().unwrap(),
            "--root",
            root.to_str().unwrap(),
            "--root-sha256",
            &a.root_sha256,
        ])
        .code(0);
    }
}

#[test]
fn the_clusters_side_joins_bundle_and_key() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let (bundle, out) = (a.release().join("east"), a.path("cacerts"));
    let key = a.path("keys/east.key");
    a.run(&[
        "assemble",
        "--bundle",
        bundle.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--root-sha256",
        &a.root_sha256,
    ])
    .code(0);
    // What istiod does first: the pair must be one.
    let public =
        |args: &[&str]| Command::new("openssl").args(args).current_dir(&out).output().unwrap().stdout;
    assert_eq!(
        public(&["x509", "-in", "ca-cert.pem", "-noout", "-pubkey"]),
        public(&["pkey", "-in", "ca-key.pem", "-pubout"])
    );
    assert!(std::fs::read_to_string(out.join("cacerts.yaml")).unwrap().contains("name: cacerts"));

    a.request("west");
    let other = a.path("keys/west.key");
    let second = a.path("second");
    a.run(&[
        "assemble",
        "--bundle",
        bundle.to_str().unwrap(),
        "--key",
        other.to_str().unwrap(),
        "--out",
        second.to_str().unwrap(),
    ])
    .fails(1, "assemble.key-mismatch");
    assert!(!second.exists(), "nothing is left half done");
}

#[test]
fn a_refused_request_refuses_the_run_unless_partial() {
    let a = Appliance::with_root("p256");
    a.request("east");
    support::run(
        a.dir.path(),
        "openssl",
        &[
            "req",
            "-new",
            "-newkey",
            "rsa:1024",
            "-nodes",
            "-keyout",
            "north.key",
            "-subj",
            "/O=Istio/L=north/CN=north",
            "-out",
            "in/north.csr",
        ],
    );
    let before = a.journal();
    a.sign(&["--policy", "istio"]).fails(1, "plan.refusals");
    assert_eq!(a.journal(), before, "a refused run leaves no trace");
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0);
    let signed = a.sign(&["--policy", "istio", "--partial", "--json"]).code(0).json();
    assert_eq!(signed["released"][0]["cluster"], "east");
    assert_eq!(signed["refused"][0], "north.csr");
    assert!(a.journal().contains("key.rsa-size"), "what was refused, and why, is on record");
}

#[test]
fn a_dry_run_touches_neither_token_nor_record() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let before = a.journal();
    std::fs::rename(a.path("hsm"), a.path("hsm-unplugged")).unwrap();
    let ran = a.sign(&["--policy", "istio", "--dry-run"]).code(0);
    assert!(ran.stdout.contains("SIGN for cluster east"), "{}", ran.stdout);
    assert_eq!(a.journal(), before);
}

#[test]
fn plan_and_perform_are_sign_in_two_steps_and_a_plan_is_spent_once() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let (plan, from, to, pin) = (a.path("plan.json"), a.path("in"), a.path("out"), a.path("pin"));
    let plan = plan.to_str().unwrap();
    a.run(&["plan", "--from", from.to_str().unwrap(), "--out", plan, "--policy", "istio"]).code(0);
    let perform = || {
        a.run(&["perform", plan, "--to", to.to_str().unwrap(), "--yes", "--pin-file", pin.to_str().unwrap()])
    };
    perform().code(0);
    perform().fails(1, "plan.spent");
    // Another key for the same name in the same words is another plan; the spent one cannot be edited into it.
    let edited = std::fs::read_to_string(plan).unwrap().replace("\"dry_run\": false", "\"dry_run\":  false");
    std::fs::write(plan, edited).unwrap();
    perform().fails(2, "plan.unreadable");
}

#[test]
fn a_release_of_long_ago_is_judged_as_of_its_day() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    let release = a.release();
    let verify =
        |at: &str| a.run(&["verify", release.to_str().unwrap(), "--root-sha256", &a.root_sha256, "--at", at]);
    let journal = a.journal();
    let day = journal.lines().last().unwrap().split("\"time\":\"").nth(1).unwrap().split('"').next().unwrap();
    verify(day).code(0);
    verify("2045-01-01T00:00:00Z").code(4);
    verify("2001-01-01T00:00:00Z").code(4);
    verify("yesterday").code(2);
}

#[test]
fn a_kept_plan_that_was_edited_is_noticed() {
    let a = Appliance::with_root("p256");
    a.request("east");
    a.sign(&["--policy", "istio"]).code(0);
    a.audit(&[]).code(0);
    let plan = std::fs::read_dir(a.path("home/plans")).unwrap().next().unwrap().unwrap().path();
    let edited = std::fs::read_to_string(&plan).unwrap().replace("east", "west");
    std::fs::write(&plan, edited).unwrap();
    let audit = a.audit(&[]).code(4).json();
    assert_eq!(audit["errors"][0]["id"], "home.plan", "{audit}");
}
