//! Each lint of CRLs accepts what is sound and refuses its defect, and nothing else
//! refuses with it but what is said to.

use std::collections::BTreeSet;

use super::fixtures::{RawCrl, crl, entries, root};
use super::*;
use crate::error::Error;
use crate::lint::asn1::write;
use crate::lint::{LINTS, lint_crl};

struct Case {
    id: &'static str,
    accept: fn(&mut RawCrl),
    refuse: fn(&mut RawCrl),
    /// Lints that cannot but refuse the same defect.
    also: &'static [&'static str],
}

const fn refuses(id: &'static str, refuse: fn(&mut RawCrl)) -> Case {
    Case { id, accept: |_| {}, refuse, also: &[] }
}

fn utc(text: &str) -> Vec<u8> {
    write(0x17, text.as_bytes())
}

fn generalized(text: &str) -> Vec<u8> {
    write(0x18, text.as_bytes())
}

/// Of the second entry, which has both extensions.
fn extensions(crl: &mut RawCrl) -> &mut Vec<fixtures::RawExtension> {
    crl.entries.as_mut().unwrap()[1].extensions.as_mut().unwrap()
}

fn entry(crl: &mut RawCrl) -> &mut fixtures::RawEntry {
    &mut crl.entries.as_mut().unwrap()[0]
}

const DELTA: &[u8] = &[0x55, 0x1d, 0x1b];
const DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 0x1d];

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { also: &["lint.crl.parse"], ..refuses("lint.crl.der", |c| c.version = b"\x02\x02\x00\x01".to_vec()) },
    Case { also: &["lint.crl.parse"], ..refuses("lint.crl.der", |c| c.this_update = utc("3001010000Z")) },
    refuses("lint.crl.parse", |c| { c.this_update.clear(); c.next_update.clear(); }),
    refuses("lint.crl.parse", |c| c.this_update = utc("301301000000Z")),
    refuses("lint.crl.parse", |c| c.tail = vec![0xa1, 0x00]),
    refuses("lint.crl.parse", |c| entry(c).date.clear()),
    refuses("lint.crl.parse", |c| entry(c).date.extend([0x05, 0x00])),
    refuses("lint.crl.version", |c| c.version.clear()),
    refuses("lint.crl.version", |c| c.version = b"\x02\x01\x02".to_vec()),
    refuses("lint.crl.signature", |c| c.signature = b"\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00".to_vec()),
    refuses("lint.crl.signature", |c| c.signature = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03".to_vec()),
    refuses("lint.crl.issuer", |c| c.issuer = b"\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Root".to_vec()),
    Case { accept: |c| c.next_update = utc("300101000001Z"), ..refuses("lint.crl.next-update", |c| c.next_update.clone_from(&c.this_update)) },
    refuses("lint.crl.next-update", |c| c.next_update.clear()),
    Case { accept: |c| c.next_update = utc("491231235959Z"), ..refuses("lint.crl.time", |c| c.next_update = generalized("20491231235959Z")) },
    Case { accept: |c| c.next_update = generalized("20500101000000Z"), ..refuses("lint.crl.time", |c| c.this_update = generalized("20300101000000Z")) },
    Case { accept: |c| c.entries = None, ..refuses("lint.crl.entries.empty", |c| c.entries = Some(Vec::new())) },
    Case { accept: |c| entry(c).serial = write(0x02, &[0x7f; 20]), ..refuses("lint.crl.entry.serial", |c| entry(c).serial = write(0x02, &[0x7f; 21])) },
    refuses("lint.crl.entry.serial", |c| entry(c).serial = write(0x02, &[0])),
    refuses("lint.crl.entry.serial", |c| entry(c).serial = write(0x02, &[0x81])),
    refuses("lint.crl.entry.duplicate", |c| entry(c).serial = c.entries.as_ref().unwrap()[7].serial.clone()),
    refuses("lint.crl.entry.time", |c| entry(c).date = generalized("20270101000000Z")),
    Case { accept: |c| entry(c).date = utc("300102000000Z"), ..refuses("lint.crl.entry.date", |c| entry(c).date = utc("300102000001Z")) },
    Case { accept: |c| extensions(c).reverse(), ..refuses("lint.crl.entry.extensions", |c| entry(c).extensions = Some(Vec::new())) },
    Case { accept: |c| extensions(c).truncate(1), ..refuses("lint.crl.entry.extensions", |c| { let reason = extensions(c)[0].clone(); extensions(c)[1] = reason; }) },
    Case { accept: |c| drop(extensions(c).remove(0)), ..refuses("lint.crl.entry.extensions", |c| extensions(c)[0].0 = CERTIFICATE_ISSUER.to_vec()) },
    refuses("lint.crl.entry.extensions", |c| extensions(c)[0].1 = Some(true)),
    refuses("lint.crl.entry.extensions", |c| extensions(c)[1].1 = Some(false)),
    Case { accept: |c| extensions(c)[0].2 = vec![0x0a, 1, 2], ..refuses("lint.crl.entry.reason", |c| extensions(c)[0].2 = vec![0x0a, 1, 0]) },
    Case { accept: |c| extensions(c)[0].2 = vec![0x0a, 1, 9], ..refuses("lint.crl.entry.reason", |c| extensions(c)[0].2 = vec![0x0a, 1, 6]) },
    refuses("lint.crl.entry.reason", |c| extensions(c)[0].2 = vec![0x0a, 1, 8]),
    refuses("lint.crl.entry.reason", |c| extensions(c)[0].2 = vec![0x0a, 1, 10]),
    refuses("lint.crl.entry.reason", |c| extensions(c)[0].2 = vec![0x02, 1, 1]),
    refuses("lint.crl.entry.invalidity-date", |c| extensions(c)[1].2 = utc("270101000000Z")),
    refuses("lint.crl.entry.invalidity-date", |c| extensions(c)[1].2 = generalized("202701010000Z")),
    refuses("lint.crl.extension.duplicate", |c| c.extensions.push(c.extensions[0].clone())),
    refuses("lint.crl.extension.known", |c| drop(c.extensions.remove(0))),
    refuses("lint.crl.extension.known", |c| drop(c.extensions.remove(1))),
    refuses("lint.crl.extension.known", |c| c.extensions.push((DISTRIBUTION_POINT.to_vec(), None, vec![0x30, 0]))),
    Case { also: &["lint.crl.extension.criticality"], ..refuses("lint.crl.extension.known", |c| c.extensions.push((DELTA.to_vec(), Some(true), vec![0x02, 1, 1]))) },
    Case { accept: |c| c.extensions.reverse(), ..refuses("lint.crl.extension.criticality", |c| c.extensions[0].1 = Some(true)) },
    refuses("lint.crl.extension.criticality", |c| c.extensions[1].1 = Some(false)),
    refuses("lint.crl.authority-key-id", |c| c.extensions[0].2 = write(0x30, &write(0x80, &[7; 20]))),
    refuses("lint.crl.authority-key-id", |c| { let id = c.extensions[0].2.clone(); c.extensions[0].2 = write(0x30, &[&id[2..], &write(0x82, &[1])].concat()); }),
    Case { accept: |c| c.extensions[1].2 = write(0x02, &[0x7f; 20]), ..refuses("lint.crl.number", |c| c.extensions[1].2 = write(0x02, &[0x7f; 21])) },
    Case { accept: |c| c.extensions[1].2 = write(0x02, &[0]), ..refuses("lint.crl.number", |c| c.extensions[1].2 = write(0x02, &[0xff])) },
    refuses("lint.crl.number", |c| c.extensions[1].2 = write(0x0a, &[1])),
];

fn ids(der: &[u8], issuer: &Issuer) -> BTreeSet<&'static str> {
    findings(der, SignatureAlgorithm::EcdsaSha256, issuer).iter().map(|f| f.rule).collect()
}

#[test]
fn every_lint_accepts_and_refuses() {
    let (_, issuer) = root();
    let sound = RawCrl::of(crl(&issuer, entries(8)).as_der());
    for (n, case) in CASES.iter().enumerate() {
        let (mut good, mut bad) = (sound.clone(), sound.clone());
        (case.accept)(&mut good);
        (case.refuse)(&mut bad);
        assert_eq!(ids(&good.der(), &issuer), BTreeSet::new(), "case {n} of {}", case.id);
        let wanted = case.also.iter().copied().chain([case.id]).collect();
        assert_eq!(ids(&bad.der(), &issuer), wanted, "case {n} of {}", case.id);
    }
}

#[test]
fn every_lint_has_a_case_an_id_of_its_own_and_a_citation() {
    // What the CA's certificate says is no field of the list: it has a test of its own.
    let tried: BTreeSet<_> = CASES.iter().map(|c| c.id).chain(["lint.crl.key-usage"]).collect();
    assert_eq!(CRL_LINTS.iter().map(|l| l.id).collect::<BTreeSet<_>>(), tried);
    assert_eq!(CRL_LINTS.len(), tried.len(), "an ID is listed twice");
    for lint in CRL_LINTS {
        assert!(lint.id.starts_with("lint.crl.") && !lint.reference.is_empty() && !lint.summary.is_empty());
        assert!(LINTS.iter().all(|other| other.id != lint.id));
    }
}

#[test]
fn a_ca_that_may_not_sign_crls_and_one_with_another_key() {
    let (_, mut issuer) = root();
    let tbs = crl(&issuer, entries(1));
    issuer.crl_sign = false;
    assert_eq!(ids(tbs.as_der(), &issuer), BTreeSet::from(["lint.crl.key-usage"]));
    let found = findings(tbs.as_der(), SignatureAlgorithm::Ed25519, &root().1);
    let found: Vec<_> = found.iter().map(|f| f.rule).collect();
    assert_eq!(found, ["lint.crl.signature", "lint.crl.authority-key-id"]);
}

#[test]
fn linted_is_had_by_passing_and_a_failure_names_every_lint() {
    let (_, issuer) = root();
    for count in [0, 1, 1_000] {
        let tbs = crl(&issuer, entries(count));
        let linted = lint_crl(tbs.clone(), &issuer).unwrap();
        assert_eq!((linted.get(), linted.warnings()), (&tbs, &[][..]));
    }
    let twice = [entries(1), entries(1)].concat();
    let mut other = issuer.clone();
    other.crl_sign = false;
    let error = Error::from(lint_crl(crl(&issuer, twice), &other).unwrap_err());
    assert_eq!((error.id, error.kind.exit_code()), ("lint.failed", 4));
    for text in ["CRL fails", "lint.crl.key-usage", "lint.crl.entry.duplicate", "81818181"] {
        assert!(error.message.contains(text), "{}", error.message);
    }
}

#[test]
fn no_bytes_make_a_lint_panic() {
    let (_, issuer) = root();
    let tbs = crl(&issuer, entries(3));
    let der = tbs.as_der();
    for n in 0..der.len() {
        for value in [0x00, 0x30, 0x7f, 0x80, 0xa0, 0xff] {
            let mut bent = der.to_vec();
            bent[n] = value;
            findings(&bent, SignatureAlgorithm::EcdsaSha256, &issuer);
        }
        assert!(!findings(&der[..n], SignatureAlgorithm::EcdsaSha256, &issuer).is_empty());
    }
}
