//! Laying a release out: from what a session made to the files people carry.

use std::collections::{BTreeMap, BTreeSet};

use super::certificate::{Facts, facts};
use super::consumer::{Consumer, Object, Parts};
use super::documents::{self, Entry, Manifest, Receipt, VERSION};
use super::sums::Digests;
use super::{
    COMMON, CROSS_CERT, CrlEntry, Crls, Folder, JOURNAL, JOURNAL_CERT, MANIFEST, README, RECEIPT, ROOT_CERT,
    SIGNATURE, SUMS, names, readme, sums,
};
use crate::error::{Error, Result};
use crate::x509::{Digest, Time, pem};

/// What every folder of a release repeats: which release it is, and under which roots.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The release's name, which is its folder's: `anchorite-2026-11-22-0001`.
    pub name: String,
    /// Made in a rehearsal; the name must then carry REHEARSAL.
    pub rehearsal: bool,
    /// Digest of the plan that was performed.
    pub plan: Digest,
    /// The root certificate's DER.
    pub root: Vec<u8>,
    /// The DER of all roots that are trusted, its own among them, in the order of the trust bundle.
    pub trusted: Vec<Vec<u8>>,
}

/// What stands beside the clusters' folders.
#[derive(Debug, Clone)]
pub struct ReleaseInput<'a> {
    /// Which release, under which roots.
    pub origin: &'a Origin,
    /// When the session ended.
    pub created: Time,
    /// The DER of the journal key's certificate.
    pub journal_certificate: &'a [u8],
    /// The journal's files, by path beneath `journal/`.
    pub journal: Vec<(String, Vec<u8>)>,
    /// The CRLs.
    pub crls: &'a Crls,
    /// A cross-certificate (DER), where one was signed.
    pub cross: Option<&'a [u8]>,
    /// The stage of a rollover that is under way.
    pub stage: Option<&'static str>,
    /// The plan whose clusters' certificates are released once more.
    pub repeats: Option<Digest>,
}

/// One cluster's certificate.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The cluster id, a DNS label.
    pub cluster: String,
    /// Who takes the files.
    pub consumer: Consumer,
    /// The certificate's DER.
    pub certificate: &'a [u8],
    /// The policy that granted it.
    pub policy: String,
    /// SHA-256 of the request's DER.
    pub request: Digest,
    /// The object that the request came in.
    pub object: Option<Object>,
}

/// One cluster's folder, laid out.
#[derive(Debug, Clone)]
pub struct ClusterFolder {
    /// What the release as a whole says of it.
    pub laid: Laid,
    files: BTreeMap<&'static str, Vec<u8>>,
}

/// What stays of a cluster's folder once it was laid out: its bytes are made again when they
/// are written, and the digests must be these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    /// Its line in the manifest.
    pub entry: Entry,
    /// The object that is answered.
    pub object: Option<Object>,
    /// Whether checking its certificate takes ML-DSA.
    pub post_quantum: bool,
}

impl Origin {
    /// Refuses a name that is none, and a trust bundle without the release's own root.
    pub fn check(&self) -> Result<()> {
        names::release(&self.name, self.rehearsal)?;
        if self.trusted.contains(&self.root) {
            return Ok(());
        }
        Err(Error::refused(
            "rollover.not-yet",
            "the trust bundle of this stage does not hold this home's root",
        )
        .next("`anchorite root rollover stage both --to DIR` releases the one that does"))
    }

    /// The folder of one cluster: Istio's names, which everybody has, and what its consumer is
    /// given. The same member always gives the same bytes.
    pub fn lay_out(&self, member: &Member) -> Result<ClusterFolder> {
        let facts = facts(&member.cluster, member.certificate)?;
        let receipt = receipt(self, member, &facts);
        let mut files = self.certificates(member, &facts)?;
        files.insert(RECEIPT, documents::write(RECEIPT, &receipt)?);
        let digests = files.iter().map(|(name, bytes)| ((*name).into(), Digest::of(bytes))).collect();
        let entry = Entry {
            name: member.cluster.clone(),
            consumer: member.consumer,
            serial: receipt.serial,
            files: digests,
        };
        let post_quantum = readme::is_post_quantum(member.certificate);
        Ok(ClusterFolder { laid: Laid { entry, object: receipt.object, post_quantum }, files })
    }

    /// The paths that a member's folder will have, with everything tried that could spoil it.
    pub fn paths(&self, member: &Member) -> Result<Vec<String>> {
        let files = self.certificates(member, &facts(&member.cluster, member.certificate)?)?;
        let names = files.into_keys().chain([RECEIPT]);
        Ok(names.map(|name| format!("{}/{name}", member.cluster)).collect())
    }

    /// Everything in a member's folder but its receipt.
    fn certificates(&self, member: &Member, facts: &Facts) -> Result<BTreeMap<&'static str, Vec<u8>>> {
        names::cluster(&member.cluster)?;
        let parts = Parts::new([member.certificate], &self.root, self.trusted.iter().map(Vec::as_slice));
        let mut files: BTreeMap<_, _> =
            member.consumer.files(&parts, facts, member.object.as_ref())?.into_iter().collect();
        files.extend(COMMON.iter().map(|(name, part)| (*name, parts.get(*part).into_bytes())));
        Ok(files)
    }

    /// root-cert.pem
    fn trust_bundle(&self) -> String {
        self.trusted.iter().map(|der| pem::certificate(der)).collect()
    }

    /// The other roots that are trusted.
    pub(super) fn companions(&self) -> impl Iterator<Item = &[u8]> {
        self.trusted.iter().filter(|der| **der != self.root).map(Vec::as_slice)
    }

    fn companions_sha256(&self) -> Vec<Digest> {
        self.companions().map(Digest::of).collect()
    }
}

impl ClusterFolder {
    /// Its files by name.
    pub fn files(&self) -> Folder<'_> {
        self.files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect()
    }

    /// Its files by their path in the release.
    pub fn into_files(self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let cluster = self.laid.entry.name;
        self.files.into_iter().map(move |(name, bytes)| (format!("{cluster}/{name}"), bytes))
    }
}

/// A release that lacks only the signature of its sums.
#[derive(Debug, Clone)]
pub struct Prepared {
    top: BTreeMap<String, Vec<u8>>,
    sums: Vec<u8>,
    clusters: Vec<Entry>,
}

/// A whole release, but for the bytes of the clusters' folders, which their digests stand for.
#[derive(Debug, Clone)]
pub struct LaidOut {
    /// What stands beside the clusters' folders, by path.
    pub top: BTreeMap<String, Vec<u8>>,
    /// The clusters, by name.
    pub clusters: Vec<Entry>,
}

/// Lays out what stands beside the clusters' folders; the same input always gives the same bytes.
pub fn prepare(input: ReleaseInput, mut clusters: Vec<Laid>) -> Result<Prepared> {
    input.origin.check()?;
    clusters.sort_by(|a, b| a.entry.name.cmp(&b.entry.name));
    check_once(clusters.iter().map(|cluster| cluster.entry.name.as_str()))?;
    let mut top = BTreeMap::new();
    top.insert(ROOT_CERT.into(), input.origin.trust_bundle().into_bytes());
    top.insert(JOURNAL_CERT.into(), pem::certificate(input.journal_certificate).into_bytes());
    top.insert(README.into(), readme::text(&input, &clusters).into_bytes());
    if let Some(cross) = input.cross {
        top.insert(CROSS_CERT.into(), pem::certificate(cross).into_bytes());
    }
    let (crls, crl_entry) = input.crls.files();
    top.extend(crls.into_iter().map(|(name, text)| (name.into(), text.into_bytes())));
    let mut manifest = manifest(&input, crl_entry);
    for (path, bytes) in input.journal {
        names::path(&path)?;
        top.insert(format!("{JOURNAL}/{path}"), bytes);
    }
    manifest.cluster = clusters.into_iter().map(|cluster| cluster.entry).collect();
    top.insert(MANIFEST.into(), documents::write(MANIFEST, &manifest)?);
    let clusters = manifest.cluster;
    let sums = sums::render(&digests(&top, &clusters));
    Ok(Prepared { top, sums, clusters })
}

/// Refuses two certificates for one cluster: both would have the same folder.
pub fn check_once<'a>(clusters: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for cluster in clusters {
        if !seen.insert(cluster) {
            return Err(Error::usage(
                "release.name",
                format!("{cluster}/ would be written twice in one release"),
            )
            .next("sign one certificate for each cluster in a session"));
        }
    }
    Ok(())
}

/// SHA-256 of each file that the sums cover.
pub(super) fn digests(top: &BTreeMap<String, Vec<u8>>, clusters: &[Entry]) -> Digests {
    let inside = clusters.iter().flat_map(|cluster| {
        cluster.files.iter().map(|(name, digest)| (format!("{}/{name}", cluster.name), *digest))
    });
    sums::digests(top.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())))
        .into_iter()
        .chain(inside)
        .collect()
}

impl Prepared {
    /// The bytes of SHA256SUMS, which the journal key signs.
    pub fn sums(&self) -> &[u8] {
        &self.sums
    }

    /// With the signature.
    pub fn finish(mut self, p7s: Vec<u8>) -> LaidOut {
        self.top.insert(SUMS.into(), self.sums);
        self.top.insert(SIGNATURE.into(), p7s);
        LaidOut { top: self.top, clusters: self.clusters }
    }
}

fn manifest(input: &ReleaseInput, crl: Option<CrlEntry>) -> Manifest {
    let origin = input.origin;
    Manifest {
        version: VERSION,
        release: origin.name.clone(),
        rehearsal: origin.rehearsal,
        created: input.created,
        plan: origin.plan,
        root_sha256: Digest::of(&origin.root),
        companions_sha256: origin.companions_sha256(),
        journal_certificate_sha256: Digest::of(input.journal_certificate),
        stage: input.stage.map(Into::into),
        repeats: input.repeats,
        crl,
        cluster: Vec::new(),
    }
}

fn receipt(origin: &Origin, member: &Member, facts: &Facts) -> Receipt {
    Receipt {
        version: VERSION,
        release: origin.name.clone(),
        rehearsal: origin.rehearsal,
        cluster: member.cluster.clone(),
        consumer: member.consumer,
        serial: facts.serial.clone(),
        subject: facts.subject.to_string(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        policy: member.policy.clone(),
        request: member.request,
        plan: origin.plan,
        certificate_sha256: Digest::of(member.certificate),
        root_sha256: Digest::of(&origin.root),
        companions_sha256: origin.companions_sha256(),
        trust_bundle_sha256: (origin.trusted.len() > 1).then(|| Digest::of(origin.trust_bundle().as_bytes())),
        object: member.object.clone(),
    }
}
