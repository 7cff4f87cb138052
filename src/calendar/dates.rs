//! The dates: by when somebody has to act, and what happens where nobody does.

use serde::Serialize;

use super::{Calendar, Intermediate, Own};
use crate::policy::CrlConfig;
use crate::x509::{Seconds, Time};

/// A date in the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Date {
    /// When.
    pub at: Time,
    /// What it is the date of; stays the same while only the time moves.
    pub key: String,
    /// Whether somebody has to have acted by then; else it is what happens at that moment.
    pub act: bool,
    /// What is to be done, or happens.
    pub what: String,
    /// Why, or what that means.
    pub why: String,
}

/// By when the ceremony has to be held that renews a certificate: at two thirds of its
/// life, or earlier where the way to the cluster takes longer than the last third; never
/// before half of it, or what lives shorter than that way would be overdue at once.
pub fn renew_by(not_before: Time, not_after: Time, transport: Seconds) -> Time {
    let life = not_after - not_before;
    let two_thirds = not_before + Seconds(life.0 / 3 * 2);
    two_thirds.min(not_after.earlier(transport)).max(half(not_before, life))
}

/// The same for the root: what it signs ends before it does, so its successor has to be
/// there while a whole intermediate still fits beneath it, also at the next ceremony.
pub fn renew_root_by(not_before: Time, not_after: Time, longest: Seconds, config: &CrlConfig) -> Time {
    let by = not_after.earlier(longest).earlier(config.needed());
    by.max(half(not_before, not_after - not_before))
}

fn half(not_before: Time, life: Seconds) -> Time {
    not_before + Seconds(life.0 / 2)
}

/// Whole days from one moment to another, negative where that is over.
pub fn days(at: Time, until: Time) -> i64 {
    let whole = |span: Seconds| i64::try_from(span.0 / Seconds::DAY.0).unwrap_or(i64::MAX);
    if until >= at { whole(until - at) } else { -whole(at - until) - 1 }
}

impl Intermediate {
    /// Its first date: when it has to be renewed, or its CRL, or that it ends.
    pub fn first(&self) -> Time {
        let crl = self.crl.as_ref().and_then(|crl| crl.renew_by);
        self.renew_by.into_iter().chain(crl).chain([self.not_after]).min().unwrap_or(self.not_after)
    }

    /// The first date by which somebody has to act.
    pub fn act_by(&self) -> Option<Time> {
        self.renew_by.into_iter().chain(self.crl.as_ref().and_then(|crl| crl.renew_by)).min()
    }

    fn dates(&self) -> Vec<Date> {
        let (cluster, serial) = (&self.cluster, &self.serial);
        let date =
            |at, key: &str, act, what, why| Date { at, key: format!("{key}-{serial}"), act, what, why };
        let of = format!("certificate {serial}, {}", self.subject);
        let mut dates = Vec::new();
        if let Some(by) = self.renew_by {
            let what = format!("renew the intermediate of {cluster}");
            let why = format!(
                "it ends at {}, and the new one has to be in the cluster before; {of}",
                self.not_after
            );
            dates.push(date(by, "renew", true, what, why));
            let what = format!("the intermediate of {cluster} ends");
            dates.push(date(
                self.not_after,
                "ends",
                false,
                what,
                format!("nothing beneath it is accepted any more; {of}"),
            ));
        }
        if let Some((crl, by)) = self.crl.as_ref().and_then(|crl| Some((crl, crl.renew_by?))) {
            let what = format!("take a new CRL of {cluster}'s to the fleet");
            let why = format!("CRL {} of its intermediate runs out at {}; {of}", crl.number, crl.next_update);
            dates.push(date(by, "renew-crl", true, what, why));
            let what = format!("the CRL of {cluster}'s intermediate runs out");
            let why = format!("under CRL checking its workloads are refused everywhere; {of}");
            dates.push(date(crl.next_update, "crl-ends", false, what, why));
        }
        dates
    }
}

impl Own {
    fn dates(&self, name: &str, key: &str, means: &str) -> [Date; 2] {
        let of = format!("certificate {}, {}", self.serial, self.subject);
        let to_do = Date {
            at: self.renew_by,
            key: format!("renew-{key}"),
            act: true,
            what: format!("renew or replace {name}"),
            why: format!("it ends at {}, and what it signs ends before it does; {of}", self.not_after),
        };
        let ends = Date {
            at: self.not_after,
            key: format!("{key}-ends"),
            act: false,
            what: format!("{name} ends"),
            why: format!("{means}; {of}"),
        };
        [to_do, ends]
    }
}

impl Calendar {
    /// Every date, in order.
    pub fn dates(&self) -> Vec<Date> {
        let mut dates: Vec<Date> = self.intermediates.iter().flat_map(Intermediate::dates).collect();
        dates.extend(self.root.dates("the root", "root", "nothing beneath it is accepted any more"));
        if let Some(journal) = &self.journal {
            let means = "no new release can be verified";
            dates.extend(journal.dates("the journal key's certificate", "journal", means));
        }
        if let Some(crl) = &self.crl {
            dates.push(Date {
                at: crl.renew_by,
                key: "renew-root-crl".into(),
                act: true,
                what: "sign the root's next CRL".into(),
                why: format!(
                    "CRL {} runs out at {}, and the next one has to be in every cluster before",
                    crl.number, crl.next_update
                ),
            });
            dates.push(Date {
                at: crl.next_update,
                key: "root-crl-ends".into(),
                act: false,
                what: "the root's CRL runs out".into(),
                why: format!(
                    "whoever checks CRLs strictly, as Envoy does, refuses every peer; it was CRL {}",
                    crl.number
                ),
            });
        }
        if let Some(change) = &self.rollover {
            dates.push(Date {
                at: change.until,
                key: "rollover".into(),
                act: true,
                what: "bring the change of roots to its end".into(),
                why: format!(
                    "both roots are trusted until then at the latest; it is at stage {}",
                    change.stage.name()
                ),
            });
        }
        dates.retain(|date| !(self.retired && date.act));
        dates.sort_by(|a, b| (a.at, !a.act, &a.key).cmp(&(b.at, !b.act, &b.key)));
        dates
    }

    /// The first date by which somebody has to act.
    pub fn next(&self) -> Option<Date> {
        self.dates().into_iter().find(|date| date.act)
    }

    /// What is not in order at this moment, a sentence each.
    pub fn matters(&self) -> Vec<String> {
        // That what a retired root signed ends is what it was retired for.
        let over = self.dates().into_iter().filter(|date| date.at < self.at && !self.retired);
        let mut matters: Vec<String> = over
            .map(|date| match date.act {
                true => format!("overdue since {}: {}: {}", date.at, date.what, date.why),
                false => format!("at {}: {}: {}", date.at, date.what, date.why),
            })
            .collect();
        for it in &self.without {
            let how = if it.revoked { "is revoked".into() } else { format!("ended at {}", it.not_after) };
            matters.push(format!(
                "{}: is registered and has no certificate in force: its last, {}, {how}",
                it.cluster, it.serial
            ));
        }
        for serial in &self.unlisted {
            matters
                .push(format!("{serial}: is revoked and on no CRL yet: `anchorite crl --to DIR` signs one"));
        }
        let revoked = self.intermediates.iter().filter(|it| it.revoked.is_some()).count();
        if revoked > 0 && !self.set.complete {
            matters.push(format!(
                "revoked and not over: {revoked}, and the fleet has no whole set of CRLs: Envoy cannot be given any, and still accepts them"
            ));
        }
        matters.extend(self.open.iter().cloned());
        matters
    }
}
