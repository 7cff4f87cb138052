//! What can be asked of a ledger.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{IntentRecord, KeyRecord, Ledger, Seal};
use crate::error::{Error, Result};
use crate::journal::{GENESIS, KeyRole, Purpose, RootAdoption, RootDecision};
use crate::x509::{Digest, Issued, Status, Time};

impl Ledger {
    /// How many bytes its lines take.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
    /// Whether its numbers are such as lines add up to: then nothing that is counted on
    /// from them overflows, and no seal lies ahead of them.
    pub(in crate::journal) fn adds_up(&self) -> bool {
        let sealed = self.seal.as_ref().map_or(0, |seal| seal.count);
        let counted = [sealed, self.releases, self.signatures].iter().all(|n| *n <= self.count);
        let taken = self.count <= self.bytes && self.last_line <= self.bytes && self.bytes < 1 << 60;
        counted && taken && self.intents.keys().all(|seq| *seq < self.count)
    }
    /// How many of them are the last line's, its newline included.
    pub(in crate::journal) fn last_line(&self) -> u64 {
        self.last_line
    }
    /// Number of lines.
    pub fn count(&self) -> u64 {
        self.count
    }
    /// SHA-256 of the last line.
    pub fn head(&self) -> Digest {
        self.head.unwrap_or(GENESIS)
    }
    /// Time of the last line.
    pub fn last_time(&self) -> Option<Time> {
        self.last_time
    }
    /// The home's random name.
    pub fn home(&self) -> &str {
        &self.home
    }
    /// Whether `--yes` may answer confirmations.
    pub fn unattended(&self) -> bool {
        self.unattended
    }
    /// Whether this home is for rehearsals.
    pub fn rehearsal(&self) -> bool {
        self.rehearsal
    }
    /// The documents in force: those of the last seal. What was pinned after it
    /// counts for nothing, for anyone who can write the file can add a line; before
    /// the first seal there is no key that could vouch for it.
    pub fn files(&self) -> &BTreeMap<String, Digest> {
        self.seal.as_ref().map_or(&self.files, |seal| &seal.files)
    }
    /// Whether other documents were pinned after the last seal.
    pub fn pinned_unsealed(&self) -> bool {
        self.files() != &self.files
    }
    /// The root as decided.
    pub fn root_decision(&self) -> Option<&RootDecision> {
        self.root_decision.as_ref()
    }
    /// The root as it was taken over, where it was made elsewhere.
    pub fn root_adoption(&self) -> Option<&RootAdoption> {
        self.root_adoption.as_ref()
    }
    /// A key of the home.
    pub fn key(&self, role: KeyRole) -> Option<&KeyRecord> {
        match role {
            KeyRole::Root => self.root_key.as_ref(),
            KeyRole::Journal => self.journal_key.as_ref(),
        }
    }
    /// An intent that is open, or signed and not released.
    pub fn intent_at(&self, seq: u64) -> Option<&IntentRecord> {
        self.intents.get(&seq)
    }
    /// Intents without a recorded outcome.
    pub fn open_intents(&self) -> impl Iterator<Item = (u64, &IntentRecord)> {
        self.intents.iter().filter(|(_, i)| i.signature.is_none()).map(|(s, i)| (*s, i))
    }
    /// What plans granted that is signed but not released, in order.
    pub fn unreleased(&self) -> impl Iterator<Item = (u64, &IntentRecord)> {
        self.intents
            .iter()
            .filter(|(_, i)| i.signature.is_some() && i.purpose.is_granted())
            .map(|(s, i)| (*s, i))
    }
    /// What a plan granted by this intent, where it is signed and not released.
    pub fn unreleased_by(&self, intent: u64) -> Option<&IntentRecord> {
        self.intents.get(&intent).filter(|i| i.signature.is_some() && i.purpose.is_granted())
    }
    /// The newest signed certificate of this purpose (root's or journal's).
    pub fn own_certificate(&self, purpose: Purpose) -> Option<&IntentRecord> {
        self.own_certificates(purpose).next_back()
    }
    /// All of them, the oldest first: a renewal is for the same key and name.
    pub fn own_certificates(&self, purpose: Purpose) -> impl DoubleEndedIterator<Item = &IntentRecord> {
        self.intents.values().filter(move |i| i.purpose == purpose && i.signature.is_some())
    }
    /// An intent's certificate. An open intent is younger than any index.
    pub fn certificate_of(&self, intent: &IntentRecord) -> Option<&Issued> {
        intent.certificate.as_ref().and_then(|serial| self.recent.certificates.get(serial))
    }
    /// Keys that were asked for and not recorded as made.
    pub fn open_keys(&self) -> BTreeSet<u64> {
        [&self.root_key, &self.journal_key]
            .into_iter()
            .flatten()
            .filter(|k| k.public_key.is_none())
            .map(|k| k.intent)
            .collect()
    }
    /// How many signatures a plan that is being performed grants beyond those asked for.
    pub fn granted(&self, plan: &Digest) -> Option<usize> {
        self.plans.get(plan).and_then(|left| usize::try_from(*left).ok())
    }
    /// Plans of which something is signed and not released.
    pub fn unfinished_plans(&self) -> BTreeSet<Digest> {
        self.unreleased().filter_map(|(_, intent)| intent.plan).collect()
    }
    /// How many releases were begun, those included that never left: each has its
    /// number for itself, and with that its name on the stick.
    pub fn releases(&self) -> u64 {
        self.releases
    }
    /// How many signatures are on record, seals included.
    pub fn signatures(&self) -> u64 {
        self.signatures
    }
    /// Whether the token was seen to keep this journal's head.
    pub fn head_kept(&self) -> bool {
        self.head_kept
    }
    /// The last seal.
    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }
    /// The kinds of the lines after the last seal, in order.
    pub fn unsealed(&self) -> &[&'static str] {
        &self.unsealed
    }
    /// Whether an intermediate was ever asked for.
    pub fn issued_any(&self) -> bool {
        self.issued_any
    }
    /// The ledger as it will be once the open intents are settled and revocations that
    /// nobody sealed are taken back, which a session does before anything else.
    pub fn settled(&self) -> Result<Cow<'_, Self>> {
        let mut settled = Cow::Borrowed(self);
        for (_, intent) in self.open_intents().filter(|(_, intent)| intent.certificate.is_some()) {
            settled.to_mut().set_status(intent.certificate.as_ref(), Status::Burnt)?;
        }
        if !self.revoked_unsealed().is_empty() {
            let taken_back = settled.to_mut().unrevoke(self.revoked_unsealed());
            taken_back.map_err(|what| Error::integrity("journal.sequence", what))?;
        }
        if self.course_unsealed() {
            settled.to_mut().forget_recorded();
        }
        Ok(settled)
    }
}
