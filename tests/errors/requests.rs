//! Requests with a defect, from the stick to the verdict.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{printable, refused_without_trace, trace};
use crate::appliance::Appliance;

/// `openssl req` for a cluster: its request in DER.
fn der(a: &Appliance, cluster: &str, more: &[&str]) -> Vec<u8> {
    let subject = format!("/O=Istio/L={cluster}/CN={cluster}");
    let mut args = vec!["req", "-new", "-utf8", "-nodes", "-outform", "DER", "-out", "made.der"];
    args.extend(["-keyout", "made.key", "-subj", &subject]);
    args.extend(more);
    a.openssl(&args);
    std::fs::read(a.path("made.der")).unwrap()
}

const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// The rules that refuse, over all files.
fn rules(report: &Value) -> BTreeSet<String> {
    let requests = report["requests"].as_array().unwrap();
    let findings = requests.iter().flat_map(|r| r["findings"].as_array().unwrap());
    findings.filter(|f| f["outcome"] == "refused").map(|f| f["rule"].as_str().unwrap().to_string()).collect()
}

#[test]
fn each_defect_is_refused_by_its_rule_and_nothing_is_signed() {
    let a = Appliance::with_root("p256");
    let good = der(&a, "east", &P256);
    let changed = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        bytes
    };
    let other_name = changed(good.windows(4).rposition(|w| w == b"east").unwrap());
    let curve =
        |name: &str| der(&a, "east", &["-newkey", "ec", "-pkeyopt", &format!("ec_paramgen_curve:{name}")]);
    let armoured = |body: &str| {
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
            .into_bytes()
    };
    let evil =
        der(&a, "east", &[&P256[..], &["-subj", "/O=Istio/L=east/CN=\u{1b}[31m\u{202e}tsae"]].concat());
    let cases: [(&str, Vec<u8>, &str); 16] = [
        ("a signature that does not verify", changed(good.len() - 1), "possession.signature"),
        ("a letter of the subject changed", other_name, "possession.signature"),
        ("a byte behind it", [&good[..], b"\0"].concat(), "csr.der"),
        ("cut short", good[..good.len() - 20].to_vec(), "csr.der"),
        ("armour around nothing", armoured(""), "csr.pem"),
        ("armour around noise", armoured("AAAAAAAA"), "csr.der"),
        ("armour without an end", b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n".to_vec(), "csr.pem"),
        ("SHA-1", der(&a, "east", &[&P256[..], &["-sha1"]].concat()), "possession.algorithm"),
        ("P-521", curve("secp521r1"), "key.algorithm"),
        ("secp256k1", curve("secp256k1"), "key.curve"),
        ("RSA of 1024 bits", der(&a, "east", &["-newkey", "rsa:1024"]), "key.rsa-size"),
        ("a subject that steers a terminal", evil, "subject.characters"),
        ("no cluster", der(&a, "east", &[&P256[..], &["-subj", "/O=Istio/CN=x"]].concat()), "cluster.id"),
        (
            "two clusters",
            der(&a, "east", &[&P256[..], &["-subj", "/O=Istio/L=east/L=west/CN=x"]].concat()),
            "cluster.id",
        ),
        (
            "a path as cluster",
            der(&a, "east", &[&P256[..], &["-subj", "/O=Istio/L=..\\/..\\/x/CN=x"]].concat()),
            "cluster.id",
        ),
        (
            "another house",
            der(&a, "east", &[&P256[..], &["-subj", "/O=Other/L=east/CN=x"]].concat()),
            "subject.fixed",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, bytes, rule) in cases {
        a.write("in/east.csr", bytes);
        let inspected = a.run(&["inspect", &a.arg("in"), "--policy", "istio", "--json"]).code(1);
        printable(&inspected);
        let (report, found) = (inspected.json(), rules(&inspected.json()));
        assert_eq!(report["requests"][0]["verdict"], "refuse", "{what}");
        if !found.contains(rule) {
            wrong.push(format!("{what}: wanted {rule}, got {found:?}"));
            continue;
        }
        let refused =
            refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "plan.refusals", &["1 of 1"]));
        assert!(refused.stderr.contains(&format!("[{rule}]")), "{what}: {}", refused.stderr);
        let none = || a.sign(&["--policy", "istio", "--partial"]);
        refused_without_trace(&a, none, (1, "plan.nothing", &["nothing to sign"]));
    }
    assert_eq!(wrong, Vec::<String>::new());
    a.write("in/east.csr", good);
    a.sign(&["--policy", "istio"]).code(0);
}

#[test]
fn requests_that_stand_in_each_others_way() {
    let a = Appliance::with_root("p256");
    let key = |name: &str| a.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name]);
    let request = |key: &str, subject: &str, file: &str| {
        a.openssl(&["req", "-new", "-key", key, "-subj", subject, "-out", file]);
    };
    key("one.key");
    key("two.key");
    type Case<'a> = (&'a str, [(&'a str, &'a str); 2]);
    // Of copies one is granted. Otherwise none: a file's name must not win a cluster.
    let cases: [Case<'_>; 4] = [
        ("batch.cluster-twice", [("one.key", "/O=Istio/L=east/CN=a"), ("two.key", "/O=Istio/L=east/CN=b")]),
        ("key.one-subject", [("one.key", "/O=Istio/L=east/CN=a"), ("one.key", "/O=Istio/L=west/CN=b")]),
        ("batch.duplicate", [("one.key", "/O=Istio/L=east/CN=a"), ("", "")]),
        ("renewal.same-subject", [("one.key", "/O=Istio/L=east/CN=a"), ("two.key", "/O=Istio/L=east/CN=a")]),
    ];
    let mut wrong = Vec::new();
    for (rule, [first, second]) in cases {
        request(first.0, first.1, "in/1.csr");
        if second.0.is_empty() {
            std::fs::copy(a.path("in/1.csr"), a.path("in/2.csr")).unwrap();
        } else {
            request(second.0, second.1, "in/2.csr");
        }
        let report = a.run(&["inspect", &a.arg("in"), "--policy", "istio", "--json"]).code(1).json();
        let verdicts: Vec<&str> =
            report["requests"].as_array().unwrap().iter().map(|r| r["verdict"].as_str().unwrap()).collect();
        let of_copies = if rule == "batch.duplicate" { "grant" } else { "refuse" };
        if verdicts != [of_copies, "refuse"] || !rules(&report).contains(rule) {
            wrong.push(format!("{rule}: {verdicts:?} {:?}", rules(&report)));
        }
        let ran =
            refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "plan.refusals", &["of 2"]));
        assert!(ran.stderr.contains("1.csr"), "the other file is named: {}", ran.stderr);
        if of_copies == "refuse" {
            let partial = || a.sign(&["--policy", "istio", "--partial"]);
            refused_without_trace(&a, partial, (1, "plan.nothing", &["every request is refused"]));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    let before = trace(&a).len();
    std::fs::remove_file(a.path("in/2.csr")).unwrap();
    a.sign(&["--policy", "istio"]).code(0);
    assert!(trace(&a).len() > before);
    // What was released once is on record, also for the next session.
    request("one.key", "/O=Istio/L=east/CN=a", "in/1.csr");
    let ran = refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "plan.refusals", &["1 of 1"]));
    assert!(ran.stderr.contains("[renewal.same-key]"), "{}", ran.stderr);
    request("two.key", "/O=Istio/L=east/CN=a", "in/1.csr");
    let ran = refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "plan.refusals", &["1 of 1"]));
    assert!(ran.stderr.contains("[renewal.same-subject]"), "{}", ran.stderr);
}
