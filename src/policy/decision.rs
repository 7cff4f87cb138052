//! The decision: a request judged by every rule, and what it is granted.

use std::cell::OnceCell;
use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::grant::Grant;
use super::history::History;
use super::identity::Identity;
use super::rules;
use super::set::PolicySet;
use crate::error::Result;
use crate::finding::{Finding, Outcome};
use crate::intake::Request;
use crate::x509::{Digest, Issued, Issuer, Name, Time};

/// Everything a decision depends on besides the requests.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The policies in force.
    pub policies: &'a PolicySet,
    /// The policy that the operator names (`--policy`).
    pub forced: Option<&'a str>,
    /// The root.
    pub issuer: &'a Issuer,
    /// What was ever certified.
    pub history: &'a (dyn History + Sync),
    /// The time of the decision.
    pub now: Time,
}

/// Which findings a decision keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What every rule found.
    All,
    /// What people are told before they sign: what refuses, what was cut, what to know. All
    /// of them would be most of what a large batch takes of memory.
    Remarks,
}

/// Granted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A certificate may be signed.
    Grant,
    /// Nothing may.
    Refuse,
}

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The request's file, fit for a terminal.
    pub file: String,
    /// SHA-256 over the request's DER.
    pub digest: Digest,
    /// The cluster, where the subject names one.
    pub cluster: Option<String>,
    /// The policy it was judged by, where there is one.
    pub policy: Option<String>,
    /// What intake found, then what every rule found, as far as it is kept.
    pub findings: Vec<Finding>,
    /// What is granted; nothing, if anything refuses.
    pub grant: Option<Grant>,
}

impl Decision {
    /// Granted or not.
    pub fn verdict(&self) -> Verdict {
        if self.grant.is_some() { Verdict::Grant } else { Verdict::Refuse }
    }
}

/// Judges the requests of one run. Their order, which is that of the files' names, favours
/// none of them: those that get in each other's way are judged again, each in view of the others.
pub fn decide_all(context: &Context<'_>, requests: &[Request], keep: Keep) -> Result<Vec<Decision>> {
    let alone = |request| judge(context, request, &Copies::None, &Rivals::default(), keep);
    let mut decisions: Vec<Decision> = requests.par_iter().map(alone).collect::<Result<_>>()?;
    let rivals = Rivals::among(&decisions);
    let copies = Copies::among(requests, &decisions);
    for ((request, decision), copies) in requests.iter().zip(&mut decisions).zip(&copies) {
        if decision.grant.as_ref().is_some_and(|grant| rivals.concern(grant)) {
            *decision = judge(context, request, copies, &rivals, keep)?;
        }
    }
    Ok(decisions)
}

fn judge(
    context: &Context<'_>,
    request: &Request,
    copies: &Copies,
    rivals: &Rivals,
    keep: Keep,
) -> Result<Decision> {
    let identity = Identity::of(context, request);
    let known = Known::of(context.history, request, identity.cluster)?;
    let crl = OnceCell::new();
    let case = Case { context, request, copies, rivals, identity: &identity, known: &known, crl };
    let mut findings = request.findings.clone();
    findings.extend(rules::evaluate(&case, identity.profile));
    let refused = findings.iter().any(Finding::refuses);
    let grant = match (identity.profile, identity.cluster) {
        (Some(profile), Some(cluster)) if !refused => Some(Grant::draw(&case, profile, cluster)),
        _ => None,
    };
    if keep == Keep::Remarks {
        findings.retain(|finding| finding.outcome >= Outcome::Narrowed);
        findings.shrink_to_fit();
    }
    Ok(Decision {
        file: request.file.clone(),
        digest: request.digest,
        cluster: identity.cluster.map(Into::into),
        policy: identity.profile.map(|profile| profile.name().into()),
        findings,
        grant,
    })
}

/// What the rules look at.
pub(super) struct Case<'a> {
    pub context: &'a Context<'a>,
    pub request: &'a Request,
    pub copies: &'a Copies,
    pub rivals: &'a Rivals,
    pub identity: &'a Identity<'a>,
    pub known: &'a Known,
    /// What was found of the request's CRL: its signature is checked once for all rules.
    pub crl: OnceCell<Vec<Finding>>,
}

impl Case<'_> {
    /// This CA's root, and those that are trusted beside it.
    pub fn roots(&self) -> impl Iterator<Item = &Issuer> {
        std::iter::once(self.context.issuer).chain(&self.known.companions)
    }
}

/// What the past knows of one request: asked once, so that no rule has to deal with
/// a past that cannot answer.
pub(super) struct Known {
    pub by_key: Vec<Issued>,
    pub by_subject: Vec<Issued>,
    pub by_cluster: Vec<Issued>,
    pub companions: Vec<Issuer>,
    /// Why the root may sign nothing, if it may not.
    pub forbidden: Option<&'static str>,
}

impl Known {
    fn of(history: &dyn History, request: &Request, cluster: Option<&str>) -> Result<Self> {
        Ok(Self {
            by_key: history.by_key(&request.key.digest())?,
            by_subject: history.by_subject(&request.subject.canonical())?,
            by_cluster: history.by_cluster(cluster.unwrap_or_default())?,
            companions: history.companions()?,
            forbidden: history.forbids_signing(),
        })
    }
}

/// The very same request in other files of the run, as far as each would be granted by itself.
pub(super) enum Copies {
    None,
    /// They say the same, so that whichever stays, the certificate is the same: this one does.
    Of(String),
    /// They came in other objects or from other senders: these files.
    Differing(Vec<String>),
}

impl Copies {
    /// Of each request.
    fn among(requests: &[Request], decisions: &[Decision]) -> Vec<Self> {
        let mut all: HashMap<Digest, Vec<&Request>> = HashMap::new();
        for (request, _) in requests.iter().zip(decisions).filter(|(_, d)| d.grant.is_some()) {
            all.entry(request.digest).or_default().push(request);
        }
        let of = |request: &Request| Self::of(request, all.get(&request.digest).map_or(&[], Vec::as_slice));
        requests.iter().map(of).collect()
    }

    fn of(request: &Request, all: &[&Request]) -> Self {
        let Some((first, others)) = all.split_first() else { return Self::None };
        let sender = |request: &Request| request.sender.as_ref().map(|sender| sender.key.clone());
        let same = |other: &&Request| other.object == first.object && sender(other) == sender(first);
        if others.iter().all(same) {
            let stays = std::ptr::eq(*first, request);
            return if stays { Self::None } else { Self::Of(first.file.clone()) };
        }
        let others = all.iter().filter(|other| !std::ptr::eq(**other, request));
        Self::Differing(others.map(|other| other.file.clone()).collect())
    }
}

/// The requests of the run that would be granted if each came alone, by what only one of
/// them can have. What is refused by itself takes nothing from others.
#[derive(Default)]
pub(super) struct Rivals {
    clusters: HashMap<String, Vec<Rival>>,
    keys: HashMap<Digest, Vec<Rival>>,
    subjects: HashMap<Vec<u8>, Vec<Rival>>,
}

/// One of them.
#[derive(Clone)]
pub(super) struct Rival {
    pub file: String,
    pub subject: Name,
    pub key: Digest,
    request: Digest,
}

impl Rivals {
    fn among(decisions: &[Decision]) -> Self {
        let mut rivals = Self::default();
        for (decision, grant) in decisions.iter().filter_map(|d| Some((d, d.grant.as_ref()?))) {
            let (key, subject) = (grant.public_key().digest(), grant.subject().clone());
            let rival = Rival { file: decision.file.clone(), subject, key, request: decision.digest };
            rivals.clusters.entry(grant.cluster().into()).or_default().push(rival.clone());
            rivals.subjects.entry(rival.subject.canonical()).or_default().push(rival.clone());
            rivals.keys.entry(key).or_default().push(rival);
        }
        rivals
    }

    fn concern(&self, grant: &Grant) -> bool {
        self.clusters.get(grant.cluster()).is_some_and(|all| all.len() > 1)
            || self.keys.get(&grant.public_key().digest()).is_some_and(|all| all.len() > 1)
            || self.subjects.get(&grant.subject().canonical()).is_some_and(|all| all.len() > 1)
    }
}

impl Case<'_> {
    /// The other requests for this cluster.
    pub fn others_of_cluster(&self, cluster: &str) -> Vec<&Rival> {
        self.others(self.rivals.clusters.get(cluster))
    }

    /// The other requests with this request's key.
    pub fn others_of_key(&self) -> Vec<&Rival> {
        self.others(self.rivals.keys.get(&self.request.key.digest()))
    }

    /// The other requests with this request's subject.
    pub fn others_of_subject(&self) -> Vec<&Rival> {
        self.others(self.rivals.subjects.get(&self.request.subject.canonical()))
    }

    fn others<'a>(&self, all: Option<&'a Vec<Rival>>) -> Vec<&'a Rival> {
        all.into_iter().flatten().filter(|rival| rival.request != self.request.digest).collect()
    }
}
