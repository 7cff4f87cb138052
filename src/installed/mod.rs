//! What a cluster has loaded, looked at closely: the files of a mounted Secret, or the Secret
//! as `kubectl get` prints it. Consumers accept much that breaks later; this does not. Pure.

mod ca;
mod certificates;
mod chain;
mod crl;
mod disclosed;
mod fault;
mod fleet;
mod form;
mod guess;
mod key;
mod object;
mod place;

use std::collections::BTreeMap;

use serde::Serialize;
use zeroize::Zeroizing;

pub use fault::{Fault, Rule, Severity};
pub use object::{Kind, Object, objects};

use crate::error::{Error, Result};
use crate::release::Consumer;
use crate::x509::{Digest, Seconds, Time};
use chain::Chain;
use fault::Faults;
use form::Form;

/// Files or entries by name; wiped when dropped, for one of them is a private key.
pub type Entries = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// One cluster, as it was given.
#[derive(Debug)]
pub struct Cluster {
    /// What it is called: the path that was given.
    pub name: String,
    /// What it has loaded.
    pub objects: Vec<Object>,
    /// Why nothing of it could be read, where that is so.
    pub unread: Option<Error>,
    /// What else lies there and could not be read, and whether a consumer would miss it.
    pub passed_over: Vec<(Error, bool)>,
}

impl Cluster {
    /// One with these objects.
    pub fn new(name: impl Into<String>, objects: Vec<Object>) -> Self {
        Self { name: name.into(), objects, unread: None, passed_over: Vec::new() }
    }
}

/// What clusters are held against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// The fingerprints of all roots that may be trusted, as they were noted.
    pub noted: &'a [Digest],
    /// The moment at which everything must be valid.
    pub at: Time,
    /// What ends within this from then on is told.
    pub within: Seconds,
    /// Whether what comes from a rehearsal is accepted.
    pub rehearsal: bool,
    /// Who loads what lies there, where its names do not tell.
    pub consumer: Option<Consumer>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Each cluster with what it has loaded.
    pub clusters: Vec<Seen>,
    /// Everything that is not in order.
    pub findings: Vec<Fault>,
}

/// A cluster, looked at.
#[derive(Debug, Serialize)]
pub struct Seen {
    /// What it is called.
    pub cluster: String,
    /// What it has loaded, of what is known here.
    pub objects: Vec<SeenObject>,
}

/// An object, looked at.
#[derive(Debug, Default, Serialize)]
pub struct SeenObject {
    /// What it is called.
    pub object: String,
    /// Who loads it.
    pub form: &'static str,
    /// Who else has the same names, where nothing tells them apart.
    pub or: Vec<&'static str>,
    /// The CA's own certificate, where it was found.
    pub certificate: Option<SeenCertificate>,
    /// The roots that are trusted.
    pub roots: Vec<SeenCertificate>,
    /// Whether the private key was there, and is this certificate's.
    pub key: bool,
    /// The CRLs.
    pub crls: Vec<SeenCrl>,
}

/// A certificate's facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenCertificate {
    /// Its subject, fit for a terminal.
    pub subject: String,
    /// Its serial number.
    pub serial: String,
    /// Its last second.
    pub not_after: Time,
    /// SHA-256 of its DER.
    pub sha256: Digest,
}

/// A CRL's facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenCrl {
    /// Its issuer, fit for a terminal.
    pub issuer: String,
    /// cRLNumber
    pub number: u64,
    /// nextUpdate
    pub next_update: Time,
}

impl Report {
    /// The gravest of what was found.
    pub fn severity(&self) -> Option<Severity> {
        self.findings.iter().map(|fault| fault.severity).max()
    }
}

/// Looks at clusters, each for itself and then all together.
///
/// # Errors
/// Where none has anything of a CA's at all, or can be read: it was not the thing meant.
pub fn check(clusters: &[Cluster], against: &Against<'_>) -> Result<Report> {
    let mut report = Report { clusters: Vec::new(), findings: Vec::new() };
    let (mut chains, mut unread) = (Vec::new(), Vec::new());
    for cluster in clusters {
        let (seen, found, faults) = one(cluster, against);
        report.findings.extend(faults);
        if seen.objects.is_empty() {
            // One that cannot be read does not silence the others.
            let error = cluster.unread.clone().unwrap_or_else(|| nothing(&cluster.name));
            let mut faults = Faults::new(&cluster.name, "", against);
            faults.unread(&error, true);
            report.findings.extend(faults.all);
            unread.push(error);
        }
        report.clusters.push(seen);
        report.findings.extend(fleet::inside(&cluster.name, &found));
        chains.push((cluster.name.as_str(), found));
    }
    if unread.len() == clusters.len()
        && let Some(error) = unread.into_iter().next()
    {
        return Err(error);
    }
    report.findings.extend(fleet::check(&chains));
    Ok(report)
}

fn nothing(name: &str) -> Error {
    Error::usage("installed.nothing", format!("{name}: holds nothing that a CA's consumer loads"))
        .next("give the folder or the Secret with ca-cert.pem or tls.crt in it, such as istio-system's cacerts, or a ConfigMap with root-cert.pem or ca-bundle.crt")
}

fn one(cluster: &Cluster, against: &Against<'_>) -> (Seen, Vec<Chain>, Vec<Fault>) {
    let mut seen = Seen { cluster: cluster.name.clone(), objects: Vec::new() };
    let (mut chains, mut all) = (Vec::new(), Vec::new());
    let mut beside = Faults::new(&cluster.name, "what lies there", against);
    cluster.passed_over.iter().for_each(|(error, missed)| beside.unread(error, *missed));
    all.append(&mut beside.all);
    // Linkerd's trust bundle lies in an object of its own.
    let bundle = cluster.objects.iter().find_map(|object| object.entries.get(form::LINKERD_BUNDLE));
    for object in &cluster.objects {
        let mut faults = Faults::new(&cluster.name, &object.name, against);
        let mut told = SeenObject { object: object.name.clone(), ..SeenObject::default() };
        let disclosed = disclosed::check(object, &mut faults);
        let Some(form) = Form::of(object, &cluster.objects, against.consumer) else {
            if disclosed {
                told.form = "no CA's";
                seen.objects.push(told);
                all.extend(faults.all);
            }
            continue;
        };
        told.form = form.name;
        told.or.clone_from(&form.or);
        faults.within = faults.within.max(form.warns_below);
        form.check(object, &mut faults);
        place::check(object, &form, &mut faults);
        let mut chain = chain::check(object, &form, bundle, &mut faults);
        // Among all Secrets of a namespace there are those of servers.
        let leaf = chain.own.as_ref().is_some_and(|own| !own.says.ca);
        if object.kind == Kind::Secret && leaf && form.may_be_a_leafs(object) {
            continue;
        }
        told.roots = chain.trusted.iter().map(certificates::Certificate::told).collect();
        told.certificate = chain.own.as_ref().map(certificates::Certificate::told);
        told.key = key::check(object, &form, chain.own.as_ref(), &mut faults);
        ca::own(&form, &chain, told.key, &mut faults);
        told.crls = crl::check(object, &form, &mut chain, &mut faults);
        seen.objects.push(told);
        all.extend(faults.all);
        chains.push(chain);
    }
    (seen, chains, all)
}
