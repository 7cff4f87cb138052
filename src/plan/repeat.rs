//! What a plan released, to be released once more: a stick was lost, or did not arrive.

use serde::{Deserialize, Serialize};

use super::{Item, Plan};
use crate::error::{Error, Result};
use crate::journal::{Ledger, PlanState};
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Status, Time};

/// Certificates of an earlier plan that a release holds once more. Nothing of them is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// Digest of the plan whose release is repeated: the one that they were signed for, or
    /// itself a repeat.
    pub plan: Digest,
    /// Its items, as they stand there.
    pub items: Vec<Item>,
}

impl Repeat {
    /// Of a plan that was released all that may go out again, and what may not, with the reason.
    pub fn of<'p>(
        before: &'p Plan,
        ledger: &Ledger,
        now: Time,
    ) -> Result<(Self, Vec<(&'p Item, &'static str)>)> {
        let digest = before.digest()?;
        let next = match ledger.plan(&digest)? {
            Some(PlanState::Finished) => None,
            Some(PlanState::Begun) => Some("perform it without --again: it is taken up where it broke off"),
            None => Some("perform it without --again; or was it made in another home?"),
        };
        if let Some(next) = next {
            let message = format!("plan {digest} was not released, so there is nothing to release again");
            return Err(Error::refused("plan.not-released", message).next(next));
        }
        let (mut repeat, mut left) = (Self { plan: digest, items: Vec::new() }, Vec::new());
        for item in before.folders() {
            match barred(item, ledger, now)? {
                None => repeat.items.push(item.clone()),
                Some(why) => left.push((item, why)),
            }
        }
        if repeat.items.is_empty() {
            let each = left.iter().map(|(item, why)| format!("{} {why}", item.cluster));
            let each = each.collect::<Vec<_>>().join(", ");
            let why = if each.is_empty() { "it holds no cluster's certificate".into() } else { each };
            return Err(Error::refused("plan.nothing", format!("nothing of it may be released again: {why}"))
                .next("clusters whose certificates are revoked or over need new requests; `anchorite crl --to DIR` releases the trust bundle and the CRLs alone"));
        }
        Ok((repeat, left))
    }

    /// The same again when it is performed: today's record may know better.
    pub(super) fn check(&self, ledger: &Ledger, today: Time) -> Result<()> {
        let refused = |what: String| {
            Err(Error::refused("plan.differs", format!("plan: {what}"))
                .next("make it anew: `anchorite perform PLAN --again --to DIR`"))
        };
        if ledger.plan(&self.plan)? != Some(PlanState::Finished) {
            return refused(format!("it repeats plan {}, which was not released here", self.plan));
        }
        for item in &self.items {
            if let Some(why) = barred(item, ledger, today)? {
                return refused(format!("the certificate of {} {why}", item.cluster));
            }
        }
        Ok(())
    }
}

/// What stands against releasing an item's certificate once more.
fn barred(item: &Item, ledger: &Ledger, now: Time) -> Result<Option<&'static str>> {
    let issued = ledger.by_serial(&item.serial)?;
    let Some(issued) = issued.filter(|it| it.status == Status::Released) else {
        return Ok(Some("was not released"));
    };
    let facts = Facts::from_tbs(&item.tbs.0)?;
    let same = facts.serial == item.serial
        && facts.key == issued.key
        && facts.subject == issued.subject
        && issued.cluster.as_ref() == Some(&item.cluster);
    Ok(match () {
        () if !same => Some("is on record as another one"),
        () if issued.revoked.is_some() => Some("is revoked"),
        () if issued.not_after <= now => Some("has ended"),
        () => None,
    })
}
