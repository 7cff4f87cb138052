//! The audit: everything the journal claims, checked without the token. Pure.
//!
//! With the root certificate's fingerprint alone: every line's hash and sequence,
//! every signature over the bytes on record, every certificate against its issuer.

mod attested;
mod listed;
mod open;
mod recovered;
mod signed;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::sync::Arc;

use serde::Serialize;

pub use listed::cluster_crl;
pub use open::{open_matters, unreleased_plans};
pub use recovered::recovered_certificate;
use signed::{another_release, certificate, companions, rejected, verifies, wrong_signature};
pub use waiting::Look;
use waiting::{Judged, Waiting};

use crate::cores::beside;
use crate::error::{Error, Result};
use crate::journal::{
    ClusterCrl, Entry, Event, Head, Index, IntentRecord, KeyRole, Ledger, Purpose, Replay, Standing,
    replay_after, replay_lines, sealed_index,
};
use crate::lint::CertificateKind;
use crate::verify::{self, signed_attributes};
use crate::x509::{Digest, Issuer, Serial, Tbs, Time};

/// What the auditor knows beforehand.
#[derive(Debug, Default)]
pub struct Expectation<'a> {
    /// SHA-256 of the root certificate, as noted at its ceremony.
    pub root_sha256: Option<Digest>,
    /// The root certificate (DER) that lies beside the journal.
    pub root: Option<&'a [u8]>,
    /// Heads noted down elsewhere, each with the place.
    pub heads: Vec<(String, Head)>,
    /// Who may vouch for tokens beside Yubico (DER), where the configuration is at hand.
    pub vouchers: Option<&'a [Vec<u8>]>,
    /// A head known by its hash alone, from the printed sheet.
    pub head: Option<Digest>,
    /// The lines begin after this index; their first seal must vouch for it.
    pub after: Option<&'a Index>,
    /// An index that a whole journal must add up to, where one of its seals names it.
    pub index: Option<&'a Index>,
}

/// The three states of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Everything holds and everything is settled.
    Ok,
    /// Everything holds, something is unfinished: an intent, a seal, a line.
    Open,
    /// Something does not hold: stop the ceremony.
    Broken,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The check's stable ID.
    pub id: &'static str,
    /// A full sentence.
    pub message: String,
}

/// What the audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The verdict.
    pub state: State,
    /// Number of lines.
    pub entries: u64,
    /// SHA-256 of the last line.
    pub head: Option<Digest>,
    /// Number of signatures on record.
    pub signatures: u64,
    /// SHA-256 of each root certificate on record, the oldest first: all of one key and name.
    pub roots: Vec<Digest>,
    /// SHA-256 of each other root that is trusted beside it, in the order of trust bundles.
    pub companions: Vec<Digest>,
    /// What the tokens' makers say of the keys, and how far that could be verified.
    pub attested: Vec<String>,
    /// What is unfinished, a sentence each.
    pub open: Vec<String>,
    /// What does not hold.
    pub errors: Vec<Fault>,
}

impl Report {
    /// Of a journal that could not be read to its end.
    pub(crate) fn unread(errors: Vec<Fault>) -> Self {
        Self {
            state: State::Broken,
            entries: 0,
            head: None,
            signatures: 0,
            roots: Vec::new(),
            companions: Vec::new(),
            attested: Vec::new(),
            open: Vec::new(),
            errors,
        }
    }
}

/// What the journal proves was signed, for comparison with files.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// A certificate, with what was seen in it.
    Certificate(Serial, T),
    /// The root's CRL (DER) of this number.
    RootCrl(u64, &'a [u8]),
    /// A cluster's CRL, for its certificate; a later one takes its place.
    ClusterCrl(&'a Serial, &'a [u8]),
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Certificates.
    pub certificates: Vec<(Serial, Vec<u8>)>,
    /// The root's CRLs by number.
    pub root_crls: BTreeMap<u64, Vec<u8>>,
    /// The clusters' CRLs by certificate.
    pub cluster_crls: BTreeMap<Serial, Vec<u8>>,
}

/// Audits a journal's bytes, and keeps every certificate and CRL.
pub fn audit(bytes: &[u8], expect: &Expectation<'_>) -> (Report, Option<Replay>, Kept) {
    let mut kept = Kept::default();
    let whole = |_: &Serial, der: &[u8]| der.to_vec();
    let (report, replayed) = audit_found(bytes, expect, &whole, &mut |found| match found {
        Found::Certificate(serial, der) => kept.certificates.push((serial, der)),
        Found::RootCrl(number, der) => drop(kept.root_crls.insert(number, der.to_vec())),
        Found::ClusterCrl(serial, der) => drop(kept.cluster_crls.insert(serial.clone(), der.to_vec())),
    });
    (report, replayed, kept)
}

/// Audits a journal line by line.
pub fn audit_lines(lines: impl BufRead, expect: &Expectation<'_>) -> (Report, Option<Replay>) {
    audit_found(lines, expect, &|_, _| (), &mut |_| ())
}

/// The same. Each certificate whose signature holds is looked at by `look`, on any of the
/// cores; then it and each CRL is shown to `found`, in the order of their lines.
pub fn audit_found<T: Send>(
    lines: impl BufRead,
    expect: &Expectation<'_>,
    look: Look<'_, T>,
    found: &mut dyn FnMut(Found<'_, T>),
) -> (Report, Option<Replay>) {
    beside(|cores| {
        let (root, roots, sums, attested, beforehand, faults) = Default::default();
        let listed = listed::Listed::new(expect.after.is_none());
        let waiting = Waiting::new(cores, look);
        let auditor =
            Auditor { expect, look, found, root, roots, sums, waiting, attested, listed, beforehand, faults };
        auditor.audit(lines)
    })
}

struct Auditor<'a, 's, 'w, T> {
    expect: &'a Expectation<'a>,
    look: Look<'w, T>,
    found: &'a mut dyn FnMut(Found<'_, T>),
    /// The newest root certificate that was accepted.
    root: Option<Arc<Issuer>>,
    /// Every one on record (DER), the oldest first.
    roots: Vec<Vec<u8>>,
    /// What the journal's key signed last for each plan that is not released yet.
    sums: HashMap<Digest, Digest>,
    /// Clusters' certificates that were read and not told of yet.
    waiting: Waiting<'s, 'w, T>,
    attested: Vec<String>,
    listed: listed::Listed,
    /// The clusters' CRLs of certificates that are not signed yet, by intent.
    beforehand: HashMap<u64, ClusterCrl>,
    faults: Vec<Fault>,
}

impl<T: Send> Auditor<'_, '_, '_, T> {
    fn audit(mut self, lines: impl BufRead) -> (Report, Option<Replay>) {
        let replayed = match self.expect.after {
            None => replay_lines(lines, |entry, ledger| self.entry(entry, ledger)),
            Some(index) => self.stand_on(index.ledger()).and_then(|()| {
                replay_after(index, index.ledger().clone(), lines, |entry, ledger| self.entry(entry, ledger))
            }),
        };
        self.tell_waiting();
        match replayed {
            Ok(replayed) => {
                self.end(&replayed);
                let open = self.open(&replayed);
                let state = match (self.faults.is_empty(), open.is_empty()) {
                    (false, _) => State::Broken,
                    (true, false) => State::Open,
                    (true, true) => State::Ok,
                };
                let report = Report {
                    state,
                    entries: replayed.ledger.count(),
                    head: Some(replayed.ledger.head()),
                    signatures: replayed.ledger.signatures(),
                    roots: self.roots.iter().map(|der| Digest::of(der)).collect(),
                    companions: self.others(&replayed.ledger),
                    attested: self.attested,
                    open,
                    errors: self.faults,
                };
                (report, Some(replayed))
            }
            Err(error) => {
                self.fault(error);
                (Report::unread(self.faults), None)
            }
        }
    }

    /// Structure faults end the replay; a signature that does not hold is noted
    /// and the replay goes on, so that all of them are seen.
    fn entry(&mut self, entry: &Entry, ledger: &Ledger) -> Result<()> {
        let verdict = match &entry.event {
            Event::Intent { crl: Some(crl), .. } => {
                self.beforehand.insert(entry.seq, crl.clone());
                Ok(())
            }
            Event::Signed { intent, signature } => ledger
                .intent_at(*intent)
                .map_or(Ok(()), |record| self.signed((*intent, record), &signature.0, entry.seq + 1, ledger)),
            Event::Rejected { intent, signature, .. } => {
                ledger.intent_at(*intent).map_or(Ok(()), |record| rejected(record, &signature.0, ledger))
            }
            Event::Released { plan, sums, .. } => self.released(plan, sums),
            Event::Intent { purpose: Purpose::Seal, message, .. } => self.seals(&message.0, ledger),
            Event::RootAdopted(adoption) => self.adopted(&adoption.certificate.0, entry.time),
            Event::Revoked { certificates, .. } => {
                self.listed.revoked(certificates);
                Ok(())
            }
            Event::Unrevoked { certificates } => {
                self.listed.unrevoked(certificates);
                Ok(())
            }
            Event::ClusterCrl { certificate, crl, .. } => {
                // The one that came with the request is shown before the one that follows it.
                self.tell_waiting();
                listed::cluster_crl(&certificate.0, crl).and_then(|()| {
                    let issuer = Issuer::from_der(&certificate.0)?;
                    (self.found)(Found::ClusterCrl(&issuer.serial, &crl.der.0));
                    Ok(())
                })
            }
            Event::Recovered { certificates, cluster_crls, crls } => {
                self.recovered(certificates, cluster_crls, crls, ledger)
            }
            Event::Companions { roots } => companions(roots, entry.time, ledger),
            Event::KeyAttested(it) => attested::check(it, entry.time, self.expect.vouchers, ledger)
                .map(|told| self.attested.push(format!("journal line {}: {told}", entry.seq + 1))),
            _ => Ok(()),
        };
        if let Err(error) = verdict {
            // Faults are told in the order of their lines.
            self.tell_waiting();
            self.fault_at(entry.seq + 1, error);
        }
        Ok(())
    }

    /// Tells of all that was read so far: faults are told in the order of their lines.
    fn tell_waiting(&mut self) {
        while let Some(judged) = self.waiting.next() {
            self.tell(judged);
        }
    }

    fn tell(&mut self, judged: Vec<Judged<T>>) {
        for Judged { line, verdict, crl } in judged {
            match verdict {
                Ok((serial, seen)) => {
                    let crl = crl.map(|crl| (serial.clone(), crl));
                    (self.found)(Found::Certificate(serial, seen));
                    if let Some((serial, crl)) = crl {
                        (self.found)(Found::ClusterCrl(&serial, &crl.der.0));
                    }
                }
                Err(error) => self.fault_at(line, error),
            }
        }
    }

    /// An index says no more and no less than the lines it stands for.
    fn seals(&self, message: &[u8], ledger: &Ledger) -> Result<()> {
        let Some(index) = self.expect.index.filter(|i| sealed_index(message) == Some(i.digest())) else {
            return Ok(());
        };
        if index.is_of(ledger)? {
            return Ok(());
        }
        Err(Error::integrity("audit.index", "the sealed index is not what the lines before it add up to"))
    }

    /// What an index brings along stands for lines that are not there: the home's own
    /// certificates are verified as if they had been read.
    fn stand_on(&mut self, ledger: &Ledger) -> Result<()> {
        let adopted = ledger.root_adoption().map(|adoption| &adoption.certificate.0);
        if let Some(der) = adopted {
            self.adopted(der, Issuer::from_der(der)?.not_before)?;
        }
        for (purpose, kind) in [
            (Purpose::RootCertificate, CertificateKind::Root),
            (Purpose::JournalCertificate, CertificateKind::Journal),
        ] {
            let here = usize::from(kind == CertificateKind::Root && adopted.is_some());
            for own in ledger.own_certificates(purpose).skip(here) {
                let signature = own.signature.as_deref().unwrap_or_default();
                self.certificate(kind, &Tbs::recorded(own.message.clone(), own.algorithm), signature)?;
            }
        }
        let mut others = ledger.known_companions().map(|companion| &companion.certificate.0);
        others.try_for_each(|der| verify::check_companion(der, Issuer::from_der(der)?.not_before))
    }

    /// A release left only with a signature over the very sums on record.
    fn released(&mut self, plan: &Digest, sums: &Digest) -> Result<()> {
        if self.sums.remove(plan).is_some_and(|signed| signed == *sums) {
            return Ok(());
        }
        Err(Error::integrity(
            "audit.release",
            format!("a release of plan {plan} is on record, but no signature over its SHA256SUMS ({sums})"),
        ))
    }

    fn signed(
        &mut self,
        (seq, intent): (u64, &IntentRecord),
        signature: &[u8],
        line: u64,
        ledger: &Ledger,
    ) -> Result<()> {
        let crl = self.beforehand.remove(&seq);
        let root_key = ledger.key(KeyRole::Root).and_then(|key| key.public_key.as_ref());
        let tbs = || Tbs::recorded(intent.message.clone(), intent.algorithm);
        // What is verified beneath the root's certificate is signed with the root's key.
        if intent.purpose == Purpose::Intermediate
            && intent.role == KeyRole::Root
            && let Some(root) = self.root.as_ref().filter(|root| Some(&root.public_key) == root_key)
        {
            let certificate = waiting::Certificate { line, tbs: tbs(), signature: signature.to_vec(), crl };
            let known = self.waiting.push(root, certificate);
            self.tell(known);
            return Ok(());
        }
        if !verifies(intent, signature, ledger) {
            return Err(wrong_signature(intent.role));
        }
        match intent.purpose {
            Purpose::RootCertificate => self.certificate(CertificateKind::Root, &tbs(), signature),
            Purpose::JournalCertificate => self.certificate(CertificateKind::Journal, &tbs(), signature),
            Purpose::Intermediate | Purpose::CrossCertificate => {
                self.certificate(CertificateKind::Intermediate, &tbs(), signature)
            }
            Purpose::Crl => {
                let number = self.listed.signed(&intent.message, self.root.as_deref(), ledger)?;
                (self.found)(Found::RootCrl(number, &tbs().assemble(signature)?));
                Ok(())
            }
            Purpose::Seal => Ok(()),
            Purpose::Release => {
                let signed = signed_attributes(&intent.message)?;
                // A signature for one plan's release says nothing of another's, nor of another try.
                let asked = intent.plan.zip(intent.commitment);
                let Some((plan, _)) = asked.filter(|asked| signed.content_identifier == Some(*asked)) else {
                    return Err(another_release(asked, signed.content_identifier));
                };
                self.sums.insert(plan, signed.message_digest);
                Ok(())
            }
        }
    }

    fn certificate(&mut self, kind: CertificateKind, tbs: &Tbs, signature: &[u8]) -> Result<()> {
        let (serial, der) = certificate(kind, tbs, signature, self.root.as_deref())?;
        self.show(serial, &der);
        if kind == CertificateKind::Root {
            self.root = Some(Arc::new(Issuer::from_der(&der)?));
            self.roots.push(der);
        }
        Ok(())
    }

    fn show(&mut self, serial: Serial, der: &[u8]) {
        // Those before it are shown first.
        self.tell_waiting();
        let seen = (self.look)(&serial, der);
        (self.found)(Found::Certificate(serial, seen));
    }

    /// A root that was made elsewhere must be fit at the time it was taken over.
    fn adopted(&mut self, der: &[u8], at: Time) -> Result<()> {
        verify::check_adopted(der, at)?;
        let root = Issuer::from_der(der)?;
        self.show(root.serial.clone(), der);
        self.root = Some(Arc::new(root));
        self.roots.push(der.to_vec());
        Ok(())
    }

    /// Any root certificate on record may be the one that was noted down: they are of
    /// one key and one name, and the newest says no more of either than the oldest.
    fn check_roots(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::integrity("audit.root", message));
        if (self.expect.root_sha256.is_some() || self.expect.root.is_some()) && self.roots.is_empty() {
            return wrong("the journal holds no accepted root certificate".into());
        }
        let found: Vec<Digest> = self.roots.iter().map(|der| Digest::of(der)).collect();
        if let Some(wanted) = self.expect.root_sha256.filter(|wanted| !found.contains(wanted)) {
            let found: Vec<String> = found.iter().map(Digest::to_string).collect();
            let found = found.join(", ");
            return wrong(format!(
                "the root on record has SHA-256 {found}, wanted {wanted}: this is another CA's journal"
            ));
        }
        if self.expect.root.is_some_and(|given| !self.roots.iter().any(|der| der == given)) {
            return wrong("the root on record is not the root certificate given".into());
        }
        Ok(())
    }

    /// The other roots that are trusted, in the order of trust bundles.
    fn others(&self, ledger: &Ledger) -> Vec<Digest> {
        let own = self.roots.last().cloned().into_iter();
        let companions = ledger.companions().iter().map(|companion| companion.certificate.0.clone());
        let trusted = ledger.course().trusted(own.chain(companions).collect());
        trusted.iter().filter(|der| Some(*der) != self.roots.last()).map(|der| Digest::of(der)).collect()
    }

    fn end(&mut self, replayed: &Replay) {
        let lines = replayed.ledger.count();
        if let Err(error) = self.check_roots() {
            self.fault(error);
        }
        for (place, head) in &self.expect.heads {
            if let Err(error) = head.compare(place, lines, replayed.hash_at(head.count)) {
                self.fault(error);
            }
        }
        if let Some(head) = self.expect.head
            && !replayed.holds(&head)
        {
            self.fault(Error::integrity(
                "journal.behind",
                format!("the head {head} is nowhere in this journal ({lines} lines): it was cut short, rewritten, or is another's"),
            ));
        }
    }

    fn open(&self, replayed: &Replay) -> Vec<String> {
        let ledger = &replayed.ledger;
        let mut open = open_matters(ledger);
        if !replayed.torn.is_empty() {
            open.push(format!("the last line is unfinished ({} bytes)", replayed.torn.len()));
        }
        for (place, head) in &self.expect.heads {
            if let Ok(Standing::Ahead) = head.compare(place, ledger.count(), replayed.hash_at(head.count)) {
                open.push(format!("the journal goes on {} lines after {place}", ledger.count() - head.count));
            }
        }
        if self.expect.head.is_some_and(|head| head != ledger.head() && replayed.holds(&head)) {
            open.push("the journal goes on after the expected head".into());
        }
        open
    }

    fn fault_at(&mut self, line: u64, error: Error) {
        self.fault(error.at(format!("journal line {line}")));
    }

    fn fault(&mut self, error: Error) {
        self.faults.push(Fault { id: error.id, message: error.message });
    }
}

#[cfg(test)]
mod tests;
