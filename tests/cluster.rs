//! The cluster's side: keys and requests that foreign tools take, and `cacerts`.

use std::collections::BTreeMap;
use std::fs;

use anchorite::cluster::{AssembleOptions, KeyForm, OutFile, PrivateKey, assemble, make_key, make_request};
use anchorite::error::{Kind, Result};
use anchorite::policy::fixed_organisation;
use anchorite::text::hex;
use anchorite::x509::KeyAlgorithm;
use secrecy::ExposeSecret as _;

use crate::pki::{OpenSsl, Pki, cluster_folder, now, succeeds};
use crate::support::run;

const NAME: &str = "anchorite-2026-11-22-0001";

fn new_key(algorithm: KeyAlgorithm) -> PrivateKey {
    PrivateKey::from_pem(make_key(algorithm).unwrap().expose_secret().as_bytes()).unwrap()
}

#[test]
fn openssl_takes_keys_and_requests() {
    let dir = tempfile::tempdir().unwrap();
    let kinds = [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa(3072)];
    for algorithm in kinds {
        let key = new_key(algorithm);
        fs::write(dir.path().join("key.pem"), key.to_pem().expose_secret()).unwrap();
        fs::write(dir.path().join("request.pem"), make_request(&key, "east", Some("Istio")).unwrap())
            .unwrap();
        run(dir.path(), "openssl", &["pkey", "-in", "key.pem", "-noout", "-check"]);
        let openssl = |more: &str| {
            let words = format!("req -in request.pem -noout {more}");
            let arguments: Vec<&str> = words.split(' ').collect();
            let output = run(dir.path(), "openssl", &arguments);
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
        };
        assert!(openssl("-verify").contains("verify OK"), "{algorithm}");
        let id = hex(&key.public_key().key_id());
        assert_eq!(openssl("-subject"), format!("subject=O = Istio, L = east, CN = east-{}\n", &id[..8]));
        let text = openssl("-text");
        for wanted in [
            "X509v3 Basic Constraints: critical\n                    CA:TRUE\n",
            "X509v3 Key Usage: critical\n                    Certificate Sign, CRL Sign\n",
        ] {
            assert!(text.contains(wanted), "{algorithm}: {text}");
        }
        assert!(text.replace(':', "").to_lowercase().contains(&id), "{algorithm}: {id} in {text}");
    }
}

#[test]
fn the_organisation_follows_profile_and_wish() {
    let dir = tempfile::tempdir().unwrap();
    let key = new_key(KeyAlgorithm::P256);
    for (profile, organisation, wanted) in [
        ("istio", None, "Istio"),
        ("istio-tls", None, "Istio"),
        ("issuing-ca", None, "east"),
        ("issuing-ca", Some("Example, Inc."), "\"Example, Inc.\""),
    ] {
        let organisation = organisation.map(String::from).or_else(|| fixed_organisation(profile));
        let request = make_request(&key, "east", organisation.as_deref()).unwrap();
        fs::write(dir.path().join("request.pem"), request).unwrap();
        let output = run(dir.path(), "openssl", &["req", "-in", "request.pem", "-noout", "-subject"]);
        let subject = String::from_utf8(output.stdout).unwrap();
        assert!(subject.starts_with(&format!("subject=O = {wanted}, L = east, CN = east-")), "{subject}");
    }
}

#[test]
fn keys_made_elsewhere_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let openssl = |words: &str| run(dir.path(), "openssl", &words.split(' ').collect::<Vec<_>>());
    openssl("ecparam -name secp384r1 -genkey -out sec1-with-parameters.pem");
    openssl("ecparam -name prime256v1 -genkey -noout -out sec1.pem");
    openssl("genrsa -traditional -out pkcs1.pem 2048");
    openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pkcs8.pem");
    openssl("genpkey -algorithm ED25519 -out ed25519.pem");
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.pem");
    let cases = [
        ("sec1-with-parameters.pem", KeyForm::Sec1, KeyAlgorithm::P384),
        ("sec1.pem", KeyForm::Sec1, KeyAlgorithm::P256),
        ("pkcs1.pem", KeyForm::Pkcs1, KeyAlgorithm::Rsa(2048)),
        ("pkcs8.pem", KeyForm::Pkcs8, KeyAlgorithm::Rsa(2048)),
        ("ed25519.pem", KeyForm::Pkcs8, KeyAlgorithm::Ed25519),
        ("p521.pem", KeyForm::Pkcs8, KeyAlgorithm::P521),
    ];
    for (file, form, algorithm) in cases {
        let pem = fs::read(dir.path().join(file)).unwrap();
        let key = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!((key.form(), key.public_key().algorithm()), (form, algorithm), "{file}");
        let public = openssl(&format!("pkey -in {file} -pubout -outform DER")).stdout;
        assert_eq!(key.public_key().as_der(), public, "{file}");
        assert!(make_request(&key, "east", Some("Istio")).is_ok(), "{file}");
        let written = key.to_pem();
        assert!(String::from_utf8(pem).unwrap().ends_with(written.expose_secret()), "{file}");
        assert!(
            written.expose_secret().starts_with(&format!("-----BEGIN {}-----\n", form.label())),
            "{file}"
        );
    }
    openssl("pkey -in sec1.pem -aes256 -passout pass:x -out encrypted.pem");
    openssl("rsa -in pkcs1.pem -traditional -aes256 -passout pass:x -out old-encrypted.pem");
    openssl("ecparam -name secp256k1 -genkey -noout -out other-curve.pem");
    openssl("genrsa -out small.pem 1024");
    for (file, id) in [
        ("encrypted.pem", "key.encrypted"),
        ("old-encrypted.pem", "key.encrypted"),
        ("other-curve.pem", "key.unreadable"),
        ("small.pem", "key.unreadable"),
    ] {
        let pem = fs::read(dir.path().join(file)).unwrap();
        assert_eq!(PrivateKey::from_pem(&pem).unwrap_err().id, id, "{file}");
    }
}

/// A release for `east`, whose key and request are made by anchorite.
fn released(name: &str) -> (Pki, PrivateKey, BTreeMap<String, Vec<u8>>) {
    let pki = Pki::new("Example Root G1");
    let key = new_key(KeyAlgorithm::P256);
    fs::write(pki.path().join("east.csr"), make_request(&key, "east", Some("Istio")).unwrap()).unwrap();
    pki.sign("east", "intermediate", "root");
    let bundle = cluster_folder(&pki.release(name, &["east"]), "east");
    (pki, key, bundle)
}

fn options(noted: &[anchorite::x509::Digest]) -> AssembleOptions<'_> {
    AssembleOptions { noted, allow_rehearsal: false, at: now(), crls: &[], trust: None, secret: None }
}

fn try_assemble(pki: &Pki, bundle: &BTreeMap<String, Vec<u8>>, key: &PrivateKey) -> Result<Vec<OutFile>> {
    assemble(bundle, key, &options(&[pki.root_sha256()]), &OpenSsl).map(|joined| joined.files)
}

#[test]
fn bundle_and_key_make_cacerts() {
    let (pki, key, bundle) = released(NAME);
    let files = try_assemble(&pki, &bundle, &key).unwrap();
    assert_eq!(files, try_assemble(&pki, &bundle, &key).unwrap(), "the same input gives the same bytes");
    let names: Vec<_> = files.iter().map(|f| (f.name, f.secret)).collect();
    assert_eq!(
        names,
        [
            ("ca-cert.pem", false),
            ("ca-key.pem", true),
            ("cert-chain.pem", false),
            ("root-cert.pem", false),
            ("cacerts.yaml", true)
        ]
    );
    let dir = tempfile::tempdir().unwrap();
    for file in &files {
        fs::write(dir.path().join(file.name), &file.bytes).unwrap();
    }
    // What istiod does: the path, and the key that belongs to the certificate.
    assert!(succeeds(
        dir.path(),
        "verify -x509_strict -CAfile root-cert.pem -untrusted cert-chain.pem ca-cert.pem"
    ));
    let of_key = run(dir.path(), "openssl", &["pkey", "-in", "ca-key.pem", "-pubout"]).stdout;
    let of_cert = run(dir.path(), "openssl", &["x509", "-in", "ca-cert.pem", "-noout", "-pubkey"]).stdout;
    assert_eq!(of_key, of_cert);
    assert!(files.iter().all(|f| f.bytes.ends_with(b"\n")));
}

#[test]
fn the_secret_holds_the_very_files() {
    let (pki, key, bundle) = released(NAME);
    let files = try_assemble(&pki, &bundle, &key).unwrap();
    let (yaml, loose) = files.split_last().unwrap();
    let yaml = str::from_utf8(&yaml.bytes).unwrap();
    let (head, data) = yaml.split_once("\ndata:\n").unwrap();
    assert_eq!(
        head,
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: \"cacerts\"\n  namespace: \"istio-system\"\ntype: Opaque"
    );
    let dir = tempfile::tempdir().unwrap();
    let decoded: Vec<(&str, Vec<u8>)> = data
        .lines()
        .map(|line| {
            let (name, value) = line.strip_prefix("  ").unwrap().split_once(": ").unwrap();
            fs::write(dir.path().join("value"), value).unwrap();
            (name, run(dir.path(), "openssl", &["base64", "-d", "-A", "-in", "value"]).stdout)
        })
        .collect();
    let loose: Vec<(&str, Vec<u8>)> = loose.iter().map(|f| (f.name, f.bytes.to_vec())).collect();
    assert_eq!(decoded, loose);
}

#[test]
fn a_foreign_key_is_refused_with_both_key_ids() {
    let (pki, key, bundle) = released(NAME);
    let other = new_key(KeyAlgorithm::P256);
    let error = try_assemble(&pki, &bundle, &other).unwrap_err();
    assert_eq!((error.kind, error.id), (Kind::Refused, "assemble.key-mismatch"));
    for key in [&key, &other] {
        assert!(error.message.contains(&hex(&key.public_key().key_id())), "{error}");
    }
}

#[test]
fn bundles_that_are_not_as_released_are_refused() {
    let (pki, key, good) = released(NAME);
    pki.issue("west", "intermediate", "root", "/O=Istio/L=west/CN=west-1");
    let west = cluster_folder(&pki.release(NAME, &["west"]), "west");
    let other = Pki::new("Another Root");
    other.issue("east", "intermediate", "root", "/O=Istio/L=east/CN=east-1");
    let foreign = cluster_folder(&other.release(NAME, &["east"]), "east");
    let two_certificates = [good["ca-cert.pem"].clone(), west["ca-cert.pem"].clone()].concat();
    let foreign_chain = [foreign["ca-cert.pem"].clone(), good["root-cert.pem"].clone()].concat();
    type Changes<'a> = Vec<(&'a str, &'a [u8])>;
    let cases: [(&str, Changes, &str); 6] = [
        ("another certificate first", vec![("cert-chain.pem", &west["cert-chain.pem"])], "release.chain"),
        ("two certificates", vec![("ca-cert.pem", &two_certificates)], "release.pem"),
        (
            "another certificate",
            vec![("ca-cert.pem", &west["ca-cert.pem"]), ("cert-chain.pem", &west["cert-chain.pem"])],
            "release.receipt",
        ),
        (
            "a root that did not sign",
            vec![("ca-cert.pem", &foreign["ca-cert.pem"]), ("cert-chain.pem", &foreign_chain)],
            "test.openssl",
        ),
        ("an extra file", vec![("ca-key.pem", b"x")], "release.extra"),
        (
            "a key in a certificate's place",
            vec![("ca-cert.pem", b"-----BEGIN PRIVATE KEY-----\n")],
            "release.private-key",
        ),
    ];
    for (defect, changes, id) in cases {
        let mut bundle = good.clone();
        bundle.extend(changes.into_iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())));
        let error = try_assemble(&pki, &bundle, &key).unwrap_err();
        assert_eq!((error.kind, error.id), (Kind::Integrity, id), "{defect}: {error}");
    }
    // Good in itself: a root, an intermediate and a receipt of somebody else's making.
    assert_eq!(try_assemble(&other, &good, &key).unwrap_err().id, "release.root");
}

#[test]
fn a_rehearsal_is_refused() {
    let (pki, key, bundle) = released("anchorite-REHEARSAL-1");
    let error = try_assemble(&pki, &bundle, &key).unwrap_err();
    assert_eq!((error.kind, error.id), (Kind::Refused, "release.rehearsal"));
    let noted = [pki.root_sha256()];
    let allowed = AssembleOptions { allow_rehearsal: true, ..options(&noted) };
    assert!(assemble(&bundle, &key, &allowed, &OpenSsl).is_ok());
}
