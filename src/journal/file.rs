//! The journal's file: append, fsync, and only then a permit.

use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::secret::{SessionSecret, commitment};
use super::store::{INDEX_FILE, Store};
use super::{
    Bytes, ClusterCrl, Entry, Event, Head, Index, IntentRecord, KeyPermit, KeyRole, Ledger, Permit, Purpose,
    Replay, Standing, replay, replay_after, replay_lines, seal_message,
};
use crate::error::{Error, Result};
use crate::lint::Linted;
use crate::media::durable::{self, AppendFile};
use crate::text;
use crate::x509::{Digest, KeyAlgorithm, SignatureAlgorithm, Tbs, Time};

/// The journal's one file in its folder.
pub const FILE: &str = "journal.jsonl";
/// A journal up to this size is read whole each time it is opened; a longer one is
/// read from its index on.
pub const READ_WHOLE: u64 = 256 << 10;

/// An open journal. Owned by the one process that holds the home's lock.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    state: PathBuf,
    read_whole: u64,
    file: AppendFile,
    replayed: Replay,
    unsealed: Unsealed,
    /// Of the session that is under way.
    secret: Option<SessionSecret>,
    /// The index that the ledger stands on.
    base: Option<Arc<Store>>,
    /// A line was refused: what stands in memory is not what is on disk.
    unlike: bool,
}

/// A certificate or CRL about to be signed: the linted bytes and what they answer.
#[derive(Debug)]
pub struct CertificateIntent {
    /// What for.
    pub purpose: Purpose,
    /// The bytes, linted.
    pub tbs: Linted<Tbs>,
    /// The plan they stand in.
    pub plan: Option<Digest>,
    /// SHA-256 of the request.
    pub request: Option<Digest>,
    /// The cluster.
    pub cluster: Option<String>,
    /// The policy that granted it.
    pub policy: Option<String>,
    /// The CRL that the cluster signed for it beforehand.
    pub crl: Option<ClusterCrl>,
}

impl Journal {
    /// Begins a new journal with its first line.
    pub fn create(folder: &Path, state: &Path, time: Time, opened: Event) -> Result<Self> {
        let entry = Entry { seq: 0, time, prev: super::GENESIS, event: opened };
        let line = entry.to_line()? + "\n";
        durable::write_new(folder, FILE, line.as_bytes(), 0o600)?;
        Self::open(folder, state)
    }

    /// Opens and replays it: from the index on, where there is one that the last seal
    /// vouches for, else from its first line. `state` is the folder of the index.
    pub fn open(folder: &Path, state: &Path) -> Result<Self> {
        Self::open_beyond(READ_WHOLE, folder, state)
    }

    /// As [`Journal::open`], where a journal counts as long beyond this many bytes.
    pub(super) fn open_beyond(read_whole: u64, folder: &Path, state: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = AppendFile::open(&path).map_err(|e| match e.id {
            "file.missing" | "file.not-regular" => {
                Error::integrity("journal.missing", e.message).next("restore it: `anchorite audit restore`")
            }
            _ => e,
        })?;
        let indexed = if file.len() > read_whole { Self::replay_indexed(&path, state)? } else { None };
        let (replayed, unsealed, base) = match indexed {
            Some((replayed, unsealed, store)) => (replayed, unsealed, Some(store)),
            None => {
                let mut unsealed = Unsealed::default();
                let lines = BufReader::new(durable::open(&path)?);
                let replayed = replay_lines(lines, |entry, ledger| unsealed.note(entry, ledger))?;
                (replayed, unsealed, None)
            }
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            state: state.to_path_buf(),
            read_whole,
            file,
            replayed,
            unsealed,
            secret: None,
            base,
            unlike: false,
        })
    }

    /// Replays what follows the index. An index that is not this journal's, or that no
    /// seal vouches for, is passed over: reading the whole tells what is wrong, if anything is.
    fn replay_indexed(path: &Path, state: &Path) -> Result<Option<(Replay, Unsealed, Arc<Store>)>> {
        let Some(store) = Store::open(state)? else { return Ok(None) };
        let mut start = store.index.ledger().clone();
        let Some(lines) = lines_after(path, &start)? else { return Ok(None) };
        start.stand_on(store.clone());
        let mut unsealed = Unsealed::default();
        let each = |entry: &Entry, ledger: &Ledger| unsealed.note(entry, ledger);
        match replay_after(&store.index, start, lines, each) {
            Ok(replayed) => Ok(Some((replayed, unsealed, store))),
            Err(_) => Ok(None),
        }
    }

    /// The last seal's signature and every one after it, as the file had them when it
    /// was opened: nothing yet vouches for these, so whoever opens it verifies them.
    pub fn unsealed_signatures(&self) -> &[(IntentRecord, Vec<u8>)] {
        &self.unsealed.0
    }

    /// Its lines from the index on, which a seal among them vouches for, or all of them.
    pub fn recent(&self) -> Result<(Option<&Index>, Box<dyn BufRead>)> {
        let path = self.folder.join(FILE);
        match &self.base {
            None => Ok((None, Box::new(BufReader::new(durable::open(&path)?)))),
            Some(store) => {
                let lines = lines_after(&path, store.index.ledger())?.ok_or_else(changed)?;
                Ok((Some(&store.index), Box::new(lines)))
            }
        }
    }

    /// What it says.
    pub fn ledger(&self) -> &Ledger {
        &self.replayed.ledger
    }

    /// A last line that a crash left unfinished.
    pub fn torn(&self) -> &[u8] {
        &self.replayed.torn
    }

    /// Its bytes as they are on disk, for an export: line for line those that were
    /// replayed and written.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        durable::open(&self.folder.join(FILE))?.read_to_end(&mut bytes).map_err(unreadable)?;
        let same = match &self.base {
            None => self.replayed.are_after(0, &bytes),
            Some(_) => replay(&bytes, |_, _| Ok(())).is_ok_and(|it| it.ledger.head() == self.head().hash),
        };
        same.then_some(bytes).ok_or_else(changed)
    }

    /// What a release carries of it: the whole, or of a long one the lines since the
    /// last session and the index of those before.
    pub fn copy(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(base) = &self.base else { return Ok(vec![(FILE.into(), self.bytes()?)]) };
        let start = base.index.ledger();
        let mut tail = Vec::new();
        let mut lines = lines_after(&self.folder.join(FILE), start)?.ok_or_else(changed)?;
        lines.read_to_end(&mut tail).map_err(unreadable)?;
        if !self.replayed.are_after(start.count(), &tail) {
            return Err(changed());
        }
        Ok(vec![(INDEX_FILE.into(), base.bytes.clone()), (FILE.into(), tail)])
    }

    /// Shows every line from the first on, however much was read when it was opened.
    pub fn each(&self, each: impl FnMut(&Entry, &Ledger) -> Result<()>) -> Result<()> {
        replay_lines(BufReader::new(durable::open(&self.folder.join(FILE))?), each).map(drop)
    }

    /// How many bytes it takes.
    pub fn size(&self) -> u64 {
        self.ledger().bytes() + self.replayed.torn.len() as u64
    }

    /// Makes the index of a long journal, for the coming seal to vouch for.
    pub fn index(&mut self) -> Result<Option<Digest>> {
        if self.size() <= self.read_whole {
            return Ok(None);
        }
        let store = Store::write(&self.state, self.ledger(), self.base.as_deref())?;
        self.replayed.ledger.stand_on(store.clone());
        let digest = store.index.digest();
        self.base = Some(store);
        Ok(Some(digest))
    }

    /// Where it stands.
    pub fn head(&self) -> Head {
        Head { count: self.ledger().count(), hash: self.ledger().head() }
    }

    /// Compares with a head known from elsewhere.
    pub fn compare(&self, place: &str, known: Head) -> Result<Standing> {
        let mut there = self.replayed.hash_at(known.count);
        if there.is_none() && known.count <= self.ledger().count() {
            there = self.earlier(known)?;
        }
        known.compare(place, self.ledger().count(), there)
    }

    /// The hash of a line that was not read: a seal's stands in the index, any other
    /// takes reading the whole.
    fn earlier(&self, known: Head) -> Result<Option<Digest>> {
        if self.ledger().sealed_at(&known.hash)? == Some(known.count) {
            return Ok(Some(known.hash));
        }
        let mut there = None;
        self.each(|entry, _| {
            if entry.seq == known.count {
                there = Some(entry.prev);
            }
            Ok(())
        })?;
        Ok(there)
    }

    /// Writes again what was read of it, where an earlier run did not come to its end:
    /// its last flush may have failed. See [`AppendFile::rewrite`].
    pub fn rewrite(&mut self) -> Result<()> {
        self.file.rewrite(self.base.as_ref().map_or(0, |base| base.index.ledger().bytes()))
    }

    /// Cuts off a torn line; the event must go on record.
    pub fn cut_torn(&mut self) -> Result<Option<Event>> {
        if self.replayed.torn.is_empty() {
            return Ok(None);
        }
        self.file.truncate(self.ledger().bytes())?;
        let torn = std::mem::take(&mut self.replayed.torn);
        Ok(Some(Event::Torn { bytes: torn.len() as u64, sha256: Digest::of(&torn) }))
    }

    /// Whether all that stands in memory is on disk: nothing is said of it otherwise.
    pub fn check_written(&self) -> Result<()> {
        if !self.unlike {
            return Ok(());
        }
        Err(Error::integrity("journal.refused", "a line was refused before; nothing more is written")
            .next("run `anchorite audit verify` to see what is on record"))
    }

    /// Appends events in one write and one fsync; returns the first one's number.
    pub fn append(&mut self, time: Time, events: Vec<Event>) -> Result<u64> {
        if !self.replayed.torn.is_empty() {
            return Err(Error::integrity("journal.torn", "the journal's last line is unfinished"));
        }
        self.check_written()?;
        self.unlike = true;
        let first = self.ledger().count();
        let mut lines = String::new();
        for event in events {
            let ledger = &mut self.replayed.ledger;
            let entry = Entry { seq: ledger.count(), time, prev: ledger.head(), event };
            let line = entry.to_line()?;
            ledger.apply(&entry, line.as_bytes())?;
            self.replayed.hashes.push(self.replayed.ledger.head());
            lines.push_str(&line);
            lines.push('\n');
        }
        self.file.append(lines.as_bytes())?;
        self.unlike = false;
        Ok(first)
    }

    /// Puts a group of certificates on record as about to be signed by the root,
    /// and gives one permit for each, in order. What happened before goes on record
    /// with them, in one flush.
    pub fn intend(
        &mut self,
        time: Time,
        before: Vec<Event>,
        certificates: Vec<CertificateIntent>,
    ) -> Result<Vec<Permit>> {
        let earlier = before.len() as u64;
        let mut next = self.ledger().count() + earlier..;
        let mut events = before;
        let mut messages = Vec::new();
        for c in certificates {
            let tbs = c.tbs.into_inner();
            messages.push((tbs.signature(), tbs.as_der().to_vec()));
            events.push(Event::Intent {
                purpose: c.purpose,
                role: KeyRole::Root,
                algorithm: tbs.signature(),
                plan: c.plan,
                request: c.request,
                cluster: c.cluster,
                policy: c.policy,
                crl: c.crl,
                commitment: next.next().and_then(|intent| self.commitment(intent)),
                message: Bytes(tbs.as_der().to_vec()),
            });
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.append(time, events)?;
        Ok((first + earlier..)
            .zip(messages)
            .map(|(intent, (algorithm, message))| Permit { intent, role: KeyRole::Root, algorithm, message })
            .collect())
    }

    /// Puts a signature over a release's attributes on record as about to be made.
    pub fn intend_release(&mut self, time: Time, plan: Digest, attributes: Vec<u8>) -> Result<Permit> {
        self.intend_by_journal_key(time, Purpose::Release, Some(plan), attributes)
    }

    /// Puts the seal of everything so far on record as about to be made.
    pub fn intend_seal(&mut self, time: Time, index: Option<Digest>) -> Result<Permit> {
        let message = seal_message(self.ledger().count(), self.ledger().head(), time, index);
        self.intend_by_journal_key(time, Purpose::Seal, None, message)
    }

    fn intend_by_journal_key(
        &mut self,
        time: Time,
        purpose: Purpose,
        plan: Option<Digest>,
        message: Vec<u8>,
    ) -> Result<Permit> {
        // The journal's key is always P-256 (see the token's layout in the README).
        let algorithm = SignatureAlgorithm::EcdsaSha256;
        let intent = self.append(
            time,
            vec![Event::Intent {
                purpose,
                role: KeyRole::Journal,
                algorithm,
                plan,
                request: None,
                cluster: None,
                policy: None,
                crl: None,
                commitment: self.next_commitment(),
                message: Bytes(message.clone()),
            }],
        )?;
        Ok(Permit { intent, role: KeyRole::Journal, algorithm, message })
    }

    /// Puts a key pair on record as about to be generated.
    pub fn intend_key(
        &mut self,
        time: Time,
        role: KeyRole,
        algorithm: KeyAlgorithm,
        label: &str,
        id: &[u8],
    ) -> Result<KeyPermit> {
        let intent = self.append(
            time,
            vec![Event::KeyIntent {
                role,
                algorithm: algorithm.to_string(),
                label: label.into(),
                id: text::hex(id),
            }],
        )?;
        Ok(KeyPermit { intent, role, algorithm, label: label.into(), id: id.to_vec(), again: false })
    }

    /// A permit again for a key that was put on record, and that a crash may have
    /// left made, half made or not at all.
    pub fn resume_key(&self, role: KeyRole) -> Option<KeyPermit> {
        let record = self.ledger().key(role).filter(|k| k.public_key.is_none())?;
        Some(KeyPermit {
            intent: record.intent,
            role,
            algorithm: record.algorithm,
            label: record.label.clone(),
            id: record.id.clone(),
            again: true,
        })
    }

    /// Gives permits back unused: these were certainly not signed.
    pub fn withdraw(&mut self, time: Time, permits: Vec<Permit>) -> Result<()> {
        if permits.is_empty() {
            return Ok(());
        }
        let intents: Vec<u64> = permits.into_iter().map(|p| p.intent).collect();
        let numbers = intents.iter().map(|intent| self.number(*intent)).collect();
        self.append(time, vec![Event::Withdrawn { intents, numbers }]).map(drop)
    }

    /// Puts on record that the release whose sums this intent had signed is out.
    pub fn released(
        &mut self,
        time: Time,
        intent: u64,
        plan: Digest,
        folder: String,
        sums: Digest,
    ) -> Result<()> {
        let number = self.number(intent);
        self.append(time, vec![Event::Released { plan, folder, sums, number }]).map(drop)
    }

    /// A session begins, with 32 bytes of randomness.
    pub fn know(&mut self, entropy: [u8; 32]) {
        self.secret = Some(SessionSecret::new(entropy));
    }

    /// What the next line commits to, if it is an intent.
    pub fn next_commitment(&self) -> Option<Digest> {
        self.commitment(self.ledger().count())
    }

    fn commitment(&self, intent: u64) -> Option<Digest> {
        self.secret.as_ref().map(|secret| commitment(&secret.number(intent)))
    }

    /// What an intent of this session committed to. Without a session none did.
    fn number(&self, intent: u64) -> Digest {
        self.secret.as_ref().map_or(super::GENESIS, |secret| secret.number(intent))
    }
}

/// The last seal's signature and those after it.
#[derive(Debug, Default)]
struct Unsealed(Vec<(IntentRecord, Vec<u8>)>);

impl Unsealed {
    fn note(&mut self, entry: &Entry, ledger: &Ledger) -> Result<()> {
        if let Event::Signed { intent, signature } = &entry.event
            && let Some(record) = ledger.intent_at(*intent)
        {
            if record.purpose == Purpose::Seal {
                self.0.clear();
            }
            self.0.push((record.clone(), signature.0.clone()));
        }
        Ok(())
    }
}

/// The lines after those that `start` knows, if the last of these is where it was.
fn lines_after(path: &Path, start: &Ledger) -> Result<Option<impl BufRead + use<>>> {
    let mut file = BufReader::new(durable::open(path)?);
    let mut last = Vec::new();
    let found = file
        .seek(SeekFrom::Start(start.bytes().saturating_sub(start.last_line())))
        .and_then(|_| file.by_ref().take(start.last_line()).read_to_end(&mut last));
    found.map_err(unreadable)?;
    let same = last.strip_suffix(b"\n").is_some_and(|line| Digest::of(line) == start.head());
    Ok(same.then_some(file))
}

fn unreadable(error: std::io::Error) -> Error {
    Error::usage("file.unreadable", format!("{FILE}: {error}")).next("see that its disk is sound")
}

fn changed() -> Error {
    Error::integrity("journal.changed", "the journal on disk is not the one that was opened")
        .next("stop the ceremony: another program wrote to it meanwhile")
}
