//! `cacerts`, under Istio's names and under those of kubernetes.io/tls.

use super::dress::{self, folder, write};
use super::{FLEET, Files, finds, ids, root, verify};
use crate::pki::{now, succeeds};
use anchorite::x509::Seconds;

const CHAIN: &str = "cert-chain.pem";

fn in_all(what: &str, kind: &str, files: &Files, more: &[&str], code: i32, wanted: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    for (dress, path) in dress::all(dir.path(), kind, files) {
        let ran = verify(&[path], &root(), more);
        finds(&format!("{what} as {dress}"), &ran, code, wanted);
    }
}

fn later(span: &str) -> String {
    (now() + Seconds::parse(span).unwrap()).to_string()
}

type Change = fn(&mut Files);

fn put(files: &mut Files, name: &str, parts: &[&str]) {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| FLEET.east[*part].clone()).collect();
    files.insert(name.into(), bytes);
}

fn change(files: &mut Files, name: &str, change: fn(String) -> String) {
    let text = String::from_utf8(files[name].clone()).unwrap();
    files.insert(name.into(), change(text).into_bytes());
}

/// One CRL alone, of those in ca-crl.pem.
fn crl(files: &Files, number: usize) -> Vec<u8> {
    let text = String::from_utf8(files["ca-crl.pem"].clone()).unwrap();
    text.split_inclusive("-----END X509 CRL-----\n").nth(number).unwrap().into()
}

/// Every defect, by what it leads to.
const DEFECTS: &[(&str, Change, i32, &[&str])] = &[
    ("as assembled", |_| (), 0, &[]),
    ("without CRLs", |f| drop(f.remove("ca-crl.pem")), 0, &[]),
    ("a chain without the root", |f| put(f, CHAIN, &["ca-cert.pem"]), 0, &[]),
    ("text around certificates", |f| change(f, CHAIN, |t| format!("subject=east\n{t}")), 0, &[]),
    ("the root first", |f| put(f, CHAIN, &["root-cert.pem", "ca-cert.pem"]), 4, &["installed.chain-order"]),
    (
        "the intermediate twice",
        |f| put(f, CHAIN, &["ca-cert.pem", "ca-cert.pem", "root-cert.pem"]),
        4,
        &["installed.chain-order"],
    ),
    (
        "no intermediate in the chain",
        |f| put(f, CHAIN, &["root-cert.pem"]),
        4,
        &["installed.chain-incomplete"],
    ),
    (
        "another cluster's chain",
        |f| drop(f.insert(CHAIN.into(), FLEET.west[CHAIN].clone())),
        4,
        &["installed.chain-incomplete"],
    ),
    ("no newline at a chain's end", |f| change(f, CHAIN, |t| t.trim_end().into()), 4, &["installed.newline"]),
    (
        "no newline at a root's end",
        |f| change(f, "root-cert.pem", |t| t.trim_end().into()),
        4,
        &["installed.newline"],
    ),
    (
        "two certificates glued together",
        |f| change(f, CHAIN, |t| t.replace("-----\n-----", "----------")),
        4,
        &["installed.chain-incomplete", "installed.pem"],
    ),
    (
        "a blank line behind the root",
        |f| change(f, "root-cert.pem", |t| t + "\n"),
        4,
        &["installed.multi-root"],
    ),
    (
        "a root with other line ends",
        |f| change(f, "root-cert.pem", |t| t.replace('\n', "\r\n")),
        4,
        &["installed.multi-root"],
    ),
    (
        "the root twice",
        |f| put(f, "root-cert.pem", &["root-cert.pem", "root-cert.pem"]),
        4,
        &["installed.multi-root"],
    ),
    (
        "the intermediate among the roots",
        |f| put(f, "root-cert.pem", &["root-cert.pem", "ca-cert.pem"]),
        4,
        &["installed.not-a-root"],
    ),
    (
        "the intermediate as the root",
        |f| put(f, "root-cert.pem", &["ca-cert.pem"]),
        4,
        &["installed.not-a-root", "installed.chain-root"],
    ),
    (
        "two certificates where one is wanted",
        |f| put(f, "ca-cert.pem", &["ca-cert.pem", "root-cert.pem"]),
        4,
        &["installed.ca-cert"],
    ),
    (
        "a damaged certificate",
        |f| change(f, CHAIN, |t| t.replacen("MII", "M*I", 1)),
        4,
        &["installed.pem", "installed.chain-incomplete"],
    ),
    (
        "no PEM at all",
        |f| drop(f.insert("root-cert.pem".into(), b"\n".to_vec())),
        4,
        &["installed.pem", "installed.multi-root"],
    ),
    ("a key among certificates", |f| put(f, CHAIN, &[CHAIN, "ca-key.pem"]), 4, &["installed.private-key"]),
    (
        "another cluster's key",
        |f| drop(f.insert("ca-key.pem".into(), FLEET.west["ca-key.pem"].clone())),
        4,
        &["installed.key-mismatch"],
    ),
    (
        "parameters before the key",
        |f| {
            change(f, "ca-key.pem", |t| {
                format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{t}")
            })
        },
        4,
        &["installed.key-parameters"],
    ),
    (
        "an encrypted key",
        |f| change(f, "ca-key.pem", |t| t.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
        4,
        &["key.encrypted"],
    ),
    (
        "a key of an unknown kind",
        |f| change(f, "ca-key.pem", |t| t.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY")),
        4,
        &["key.form"],
    ),
    (
        "no key in its file",
        |f| put(f, "ca-key.pem", &["ca-cert.pem"]),
        4,
        &["key.none", "installed.key-parameters"],
    ),
    (
        "istiod's own mark",
        |f| drop(f.insert("istio-generated".into(), Vec::new())),
        4,
        &["installed.istio-generated"],
    ),
    ("tls.crt beside the names of cacerts", |f| put(f, "tls.crt", &[CHAIN]), 4, &["installed.tls-wins"]),
    ("no roots", |f| drop(f.remove("root-cert.pem")), 4, &["installed.missing"]),
    ("no certificate", |f| drop(f.remove("ca-cert.pem")), 4, &["installed.missing"]),
    (
        "the root's CRL alone",
        |f| drop(f.insert("ca-crl.pem".into(), crl(f, 0))),
        4,
        &["installed.crl-lacking"],
    ),
    (
        "no CRL of the root's",
        |f| drop(f.insert("ca-crl.pem".into(), [crl(f, 1), crl(f, 2)].concat())),
        4,
        &["installed.crl-lacking"],
    ),
    (
        "a certificate for a CRL",
        |f| put(f, "ca-crl.pem", &["ca-crl.pem", "ca-cert.pem"]),
        4,
        &["installed.crl"],
    ),
    (
        "an empty file of CRLs",
        |f| drop(f.insert("ca-crl.pem".into(), Vec::new())),
        4,
        &["installed.crl", "installed.crl-lacking", "installed.newline"],
    ),
];

pub fn each_defect() {
    for (what, change, code, wanted) in DEFECTS {
        let mut files = FLEET.east.clone();
        change(&mut files);
        in_all(what, "Opaque", &files, &[], *code, wanted);
    }
}

/// What assemble wrote, its own Secret beside the files.
#[test]
fn what_assemble_writes_is_in_order_for_openssl_too() {
    for cluster in ["east-cacerts", "west-cacerts"] {
        let path = FLEET.a.path(cluster);
        let ran = verify(std::slice::from_ref(&path), &root(), &[]);
        finds(cluster, &ran, 0, &[]);
        let objects = &ran.json()["clusters"][0]["objects"];
        assert_eq!(
            (objects[0]["form"].as_str(), objects[1]["form"].as_str()),
            (Some("istio"), Some("istio"))
        );
        assert_eq!((objects[0]["key"].as_bool(), objects[1]["key"].as_bool()), (Some(true), Some(true)));
        assert_eq!(objects[1]["crls"].as_array().unwrap().len(), 3);
        assert!(succeeds(
            &path,
            "verify -x509_strict -CAfile root-cert.pem -untrusted cert-chain.pem ca-cert.pem"
        ));
        finds("the Secret", &verify(&[path.join("cacerts.yaml")], &root(), &[]), 0, &[]);
    }
    let both = [FLEET.a.path("east-cacerts"), FLEET.a.path("west-cacerts")];
    finds("both", &verify(&both, &root(), &[]), 0, &[]);
}

#[test]
fn what_ended_what_ends_and_what_has_not_begun() {
    let east = &FLEET.east;
    let at = |span| later(span);
    in_all("in 45 days", "Opaque", east, &["--at", &at("45d")], 1, &["installed.expires"]);
    in_all("in 45 days, by a week", "Opaque", east, &["--at", &at("45d"), "--within", "7d"], 0, &[]);
    in_all("in 61 days", "Opaque", east, &["--at", &at("61d")], 4, &["installed.expired"]);
    let crls = ["installed.expired", "installed.crl-expired"];
    in_all("in two years", "Opaque", east, &["--at", &at("2y")], 4, &crls);
    let early = ["installed.not-yet-valid", "installed.crl-not-yet-valid"];
    in_all("long ago", "Opaque", east, &["--at", "2020-01-01T00:00:00Z"], 4, &early);
    let mut files = east.clone();
    // A CRL that the cluster made anew, for a day.
    let (key, to) = (FLEET.a.path("keys/east.key"), tempfile::tempdir().unwrap());
    let certificate = write(&to.path().join("ca-cert.pem"), &east["ca-cert.pem"]);
    let words = [&key, to.path(), &certificate].map(|path| path.display().to_string());
    let made = ["--key", &words[0], "--to", &words[1], "--crl-for", &words[2], "--crl-ttl", "1d"];
    FLEET.a.run(&[&["request", "--cluster", "east", "--profile", "istio"], &made[..]].concat()).code(0);
    let short = std::fs::read(to.path().join("east.crl")).unwrap();
    files.insert("ca-crl.pem".into(), [crl(east, 0), short].concat());
    in_all("a CRL of a day", "Opaque", &files, &[], 0, &[]);
    in_all("its last hours", "Opaque", &files, &["--at", &at("20h")], 1, &["installed.crl-expires"]);
    in_all("the day after", "Opaque", &files, &["--at", &at("2d")], 4, &["installed.crl-expired"]);
}

#[test]
fn without_its_key_a_folder_is_looked_at_and_a_secret_is_not_whole() {
    let mut files = FLEET.east.clone();
    files.remove("ca-key.pem");
    let dir = tempfile::tempdir().unwrap();
    let [(_, folder), _, (_, yaml), _] = dress::all(dir.path(), "Opaque", &files);
    let root = [FLEET.a.root_sha256.clone()];
    finds("a folder", &verify(&[folder], &root, &[]), 0, &["installed.no-key"]);
    finds("a Secret", &verify(&[yaml], &root, &[]), 4, &["installed.missing"]);
}

/// The names of kubernetes.io/tls, which cert-manager's issuer has as well.
fn tls(chain: &[&str], roots: &[&str]) -> Files {
    let mut files = Files::from([("tls.key".into(), FLEET.east["ca-key.pem"].clone())]);
    put(&mut files, "tls.crt", chain);
    put(&mut files, "ca.crt", roots);
    files
}

#[test]
fn each_defect_of_a_tls_secret_is_named() {
    let (own, root) = ("ca-cert.pem", "root-cert.pem");
    let kind = "kubernetes.io/tls";
    in_all("as cert-manager has it", kind, &tls(&[own], &[root]), &[], 0, &[]);
    in_all("as Istio has it", kind, &tls(&[CHAIN], &[root]), &[], 0, &[]);
    let mut files = tls(&[own], &[root]);
    files.remove("ca.crt");
    in_all("no ca.crt", kind, &files, &[], 4, &["installed.missing"]);
    let island = ["installed.not-a-root", "installed.chain-root"];
    in_all("an island", kind, &tls(&[own], &[own]), &[], 4, &island);
    let swapped = ["installed.chain-order", "installed.key-mismatch"];
    in_all("the root first", kind, &tls(&[root, own], &[root]), &[], 4, &swapped);
    let mut files = tls(&[own], &[root]);
    put(&mut files, "ca-crl.pem", &["ca-crl.pem"]);
    in_all("CRLs that nobody reads", kind, &files, &[], 1, &["installed.crl-unused"]);
    let mut files = tls(&[own], &[root]);
    change(&mut files, "tls.crt", |text| text.trim_end().into());
    in_all("no newline", kind, &files, &[], 4, &["installed.newline"]);
    // Istio compares these bytes, too.
    let bytes: [(&str, fn(String) -> String); 3] = [
        ("a blank line behind the root", |text| text + "\n"),
        ("text before the root", |text| format!("the root\n{text}")),
        ("the root twice", |text| text.repeat(2)),
    ];
    for (what, edit) in bytes {
        let mut files = tls(&[own], &[root]);
        change(&mut files, "ca.crt", edit);
        in_all(what, kind, &files, &[], 4, &["installed.multi-root"]);
    }
}

#[test]
fn a_revoked_intermediate_is_named() {
    let a = &crate::installed::FLEET.a;
    let serial = verify(&[a.path("west-cacerts")], &root(), &[]).json();
    let serial = serial["clusters"][0]["objects"][0]["certificate"]["serial"].as_str().unwrap().to_string();
    let (out, pin) = (a.path("second"), a.path("pin").display().to_string());
    std::fs::create_dir(&out).unwrap();
    let words = ["--to", out.to_str().unwrap(), "--yes", "--pin-file", &pin];
    a.run(&[&["revoke", &serial, "--reason", "keyCompromise"], &words[..]].concat()).code(0);
    let release = std::fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let set = std::fs::read(release.join("ca-crl.pem")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for (files, code, wanted) in [(&FLEET.east, 0, &[][..]), (&FLEET.west, 4, &["installed.revoked"])] {
        let mut files = files.clone();
        files.insert("ca-crl.pem".into(), set.clone());
        let path = folder(&dir.path().join(code.to_string()), &files);
        finds("a newer set", &verify(&[path], &root(), &[]), code, wanted);
    }
}

#[test]
fn a_root_that_nobody_noted_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(&dir.path().join("east"), &FLEET.east);
    let ran = verify(std::slice::from_ref(&path), &["0".repeat(64)], &[]);
    finds("another fingerprint", &ran, 4, &["installed.root"]);
    assert!(ran.stdout.contains(&FLEET.a.root_sha256), "{}", ran.stdout);
    assert!(ids(&verify(&[path], &[FLEET.a.root_sha256.to_uppercase()], &[])).is_empty());
}
