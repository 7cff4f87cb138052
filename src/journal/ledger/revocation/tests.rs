//! What a ledger takes for a revocation and for a CRL, and what it counts.

use super::*;
use crate::journal::sample::{Script, intent, of_plan, revocation, revoked};
use crate::journal::{Bytes, Event, PlanState, Purpose};
use crate::lint::fixtures::time;

/// East ends in 2031, west in 2033, north in 2035; all of them are released.
fn fleet() -> Script {
    let mut script = Script::with_root();
    let plan = script.begin("fleet", 3);
    for (cluster, end) in [("east", "310601000000Z"), ("west", "330601000000Z"), ("north", "350601000000Z")] {
        let intermediate = script.until(script.intermediate(plan, cluster), end);
        script.sign(intermediate);
    }
    let released = script.release(plan, b"sums");
    script.add(released);
    script.seal();
    script
}

fn serial(script: &Script, cluster: &str) -> Serial {
    script.ledger.by_cluster(cluster).unwrap()[0].serial.clone()
}

fn clusters(issued: &[Issued]) -> Vec<&str> {
    issued.iter().map(|c| c.cluster.as_deref().unwrap()).collect()
}

#[track_caller]
fn refused(script: &Script, event: Event, words: &str) {
    let error = script.attempt(event).unwrap_err();
    assert!(error.id == "journal.sequence" && error.message.contains(words), "{error}");
}

fn signed(script: &mut Script, number: u64, entries: &[Revocation]) {
    let crl = script.crl_spec(number, entries);
    let crl = script.crl(&crl);
    script.sign(crl);
}

#[test]
fn each_certificate_is_revoked_once_and_only_one_that_was_signed_for_others() {
    let mut script = fleet();
    let (east, now) = (serial(&script, "east"), script.now);
    let one = |serial: &Serial| revoked("p", &[revocation(serial, now)]);
    script.attempt(one(&east)).unwrap();
    refused(&script, one(&Serial::from_bytes(&[9]).unwrap()), "not on record");
    let twice = revoked("p", &[revocation(&east, now), revocation(&east, now)]);
    refused(&script, twice, "a second time");
    for purpose in [Purpose::RootCertificate, Purpose::JournalCertificate] {
        let own = script.ledger.own_certificate(purpose).unwrap().certificate.clone().unwrap();
        refused(&script, one(&own), "the home's own");
    }
    script.revoke(&east);
    refused(&script, one(&east), "a second time");
    // The plan of a revocation is spent with it.
    script.add(revoked("p", &[revocation(&serial(&script, "west"), now)]));
    refused(&script, revoked("p", &[revocation(&serial(&script, "north"), now)]), "performed before");
}

#[test]
fn a_crl_has_a_new_number_and_lists_whatever_waits() {
    let mut script = fleet();
    let east = serial(&script, "east");
    let entry = script.revoke(&east);
    assert_eq!((script.ledger.unlisted(), script.ledger.next_crl_number()), (&[entry.clone()][..], 1));
    let plan = script.begin("crls", 9);
    let asked = |script: &Script, number, entries: &[Revocation]| {
        let spec = script.crl_spec(number, entries);
        of_plan(intent(Purpose::Crl, KeyRole::Root, spec.to_tbs().unwrap().as_der()), plan)
    };
    refused(&script, asked(&script, 1, &[]), "leaves out");
    let otherwise = Revocation { date: entry.date.earlier(crate::x509::Seconds(1)), ..entry.clone() };
    refused(&script, asked(&script, 1, &[otherwise]), "leaves out");
    let burnt = script.add(asked(&script, 1, std::slice::from_ref(&entry)));
    script.add(Event::Settled { intents: vec![burnt] });
    // A number that a crash burnt is not used again; what waits waits on.
    assert_eq!((script.ledger.unlisted().len(), script.ledger.next_crl_number()), (1, 2));
    for number in [1, 3, u64::MAX] {
        refused(&script, asked(&script, number, std::slice::from_ref(&entry)), "after 1");
    }
    signed(&mut script, 2, &[entry]);
    assert_eq!((script.ledger.unlisted(), script.ledger.next_crl_number()), (&[][..], 3));
    let last = script.ledger.crl().unwrap();
    assert_eq!((last.number, last.entries, last.this_update), (2, 1, script.now));
}

#[test]
fn what_nobody_sealed_can_be_taken_back_and_nothing_else() {
    let mut script = fleet();
    let [east, west] = ["east", "west"].map(|cluster| serial(&script, cluster));
    let entry = script.revoke(&east);
    let back = |serial: &Serial| Event::Unrevoked { certificates: vec![serial.clone()] };
    refused(&script, back(&east), "which stands");
    refused(&script, back(&west), "which stands");
    script.add(revoked("p", &[revocation(&west, script.now)]));
    assert_eq!(script.ledger.revoked_unsealed(), std::slice::from_ref(&west));
    // A plan is made over what is left of it.
    let settled = script.ledger.settled().unwrap().into_owned();
    script.add(back(&west));
    for ledger in [&settled, &script.ledger] {
        assert_eq!((ledger.unlisted(), ledger.revoked_unsealed()), (&[entry.clone()][..], &[][..]));
        assert_eq!(ledger.by_serial(&west).unwrap().unwrap().revoked, None);
    }
    script.revoke(&west);
    // A CRL vouches for what it lists, as a seal does.
    let north = serial(&script, "north");
    let third = revocation(&north, script.now);
    script.add(revoked("q", std::slice::from_ref(&third)));
    let entries: Vec<Revocation> = script.ledger.unlisted().to_vec();
    assert_eq!(entries.len(), 3);
    signed(&mut script, 1, &entries);
    refused(&script, back(&north), "which stands");
}

#[test]
fn who_is_alive_and_who_has_outlived_the_crl() {
    let mut script = fleet();
    let at = |day: &str| time(&format!("{day}T00:00:00Z"));
    let alive = |script: &Script, day: &str| {
        let alive = script.ledger.alive(at(day)).unwrap();
        assert!(script.ledger.alive_count(at(day)) >= alive.len() as u64);
        clusters(&alive).join(" ")
    };
    assert_eq!(alive(&script, "2030-01-01"), "east west north");
    assert_eq!(alive(&script, "2031-05-31"), "east west north");
    assert_eq!(alive(&script, "2031-06-02"), "west north");
    assert_eq!(alive(&script, "2036-01-01"), "");
    let [east, west] = ["east", "west"].map(|cluster| serial(&script, cluster));
    let entries = [script.revoke(&east), script.revoke(&west)];
    assert_eq!(alive(&script, "2031-05-31"), "east west north", "revoked is alive");
    signed(&mut script, 1, &entries);
    assert_eq!(script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap(), []);
    script.now = at("2032-01-01");
    script.seal();
    assert_eq!(
        script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap(),
        [],
        "it had not ended when the last one was signed"
    );
    signed(&mut script, 2, &entries);
    script.seal();
    assert_eq!(script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap(), [east]);
    assert_eq!(alive(&script, "2032-01-01"), "west north");
    script.now = at("2034-01-01");
    signed(&mut script, 3, &entries[1..]);
    script.seal();
    assert_eq!(script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap(), [west]);
    script.now = at("2034-02-01");
    signed(&mut script, 4, &[]);
    script.seal();
    assert_eq!(script.ledger.outlived(Time::from_unix(u64::MAX)).unwrap(), [], "it stands on none any more");
}

#[test]
fn who_came_without_a_crl_is_missed_until_it_comes_or_ends() {
    let mut script = fleet();
    let at = |day: &str| time(&format!("{day}T00:00:00Z"));
    let lacking = |script: &Script, day: &str, most| {
        let (named, count) = script.ledger.without_crl(at(day), most).unwrap();
        (clusters(&named).join(" "), count)
    };
    assert_eq!(lacking(&script, "2030-01-01", 9), ("east west north".into(), 3));
    assert_eq!(lacking(&script, "2030-01-01", 2), ("east west".into(), 3));
    assert_eq!(lacking(&script, "2031-05-31", 9), ("east west north".into(), 3));
    // In the very week of its end.
    assert_eq!(lacking(&script, "2031-06-02", 9), ("west north".into(), 2));
    assert_eq!(lacking(&script, "2036-01-01", 9), (String::new(), 0));
    // One that is signed and not released is missed by nobody yet.
    let plan = script.begin("more", 1);
    script.sign(script.intermediate(plan, "south"));
    assert_eq!(lacking(&script, "2030-01-01", 9).1, 3);
    let released = script.release(plan, b"more");
    script.add(released);
    assert_eq!(lacking(&script, "2030-01-01", 9), ("east west south north".into(), 4));

    // It comes: with a plan, for its certificate, and a later one has a higher number.
    let plan = script.begin("later", 0);
    let certificate = |script: &Script, cluster: &str| {
        let journal = crate::audit::audit(&script.bytes, &crate::audit::Expectation::default()).2;
        let wanted = serial(script, cluster);
        let (_, der) = journal.certificates.into_iter().find(|(serial, _)| *serial == wanted).unwrap();
        Bytes(der)
    };
    let crl = |number| ClusterCrl { der: Bytes(vec![0x30, 0]), number, next_update: at("2036-01-01") };
    let west = certificate(&script, "west");
    let came = |plan, number| Event::ClusterCrl { plan, certificate: west.clone(), crl: crl(number) };
    refused(&script, came(Digest::of(b"none"), 5), "not being performed");
    script.add(came(plan, 5));
    assert_eq!(lacking(&script, "2030-01-01", 9), ("east south north".into(), 3));
    for number in [4, 5] {
        refused(&script, came(plan, number), "does not follow");
    }
    script.add(came(plan, 6));
    assert_eq!(lacking(&script, "2030-01-01", 9).1, 3);
    let root = Event::ClusterCrl { plan, certificate: Bytes(script.root.clone()), crl: crl(5) };
    refused(&script, root, "no intermediate on record");
}

#[test]
fn a_plan_that_only_revokes_is_spent_once_a_seal_covers_it() {
    let mut script = fleet();
    let serial = serial(&script, "east");
    let revoking = Digest::of(b"revoking");
    let record = |script: &mut Script| {
        script.add(revoked("revoking", &[revocation(&serial, script.now)]));
        assert_eq!(script.ledger.plan(&revoking).unwrap(), Some(PlanState::Finished));
    };
    record(&mut script);
    assert_eq!(
        script.ledger.settled().unwrap().plan(&revoking).unwrap(),
        None,
        "anybody could have written that"
    );
    script.add(Event::Unrevoked { certificates: vec![serial.clone()] });
    assert_eq!(script.ledger.plan(&revoking).unwrap(), None);
    record(&mut script);
    script.seal();
    assert_eq!(script.ledger.settled().unwrap().plan(&revoking).unwrap(), Some(PlanState::Finished));
    refused(&script, revoked("revoking", &[]), "performed before");
}
