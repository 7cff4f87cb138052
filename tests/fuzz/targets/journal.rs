//! The journal: as it is, and with its hashes and signatures made anew.

use anchorite::audit::{Expectation, State, audit, open_matters, unreleased_plans};
use anchorite::journal::{
    Bytes, Entry, Event, Head, Index, KeyRole, Ledger, Purpose, Replay, Standing, replay, seal_message,
};
use anchorite::verify::validate_path;
use anchorite::x509::certificate::Facts;
use anchorite::x509::{Digest, Time};

use super::world::{self, JOURNAL_KEY, root};
use super::{fit, good};

pub fn journal(data: &[u8]) {
    if let Some(head) = good(Head::from_json("state/head", data)) {
        assert_eq!(Head::from_json("state/head", &head.to_json()), Ok(head));
    }
    if let Some(replayed) = judge(data, false) {
        // Nobody without the keys wrote what is sealed under this root.
        let lines = replayed.ledger.seal().map_or(0, |seal| seal.count);
        let sealed: Vec<_> = data.split_inclusive(|b| *b == b'\n').take(lines as usize).collect();
        assert!(world::JOURNAL.starts_with(&sealed.concat()), "a journal was forged");
    }
    judge(&mended(Scribe::new(), data, None), true);
}

/// What is demanded of every journal; gives back one that the audit of this root does not
/// find broken.
fn judge(data: &[u8], signed: bool) -> Option<Replay> {
    let mut lines = 0;
    let replayed = replay(data, |_, ledger| {
        assert_eq!(ledger.count(), lines, "each is shown before it is taken in, and the first fault ends it");
        lines += 1;
        Ok(())
    });
    let (report, audited, _) = audit(data, &Expectation::default());
    assert_eq!(replayed.is_ok(), audited.is_some());
    let expect = Expectation { root_sha256: Some(root().fingerprint()), ..Expectation::default() };
    let (known, audited, kept) = audit(data, &expect);
    for report in [&report, &known] {
        report.errors.iter().for_each(|fault| fit(&fault.message));
        report.open.iter().for_each(|line| fit(line));
        assert_eq!(report.errors.is_empty(), report.state != State::Broken);
        assert!(report.state != State::Ok || report.open.is_empty());
    }
    if known.state == State::Broken {
        good(replayed).iter().for_each(|replayed| adds_up(data, replayed));
        return None;
    }
    let audited = audited.unwrap();
    adds_up(data, &audited);
    assert!(known.state == State::Open || (audited.torn.is_empty() && audited.ledger.unsealed().is_empty()));
    for (_, der) in kept.certificates.iter().filter(|_| signed) {
        let path: &[&[u8]] = if *der == root().der { &[] } else { &[der] };
        let at = audited.ledger.last_time().unwrap();
        good(validate_path(path, &root().der, at));
    }
    Some(audited)
}

/// Lines, hashes and heads agree, and everything that is said of them can be read.
fn adds_up(data: &[u8], replayed: &Replay) {
    let ledger = &replayed.ledger;
    let whole = &data[..ledger.bytes() as usize];
    assert_eq!([whole, &replayed.torn].concat(), data);
    assert_eq!(whole.iter().filter(|b| **b == b'\n').count() as u64, ledger.count());
    for (line, number) in whole.split_inclusive(|b| *b == b'\n').zip(1..) {
        let line = &line[..line.len() - 1];
        assert_eq!(replayed.hash_at(number), Some(Digest::of(line)));
        assert_eq!(Entry::from_line(0, line).unwrap().to_line().unwrap().as_bytes(), line);
    }
    let head = Head { count: ledger.count(), hash: ledger.head() };
    assert_eq!(head.compare("itself", ledger.count(), replayed.hash_at(head.count)), Ok(Standing::Same));
    open_matters(ledger).iter().chain(&unreleased_plans(ledger, |_| true)).for_each(|line| fit(line));
    assert_eq!(ledger.settled().unwrap().count(), ledger.count());
    for line in whole.split_inclusive(|b| *b == b'\n') {
        let entry = Entry::from_line(0, &line[..line.len() - 1]).unwrap();
        let Event::Intent { purpose: Purpose::Intermediate, message, .. } = entry.event else { continue };
        let facts = Facts::from_tbs(&message.0).unwrap();
        fit(&facts.subject.to_string());
        assert!(ledger.by_key(&facts.key).unwrap().iter().all(|issued| issued.key == facts.key));
    }
}

/// A journal as it grows.
pub(super) struct Scribe {
    ledger: Ledger,
    bytes: Vec<u8>,
    now: Time,
}

impl Scribe {
    pub fn new() -> Self {
        Self { ledger: Ledger::default(), bytes: Vec::new(), now: world::now() }
    }

    /// Goes on after an index, without the lines that it stands for.
    pub fn after(index: &Index) -> Self {
        let ledger = index.ledger().clone();
        Self { now: ledger.last_time().unwrap_or(world::now()), ledger, bytes: Vec::new() }
    }

    /// Goes on after these lines.
    pub fn resumed(bytes: &[u8]) -> Self {
        let ledger = replay(bytes, |_, _| Ok(())).unwrap().ledger;
        Self { now: ledger.last_time().unwrap(), ledger, bytes: bytes.to_vec() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends, and gives the line's number. A line that the ledger refuses stands all
    /// the same; nothing may follow it.
    pub fn add(&mut self, event: Event) -> anchorite::Result<u64> {
        self.add_at(self.now, event)
    }

    fn add_at(&mut self, time: Time, event: Event) -> anchorite::Result<u64> {
        let entry = Entry { seq: self.ledger.count(), time, prev: self.ledger.head(), event };
        let line = entry.to_line()?;
        self.bytes.extend(line.bytes().chain([b'\n']));
        self.ledger.apply(&entry, line.as_bytes())?;
        Ok(entry.seq)
    }
}

/// The lines with their numbers, hashes, seals and signatures made anew, up to the first
/// that is no line. An empty signature is left empty. The first line may be the seal of
/// an index.
pub(super) fn mended(mut scribe: Scribe, data: &[u8], index: Option<Digest>) -> Vec<u8> {
    let first = scribe.ledger.count();
    for line in data.split(|b| *b == b'\n') {
        let Ok(mut entry) = serde_json::from_slice::<Entry>(line) else { break };
        match &mut entry.event {
            Event::Intent { purpose: Purpose::Seal, message, .. } => {
                let (count, head) = (scribe.ledger.count(), scribe.ledger.head());
                let index = index.filter(|_| count == first);
                *message = Bytes(seal_message(count, head, entry.time, index));
            }
            Event::Signed { intent, signature } if !signature.0.is_empty() => {
                if let Some(record) = scribe.ledger.intent_at(*intent) {
                    signature.0 = match record.role {
                        KeyRole::Root => world::sign_as_root(&record.message),
                        KeyRole::Journal => JOURNAL_KEY.sign(&record.message),
                    };
                }
            }
            _ => {}
        }
        if scribe.add_at(entry.time, entry.event).is_err() {
            break;
        }
    }
    scribe.bytes
}
