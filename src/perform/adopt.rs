//! Taking over a root that was made elsewhere: its certificate and its key are judged
//! first; then the key proves itself by the one signature that is needed anyway, that
//! of the journal key's certificate, on record like every other.

use super::Session;
use super::attest::check_demands;
use super::own::lint_journal;
use super::root::{check_kind, journal_label};
use crate::error::{Error, Result};
use crate::finding::{Finding, Outcome};
use crate::intake::check_key;
use crate::journal::{Bytes, Event, Head, KeyRole, RootAdoption};
use crate::text::{hex, unhex};
use crate::token::KeyDescription;
use crate::token::rules::name;
use crate::verify::judge_adopted;
use crate::x509::{Issuer, KeyAlgorithm, PublicKey, Time};

/// A key of which a copy may exist, or that needs no PIN, can still be a root's where
/// there is no other; one that cannot sign, or is not the certificate's, cannot.
const ACCEPTABLE: [&str; 4] =
    ["token.key.extractable", "token.key.sensitive", "token.key.private", "token.piv.pin-policy"];

/// What is to be taken over, and all that was found of it.
#[derive(Debug)]
pub struct Takeover {
    /// For the record.
    pub adoption: RootAdoption,
    /// The root as an issuer.
    pub root: Issuer,
    /// The journal's key, where it is one that is there.
    journal_key: Option<PublicKey>,
    /// Everything that does not pass, for the review.
    pub findings: Vec<Finding>,
}

impl Takeover {
    /// Judges the certificate and, by what the token found of it, the key. What refuses
    /// the key is taken only where the operator accepts it, on record.
    pub fn judge(
        certificate: &[u8],
        key: &KeyDescription,
        journal: Option<&KeyDescription>,
        of_key: Vec<Finding>,
        accept_weak_key: bool,
        now: Time,
    ) -> Result<Self> {
        let (root, mut findings) = judge_certificate(certificate, now)?;
        check_pair(key, &root)?;
        journal.map_or(Ok(()), |journal| check_journal_key(journal, &root))?;
        let refusals = || of_key.iter().filter(|f| f.refuses());
        let accepted = |f: &Finding| accept_weak_key && ACCEPTABLE.contains(&f.rule);
        if refusals().any(|f| !accepted(f)) {
            return Err(weak(&refusals().collect::<Vec<_>>()));
        }
        let accepted = refusals().map(|f| f.rule.to_string()).collect();
        findings.extend(of_key);
        findings.retain(|f| f.outcome != Outcome::Pass);
        let warned = findings.iter().filter(|f| !f.refuses()).map(|f| f.rule.to_string()).collect();
        let adoption = RootAdoption {
            certificate: Bytes(certificate.to_vec()),
            label: key.label.clone(),
            id: hex(&key.id),
            warned,
            accepted,
            journal_key: journal.map(|key| hex(&key.id)),
        };
        let journal_key = journal.and_then(|key| key.public_keys.first().cloned());
        Ok(Self { adoption, root, journal_key, findings })
    }

    /// Whether an adoption on record, which a crash interrupted, is this one.
    pub fn agrees(&self, recorded: &RootAdoption) -> bool {
        let which = |a: &RootAdoption| (a.certificate.clone(), a.id.clone(), a.journal_key.clone());
        which(&self.adoption) == which(recorded)
    }

    /// The label that the journal's key gets where none is asked for.
    pub fn journal_label(&self) -> String {
        journal_label(if self.adoption.label.trim().is_empty() { "anchorite" } else { &self.adoption.label })
    }
}

/// Judges the certificate alone, for which no token is needed.
pub fn judge_certificate(der: &[u8], now: Time) -> Result<(Issuer, Vec<Finding>)> {
    let (root, findings) = judge_root(der, now, unfit)?;
    lint_journal(&root, now)?;
    Ok((root, findings))
}

/// Judges a root's certificate, whatever it is to be here; `unfit` words a refusal.
pub(super) fn judge_root(
    der: &[u8],
    now: Time,
    unfit: fn(&[&Finding]) -> Error,
) -> Result<(Issuer, Vec<Finding>)> {
    let refuse = |findings: &[Finding]| {
        let refused: Vec<&Finding> = findings.iter().filter(|f| f.refuses()).collect();
        if refused.is_empty() { Ok(()) } else { Err(unfit(&refused)) }
    };
    let mut findings = judge_adopted(der, now);
    refuse(&findings)?;
    let root = Issuer::from_der(der)?;
    // What a request's key is refused for spoils a root's as well.
    findings.extend(check_key(&root.public_key));
    refuse(&findings)?;
    Ok((root, findings))
}

fn unfit(refused: &[&Finding]) -> Error {
    let next = if refused.iter().any(|f| f.rule == "adopt.version") {
        "a version 1 root cannot be taken over: with the software that made it, issue a version 3 certificate for \
         the same key and name, and adopt that; or make a new root with `anchorite root create`"
    } else {
        "with the software that made it, issue a certificate for the same key and name that is fit, and adopt that; \
         or make a new root with `anchorite root create`"
    };
    Error::refused("adopt.unfit", format!("the root certificate is not fit: {}", said(refused))).next(next)
}

/// The private key's own word and every public key beside it are the certificate's.
/// That the private key is, too, its first signature shows.
fn check_pair(key: &KeyDescription, root: &Issuer) -> Result<()> {
    if key.id.is_empty() {
        return Err(Error::usage("adopt.key-id", format!("{}: has no CKA_ID to find it by", name(key)))
            .next("give key and public key the same CKA_ID with the token's own tool"));
    }
    match key.public_keys.iter().find(|public| **public != root.public_key) {
        None => Ok(()),
        Some(other) => Err(Error::refused(
            "adopt.key-mismatch",
            format!(
                "{}: its public key is {} {}, the certificate's is {} {}: they do not belong together",
                name(key),
                other.algorithm(),
                other.digest(),
                root.public_key.algorithm(),
                root.public_key.digest()
            ),
        )
        .next("name the key of this certificate; `anchorite token list --login` shows what is there")),
    }
}

/// It seals the journal, so that it is one that was never the root's.
fn check_journal_key(key: &KeyDescription, root: &Issuer) -> Result<()> {
    let wrong = |what: &str| {
        Err(Error::usage("adopt.journal-key", format!("{}: {what}", name(key))).next(
            "have a P-256 key made for the journal with the token's own tool, with a CKA_ID of its own",
        ))
    };
    match key.public_keys.as_slice() {
        _ if key.id.is_empty() => wrong("has no CKA_ID to find it by"),
        [public] if *public == root.public_key => wrong("is the root's own key"),
        [public] if public.algorithm() == KeyAlgorithm::P256 => Ok(()),
        [public] => wrong(&format!("is {}, wanted p256", public.algorithm())),
        keys => wrong(&format!("{} public keys belong to it, wanted one", keys.len())),
    }
}

fn weak(refused: &[&Finding]) -> Error {
    let error = Error::refused("adopt.weak-key", format!("the key is not fit: {}", said(refused)));
    if refused.iter().all(|f| ACCEPTABLE.contains(&f.rule)) {
        return error.next("make a new root; or, where this one must live on, --accept-weak-key takes it as it is, on record");
    }
    error.next("`anchorite token check` shows every rule; make a new root with `anchorite root create`")
}

pub(super) fn said(refused: &[&Finding]) -> String {
    refused.iter().map(|f| format!("{} ({})", f.message, f.rule)).collect::<Vec<_>>().join("; ")
}

impl Session<'_> {
    /// Takes a root over, or takes up where a crash left it.
    /// The journal's key is made with this label, or is the one that the takeover names.
    pub fn adopt_root(&mut self, takeover: Takeover, journal_label: &str) -> Result<(Issuer, Head)> {
        let Takeover { adoption, root, journal_key: public, .. } = takeover;
        let id = unhex(&adoption.id).unwrap_or_default();
        let there = adoption.journal_key.as_deref().and_then(unhex);
        let root_key = self.found_key(&id, &adoption.label, Some(&root.public_key))?;
        check_kind(&self.home.config.root, root.public_key.algorithm())?;
        check_demands(&self.home.config.token, self.token.info(), root.public_key.algorithm())?;
        if self.ledger().root_adoption().is_none() {
            self.check_vouched(&root_key)?;
            self.append(Event::RootAdopted(adoption))?;
        }
        self.home.file_issued(&root.serial, &root.der)?;
        self.home.write_certificate("root.pem", &root.der)?;
        self.attest(KeyRole::Root, &root_key)?;
        let journal_key = match there {
            None => self.make_key(KeyRole::Journal, KeyAlgorithm::P256, journal_label)?,
            Some(id) => self.take_key(KeyRole::Journal, journal_label, &id, public.as_ref())?,
        };
        self.attest(KeyRole::Journal, &journal_key)?;
        self.certify_journal(&root, &root_key, &journal_key).map_err(|e| match e.id {
            "token.wrong-signature" => e.next(
                "the private key is not the certificate's, whatever lies beside it, or the token is broken: nothing \
                 was taken over; begin anew in another home with the right key",
            ),
            _ => e,
        })?;
        self.token.store_certificate(&root_key, &root.der)?;
        let head = self.close(&journal_key)?;
        Ok((root, head))
    }
}
