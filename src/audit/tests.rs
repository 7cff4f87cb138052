//! What an audit finds, and above all what somebody who can write to the disk,
//! but has no token, cannot make it overlook.

use proptest::prelude::*;

use super::*;
use crate::journal::sample::{NUMBER, Script, decided, intent, key_intent, of_plan, session};
use crate::journal::{Bytes, commitment, replay, seal_message};
use crate::x509::Seconds;

fn judge(script: &Script, bytes: &[u8]) -> Report {
    let expect = Expectation { root_sha256: Some(Digest::of(&script.root)), ..Expectation::default() };
    audit(bytes, &expect).0
}

#[track_caller]
fn broken(report: &Report, id: &str) {
    assert_eq!(report.state, State::Broken, "{report:?}");
    assert!(report.errors.iter().any(|e| e.id == id), "{report:?}");
}

fn whole() -> Script {
    let mut script = Script::with_root();
    script.session("one", &["east", "west"]);
    script.session("two", &["north"]);
    script
}

#[test]
fn a_whole_journal_is_in_order() {
    let script = whole();
    let report = judge(&script, &script.bytes);
    assert_eq!((report.state, &report.errors[..], &report.open[..]), (State::Ok, &[][..], &[][..]));
    assert_eq!((report.entries, report.head), (script.ledger.count(), Some(script.ledger.head())));
    let (_, _, kept) = audit(&script.bytes, &Expectation::default());
    assert_eq!(kept.certificates.len(), 5);
}

#[test]
fn another_cas_journal_is_told_from_ours() {
    let (ours, theirs) = (whole(), whole());
    broken(&judge(&ours, &theirs.bytes), "audit.root");
    broken(&judge(&ours, &Script::opened().bytes), "audit.root");
    let expect = Expectation { root: Some(&ours.root), ..Expectation::default() };
    broken(&audit(&theirs.bytes, &expect).0, "audit.root");
    assert_eq!(audit(&ours.bytes, &expect).0.state, State::Ok);
}

/// The root's own certificate is public: alone it proves nothing.
#[test]
fn a_journal_rewritten_without_any_seal_is_never_in_order() {
    let mut script = Script::opened();
    script.add(decided());
    let key = script.add(key_intent(KeyRole::Root));
    script.add(script.key_made(key, KeyRole::Root));
    script.certify(Purpose::RootCertificate);
    let report = judge(&script, &script.bytes);
    assert_eq!(report.state, State::Open);
    assert!(report.open[0].contains("not sealed"), "{report:?}");
}

#[test]
fn any_root_certificate_of_the_one_key_may_be_the_one_noted() {
    let mut script = Script::with_root();
    let first = Digest::of(&script.root);
    script.sign(script.renewal(Purpose::RootCertificate, 1, "20540101000000Z"));
    script.sign(script.renewal(Purpose::JournalCertificate, 2, "20540101000000Z"));
    script.session("plan", &["east"]);
    let report = judge(&script, &script.bytes);
    assert_eq!((report.state, report.roots.len(), report.roots[0]), (State::Ok, 2, first), "{report:?}");
    for root in report.roots {
        let expect = Expectation { root_sha256: Some(root), ..Expectation::default() };
        assert_eq!(audit(&script.bytes, &expect).0.state, State::Ok);
    }
    broken(&judge(&Script::with_root(), &script.bytes), "audit.root");
}

#[test]
fn a_root_that_was_taken_over_is_verified_like_one_made_here() {
    let mut script = Script::adopted();
    script.certify(Purpose::JournalCertificate);
    script.seal();
    script.session("plan", &["east"]);
    script.sign(script.renewal(Purpose::RootCertificate, 1, "20540101000000Z"));
    script.seal();
    let report = judge(&script, &script.bytes);
    assert_eq!((report.state, report.roots.len()), (State::Ok, 2), "{report:?}");
    let (_, _, kept) = audit(&script.bytes, &Expectation::default());
    assert_eq!(kept.certificates.len(), 4, "the one taken over among them");

    // Taken over without the key: its certificate is public, but nothing more can be signed.
    let mut thief = Script::adopted();
    thief.add(session());
    assert_eq!(judge(&thief, &thief.bytes).state, State::Open);

    // A certificate whose own signature does not hold, or that had expired.
    let mut forged = Script::opened();
    let Event::RootAdopted(mut adoption) = forged.adoption() else { panic!() };
    let last = adoption.certificate.0.len() - 1;
    adoption.certificate.0[last] ^= 1;
    forged.add(Event::RootAdopted(adoption));
    broken(&judge(&forged, &forged.bytes), "verify.adopted");
    let mut late = Script::opened();
    late.now = late.now + Seconds(20 * 366 * 86_400);
    let adoption = late.adoption();
    late.add(adoption);
    broken(&judge(&late, &late.bytes), "verify.adopted");
}

#[test]
fn another_root_must_be_fit_when_it_is_put_on_record_and_may_expire_there() {
    let mut script = Script::with_root();
    let roots = vec![Script::other_root("CN=B")];
    script.add(Event::Companions { roots: roots.clone() });
    let report = judge(&script, &script.bytes);
    assert_eq!((report.state, report.companions.len()), (State::Open, 0), "{report:?}");
    script.seal();
    let report = judge(&script, &script.bytes);
    assert_eq!((report.state, report.companions), (State::Ok, vec![roots[0].fingerprint()]));
    // Said again long after its end, it is no news.
    script.now = script.now + Seconds(20 * 366 * 86_400);
    script.add(Event::Companions { roots: roots.clone() });
    script.seal();
    assert_eq!(judge(&script, &script.bytes).state, State::Ok);

    let mut late = Script::with_root();
    late.now = script.now;
    late.add(Event::Companions { roots: roots.clone() });
    late.seal();
    broken(&judge(&late, &late.bytes), "verify.companion");
    let mut forged = Script::with_root();
    let mut bent = roots[0].clone();
    *bent.certificate.0.last_mut().unwrap() ^= 1;
    forged.add(Event::Companions { roots: vec![bent] });
    forged.seal();
    broken(&judge(&forged, &forged.bytes), "verify.companion");
}

/// All hashes made anew over another journal key: its seals would verify.
#[test]
fn a_journal_rewritten_under_another_journal_key_is_broken() {
    let (ours, theirs) = (whole(), whole());
    let mine = theirs.key_made(4, KeyRole::Journal);
    let mut lines = String::new();
    let mut prev = crate::journal::GENESIS;
    replay(&ours.bytes, |entry, _| {
        let mut entry = Entry { prev, ..entry.clone() };
        if matches!(entry.event, Event::KeyMade { intent: 4, .. }) {
            entry.event = mine.clone();
        }
        if let Event::Intent { purpose: Purpose::Seal, message, .. } = &mut entry.event {
            *message = Bytes(seal_message(entry.seq, prev, entry.time, None));
        }
        if let Event::Signed { intent, signature } = &mut entry.event
            && let Some(seal) = lines.lines().nth(*intent as usize)
            && let Event::Intent { role: KeyRole::Journal, message, .. } =
                Entry::from_line(0, seal.as_bytes())?.event
        {
            *signature = theirs.signature(KeyRole::Journal, &message.0);
        }
        let line = entry.to_line()?;
        prev = Digest::of(line.as_bytes());
        lines += &(line + "\n");
        Ok(())
    })
    .unwrap();
    let report = judge(&ours, lines.as_bytes());
    broken(&report, "journal.sequence");
    assert!(report.errors[0].message.contains("of another key than the one on record"), "{report:?}");
}

#[test]
fn a_signature_that_does_not_verify_is_found_and_the_rest_still_read() {
    let mut script = Script::with_root();
    let plan = script.begin("plan", 2);
    let intent = script.add(script.intermediate(plan, "east"));
    script.add(Event::Signed { intent, signature: script.signature(KeyRole::Root, b"other") });
    script.sign(script.intermediate(plan, "west"));
    script.seal();
    let report = judge(&script, &script.bytes);
    broken(&report, "audit.signature");
    assert_eq!((report.errors.len(), report.entries), (1, script.ledger.count()));
}

#[test]
fn a_good_signature_cannot_hide_as_a_rejected_one() {
    let mut script = Script::with_root();
    let plan = script.begin("plan", 2);
    for (cluster, over) in [("east", &b"other"[..]), ("west", b"")] {
        let event = script.intermediate(plan, cluster);
        let Event::Intent { message, .. } = &event else { panic!() };
        let over = if over.is_empty() { message.0.clone() } else { over.to_vec() };
        let intent = script.add(event);
        let signature = script.signature(KeyRole::Root, &over);
        script.add(Event::Rejected { intent, signature, reason: "no".into() });
        script.seal();
        let report = judge(&script, &script.bytes);
        match cluster {
            "east" => assert_eq!(report.state, State::Ok, "{report:?}"),
            _ => broken(&report, "audit.rejected"),
        }
    }
}

#[test]
fn a_release_is_backed_by_a_signature_over_its_sums() {
    for (recorded, good) in [("sums", true), ("other", false)] {
        let mut script = Script::with_root();
        let plan = script.begin("plan", 1);
        script.sign(script.intermediate(plan, "east"));
        script.release(plan, b"sums");
        let sums = Digest::of(recorded.as_bytes());
        script.add(Event::Released { plan, folder: "f".into(), sums, number: NUMBER });
        script.seal();
        let report = judge(&script, &script.bytes);
        match good {
            true => assert_eq!(report.state, State::Ok, "{report:?}"),
            false => broken(&report, "audit.release"),
        }
    }
    // Signed and sealed, for another plan: nothing of this one is released.
    let mut script = Script::with_root();
    let plan = script.begin("plan", 0);
    let attributes =
        crate::release::cms::attributes(b"sums", &Digest::of(b"another"), &commitment(&NUMBER), script.now)
            .unwrap();
    script.sign(of_plan(intent(Purpose::Release, KeyRole::Journal, &attributes), plan));
    script.seal();
    broken(&judge(&script, &script.bytes), "audit.release");

    let mut script = Script::with_root();
    let plan = script.begin("plan", 1);
    let mut seal_like =
        intent(Purpose::Release, KeyRole::Journal, &seal_message(1, Digest::of(b""), script.now, None));
    if let Event::Intent { plan: of, .. } = &mut seal_like {
        *of = Some(plan);
    }
    script.sign(seal_like);
    broken(&judge(&script, &script.bytes), "verify.cms.parse");
}

#[test]
fn what_is_unfinished_is_open() {
    let mut script = whole();
    script.now = script.now + Seconds(1);
    script.add(session());
    assert_eq!(judge(&script, &script.bytes).open.len(), 1);
    let plan = script.begin("plan", 1);
    script.add(script.intermediate(plan, "east"));
    let torn = [&script.bytes[..], b"{"].concat();
    let report = judge(&script, &torn);
    assert_eq!((report.state, report.open.len()), (State::Open, 3), "{report:?}");
    assert!(unreleased_plans(&script.ledger, |_| true).is_empty(), "nothing of it is signed");
    let mut young = Script::opened();
    young.add(decided());
    young.add(key_intent(KeyRole::Root));
    assert_eq!(audit(&young.bytes, &Expectation::default()).0.open.len(), 2);
}

#[test]
fn known_heads_catch_what_was_cut_or_replaced() {
    let mut script = whole();
    let head = Head { count: script.ledger.count(), hash: script.ledger.head() };
    let older = script.bytes.clone();
    script.session("three", &["south"]);
    let newer = Head { count: script.ledger.count(), hash: script.ledger.head() };
    let with = |bytes: &[u8], known: Head| {
        let heads = vec![("the sheet".into(), known)];
        let by_count = audit(bytes, &Expectation { heads, ..Expectation::default() }).0;
        let by_hash = audit(bytes, &Expectation { head: Some(known.hash), ..Expectation::default() }).0;
        assert_eq!(by_count.state, by_hash.state);
        by_count
    };
    assert_eq!(with(&script.bytes, newer).state, State::Ok);
    assert_eq!(with(&script.bytes, head).state, State::Open);
    broken(&with(&older, newer), "journal.behind");
    broken(&with(&whole().bytes, head), "journal.unlike");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_beginning_of_a_journal_is_in_order_or_open(cut in any::<prop::sample::Index>()) {
        let script = whole();
        let first = script.bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        let end = first + cut.index(script.bytes.len() - first + 1);
        let report = audit(&script.bytes[..end], &Expectation::default()).0;
        prop_assert!(report.state != State::Broken, "{:?}", report);
        prop_assert!(report.state == State::Open || script.bytes[..end].ends_with(b"\n"));
    }

    #[test]
    fn any_changed_byte_of_a_sealed_journal_shows(at in any::<prop::sample::Index>(), change in 1..=255u8) {
        let script = whole();
        let mut bytes = script.bytes.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        // Without its newline the last line is one that a crash tore: its seal is missing.
        let wanted = if at + 1 == bytes.len() { State::Open } else { State::Broken };
        prop_assert_eq!(judge(&script, &bytes).state, wanted);
    }

    #[test]
    fn any_line_of_a_sealed_journal_dropped_doubled_or_moved_shows(
        at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), kind in 0..3_u8,
    ) {
        let script = whole();
        let mut lines: Vec<&[u8]> = script.bytes.split_inclusive(|b| *b == b'\n').collect();
        let (at, to) = (at.index(lines.len()), to.index(lines.len()));
        prop_assume!(kind == 1 || at != to);
        match kind {
            0 => drop(lines.remove(at)),
            1 => lines.insert(to, lines[at]),
            _ => lines.swap(at, to),
        }
        // Without its last line it ends before its seal, as after a crash: known heads tell.
        let wanted = if kind == 0 && at == lines.len() { State::Open } else { State::Broken };
        prop_assert_eq!(judge(&script, &lines.concat()).state, wanted);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(audit(&bytes, &Expectation::default()).0.state, State::Broken);
    }
}

#[test]
fn every_byte_of_the_last_two_lines_is_covered_by_the_seal() {
    let script = Script::with_root();
    let end = script.bytes.len() - 1;
    let start = end - script.bytes[..end].rsplit(|b| *b == b'\n').take(2).map(|l| l.len() + 1).sum::<usize>();
    for at in start + 1..end {
        let mut bytes = script.bytes.clone();
        bytes[at] ^= 1;
        assert_eq!(judge(&script, &bytes).state, State::Broken, "byte {at}");
    }
}

mod attested {
    use super::*;
    use crate::journal::{AttestedFacts, KeyAttested};
    use crate::verify::tests::attestation::Maker;

    /// What [`Maker::attest_key`] says.
    fn facts(voucher: &str) -> AttestedFacts {
        AttestedFacts {
            voucher: voucher.into(),
            serial: Some(23_935_886),
            firmware: "5.7.1".into(),
            pin_policy: "always".into(),
            touch_policy: "always".into(),
            form_factor: "USB-C keychain, FIPS series".into(),
        }
    }

    fn attested(script: &Script, maker: &Maker, role: KeyRole) -> KeyAttested {
        let key = script.ledger.key(role).unwrap().public_key.clone().unwrap();
        let certificates = [maker.attest_key(&key), maker.device.der().to_vec()].map(Bytes).to_vec();
        KeyAttested { role, certificates, facts: Some(facts("CN=Maker Root")), problem: None }
    }

    /// With it on record, sealed.
    fn recorded(change: impl FnOnce(&Script, &mut KeyAttested)) -> (Script, Vec<Vec<u8>>) {
        let (mut script, maker) = (Script::with_root(), Maker::new());
        let mut it = attested(&script, &maker, KeyRole::Root);
        change(&script, &mut it);
        script.add(Event::KeyAttested(it));
        script.seal();
        (script, vec![maker.root.der().to_vec()])
    }

    fn judged(script: &Script, vouchers: Option<&[Vec<u8>]>) -> Report {
        audit(&script.bytes, &Expectation { vouchers, ..Expectation::default() }).0
    }

    #[test]
    fn one_that_holds_is_told_with_how_far_it_was_verified() {
        let (script, roots) = recorded(|_, _| ());
        let report = judged(&script, Some(&roots));
        assert_eq!(report.state, State::Ok, "{report:?}");
        assert!(report.attested[0].ends_with("verifies as of 2030-01-01T00:00:00Z"), "{report:?}");
        assert!(report.attested[0].contains("CN=Maker Root (serial 23935886, firmware 5.7.1, PIN always,"));
        // Without the configuration nobody knows the issuer, and the rest still holds.
        let report = judged(&script, None);
        assert_eq!(report.state, State::Ok, "{report:?}");
        assert!(report.attested[0].contains("its issuer was not verified"), "{report:?}");
        // With one that does not trust it (any more) it does not verify.
        broken(&judged(&script, Some(&[])), "attest.chain");
        let named = judged(&script, Some(&[])).errors[0].message.clone();
        assert!(named.starts_with("journal line ") && named.contains("attestation-roots"), "{named}");
    }

    #[test]
    fn one_that_never_verified_is_told_as_that() {
        let (script, _) = recorded(|_, it| {
            it.facts = None;
            it.problem = Some("untrusted [attest.chain]".into());
        });
        let report = judged(&script, Some(&[]));
        assert_eq!(report.state, State::Ok, "{report:?}");
        assert!(report.attested[0].contains("did not verify when it was made: untrusted"), "{report:?}");
    }

    #[test]
    fn any_change_is_found_with_the_configuration_or_without() {
        type Change = fn(&Script, &mut KeyAttested);
        let changes: [(&str, Change); 8] = [
            ("attest.signature", |_, it| {
                let place = it.certificates[0].0.windows(3).position(|w| w == [5, 7, 1]).unwrap();
                it.certificates[0].0[place + 2] = 4;
            }),
            ("attest.signature", |_, it| it.certificates[1] = Bytes(Maker::new().device.der().to_vec())),
            ("attest.form", |_, it| it.certificates[0].0.truncate(9)),
            ("audit.attestation", |_, it| drop(it.certificates.pop())),
            ("audit.attestation", |_, it| it.role = KeyRole::Journal),
            ("audit.attestation", |_, it| it.facts.as_mut().unwrap().serial = Some(5)),
            ("audit.attestation", |_, it| it.facts.as_mut().unwrap().firmware = "5.7.4".into()),
            ("audit.attestation", |_, it| it.facts.as_mut().unwrap().touch_policy = "never".into()),
        ];
        for (id, change) in changes {
            let (script, roots) = recorded(change);
            broken(&judged(&script, Some(&roots)), id);
            broken(&judged(&script, None), id);
        }
        // Yubico's name needs no configuration to be looked through.
        let yubicos = |_: &Script, it: &mut KeyAttested| {
            it.facts.as_mut().unwrap().voucher = "CN=Yubico Attestation Root 1".into();
        };
        let (script, roots) = recorded(yubicos);
        broken(&judged(&script, None), "attest.chain");
        broken(&judged(&script, Some(&roots)), "audit.attestation");
    }

    #[test]
    fn it_is_judged_as_of_the_day_when_it_was_recorded() {
        let (mut script, maker) = (Script::with_root(), Maker::new());
        let late = attested(&script, &maker, KeyRole::Root);
        // rcgen's certificates end in the year 4096.
        script.now = Time::parse("5000-01-01T00:00:00Z").unwrap();
        script.add(Event::KeyAttested(late));
        let roots = vec![maker.root.der().to_vec()];
        let report = judged(&script, Some(&roots));
        broken(&report, "attest.chain");
        assert!(report.errors[0].message.contains("not at 5000-01-01"), "{report:?}");

        let (mut script, roots) = recorded(|_, _| ());
        script.now = Time::parse("5000-01-01T00:00:00Z").unwrap();
        script.add(session());
        script.seal();
        assert_eq!(judged(&script, Some(&roots)).state, State::Ok, "it was good then");
    }
}
