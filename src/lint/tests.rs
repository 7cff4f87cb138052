//! Each lint accepts what is sound and refuses its defect, and nothing else
//! refuses with it but what is said to.

use std::collections::BTreeSet;

use rcgen::{KeyPair, PublicKeyData as _};

use super::CertificateKind::{Intermediate, Journal, Root};
use super::asn1::write;
use super::fixtures::{AIA, AKI, BC, CP, CRLDP, EKU, KU, NC, Raw, SAN, SKI, key, name, public, tbs};
use super::*;
use crate::x509::PublicKey;

struct Scene {
    root: Issuer,
    other: KeyPair,
}

struct Case {
    id: &'static str,
    kind: CertificateKind,
    accept: fn(&Scene, &mut Raw),
    refuse: fn(&Scene, &mut Raw),
    /// Lints that cannot but refuse the same defect.
    also: &'static [&'static str],
}

const CN: &[u8] = &[0x55, 0x04, 0x03];
const C: &[u8] = &[0x55, 0x04, 0x06];
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const CA: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
const PURPOSE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03];

fn sound(_: &Scene, _: &mut Raw) {}

fn serial(octets: &[u8]) -> Vec<u8> {
    write(0x02, octets)
}

fn cn(tag: u8, value: &[u8]) -> Vec<u8> {
    name(&[(CN, tag, value)])
}

fn country(tag: u8, value: &[u8]) -> Vec<u8> {
    name(&[(C, tag, value), (CN, UTF8, b"east")])
}

fn rsa(octets: usize, last: u8, exponent: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0xc5; octets];
    modulus[octets - 1] = last;
    PublicKey::from_rsa(&modulus, exponent).unwrap().as_der().to_vec()
}

/// A SubjectPublicKeyInfo from the content of its AlgorithmIdentifier and the bits.
fn spki(algorithm: &[u8], bits: &[u8]) -> Vec<u8> {
    write(0x30, &[write(0x30, algorithm), write(0x03, &[&[0], bits].concat())].concat())
}

const EC_P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const EC_P521: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23";

fn purposes(last: &[u8]) -> Vec<u8> {
    let purpose = |n: &u8| write(0x06, &[PURPOSE, &[*n]].concat());
    write(0x30, &last.iter().flat_map(purpose).collect::<Vec<u8>>())
}

fn dns(name: &[u8]) -> Vec<u8> {
    write(0x82, name)
}

fn permitted(base: &[u8]) -> Vec<u8> {
    write(0x30, &write(0xa0, &write(0x30, base)))
}

fn policies(list: &[&[u8]]) -> Vec<u8> {
    let policy = |oid: &&[u8]| write(0x30, &write(0x06, oid));
    write(0x30, &list.iter().flat_map(policy).collect::<Vec<u8>>())
}

fn distribution(uri: &[u8]) -> Vec<u8> {
    write(0x30, &write(0x30, &write(0xa0, &write(0xa0, &write(0x86, uri)))))
}

fn issuers_at(uri: &[u8]) -> Vec<u8> {
    let method = write(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02]);
    write(0x30, &write(0x30, &[method, write(0x86, uri)].concat()))
}

const fn refuses(id: &'static str, kind: CertificateKind, refuse: fn(&Scene, &mut Raw)) -> Case {
    Case { id, kind, accept: sound, refuse, also: &[] }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { also: &["lint.parse"], ..refuses("lint.der", Intermediate, |_, r| r.version = b"\xa0\x81\x03\x02\x01\x02".to_vec()) },
    Case { also: &["lint.parse"], ..refuses("lint.der", Intermediate, |_, r| r.serial = b"\x02\x02\x00\x01".to_vec()) },
    refuses("lint.parse", Intermediate, |_, r| r.validity.clear()),
    refuses("lint.parse", Intermediate, |_, r| r.tail = vec![0xa4, 0x00]),
    refuses("lint.parse", Intermediate, |_, r| r.subject = b"\x30\x02\x31\x00".to_vec()),
    refuses("lint.version", Intermediate, |_, r| r.version.clear()),
    refuses("lint.version", Root, |_, r| r.version = b"\xa0\x03\x02\x01\x01".to_vec()),
    Case { accept: |_, r| r.serial = serial(&[0x7f; 20]), also: &["lint.serial-entropy"], ..refuses("lint.serial", Intermediate, |_, r| r.serial = serial(&[0x7f; 21])) },
    Case { also: &["lint.serial-entropy"], ..refuses("lint.serial", Intermediate, |_, r| r.serial = serial(&[0])) },
    Case { also: &["lint.serial-entropy"], ..refuses("lint.serial", Journal, |_, r| r.serial = serial(&[0x80; 16])) },
    Case { accept: |_, r| r.serial = serial(&[1; 8]), ..refuses("lint.serial-entropy", Root, |_, r| r.serial = serial(&[1; 7])) },
    refuses("lint.signature", Intermediate, |_, r| r.signature = b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00".to_vec()),
    refuses("lint.signature", Intermediate, |_, r| r.signature = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03".to_vec()),
    refuses("lint.unique-ids", Intermediate, |_, r| r.unique_ids = b"\x82\x02\x00\x01".to_vec()),
    refuses("lint.issuer", Intermediate, |_, r| r.issuer = cn(PRINTABLE, b"Root")),
    refuses("lint.issuer", Root, |_, r| r.issuer = cn(PRINTABLE, b"Root")),
    refuses("lint.subject.present", Intermediate, |_, r| r.subject = b"\x30\x00".to_vec()),
    refuses("lint.subject.issuer", Intermediate, |_, r| r.subject = r.issuer.clone()),
    Case { accept: |_, r| r.subject = cn(UTF8, "Zürich".as_bytes()), ..refuses("lint.subject.text", Intermediate, |_, r| r.subject = cn(UTF8, "a\u{202e}b".as_bytes())) },
    refuses("lint.subject.text", Intermediate, |_, r| r.subject = cn(UTF8, b"a\x1b[31m")),
    refuses("lint.subject.text", Intermediate, |_, r| r.subject = cn(UTF8, b"")),
    Case { accept: |_, r| r.subject = cn(UTF8, "ü".repeat(64).as_bytes()), ..refuses("lint.subject.length", Intermediate, |_, r| r.subject = cn(UTF8, &[b'a'; 65])) },
    Case { accept: |_, r| r.subject = cn(PRINTABLE, b"east"), ..refuses("lint.subject.string-type", Intermediate, |_, r| r.subject = cn(0x14, b"east")) },
    refuses("lint.subject.string-type", Intermediate, |_, r| r.subject = country(UTF8, b"CH")),
    Case { accept: |_, r| r.subject = country(PRINTABLE, b"CH"), ..refuses("lint.subject.country", Intermediate, |_, r| r.subject = country(PRINTABLE, b"ch")) },
    Case { also: &["lint.subject.length"], ..refuses("lint.subject.country", Intermediate, |_, r| r.subject = country(PRINTABLE, b"CHE")) },
    Case { accept: |s, r| { own(s, r); r.set_validity("240101000000Z", "20500101000000Z") }, ..refuses("lint.validity.encoding", Root, |_, r| r.set_validity("240101000000Z", "20491231235959Z")) },
    refuses("lint.validity.encoding", Intermediate, |_, r| r.set_validity("20250101000000Z", "350101000000Z")),
    refuses("lint.validity.order", Intermediate, |_, r| r.set_validity("350101000000Z", "250101000000Z")),
    refuses("lint.validity.order", Root, |_, r| r.set_validity("350101000000Z", "350101000000Z")),
    Case { accept: |_, r| r.set_validity("240101000000Z", "440101000000Z"), ..refuses("lint.validity.nested", Intermediate, |_, r| r.set_validity("240101000000Z", "440101000001Z")) },
    refuses("lint.validity.nested", Journal, |_, r| r.set_validity("231231235959Z", "440101000000Z")),
    Case { accept: |_, r| r.set_key(&rsa(256, 1, &[1, 0, 1])), ..refuses("lint.key.algorithm", Intermediate, |_, r| r.set_key(&spki(EC_P521, &[4; 133]))) },
    Case { accept: |_, r| r.set_key(&KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().subject_public_key_info()), ..refuses("lint.key.algorithm", Intermediate, |_, r| r.set_key(&spki(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", &[0x30, 0]))) },
    Case { accept: |_, r| r.set_key(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().subject_public_key_info()), ..refuses("lint.key.encoding", Intermediate, |_, r| r.set_key(&spki(EC_P256, &[[4].as_slice(), &[7; 64]].concat()))) },
    refuses("lint.key.encoding", Intermediate, |s, r| r.set_key(&spki(EC_P256, &[&[2 + s.other.der_bytes()[64] % 2], &s.other.der_bytes()[1..33]].concat()))),
    Case { accept: |_, r| r.set_key(&rsa(256, 1, &[1, 0, 1])), ..refuses("lint.key.rsa-modulus", Intermediate, |_, r| r.set_key(&rsa(255, 1, &[1, 0, 1]))) },
    refuses("lint.key.rsa-modulus", Intermediate, |_, r| r.set_key(&rsa(256, 2, &[1, 0, 1]))),
    Case { accept: |_, r| r.set_key(&rsa(256, 1, &[1, 0, 1])), ..refuses("lint.key.rsa-exponent", Intermediate, |_, r| r.set_key(&rsa(256, 1, &[3]))) },
    refuses("lint.key.rsa-exponent", Intermediate, |_, r| r.set_key(&rsa(256, 1, &[1, 0, 2]))),
    refuses("lint.key.issuer", Intermediate, |s, r| r.set_key(s.root.public_key.as_der())),
    refuses("lint.key.issuer", Journal, |s, r| r.set_key(s.root.public_key.as_der())),
    refuses("lint.extension.duplicate", Intermediate, |_, r| r.extensions.push(r.extensions[0].clone())),
    refuses("lint.extension.known", Journal, |_, r| r.set(SAN, false, &write(0x30, &dns(b"a")))),
    refuses("lint.extension.known", Root, |_, r| r.set(CP, false, &policies(&[&[0x2a, 0x03]]))),
    Case { also: &["lint.extension.canonical"], ..refuses("lint.extension.known", Intermediate, |_, r| r.set(&[0x2a, 0x03, 0x04], false, &[5, 0])) },
    refuses("lint.extension.criticality", Intermediate, |_, r| r.set(BC, false, b"\x30\x06\x01\x01\xff\x02\x01\x00")),
    refuses("lint.extension.criticality", Journal, |_, r| r.set(EKU, false, &purposes(&[36]))),
    refuses("lint.extension.criticality", Root, |_, r| r.extensions[2].1 = Some(true)),
    refuses("lint.extension.default", Root, |_, r| r.extensions[2].1 = Some(false)),
    refuses("lint.extension.canonical", Intermediate, |_, r| r.set(KU, true, b"\x03\x02\x00\x06")),
    refuses("lint.extension.canonical", Journal, |_, r| r.set(BC, true, b"\x30\x03\x01\x01\x00")),
    refuses("lint.extension.canonical", Intermediate, |_, r| r.set(NC, true, &write(0x30, &write(0xa0, &write(0x30, &[dns(b"a"), vec![0x80, 1, 0]].concat()))))),
    refuses("lint.extension.canonical", Intermediate, |_, r| r.extensions[2].2.push(0)),
    refuses("lint.basic-constraints.ca", Intermediate, |_, r| r.set(BC, true, b"\x30\x03\x02\x01\x00")),
    Case { also: &["lint.basic-constraints.path-length"], ..refuses("lint.basic-constraints.ca", Intermediate, |_, r| r.remove(BC)) },
    refuses("lint.basic-constraints.ca", Journal, |_, r| r.set(BC, true, CA)),
    refuses("lint.basic-constraints.path-length", Intermediate, |_, r| r.set(BC, true, CA)),
    refuses("lint.basic-constraints.path-length", Journal, |_, r| r.set(BC, true, b"\x30\x03\x02\x01\x00")),
    Case { accept: |_, r| r.set(KU, true, b"\x03\x02\x01\x86"), ..refuses("lint.key-usage", Intermediate, |_, r| r.set(KU, true, b"\x03\x02\x02\x04")) },
    refuses("lint.key-usage", Intermediate, |_, r| r.remove(KU)),
    refuses("lint.key-usage", Intermediate, |_, r| r.set(KU, true, b"\x03\x02\x01\x0e")),
    refuses("lint.key-usage", Root, |_, r| r.set(KU, true, b"\x03\x02\x01\x86")),
    refuses("lint.key-usage", Journal, |_, r| r.set(KU, true, b"\x03\x02\x06\xc0")),
    Case { accept: |_, r| { r.set_key(&rsa(256, 1, &[1, 0, 1])); r.set(KU, true, b"\x03\x02\x01\x26") }, ..refuses("lint.key-usage.encipherment", Intermediate, |_, r| r.set(KU, true, b"\x03\x02\x01\x26")) },
    refuses("lint.extended-key-usage.journal", Journal, |_, r| r.remove(EKU)),
    refuses("lint.extended-key-usage.journal", Journal, |_, r| r.set(EKU, true, &purposes(&[36, 3]))),
    Case { accept: |_, r| r.set(EKU, false, &purposes(&[1, 2])), ..refuses("lint.extended-key-usage.ca", Intermediate, |_, r| r.set(EKU, false, b"\x30\x06\x06\x04\x55\x1d\x25\x00")) },
    refuses("lint.extended-key-usage.ca", Intermediate, |_, r| r.set(EKU, false, &purposes(&[2, 2]))),
    Case { accept: |_, r| r.set(EKU, false, &purposes(&[2])), ..refuses("lint.extended-key-usage.client", Intermediate, |_, r| r.set(EKU, false, &purposes(&[1]))) },
    Case { accept: |_, r| { let id = PublicKey::from_der(&r.key).unwrap().key_id_sha1(); r.set(SKI, false, &write(0x04, &id)) }, ..refuses("lint.subject-key-id", Intermediate, |_, r| r.remove(SKI)) },
    refuses("lint.subject-key-id", Root, |_, r| r.set(SKI, false, &write(0x04, &[1; 20]))),
    refuses("lint.authority-key-id", Intermediate, |_, r| r.remove(AKI)),
    refuses("lint.authority-key-id", Intermediate, |s, r| r.set(AKI, false, &write(0x30, &[write(0x80, &s.root.key_id), write(0xa1, &dns(b"a")), vec![0x82, 1, 1]].concat()))),
    refuses("lint.authority-key-id", Journal, |_, r| r.set(AKI, false, &write(0x30, &write(0x80, &[1; 20])))),
    Case { accept: own, ..refuses("lint.authority-key-id", Root, |_, r| r.set(AKI, false, &write(0x30, &write(0x80, &[1; 20])))) },
    Case { accept: |_, r| r.set(SAN, false, &write(0x30, &dns(b"mesh.example"))), ..refuses("lint.subject-alt-name", Intermediate, |_, r| r.set(SAN, false, &[0x30, 0])) },
    refuses("lint.subject-alt-name", Intermediate, |_, r| r.set(SAN, false, &write(0x30, &dns(b"mesh example")))),
    Case { accept: |_, r| r.set(NC, true, &permitted(&dns(b"mesh.example"))), ..refuses("lint.name-constraints", Intermediate, |_, r| r.set(NC, true, &[0x30, 0])) },
    Case { accept: |_, r| r.set(NC, true, &permitted(&write(0x87, &[0; 8]))), ..refuses("lint.name-constraints", Intermediate, |_, r| r.set(NC, true, &permitted(&write(0x87, &[10, 0, 0, 1])))) },
    Case { accept: |_, r| r.set(CP, false, &policies(&[&[0x2a, 0x03], &[0x2a, 0x04]])), ..refuses("lint.certificate-policies", Intermediate, |_, r| r.set(CP, false, &policies(&[&[0x2a, 0x03], &[0x2a, 0x03]]))) },
    refuses("lint.certificate-policies", Intermediate, |_, r| r.set(CP, false, &[0x30, 0])),
    Case { accept: |_, r| r.set(CRLDP, false, &distribution(b"http://crl.example/root.crl")), ..refuses("lint.crl-distribution-points", Intermediate, |_, r| r.set(CRLDP, false, &distribution(b"https://crl.example/root.crl"))) },
    refuses("lint.crl-distribution-points", Intermediate, |_, r| r.set(CRLDP, false, &[0x30, 0])),
    Case { accept: |_, r| r.set(AIA, false, &issuers_at(b"http://ca.example/root.crt")), ..refuses("lint.authority-info-access", Intermediate, |_, r| r.set(AIA, false, &issuers_at(b"ldap://ca.example/"))) },
];

/// A root with an authority key identifier of its own.
fn own(_: &Scene, raw: &mut Raw) {
    let id = PublicKey::from_der(&raw.key).unwrap().key_id();
    raw.set(AKI, false, &write(0x30, &write(0x80, &id)));
}

fn scene() -> (Scene, Raw) {
    let root_key = key();
    let raw = Raw::new(Root, "O=Example,CN=Example Root", &root_key, None);
    let root = Issuer::from_der(&raw.sign(&root_key)).unwrap();
    (Scene { root, other: key() }, raw)
}

fn ids(der: &[u8], kind: CertificateKind, issuer: &Issuer) -> BTreeSet<&'static str> {
    let issuer = (kind != Root).then_some(issuer);
    findings(der, SignatureAlgorithm::EcdsaSha256, kind, issuer).iter().map(|f| f.rule).collect()
}

#[test]
fn every_lint_accepts_and_refuses() {
    let (scene, root) = scene();
    for (n, case) in CASES.iter().enumerate() {
        let above = (case.kind != Root).then_some(&root);
        let sound = Raw::new(case.kind, "O=Example,CN=east", &scene.other, above);
        let (mut good, mut bad) = (sound.clone(), sound);
        (case.accept)(&scene, &mut good);
        (case.refuse)(&scene, &mut bad);
        assert_eq!(ids(&good.der(), case.kind, &scene.root), BTreeSet::new(), "case {n} of {}", case.id);
        let wanted = case.also.iter().copied().chain([case.id]).collect();
        assert_eq!(ids(&bad.der(), case.kind, &scene.root), wanted, "case {n} of {}", case.id);
    }
}

#[test]
fn every_lint_has_a_case_an_id_of_its_own_and_a_citation() {
    let listed: Vec<_> = LINTS.iter().map(|l| l.id).collect();
    // A renewal needs a root before it: it has a test of its own.
    let tried: BTreeSet<_> = CASES.iter().map(|c| c.id).chain(["lint.renewal"]).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), tried);
    assert_eq!(listed.len(), tried.len(), "an ID is listed twice");
    for lint in LINTS {
        assert!(lint.id.starts_with("lint.") && !lint.reference.is_empty() && !lint.summary.is_empty());
    }
}

#[test]
fn path_lengths_fit_beneath_the_issuers() {
    let (mut scene, root) = scene();
    let with = |length: u8| {
        let mut raw = Raw::new(Intermediate, "CN=east", &scene.other, Some(&root));
        raw.set(BC, true, &[0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, length]);
        raw.der()
    };
    let (zero, one) = (with(0), with(1));
    let refused = BTreeSet::from(["lint.basic-constraints.path-length"]);
    for (issuers, der, sound) in [
        (None, &one, true),
        (Some(2), &one, true),
        (Some(1), &one, false),
        (Some(1), &zero, true),
        (Some(0), &zero, false),
    ] {
        scene.root.path_len = issuers;
        let expected = if sound { BTreeSet::new() } else { refused.clone() };
        assert_eq!(ids(der, Intermediate, &scene.root), expected, "beneath {issuers:?}");
    }
}

#[test]
fn a_renewal_keeps_what_the_root_before_it_has() {
    // A name and an identifier that no root made here would have.
    let (_, mut before) = scene();
    before.subject = cn(0x14, b"Wurzel");
    before.issuer = before.subject.clone();
    before.set(SKI, false, &write(0x04, &[7; 12]));
    let signer = key();
    before.set_key(&signer.subject_public_key_info());
    before.set(SKI, false, &write(0x04, &[7; 12]));
    let issuer = Issuer::from_der(&before.sign(&signer)).unwrap();
    let mut sound = before.clone();
    sound.serial = serial(&[3; 16]);
    sound.set_validity("240101000000Z", "20540101000000Z");
    let ids = |raw: &Raw, before: Option<&Issuer>| -> Vec<&'static str> {
        let found = findings(&raw.der(), SignatureAlgorithm::EcdsaSha256, Root, before);
        found.iter().map(|f| f.rule).collect()
    };
    assert_eq!(ids(&sound, Some(&issuer)), [""; 0]);
    assert_eq!(ids(&sound, None), ["lint.subject.string-type", "lint.subject-key-id"]);
    let defects: [fn(&mut Raw, &Raw); 7] = [
        |r, _| (r.subject, r.issuer) = (cn(UTF8, b"Wurzel"), cn(UTF8, b"Wurzel")),
        |r, _| r.set_key(&key().subject_public_key_info()),
        |r, _| r.set(SKI, false, &write(0x04, &[7; 13])),
        |r, _| r.set(BC, true, b"\x30\x06\x01\x01\xff\x02\x01\x02"),
        |r, before| r.serial.clone_from(&before.serial),
        |r, _| r.set_validity("240101000000Z", "440101000000Z"),
        |r, _| r.set_validity("300101000000Z", "20540101000000Z"),
    ];
    for (n, defect) in defects.into_iter().enumerate() {
        let mut bad = sound.clone();
        defect(&mut bad, &before);
        assert_eq!(ids(&bad, Some(&issuer)), ["lint.renewal"], "defect {n}");
    }
}

#[test]
fn the_planned_algorithm_must_be_one_the_signer_has() {
    let (scene, root) = scene();
    let mut raw = Raw::new(Intermediate, "CN=east", &scene.other, Some(&root));
    raw.signature = b"\x30\x05\x06\x03\x2b\x65\x70".to_vec();
    let found = findings(&raw.der(), SignatureAlgorithm::Ed25519, Intermediate, Some(&scene.root));
    assert_eq!(found.iter().map(|f| f.rule).collect::<Vec<_>>(), ["lint.signature"]);
}

#[test]
fn without_an_issuer_only_a_root_passes() {
    let (scene, root) = scene();
    let der = Raw::new(Intermediate, "CN=east", &scene.other, Some(&root)).der();
    let found = findings(&der, SignatureAlgorithm::EcdsaSha256, Intermediate, None);
    assert!(found.iter().any(Finding::refuses));
    assert_eq!(findings(&root.der(), SignatureAlgorithm::EcdsaSha256, Root, None), []);
}

#[test]
fn linted_is_had_by_passing_and_a_failure_names_every_lint() {
    let (scene, _) = scene();
    let above = || Some((scene.root.subject.clone(), &scene.root.public_key));
    let sound = tbs(Intermediate, "O=Example,CN=east", &public(&scene.other), above());
    let linted = lint(sound.clone(), Intermediate, Some(&scene.root)).unwrap();
    assert_eq!(linted.get(), &sound);
    assert!(linted.warnings().is_empty());
    assert_eq!(linted.into_inner(), sound);

    let error = Error::from(lint(sound, Journal, Some(&scene.root)).unwrap_err());
    assert_eq!((error.id, error.kind.exit_code()), ("lint.failed", 4));
    for id in ["lint.basic-constraints.ca", "lint.key-usage", "lint.extended-key-usage.journal"] {
        assert!(error.message.contains(id), "{}", error.message);
    }
}

#[test]
fn no_bytes_make_a_lint_panic() {
    let (scene, root) = scene();
    let der = Raw::new(Intermediate, "CN=east", &scene.other, Some(&root)).der();
    for n in 0..der.len() {
        for value in [0x00, 0x30, 0x7f, 0x80, 0xa0, 0xff] {
            let mut bent = der.clone();
            bent[n] = value;
            findings(&bent, SignatureAlgorithm::EcdsaSha256, Intermediate, Some(&scene.root));
        }
        assert!(
            !findings(&der[..n], SignatureAlgorithm::EcdsaSha256, Intermediate, Some(&scene.root)).is_empty()
        );
    }
}
