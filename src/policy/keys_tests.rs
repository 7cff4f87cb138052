//! A policy key that decides nothing cannot exist: every key that the reader
//! knows is here, with a world in which changing it changes the decision.

use der::Encode as _;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::sample::{UNKNOWN, World, dns, request, rsa};
use super::{Consumer, Profile};
use crate::intake::{BasicConstraintsClaim, Usage};
use crate::x509::{Seconds, Serial, SignatureAlgorithm, Status};

/// What is decided: who refuses, who gets the bundle, and every byte of the certificate.
#[derive(Debug, PartialEq)]
struct Decided {
    refused_by: Vec<&'static str>,
    consumer: Option<Consumer>,
    cluster: Option<String>,
    certificate: Option<Vec<u8>>,
}

fn decided(world: &World) -> Decided {
    let decision = world.decide();
    let serial = Serial::from_bytes(&[9; 20]).unwrap();
    let grant = decision.grant.as_ref();
    let certificate = grant.map(|grant| {
        let specification = grant.specification(serial, &world.issuer).unwrap();
        specification.to_tbs().unwrap().as_der().to_vec()
    });
    Decided {
        refused_by: decision.findings.iter().filter(|f| f.refuses()).map(|f| f.rule).collect(),
        consumer: grant.map(|grant| grant.consumer()),
        cluster: decision.cluster.clone(),
        certificate,
    }
}

fn any(_: &mut World) {}

fn usage(world: &mut World) {
    world.claims().key_usage = Some(KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign));
}

fn names(world: &mut World) {
    let uri = der::asn1::Ia5String::new("spiffe://example.org/a").unwrap();
    let uri = x509_cert::ext::pkix::name::GeneralName::UniformResourceIdentifier(uri);
    world.claims().subject_alt_name = Some(vec![dns("ca.example.org"), uri]);
}

type Change = fn(&mut World);

/// Key, another value for it, and the world in which it matters.
const KEYS: &[(&str, &str, Change)] = &[
    ("path-length", "1", any),
    ("validity.default", "\"61d\"", any),
    ("validity.maximum", "\"299d\"", |w| w.claims().duration = Some(Seconds(300 * 86_400))),
    ("validity.minimum", "\"8d\"", |w| w.claims().duration = Some(Seconds(7 * 86_400))),
    ("validity.backdate", "\"10m\"", any),
    ("key.algorithms", "[\"p384\"]", any),
    ("key.rsa-minimum", "3072", |w| w.request().key = rsa(2048)),
    ("key.rsa-maximum", "3072", |w| w.request().key = rsa(4096)),
    ("signature.algorithms", "[\"rsa-sha256\"]", |w| w.issuer.signature = SignatureAlgorithm::EcdsaSha256),
    ("subject.required", "[\"L\"]", |w| *w.request() = request("L=east,CN=root", 1)),
    ("subject.allowed", "[\"O\", \"L\", \"CN\", \"OU\"]", |w| {
        *w.request() = request("O=Istio,OU=x,L=east,CN=root", 1)
    }),
    ("subject.cluster-id", "\"CN\"", any),
    ("subject.fixed", "{ O = \"Other\" }", any),
    ("subject.max-length", "{ CN = 3 }", any),
    ("key-usage.if-asked", "[]", usage),
    ("extensions.extended-key-usage", "[\"serverAuth\", \"clientAuth\"]", any),
    ("extensions.permitted-names", "[\"dns:example.org\"]", any),
    ("extensions.excluded-names", "[\"ip:10.0.0.0/8\"]", any),
    ("extensions.certificate-policies", "[\"1.3.6.1.4.1.99999.1\"]", any),
    ("extensions.crl-distribution-points", "[\"http://example.org/root.crl\"]", any),
    ("extensions.ca-issuers", "[\"http://example.org/root.der\"]", any),
    ("subject-alt-name.dns-suffixes", "[\"example.org\"]", names),
    ("subject-alt-name.uri-prefixes", "[\"spiffe://example.org/\"]", names),
    ("claims.validity", "\"tolerate\"", |w| w.claims().duration = Some(Seconds(301 * 86_400))),
    ("claims.basic-constraints", "\"refuse\"", |w| {
        w.claims().basic_constraints = Some(BasicConstraintsClaim { ca: false, path_len: None });
    }),
    ("claims.key-usage", "\"tolerate\"", usage),
    ("claims.extended-key-usage", "\"refuse\"", |w| w.claims().extended_key_usage = vec![UNKNOWN]),
    ("claims.usages", "\"refuse\"", |w| w.within(|o| o.usages = vec![Usage::parse("client auth").unwrap()])),
    ("claims.subject-alt-name", "\"refuse\"", names),
    ("claims.subject-key-identifier", "\"refuse\"", |w| w.claims().subject_key_id = Some(vec![1])),
    ("claims.other-extensions", "\"refuse\"", |w| w.claims().other_extensions = vec![(UNKNOWN, false)]),
    ("claims.other-attributes", "\"refuse\"", |w| w.claims().other_attributes = vec![UNKNOWN]),
    ("request.sender", "\"require\"", any),
    ("renewal.same-key", "\"allow\"", |w| w.issued(1, "O=Istio,L=east,CN=root", Status::Released)),
    ("renewal.same-subject", "\"allow\"", |w| w.issued(2, "O=Istio,L=east,CN=root", Status::Released)),
    ("renewal.spacing", "\"90d\"", |w| w.issued(2, "O=Istio,L=east,CN=before", Status::Released)),
    ("crl.pre-signed", "\"require\"", any),
    ("release.consumer", "\"pem\"", any),
];

#[test]
fn changing_a_key_changes_the_decision() {
    for (key, value, prepare) in KEYS {
        let mut world = World::new();
        prepare(&mut world);
        let before = decided(&world);
        world.set(key, value);
        assert_ne!(decided(&world), before, "{key} decides nothing");
    }
}

#[test]
fn the_reader_knows_these_keys_and_no_others() {
    let known_beneath = |section: &str| -> Option<Vec<String>> {
        let validity = "default = \"2d\"\nmaximum = \"2d\"\n";
        let (head, validity) = match section {
            "" => ("no-such-key-at-all = 1", format!("[validity]\n{validity}")),
            "validity" => ("", format!("[validity]\n{validity}no-such-key-at-all = 1")),
            other => ("", format!("[validity]\n{validity}[{other}]\nno-such-key-at-all = 1")),
        };
        let e = Profile::parse("x.toml", &format!("path-length = 0\n{head}\n{validity}")).unwrap_err();
        let known = e.next.strip_prefix("known here: ").map(|k| k.split(", ").map(Into::into).collect());
        known.filter(|_| e.id == "policy.unknown-key")
    };
    let mut read = Vec::new();
    for section in known_beneath("").unwrap() {
        if section == "path-length" {
            read.push(section);
        } else {
            let keys = known_beneath(&section).unwrap_or_else(|| panic!("{section} is no section"));
            read.extend(keys.iter().map(|key| format!("{section}.{key}")));
        }
    }
    let mut here: Vec<_> = KEYS.iter().map(|(key, ..)| (*key).to_owned()).collect();
    here.sort();
    read.sort();
    assert_eq!(read, here);
}

#[test]
fn shipped_policies_explain_every_key() {
    for (file, text) in super::SHIPPED {
        for (key, ..) in KEYS {
            let last = key.rsplit('.').next().unwrap();
            assert!(text.lines().any(|line| line.starts_with(&format!("{last} = "))), "{file} lacks {key}");
        }
    }
}

#[test]
fn extensions_come_out_as_rfc_5280_has_them() {
    let mut world = World::new();
    for (key, value, _) in KEYS.iter().filter(|(key, ..)| key.starts_with("extensions.")) {
        world.set(key, value);
    }
    world.set("subject-alt-name.dns-suffixes", "[\"example.org\"]");
    names(&mut world);
    let grant = world.decide().grant.unwrap();
    let serial = Serial::from_bytes(&[9]).unwrap();
    let specification = grant.specification(serial.clone(), &world.issuer).unwrap();
    let listed: Vec<(String, bool)> =
        specification.extensions.iter().map(|e| (e.extn_id.to_string(), e.critical)).collect();
    let wanted = [
        ("2.5.29.19", true),
        ("2.5.29.15", true),
        ("2.5.29.14", false),
        ("2.5.29.35", false),
        ("2.5.29.37", false),
        ("2.5.29.17", false),
        ("2.5.29.30", true),
        ("2.5.29.32", false),
        ("2.5.29.31", false),
        ("1.3.6.1.5.5.7.1.1", false),
    ];
    assert_eq!(listed, wanted.map(|(oid, critical)| (oid.to_owned(), critical)));
    let value = |i: usize| specification.extensions[i].extn_value.as_bytes().to_vec();
    assert_eq!(value(0), [0x30, 6, 1, 1, 0xff, 2, 1, 0], "CA:TRUE, pathlen:0");
    assert_eq!(value(1), [3, 2, 1, 6], "keyCertSign and cRLSign");
    assert_eq!(value(3), [vec![0x30, 22, 0x80, 20], vec![0xaa; 20]].concat(), "the issuer's key id alone");
    assert_eq!(value(5), [&[0x30, 16, 0x82, 14], "ca.example.org".as_bytes()].concat(), "the URI is dropped");
    assert_eq!(value(9)[..2].to_vec(), [0x30, value(9).len() as u8 - 2]);
    assert!(specification.extensions.iter().all(|e| e.to_der().is_ok()));
    let again = grant.specification(serial, &world.issuer).unwrap();
    assert_eq!(again.to_tbs().unwrap(), specification.to_tbs().unwrap());
}
