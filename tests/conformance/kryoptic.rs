//! kryoptic, which `KRYOPTIC=1 tests/run` builds: the one token here that has ML-DSA.

use std::path::{Path, PathBuf};

use super::rig::Rig;
use super::{Row, TABLE, promises};
use crate::appliance::{PIN, copy};
use crate::errors::misbehaving::misbehaving_module;
use crate::post_quantum::foreign::{Foreign, ML_DSA_65, ML_DSA_87, judge};

pub fn kryoptic(_: &Row, _: &str) -> Rig {
    let mut rig = Rig::new(PIN, "pkcs11:token=ceremony");
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kryoptic/release/libkryoptic.so");
    assert!(module.exists(), "{module:?} is missing: KRYOPTIC=1 tests/run builds it");
    rig.module = Some(module.to_str().unwrap().into());
    let slot = format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = {:?}\n", rig.arg("token.sql"));
    rig.appliance.write("kryoptic.conf", slot);
    rig.environment = vec![("KRYOPTIC_CONF", rig.arg("kryoptic.conf"))];
    let module = rig.module.clone().unwrap();
    let tool = |args: &[&str]| rig.run("pkcs11-tool", &[&["--module", &module], args].concat()).code(0);
    let so = ["--so-pin", "13572468"];
    tool(&[&["--init-token", "--slot-index", "0", "--label", "ceremony"][..], &so].concat());
    let login = ["--token-label", "ceremony", "--login", "--login-type", "so"];
    tool(&[&login[..], &so, &["--init-pin", "--new-pin", PIN]].concat());
    rig
}

fn ready(kind: &str) -> Rig {
    let row = &TABLE[6];
    let mut rig = (row.rig)(row, kind);
    promises::ready(row, &mut rig, kind);
    rig
}

/// Signs what lies on the stick; the release.
fn signed(rig: &Rig) -> PathBuf {
    let (from, to) = (rig.arg("in"), rig.arg("out"));
    rig.verb(&["sign", "--from", &from, "--to", &to, "--policy", "istio"]).code(0);
    rig.appliance.release()
}

/// The root itself, the journal's certificate and these clusters', by RustCrypto's ML-DSA.
fn judged(release: &Path, clusters: &[&str]) {
    let root = release.join("root-cert.pem");
    let clusters = clusters.iter().map(|cluster| release.join(cluster).join("ca-cert.pem"));
    for certificate in clusters.chain([root.clone(), release.join("journal-cert.pem")]) {
        assert_eq!(judge(&root, &certificate), Some(true), "{certificate:?}");
    }
}

#[test]
#[ignore = "KRYOPTIC=1 tests/run builds kryoptic, in minutes, and tries it"]
fn ml_dsa_roots_sign_ml_dsa_and_classic_intermediates() {
    for (kind, other) in [("ml-dsa-65", ML_DSA_87), ("ml-dsa-87", ML_DSA_65)] {
        let rig = ready(kind);
        rig.appliance.request("east");
        rig.appliance.request_with("west", kind);
        rig.appliance.foreign_request("north", Foreign::new(other));
        let release = signed(&rig);
        judged(&release, &["east", "west", "north"]);
        let text = std::fs::read_to_string(release.join("README.txt")).unwrap();
        assert!(text.contains("OpenSSL 3.5 or newer"), "{text}");
        let sha256 = rig.appliance.root_sha256.clone();
        let verify = ["verify", release.to_str().unwrap(), "--root-sha256", &sha256];
        rig.anchorite(&verify).code(0);
        for cluster in ["east", "west"] {
            let (bundle, key) = (release.join(cluster), rig.arg(&format!("keys/{cluster}.key")));
            let out = rig.arg(&format!("{cluster}-cacerts"));
            let of = ["assemble", "--key", &key, "--out", &out, "--root-sha256", &sha256];
            rig.anchorite(&[&of[..], &["--bundle", bundle.to_str().unwrap()]].concat()).code(0);
        }
        assert_eq!(rig.appliance.audit(&[]).code(0).json()["state"], "ok");

        // A bit of the root's signature over an intermediate, on its way.
        let path = release.join("west/ca-cert.pem");
        let mut der = anchorite::release::pem::single("west", &std::fs::read(&path).unwrap()).unwrap();
        *der.last_mut().unwrap() ^= 1;
        std::fs::write(&path, anchorite::x509::pem::certificate(&der)).unwrap();
        assert_eq!(judge(&release.join("root-cert.pem"), &path), Some(false));
        assert_eq!(rig.anchorite(&verify).code, 4);
    }
}

#[test]
#[ignore = "KRYOPTIC=1 tests/run builds kryoptic, in minutes, and tries it"]
fn an_ml_dsa_root_is_renewed_and_taken_over() {
    let rig = ready("ml-dsa-65");
    rig.verb(&["root", "renew", "--ttl", "30y"]).code(0);
    rig.appliance.request("east");
    judged(&signed(&rig), &["east"]);
    assert_eq!(rig.appliance.audit(&[]).code(0).json()["state"], "ok");

    copy(&rig.appliance.path("home"), &rig.appliance.path("older"));
    std::fs::remove_dir_all(rig.appliance.path("home")).unwrap();
    promises::has_a_home(&TABLE[6], &rig);
    let root = rig.arg("older/root.pem");
    let adopt = ["root", "adopt", "--certificate", &root, "--key", "pkcs11:object=anchorite%20root"];
    let adopt = [&adopt[..], &["--journal-label", "another"]].concat();
    rig.verb(&adopt).fails(1, "root.post-quantum");
    promises::wants_ml_dsa(&rig);
    rig.verb(&adopt).code(0);
    std::fs::remove_dir_all(rig.appliance.path("in")).unwrap();
    std::fs::create_dir(rig.appliance.path("in")).unwrap();
    rig.appliance.empty_out();
    rig.appliance.request_with("west", "ml-dsa-65");
    judged(&signed(&rig), &["west"]);
}

#[test]
#[ignore = "KRYOPTIC=1 tests/run builds kryoptic, in minutes, and tries it"]
fn a_wrong_ml_dsa_signature_is_on_record_and_not_released() {
    let mut rig = kryoptic(&TABLE[6], "ml-dsa-65");
    std::fs::create_dir(rig.appliance.path("hsm")).unwrap();
    rig.appliance.write("hsm/module", rig.module.replace(misbehaving_module()).unwrap());
    promises::ready(&TABLE[6], &mut rig, "ml-dsa-65");
    for (deed, code, id) in [
        ("flip", 4, "token.wrong-signature"),
        ("cut 1", 3, "token.signature"),
        ("empty", 3, "token.signature"),
    ] {
        rig.appliance.empty_out();
        rig.appliance.request(id.split('.').next_back().unwrap());
        rig.appliance.write("hsm/orders", format!("C_Sign 1 {deed}"));
        let (from, to) = (rig.arg("in"), rig.arg("out"));
        let sign = ["sign", "--from", &from, "--to", &to, "--policy", "istio"];
        rig.verb(&sign).fails(code, id);
        rig.appliance.write("hsm/orders", "");
        assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0, "{deed}");
        assert_eq!(rig.appliance.audit(&[]).code(1).json()["state"], "open", "{deed}");
        // The next session settles what was lost, on record.
        rig.verb(&["policy", "pin"]).code(0);
        assert_eq!(rig.appliance.audit(&[]).code(0).json()["state"], "ok", "{deed}");
        std::fs::remove_dir_all(rig.appliance.path("in")).unwrap();
        std::fs::create_dir(rig.appliance.path("in")).unwrap();
    }
}
