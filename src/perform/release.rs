//! From verified certificates to a release on the stick, on record.

use std::path::PathBuf;

use super::Session;
use super::batch::Finished;
use crate::error::{Error, Result};
use crate::journal::{Event, JOURNAL_FILE, RootCourse};
use crate::media::check_names;
use crate::media::write::Output;
use crate::plan::{self, Item, Plan};
use crate::release::{self, Crls, Folder, MANIFEST, Member, ReleaseInput, Verifier, cms};
use crate::token::Key;
use crate::verify::verify_detached;
use crate::x509::{Digest, Issuer, Tbs};

impl Session<'_> {
    /// Seals the journal, lays the release out with its copy, signs the sums, checks
    /// the whole as anybody would, writes it, reads it back, and puts it on record.
    pub(super) fn release(
        &mut self,
        plan: &Plan,
        digest: Digest,
        root: &Issuer,
        finished: Vec<Finished>,
        journal_key: &Key,
        output: Output,
    ) -> Result<(PathBuf, Crls)> {
        self.seal_lines(journal_key, None)?;
        let now = self.now();
        let journal_certificate = self.home.journal_certificate()?;
        let trusted = self.home.trusted()?;
        plan::check_bundle(self.ledger().course(), &trusted)?;
        let crls = self.fleet_crls(&finished)?;
        let cross = self.cross_certificate(plan)?;
        let members = finished.iter().map(|f| self.member(&f.item, &f.certificate.get().der));
        let members = members.collect::<Result<Vec<_>>>()?;
        let name = output.name().to_string();
        let prepared = release::prepare(&ReleaseInput {
            name: &name,
            rehearsal: plan.rehearsal(),
            created: now,
            root: &root.der,
            trusted: trusted.iter().map(|der| &der[..]).collect(),
            journal_certificate: &journal_certificate,
            journal: self.home.journal.copy()?,
            plan: digest,
            members,
            crls: &crls,
            cross: cross.as_deref(),
            stage: stage(self.ledger().course()),
        })?;

        let sums = prepared.sums().to_vec();
        let attributes = cms::attributes(&sums, now)?;
        let permit = self.home.journal.intend_release(now, digest, attributes.clone())?;
        let event = self.sign(journal_key, permit)?;
        let signature = match &event {
            Event::Signed { signature, .. } => signature.0.clone(),
            _ => Vec::new(),
        };
        self.home.journal.append(self.now(), vec![event])?;
        let p7s = cms::assemble(&attributes, &signature, &journal_certificate)?;
        verify_detached(&p7s, &sums, &journal_certificate, &root.der)?;

        let files = prepared.finish(p7s);
        self.check_as_anybody(&files, plan.rehearsal())?;
        let folder = output.write(&files, MANIFEST)?;
        self.home.leave_quarantine(finished.iter().map(|f| &f.item.serial))?;
        let sums = Digest::of(&sums);
        self.home.journal.append(self.now(), vec![Event::Released { plan: digest, folder: name, sums }])?;
        self.close(journal_key)?;
        Ok((folder, crls))
    }

    /// Lays the release out once before anything is signed, with the planned bytes
    /// in unsigned certificates: what a name or a policy would spoil, it spoils here.
    pub(super) fn rehearse(&self, plan: &Plan, digest: Digest, root: &Issuer, name: &str) -> Result<()> {
        let drafts = plan
            .items
            .iter()
            .map(|item| Ok((item, Tbs::recorded(item.tbs.0.clone(), root.signature).assemble(&[0; 64])?)));
        let drafts = drafts.collect::<Result<Vec<_>>>()?;
        let members = drafts.iter().map(|(item, der)| self.member(item, der)).collect::<Result<Vec<_>>>()?;
        // With what it puts on record itself.
        let course = plan.course.as_ref().unwrap_or(self.ledger().course());
        let trusted = course.trusted(self.home.own_roots()?);
        plan::check_bundle(course, &trusted)?;
        let prepared = release::prepare(&ReleaseInput {
            name,
            rehearsal: plan.rehearsal(),
            created: self.now(),
            root: &root.der,
            trusted: trusted.iter().map(|der| &der[..]).collect(),
            journal_certificate: &self.home.journal_certificate()?,
            journal: vec![(JOURNAL_FILE.into(), Vec::new())],
            plan: digest,
            members,
            crls: &Crls::default(),
            cross: None,
            stage: stage(course),
        })?;
        let files = prepared.finish(Vec::new());
        check_names(files.iter().map(|(path, _)| path.as_str()))
    }

    fn member<'f>(&self, item: &Item, certificate: &'f [u8]) -> Result<Member<'f>> {
        let profile = self.home.policies.profiles().get(&item.policy).ok_or_else(|| {
            Error::usage("policy.missing", format!("policy {} is not there any more", item.policy))
                .next("put it back with `policy pin`, then perform the plan again")
        })?;
        Ok(Member {
            cluster: item.cluster.clone(),
            consumer: *profile.release.consumer,
            certificate,
            policy: item.policy.clone(),
            request: Digest::of(&item.request.0),
            object: item.object.as_ref().map(|object| release::Object {
                kind: object.kind.name().into(),
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                request: object.request.clone(),
                ready: object.ready,
            }),
        })
    }

    /// The very check that `anchorite verify` makes, before anything is written.
    fn check_as_anybody(&self, files: &[(String, Vec<u8>)], rehearsal: bool) -> Result<()> {
        let files: Folder = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let now = self.now();
        let noted: Vec<Digest> = self.home.trusted()?.iter().map(|der| Digest::of(der)).collect();
        let report = release::check_folder(&files, &noted, rehearsal, now, &Verifier);
        match report.worst() {
            Some(error) => Err(Error::integrity(
                "release.self-check",
                format!("the release does not pass its own check: {error}"),
            )
            .next("nothing was written; the signatures are on record and can be released later")),
            None => Ok(()),
        }
    }
}

fn stage(course: &RootCourse) -> Option<&'static str> {
    course.rollover.as_ref().map(|rollover| rollover.stage.name())
}
