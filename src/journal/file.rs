//! The journal's file: append, fsync, and only then a permit.

use std::path::{Path, PathBuf};

use super::{
    Bytes, Entry, Event, Head, IntentRecord, KeyPermit, KeyRole, Ledger, Permit, Purpose, Replay, Standing,
    replay, seal_message,
};
use crate::error::{Error, Result};
use crate::lint::Linted;
use crate::media::durable::{self, AppendFile};
use crate::text;
use crate::x509::{Digest, KeyAlgorithm, SignatureAlgorithm, Tbs, Time};

/// The journal's one file in its folder.
pub const FILE: &str = "journal.jsonl";
/// The largest journal that is read (1,000,000 certificates fit).
const LIMIT: u64 = 8 << 30;

/// An open journal. Owned by the one process that holds the home's lock.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    file: AppendFile,
    replayed: Replay,
    unsealed: Vec<(IntentRecord, Vec<u8>)>,
    /// A line was refused: what stands in memory is not what is on disk.
    unlike: bool,
}

/// A certificate about to be signed: the linted bytes and what they answer.
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
}

impl Journal {
    /// Begins a new journal with its first line.
    pub fn create(folder: &Path, time: Time, opened: Event) -> Result<Self> {
        let entry = Entry { seq: 0, time, prev: super::GENESIS, event: opened };
        let line = entry.to_line()? + "\n";
        durable::write_new(folder, FILE, line.as_bytes(), 0o600)?;
        Self::open(folder)
    }

    /// Opens and replays it.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = durable::read_bounded(&path, LIMIT).map_err(|e| match e.id {
            "file.missing" => {
                Error::integrity("journal.missing", e.message).next("restore it: `anchorite audit restore`")
            }
            _ => e,
        })?;
        let mut unsealed = Vec::new();
        let replayed = replay(&bytes, |entry, ledger| {
            if let Event::Signed { intent, signature } = &entry.event
                && let Some(record) = ledger.intent_at(*intent)
            {
                if record.purpose == Purpose::Seal {
                    unsealed.clear();
                }
                unsealed.push((record.clone(), signature.0.clone()));
            }
            Ok(())
        })?;
        let file = AppendFile::open(&path)?;
        Ok(Self { folder: folder.to_path_buf(), file, replayed, unsealed, unlike: false })
    }

    /// The last seal's signature and every one after it, as the file had them when it
    /// was opened: nothing yet vouches for these, so whoever opens it verifies them.
    pub fn unsealed_signatures(&self) -> &[(IntentRecord, Vec<u8>)] {
        &self.unsealed
    }

    /// What it says.
    pub fn ledger(&self) -> &Ledger {
        &self.replayed.ledger
    }

    /// A last line that a crash left unfinished.
    pub fn torn(&self) -> &[u8] {
        &self.replayed.torn
    }

    /// Its bytes as they are on disk, for a release or an audit: line for line
    /// those that were replayed and written.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let bytes = durable::read_bounded(&self.folder.join(FILE), LIMIT)?;
        let whole = usize::try_from(self.replayed.whole).ok().and_then(|end| bytes.get(..end));
        let lines = whole.unwrap_or_default().split_inclusive(|b| *b == b'\n');
        if lines.map(|line| Digest::of(line.strip_suffix(b"\n").unwrap_or(line))).eq(self
            .replayed
            .hashes
            .iter()
            .copied())
        {
            return Ok(bytes);
        }
        Err(Error::integrity("journal.changed", "the journal on disk is not the one that was opened")
            .next("stop the ceremony: another program wrote to it meanwhile"))
    }

    /// How many bytes it takes.
    pub fn size(&self) -> u64 {
        self.replayed.whole + self.replayed.torn.len() as u64
    }

    /// Where it stands.
    pub fn head(&self) -> Head {
        Head { count: self.ledger().count(), hash: self.ledger().head() }
    }

    /// Compares with a head known from elsewhere.
    pub fn compare(&self, place: &str, known: Head) -> Result<Standing> {
        known.compare(place, self.ledger().count(), self.replayed.hash_at(known.count))
    }

    /// Cuts off a torn line; the event must go on record.
    pub fn cut_torn(&mut self) -> Result<Option<Event>> {
        if self.replayed.torn.is_empty() {
            return Ok(None);
        }
        self.file.truncate(self.replayed.whole)?;
        let torn = std::mem::take(&mut self.replayed.torn);
        Ok(Some(Event::Torn { bytes: torn.len() as u64, sha256: Digest::of(&torn) }))
    }

    /// Appends events in one write and one fsync; returns the first one's number.
    pub fn append(&mut self, time: Time, events: Vec<Event>) -> Result<u64> {
        if !self.replayed.torn.is_empty() {
            return Err(Error::integrity("journal.torn", "the journal's last line is unfinished"));
        }
        if std::mem::replace(&mut self.unlike, true) {
            return Err(Error::integrity(
                "journal.refused",
                "a line was refused before; nothing more is written",
            )
            .next("run `anchorite audit verify` to see what is on record"));
        }
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
        self.replayed.whole += lines.len() as u64;
        self.unlike = false;
        Ok(first)
    }

    /// Puts a group of certificates on record as about to be signed by the root,
    /// and gives one permit for each, in order.
    pub fn intend(&mut self, time: Time, certificates: Vec<CertificateIntent>) -> Result<Vec<Permit>> {
        let mut events = Vec::new();
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
                message: Bytes(tbs.as_der().to_vec()),
            });
        }
        let first = self.append(time, events)?;
        Ok((first..)
            .zip(messages)
            .map(|(intent, (algorithm, message))| Permit { intent, role: KeyRole::Root, algorithm, message })
            .collect())
    }

    /// Puts a signature over a release's attributes on record as about to be made.
    pub fn intend_release(&mut self, time: Time, plan: Digest, attributes: Vec<u8>) -> Result<Permit> {
        self.intend_by_journal_key(time, Purpose::Release, Some(plan), attributes)
    }

    /// Puts the seal of everything so far on record as about to be made.
    pub fn intend_seal(&mut self, time: Time) -> Result<Permit> {
        let message = seal_message(self.ledger().count(), self.ledger().head(), time);
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
        let intents = permits.into_iter().map(|p| p.intent).collect();
        self.append(time, vec![Event::Withdrawn { intents }]).map(drop)
    }
}
