//! Each rule of fitness lets a sound root pass and finds its defect.

use std::collections::BTreeSet;

use rcgen::{KeyPair, PublicKeyData as _};

use crate::finding::Outcome;
use crate::lint::CertificateKind::Root;
use crate::lint::asn1::write;
use crate::lint::fixtures::{AKI, BC, CP, EKU, KU, NC, NOW, Raw, SKI, assemble, key, name, time};
use crate::verify::{ADOPTION_RULES, judge_adopted};

const ECDSA_SHA1: &[u8] = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01";
const CN: &[u8] = &[0x55, 0x04, 0x03];

struct Case {
    /// The rules that must find it.
    ids: &'static [&'static str],
    outcome: Outcome,
    defect: fn(&mut Raw),
}

const fn refuses(ids: &'static [&'static str], defect: fn(&mut Raw)) -> Case {
    Case { ids, outcome: Outcome::Refused, defect }
}

const fn warns(ids: &'static [&'static str], defect: fn(&mut Raw)) -> Case {
    Case { ids, outcome: Outcome::Warning, defect }
}

fn named(raw: &mut Raw, tag: u8, value: &[u8]) {
    raw.subject = name(&[(CN, tag, value)]);
    raw.issuer = raw.subject.clone();
}

/// What no root made here has, and no rule minds.
const TAKEN_AS_IT_IS: &[fn(&mut Raw)] = &[
    |_| {},
    |r| named(r, 0x14, b"Old Root"),
    |r| r.serial = write(0x02, &[1]),
    |r| r.set(SKI, false, &write(0x04, &[9; 8])),
    |r| r.set(AKI, false, &write(0x30, &write(0x80, r.extensions[2].2.get(2..).unwrap()))),
    |r| r.set(BC, true, b"\x30\x06\x01\x01\xff\x02\x01\x01"),
    |r| r.set(KU, true, b"\x03\x02\x01\x86"),
    |r| r.set(CP, false, b"\x30\x06\x30\x04\x06\x02\x2a\x03"),
    |r| r.set(&[0x2a, 0x03, 0x04], false, &[5, 0]),
];

#[rustfmt::skip]
const CASES: &[Case] = &[
    refuses(&["adopt.version"], |r| r.version.clear()),
    refuses(&["adopt.version"], |r| r.version = b"\xa0\x03\x02\x01\x01".to_vec()),
    refuses(&["adopt.serial"], |r| r.serial = write(0x02, &[0])),
    refuses(&["adopt.self-issued"], |r| r.issuer = name(&[(CN, 0x13, b"Root")])),
    refuses(&["adopt.subject"], |r| { r.subject = b"\x30\x00".to_vec(); r.issuer = r.subject.clone() }),
    refuses(&["lint.subject.text"], |r| named(r, 0x0c, b"a\x1b[31m")),
    refuses(&["adopt.validity"], |r| r.set_validity("240101000000Z", "291231235959Z")),
    refuses(&["adopt.validity"], |r| r.set_validity("300101000001Z", "440101000000Z")),
    warns(&["adopt.validity-left"], |r| r.set_validity("240101000000Z", "301231000000Z")),
    refuses(&["adopt.signature-algorithm", "adopt.signature"], |r| r.signature = ECDSA_SHA1.to_vec()),
    refuses(&["adopt.basic-constraints"], |r| r.set(BC, false, b"\x30\x03\x01\x01\xff")),
    refuses(&["adopt.basic-constraints", "lint.basic-constraints.ca"], |r| r.set(BC, true, b"\x30\x00")),
    refuses(&["adopt.basic-constraints", "lint.basic-constraints.ca"], |r| r.remove(BC)),
    refuses(&["adopt.path-length"], |r| r.set(BC, true, b"\x30\x06\x01\x01\xff\x02\x01\x00")),
    refuses(&["adopt.key-usage"], |r| r.set(KU, true, b"\x03\x02\x01\x02")),
    warns(&["adopt.key-usage-critical"], |r| r.set(KU, false, b"\x03\x02\x01\x06")),
    warns(&["adopt.crl-sign"], |r| r.set(KU, true, b"\x03\x02\x02\x04")),
    refuses(&["adopt.subject-key-id"], |r| r.remove(SKI)),
    refuses(&["adopt.subject-key-id"], |r| r.set(SKI, false, &write(0x04, &[7; 65]))),
    refuses(&["adopt.authority-key-id"], |r| r.set(AKI, false, &write(0x30, &write(0x80, &[1; 20])))),
    refuses(&["adopt.extensions"], |r| r.set(NC, true, b"\x30\x0b\xa0\x09\x30\x07\x82\x05a.org")),
    refuses(&["adopt.extensions"], |r| r.set(EKU, false, b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")),
    refuses(&["adopt.extensions"], |r| r.set(&[0x2a, 0x03, 0x04], true, &[5, 0])),
    refuses(&["lint.extension.duplicate"], |r| r.extensions.push(r.extensions[1].clone())),
    refuses(&["adopt.readers"], |r| r.set(KU, true, b"\x03\x02\x00\x06")),
    refuses(&["lint.unique-ids"], |r| r.unique_ids = b"\x82\x02\x00\x01".to_vec()),
];

fn sound(pair: &KeyPair) -> Raw {
    Raw::new(Root, "O=Example,CN=Old Root", pair, None)
}

fn found(der: &[u8], outcome: Outcome) -> BTreeSet<&'static str> {
    let all = judge_adopted(der, time(NOW));
    all.iter().filter(|f| f.outcome == outcome).map(|f| f.rule).collect()
}

#[test]
fn what_only_differs_in_style_is_taken_as_it_is() {
    for (n, change) in TAKEN_AS_IT_IS.iter().enumerate() {
        let pair = key();
        let mut raw = sound(&pair);
        change(&mut raw);
        let all = judge_adopted(&raw.sign(&pair), time(NOW));
        assert!(all.iter().all(|f| f.outcome == Outcome::Pass), "{n}: {all:?}");
        assert_eq!(all.len(), ADOPTION_RULES.len() + 1, "each of them speaks");
    }
}

#[test]
fn each_rule_finds_its_defect_and_nothing_else_does() {
    for (n, case) in CASES.iter().enumerate() {
        let pair = key();
        let mut raw = sound(&pair);
        (case.defect)(&mut raw);
        let der = raw.sign(&pair);
        let wanted = case.ids.iter().copied().collect();
        assert_eq!(found(&der, case.outcome), wanted, "case {n}: {:?}", judge_adopted(&der, time(NOW)));
        let other = if case.outcome == Outcome::Refused { Outcome::Warning } else { Outcome::Refused };
        let beside = found(&der, other);
        assert!(
            beside.iter().all(|id| id.contains("key-usage")
                || *id == "adopt.crl-sign"
                || *id == "adopt.validity-left"),
            "case {n}: {beside:?}"
        );
    }
}

#[test]
fn a_signature_that_is_not_its_own() {
    let (pair, raw) = {
        let pair = key();
        let raw = sound(&pair);
        (pair, raw)
    };
    let der = raw.sign(&key());
    assert_eq!(found(&der, Outcome::Refused), BTreeSet::from(["adopt.signature"]));
    let sha384 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    let signature = rcgen::SigningKey::sign(&pair, &raw.der()).unwrap();
    let der = assemble(&raw.der(), sha384, &signature);
    assert!(found(&der, Outcome::Refused).contains("adopt.signature-algorithm"));
}

#[test]
fn kinds_of_key() {
    let rsa = |octets: usize, exponent: &[u8]| {
        let modulus = [&[0xc5][..], &vec![0xc5; octets - 2], &[1]].concat();
        crate::x509::PublicKey::from_rsa(&modulus, exponent).unwrap().as_der().to_vec()
    };
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().subject_public_key_info();
    let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap().subject_public_key_info();
    for (spki, wanted) in [
        (p384, Outcome::Pass),
        (p521, Outcome::Refused),
        (rsa(512, &[1, 0, 1]), Outcome::Pass),
        (rsa(384, &[1, 0, 1]), Outcome::Pass),
        (rsa(256, &[1, 0, 1]), Outcome::Warning),
        (rsa(128, &[1, 0, 1]), Outcome::Refused),
    ] {
        let pair = key();
        let mut raw = sound(&pair);
        raw.set_key(&spki);
        let all = judge_adopted(&raw.sign(&pair), time(NOW));
        assert_eq!(all.iter().find(|f| f.rule == "adopt.key").unwrap().outcome, wanted, "{all:?}");
    }
    let pair = key();
    let mut raw = sound(&pair);
    raw.set_key(&rsa(384, &[3]));
    assert!(found(&raw.sign(&pair), Outcome::Refused).contains("lint.key.rsa-exponent"));
}

#[test]
fn each_rule_has_a_case_an_id_and_a_citation() {
    let tried: BTreeSet<_> = CASES.iter().flat_map(|c| c.ids).copied().chain(["adopt.key"]).collect();
    for rule in ADOPTION_RULES {
        assert!(tried.contains(rule.id), "{} is never found", rule.id);
        assert!(!rule.reference.is_empty() && !rule.summary.is_empty());
    }
}

#[test]
fn bytes_that_are_no_certificate() {
    let pair = key();
    let der = sound(&pair).sign(&pair);
    for bytes in [&b""[..], b"rubbish", &der[..der.len() - 1], &[&der[..], &[0]].concat()] {
        assert_eq!(found(bytes, Outcome::Refused), BTreeSet::from(["adopt.parse"]));
    }
}
