//! What the requests of one run must not do to each other.

use super::{Check, RuleInfo};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::text::shown;

pub(super) const DUPLICATE: RuleInfo = RuleInfo::new(
    "batch.duplicate",
    "a request comes once in a run",
    "RFC 3647 §4.4.2",
    Check::Always(duplicate),
);

fn duplicate(case: &Case<'_>) -> Finding {
    match case.earlier.digest(&case.request.digest) {
        None => DUPLICATE.finding(Outcome::Pass, "a new request", "no other file with the same request"),
        Some(file) => DUPLICATE.finding(
            Outcome::Refused,
            format!("the request of {file} once more"),
            "one of the two files alone on the stick",
        ),
    }
}

pub(super) const CLUSTER_TWICE: RuleInfo = RuleInfo::new(
    "batch.cluster-twice",
    "a cluster gets one certificate in a run",
    "RFC 3647 §4.4.2",
    Check::Always(cluster_twice),
);

fn cluster_twice(case: &Case<'_>) -> Finding {
    let cluster = case.identity.cluster.unwrap_or_default();
    match case.earlier.cluster(cluster) {
        None => CLUSTER_TWICE.finding(Outcome::Pass, "none granted before", "one at most"),
        Some(file) => CLUSTER_TWICE.finding(
            Outcome::Refused,
            format!("cluster {} granted to {file} already", shown(cluster)),
            "one request of the cluster alone on the stick",
        ),
    }
}
