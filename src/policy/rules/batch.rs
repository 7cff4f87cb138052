//! What the requests of one run must not do to each other.

use super::{Check, RuleInfo, files};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::text::shown;

pub(super) const DUPLICATE: RuleInfo = RuleInfo::new(
    "batch.duplicate",
    "a request comes once in a run",
    "RFC 3647 §4.4.2",
    Check::Always(duplicate),
);

// The first of the copies stays: whichever it is, the certificate is the same.
fn duplicate(case: &Case<'_>) -> Finding {
    match case.copy_of {
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

// All of them are refused: no file's name may decide whose key a cluster gets.
fn cluster_twice(case: &Case<'_>) -> Finding {
    let cluster = case.identity.cluster.unwrap_or_default();
    let others = case.others_of_cluster(cluster);
    if others.is_empty() {
        return CLUSTER_TWICE.finding(Outcome::Pass, "no other request of it", "one request");
    }
    CLUSTER_TWICE.finding(
        Outcome::Refused,
        format!("cluster {} in {}, too", shown(cluster), files(&others)),
        "one request of the cluster alone on the stick",
    )
}
