//! A certificate's DER, or the bytes that are to be one.

use anchorite::audit::{Expectation, State, audit};
use anchorite::journal::{Bytes, Event, KeyRole, Purpose};
use anchorite::release::certificate::facts;
use anchorite::verify::{
    Description, Vouchers, check_journal_certificate, describe_certificate, describe_tbs, validate_path,
    verify_attestation,
};
use anchorite::x509::certificate::Facts;
use anchorite::x509::{Digest, Issuer, SignatureAlgorithm};
use der::asn1::{Any, BitString};
use der::{Decode as _, Encode as _, Sequence};
use spki::AlgorithmIdentifierOwned;

use super::journal::Scribe;
use super::world::{self, now, root};
use super::{fit, good};

/// A certificate of whatever (RFC 5280 §4.1).
#[derive(Sequence)]
struct Certificate {
    tbs: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

pub fn certificate(data: &[u8]) {
    let described = good(describe_certificate(data));
    described.iter().for_each(readable);
    // Nobody but the root signs what is taken.
    assert!(good(validate_path(&[data], &root().der, now())).is_none() || genuine(data));
    assert!(
        good(check_journal_certificate(data, &root().der)).is_none() || data == world::journal_certificate()
    );
    // No certificate of this root's is an attestation, and no other counts as one.
    let vouchers = Vouchers::with(&[root().der.clone()]).unwrap();
    assert!(good(verify_attestation(data, &root().der, &vouchers, now())).is_none());
    assert!(good(verify_attestation(world::journal_certificate(), data, &vouchers, now())).is_none());
    if let Some(issuer) = good(Issuer::from_der(data)) {
        fit(&issuer.subject.to_string());
        let _ = good(validate_path(&[], data, now()));
        let _ = good(check_journal_certificate(world::journal_certificate(), data));
    }
    if let Some(facts) = good(facts("a.pem", data)) {
        fit(&facts.subject.to_string());
        if let Some(description) = &described {
            assert_eq!(description.serial, facts.serial);
            assert_eq!((description.not_before, description.not_after), (facts.not_before, facts.not_after));
        }
    }
    let tbs = Certificate::from_der(data).ok().and_then(|certificate| certificate.tbs.to_der().ok());
    to_be_signed(tbs.as_deref().unwrap_or(data));
}

/// The certificates that the world's root did sign.
fn genuine(data: &[u8]) -> bool {
    let (_, _, kept) = audit(world::JOURNAL, &Expectation::default());
    data == root().der || kept.certificates.iter().any(|(_, der)| der == data)
}

fn readable(description: &Description) {
    for text in [
        &description.signature_algorithm,
        &description.issuer,
        &description.subject,
        &description.key_algorithm,
    ] {
        fit(text);
    }
    for extension in &description.extensions {
        fit(&extension.name);
        fit(&extension.text);
    }
}

fn to_be_signed(tbs: &[u8]) {
    let described = good(describe_tbs(tbs));
    described.iter().for_each(readable);
    let read = good(Facts::from_tbs(tbs));
    // Two parsers that have nothing in common read the same, where both can read.
    if let (Some(described), Some(read)) = (&described, &read) {
        assert_eq!(described.serial, read.serial);
        assert_eq!(described.key_digest, read.key);
        assert_eq!((described.not_before, described.not_after), (read.not_before, read.not_after));
    }
    if read.is_some() {
        issue(tbs);
    }
}

/// What the root would have signed: what the audit takes, every verifier of ours takes.
fn issue(tbs: &[u8]) {
    let mut scribe = Scribe::resumed(world::sealed());
    let plan = Digest::of(b"fuzz");
    scribe.add(Event::Plan { digest: plan, grants: 1, refused: vec![] }).unwrap();
    let intent = Event::Intent {
        purpose: Purpose::Intermediate,
        role: KeyRole::Root,
        algorithm: SignatureAlgorithm::Ed25519,
        plan: Some(plan),
        request: Some(plan),
        cluster: Some("east".into()),
        policy: Some("istio".into()),
        crl: None,
        commitment: None,
        message: Bytes(tbs.to_vec()),
    };
    let Some(intent) = good(scribe.add(intent)) else { return };
    let signature = Bytes(world::sign_as_root(tbs));
    scribe.add(Event::Signed { intent, signature: signature.clone() }).unwrap();
    let expect = Expectation { root: Some(&root().der), ..Expectation::default() };
    let (report, _, kept) = audit(scribe.bytes(), &expect);
    report.errors.iter().for_each(|fault| fit(&fault.message));
    report.open.iter().for_each(|line| fit(line));
    let certificate = kept.certificates.last().filter(|(_, der)| der.windows(tbs.len()).any(|w| w == tbs));
    assert_eq!(certificate.is_some(), report.state != State::Broken);
    if let Some((serial, der)) = certificate {
        validate_path(&[der], &root().der, now()).unwrap();
        assert_eq!(&describe_certificate(der).unwrap().serial, serial);
        let facts = facts("a.pem", der).unwrap();
        assert_eq!(&facts.serial, serial);
        assert!(facts.not_after <= root().not_after);
    }
}
