//! The journal replayed: what is known, what is open. Pure.
//!
//! [`Ledger::apply`] is the one place that says which event may follow which;
//! writing and auditing both go through it, so that no journal can be written
//! that would not pass its own audit.

mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::{Bytes, ClusterCrl, Companion, Entry, Event, Purpose, RootAdoption, RootDecision};
use super::line::Digested;
use super::past::Past;
use super::{Head, KeyRole, RootCourse, seal_message, sealed_index};
use crate::error::{Error, Result};
use crate::text;
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Issued, KeyAlgorithm, PublicKey, Revocation, Serial, Status, Time};

mod companions;
mod ended;
mod history;
mod questions;
mod records;
mod recovered;
mod revocation;
mod roots;

pub(in crate::journal) use history::Recent;
pub use records::{CrlRecord, IntentRecord, KeyRecord, PlanState, Seal};
pub use recovered::RECOVERED;

/// Everything the journal says, replayed. What is serialised is what an index
/// begins with; the certificates themselves are in its buckets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    count: u64,
    /// How many bytes the lines take, and the last of them, newlines included.
    bytes: u64,
    last_line: u64,
    head: Option<Digest>,
    last_time: Option<Time>,
    home: String,
    unattended: bool,
    rehearsal: bool,
    files: BTreeMap<String, Digest>,
    root_decision: Option<RootDecision>,
    root_adoption: Option<RootAdoption>,
    /// As recorded last; an index without any is as it was before there were such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    companions: Vec<Companion>,
    root_key: Option<KeyRecord>,
    journal_key: Option<KeyRecord>,
    intents: BTreeMap<u64, IntentRecord>,
    /// Those being performed, each with the number of its certificates that were not asked for yet.
    plans: BTreeMap<Digest, u64>,
    issued_any: bool,
    /// Of those whose release is signed and not out, what the intent to do so committed to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    releasing: BTreeMap<Digest, Digest>,
    releases: u64,
    signatures: u64,
    seal: Option<Seal>,
    /// Whether the token was seen to keep the head.
    head_kept: bool,
    /// As with the companions: an index without any of these is as it was before there were such.
    #[serde(default, skip_serializing_if = "records::is_default")]
    course: RootCourse,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl: Option<CrlRecord>,
    /// The highest that was asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    crl_number: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unlisted: Vec<Revocation>,
    /// thisUpdate of the CRL before it: what had ended by then stands on none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crl_before: Option<Time>,
    /// Whether the clock was ever set back: CRLs may be dated ahead, and have let entries go too early.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    corrected: bool,
    /// The plan that changed the root's course, until its release is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    course_unreleased: Option<Digest>,
    /// The plan of the last line, where that revokes.
    #[serde(skip)]
    recording: Option<Digest>,
    /// Plans that ended, behind the last seal, as what they do was put on record.
    #[serde(skip)]
    recorded_unsealed: Vec<Digest>,
    /// Of these, those that neither a seal nor a CRL vouches for yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    revoked_unsealed: Vec<Serial>,
    /// How many of the clusters' certificates end in which week: all that are listed
    /// under it, those revoked, and those released whose own CRL is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    weeks: BTreeMap<u64, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    revoked: BTreeMap<u64, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lacking: BTreeMap<u64, u64>,
    #[serde(skip)]
    unsealed: Vec<&'static str>,
    #[serde(skip)]
    recent: Recent,
    #[serde(skip)]
    past: Option<Arc<dyn Past>>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Ledger {
    /// Takes one line in. `line` is its exact bytes without the newline.
    pub fn apply(&mut self, entry: &Entry, line: &[u8]) -> Result<()> {
        self.apply_digested(entry, Digested::of(entry, line))
    }

    /// The same of a line whose bytes were digested before.
    pub(super) fn apply_digested(&mut self, entry: &Entry, digested: Digested) -> Result<()> {
        let line_number = self.count + 1;
        let bad = |what: String| {
            Error::integrity("journal.sequence", format!("journal line {line_number}: {what}"))
        };
        if entry.seq != self.count {
            return Err(bad(format!("has number {}, wanted {}", entry.seq, self.count)));
        }
        if entry.prev != self.head() {
            return Err(Error::integrity(
                "journal.chain",
                format!(
                    "journal line {}: carries {} as the hash of the line before it, which is {}",
                    self.count + 1,
                    entry.prev,
                    self.head()
                ),
            ));
        }
        let corrected = matches!(entry.event, Event::ClockCorrected { .. });
        if !corrected && self.last_time.is_some_and(|last| entry.time < last) {
            return Err(bad(format!("time {} lies before the line before it", entry.time)));
        }
        if (self.count == 0) != matches!(entry.event, Event::Opened { .. }) {
            return Err(bad("a journal begins with 'opened', and only begins so".into()));
        }
        self.event(entry, digested.facts).map_err(bad)?;
        self.count += 1;
        self.last_line = digested.length;
        self.bytes += self.last_line;
        self.head = Some(digested.hash);
        self.last_time = Some(entry.time);
        self.unsealed.push(entry.event.kind());
        if let Event::Signed { intent, .. } = &entry.event
            && self.intents.get(intent).is_some_and(|i| i.purpose == Purpose::Seal)
        {
            self.intents.remove(intent);
            self.sealed()?;
        }
        Ok(())
    }

    fn sealed(&mut self) -> Result<()> {
        self.unsealed.clear();
        self.revoked_unsealed.clear();
        self.recorded_unsealed.clear();
        self.settle_own()?;
        let (files, companions, course) = (self.files.clone(), self.companions.clone(), self.course.clone());
        self.seal = Some(Seal { count: self.count, files, companions, course });
        self.recent.heads.push(Head { count: self.count, hash: self.head() });
        Ok(())
    }

    fn event(&mut self, entry: &Entry, facts: Option<Result<Facts>>) -> std::result::Result<(), String> {
        if !matches!(entry.event, Event::RootCourse { .. }) {
            self.recording = None;
        }
        match &entry.event {
            Event::Opened { home, unattended, rehearsal, files, .. } => {
                self.home.clone_from(home);
                self.unattended = *unattended;
                self.rehearsal = *rehearsal;
                self.files.clone_from(files);
            }
            // Whoever can write to the disk can write a line, but cannot seal it.
            Event::Pinned { files } => self.files.clone_from(files),
            Event::ClockCorrected { from } if Some(*from) != self.last_time => {
                return Err(format!("corrects the clock from {from}, but the line before says otherwise"));
            }
            Event::ClockCorrected { .. } => self.corrected = true,
            Event::Session { .. } | Event::Torn { .. } | Event::LossAccepted { .. } => {}
            Event::HeadKept {} => self.head_kept = true,
            Event::RootDecided(decision) => self.root_decided(decision)?,
            Event::RootAdopted(adoption) => self.root_adopted(entry.seq, adoption)?,
            Event::Companions { roots } => self.companions_recorded(roots)?,
            Event::KeyIntent { role, algorithm, label, id } => {
                self.key_intent(entry.seq, *role, algorithm, label, id)?;
            }
            Event::KeyAttested(attested)
                if self.key(attested.role).is_none_or(|k| k.public_key.is_none()) =>
            {
                return Err("vouches for a key that does not exist".into());
            }
            Event::KeyAttested(_) => {}
            Event::KeyMade { intent, public_key } => self.key_made(*intent, public_key)?,
            Event::Plan { digest, grants, .. } => {
                if self.plan(digest).map_err(|e| e.message)?.is_some() {
                    return Err(format!("plan {digest} was begun before"));
                }
                self.plans.insert(*digest, *grants);
            }
            Event::Intent { .. } => self.intent(entry, facts)?,
            Event::Revoked { plan, certificates } => self.revoke(plan, certificates)?,
            Event::Unrevoked { certificates } => self.unrevoke(certificates)?,
            Event::RootCourse { plan, course } => self.root_course(plan.as_ref(), course)?,
            Event::ClusterCrl { plan, certificate, crl } => self.cluster_crl(plan, &certificate.0, crl)?,
            Event::Signed { intent, signature } => self.signed(entry, *intent, signature)?,
            Event::Rejected { intent, .. } => {
                self.close(*intent, "rejects")?;
                self.signatures += 1;
            }
            Event::Withdrawn { intents, numbers } => self.withdrawn(intents, numbers)?,
            Event::Settled { intents } => {
                for intent in intents {
                    self.close(*intent, "settles")?;
                }
            }
            Event::Released { plan, number, .. } => self.released(plan, number)?,
            Event::Restored { count, head, .. } if (*count, *head) != (self.count, self.head()) => {
                return Err("says it was restored from another copy".into());
            }
            Event::Restored { given_up, .. } => given_up.iter().try_for_each(|plan| self.give_up(plan))?,
            Event::Recovered { certificates, cluster_crls, crls } => {
                self.recovered(certificates, cluster_crls, crls)?;
            }
        }
        Ok(())
    }

    /// Once its key is asked for nothing about the root changes, but for a serial
    /// that a crash burnt.
    fn root_decided(&mut self, decision: &RootDecision) -> std::result::Result<(), String> {
        let same = |before: &RootDecision| {
            let (serial, journal_serial) = (before.serial.clone(), before.journal_serial.clone());
            RootDecision { serial, journal_serial, ..decision.clone() } == *before
        };
        // With the first seal the root is made.
        let made = self.seal.is_some();
        if made || self.root_key.is_some() && !self.root_decision.as_ref().is_some_and(same) {
            return Err("decides a second root".into());
        }
        self.apart_from_companions(decision.subject().ok().as_ref(), None)?;
        self.root_decision = Some(decision.clone());
        Ok(())
    }

    fn key_intent(
        &mut self,
        seq: u64,
        role: KeyRole,
        algorithm: &str,
        label: &str,
        id: &str,
    ) -> std::result::Result<(), String> {
        let record = KeyRecord {
            algorithm: KeyAlgorithm::parse(algorithm).ok_or("names an unknown kind of key")?,
            label: label.into(),
            id: text::unhex(id).ok_or("CKA_ID is not hexadecimal")?,
            intent: seq,
            public_key: None,
        };
        self.may_make(role, record.algorithm, label)?;
        let place = self.key_mut(role);
        if place.is_some() {
            return Err("asks for a key that is already there".into());
        }
        *place = Some(record);
        Ok(())
    }

    fn key_made(&mut self, intent: u64, public_key: &Bytes) -> std::result::Result<(), String> {
        let key = PublicKey::from_der(&public_key.0).map_err(|e| e.message)?;
        self.apart_from_companions(None, Some(&key))?;
        let record = [&mut self.root_key, &mut self.journal_key]
            .into_iter()
            .flatten()
            .find(|k| k.intent == intent && k.public_key.is_none())
            .ok_or("records a key that was never asked for")?;
        if key.algorithm() != record.algorithm {
            return Err(format!(
                "records a {} key where a {} was asked for",
                key.algorithm(),
                record.algorithm
            ));
        }
        record.public_key = Some(key);
        Ok(())
    }

    fn intent(&mut self, entry: &Entry, facts: Option<Result<Facts>>) -> std::result::Result<(), String> {
        let Event::Intent {
            purpose,
            role,
            algorithm,
            plan,
            request,
            cluster,
            policy,
            crl,
            commitment,
            message,
        } = &entry.event
        else {
            return Ok(());
        };
        self.may_intend(&entry.event)?;
        let facts = facts.transpose().map_err(|e| e.message)?;
        let asked = facts.map(|facts| self.certificate(*purpose, facts, cluster.clone(), crl.as_ref()));
        let certificate = match purpose {
            Purpose::RootCertificate
            | Purpose::JournalCertificate
            | Purpose::Intermediate
            | Purpose::CrossCertificate => asked.transpose()?,
            Purpose::Crl => {
                self.may_list(&message.0)?;
                None
            }
            Purpose::Seal
                if message.0
                    != seal_message(self.count, self.head(), entry.time, sealed_index(&message.0)) =>
            {
                return Err("seals something else than the line before it".into());
            }
            Purpose::Release => {
                self.releases += 1;
                None
            }
            Purpose::Seal => None,
        };
        if let (true, Some(plan)) = (purpose.is_granted(), plan)
            && let Some(left) = self.plans.get_mut(plan)
        {
            *left = left.saturating_sub(1);
        }
        self.intents.insert(
            entry.seq,
            IntentRecord {
                purpose: *purpose,
                role: *role,
                algorithm: *algorithm,
                plan: *plan,
                request: *request,
                policy: policy.clone(),
                commitment: *commitment,
                message: message.0.clone(),
                signature: None,
                certificate,
            },
        );
        Ok(())
    }

    fn certificate(
        &mut self,
        purpose: Purpose,
        facts: Facts,
        cluster: Option<String>,
        crl: Option<&ClusterCrl>,
    ) -> std::result::Result<Serial, String> {
        self.may_certify(purpose, &facts)?;
        if self.known(&facts.serial).map_err(|e| e.message)?.is_some() {
            return Err(format!("uses serial {} a second time", facts.serial));
        }
        self.issue(Issued {
            serial: facts.serial.clone(),
            subject: facts.subject,
            key: facts.key,
            cluster,
            not_before: facts.not_before,
            not_after: facts.not_after,
            status: Status::Open,
            crl: crl.map(revocation::own_crl),
            revoked: None,
        });
        Ok(facts.serial)
    }

    fn issue(&mut self, issued: Issued) {
        self.issued_any |= issued.cluster.is_some();
        let list = issued.cluster.is_some().then(|| {
            let week = revocation::week(issued.not_after);
            let listed = self.weeks.entry(week).or_default();
            *listed += 1;
            revocation::list(week, *listed - 1)
        });
        self.recent.add(issued, list);
    }

    fn signed(&mut self, entry: &Entry, intent: u64, signature: &Bytes) -> std::result::Result<(), String> {
        let record = self
            .intents
            .get_mut(&intent)
            .filter(|i| i.signature.is_none())
            .ok_or_else(|| format!("records a signature for {intent}, which is not open"))?;
        record.signature = Some(signature.0.clone());
        let committed = record.commitment.take();
        self.signatures += 1;
        let (purpose, serial) = (record.purpose, record.certificate.clone());
        match purpose {
            // The home's own are in force with the next seal.
            Purpose::Intermediate
            | Purpose::CrossCertificate
            | Purpose::RootCertificate
            | Purpose::JournalCertificate => {
                self.set_status(serial.as_ref(), Status::Signed).map_err(|e| e.message)?;
            }
            Purpose::Release => {
                let plan = self.intents.remove(&intent).and_then(|record| record.plan);
                self.releasing.extend(plan.zip(committed));
            }
            Purpose::Crl => {
                let record = record.clone();
                self.crl_signed(&record).map_err(|e| e.message)?;
            }
            // So that nothing in this line but the signature is free.
            Purpose::Seal if (entry.seq, Some(entry.time)) != (intent + 1, self.last_time) => {
                return Err("seals at another time than was asked".into());
            }
            // It is taken off by `apply`, which knows the line's hash.
            Purpose::Seal => {}
        }
        Ok(())
    }

    fn close(&mut self, intent: u64, verb: &str) -> std::result::Result<Option<Serial>, String> {
        let record = self
            .intents
            .remove(&intent)
            .filter(|i| i.signature.is_none())
            .ok_or_else(|| format!("{verb} intent {intent}, which is not open"))?;
        self.set_status(record.certificate.as_ref(), Status::Burnt).map_err(|e| e.message)?;
        Ok(record.certificate)
    }

    fn key_mut(&mut self, role: KeyRole) -> &mut Option<KeyRecord> {
        match role {
            KeyRole::Root => &mut self.root_key,
            KeyRole::Journal => &mut self.journal_key,
        }
    }
}
