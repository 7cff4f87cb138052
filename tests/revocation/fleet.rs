//! The fleet's set: whole, or not there and everybody told of it.

use super::{REASON, scene};
use crate::appliance::Appliance;

/// One of three came without its CRL.
fn lacking() -> Appliance {
    let a = Appliance::with_root("p256");
    ["east", "west", "north"].iter().for_each(|cluster| a.request(cluster));
    std::fs::remove_file(a.path("in/west.crl")).unwrap();
    a
}

fn blocks(a: &Appliance, name: &str) -> usize {
    std::fs::read_to_string(a.released(name)).unwrap().matches("BEGIN X509 CRL").count()
}

#[test]
fn where_one_crl_is_missing_there_is_no_set_until_it_comes() {
    let a = lacking();
    let signed = a.sign(&["--policy", "istio"]).code(0);
    assert!(
        signed.stdout.contains("no CRL set for the fleet") && signed.stdout.contains("west"),
        "{}",
        signed.stdout
    );
    assert_eq!((blocks(&a, "root-crl.pem"), a.released("ca-crl.pem").exists()), (1, false));
    let manifest = std::fs::read_to_string(a.released("MANIFEST.toml")).unwrap();
    for wanted in ["complete = false", "lacking = 1", "west ("] {
        assert!(manifest.contains(wanted), "wanted {wanted} in {manifest}");
    }
    a.all_is_well();
    let told = a.verb(&["crl", "--to", &a.place("out"), "--json"]).code(0).json();
    assert_eq!((&told["crl"]["set"], &told["crl"]["lacking"]), (&serde_json::Value::Null, &1.into()));
    assert!(told["crl"]["lacking_named"][0].as_str().unwrap().starts_with("west ("), "{told}");
    assert!(!a.released("ca-crl.pem").exists());

    // The cluster makes it for the request that was signed; what else is on the stick does not matter.
    let (csr, key, stick, out) =
        (a.place("in/west.csr"), a.place("keys/west.key"), a.place("stick"), a.place("out"));
    std::fs::create_dir(&stick).unwrap();
    let request = [
        "request",
        "--crl-for",
        &csr,
        "--cluster",
        "west",
        "--profile",
        "istio",
        "--key",
        &key,
        "--to",
        &stick,
    ];
    a.run(&request).code(0);
    let healed = a.verb(&["crl", "--from", &stick, "--to", &out]).code(0);
    assert!(healed.stdout.contains("the fleet's set, of the root and 3 intermediates"), "{}", healed.stdout);
    assert_eq!(blocks(&a, "ca-crl.pem"), 4);
    for cluster in ["east", "west", "north"] {
        assert_eq!(a.judged(cluster), Ok(()));
    }
    a.all_is_well();
    // It stays so.
    a.crl().code(0);
    assert_eq!(blocks(&a, "ca-crl.pem"), 4);
}

/// A revoked intermediate's CRL stays in the set: who checks the whole chain wants it still.
#[test]
fn what_is_revoked_stays_in_the_set_and_what_has_ended_does_not() {
    let a = scene();
    a.revoke(&a.serial("east"));
    a.crl().code(0);
    assert_eq!(blocks(&a, "ca-crl.pem"), 3);
    a.verb_in("61 days", &["crl", "--to", &a.place("out")]).code(0);
    assert_eq!(blocks(&a, "ca-crl.pem"), 1, "the root's alone: nobody is left");
}

/// A cluster that came without its CRL holds nobody up once its certificate has ended.
#[test]
fn who_has_ended_is_not_missed() {
    let a = lacking();
    a.sign(&["--policy", "istio"]).code(0);
    let told = a.verb_in("61 days", &["crl", "--to", &a.place("out"), "--json"]).code(0).json();
    assert_eq!((&told["crl"]["set"], &told["crl"]["lacking"]), (&0.into(), &0.into()));
}

#[test]
fn a_newer_crl_of_a_clusters_takes_the_older_ones_place() {
    let a = scene();
    let (csr, key, stick) = (a.place("in/east.csr"), a.place("keys/east.key"), a.place("stick"));
    std::fs::create_dir(&stick).unwrap();
    let before = std::fs::read_to_string(a.released("ca-crl.pem")).unwrap();
    let request = [
        "request",
        "--crl-for",
        &csr,
        "--cluster",
        "east",
        "--profile",
        "istio",
        "--key",
        &key,
        "--to",
        &stick,
    ];
    // Their numbers are seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    a.run(&[&request[..], &["--crl-ttl", "3y"]].concat()).code(0);
    a.verb(&["crl", "--from", &stick, "--to", &a.place("out")]).code(0);
    let (crl, set) = (
        std::fs::read_to_string(a.path("stick/east.crl")).unwrap(),
        std::fs::read_to_string(a.released("ca-crl.pem")).unwrap(),
    );
    assert!(set.contains(&crl) && !before.contains(&crl));
    assert_eq!(blocks(&a, "ca-crl.pem"), 3);
    a.all_is_well();
}

#[test]
fn a_root_that_may_not_sign_crls_says_so() {
    let mut a = Appliance::with_home();
    a.old_key("old", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "old root", "0707");
    let extensions =
        "subjectKeyIdentifier = hash\nbasicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign";
    a.old_root("old", "O = Example\nCN = Old Root", extensions, &[]);
    a.root_sha256 = a.adopt("old", "pkcs11:object=old%20root", &["--json"]).code(0).json()["sha256"]
        .as_str()
        .unwrap()
        .into();
    a.request("east");
    let signed = a.sign(&["--policy", "istio"]).code(0);
    assert!(signed.stderr.contains("lacks cRLSign"), "{}", signed.stderr);
    assert!(!a.released("root-crl.pem").exists() && !a.released("ca-crl.pem").exists());
    let (east, out) = (a.serial("east"), a.place("out"));
    a.crl().fails(1, "crl.sign");
    let revoke = [&["revoke", &east], &REASON[..]].concat();
    a.verb(&[&revoke[..], &["--to", &out]].concat()).fails(1, "crl.sign");
    // On record it can be.
    let told = a.verb(&revoke).code(0);
    assert!(told.stderr.contains("lacks cRLSign"), "{}", told.stderr);
    a.all_is_well();
    // The way out: the same key, a certificate that may.
    a.verb(&["root", "renew", "--ttl", "20y"]).code(0);
    a.crl().code(0);
    assert_eq!(a.listed_serials(), [east]);
}
