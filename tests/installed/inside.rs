//! Objects of one cluster beside each other, gateways' CRLs, and names.

use serde_json::{Value, json};

use super::dress::{config_map, folder, list, secret, write, yaml};
use super::foreign::{cacerts, pki};
use super::{FLEET, Files, finds, root, verify};
use crate::pki::Pki;

fn bundle(pki: &Pki) -> Value {
    let root = std::fs::read(pki.path().join("root.pem")).unwrap();
    config_map("istio-ca-root-cert", &Files::from([("root-cert.pem".into(), root)]))
}

/// istiod hands out one bundle while its own chain ends at another root.
#[test]
fn an_island_inside_one_cluster_is_named() {
    let (old, new) = (pki("Root G1"), pki("Root G2"));
    for pki in [&old, &new] {
        pki.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    }
    let noted = [old.root_sha256().to_string(), new.root_sha256().to_string()];
    let [old_files, new_files] = [&old, &new].map(|pki| cacerts(pki, &["east", "root"]));
    let dir = tempfile::tempdir().unwrap();
    let loaded = secret("cacerts", "Opaque", &new_files);
    let path = write(&dir.path().join("good.json"), list(&[loaded.clone(), bundle(&new)]));
    finds("of one root", &verify(&[path], &noted, &[]), 0, &[]);
    let island = ["installed.island", "installed.roots-differ"];
    let path = write(&dir.path().join("bad.json"), list(&[loaded.clone(), bundle(&old)]));
    let ran = verify(&[path], &noted, &[]);
    finds("a bundle that was left behind", &ran, 4, &island);
    assert_eq!(ran.json()["findings"][0]["object"], "Secret istio-system/cacerts", "{}", ran.stdout);
    // A Secret that was not made anew beside files that were.
    for (name, files, code, wanted) in [("old", &old_files, 4, &island[..]), ("new", &new_files, 0, &[])] {
        let path = folder(&dir.path().join(name), files);
        write(&path.join("cacerts.yaml"), yaml(&loaded));
        finds(name, &verify(&[path], &noted, &[]), code, wanted);
    }
    // The same roots under other names are the same.
    let mut tls = Files::new();
    for (to, from) in [("tls.crt", "ca-cert.pem"), ("tls.key", "ca-key.pem"), ("ca.crt", "root-cert.pem")] {
        tls.insert(to.into(), new_files[from].clone());
    }
    let loaded = secret("cacerts", "kubernetes.io/tls", &tls);
    let path = write(&dir.path().join("tls.json"), list(&[loaded.clone(), bundle(&new)]));
    finds("of one root, in two forms", &verify(&[path], &noted, &[]), 0, &[]);
    let path = write(&dir.path().join("tls-bad.json"), list(&[loaded, bundle(&old)]));
    finds("of two roots, in two forms", &verify(&[path], &noted, &[]), 4, &island);
}

/// And in two clusters.
#[test]
fn roots_under_different_names_are_compared_as_roots() {
    let (one, other) = (pki("Root G1"), pki("Root G2"));
    one.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east");
    one.issue("west", "intermediate", "root", "/O=Istio/L=west/CN=west");
    other.issue("west", "intermediate", "root", "/O=Istio/L=west/CN=west");
    let noted = [one.root_sha256().to_string(), other.root_sha256().to_string()];
    let dir = tempfile::tempdir().unwrap();
    let east = folder(&dir.path().join("east"), &cacerts(&one, &["east", "root"]));
    for (name, pki, code, wanted) in
        [("same", &one, 0, &[][..]), ("other", &other, 4, &["installed.island", "installed.roots-differ"])]
    {
        let files = cacerts(pki, &["west", "root"]);
        let mut tls = Files::new();
        for (to, from) in [("tls.crt", "ca-cert.pem"), ("tls.key", "ca-key.pem"), ("ca.crt", "root-cert.pem")]
        {
            tls.insert(to.into(), files[from].clone());
        }
        let west = folder(&dir.path().join(name), &tls);
        finds(name, &verify(&[east.clone(), west], &noted, &[]), code, wanted);
    }
}

/// What a gateway holds clients against is judged like `ca-crl.pem`.
#[test]
fn a_gateways_crls_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = String::from_utf8(FLEET.east["ca-crl.pem"].clone()).unwrap();
    let all: Vec<&str> = text.split_inclusive("-----END X509 CRL-----\n").collect();
    let gateway = |crls: &str| {
        let roots = ("ca.crt".to_string(), FLEET.east["root-cert.pem"].clone());
        secret("ingress-cacert", "Opaque", &Files::from([roots, ("ca.crl".into(), crls.into())]))
    };
    for (what, crls, code, wanted) in [
        ("whole", text.clone(), 0, &[][..]),
        ("the root's alone", all[0].into(), 4, &["installed.crl-lacking"]),
        ("none of the root's", all[1..].concat(), 4, &["installed.crl-lacking"]),
        ("junk", "x\n".into(), 4, &["installed.crl", "installed.crl-lacking"]),
        ("no newline", text.trim_end().into(), 4, &["installed.newline"]),
    ] {
        let path = write(&dir.path().join("gateway.yaml"), yaml(&gateway(&crls)));
        finds(what, &verify(&[path], &root(), &[]), code, wanted);
    }
    let path = write(&dir.path().join("gateway.yaml"), yaml(&gateway(&text)));
    let at = (crate::pki::now() + anchorite::x509::Seconds::parse("2y").unwrap()).to_string();
    finds("in two years", &verify(&[path], &root(), &["--at", &at]), 4, &["installed.crl-expired"]);
    let roots = Files::from([("ca.crt".into(), FLEET.east["root-cert.pem"].clone())]);
    let path = write(&dir.path().join("none.yaml"), yaml(&secret("ingress-cacert", "Opaque", &roots)));
    finds("without CRLs", &verify(&[path], &root(), &[]), 0, &[]);
}

/// Peers beneath the other root are refused once CRLs are checked.
#[test]
fn a_root_without_a_crl_is_told() {
    let other = Pki::new("Other Root");
    let mut files = FLEET.east.clone();
    let more = std::fs::read(other.path().join("root.pem")).unwrap();
    files.insert("root-cert.pem".into(), [FLEET.east["root-cert.pem"].clone(), more].concat());
    let dir = tempfile::tempdir().unwrap();
    let noted = [FLEET.a.root_sha256.clone(), other.root_sha256().to_string()];
    let path = folder(&dir.path().join("lacking"), &files);
    finds("of one root", &verify(&[path], &noted, &[]), 1, &["installed.crl-root"]);
    let crl = anchorite::x509::pem::crl(&other.crl("root", 1));
    files.insert("ca-crl.pem".into(), [FLEET.east["ca-crl.pem"].clone(), crl.into_bytes()].concat());
    let path = folder(&dir.path().join("whole"), &files);
    finds("of both roots", &verify(&[path], &noted, &[]), 0, &[]);
}

#[test]
fn a_secret_without_a_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in [json!(null), json!(7), json!("")] {
        let mut object = secret("cacerts", "Opaque", &FLEET.east);
        object["metadata"]["name"] = name;
        let path = write(&dir.path().join("nameless.json"), object.to_string());
        verify(&[path], &root(), &[]).fails(2, "installed.nameless");
    }
}
