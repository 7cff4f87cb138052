//! The CRLs of a release: the root's own, and the set that a fleet loads.
//!
//! Envoy, once it is given CRLs, wants one of every CA in a peer's chain, and refuses the
//! peer where one is missing or has run out. So the set is whole or it is not there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CA_CERT, CA_CRL, Folder, Judge, MANIFEST, ROOT_CRL, pem as certificates};
use crate::error::{Error, Result};
use crate::text::shown;
use crate::x509::{Name, Time, pem};

/// What there is of CRLs when a release is laid out.
#[derive(Debug, Clone, Default)]
pub struct Crls {
    /// The root's last (DER).
    pub root: Option<Vec<u8>>,
    /// One of each intermediate that is alive, revoked ones included (DER); none where one is missing.
    pub intermediates: Vec<Vec<u8>>,
    /// The clusters whose CRL is missing.
    pub lacking: ClusterList,
}

/// Clusters, the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterList {
    /// Cluster and serial number.
    pub named: Vec<String>,
    /// How many there are in all.
    pub count: u64,
}

impl ClusterList {
    /// The first of them, and how many more there are.
    pub fn told(&self) -> String {
        let named: Vec<String> = self.named.iter().map(|name| shown(name)).collect();
        let named = named.join(", ");
        match self.count.saturating_sub(self.named.len() as u64) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }

    /// How many of so many are named: all of some, while of a great many the first few do.
    /// (Each is looked up by itself.)
    pub fn named_of(count: u64) -> usize {
        if count <= 20 { 20 } else { 3 }
    }
}

/// `[crl]` in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlEntry {
    /// Whether ca-crl.pem is there.
    pub complete: bool,
    /// How many intermediates' CRLs it holds, after the root's.
    pub intermediates: u64,
    /// How many clusters' CRLs are missing, for which it is not.
    pub lacking: u64,
    /// The first of these.
    pub lacking_named: Vec<String>,
}

/// What a CRL says, as the verifier read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFacts {
    /// Its issuer, byte for byte.
    pub issuer: Name,
    /// cRLNumber
    pub number: u64,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate
    pub next_update: Time,
    /// How many certificates it lists.
    pub entries: u64,
}

/// The CRLs of a release that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCrls {
    /// The root's.
    pub root: CrlFacts,
    /// How many of intermediates ca-crl.pem holds; none where there is none.
    pub intermediates: Option<u64>,
    /// The first nextUpdate of them all: from then on every peer is refused.
    pub next_update: Time,
    /// The clusters for which there is no set.
    pub lacking: ClusterList,
}

impl Crls {
    /// The files at the release's top, and what the manifest says of them.
    pub(super) fn files(&self) -> (Vec<(&'static str, String)>, Option<CrlEntry>) {
        let Some(root) = &self.root else { return (Vec::new(), None) };
        let complete = self.lacking.count == 0;
        let root = pem::crl(root);
        let mut files = Vec::new();
        if complete {
            let set = std::iter::once(root.clone()).chain(self.intermediates.iter().map(|der| pem::crl(der)));
            files.push((CA_CRL, set.collect()));
        }
        files.push((ROOT_CRL, root));
        let entry = CrlEntry {
            complete,
            intermediates: self.intermediates.len() as u64,
            lacking: self.lacking.count,
            lacking_named: self.lacking.named.clone(),
        };
        (files, Some(entry))
    }
}

/// Checks the CRLs of a release beneath its root: the root's is its own, the set begins
/// with it, holds as many as the manifest says, each once, and one of every cluster in
/// the release, signed with that cluster's key.
pub(super) fn check(
    files: &Folder,
    entry: Option<&CrlEntry>,
    root: &[u8],
    judge: &dyn Judge,
    errors: &mut Vec<Error>,
) -> Option<SeenCrls> {
    let disagrees = |what: &str| Error::integrity("release.manifest", format!("{MANIFEST}: {what}"));
    let Some(entry) = entry else {
        let unasked = [ROOT_CRL, CA_CRL].into_iter().filter(|name| files.contains_key(name));
        errors.extend(unasked.map(|name| disagrees(&format!("says nothing of {name}"))));
        return None;
    };
    let seen = read(files, entry, root, judge);
    seen.map_err(|error| errors.push(error)).ok()
}

fn read(files: &Folder, entry: &CrlEntry, root: &[u8], judge: &dyn Judge) -> Result<SeenCrls> {
    let bad = |file: &str, what: String| Error::integrity("release.crl", format!("{file}: {what}"));
    let own = match &crls(files, ROOT_CRL)?[..] {
        [own] => own.clone(),
        several => {
            return Err(bad(ROOT_CRL, format!("holds {} CRLs, wanted the root's alone", several.len())));
        }
    };
    let facts = judge.crl(&own, root).map_err(|e| e.at(ROOT_CRL))?;
    let mut seen = SeenCrls {
        next_update: facts.next_update,
        root: facts,
        intermediates: None,
        lacking: ClusterList { named: entry.lacking_named.clone(), count: entry.lacking },
    };
    if !entry.complete {
        if files.contains_key(CA_CRL) {
            return Err(bad(CA_CRL, format!("is there, but {} CRLs are missing from it", entry.lacking)));
        }
        return Ok(seen);
    }
    let set = crls(files, CA_CRL)?;
    let Some((first, others)) = set.split_first() else { return Err(bad(CA_CRL, "is empty".into())) };
    if *first != own {
        return Err(bad(CA_CRL, format!("does not begin with the CRL of {ROOT_CRL}")));
    }
    if others.len() as u64 != entry.intermediates {
        return Err(bad(
            CA_CRL,
            format!("holds {} CRLs of intermediates, {MANIFEST} says {}", others.len(), entry.intermediates),
        ));
    }
    let mut by_issuer: BTreeMap<Vec<u8>, Vec<&[u8]>> = BTreeMap::new();
    for der in others {
        let facts = judge.crl_facts(der).map_err(|e| e.at(CA_CRL))?;
        seen.next_update = seen.next_update.min(facts.next_update);
        by_issuer.entry(facts.issuer.as_der().to_vec()).or_default().push(der);
    }
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(&format!("/{CA_CERT}"))) {
        // What is wrong with the certificate itself is told elsewhere.
        let Ok(certificate) = certificates::single(path, bytes) else { continue };
        let Ok(facts) = super::certificate::facts(path, &certificate) else { continue };
        let of_name = by_issuer.get(facts.subject.as_der()).map(Vec::as_slice).unwrap_or_default();
        if !of_name.iter().any(|der| judge.crl(der, &certificate).is_ok()) {
            return Err(bad(CA_CRL, format!("holds no CRL signed with the key of {path}")));
        }
    }
    seen.intermediates = Some(entry.intermediates);
    Ok(seen)
}

fn crls(files: &Folder, name: &str) -> Result<Vec<Vec<u8>>> {
    let bytes = files.get(name).ok_or_else(|| super::sums::missing(name))?;
    pem::crls(bytes).ok_or_else(|| {
        Error::integrity(
            "release.crl",
            format!("{name}: something other than X509 CRL blocks of 64 columns, each closed by one newline"),
        )
    })
}
