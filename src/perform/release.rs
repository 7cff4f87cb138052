//! From verified certificates to a release on the stick, on record.

use std::collections::HashMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::Session;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::journal::{Event, GENESIS, IntentRecord, RootCourse};
use crate::lint::CertificateKind;
use crate::media::check_names;
use crate::media::write::Output;
use crate::plan::{self, Item, Plan};
use crate::release::documents::Entry;
use crate::release::{
    self, ClusterFolder, Crls, Laid, LaidOut, Looked, MANIFEST, Member, Origin, ReleaseInput, Verifier, cms,
};
use crate::token::Key;
use crate::verify::{self, Verified, verify_detached};
use crate::x509::{Digest, Issuer, Serial, Tbs, Time};

/// So many folders are made again at a time when they are written, on all cores.
const AT_A_TIME: usize = 32;

/// A certificate of the plan's that is signed and on record, was verified, laid out and looked
/// at as anybody would: nothing else is released.
pub(super) struct Finished<'p> {
    pub item: &'p Item,
    certificate: Verified<verify::Certificate>,
    laid: Laid,
    looked: Looked,
    /// It was released before, and is filed for good.
    again: bool,
}

impl Finished<'_> {
    /// What of it goes to quarantine.
    pub fn filed(&self) -> (&Serial, &[u8]) {
        (&self.item.serial, &self.certificate.get().der)
    }
}

/// What finishing a plan's certificates takes, whichever of them.
pub(super) struct Finisher<'p> {
    origin: Origin,
    root: Issuer,
    noted: Vec<Digest>,
    items: HashMap<&'p [u8], &'p Item>,
}

impl<'p> Finisher<'p> {
    /// Lays the release out once before anything is signed, with the planned bytes
    /// in unsigned certificates: what a name or a policy would spoil, it spoils here.
    pub fn new(home: &Home, plan: &'p Plan, digest: Digest, name: &str) -> Result<Self> {
        let root = home.root()?.clone();
        // With what it puts on record itself.
        let course = plan.course.as_ref().unwrap_or(home.journal.ledger().course());
        let trusted = course.trusted(home.own_roots()?);
        plan::check_bundle(course, &trusted)?;
        let noted = trusted.iter().map(|der| Digest::of(der)).collect();
        let (name, rehearsal) = (name.to_owned(), plan.rehearsal());
        let origin = Origin { name, rehearsal, plan: digest, root: root.der.clone(), trusted };
        let items = plan.folders().map(|item| (&item.tbs.0[..], item)).collect();
        let new = Self { origin, root, noted, items };
        new.rehearse(home, plan)?;
        Ok(new)
    }

    fn rehearse(&self, home: &Home, plan: &Plan) -> Result<()> {
        self.origin.check()?;
        release::check_once(plan.folders().map(|item| item.cluster.as_str()))?;
        let paths = plan.folders().collect::<Vec<_>>().into_par_iter().map(|item| {
            let draft = Tbs::recorded(item.tbs.0.clone(), self.root.signature).assemble(&[0; 64])?;
            self.origin.paths(&member(home, item, &draft)?)
        });
        let paths = paths.collect::<Result<Vec<_>>>()?;
        check_names(paths.iter().flatten().map(String::as_str).chain(release::TOP))
    }

    /// What is on record since made the trust bundle that everything was laid out with.
    fn check_trusted(&self, home: &Home) -> Result<()> {
        let trusted = home.trusted()?;
        plan::check_bundle(home.journal.ledger().course(), &trusted)?;
        if trusted == self.origin.trusted {
            return Ok(());
        }
        Err(Error::integrity(
            "release.self-check",
            "the roots on record are not those that the release was laid out with",
        )
        .next("nothing was written; the signatures are on record and can be released later"))
    }

    /// What is signed for the plan, is not released, and is none of these, in the plan's order.
    pub fn finish_others(
        &self,
        home: &Home,
        plan: &'p Plan,
        finished: Vec<Finished<'p>>,
        now: Time,
    ) -> Result<Vec<Finished<'p>>> {
        let mut all: HashMap<&Serial, Finished> =
            finished.into_iter().map(|done| (&done.item.serial, done)).collect();
        let signed = home.journal.ledger().unreleased().map(|(_, record)| record);
        let left =
            signed.filter(|record| self.item(record).is_some_and(|item| !all.contains_key(&item.serial)));
        let left: Vec<_> = left.collect();
        let left = left.par_iter().filter_map(|record| self.finish(home, record, now).transpose());
        let left = left.collect::<Result<Vec<_>>>()?;
        all.extend(left.into_iter().map(|done| (&done.item.serial, done)));
        Ok(plan.items.iter().filter_map(|item| all.remove(&item.serial)).collect())
    }

    /// What the plan releases once more, from what is filed.
    pub fn finish_again(&self, home: &Home, plan: &'p Plan, now: Time) -> Result<Vec<Finished<'p>>> {
        let items = plan.repeat.as_ref().map_or(&[][..], |repeat| &repeat.items);
        let again = items.par_iter().map(|item| {
            let der = home.issued(&item.serial)?.ok_or_else(|| {
                let message = format!("issued/{}.pem: is on record and not there", item.serial);
                Error::integrity("home.issued", message)
                    .next("`anchorite audit restore` writes it again from the journal")
            })?;
            let tbs = Tbs::recorded(item.tbs.0.clone(), self.root.signature);
            let verified = verify::verify(&tbs, &der, CertificateKind::Intermediate, &self.root, now);
            let certificate = verified.map_err(|e| {
                let message = format!("issued/{}.pem: is not the certificate on record ({e})", item.serial);
                Error::integrity("home.issued", message)
                    .next("stop the ceremony: the file was edited; `anchorite audit verify` says more")
            })?;
            Ok(Finished { again: true, ..self.lay_out(home, item, certificate, now)? })
        });
        again.collect()
    }

    /// The certificate of a signature on record; none where it is not one of the plan's items.
    pub fn finish(&self, home: &Home, record: &IntentRecord, now: Time) -> Result<Option<Finished<'p>>> {
        let Some(item) = self.item(record) else { return Ok(None) };
        let tbs = Tbs::recorded(record.message.clone(), record.algorithm);
        let der = tbs.assemble(record.signature.as_deref().unwrap_or_default())?;
        let verified = verify::verify(&tbs, &der, CertificateKind::Intermediate, &self.root, now);
        if verified.is_err() {
            home.quarantine([(&item.serial, &der[..])].into_iter())?;
        }
        self.lay_out(home, item, verified.map_err(|e| e.at(&item.file))?, now).map(Some)
    }

    fn lay_out(
        &self,
        home: &Home,
        item: &'p Item,
        certificate: Verified<verify::Certificate>,
        now: Time,
    ) -> Result<Finished<'p>> {
        let folder = self.origin.lay_out(&member(home, item, &certificate.get().der)?)?;
        let looked = Looked::at(&folder, &self.noted, now, &Verifier);
        Ok(Finished { item, certificate, laid: folder.laid, looked, again: false })
    }

    fn item(&self, record: &IntentRecord) -> Option<&'p Item> {
        let of_plan = record.plan == Some(self.origin.plan) && record.signature.is_some();
        self.items.get(&record.message[..]).copied().filter(|_| of_plan)
    }

    /// The clusters' files, made again as they are written: the very bytes that were looked at.
    fn files<'a>(
        &'a self,
        home: &'a Home,
        clusters: &'a [Entry],
        verified: &'a [(&Item, Verified<verify::Certificate>)],
    ) -> impl Iterator<Item = Result<(String, Vec<u8>)>> + 'a {
        let again = move |(item, certificate): &(&Item, Verified<verify::Certificate>)| {
            let folder = self.origin.lay_out(&member(home, item, &certificate.get().der)?)?;
            let entry = clusters.binary_search_by(|entry| entry.name.cmp(&item.cluster)).ok();
            if entry.and_then(|place| clusters.get(place)) == Some(&folder.laid.entry) {
                return Ok(folder);
            }
            let message =
                format!("{}/: comes out in other bytes than those that were looked at", item.cluster);
            Err(Error::integrity("release.self-check", message)
                .next("what was signed is on record and can be released later"))
        };
        verified.chunks(AT_A_TIME).flat_map(move |some| {
            match some.par_iter().map(again).collect::<Result<Vec<_>>>() {
                Ok(folders) => {
                    folders.into_iter().flat_map(ClusterFolder::into_files).map(Ok).collect::<Vec<_>>()
                }
                Err(error) => vec![Err(error)],
            }
        })
    }
}

/// Makes sure that what a plan releases once more can be, before anybody is asked.
pub fn check_again(home: &Home, plan: &Plan, name: &str, now: Time) -> Result<()> {
    let finisher = Finisher::new(home, plan, plan.digest()?, name)?;
    finisher.finish_again(home, plan, now).map(drop)
}

impl Session<'_> {
    /// Seals the journal, lays the release out with its copy, signs the sums, checks
    /// the whole as anybody would, writes it, reads it back, and puts it on record.
    pub(super) fn release(
        &mut self,
        plan: &Plan,
        finisher: &Finisher<'_>,
        finished: Vec<Finished<'_>>,
        journal_key: &Key,
        output: Output,
    ) -> Result<(PathBuf, Crls)> {
        self.seal_lines(journal_key, None)?;
        self.home.keep_head()?;
        let now = self.now();
        let journal_certificate = self.home.journal_certificate()?;
        finisher.check_trusted(self.home)?;
        let crls = self.fleet_crls(&finished)?;
        let cross = self.cross_certificate(plan)?;
        let (mut verified, mut clusters, mut looked) = (Vec::new(), Vec::new(), Vec::new());
        let new: Vec<&Serial> =
            finished.iter().filter(|done| !done.again).map(|done| &done.item.serial).collect();
        for done in finished {
            verified.push((done.item, done.certificate));
            clusters.push(done.laid);
            looked.push(done.looked);
        }
        let input = ReleaseInput {
            origin: &finisher.origin,
            created: now,
            journal_certificate: &journal_certificate,
            journal: self.home.journal.copy()?,
            crls: &crls,
            cross: cross.as_deref(),
            stage: stage(self.ledger().course()),
            repeats: plan.repeat.as_ref().map(|repeat| repeat.plan),
        };
        let prepared = release::prepare(input, clusters)?;

        let digest = finisher.origin.plan;
        let commitment = self.home.journal.next_commitment().unwrap_or(GENESIS);
        let attributes = cms::attributes(prepared.sums(), &digest, &commitment, now)?;
        let permit = self.home.journal.intend_release(now, digest, attributes.clone())?;
        let intent = permit.intent();
        let event = self.sign(journal_key, permit)?;
        let signature = match &event {
            Event::Signed { signature, .. } => signature.0.clone(),
            _ => Vec::new(),
        };
        self.home.journal.append(self.now(), vec![event])?;
        let p7s = cms::assemble(&attributes, &signature, &journal_certificate)?;
        verify_detached(&p7s, prepared.sums(), &journal_certificate, &finisher.root.der)?;

        let sums = Digest::of(prepared.sums());
        let LaidOut { top, clusters } = self.check_as_anybody(prepared.finish(p7s), looked, finisher)?;
        let files = finisher.files(self.home, &clusters, &verified);
        let folder = output.write(files.chain(top.into_iter().map(Ok)), MANIFEST)?;
        self.home.leave_quarantine(new.into_iter())?;
        let name = finisher.origin.name.clone();
        self.home.journal.released(self.now(), intent, digest, name, sums)?;
        self.close(journal_key)?;
        Ok((folder, crls))
    }

    /// The very check that `anchorite verify` makes, before anything is written.
    fn check_as_anybody(
        &self,
        release: LaidOut,
        looked: Vec<Looked>,
        finisher: &Finisher<'_>,
    ) -> Result<LaidOut> {
        let Finisher { noted, origin, .. } = finisher;
        let report =
            release::check_laid_out(&release, looked, noted, origin.rehearsal, self.now(), &Verifier);
        match report.worst() {
            Some(error) => Err(Error::integrity(
                "release.self-check",
                format!("the release does not pass its own check: {error}"),
            )
            .next("nothing was written; the signatures are on record and can be released later")),
            None => Ok(release),
        }
    }
}

fn member<'f>(home: &Home, item: &Item, certificate: &'f [u8]) -> Result<Member<'f>> {
    let profile = home.policies.profiles().get(&item.policy).ok_or_else(|| {
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

fn stage(course: &RootCourse) -> Option<&'static str> {
    course.rollover.as_ref().map(|rollover| rollover.stage.name())
}
