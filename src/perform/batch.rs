//! Signing a plan: in groups, each with one fsync before and one after.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::release::{Finished, Finisher};
use super::{Progress, Session, World, lanes, not_before_last, note, typed};
use crate::error::{Error, Kind, Result};
use crate::home::Home;
use crate::journal::{
    Bytes, CertificateIntent, CrlRecord, Event, IntentRecord, KeyRole, Ledger, Permit, PlanState, Purpose,
    RefusedRequest,
};
use crate::lint::Linted;
use crate::media::write::{Output, READ_BACK};
use crate::plan::{Item, Plan, Prepared};
use crate::release::ClusterList;
use crate::token::{Key, TokenInfo};
use crate::x509::{CrlSpec, Digest, Status, Tbs, Time};

/// How many intents share an fsync. A crash burns the serials of three groups at most:
/// one whose signatures were not recorded yet, one being signed, one to come.
const GROUP: usize = 32;
/// How many certificates are worth a session of the token's for themselves.
const A_LANE: usize = 16;

/// How many to put on record at once. Where people or a YubiKey are waited for in between,
/// each signature is on record before the next: such a wait can end in any way.
fn group(home: &Home, token: &TokenInfo, key: &Key) -> usize {
    let waits = home.config.token.retype_pin || key.always_authenticate || token.uri.starts_with("piv:");
    if waits { 1 } else { GROUP }
}

/// What a performed plan came to.
#[derive(Debug)]
pub struct Outcome<'p> {
    /// The release's folder.
    pub folder: PathBuf,
    /// What was released, in the plan's order.
    pub released: Vec<&'p Item>,
    /// Items whose serials a crash burnt: they need a new plan.
    pub burnt: Vec<&'p Item>,
    /// Whether a crash burnt the number of the plan's CRL.
    pub crl_burnt: bool,
    /// The root's last CRL, which the release holds.
    pub crl: Option<CrlRecord>,
    /// How many intermediates' CRLs stand behind it in the fleet's set; none where there is no set.
    pub set: Option<usize>,
    /// The clusters for whose want there is none.
    pub lacking: ClusterList,
}

/// What is to be signed for a plan, prepared.
#[derive(Debug)]
pub struct Fresh<'p> {
    /// Certificates.
    pub items: Vec<Prepared<'p>>,
    /// The root's CRL.
    pub crl: Option<Linted<Tbs>>,
    /// The cross-certificate.
    pub cross: Option<Linted<Tbs>>,
}

/// A plan's items by how far they came before.
pub struct Remaining<'p> {
    /// Not on record yet: to be signed.
    pub fresh: Vec<&'p Item>,
    /// Signed, not released.
    pub signed: Vec<&'p Item>,
    /// Burnt by a crash.
    pub burnt: Vec<&'p Item>,
    /// The root's CRL.
    pub crl: Came,
    /// The cross-certificate.
    pub cross: Came,
}

/// How far a plan's CRL or cross-certificate came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The plan has none.
    Absent,
    /// Not on record yet: to be signed.
    Fresh,
    /// Signed, not released.
    Signed,
    /// Its number was burnt by a crash.
    Burnt,
    /// It is out with another release, or a later one is signed, and lists all that this one would.
    Overtaken,
}

impl<'p> Remaining<'p> {
    /// Sorts the items of a plan, which has this digest; refuses one that was spent.
    pub fn of(plan: &'p Plan, digest: Digest, ledger: &Ledger) -> Result<Self> {
        if ledger.plan(&digest)? == Some(PlanState::Finished) {
            return Err(Error::refused(
                "plan.spent",
                format!("plan {digest} was performed and released before"),
            )
            .next(
                "a plan is spent by its first use: make a new one; --again releases what it signed once more",
            ));
        }
        let begun = ledger.plan(&digest)?.is_some();
        let signed = signed_of(&digest, ledger);
        let crl = match &plan.crl {
            None => Came::Absent,
            Some(tbs) if signed.contains_key(&tbs.0[..]) => Came::Signed,
            Some(tbs) => Self::of_crl(plan, begun, CrlSpec::from_tbs(&tbs.0)?.number, ledger),
        };
        let cross = match &plan.cross {
            None => Came::Absent,
            Some(cross) if signed.contains_key(&cross.tbs.0[..]) => Came::Signed,
            Some(cross) if ledger.by_serial(&cross.serial)?.is_none() => Came::Fresh,
            Some(_) => Came::Burnt,
        };
        let mut remaining = Self { fresh: Vec::new(), signed: Vec::new(), burnt: Vec::new(), crl, cross };
        for item in &plan.items {
            let place = match ledger.by_serial(&item.serial)?.map(|c| c.status) {
                None => &mut remaining.fresh,
                Some(Status::Signed) if signed.contains_key(&item.tbs.0[..]) => &mut remaining.signed,
                Some(Status::Open | Status::Burnt) if begun => &mut remaining.burnt,
                // What another plan was granted must not leave under this one's words.
                Some(_) => {
                    return Err(Error::refused(
                        "plan.serial-used",
                        format!("{}: serial {} was used by another plan", item.file, item.serial),
                    )
                    .next("make the plan anew; if it was made here, someone altered it"));
                }
            };
            place.push(item);
        }
        Ok(remaining)
    }

    /// A plan's CRL that is not signed for this plan alone, by its number.
    fn of_crl(plan: &Plan, begun: bool, number: u64, ledger: &Ledger) -> Came {
        let out = ledger.crl().is_some_and(|last| last.number >= number);
        match begun {
            _ if number >= ledger.next_crl_number() => Came::Fresh,
            true if out => Came::Overtaken,
            true => Came::Burnt,
            false if plan.revocations.is_empty() => Came::Overtaken,
            // What it revokes is on no CRL yet: it is refused when it is prepared.
            false => Came::Fresh,
        }
    }

    /// Whether nothing is left of the plan to be signed or released.
    pub fn is_nothing(&self, plan: &Plan) -> bool {
        let left = |came| matches!(came, Came::Fresh | Came::Signed);
        let nothing = self.fresh.is_empty() && self.signed.is_empty();
        let other = plan.course.is_some() || plan.repeat.is_some();
        nothing && !left(self.crl) && !left(self.cross) && !other
    }
}

/// What was signed for a plan and is not released, by the bytes that were signed.
fn signed_of<'l>(plan: &Digest, ledger: &'l Ledger) -> HashMap<&'l [u8], &'l IntentRecord> {
    let of_plan = ledger.unreleased().filter(|(_, record)| record.plan == Some(*plan));
    of_plan.map(|(_, record)| (&record.message[..], record)).collect()
}

impl Session<'_> {
    /// Performs a plan: puts revocations on record, signs what is fresh, verifies
    /// everything, writes the release. `fresh` comes from [`Session::prepare`] and answers
    /// [`Remaining`].
    pub fn perform<'p>(&mut self, plan: &'p Plan, fresh: Fresh<'p>, output: Output) -> Result<Outcome<'p>> {
        let Fresh { items: fresh, crl, cross } = fresh;
        let bytes = plan.to_bytes()?;
        let digest = Digest::of(&bytes);
        if self.confirmed != Some(digest) {
            return Err(Error::integrity("plan.not-confirmed", "plan: it is not the one that was confirmed"));
        }
        let remaining = Remaining::of(plan, digest, self.home.journal.ledger())?;
        let as_planned = |came, tbs: &Option<Linted<Tbs>>| tbs.is_some() == (came == Came::Fresh);
        let others = as_planned(remaining.crl, &crl) && as_planned(remaining.cross, &cross);
        if fresh.iter().map(|p| p.item).ne(remaining.fresh.iter().copied()) || !others {
            return Err(Error::integrity(
                "plan.items",
                "the prepared items are not the plan's remaining ones",
            ));
        }
        let finisher = Finisher::new(self.home, plan, digest, output.name())?;
        let root_key = self.key(KeyRole::Root)?;
        let journal_key = self.key(KeyRole::Journal)?;
        let kept = self.home.keep_plan(&digest, &bytes)?;
        drop(bytes);
        let begun = self.home.journal.ledger().plan(&digest)?;
        let begun = if begun.is_none() {
            begin_events(self.home, plan, digest)?
        } else {
            super::crl::recorded_events(self.home.journal.ledger(), plan, digest)
        };
        let before = usize::from(crl.is_some()) + usize::from(cross.is_some());
        let first = [(Purpose::Crl, crl), (Purpose::CrossCertificate, cross)];
        let released = self
            .sign_first(begun, first, digest, &root_key)
            .and_then(|begun| self.sign_fresh(digest, begun, (before, fresh), &root_key, &finisher))
            .and_then(|finished| {
                self.file_crls(plan)?;
                let mut finished = finisher.finish_others(self.home, plan, finished, self.now())?;
                self.home.quarantine(finished.iter().map(Finished::filed))?;
                finished.extend(finisher.finish_again(self.home, plan, self.now())?);
                let released = finished.iter().map(|f| f.item).collect();
                let (folder, crls) = self.release(plan, &finisher, finished, &journal_key, output)?;
                Ok((folder, crls, released))
            });
        let (folder, crls, released) =
            released.map_err(|e| match self.home.journal.ledger().plan(&digest) {
                Ok(Some(PlanState::Finished)) => already_out(e),
                _ => take_up_again(e, &kept, signed_of(&digest, self.home.journal.ledger()).is_empty()),
            })?;
        let crl = self.ledger().crl().cloned();
        Ok(Outcome {
            folder,
            released,
            burnt: remaining.burnt,
            crl_burnt: remaining.crl == Came::Burnt,
            set: crl.is_some().then_some(crls.intermediates.len()).filter(|_| crls.lacking.count == 0),
            crl,
            lacking: crls.lacking,
        })
    }

    /// Signs in groups. While the token is busy with one, the signatures of the group
    /// before it and the intents of the one after it go on record, in one flush, and the
    /// certificates of the one before it are finished. Of each group the token knows before
    /// it signs.
    fn sign_fresh<'p>(
        &mut self,
        plan: Digest,
        begun: Vec<Event>,
        (before, fresh): (usize, Vec<Prepared<'p>>),
        key: &Key,
        finisher: &Finisher<'p>,
    ) -> Result<Vec<Finished<'p>>> {
        let total = fresh.len();
        let most = self.world.lanes.min(total.div_ceil(A_LANE)).max(1);
        let token = self.token.info().uri.clone();
        let group = group(self.home, self.token.info(), key);
        let retype = self.home.config.token.retype_pin;
        let stop = self.world.stop;
        let mut fresh = fresh.into_iter().map(|p| intent(plan, p));
        let mut next_group = || fresh.by_ref().take(group).collect::<Vec<_>>();
        let mut record =
            Record { home: self.home, world: &self.world, progress: Progress { done: 0, total } };

        let mut finished = Vec::new();
        let mut permits = record.put(begun, next_group())?;
        let (mut signed, mut asked) = (Vec::new(), before);
        while !permits.is_empty() {
            let last = std::mem::take(&mut signed);
            let place = (asked, before + total);
            asked += permits.len();
            let lanes = note(record.home, self.token).and_then(|()| match retype {
                true => Ok(vec![typed::signer(record.home, self.token, &self.world, place)]),
                false => self.token.signers(most),
            });
            let mut lanes = match lanes {
                Ok(lanes) => lanes,
                Err(error) => {
                    record.put(last, Vec::new())?;
                    record.home.journal.withdraw(record.now(), permits)?;
                    return Err(error);
                }
            };
            let (group, (following, done)) = lanes::sign(&mut lanes, key, permits, stop, || {
                let made = intents_of(&last);
                let following = record.put(last, next_group());
                (following, record.finish(&made, finisher))
            });
            // Where this failed, nothing more can be recorded: what was signed counts as
            // issued by its intent.
            let following = following?;
            signed = group.events;
            let of_token = |e: Error| if e.kind == Kind::Integrity { e.at(&token) } else { e };
            let result = group.result.map_err(of_token).and(done).map(|done| finished.extend(done));
            if let Err(error) = result {
                record.put(signed, Vec::new())?;
                let unused = group.unused.into_iter().chain(following).collect();
                record.home.journal.withdraw(record.now(), unused)?;
                return Err(error);
            }
            permits = following;
        }
        record.put(signed, Vec::new())?;
        Ok(finished)
    }
}

/// Puts on record what comes of a batch, and tells how far it is.
struct Record<'r, 'w> {
    home: &'r mut Home,
    world: &'r World<'w>,
    progress: Progress,
}

impl Record<'_, '_> {
    fn now(&self) -> Time {
        not_before_last(self.home, (self.world.clock)())
    }

    fn put(&mut self, signed: Vec<Event>, intents: Vec<CertificateIntent>) -> Result<Vec<Permit>> {
        self.progress.done += signed.iter().filter(|event| matches!(event, Event::Signed { .. })).count();
        (self.world.progress)(self.progress);
        let now = self.now();
        self.home.journal.intend(now, signed, intents)
    }

    /// The certificates of these intents, which are signed and on record.
    fn finish<'p>(&self, intents: &[u64], finisher: &Finisher<'p>) -> Result<Vec<Finished<'p>>> {
        let (home, now) = (&*self.home, self.now());
        let records = intents.par_iter().filter_map(|intent| home.journal.ledger().unreleased_by(*intent));
        records.filter_map(|record| finisher.finish(home, record, now).transpose()).collect()
    }
}

fn intents_of(events: &[Event]) -> Vec<u64> {
    let intent = |event: &Event| match event {
        Event::Signed { intent, .. } => Some(*intent),
        _ => None,
    };
    events.iter().filter_map(intent).collect()
}

/// What was signed is on record: a full stick or an interrupt costs nothing.
fn take_up_again(error: Error, plan: &Path, nothing_yet: bool) -> Error {
    // Of what stops a ceremony, only a bad stick leaves the plan as good as it was.
    if error.kind == Kind::Integrity && error.id != READ_BACK {
        return error;
    }
    let again = format!(
        "{}: `anchorite perform {} --to DIR` takes it up again",
        if nothing_yet {
            "nothing of it was signed, the plan is on record"
        } else {
            "what was signed is on record"
        },
        crate::text::shown(&plan.display().to_string())
    );
    let next = if error.next.is_empty() { again } else { format!("{}; {again}", error.next) };
    error.next(next)
}

/// What fails after the release spoils nothing of it.
fn already_out(error: Error) -> Error {
    let out = "the release is written and on record; what is not sealed of that, the next session seals";
    let next = if error.next.is_empty() { out.into() } else { format!("{}; {out}", error.next) };
    error.next(next)
}

/// The plan, and what it does that takes no signature of its own: on record before
/// anything is signed.
fn begin_events(home: &Home, plan: &Plan, digest: Digest) -> Result<Vec<Event>> {
    let refused = plan
        .refused
        .iter()
        .map(|r| RefusedRequest {
            file: r.file.clone(),
            digest: r.digest,
            rules: r.by.iter().map(|b| b.rule.clone()).collect(),
        })
        .collect();
    let mut events = vec![Event::Plan { digest, grants: plan.signatures() as u64, refused }];
    events.extend(super::crl::recorded_events(home.journal.ledger(), plan, digest));
    for later in &plan.later_crls {
        let certificate = home.issued(&later.certificate)?.ok_or_else(|| super::crl::not_issued(later))?;
        let (certificate, crl) = (Bytes(certificate), later.crl.clone());
        events.push(Event::ClusterCrl { plan: digest, certificate, crl });
    }
    Ok(events)
}

fn intent(plan: Digest, prepared: Prepared<'_>) -> CertificateIntent {
    CertificateIntent {
        purpose: Purpose::Intermediate,
        tbs: prepared.tbs,
        plan: Some(plan),
        request: Some(prepared.request),
        cluster: Some(prepared.item.cluster.clone()),
        policy: Some(prepared.item.policy.clone()),
        crl: prepared.item.crl.clone(),
    }
}
