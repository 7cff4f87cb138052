//! Whoever can write to the disk can add such a line: it counts for what is signed in it.

use super::*;
use crate::audit::{Expectation, Report, State, audit};
use crate::intake::crl::sample as crl_sample;
use crate::journal::sample::{Script, recovered, revocation};
use crate::journal::{ClusterCrl, Event, RECOVERED};
use crate::x509::{Seconds, Status};

fn judge(script: &Script) -> Report {
    audit(&script.bytes, &Expectation::default()).0
}

#[track_caller]
fn broken(script: &Script, id: &str) {
    let report = judge(script);
    assert!(report.state == State::Broken && report.errors.iter().any(|e| e.id == id), "{report:?}");
}

#[track_caller]
fn refused(script: &Script, event: Event, words: &str) {
    let error = script.attempt(event).unwrap_err();
    assert!(error.message.contains(words), "{error}");
}

fn used() -> Script {
    let mut script = Script::with_root();
    script.session("one", &["east", "west"]);
    script
}

fn serial(der: &[u8]) -> Serial {
    Issuer::from_der(der).unwrap().serial
}

#[test]
fn what_the_root_signed_is_found_revoked_and_followed() {
    let mut script = used();
    let west = script.ledger.by_cluster("west").unwrap()[0].serial.clone();
    let waiting = script.revoke(&west);
    let north = script.unrecorded("north");
    let east = script.ledger.by_cluster("east").unwrap()[0].serial.clone();
    let listed = [revocation(&east, script.now), revocation(&serial(&north), script.now)];
    let crls = [script.unrecorded_crl(4, &listed[..1]), script.unrecorded_crl(7, &listed)];
    script.now = script.now + Seconds(60);
    script.add(recovered(std::slice::from_ref(&north), &crls));
    script.seal();

    let issued = script.ledger.by_serial(&serial(&north)).unwrap().unwrap();
    assert_eq!((issued.cluster.as_deref(), issued.status), (Some(RECOVERED), Status::Released));
    assert!(script.ledger.is_revoked_so(&listed[0]) && script.ledger.is_revoked_so(&listed[1]));
    assert_eq!(script.ledger.next_crl_number(), 8);
    assert_eq!(script.ledger.unlisted(), std::slice::from_ref(&waiting), "no CRL lists it yet");

    let (report, _, kept) = audit(&script.bytes, &Expectation::default());
    assert_eq!((report.state, &report.errors[..]), (State::Ok, &[][..]));
    assert!(kept.certificates.iter().any(|(_, der)| *der == north));
    assert_eq!(kept.root_crls.keys().copied().collect::<Vec<_>>(), [4, 7]);

    // The next goes on from the last of them.
    let all = [listed[0].clone(), listed[1].clone(), waiting];
    let spec = script.crl_spec(8, &all);
    let crl = script.crl(&spec);
    script.sign(crl);
    script.seal();
    assert_eq!(judge(&script).state, State::Ok);
}

/// What it lists has to stay listed, whether its certificate is known or not.
#[test]
fn a_crl_that_drops_what_a_recovered_one_lists() {
    let mut script = used();
    let unknown = revocation(&Serial::parse("5c0ffee0").unwrap(), script.now);
    let crl = script.unrecorded_crl(1, std::slice::from_ref(&unknown));
    script.add(recovered(&[], &[crl]));
    script.seal();
    assert_eq!(judge(&script).state, State::Ok);
    let spec = script.crl_spec(2, &[]);
    let crl = script.crl(&spec);
    script.sign(crl);
    script.seal();
    broken(&script, "audit.crl");
}

#[test]
fn what_another_key_signed_is_no_loss_of_ours() {
    let other = used();
    let mut script = used();
    script.add(recovered(&[other.unrecorded("north")], &[]));
    broken(&script, "audit.signature");
    let mut script = used();
    script.add(recovered(&[], &[other.unrecorded_crl(9, &[])]));
    broken(&script, "verify.signature");
}

#[test]
fn a_clusters_crl_comes_back_where_the_cluster_signed_it() {
    let mut script = used();
    let north = script.unrecorded("north");
    let (subject, now) = (Issuer::from_der(&north).unwrap().subject, script.now);
    let der = crl_sample::signed(&crl_sample::spec(&subject, now));
    let crl = ClusterCrl { der: Bytes(der), number: 1, next_update: now + Seconds(60) };
    let cluster_crls = vec![CertifiedCrl { certificate: Bytes(north.clone()), crl }];
    let event = |certificates: Vec<Bytes>| Event::Recovered {
        certificates,
        cluster_crls: cluster_crls.clone(),
        crls: vec![],
    };
    refused(&script, event(vec![]), "no intermediate on record");
    // North's key did not sign it.
    script.add(event(vec![Bytes(north)]));
    broken(&script, "verify.signature");
}

#[test]
fn nothing_is_recovered_that_is_on_record_or_comes_too_early() {
    let script = used();
    let (_, _, kept) = audit(&script.bytes, &Expectation::default());
    for (_, der) in kept.certificates {
        refused(&script, recovered(&[der], &[]), "which is on record");
    }
    let north = script.unrecorded("north");
    refused(&script, recovered(&[north.clone(), north.clone()], &[]), "which is on record");
    let mut script = script;
    script.add(recovered(&[], &[script.unrecorded_crl(3, &[])]));
    for number in [1, 3] {
        let crl = script.unrecorded_crl(number, &[]);
        refused(&script, recovered(&[], &[crl]), "but CRL 3 is on record");
    }
    refused(&Script::with_keys(), recovered(&[north], &[]), "not made yet");
    refused(&script, recovered(&[vec![0x30, 0]], &[]), "certificate");
}

/// It needs no CRL of its own among the fleet's.
#[test]
fn a_cross_certificate_is_no_clusters() {
    let mut script = used();
    let other = Script::other_root("CN=Other");
    let key = Issuer::from_der(&other.certificate.0).unwrap().public_key;
    script.add(Event::Companions { roots: vec![other] });
    script.seal();
    let alive = script.ledger.alive_count(script.now);
    let cross = script.unrecorded_for("CN=Other", &key);
    script.add(recovered(std::slice::from_ref(&cross), &[]));
    script.seal();
    let issued = script.ledger.by_serial(&serial(&cross)).unwrap().unwrap();
    assert_eq!((issued.cluster, issued.status), (None, Status::Released));
    assert_eq!(script.ledger.alive_count(script.now), alive);
    assert_eq!(judge(&script).errors, []);
}

/// The copy ends where it was asked for: it is the file's word that it was signed.
#[test]
fn what_was_asked_for_on_record_stays_as_it_is() {
    let mut script = used();
    let plan = script.begin("broken off", 1);
    let asked = script.intermediate(plan, "north");
    let Event::Intent { message, algorithm, .. } = &asked else { panic!("no intent") };
    let signature = script.signature(KeyRole::Root, &message.0);
    let der = Tbs::recorded(message.0.clone(), *algorithm).assemble(&signature.0).unwrap();
    let intent = script.add(asked);
    script.add(recovered(std::slice::from_ref(&der), &[]));
    script.add(Event::Settled { intents: vec![intent] });
    script.seal();
    let issued = script.ledger.by_serial(&serial(&der)).unwrap().unwrap();
    assert_eq!((issued.cluster.as_deref(), issued.status), (Some("north"), Status::Burnt));
    let (report, _, kept) = audit(&script.bytes, &Expectation::default());
    assert!(report.errors.is_empty() && kept.certificates.iter().any(|(_, it)| *it == der), "{report:?}");
}
