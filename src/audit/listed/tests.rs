//! Lines that the ledger takes, and that only somebody with the root's key could have
//! made: the audit is not content with that.

use rcgen::SigningKey as _;

use super::*;
use crate::audit::{Expectation, Report, State, audit};
use crate::journal::Bytes;
use crate::journal::sample::{Script, revocation};
use crate::lint::CertificateKind;
use crate::lint::fixtures::{key, public, tbs, time};
use crate::x509::{Name, Reason, Seconds, SignatureAlgorithm};

fn judge(script: &Script) -> Report {
    audit(&script.bytes, &Expectation::default()).0
}

#[track_caller]
fn refused(script: &Script, words: &str) {
    let report = judge(script);
    let found = report.errors.iter().find(|e| e.id == "audit.crl");
    assert!(report.state == State::Broken && found.is_some_and(|e| e.message.contains(words)), "{report:?}");
}

/// East and west; east is revoked, and CRL 1 lists it.
fn listed() -> (Script, Revocation) {
    let mut script = Script::with_root();
    script.session("one", &["east", "west"]);
    let east = script.ledger.by_cluster("east").unwrap()[0].serial.clone();
    let entry = script.revoke(&east);
    sign(&mut script, 1, std::slice::from_ref(&entry));
    (script, entry)
}

fn sign(script: &mut Script, number: u64, entries: &[Revocation]) {
    let spec = script.crl_spec(number, entries);
    put(script, &spec);
}

fn put(script: &mut Script, spec: &CrlSpec) {
    let crl = script.crl(spec);
    script.sign(crl);
    script.seal();
}

#[test]
fn crls_that_go_on_from_each_other_are_in_order() {
    let (mut script, entry) = listed();
    sign(&mut script, 2, std::slice::from_ref(&entry));
    let west = script.ledger.by_cluster("west").unwrap()[0].serial.clone();
    let west = script.revoke(&west);
    sign(&mut script, 3, &[entry, west]);
    let (report, _, kept) = audit(&script.bytes, &Expectation::default());
    assert_eq!((report.state, &report.errors[..]), (State::Ok, &[][..]));
    assert_eq!(kept.root_crls.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_crl_that_lets_an_entry_go_too_early() {
    let (mut script, entry) = listed();
    sign(&mut script, 2, &[]);
    refused(&script, &format!("lets {} go", entry.serial));
    // After its end, too, where it has not stood on a CRL since.
    let (mut script, entry) = listed();
    script.now = time("2036-01-01T00:00:00Z");
    sign(&mut script, 2, &[]);
    refused(&script, &format!("lets {} go", entry.serial));
}

#[test]
fn a_crl_that_lets_an_entry_go_in_its_time() {
    let (mut script, entry) = listed();
    script.now = time("2036-01-01T00:00:00Z");
    sign(&mut script, 2, &[entry]);
    script.now = time("2036-02-01T00:00:00Z");
    sign(&mut script, 3, &[]);
    assert_eq!(judge(&script).errors, []);
}

#[test]
fn a_crl_that_lists_what_is_not_on_record() {
    let (mut script, entry) = listed();
    let west = script.ledger.by_cluster("west").unwrap()[0].serial.clone();
    let unasked = revocation(&west, script.now);
    sign(&mut script, 2, &[entry, unasked]);
    refused(&script, &format!("lists {west}"));
}

#[test]
fn a_crl_that_lists_it_for_another_reason_or_time() {
    for change in [
        (|entry| entry.reason = Reason::Unspecified) as fn(&mut Revocation),
        |entry| entry.date = entry.date + Seconds(1),
        |entry| entry.invalidity_date = Some(entry.date),
    ] {
        let (mut script, mut entry) = listed();
        change(&mut entry);
        let serial = entry.serial.clone();
        sign(&mut script, 2, &[entry]);
        refused(&script, &format!("lists {serial}"));
    }
}

#[test]
fn a_crl_of_another_name_key_or_an_earlier_time() {
    for (change, words) in [
        ((|spec| spec.issuer = Name::parse("CN=Other").unwrap()) as fn(&mut CrlSpec), "root's name"),
        (|spec| spec.key_id = vec![7; 20], "key identifier"),
        (|spec| spec.this_update = spec.this_update.earlier(Seconds(1)), "dated before"),
    ] {
        let (mut script, entry) = listed();
        let mut spec = script.crl_spec(2, &[entry]);
        change(&mut spec);
        put(&mut script, &spec);
        refused(&script, words);
    }
}

/// What a revocation that was taken back leaves: nothing to list.
#[test]
fn what_was_taken_back_is_not_listed() {
    let (mut script, entry) = listed();
    let west = script.ledger.by_cluster("west").unwrap()[0].serial.clone();
    let unsealed = revocation(&west, script.now);
    script.add(crate::journal::sample::revoked("nobody's", std::slice::from_ref(&unsealed)));
    script.add(crate::journal::Event::Unrevoked { certificates: vec![west.clone()] });
    let mut without = script;
    sign(&mut without, 2, std::slice::from_ref(&entry));
    assert_eq!(judge(&without).errors, []);
    sign(&mut without, 3, &[entry, unsealed]);
    refused(&without, &format!("lists {west}"));
}

#[test]
fn a_clusters_crl_is_its_own_empty_and_as_on_record() {
    let (root, east, other) = (key(), key(), key());
    let above = Some((Name::parse("CN=Root").unwrap(), &public(&root)));
    let certificate = tbs(CertificateKind::Intermediate, "L=east,CN=ca", &public(&east), above);
    let certificate = certificate.assemble(&root.sign(certificate.as_der()).unwrap()).unwrap();
    let spec = CrlSpec {
        signature: SignatureAlgorithm::EcdsaSha256,
        issuer: Name::parse("L=east,CN=ca").unwrap(),
        key_id: public(&east).key_id(),
        this_update: time("2030-01-01T00:00:00Z"),
        next_update: time("2036-01-01T00:00:00Z"),
        number: 5,
        entries: vec![],
    };
    let made = |spec: &CrlSpec, key: &rcgen::KeyPair| {
        let tbs = spec.to_tbs().unwrap();
        let der = Bytes(tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap());
        ClusterCrl { der, number: spec.number, next_update: spec.next_update }
    };
    let sound = made(&spec, &east);
    assert_eq!(cluster_crl(&certificate, &sound), Ok(()));
    let revoking = CrlSpec {
        entries: vec![revocation(&Serial::from_bytes(&[9]).unwrap(), spec.this_update)],
        ..spec.clone()
    };
    for wrong in [
        ClusterCrl { number: 6, ..sound.clone() },
        ClusterCrl { next_update: sound.next_update + Seconds(1), ..sound.clone() },
        made(&revoking, &east),
    ] {
        assert_eq!(cluster_crl(&certificate, &wrong).unwrap_err().id, "audit.cluster-crl");
    }
    for wrong in [
        made(&spec, &other),
        made(&CrlSpec { issuer: Name::parse("L=west,CN=ca").unwrap(), ..spec.clone() }, &east),
        made(&CrlSpec { key_id: vec![7; 20], ..spec }, &east),
    ] {
        cluster_crl(&certificate, &wrong).unwrap_err();
    }
}
