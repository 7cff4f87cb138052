//! Which line may follow which, and what lines add up to.

use super::sample::{
    NUMBER, Script, answering, decided, files, intent, key_intent, of_plan, opened, session,
};
use super::{
    Bytes, Companion, Entry, Event, Head, KeyRole, PlanState, Purpose, RootAdoption, Standing, replay,
    seal_message,
};
use crate::x509::{Digest, Seconds, SignatureAlgorithm, Status};

#[track_caller]
fn refused(script: &Script, event: Event, why: &str) {
    let error = script.attempt(event).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("journal.sequence", 4), "{error}");
    assert!(error.message.contains(why), "{error}");
}

#[track_caller]
fn accepted(script: &Script, event: Event) {
    assert_eq!(script.attempt(event), Ok(()));
}

#[test]
fn a_journal_begins_with_opened_and_only_so() {
    let script = Script::opened();
    refused(&script, opened(), "begins with 'opened'");
    accepted(&script, session());
    let mut empty = Script::opened();
    empty.ledger = Default::default();
    refused(&empty, session(), "begins with 'opened'");
}

#[test]
fn number_chain_and_time_are_checked() {
    let script = Script::opened();
    let good = script.entry(session());
    assert_eq!(script.attempt_entry(&good), Ok(()));
    let skipped = Entry { seq: 2, ..good.clone() };
    assert_eq!(script.attempt_entry(&skipped).unwrap_err().id, "journal.sequence");
    let unchained = Entry { prev: Digest::of(b"x"), ..good.clone() };
    assert_eq!(script.attempt_entry(&unchained).unwrap_err().id, "journal.chain");
    let back = Entry { time: script.now.earlier(Seconds(1)), ..good };
    assert_eq!(script.attempt_entry(&back).unwrap_err().id, "journal.sequence");
}

#[test]
fn the_clock_goes_back_on_record_alone() {
    let mut script = Script::opened();
    let from = script.now;
    script.now = from.earlier(Seconds(3600));
    refused(&script, Event::ClockCorrected { from: script.now }, "corrects the clock");
    script.add(Event::ClockCorrected { from });
    accepted(&script, session());
}

#[test]
fn keys_are_made_as_decided_and_once() {
    let mut script = Script::opened();
    refused(&script, key_intent(KeyRole::Root), "than was decided");
    script.add(decided());
    let other = |role, algorithm: &str, label: &str| Event::KeyIntent {
        role,
        algorithm: algorithm.into(),
        label: label.into(),
        id: "01".into(),
    };
    refused(&script, other(KeyRole::Root, "p384", "root"), "than was decided");
    refused(&script, other(KeyRole::Root, "p256", "toor"), "than was decided");
    refused(&script, other(KeyRole::Root, "p257", "root"), "unknown kind");
    refused(&script, key_intent(KeyRole::Journal), "than was decided");
    refused(&script, script.key_made(0, KeyRole::Root), "never asked for");
    let intent = script.add(key_intent(KeyRole::Root));
    let Event::RootDecided(mut another) = decided() else { panic!() };
    another.path_len = Some(3);
    refused(&script, Event::RootDecided(another), "second root");
    refused(&script, key_intent(KeyRole::Root), "already there");
    let rsa = crate::x509::PublicKey::from_rsa(&[0xff; 256], &[1, 0, 1]).unwrap();
    let wrong = Event::KeyMade { intent, public_key: Bytes(rsa.as_der().to_vec()) };
    refused(&script, wrong, "records a rsa2048 key");
    script.add(script.key_made(intent, KeyRole::Root));
    assert!(script.ledger.open_keys().is_empty());
    refused(&script, script.key_made(intent, KeyRole::Root), "never asked for");
    refused(&script, other(KeyRole::Journal, "p384", "root journal"), "than was decided");
    accepted(&script, key_intent(KeyRole::Journal));
}

#[test]
fn the_homes_own_certificates_are_for_the_keys_on_record() {
    let mut script = Script::with_keys();
    // Keys that somebody without the token made: their certificates, or none, would carry false seals.
    let foreign = Script::with_keys();
    for purpose in [Purpose::RootCertificate, Purpose::JournalCertificate] {
        let theirs = intent(purpose, KeyRole::Root, foreign.own(purpose).as_der());
        let ours = intent(purpose, KeyRole::Root, script.own(purpose).as_der());
        refused(&script, theirs, "another key than the one on record");
        accepted(&script, ours.clone());
        script.certify(purpose);
        refused(&script, ours, "a second");
    }
}

#[test]
fn a_root_is_taken_over_where_there_is_none_and_once() {
    let mut script = Script::opened();
    let adoption = script.adoption();
    let Event::RootAdopted(good) = &adoption else { panic!() };
    let bent = |bend: fn(&mut RootAdoption)| {
        let mut adoption = good.clone();
        bend(&mut adoption);
        Event::RootAdopted(adoption)
    };
    refused(&script, bent(|a| a.certificate.0.push(0)), "not a DER certificate");
    refused(&script, bent(|a| a.certificate.0.truncate(9)), "not a DER certificate");
    refused(&script, bent(|a| a.id = "xy".into()), "not hexadecimal");
    let mut decided_before = Script::opened();
    decided_before.add(decided());
    refused(&decided_before, adoption.clone(), "second root");
    refused(&Script::with_root(), adoption.clone(), "second root");

    script.add(adoption.clone());
    refused(&script, adoption, "second root");
    refused(&script, decided(), "second root");
    refused(&script, key_intent(KeyRole::Root), "than was decided");
    let own = script.ledger.own_certificate(Purpose::RootCertificate).unwrap();
    let again = crate::x509::Tbs::recorded(own.message.clone(), own.algorithm);
    assert_eq!(again.assemble(own.signature.as_ref().unwrap()).unwrap(), script.root, "byte for byte");
    assert_eq!(script.ledger.signatures(), 0, "it was not signed here");
    refused(&script, script.seal_intent(), "a key that does not exist");
}

#[test]
fn other_roots_are_put_on_record_before_this_ones_key_or_under_a_seal() {
    let (b, c) = (Script::other_root("CN=B"), Script::other_root("CN=C"));
    let both = || Event::Companions { roots: vec![b.clone(), c.clone()] };
    let mut script = Script::opened();
    refused(&script, both(), "while there is none here");
    script.add(decided());
    accepted(&script, both());
    let mut begun = Script::opened();
    begun.add(decided());
    begun.add(key_intent(KeyRole::Root));
    refused(&begun, both(), "while there is none here");
    refused(&Script::adopted(), both(), "while there is none here");

    // In force at once only before the first seal; after it the next one puts them there.
    script.add(both());
    assert_eq!((script.ledger.companions().len(), script.ledger.companions_unsealed()), (2, false));
    let mut script = Script::with_root();
    script.add(both());
    assert_eq!((script.ledger.companions().len(), script.ledger.companions_unsealed()), (0, true));
    script.seal();
    assert_eq!((script.ledger.companions(), script.ledger.companions_unsealed()), (&[b, c][..], false));
}

#[test]
fn no_other_root_has_a_name_or_a_key_that_is_taken() {
    let script = Script::with_root();
    let of = |roots: &[&Companion]| Event::Companions { roots: roots.iter().map(|c| (*c).clone()).collect() };
    let own = Companion { certificate: Bytes(script.root.clone()), warned: vec![] };
    let named = Script::other_root("CN= ROOT");
    let b = Script::other_root("CN=B");
    for roots in [&[&own][..], &[&named], &[&b, &own]] {
        refused(&script, of(roots), "this CA's own root");
    }
    refused(&script, of(&[&b, &b]), "another root on record");
    refused(&script, of(&[&b, &Script::other_root("CN=b")]), "another root on record");
    refused(&script, of(&[&Companion { certificate: Bytes(vec![0x30]), warned: vec![] }]), "not a DER");
    accepted(&script, of(&[&b]));
    accepted(&script, of(&[]));

    // Nor does this CA's own take one of theirs, when its key is made.
    let mut script = Script::opened();
    script.add(decided());
    let theirs = Companion { certificate: Bytes(script.root_named("CN=B")), warned: vec![] };
    script.add(of(&[&theirs]));
    let Event::RootDecided(mut other) = decided() else { panic!() };
    other.subject = Bytes(crate::x509::Name::parse("CN=b").unwrap().as_der().to_vec());
    refused(&script, Event::RootDecided(other), "another root on record");
    let intent = script.add(key_intent(KeyRole::Root));
    refused(&script, script.key_made(intent, KeyRole::Root), "another root on record");
}

#[test]
fn a_taken_over_root_signs_as_one_made_here() {
    let mut script = Script::adopted();
    refused(&script, script.seal_intent(), "before there is a JournalCertificate");
    script.certify(Purpose::JournalCertificate);
    script.seal();
    script.session("plan", &["east"]);
    assert_eq!(
        (
            status_of(&script, Purpose::RootCertificate),
            script.ledger.key(KeyRole::Root).unwrap().id.as_slice()
        ),
        (Status::Released, &[7][..])
    );
}

/// How far the newest certificate of the home's own came.
fn status_of(script: &Script, purpose: Purpose) -> Status {
    let own = script.ledger.own_certificate(purpose).unwrap();
    script.ledger.by_serial(own.certificate.as_ref().unwrap()).unwrap().unwrap().status
}

#[test]
fn a_renewal_is_of_the_same_key_and_name_and_ends_later() {
    for mut script in [Script::with_root(), Script::adopted()] {
        if script.ledger.seal().is_none() {
            script.certify(Purpose::JournalCertificate);
            script.seal();
        }
        for (serial, purpose) in [(1, Purpose::RootCertificate), (2, Purpose::JournalCertificate)] {
            refused(&script, script.renewal(purpose, serial, "440101000000Z"), "does not renew");
            let foreign = Script::with_root();
            let theirs = foreign.renewal(purpose, serial, "20540101000000Z");
            refused(&script, theirs, "another key than the one on record");
            let old = script.ledger.own_certificate(purpose).unwrap().message.clone();
            script.sign(script.renewal(purpose, serial, "20540101000000Z"));
            assert_ne!(script.ledger.own_certificate(purpose).unwrap().message, old);
            assert_eq!(script.ledger.own_certificates(purpose).count(), 2);
            refused(&script, script.renewal(purpose, 9, "20540101000000Z"), "does not renew");
            assert_eq!(status_of(&script, purpose), Status::Signed, "in force with the next seal");
            script.seal();
            assert_eq!(status_of(&script, purpose), Status::Released);
        }
    }
}

#[test]
fn nothing_is_signed_before_it_can_be_sealed() {
    let mut script = Script::with_keys();
    let journal =
        intent(Purpose::JournalCertificate, KeyRole::Root, script.own(Purpose::JournalCertificate).as_der());
    refused(&script, journal, "before there is a RootCertificate");
    script.certify(Purpose::RootCertificate);
    refused(&script, script.seal_intent(), "before there is a JournalCertificate");
    let plan = script.begin("plan", 1);
    refused(&script, script.intermediate(plan, "east"), "before there is a JournalCertificate");
    script.certify(Purpose::JournalCertificate);
    accepted(&script, script.seal_intent());
    accepted(&script, script.intermediate(plan, "east"));
}

#[test]
fn an_intent_names_the_key_and_the_algorithm_of_its_purpose() {
    let mut script = Script::with_root();
    let plan = script.begin("plan", 1);
    let by = |mut event: Event, other: KeyRole| {
        if let Event::Intent { role, .. } = &mut event {
            *role = other;
        }
        event
    };
    let with = |mut event: Event, other: SignatureAlgorithm| {
        if let Event::Intent { algorithm, .. } = &mut event {
            *algorithm = other;
        }
        event
    };
    let release = of_plan(intent(Purpose::Release, KeyRole::Journal, b"sums"), plan);
    let good = [script.intermediate(plan, "east"), script.seal_intent(), release];
    for (event, other) in good.into_iter().zip([KeyRole::Journal, KeyRole::Root, KeyRole::Root]) {
        accepted(&script, event.clone());
        refused(&script, by(event.clone(), other), "wrong key or algorithm");
        refused(&script, with(event, SignatureAlgorithm::EcdsaSha384), "wrong key or algorithm");
    }
    let nobody = Script::opened();
    refused(&nobody, nobody.seal_intent(), "a key that does not exist");
}

#[test]
fn what_answers_a_request_belongs_to_a_plan_and_nothing_else_does() {
    let mut script = Script::with_root();
    let plan = script.begin("plan", 1);
    let unknown = Digest::of(b"other");
    refused(&script, script.intermediate(unknown, "east"), "not being performed");
    let Event::Intent { message, .. } = script.intermediate(plan, "east") else { panic!() };
    let bare = intent(Purpose::Intermediate, KeyRole::Root, &message.0);
    refused(&script, bare.clone(), "answers a request");
    refused(&script, of_plan(bare, plan), "answers a request");
    refused(&script, intent(Purpose::Release, KeyRole::Journal, b"sums"), "no plan");
    refused(&script, of_plan(script.seal_intent(), plan), "belongs to a plan");
    refused(&script, answering(script.seal_intent(), plan, "east"), "answers a request");
    refused(&script, Event::Plan { digest: plan, grants: 1, refused: vec![] }, "begun before");
    script.sign(script.intermediate(plan, "east"));
    refused(&script, script.intermediate(plan, "west"), "one more than plan");
}

#[test]
fn a_serial_is_used_once_burnt_or_not() {
    let mut script = Script::with_root();
    let plan = script.begin("plan", 3);
    let east = script.intermediate(plan, "east");
    let seq = script.add(east.clone());
    refused(&script, east.clone(), "a second time");
    script.add(Event::Settled { intents: vec![seq] });
    refused(&script, east, "a second time");
}

#[test]
fn an_intent_has_one_outcome() {
    let bytes = || Bytes(vec![1]);
    let outcomes = |intent| {
        [
            Event::Signed { intent, signature: bytes() },
            Event::Rejected { intent, signature: bytes(), reason: "no".into() },
            Event::Withdrawn { intents: vec![intent], numbers: vec![NUMBER] },
            Event::Settled { intents: vec![intent] },
        ]
    };
    for (n, status) in [Status::Signed, Status::Burnt, Status::Burnt, Status::Burnt].into_iter().enumerate() {
        let mut script = Script::with_root();
        let plan = script.begin("plan", 1);
        for outcome in outcomes(99) {
            refused(&script, outcome, "not open");
        }
        let intent = script.add(script.intermediate(plan, "east"));
        for (numbers, why) in
            [(vec![], "the number of each"), (vec![Digest::of(b"guessed")], "which its session did not")]
        {
            refused(&script, Event::Withdrawn { intents: vec![intent], numbers }, why);
        }
        assert_eq!(script.ledger.open_intents().count(), 1);
        script.add(outcomes(intent)[n].clone());
        assert_eq!(script.ledger.open_intents().count(), 0);
        let known = script.ledger.by_cluster("east").unwrap();
        // What was certainly not signed stands in nobody's way.
        let wanted = if n == 2 { vec![] } else { vec![status] };
        assert_eq!(known.iter().map(|c| c.status).collect::<Vec<_>>(), wanted);
        for outcome in outcomes(intent) {
            refused(&script, outcome, "not open");
        }
    }
}

#[test]
fn a_plan_is_spent_by_its_release() {
    let mut script = Script::with_root();
    let released =
        |plan| Event::Released { plan, folder: "f".into(), sums: Digest::of(b"s"), number: NUMBER };
    refused(&script, released(Digest::of(b"plan")), "not being performed");
    let plan = script.begin("plan", 2);
    script.sign(script.intermediate(plan, "east"));
    let open = script.add(script.intermediate(plan, "west"));
    refused(&script, released(plan), "is open");
    script.add(Event::Settled { intents: vec![open] });
    assert_eq!(script.ledger.plan(&plan).unwrap(), Some(PlanState::Begun));
    assert_eq!(script.ledger.unreleased().count(), 1);
    // Only the session that had the sums signed knows what that intent committed to.
    refused(&script, released(plan), "did not");
    script.release(plan, b"s");
    let Event::Released { folder, sums, .. } = released(plan) else { panic!() };
    let number = Digest::of(b"another session's");
    refused(&script, Event::Released { plan, folder, sums, number }, "did not");
    script.add(released(plan));
    assert_eq!(script.ledger.plan(&plan).unwrap(), Some(PlanState::Finished));
    assert_eq!(script.ledger.unreleased().count(), 0);
    refused(&script, released(plan), "not being performed");
    refused(&script, script.intermediate(plan, "north"), "not being performed");
    refused(&script, Event::Plan { digest: plan, grants: 2, refused: vec![] }, "begun before");
}

#[test]
fn a_seal_speaks_for_the_line_before_it_at_its_own_time() {
    let mut script = Script::with_root();
    script.add(session());
    let later = seal_message(script.ledger.count(), script.ledger.head(), script.now + Seconds(1), None);
    refused(&script, intent(Purpose::Seal, KeyRole::Journal, &later), "something else");
    let Event::Intent { message, .. } = script.seal_intent() else { panic!() };
    let seal = script.add(script.seal_intent());
    let signed = Event::Signed { intent: seal, signature: script.signature(KeyRole::Journal, &message.0) };
    accepted(&script, signed.clone());
    script.now = script.now + Seconds(1);
    refused(&script, signed.clone(), "at another time");
    script.now = script.now.earlier(Seconds(1));
    script.add(signed);
    assert_eq!(script.ledger.seal().unwrap().count, script.ledger.count());
}

#[test]
fn documents_are_in_force_once_a_seal_covers_them() {
    let mut script = Script::opened();
    script.add(Event::Pinned { files: files("before the root") });
    assert_eq!(*script.ledger.files(), files("before the root"));
    let mut script = Script::with_root();
    script.add(Event::Pinned { files: files("edited") });
    assert_eq!(*script.ledger.files(), files("first"), "anybody could have written that line");
    script.seal();
    assert_eq!(*script.ledger.files(), files("edited"));
}

#[test]
fn a_restored_journal_says_where_its_copy_ended() {
    let script = Script::with_root();
    let (count, head) = (script.ledger.count(), script.ledger.head());
    accepted(&script, Event::Restored { count, head, given_up: vec![] });
    let given_up = vec![Digest::of(b"no plan")];
    refused(&script, Event::Restored { count, head, given_up }, "not being performed");
    refused(&script, Event::Restored { count: count - 1, head, given_up: vec![] }, "another copy");
    refused(&script, Event::Restored { count, head: Digest::of(b"x"), given_up: vec![] }, "another copy");
    accepted(&script, Event::Torn { bytes: 3, sha256: head });
}

#[test]
fn a_line_is_read_in_its_one_form() {
    let line = Script::opened().entry(session()).to_line().unwrap();
    assert_eq!(Entry::from_line(0, line.as_bytes()).unwrap().to_line().unwrap(), line);
    for bent in [
        line.replace("\"seq\":1", "\"seq\": 1"),
        line.replace("\"seq\":1", "\"seq\":1,\"seq\":1"),
        line.replace("{\"seq\":1", "{\"note\":\"hidden\",\"seq\":1"),
        line.replace("\"verb\":\"sign\"", "\"verb\":\"\\u0073ign\""),
        line.replace("\"verb\":\"sign\"", "\"verb\":\"sign\",\"verb\":\"sign\""),
        line.replace("00Z", "00+00:00"),
        line.replace("\"event\":\"session\"", "\"event\":\"party\""),
        format!("{line} "),
        format!("{line}\r"),
        line[1..].into(),
    ] {
        let error = Entry::from_line(0, bent.as_bytes()).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("journal.line", 4), "{bent}");
    }
    let error = Entry::from_line(0, line.replace("session", "\u{1b}\u{202e}").as_bytes()).unwrap_err();
    assert!(!error.message.contains(['\u{1b}', '\u{202e}']), "{error}");
}

#[test]
fn a_known_head_is_compared() {
    let mut script = Script::opened();
    let known = Head { count: 1, hash: script.ledger.head() };
    let compare = |known: Head, script: &Script| {
        let replayed = replay(&script.bytes, |_, _| Ok(())).unwrap();
        known.compare("the sheet", replayed.ledger.count(), replayed.hash_at(known.count)).map_err(|e| e.id)
    };
    assert_eq!(compare(known, &script), Ok(Standing::Same));
    script.add(session());
    assert_eq!(compare(known, &script), Ok(Standing::Ahead));
    assert_eq!(compare(Head { count: 3, ..known }, &script), Err("journal.behind"));
    assert_eq!(compare(Head { count: 2, ..known }, &script), Err("journal.unlike"));
    assert_eq!(compare(Head { count: 0, ..known }, &script), Err("journal.unlike"));
    assert_eq!(Head::from_json("x", &known.to_json()), Ok(known));
    let error = Head::from_json("x", b"{\"\x1b\":1}").unwrap_err();
    assert_eq!(error.id, "journal.head-unreadable");
    assert!(!error.message.contains('\u{1b}'), "{error}");
}

#[test]
fn a_torn_line_is_told_from_the_whole_ones() {
    let script = Script::with_root();
    let torn = [&script.bytes[..], b"{\"seq\":"].concat();
    let replayed = replay(&torn, |_, _| Ok(())).unwrap();
    assert_eq!((replayed.torn, replayed.ledger.bytes()), (b"{\"seq\":".to_vec(), script.bytes.len() as u64));
    assert_eq!(replay(b"{\"seq\":", |_, _| Ok(())).unwrap_err().id, "journal.empty");
    assert_eq!(replay(b"", |_, _| Ok(())).unwrap_err().id, "journal.empty");
}

#[test]
fn a_line_is_shown_before_it_is_taken_in() {
    let script = Script::opened();
    let mut counts = Vec::new();
    replay(&script.bytes, |entry, ledger| {
        counts.push((entry.seq, ledger.count()));
        Ok(())
    })
    .unwrap();
    assert_eq!(counts, [(0, 0)]);
}

#[test]
fn seals_and_everything_else_that_is_signed_differ_in_their_first_byte() {
    let script = Script::with_root();
    let seal = seal_message(1, script.ledger.head(), script.now, None);
    let attributes =
        crate::release::cms::attributes(b"sums", &Digest::of(b"plan"), &NUMBER, script.now).unwrap();
    let tbs = script.own(Purpose::RootCertificate);
    assert_eq!([seal[0], attributes[0], tbs.as_der()[0]], [b'a', 0x31, 0x30]);
}
