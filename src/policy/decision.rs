//! The decision: a request judged by every rule, and what it is granted.

use std::collections::HashMap;

use serde::Serialize;

use super::grant::Grant;
use super::history::History;
use super::identity::Identity;
use super::rules;
use super::set::PolicySet;
use crate::error::Result;
use crate::finding::Finding;
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
    /// What intake found, then what every rule found.
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

/// Judges one request after `earlier` ones of the same run.
pub fn decide(context: &Context<'_>, request: &Request, earlier: &[Decision]) -> Result<Decision> {
    let mut before = Earlier::default();
    earlier.iter().for_each(|decision| before.note(decision));
    judge(context, request, &before)
}

/// Judges the requests of one run, in their order.
pub fn decide_all(context: &Context<'_>, requests: &[Request]) -> Result<Vec<Decision>> {
    let mut before = Earlier::default();
    let mut decisions = Vec::with_capacity(requests.len());
    for request in requests {
        let decision = judge(context, request, &before)?;
        before.note(&decision);
        decisions.push(decision);
    }
    Ok(decisions)
}

fn judge(context: &Context<'_>, request: &Request, earlier: &Earlier) -> Result<Decision> {
    let identity = Identity::of(context, request);
    let known = Known::of(context.history, request, identity.cluster)?;
    let case = Case { context, request, earlier, identity: &identity, known: &known };
    let mut findings = request.findings.clone();
    findings.extend(rules::evaluate(&case, identity.profile));
    let refused = findings.iter().any(Finding::refuses);
    let grant = match (identity.profile, identity.cluster) {
        (Some(profile), Some(cluster)) if !refused => Some(Grant::draw(&case, profile, cluster)),
        _ => None,
    };
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
    pub earlier: &'a Earlier,
    pub identity: &'a Identity<'a>,
    pub known: &'a Known,
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
}

impl Known {
    fn of(history: &dyn History, request: &Request, cluster: Option<&str>) -> Result<Self> {
        Ok(Self {
            by_key: history.by_key(&request.key.digest())?,
            by_subject: history.by_subject(&request.subject.canonical())?,
            by_cluster: history.by_cluster(cluster.unwrap_or_default())?,
            companions: history.companions()?,
        })
    }
}

/// The requests decided before in the same run: every digest, and of those
/// granted the cluster, key and subject. What was refused takes nothing from others.
#[derive(Default)]
pub(super) struct Earlier {
    digests: HashMap<Digest, String>,
    clusters: HashMap<String, String>,
    keys: HashMap<Digest, (Name, String)>,
    subjects: HashMap<Vec<u8>, (Digest, String)>,
}

impl Earlier {
    fn note(&mut self, decision: &Decision) {
        let file = || decision.file.clone();
        self.digests.entry(decision.digest).or_insert_with(file);
        if let Some(grant) = &decision.grant {
            let (key, subject) = (grant.public_key().digest(), grant.subject());
            self.clusters.insert(grant.cluster().into(), file());
            self.keys.insert(key, (subject.clone(), file()));
            self.subjects.insert(subject.canonical(), (key, file()));
        }
    }

    /// The file that held the same request.
    pub fn digest(&self, digest: &Digest) -> Option<&str> {
        self.digests.get(digest).map(String::as_str)
    }

    /// The file whose request was granted for this cluster.
    pub fn cluster(&self, cluster: &str) -> Option<&str> {
        self.clusters.get(cluster).map(String::as_str)
    }

    /// The subject granted to this key, and its file.
    pub fn key(&self, key: &Digest) -> Option<&(Name, String)> {
        self.keys.get(key)
    }

    /// The key granted this subject, and its file.
    pub fn subject(&self, subject: &[u8]) -> Option<&(Digest, String)> {
        self.subjects.get(subject)
    }
}
