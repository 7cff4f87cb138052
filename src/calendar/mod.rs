//! The fleet's calendar: what ends when, and by when somebody has to act. Pure.
//!
//! It is made from the record alone. What is said of a moment (what is overdue, what is
//! wrong) is in [`Calendar::matters`] and its columns of days; what is written to files,
//! [`ical`] and [`prometheus`], holds absolute times and stays true while nobody signs.

mod dates;
mod ical;
mod prometheus;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

pub use self::dates::{Date, days, renew_by, renew_root_by};
pub use self::ical::{ICAL_START, ical};
pub use self::prometheus::{PROMETHEUS_START, prometheus};

use crate::error::Result;
use crate::journal::{CrlRecord, Ledger, Purpose, Rollover, Stage};
use crate::policy::CrlConfig;
use crate::x509::{Issued, Issuer, OwnCrl, Reason, Seconds, Serial, Status, Time};

/// Everything that ends.
#[derive(Debug, Clone, Serialize)]
pub struct Calendar {
    /// The moment it is looked at from.
    pub at: Time,
    /// The home's random name.
    pub home: String,
    /// Whether it is a rehearsal's.
    pub rehearsal: bool,
    /// Lines of the journal.
    pub entries: u64,
    /// When the last of them was written.
    pub recorded: Time,
    /// The clusters' certificates that are alive, what comes first at the head.
    pub intermediates: Vec<Intermediate>,
    /// Registered clusters that had a certificate and have none in force.
    pub without: Vec<Without>,
    /// The root.
    pub root: Own,
    /// Whether it signs nothing any more: then it has no date by which anybody has to act.
    pub retired: bool,
    /// A change of roots that is under way.
    pub rollover: Option<Change>,
    /// The journal key's certificate, where it ends at another time.
    pub journal: Option<Own>,
    /// The root's last CRL.
    pub crl: Option<RootCrl>,
    /// What is revoked and on no CRL yet.
    pub unlisted: Vec<Serial>,
    /// What a fleet loads.
    pub set: FleetSet,
    /// What an earlier run left open, a sentence each.
    pub open: Vec<String>,
}

/// A cluster's certificate.
#[derive(Debug, Clone, Serialize)]
pub struct Intermediate {
    /// The cluster.
    pub cluster: String,
    /// The policy that the register names for it.
    pub policy: Option<String>,
    /// Its serial number.
    pub serial: Serial,
    /// Its subject.
    pub subject: String,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// Whole days until then.
    pub days_left: i64,
    /// The last good day for the ceremony that renews it; none where that was done, or it is revoked.
    pub renew_by: Option<Time>,
    /// The certificate that took its place.
    pub replaced_by: Option<Serial>,
    /// Where it is revoked.
    pub revoked: Option<Revoked>,
    /// The CRL that its own key signed.
    pub crl: Option<ItsCrl>,
}

/// That a certificate is revoked.
#[derive(Debug, Clone, Serialize)]
pub struct Revoked {
    /// Since when.
    pub since: Time,
    /// Why.
    pub reason: Reason,
    /// Whether a CRL lists it.
    pub listed: bool,
}

/// An intermediate's own CRL.
#[derive(Debug, Clone, Serialize)]
pub struct ItsCrl {
    /// cRLNumber
    pub number: u64,
    /// nextUpdate
    pub next_update: Time,
    /// The last good day to fetch another; none where it outlasts the certificate or nobody needs it.
    pub renew_by: Option<Time>,
}

/// A cluster that has nothing in force.
#[derive(Debug, Clone, Serialize)]
pub struct Without {
    /// The cluster.
    pub cluster: String,
    /// Its last certificate.
    pub serial: Serial,
    /// When that ended, or will.
    pub not_after: Time,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A certificate of the home's own.
#[derive(Debug, Clone, Serialize)]
pub struct Own {
    /// Its subject.
    pub subject: String,
    /// Its serial number.
    pub serial: Serial,
    /// Last second of validity.
    pub not_after: Time,
    /// Whole days until then.
    pub days_left: i64,
    /// The last good day for what has to follow it.
    pub renew_by: Time,
}

/// A change of roots.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What trust bundles hold.
    pub stage: Stage,
    /// Whether every cluster has it.
    pub reached: bool,
    /// Until when both are to be trusted, at the latest.
    pub until: Time,
}

/// The root's CRL.
#[derive(Debug, Clone, Serialize)]
pub struct RootCrl {
    /// cRLNumber
    pub number: u64,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate
    pub next_update: Time,
    /// Whole days until then.
    pub days_left: i64,
    /// The last good day to sign the next one.
    pub renew_by: Time,
    /// How many certificates it lists.
    pub entries: u64,
}

/// The root's CRL and one of each intermediate: whole, or not there.
#[derive(Debug, Clone, Serialize)]
pub struct FleetSet {
    /// Whether there is one.
    pub complete: bool,
    /// How many CRLs of intermediates it holds, or would.
    pub intermediates: u64,
    /// The first nextUpdate of all.
    pub next_update: Option<Time>,
    /// The clusters whose CRL is missing, each with the certificate's serial number.
    pub lacking: Vec<(String, Serial)>,
}

/// What the record does not say.
#[derive(Debug)]
pub struct View<'a> {
    /// The moment it is looked at from.
    pub at: Time,
    /// How long CRLs hold and ways take.
    pub config: &'a CrlConfig,
    /// The register: clusters, each with its policy.
    pub registered: BTreeMap<String, String>,
    /// What an earlier run left open.
    pub open: Vec<String>,
}

impl Calendar {
    /// What the record adds up to, seen from a moment.
    pub fn of(ledger: &Ledger, root: &Issuer, view: View<'_>) -> Result<Self> {
        let (at, config) = (view.at, view.config);
        let alive = ledger.alive(at)?;
        let longest = alive.iter().map(|c| c.not_after - c.not_before).max().unwrap_or(Seconds(0));
        let own = |subject: String, serial: Serial, not_before: Time, not_after: Time| Own {
            subject,
            serial,
            not_after,
            days_left: days(at, not_after),
            renew_by: renew_root_by(not_before, not_after, longest, config),
        };
        let journal = ledger.own_certificate(Purpose::JournalCertificate);
        let journal = journal.and_then(|it| it.certificate.as_ref());
        let journal = journal.map(|serial| ledger.by_serial(serial)).transpose()?.flatten();
        let journal = journal.filter(|issued| issued.not_after != root.not_after);
        let crl = ledger.crl().map(|crl| root_crl(crl, at, config));
        let unlisted: Vec<Serial> = ledger.unlisted().iter().map(|it| it.serial.clone()).collect();
        let mut intermediates = intermediates(&alive, &unlisted, &view);
        let course = ledger.course();
        if course.retired {
            // Another root's home has them renewed.
            intermediates.iter_mut().for_each(|it| it.renew_by = None);
        }
        Ok(Self {
            at,
            home: ledger.home().into(),
            rehearsal: ledger.rehearsal(),
            entries: ledger.count(),
            recorded: ledger.last_time().unwrap_or(at),
            without: if course.retired { Vec::new() } else { without(ledger, &intermediates, &view)? },
            retired: course.retired,
            rollover: course.rollover.as_ref().map(change),
            set: fleet_set(crl.as_ref(), &intermediates),
            intermediates,
            root: own(root.subject.to_string(), root.serial.clone(), root.not_before, root.not_after),
            journal: journal.map(|it| own(it.subject.to_string(), it.serial, it.not_before, it.not_after)),
            crl,
            unlisted,
            open: view.open,
        })
    }
}

fn change(rollover: &Rollover) -> Change {
    Change { stage: rollover.stage, reached: rollover.reached, until: rollover.until }
}

fn root_crl(crl: &CrlRecord, at: Time, config: &CrlConfig) -> RootCrl {
    RootCrl {
        number: crl.number,
        this_update: crl.this_update,
        next_update: crl.next_update,
        days_left: days(at, crl.next_update),
        renew_by: crl.next_update.earlier(config.transport).max(crl.this_update),
        entries: crl.entries,
    }
}

/// Of a cluster's certificates the one that lasts longest is the one in use, or about to be.
fn intermediates(alive: &[Issued], unlisted: &[Serial], view: &View<'_>) -> Vec<Intermediate> {
    let rank = |c: &Issued| (c.not_after, c.not_before, c.serial.clone());
    let mut current: HashMap<&str, &Issued> = HashMap::new();
    for issued in alive.iter().filter(|c| c.revoked.is_none()) {
        let Some(cluster) = issued.cluster.as_deref() else { continue };
        let best = current.entry(cluster).or_insert(issued);
        if rank(issued) > rank(best) {
            *best = issued;
        }
    }
    let each = alive.iter().filter_map(|issued| {
        let cluster = issued.cluster.clone()?;
        let current = current.get(cluster.as_str()).map(|best| &best.serial);
        Some(intermediate(issued, cluster, current, unlisted, view))
    });
    let mut all: Vec<Intermediate> = each.collect();
    all.sort_by(|a, b| (a.first(), &a.cluster, &a.serial).cmp(&(b.first(), &b.cluster, &b.serial)));
    all
}

fn intermediate(
    issued: &Issued,
    cluster: String,
    current: Option<&Serial>,
    unlisted: &[Serial],
    view: &View<'_>,
) -> Intermediate {
    let transport = view.config.transport;
    let needed = issued.revoked.is_none();
    let is_current = needed && current == Some(&issued.serial);
    let its_crl = |crl: &OwnCrl| ItsCrl {
        number: crl.number,
        next_update: crl.next_update,
        // What is revoked is refused without it, too.
        renew_by: (needed && crl.next_update < issued.not_after)
            .then(|| crl.next_update.earlier(transport).max(issued.not_before)),
    };
    Intermediate {
        policy: view.registered.get(&cluster).cloned(),
        serial: issued.serial.clone(),
        subject: issued.subject.to_string(),
        not_before: issued.not_before,
        not_after: issued.not_after,
        days_left: days(view.at, issued.not_after),
        renew_by: is_current.then(|| renew_by(issued.not_before, issued.not_after, transport)),
        replaced_by: current.filter(|_| !is_current).cloned(),
        revoked: issued.revoked.as_ref().map(|it| Revoked {
            since: it.date,
            reason: it.reason,
            listed: !unlisted.contains(&issued.serial),
        }),
        crl: issued.crl.as_ref().map(its_crl),
        cluster,
    }
}

/// Certificates that are over are not listed: the register says who should have one.
fn without(ledger: &Ledger, alive: &[Intermediate], view: &View<'_>) -> Result<Vec<Without>> {
    let in_force: std::collections::HashSet<&str> =
        alive.iter().filter(|it| it.revoked.is_none()).map(|it| it.cluster.as_str()).collect();
    let mut without = Vec::new();
    for cluster in view.registered.keys().filter(|cluster| !in_force.contains(cluster.as_str())) {
        let had = ledger.by_cluster(cluster)?.into_iter().filter(|c| c.status == Status::Released);
        let last = had.max_by_key(|c| (c.revoked.is_none(), c.not_after));
        without.extend(last.map(|last| Without {
            cluster: cluster.clone(),
            serial: last.serial,
            not_after: last.not_after,
            revoked: last.revoked.is_some(),
        }));
    }
    Ok(without)
}

fn fleet_set(root: Option<&RootCrl>, intermediates: &[Intermediate]) -> FleetSet {
    let lacking = intermediates.iter().filter(|it| it.crl.is_none());
    let lacking: Vec<_> = lacking.map(|it| (it.cluster.clone(), it.serial.clone())).collect();
    let complete = root.is_some() && lacking.is_empty();
    // One that is revoked is refused by the root's CRL: when its own ends, nothing changes.
    let own = intermediates.iter().filter(|it| it.revoked.is_none()).filter_map(|it| it.crl.as_ref());
    let next_updates = own.map(|crl| crl.next_update).chain(root.map(|crl| crl.next_update));
    FleetSet {
        complete,
        intermediates: intermediates.len() as u64,
        next_update: next_updates.min().filter(|_| complete),
        lacking,
    }
}

#[cfg(test)]
mod tests;
