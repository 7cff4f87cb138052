//! The CA itself: whether others accept what it signs, and whether it may be in a cluster.

use super::dress::{self, folder, secret, write, yaml};
use super::foreign::{cacerts, in_all, pki};
use super::{FLEET, Files, finds, root, verify};
use crate::pki::Pki;

/// Go and OpenSSL refuse what a CA signs that may not sign.
#[test]
fn a_ca_that_may_not_sign_is_named() {
    let pki = pki("Company Root");
    for kind in ["signs-nothing", "signs-no-crls", "silent"] {
        pki.issue(kind, kind, "root", &format!("/O=Istio/L=east/CN={kind}"));
    }
    in_all(&pki, &["signs-nothing", "root"], &[], 4, &["installed.key-usage"]);
    in_all(&pki, &["silent", "root"], &[], 1, &["installed.key-usage"]);
    in_all(&pki, &["signs-no-crls", "root"], &[], 0, &[]);
    // With CRLs in use it can never have one.
    let mut files = cacerts(&pki, &["signs-no-crls", "root"]);
    files.insert("ca-crl.pem".into(), pem_crl(&pki, "root"));
    let told = crl_told(&pki, &files);
    assert!(told.contains("keyUsage lacks cRLSign"), "{told}");
}

fn pem_crl(pki: &Pki, issuer: &str) -> Vec<u8> {
    anchorite::x509::pem::crl(&pki.crl(issuer, 1)).into_bytes()
}

/// What is said of the CRL that is missing.
#[track_caller]
fn crl_told(pki: &Pki, files: &Files) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(&dir.path().join("east"), files);
    let ran = verify(&[path], &[pki.root_sha256().to_string()], &[]);
    finds("CRLs", &ran, 4, &["installed.crl-lacking"]);
    ran.json()["findings"][0]["found"].as_str().unwrap().to_string()
}

/// The name is the CA's, the signature is not.
#[test]
fn a_crl_that_somebody_else_signed_is_told_from_none() {
    let (pki, other) = (pki("Company Root"), super::foreign::pki("Company Root"));
    pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    other.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    let mut files = cacerts(&pki, &["east", "root"]);
    let set = |own: Vec<u8>| [pem_crl(&pki, "root"), own].concat();
    files.insert("ca-crl.pem".into(), set(pem_crl(&pki, "east")));
    let dir = tempfile::tempdir().unwrap();
    let path = folder(&dir.path().join("whole"), &files);
    finds("whole", &verify(&[path], &[pki.root_sha256().to_string()], &[]), 0, &[]);
    files.insert("ca-crl.pem".into(), set(pem_crl(&other, "east")));
    let told = crl_told(&pki, &files);
    assert!(told.contains("in the name of") && told.contains("not its own"), "{told}");
    files.insert("ca-crl.pem".into(), set(Vec::new()));
    let told = crl_told(&pki, &files);
    assert!(told.starts_with("none of"), "{told}");
}

/// Both sign CAs of their own beneath it.
#[test]
fn consumers_that_make_cas_need_room_for_them() {
    let pki = pki("Company Root");
    pki.issue("flat", "intermediate", "root", "/O=Mesh/CN=flat");
    pki.issue("deep", "deep", "root", "/O=Mesh/CN=deep");
    let noted = [pki.root_sha256().to_string()];
    let dir = tempfile::tempdir().unwrap();
    for (name, code, wanted) in [("flat", 4, &["installed.path-length"][..]), ("deep", 0, &[])] {
        let files = cacerts(&pki, &[name, "root"]);
        let mut spire = Files::new();
        for (to, from) in
            [("upstream.pem", "ca-cert.pem"), ("upstream.key", "ca-key.pem"), ("bundle.pem", "root-cert.pem")]
        {
            spire.insert(to.into(), files[from].clone());
        }
        let path = folder(&dir.path().join(format!("spire-{name}")), &spire);
        finds("SPIRE", &verify(&[path], &noted, &[]), code, wanted);
        let gloo = secret("mesh-ca.gloo-mesh", "Opaque", &files);
        let path = write(&dir.path().join(format!("gloo-{name}.yaml")), yaml(&gloo));
        let ran = verify(&[path], &noted, &[]);
        finds("Gloo Mesh", &ran, code, wanted);
        assert_eq!(ran.json()["clusters"][0]["objects"][0]["form"], "gloo-mesh");
        in_all(&pki, &[name, "root"], &[], 0, &[]);
    }
}

/// Whoever takes over the cluster is the root then.
#[test]
fn the_roots_own_key_in_a_cluster_is_named() {
    let pki = pki("Company Root");
    in_all(&pki, &["root"], &[], 4, &["installed.root-key"]);
}

/// ring verifies no P-521; of Ed25519 somebody should know.
#[test]
fn keys_that_peers_do_not_verify_are_named() {
    let pki = pki("Company Root");
    for (name, make, code) in [
        ("p521", "ecparam -name secp521r1 -genkey -noout -out p521.key", 4),
        ("ed25519", "genpkey -algorithm ed25519 -out ed25519.key", 0),
    ] {
        pki.openssl(make, &[]);
        let subject = format!("/O=Istio/CN={name}");
        let request = format!("req -new -config openssl.cnf -key {name}.key -out {name}.csr -subj");
        pki.openssl(&request, &[&subject]);
        pki.sign(name, "intermediate", "root");
        in_all(&pki, &[name, "root"], &[], code, &["installed.key-kind"]);
    }
}

/// Whatever else the ConfigMap holds, everybody in its namespace reads it.
#[test]
fn a_private_key_in_a_config_map_is_disclosed() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| FLEET.east[name].clone();
    let bundle = ("root-cert.pem".to_string(), file("root-cert.pem"));
    for (name, files) in [
        ("istio-ca-root-cert", Files::from([bundle.clone(), ("notes".into(), file("ca-key.pem"))])),
        ("scripts", Files::from([("setup.sh".into(), file("ca-key.pem"))])),
    ] {
        let path = write(&dir.path().join(name), yaml(&dress::config_map(name, &files)));
        let ran = verify(&[path], &root(), &[]);
        finds(name, &ran, 4, &["installed.private-key"]);
        let key = String::from_utf8(file("ca-key.pem")).unwrap();
        assert!(!ran.stdout.contains(key.lines().nth(1).unwrap()));
    }
    let mut binary = dress::config_map("binary", &Files::new());
    binary["binaryData"] =
        secret("x", "Opaque", &Files::from([("k".into(), file("ca-key.pem"))]))["data"].clone();
    let path = write(&dir.path().join("binary.json"), binary.to_string());
    finds("binary", &verify(&[path], &root(), &[]), 4, &["installed.private-key"]);
    let path = write(
        &dir.path().join("good"),
        yaml(&dress::config_map("istio-ca-root-cert", &Files::from([bundle]))),
    );
    finds("without", &verify(&[path], &root(), &[]), 0, &[]);
}
