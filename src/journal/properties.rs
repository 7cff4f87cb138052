//! Whatever was done, the journal says the same once it is read again; whatever was
//! done to the journal shows, and nothing after it is believed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::sample::{NUMBER, Script, files, recovered, revocation, revoked, session};
use super::{Bytes, Entry, Event, Journal, Ledger, PlanState, replay};
use crate::x509::{Digest, Issued, Seconds, Serial, Status, Time};

/// A step of a session, as far as what came before lets it be taken.
#[derive(Debug, Clone, Copy)]
enum Step {
    Session,
    Pin,
    Begin(u64),
    Ask,
    Sign,
    Reject,
    Withdraw,
    Settle,
    Release,
    Revoke,
    TakeBack,
    Crl,
    Seal,
    Lose,
    Recover(u64),
    Wait(u64),
    SetClockBack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Session),
        1 => Just(Step::Pin),
        2 => (1..4_u64).prop_map(Step::Begin),
        6 => Just(Step::Ask),
        5 => Just(Step::Sign),
        1 => Just(Step::Reject),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Settle),
        2 => Just(Step::Release),
        2 => Just(Step::Revoke),
        1 => Just(Step::TakeBack),
        2 => Just(Step::Crl),
        3 => Just(Step::Seal),
        1 => Just(Step::Lose),
        2 => (0..3_u64).prop_map(Step::Recover),
        2 => (0..9999_u64).prop_map(Step::Wait),
        1 => Just(Step::SetClockBack),
    ];
    prop::collection::vec(step, 0..40)
}

/// What the ledger should say, kept by hand.
#[derive(Default)]
struct Expected {
    /// Plan to how many of its certificates may still be asked for.
    plans: Vec<(Digest, u64)>,
    /// Intents without an outcome, each with its plan.
    open: Vec<(u64, Digest)>,
    /// Certificates signed and not released.
    signed: Vec<(u64, Digest)>,
    /// CRLs signed that no release carried yet, and how many were signed in all.
    crls: Vec<u64>,
    numbers: u64,
    /// Revoked, on no CRL yet; and of these the last that nobody vouches for.
    waiting: Vec<Serial>,
    unsealed: usize,
    certificates: usize,
    signatures: u64,
    releases: u64,
}

/// A root, and then these steps.
fn held(steps: &[Step]) -> (Script, Expected) {
    let mut script = Script::with_root();
    let mut expected = Expected { certificates: 2, signatures: 3, ..Expected::default() };
    for (number, step) in steps.iter().enumerate() {
        take(*step, &format!("{number}"), &mut script, &mut expected);
    }
    (script, expected)
}

fn take(step: Step, name: &str, script: &mut Script, expected: &mut Expected) {
    let last = expected.open.last().copied();
    match step {
        Step::Session => drop(script.add(session())),
        Step::Pin => drop(script.add(Event::Pinned { files: files(name) })),
        Step::Begin(grants) => expected.plans.push((script.begin(name, grants), grants)),
        Step::Ask => {
            let Some((plan, left)) = expected.plans.iter_mut().rfind(|(_, left)| *left > 0) else { return };
            *left -= 1;
            expected.open.push((script.add(script.intermediate(*plan, "east")), *plan));
            expected.certificates += 1;
        }
        Step::Sign => {
            let Some((intent, plan)) = expected.open.pop() else { return };
            let message = script.ledger.intent_at(intent).unwrap().message.clone();
            let signature = script.signature(super::KeyRole::Root, &message);
            script.add(Event::Signed { intent, signature });
            expected.signed.push((intent, plan));
            expected.signatures += 1;
        }
        Step::Reject => {
            let Some((intent, _)) = expected.open.pop() else { return };
            script.add(Event::Rejected { intent, signature: Bytes(vec![1]), reason: "no".into() });
            expected.signatures += 1;
        }
        Step::Withdraw => {
            let Some((intent, plan)) = last else { return };
            script.add(Event::Withdrawn { intents: vec![intent], numbers: vec![NUMBER] });
            expected.open.pop();
            // It was certainly not signed: its plan may ask again, and nobody knows of it.
            expected.certificates -= 1;
            expected.plans.iter_mut().filter(|(p, _)| *p == plan).for_each(|(_, left)| *left += 1);
        }
        Step::Settle => {
            let intents: Vec<u64> = expected.open.drain(..).map(|(intent, _)| intent).collect();
            script.add(Event::Settled { intents });
        }
        Step::Release => {
            let whole = |plan: &Digest| expected.open.iter().all(|(_, of)| of != plan);
            let Some(at) = expected.plans.iter().position(|(plan, _)| whole(plan)) else { return };
            let (plan, _) = expected.plans.remove(at);
            let released = script.release(plan, name.as_bytes());
            script.add(released);
            expected.signed.retain(|(_, of)| *of != plan);
            expected.crls.clear();
            expected.signatures += 1;
            expected.releases += 1;
        }
        Step::Revoke => {
            let certificates = script.ledger.certificates();
            let fit = |c: &&Issued| c.cluster.is_some() && c.status != Status::Open && c.revoked.is_none();
            let Some(issued) = certificates.iter().find(fit) else { return };
            script.add(revoked(name, &[revocation(&issued.serial, script.now)]));
            expected.waiting.push(issued.serial.clone());
            expected.unsealed += 1;
        }
        Step::TakeBack => {
            let back = expected.waiting.split_off(expected.waiting.len() - expected.unsealed);
            script.add(Event::Unrevoked { certificates: back });
            expected.unsealed = 0;
        }
        Step::Crl => {
            let spec = script.crl_spec(script.ledger.next_crl_number(), script.ledger.unlisted());
            let crl = script.crl(&spec);
            expected.crls.push(script.sign(crl));
            (expected.waiting, expected.unsealed) = (Vec::new(), 0);
            expected.numbers = spec.number;
            expected.signatures += 1;
        }
        Step::Seal => {
            script.seal();
            expected.unsealed = 0;
            expected.signatures += 1;
        }
        Step::Lose => {
            let (count, head) = (script.ledger.count(), script.ledger.head());
            script.add(Event::LossAccepted { place: "the token".into(), count, head });
        }
        Step::Recover(beyond) => {
            let number = script.ledger.next_crl_number() + beyond;
            let crl = script.unrecorded_crl(number, script.ledger.unlisted());
            script.add(recovered(&[script.unrecorded("east")], &[crl]));
            (expected.waiting, expected.unsealed) = (Vec::new(), 0);
            expected.numbers = number;
            expected.certificates += 1;
        }
        Step::Wait(seconds) => script.now = script.now + Seconds(seconds),
        Step::SetClockBack => {
            let from = script.ledger.last_time().unwrap();
            script.now = from.earlier(Seconds(60));
            script.add(Event::ClockCorrected { from });
        }
    }
}

/// All that can be asked of a ledger.
fn answers(ledger: &Ledger) -> impl PartialEq + std::fmt::Debug + use<> {
    let intents = |seq: u64| {
        let i = ledger.intent_at(seq).unwrap();
        (seq, i.purpose, i.role, i.plan, i.request, i.policy.clone(), i.message.clone(), i.signature.clone())
    };
    let open: Vec<_> = ledger.open_intents().map(|(seq, _)| intents(seq)).collect();
    let unreleased: Vec<_> = ledger.unreleased().map(|(seq, _)| intents(seq)).collect();
    let certificates = ledger.certificates();
    let found: Vec<_> = certificates
        .iter()
        .map(|c| {
            let by_subject = ledger.by_subject(&c.subject.canonical());
            (ledger.by_key(&c.key), by_subject, ledger.by_serial(&c.serial), ledger.by_cluster("east"))
        })
        .collect();
    let plans: BTreeMap<Digest, crate::Result<Option<PlanState>>> =
        ledger.unfinished_plans().into_iter().map(|plan| (plan, ledger.plan(&plan))).collect();
    (
        (ledger.count(), ledger.head(), ledger.last_time(), ledger.home().to_string()),
        (ledger.files().clone(), ledger.pinned_unsealed(), ledger.seal().map(|s| s.count)),
        (open, unreleased, certificates, found, plans),
        (ledger.signatures(), ledger.releases(), ledger.unsealed().to_vec(), ledger.open_keys()),
        revocations(ledger),
    )
}

fn revocations(ledger: &Ledger) -> impl PartialEq + std::fmt::Debug + use<> {
    let now = ledger.last_time().unwrap();
    (
        (
            ledger.unlisted().to_vec(),
            ledger.revoked_unsealed().to_vec(),
            ledger.outlived(Time::from_unix(u64::MAX)),
        ),
        (ledger.crl().cloned(), ledger.next_crl_number()),
        (ledger.alive(now), ledger.alive_count(now), ledger.without_crl(now, 2)),
    )
}

/// The entries of a journal, with the time of each.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let lines = bytes.split_inclusive(|b| *b == b'\n');
    lines.zip(0..).map(|(line, n)| Entry::from_line(n, line.strip_suffix(b"\n").unwrap()).unwrap()).collect()
}

/// Writes the same events through the file, in groups of one time; where a group
/// ends, the journal may be closed, or a crash may tear a line that is then cut off.
fn written(script: &Script, closes: &[bool]) -> (tempfile::TempDir, Journal) {
    let folder = tempfile::tempdir().unwrap();
    let mut groups: Vec<(Time, Vec<Event>)> = Vec::new();
    for entry in entries(&script.bytes) {
        match groups.last_mut() {
            Some((time, events)) if *time == entry.time && events.len() < 5 => events.push(entry.event),
            _ => groups.push((entry.time, vec![entry.event])),
        }
    }
    let first = groups[0].1.remove(0);
    let mut journal = Journal::create(folder.path(), folder.path(), groups[0].0, first).unwrap();
    for ((time, events), close) in groups.into_iter().zip(closes.iter().cycle()) {
        journal.append(time, events).unwrap();
        if *close {
            drop(journal);
            journal = Journal::open(folder.path(), folder.path()).unwrap();
        }
    }
    (folder, journal)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_done_is_what_is_read(steps in steps(), closes in prop::collection::vec(any::<bool>(), 1..8)) {
        let (script, expected) = held(&steps);
        let ledger = &script.ledger;
        prop_assert_eq!(ledger.certificates().len(), expected.certificates);
        prop_assert_eq!((ledger.signatures(), ledger.releases()), (expected.signatures, expected.releases));
        let mut open: Vec<u64> = expected.open.iter().map(|(intent, _)| *intent).collect();
        open.sort_unstable();
        prop_assert_eq!(ledger.open_intents().map(|(seq, _)| seq).collect::<Vec<_>>(), open);
        let mut signed: Vec<u64> = expected.signed.iter().map(|(intent, _)| *intent).collect();
        signed.extend(&expected.crls);
        signed.sort_unstable();
        prop_assert_eq!(ledger.unreleased().map(|(seq, _)| seq).collect::<Vec<_>>(), signed);

        let waiting: Vec<Serial> = ledger.unlisted().iter().map(|entry| entry.serial.clone()).collect();
        prop_assert_eq!(&waiting, &expected.waiting);
        prop_assert_eq!(ledger.revoked_unsealed().len(), expected.unsealed);
        prop_assert_eq!(ledger.crl().map_or(0, |last| last.number), expected.numbers);

        let replayed = replay(&script.bytes, |_, _| Ok(())).unwrap();
        prop_assert_eq!(answers(&replayed.ledger), answers(ledger));
        let (folder, journal) = written(&script, &closes);
        prop_assert_eq!(journal.bytes().unwrap(), script.bytes.clone());
        prop_assert_eq!(answers(journal.ledger()), answers(ledger));
        drop(journal);
        let again = Journal::open(folder.path(), folder.path()).unwrap();
        prop_assert_eq!(answers(again.ledger()), answers(ledger));
        prop_assert_eq!(again.head().hash, ledger.head());
    }

    #[test]
    fn every_beginning_is_a_journal(steps in steps(), cut in any::<Index>()) {
        let (script, _) = held(&steps);
        let whole = replay(&script.bytes, |_, _| Ok(())).unwrap();
        let first = script.bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        let end = first + cut.index(script.bytes.len() - first + 1);
        let lines = script.bytes[..end].iter().filter(|b| **b == b'\n').count() as u64;
        let replayed = replay(&script.bytes[..end], |_, _| Ok(())).unwrap();
        prop_assert_eq!((replayed.ledger.count(), Some(replayed.ledger.head())), (lines, whole.hash_at(lines)));
        prop_assert_eq!(&script.bytes[replayed.ledger.bytes() as usize..end], &replayed.torn[..]);
        // What comes after is taken in as if it had never been cut.
        let mut ledger = replayed.ledger;
        for line in script.bytes.split_inclusive(|b| *b == b'\n').skip(lines as usize) {
            let line = line.strip_suffix(b"\n").unwrap();
            ledger.apply(&Entry::from_line(0, line).unwrap(), line).unwrap();
        }
        prop_assert_eq!(answers(&ledger), answers(&script.ledger));
    }

    #[test]
    fn what_was_done_to_a_journal_shows_and_nothing_after_it_is_read(
        steps in steps(), at in any::<Index>(), other in any::<Index>(), kind in 0..5_u8, change in 1..=255_u8,
    ) {
        let (script, _) = held(&steps);
        let good: Vec<Vec<u8>> = script.bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        let mut lines = good.clone();
        let (a, b) = (at.index(lines.len()), other.index(lines.len()));
        match kind {
            0 => {
                let place = other.index(lines[a].len());
                lines[a][place] ^= change;
            }
            1 => drop(lines.remove(a)),
            2 => lines.insert(b, lines[a].clone()),
            3 => lines.swap(a, b),
            _ => lines[a] = lines[b].clone(),
        }
        let mut seen: Vec<String> = Vec::new();
        let replayed = replay(&lines.concat(), |entry, ledger| {
            assert_eq!(ledger.count(), seen.len() as u64);
            seen.push(entry.to_line()? + "\n");
            Ok(())
        });
        // At most the altered line is shown, and the next one, whose hash gives it away. Only
        // the last line's hash stands nowhere: for that there are seals.
        let same = seen.iter().zip(&good).take_while(|(seen, good)| seen.as_bytes() == good.as_slice()).count();
        prop_assert!(seen.len() <= same + if kind == 0 { 2 } else { 1 }, "{same} of {} lines", seen.len());
        prop_assert!(replayed.is_err() || same + 1 >= good.len(), "{same} of {} lines", good.len());
    }
}
