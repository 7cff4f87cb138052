//! Laying a release out: from what a session made to the files people carry.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::certificate::{Facts, facts};
use super::consumer::{Consumer, Object, Parts};
use super::documents::{self, Entry, Manifest, Receipt, VERSION};
use super::{
    COMMON, CROSS_CERT, CrlEntry, Crls, JOURNAL, JOURNAL_CERT, MANIFEST, README, RECEIPT, ROOT_CERT,
    SIGNATURE, SUMS, names, readme, sums,
};
use crate::error::{Error, Result};
use crate::x509::{Digest, Time, pem};

/// Everything a release is made of.
#[derive(Debug, Clone)]
pub struct ReleaseInput<'a> {
    /// Its name, which is its folder's: `anchorite-2026-11-22-0001`.
    pub name: &'a str,
    /// Made in a rehearsal; the name must then carry REHEARSAL.
    pub rehearsal: bool,
    /// When the session ended.
    pub created: Time,
    /// The root certificate's DER.
    pub root: &'a [u8],
    /// The DER of all roots that are trusted, its own among them, in the order of the trust bundle.
    pub trusted: Vec<&'a [u8]>,
    /// The DER of the journal key's certificate.
    pub journal_certificate: &'a [u8],
    /// The journal's files, by path beneath `journal/`.
    pub journal: Vec<(String, Vec<u8>)>,
    /// Digest of the plan that was performed.
    pub plan: Digest,
    /// What was signed.
    pub members: Vec<Member<'a>>,
    /// The CRLs.
    pub crls: &'a Crls,
    /// A cross-certificate (DER), where one was signed.
    pub cross: Option<&'a [u8]>,
    /// The stage of a rollover that is under way.
    pub stage: Option<&'static str>,
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

/// A release that lacks only the signature of its sums.
#[derive(Debug, Clone)]
pub struct Prepared {
    files: BTreeMap<String, Vec<u8>>,
    sums: Vec<u8>,
}

/// Lays the release out; the same input always gives the same bytes.
pub fn prepare(input: &ReleaseInput) -> Result<Prepared> {
    names::release(input.name, input.rehearsal)?;
    if !input.trusted.contains(&input.root) {
        return Err(Error::refused(
            "rollover.not-yet",
            "the trust bundle of this stage does not hold this home's root",
        )
        .next("`anchorite root rollover stage both --to DIR` releases the one that does"));
    }
    let mut files = BTreeMap::new();
    files.insert(ROOT_CERT.into(), input.trust_bundle().into_bytes());
    files.insert(JOURNAL_CERT.into(), pem::certificate(input.journal_certificate).into_bytes());
    files.insert(README.into(), readme::text(input).into_bytes());
    for (path, bytes) in &input.journal {
        names::path(path)?;
        insert_new(&mut files, format!("{JOURNAL}/{path}"), bytes.clone())?;
    }
    if let Some(cross) = input.cross {
        files.insert(CROSS_CERT.into(), pem::certificate(cross).into_bytes());
    }
    let (crls, crl_entry) = input.crls.files();
    files.extend(crls.into_iter().map(|(name, text)| (name.into(), text.into_bytes())));
    let mut entries = Vec::new();
    let laid_out = input.members.par_iter().map(|member| {
        names::cluster(&member.cluster)?;
        lay_out_member(input, member)
    });
    for (member, (entry, folder)) in input.members.iter().zip(laid_out.collect::<Result<Vec<_>>>()?) {
        for (name, bytes) in folder {
            insert_new(&mut files, format!("{}/{name}", member.cluster), bytes)?;
        }
        entries.push(entry);
    }
    entries.sort_by(|a: &Entry, b| a.name.cmp(&b.name));
    files.insert(MANIFEST.into(), documents::write(MANIFEST, &manifest(input, crl_entry, entries))?);
    let sums = sums::render(files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    Ok(Prepared { files, sums })
}

impl<'a> ReleaseInput<'a> {
    /// root-cert.pem
    fn trust_bundle(&self) -> String {
        self.trusted.iter().map(|der| pem::certificate(der)).collect()
    }

    /// The other roots that are trusted.
    pub(super) fn companions(&self) -> impl Iterator<Item = &'a [u8]> {
        self.trusted.iter().copied().filter(|der| *der != self.root)
    }

    fn companions_sha256(&self) -> Vec<Digest> {
        self.companions().map(Digest::of).collect()
    }
}

impl Prepared {
    /// The bytes of SHA256SUMS, which the journal key signs.
    pub fn sums(&self) -> &[u8] {
        &self.sums
    }

    /// All files by path, sorted, but the manifest last: whoever sees the
    /// manifest on a stick sees a whole release.
    pub fn finish(mut self, p7s: Vec<u8>) -> Vec<(String, Vec<u8>)> {
        self.files.insert(SUMS.into(), self.sums);
        self.files.insert(SIGNATURE.into(), p7s);
        let manifest = self.files.remove_entry(MANIFEST);
        self.files.into_iter().chain(manifest).collect()
    }
}

fn insert_new(files: &mut BTreeMap<String, Vec<u8>>, path: String, bytes: Vec<u8>) -> Result<()> {
    if files.contains_key(&path) {
        return Err(Error::usage("release.name", format!("{path} would be written twice in one release"))
            .next("sign one certificate for each cluster in a session"));
    }
    files.insert(path, bytes);
    Ok(())
}

fn manifest(input: &ReleaseInput, crl: Option<CrlEntry>, cluster: Vec<Entry>) -> Manifest {
    Manifest {
        version: VERSION,
        release: input.name.into(),
        rehearsal: input.rehearsal,
        created: input.created,
        plan: input.plan,
        root_sha256: Digest::of(input.root),
        companions_sha256: input.companions_sha256(),
        journal_certificate_sha256: Digest::of(input.journal_certificate),
        stage: input.stage.map(Into::into),
        crl,
        cluster,
    }
}

/// The folder of one cluster: Istio's names, which everybody has, and what its consumer is given.
fn lay_out_member(input: &ReleaseInput, member: &Member) -> Result<(Entry, BTreeMap<&'static str, Vec<u8>>)> {
    let facts = facts(&member.cluster, member.certificate)?;
    let parts = Parts::new([member.certificate], input.root, input.trusted.iter().copied());
    let receipt = receipt(input, member, &facts);
    let mut folder: BTreeMap<_, _> =
        member.consumer.files(&parts, &facts, member.object.as_ref())?.into_iter().collect();
    folder.extend(COMMON.iter().map(|(name, part)| (*name, parts.get(*part).into_bytes())));
    folder.insert(RECEIPT, documents::write(RECEIPT, &receipt)?);
    let digests = folder.iter().map(|(name, bytes)| ((*name).into(), Digest::of(bytes))).collect();
    let entry = Entry {
        name: member.cluster.clone(),
        consumer: member.consumer,
        serial: receipt.serial,
        files: digests,
    };
    Ok((entry, folder))
}

fn receipt(input: &ReleaseInput, member: &Member, facts: &Facts) -> Receipt {
    Receipt {
        version: VERSION,
        release: input.name.into(),
        rehearsal: input.rehearsal,
        cluster: member.cluster.clone(),
        consumer: member.consumer,
        serial: facts.serial.clone(),
        subject: facts.subject.to_string(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        policy: member.policy.clone(),
        request: member.request,
        plan: input.plan,
        certificate_sha256: Digest::of(member.certificate),
        root_sha256: Digest::of(input.root),
        companions_sha256: input.companions_sha256(),
        trust_bundle_sha256: (input.trusted.len() > 1).then(|| Digest::of(input.trust_bundle().as_bytes())),
        object: member.object.clone(),
    }
}
