//! What others made: certificates by OpenSSL, as companies' own CAs sign them.

use super::dress::{self, folder};
use super::{Files, finds, root, verify};
use crate::pki::Pki;

const MORE: &str = "
[server]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[both]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[plain]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
[uri]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
nameConstraints = permitted;URI:cluster.local
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[silent]
basicConstraints = critical, CA:TRUE, pathlen:0
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signs-nothing]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signs-no-crls]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[deep]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

pub fn pki(root: &str) -> Pki {
    let pki = Pki::new(root);
    let config = pki.path().join("openssl.cnf");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, text + MORE).unwrap();
    pki
}

pub fn cacerts(pki: &Pki, chain: &[&str]) -> Files {
    let read = |name: String| std::fs::read(pki.path().join(name)).unwrap();
    let certificates = |names: &[&str]| names.iter().flat_map(|name| read(format!("{name}.pem"))).collect();
    Files::from([
        ("ca-cert.pem".into(), certificates(&chain[..1])),
        ("ca-key.pem".into(), read(format!("{}.key", chain[0]))),
        ("cert-chain.pem".into(), certificates(chain)),
        ("root-cert.pem".into(), certificates(&["root"])),
    ])
}

#[track_caller]
pub fn in_all(pki: &Pki, chain: &[&str], more: &[&str], code: i32, wanted: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    for (dress, path) in dress::all(dir.path(), "Opaque", &cacerts(pki, chain)) {
        let ran = verify(&[path], &[pki.root_sha256().to_string()], more);
        finds(&format!("{chain:?} as {dress}"), &ran, code, wanted);
    }
}

#[test]
fn what_is_accepted_when_it_is_loaded_and_refused_by_peers() {
    let pki = pki("Company Root");
    for kind in ["intermediate", "server", "both", "uri"] {
        pki.issue(kind, kind, "root", &format!("/O=Istio/L=east/CN={kind}"));
    }
    in_all(&pki, &["intermediate", "root"], &[], 0, &[]);
    in_all(&pki, &["both", "root"], &[], 0, &[]);
    in_all(&pki, &["server", "root"], &[], 4, &["installed.key-purpose"]);
    in_all(&pki, &["uri", "root"], &[], 0, &["installed.uri-constraints"]);
    pki.issue("sub", "intermediate", "intermediate", "/O=Istio/L=east/CN=sub");
    in_all(&pki, &["sub", "intermediate", "root"], &[], 4, &["verify.path.outlives-issuer"]);
    // Shorter-lived, as whoever tries this would make it.
    pki.openssl("x509 -req -in sub.csr -CA intermediate.pem -CAkey intermediate.key -days 30 -extfile openssl.cnf -extensions intermediate -out sub.pem -set_serial 77", &[]);
    in_all(&pki, &["sub", "intermediate", "root"], &[], 4, &["verify.path.path-length"]);
    in_all(&pki, &["sub", "root"], &[], 4, &["installed.chain-order"]);
    pki.issue("leaf", "journal", "root", "/O=Istio/CN=no CA");
    in_all(&pki, &["leaf", "root"], &[], 4, &["installed.key-purpose", "installed.not-a-ca"]);
}

/// A signature by another key of the same name: names and identifiers agree, nothing else does.
#[test]
fn a_chain_that_only_looks_like_one_is_named() {
    let (pki, other) = (pki("Company Root"), pki("Company Root"));
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    other.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    let mut files = cacerts(&other, &["east", "root"]);
    let root = std::fs::read(pki.path().join("root.pem")).unwrap();
    files.insert("root-cert.pem".into(), root.clone());
    let dir = tempfile::tempdir().unwrap();
    let noted = [pki.root_sha256().to_string()];
    let carried = folder(&dir.path().join("carried"), &files);
    finds("with its root", &verify(&[carried], &noted, &[]), 4, &["installed.chain-root"]);
    let alone = files["ca-cert.pem"].clone();
    files.insert("cert-chain.pem".into(), alone);
    let path = folder(&dir.path().join("alone"), &files);
    finds("without it", &verify(&[path], &noted, &[]), 4, &["installed.chain-root"]);
}

/// What an old script of Istio's samples makes without extensions.
#[test]
fn a_root_of_version_1_is_named() {
    let pki = pki("Company Root");
    pki.openssl(
        "req -new -config openssl.cnf -key root.key -out root.csr -subj",
        &["/O=Example/CN=Old Root"],
    );
    pki.openssl("x509 -req -in root.csr -signkey root.key -days 3650 -out root.pem", &[]);
    pki.issue("east", "plain", "root", "/O=Istio/L=east/CN=east");
    in_all(&pki, &["east", "root"], &[], 4, &["installed.v1-root"]);
}

#[test]
fn what_comes_from_a_rehearsal_is_not_for_use() {
    let pki = pki("Root REHEARSAL");
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    in_all(&pki, &["east", "root"], &[], 1, &["installed.rehearsal"]);
    in_all(&pki, &["east", "root"], &["--rehearsal"], 0, &[]);
}

#[test]
fn clusters_that_refuse_each_other_are_named() {
    let (pki, other) = (pki("Root G1"), pki("Root G2"));
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    pki.issue("west", "intermediate", "root", "/O=Istio/L=west/CN=west");
    pki.issue("again", "intermediate", "root", "/O=Istio/L=east/CN=east");
    other.issue("north", "intermediate", "root", "/O=Istio/L=north/CN=north");
    let dir = tempfile::tempdir().unwrap();
    let noted = [pki.root_sha256().to_string(), other.root_sha256().to_string()];
    let write = |name: &str, files: &Files| folder(&dir.path().join(name), files);
    let east = write("east", &cacerts(&pki, &["east", "root"]));
    let west = write("west", &cacerts(&pki, &["west", "root"]));
    let again = write("again", &cacerts(&pki, &["again", "root"]));
    let north = write("north", &cacerts(&other, &["north", "root"]));
    let copy = write("copy", &cacerts(&pki, &["east", "root"]));
    finds("of one root", &verify(&[east.clone(), west.clone()], &noted, &[]), 0, &[]);
    let island = ["installed.island", "installed.roots-differ"];
    finds("of two roots", &verify(&[east.clone(), north.clone()], &noted, &[]), 4, &island);
    finds("a key in two clusters", &verify(&[east.clone(), copy], &noted, &[]), 4, &["installed.same-key"]);
    finds("a name of two keys", &verify(&[east.clone(), again], &noted, &[]), 4, &["installed.same-subject"]);
    // In the middle of a rollover both trust both; neighbours differ and understand each other.
    let both = [&pki, &other].map(|pki| std::fs::read(pki.path().join("root.pem")).unwrap()).concat();
    let mut files = cacerts(&pki, &["west", "root"]);
    files.insert("root-cert.pem".into(), both.clone());
    let west = write("west-both", &files);
    finds("a stage ahead", &verify(&[east, west.clone()], &noted, &[]), 1, &["installed.roots-differ"]);
    let mut files = cacerts(&other, &["north", "root"]);
    files.insert("root-cert.pem".into(), both);
    let north = write("north-both", &files);
    finds("stage both", &verify(&[west, north], &noted, &[]), 0, &[]);
}

/// Envoy refuses a peer of which it has no CRL.
#[test]
fn a_peer_without_a_crl_is_named() {
    let fleet = &super::FLEET;
    let dir = tempfile::tempdir().unwrap();
    let text = String::from_utf8(fleet.east["ca-crl.pem"].clone()).unwrap();
    let all: Vec<&str> = text.split_inclusive("-----END X509 CRL-----\n").collect();
    let mut without = Vec::new();
    // Which of the two is the other's does not stand in the order.
    for (name, own) in [("first", [all[0], all[1]]), ("second", [all[0], all[2]])] {
        let mut files = fleet.east.clone();
        files.insert("ca-crl.pem".into(), own.concat().into_bytes());
        let east = folder(&dir.path().join(name), &files);
        let alone = verify(std::slice::from_ref(&east), &root(), &[]);
        if alone.code == 0 {
            let west = folder(&dir.path().join("west"), &fleet.west);
            without.push(verify(&[east, west], &root(), &[]));
        }
    }
    assert_eq!(without.len(), 1);
    finds("a set without the peer's", &without[0], 4, &["installed.crl-peer"]);
}
