//! Checking a release that was read into memory, with nothing to believe but
//! the root certificate's fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::documents::{Entry, Manifest, Receipt, VERSION};
use super::folder::{self, Against, Seen, keep};
use super::layout::{self, ClusterFolder, LaidOut};
use super::sums::Digests;
use super::{
    CROSS_CERT, CrlFacts, Folder, JOURNAL, JOURNAL_CERT, MANIFEST, REHEARSAL, ROOT_CERT, SIGNATURE, SUMS,
    SeenCrls, TOP, TOP_OPTIONAL, names, pem, sums,
};
use crate::error::{Error, Kind, Result};
use crate::text::shown;
use crate::x509::{Digest, Time};

/// The checks that need cryptography. Certificates are DER.
pub trait Judge: Sync {
    /// Validates the path, leaf first, up to the trusted root (RFC 5280 §6);
    /// everything in it must be valid at that moment.
    fn path(&self, chain: &[&[u8]], root: &[u8], at: Time) -> Result<()>;
    /// Issued by the root itself, CA:FALSE, documentSigning critical and alone, no SAN.
    fn journal_certificate(&self, certificate: &[u8], root: &[u8]) -> Result<()>;
    /// A CRL signed with this certificate's key and sound in itself (RFC 5280 §5).
    fn crl(&self, crl: &[u8], issuer: &[u8]) -> Result<CrlFacts>;
    /// What a CRL says, whoever signed it.
    fn crl_facts(&self, crl: &[u8]) -> Result<CrlFacts>;
    /// A detached CMS signature over the content, made by this signer's key.
    fn signature(&self, p7s: &[u8], content: &[u8], signer: &[u8], root: &[u8]) -> Result<()>;
}

/// What a check showed: everything wrong at once.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The release's name, fit for a terminal; empty where it could not be read.
    pub release: String,
    /// Whether anything in it says that it comes from a rehearsal.
    pub rehearsal: bool,
    /// When the release was made, as its manifest says.
    pub created: Option<Time>,
    /// Fingerprint of the root it was made under, where that is one of those noted.
    pub root: Option<Digest>,
    /// Fingerprints of the other roots that its trust bundle holds.
    pub companions: Vec<Digest>,
    /// The receipts that could be read.
    pub clusters: Vec<Receipt>,
    /// Whether the release's signature is over the receipts. A cluster's folder alone has
    /// none: of its receipt only what its certificates say as well is known.
    pub signed: bool,
    /// The stage of a change of roots, where one is under way.
    pub stage: Option<String>,
    /// The plan whose release this one repeats.
    pub repeats: Option<Digest>,
    /// The release's CRLs, where it has any.
    pub crls: Option<SeenCrls>,
    /// Everything wrong; empty where all is in order.
    pub errors: Vec<Error>,
}

impl Report {
    /// The gravest error, which decides the exit code: integrity before refusal.
    pub fn worst(&self) -> Option<&Error> {
        let integrity = self.errors.iter().find(|e| e.kind == Kind::Integrity);
        integrity.or_else(|| self.errors.first())
    }

    fn refuse_rehearsal(&mut self, allowed: bool) {
        if self.rehearsal && !allowed {
            let message = format!("{}: made in a rehearsal, nothing in it may be relied on", self.release);
            self.errors.push(
                Error::refused("release.rehearsal", message).next("add --rehearsal if that is what you want"),
            );
        }
    }
}

/// Checks a whole release folder: roots, journal certificate, signature, sums,
/// manifest and every cluster's folder. `noted` are the fingerprints of all roots that
/// may be trusted; chains end at the release's own.
pub fn check(
    files: &BTreeMap<String, Vec<u8>>,
    noted: &[Digest],
    allow_rehearsal: bool,
    at: Time,
    judge: &dyn Judge,
) -> Report {
    let files = super::folder(files);
    let digests = sums::digests(files.iter().map(|(path, bytes)| (*path, *bytes)));
    let against = Against { noted, at, judge };
    let look = |manifest: Option<&Manifest>| look_at_clusters(&files, manifest, &against);
    check_parts(&files, &digests, allow_rehearsal, &against, look)
}

/// A cluster's folder that was looked at by itself.
pub struct Looked {
    /// What stands before file names in errors, e.g. `east/`.
    place: String,
    seen: Seen,
}

impl Looked {
    /// Checks a folder as it was laid out, as [`check`] does.
    pub fn at(folder: &ClusterFolder, noted: &[Digest], at: Time, judge: &dyn Judge) -> Self {
        Self::inside(&folder.laid.entry.name, &folder.files(), &Against { noted, at, judge })
    }

    fn inside(cluster: &str, files: &Folder, against: &Against) -> Self {
        let place = format!("{}/", shown(cluster));
        let seen = folder::check(&place, files, against);
        Self { place, seen }
    }
}

/// As [`check`], of a release that is laid out and whose clusters' folders were looked at
/// before, each under the same roots.
pub fn check_laid_out(
    release: &LaidOut,
    looked: Vec<Looked>,
    noted: &[Digest],
    allow_rehearsal: bool,
    at: Time,
    judge: &dyn Judge,
) -> Report {
    let digests = layout::digests(&release.top, &release.clusters);
    let against = Against { noted, at, judge };
    let places: BTreeSet<String> = looked.iter().map(|it| it.place.clone()).collect();
    let passed_by = release.clusters.iter().filter(|entry| !places.contains(&format!("{}/", entry.name)));
    let passed_by: Vec<_> = passed_by
        .map(|entry| disagrees(&format!("lists {}, which was not looked at", shown(&entry.name))))
        .collect();
    let top = super::folder(&release.top);
    let mut report = check_parts(&top, &digests, allow_rehearsal, &against, |_| looked);
    report.errors.extend(passed_by);
    report
}

/// `top` holds all that stands beside the clusters' folders, at least.
fn check_parts(
    top: &Folder,
    digests: &Digests,
    allow_rehearsal: bool,
    against: &Against,
    look: impl FnOnce(Option<&Manifest>) -> Vec<Looked>,
) -> Report {
    let mut report = Report { signed: true, ..Report::default() };
    let required = TOP.iter().filter(|name| !top.contains_key(*name));
    report.errors.extend(required.map(|name| sums::missing(name)));

    let manifest = read_manifest(top).and_then(|result| keep(result, &mut report.errors));
    check_seal(top, against, manifest.as_ref(), &mut report);
    if let Some(bytes) = top.get(SUMS) {
        report.errors.extend(sums::check(bytes, digests));
    }
    if let Some(manifest) = &manifest {
        report.release = shown(&manifest.release);
        report.created = Some(manifest.created);
        report.stage = manifest.stage.clone();
        report.repeats = manifest.repeats;
        report.rehearsal |= manifest.rehearsal || manifest.release.contains(REHEARSAL);
        check_manifest(digests, manifest, against.noted, &mut report.errors);
        check_crls(top, manifest, against, &mut report);
    }
    check_clusters(look(manifest.as_ref()), manifest.as_ref(), &mut report);
    report.refuse_rehearsal(allow_rehearsal);
    // A file that is missing is missed by the sums, too.
    let mut told = BTreeSet::new();
    report.errors.retain(|error| told.insert((error.id, error.message.clone())));
    report
}

/// Checks one cluster's folder alone, away from its release: no sums and no
/// signature, but receipt, chain and the path to the root.
pub fn check_cluster(
    files: &BTreeMap<String, Vec<u8>>,
    noted: &[Digest],
    allow_rehearsal: bool,
    at: Time,
    judge: &dyn Judge,
) -> Report {
    let seen = folder::check("", &super::folder(files), &Against { noted, at, judge });
    let mut report = Report {
        rehearsal: seen.rehearsal,
        root: seen.root,
        companions: seen.companions,
        errors: seen.errors,
        ..Report::default()
    };
    report.release = seen.receipt.as_ref().map(|r| shown(&r.release)).unwrap_or_default();
    report.clusters.extend(seen.receipt);
    report.refuse_rehearsal(allow_rehearsal);
    report
}

fn read_manifest(files: &Folder) -> Option<Result<Manifest>> {
    let manifest = Manifest::read(files.get(MANIFEST)?);
    Some(manifest.and_then(|m| match m.version {
        VERSION => Ok(m),
        other => {
            let message = format!("{MANIFEST}: version {other}, wanted {VERSION}");
            Err(Error::integrity("release.document", message).next("use a newer anchorite"))
        }
    }))
}

/// The root, the journal certificate beneath it, and its signature over the sums.
/// Nothing is asked of a root that is not the noted one.
fn check_seal(files: &Folder, against: &Against, manifest: Option<&Manifest>, report: &mut Report) {
    let mut read = |name| {
        let bytes = files.get(name)?;
        keep(pem::single(name, bytes), &mut report.errors)
    };
    let journal = read(JOURNAL_CERT);
    let trusted = files.get(ROOT_CERT).map(|bytes| pem::trust_bundle(ROOT_CERT, bytes));
    let Some(trusted) = trusted.and_then(|read| keep(read, &mut report.errors)) else { return };
    report.rehearsal |= trusted.iter().any(|der| folder::is_rehearsal(der));
    report.errors.extend(folder::check_roots(ROOT_CERT, &trusted));
    let (root, companions) = own_root(trusted, manifest);
    report.companions = companions.iter().map(|der| Digest::of(der)).collect();
    report.errors.extend(folder::check_companions(ROOT_CERT, &companions, against.noted));
    if manifest.is_some_and(|m| m.companions_sha256 != report.companions) {
        report.errors.push(disagrees("companions_sha256 is not what root-cert.pem holds beside the root"));
    }
    let found = Digest::of(&root);
    if !against.noted.contains(&found) {
        report.errors.push(folder::wrong_root(ROOT_CERT, found, against.noted));
        return;
    }
    report.root = Some(found);
    if manifest.is_some_and(|m| m.root_sha256 != found) {
        report.errors.push(disagrees("root_sha256 is not the digest of the root in root-cert.pem"));
    }
    let Some(journal) = journal else { return };
    let verdict = against.judge.journal_certificate(&journal, &root);
    keep(verdict.map_err(|e| e.at(JOURNAL_CERT)), &mut report.errors);
    if manifest.is_some_and(|m| m.journal_certificate_sha256 != Digest::of(&journal)) {
        report.errors.push(disagrees("journal_certificate_sha256 is not the digest of journal-cert.pem"));
    }
    if let (Some(p7s), Some(sums)) = (files.get(SIGNATURE), files.get(SUMS)) {
        let verdict = against.judge.signature(p7s, sums, &journal, &root);
        keep(verdict.map_err(|e| e.at(SIGNATURE)), &mut report.errors);
    }
}

/// The root that the release was made under, and the others that are trusted.
fn own_root(mut trusted: Vec<Vec<u8>>, manifest: Option<&Manifest>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let own = |der: &Vec<u8>| manifest.is_some_and(|m| m.root_sha256 == Digest::of(der));
    let place = trusted.iter().position(own).unwrap_or(0);
    let root = if trusted.is_empty() { Vec::new() } else { trusted.remove(place) };
    (root, trusted)
}

/// Nothing is asked of a root that is not a noted one.
fn check_crls(files: &Folder, manifest: &Manifest, against: &Against, report: &mut Report) {
    let trusted = files.get(ROOT_CERT).and_then(|bytes| pem::trust_bundle(ROOT_CERT, bytes).ok());
    let Some(trusted) = trusted.filter(|_| report.root.is_some()) else { return };
    let (root, _) = own_root(trusted, Some(manifest));
    if let Some(bytes) = files.get(CROSS_CERT) {
        let cross = pem::single(CROSS_CERT, bytes);
        let verdict = cross
            .and_then(|cross| against.judge.path(&[&cross], &root, against.at).map_err(|e| e.at(CROSS_CERT)));
        keep(verdict, &mut report.errors);
    }
    report.crls = super::crls::check(files, manifest.crl.as_ref(), &root, against.judge, &mut report.errors);
}

/// The manifest's own statements, and every file of the folder accounted for.
fn check_manifest(digests: &Digests, manifest: &Manifest, noted: &[Digest], errors: &mut Vec<Error>) {
    keep(names::release(&manifest.release, manifest.rehearsal).map_err(as_integrity), errors);
    if !noted.contains(&manifest.root_sha256) {
        errors.push(folder::wrong_root(MANIFEST, manifest.root_sha256, noted));
    }
    let mut listed = BTreeMap::new();
    for entry in &manifest.cluster {
        keep(names::cluster(&entry.name).map_err(as_integrity), errors);
        for (name, digest) in &entry.files {
            if listed.insert(format!("{}/{name}", entry.name), digest).is_some() {
                errors.push(disagrees(&format!("lists {}/{} twice", shown(&entry.name), shown(name))));
            }
        }
    }
    for (path, wanted) in &listed {
        match digests.get(path) {
            None => errors.push(disagrees(&format!("lists {}, which is missing", shown(path)))),
            Some(found) if found != *wanted => {
                errors.push(disagrees(&format!(
                    "says that {} has SHA-256 {wanted}, it is {found}",
                    shown(path)
                )));
            }
            Some(_) => {}
        }
    }
    let known = |path: &str| {
        TOP.contains(&path)
            || TOP_OPTIONAL.contains(&path)
            || listed.contains_key(path)
            || path.split_once('/').is_some_and(|(folder, _)| folder == JOURNAL)
    };
    for path in digests.keys().filter(|path| !known(path)) {
        errors.push(Error::integrity("release.extra", format!("{}: not in {MANIFEST}", shown(path))));
    }
}

/// Every folder that is there or should be; one without a manifest entry is
/// looked at all the same.
fn look_at_clusters(files: &Folder, manifest: Option<&Manifest>, against: &Against) -> Vec<Looked> {
    let present = files.keys().filter_map(|path| path.split_once('/')).map(|(folder, _)| folder);
    let entries = manifest.map_or(&[] as &[Entry], |m| &m.cluster);
    let all: BTreeSet<&str> = present.chain(entries.iter().map(|e| e.name.as_str())).collect();
    let all: Vec<&str> = all.into_iter().filter(|name| *name != JOURNAL).collect();
    let looked = all.par_iter().map(|cluster| {
        let beneath = format!("{cluster}/");
        let inside = files
            .range(beneath.as_str()..)
            .map_while(|(path, bytes)| Some((path.strip_prefix(&beneath)?, *bytes)));
        Looked::inside(cluster, &inside.collect(), against)
    });
    looked.collect()
}

fn check_clusters(looked: Vec<Looked>, manifest: Option<&Manifest>, report: &mut Report) {
    let entries: BTreeMap<&str, &Entry> =
        manifest.iter().flat_map(|m| &m.cluster).map(|entry| (entry.name.as_str(), entry)).collect();
    for Looked { place, seen } in looked {
        report.rehearsal |= seen.rehearsal;
        report.errors.extend(seen.errors);
        if let (Some(receipt), Some(manifest)) = (&seen.receipt, manifest) {
            let entry = entries.get(receipt.cluster.as_str()).copied();
            report.errors.extend(folder::check_against_manifest(&place, receipt, manifest, entry));
        }
        report.clusters.extend(seen.receipt);
    }
}

fn disagrees(what: &str) -> Error {
    Error::integrity("release.manifest", format!("{MANIFEST}: {what}"))
}

/// A name that could not have been written here was put there by someone else.
fn as_integrity(error: Error) -> Error {
    Error::integrity(error.id, error.message).at(MANIFEST)
}
