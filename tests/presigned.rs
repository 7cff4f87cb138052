//! The cluster's own CRL, from `request` to those who check CRLs.

use anchorite::intake::{Arrival, ReceivedCrl, read};
use anchorite::verify::read_crl;
use anchorite::x509::{Issuer, Seconds, Time};
use serde_json::Value;

use crate::appliance::{Appliance, Ran};
use crate::pki::{now, succeeds};
use crate::support::run;

fn received(a: &Appliance, path: &str) -> ReceivedCrl {
    match read(path, &std::fs::read(a.path(path)).unwrap()).remove(0) {
        Arrival::Crl(crl) => *crl,
        other => panic!("{other:?}"),
    }
}

fn arg(a: &Appliance, name: &str) -> String {
    a.path(name).display().to_string()
}

fn openssl(a: &Appliance, args: &[&str]) {
    run(a.dir.path(), "openssl", args);
}

fn request(a: &Appliance, cluster: &str, profile: &str, more: &[&str]) -> Ran {
    std::fs::create_dir_all(a.path("keys")).unwrap();
    let (key, to) = (arg(a, &format!("keys/{cluster}.key")), arg(a, "in"));
    let args = ["request", "--cluster", cluster, "--profile", profile, "--key", &key, "--to", &to];
    a.run(&[&args, more].concat())
}

/// What the rules for CRLs say of each request: those that do not pass.
fn amiss(a: &Appliance) -> Vec<String> {
    let report = a.run(&["inspect", "--policy", "istio", "--json", &arg(a, "in")]).json();
    let requests = report["requests"].as_array().unwrap();
    let all: Vec<&Value> = requests.iter().flat_map(|r| r["findings"].as_array().unwrap()).collect();
    let of_crls = all.iter().filter(|f| f["rule"].as_str().unwrap().starts_with("crl."));
    let (passed, amiss): (Vec<&Value>, Vec<&Value>) = of_crls.partition(|f| f["outcome"] == "pass");
    assert_eq!((passed.len() + amiss.len()) % 10, 0, "each rule speaks of each request");
    amiss.iter().map(|f| f["rule"].as_str().unwrap().to_string()).collect()
}

/// About now, or so long after it.
#[track_caller]
fn about(found: Time, days: u64) {
    let wanted = now() + Seconds(days * 86_400);
    assert!((wanted - found).0 < 600 && (found - wanted).0 < 600, "{found}, wanted about {wanted}");
}

#[test]
fn a_request_comes_with_the_clusters_own_crl() {
    let a = Appliance::with_root("p256");
    let made = request(&a, "east", "istio", &["--json"]).code(0).json();
    assert_eq!(made["crl"], arg(&a, "in/east.crl").as_str());
    let crl = received(&a, "in/east.crl");
    assert_eq!(made["crl_next_update"], crl.next_update.unwrap().to_string());
    about(crl.this_update, 0);
    // A later one is higher, without a record of the last.
    about(Time::from_unix(crl.number.unwrap()), 0);
    about(crl.next_update.unwrap(), 390);
    assert!(
        std::fs::read_to_string(a.path("in/east.crl")).unwrap().starts_with("-----BEGIN X509 CRL-----\n")
    );
    assert_eq!(amiss(&a), [""; 0]);
    a.sign(&["--policy", "istio"]).code(0);

    // Its certificate made it good; the verifier of releases and OpenSSL agree.
    let folder = a.release().join("east");
    let certificate = folder.join("ca-cert.pem").display().to_string();
    openssl(&a, &["x509", "-in", &certificate, "-outform", "DER", "-out", "east.der"]);
    let east = Issuer::from_der(&std::fs::read(a.path("east.der")).unwrap()).unwrap();
    assert_eq!(read_crl(&crl.der, &east).unwrap().entries, []);
    std::fs::copy(&certificate, a.path("east.pem")).unwrap();
    std::fs::copy(folder.join("root-cert.pem"), a.path("root.pem")).unwrap();
    std::fs::write(
        a.path("both.pem"),
        [std::fs::read(a.path("east.pem")).unwrap(), std::fs::read(a.path("root.pem")).unwrap()].concat(),
    )
    .unwrap();
    let judged =
        run(a.dir.path(), "openssl", &["crl", "-in", "in/east.crl", "-CAfile", "both.pem", "-noout"]);
    assert!(String::from_utf8_lossy(&judged.stderr).contains("verify OK"));
    // What the cluster certifies passes while CRLs are checked, and does not without this one.
    openssl(&a, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "leaf.key"]);
    openssl(&a, &["req", "-new", "-key", "leaf.key", "-subj", "/CN=leaf", "-out", "leaf.csr"]);
    let sign =
        "x509 -req -in leaf.csr -CA east.pem -CAkey keys/east.key -CAcreateserial -days 1 -out leaf.pem";
    openssl(&a, &sign.split(' ').collect::<Vec<_>>());
    let verify = "verify -crl_check -CAfile root.pem -untrusted east.pem";
    assert!(succeeds(a.dir.path(), &format!("{verify} -CRLfile in/east.crl leaf.pem")));
    assert!(!succeeds(a.dir.path(), &format!("{verify} leaf.pem")));
}

#[test]
fn keys_of_every_kind_sign_their_crl() {
    let a = Appliance::with_root("p256");
    for kind in ["p256", "p384", "rsa2048", "ed25519", "ml-dsa-65", "ml-dsa-87"] {
        request(&a, kind, "istio", &["--algorithm", kind]).code(0);
    }
    // A key that is there already signs one too.
    let key = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", "keys/old.key"];
    openssl(&a, &[&["genpkey"], &key[..]].concat());
    let before = std::fs::read(a.path("keys/old.key")).unwrap();
    request(&a, "old", "istio", &[]).code(0);
    assert_eq!(std::fs::read(a.path("keys/old.key")).unwrap(), before);
    assert_eq!(amiss(&a), [""; 0]);
}

#[test]
fn how_long_it_holds_follows_the_profile_or_the_wish() {
    let a = Appliance::bare();
    for (cluster, profile, more, days) in [
        ("a", "istio", &[][..], 390),
        ("b", "issuing-ca", &[], 990),
        ("c", "of-the-house", &[], 1_915),
        ("d", "istio", &["--crl-ttl", "10y"], 3_650),
    ] {
        request(&a, cluster, profile, more).code(0);
        about(received(&a, &format!("in/{cluster}.crl")).next_update.unwrap(), days);
    }
}

#[test]
fn a_crl_is_made_for_what_was_made_before_or_elsewhere() {
    let a = Appliance::with_root("p256");
    std::fs::create_dir(a.path("keys")).unwrap();
    let crl_for = |file: &str| request(&a, "east", "istio", &["--crl-for", &arg(&a, file), "--json"]);
    // A request of OpenSSL's, which names no key identifier; and one that names the older kind.
    openssl(&a, &["ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", "keys/east.key"]);
    let subject = ["-subj", "/O=Istio/L=east/CN=by hand"];
    let csr = ["req", "-new", "-key", "keys/east.key", "-out"];
    openssl(&a, &[&csr[..], &["in/named.csr", "-addext", "subjectKeyIdentifier=hash"], &subject].concat());
    crl_for("in/named.csr").code(0);
    assert_eq!(amiss(&a), [""; 0]);
    let named = received(&a, "in/east.crl");
    for file in ["in/named.csr", "in/east.crl"] {
        std::fs::remove_file(a.path(file)).unwrap();
    }
    openssl(&a, &[&csr[..], &["in/plain.csr"], &subject].concat());
    assert_eq!(amiss(&a), ["crl.pre-signed"]);
    let made = crl_for("in/plain.csr").code(0).json();
    assert_eq!((&made["crl"], &made["request"]), (&arg(&a, "in/east.crl").into(), &Value::Null));
    assert_eq!(made["issuer"], "O=Istio, L=east, CN=by hand");
    assert_eq!(amiss(&a), [""; 0]);
    let plain = received(&a, "in/east.crl");
    assert_ne!(named.key_id, plain.key_id);
    assert!(!a.path("in/east.csr").exists(), "the CRL alone");

    // For a certificate, in PEM or DER.
    a.sign(&["--policy", "istio"]).code(0);
    let certificate = a.release().join("east/ca-cert.pem").display().to_string();
    std::fs::copy(&certificate, a.path("east.pem")).unwrap();
    openssl(&a, &["x509", "-in", "east.pem", "-outform", "DER", "-out", "east.der"]);
    let east = Issuer::from_der(&std::fs::read(a.path("east.der")).unwrap()).unwrap();
    for file in ["east.pem", "east.der"] {
        std::fs::remove_file(a.path("in/east.crl")).unwrap();
        crl_for(file).code(0);
        read_crl(&received(&a, "in/east.crl").der, &east).unwrap();
    }
}

#[test]
fn a_crl_in_der_or_in_one_file_with_the_request_is_found() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let (csr, crl) =
        (std::fs::read(a.path("in/east.csr")).unwrap(), std::fs::read(a.path("in/east.crl")).unwrap());
    std::fs::remove_file(a.path("in/east.crl")).unwrap();
    a.write("in/east.csr", [&crl[..], &csr].concat());
    assert_eq!(amiss(&a), [""; 0]);
    a.write("in/east.csr", csr);
    assert_eq!(amiss(&a), ["crl.pre-signed"]);
    let Arrival::Crl(crl) = read("", &crl).remove(0) else { panic!("no CRL") };
    a.write("in/whatever", crl.der);
    assert_eq!(amiss(&a), [""; 0]);
}

/// What `inspect` says of the only thing on the stick.
fn told(a: &Appliance) -> (String, String) {
    let report = a.run(&["inspect", "--json", &arg(a, "in")]).code(0).json();
    assert_eq!((&report["requests"], report["media"].as_array().unwrap().len()), (&Value::Array(vec![]), 1));
    let said = |key: &str| report["media"][0][key].as_str().unwrap().to_string();
    (said("rule"), said("message"))
}

#[test]
fn a_crl_for_a_certificate_signed_before_is_told_of() {
    let a = Appliance::with_root("p256");
    a.request("east");
    std::fs::remove_file(a.path("in/east.crl")).unwrap();
    a.sign(&["--policy", "istio"]).code(0);
    std::fs::rename(a.path("in/east.csr"), a.path("east.csr")).unwrap();
    request(&a, "east", "istio", &["--crl-for", &arg(&a, "east.csr")]).code(0);
    let (rule, message) = told(&a);
    assert!(rule == "media.crl-later" && message.contains("is the CRL of serial"), "{rule}: {message}");
    std::fs::remove_file(a.path("in/east.crl")).unwrap();
    request(&a, "east", "istio", &["--crl-for", &arg(&a, "east.csr"), "--crl-ttl", "59d"]).code(0);
    let (rule, message) = told(&a);
    assert!(rule == "media.crl-refused" && message.contains("[crl.next-update]"), "{rule}: {message}");
}
