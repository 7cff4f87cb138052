//! What the requests of one run must not do to each other.

use super::{Check, RuleInfo, files, named};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::{Case, Copies};
use crate::text::shown;

pub(super) const DUPLICATE: RuleInfo = RuleInfo::new(
    "batch.duplicate",
    "a request comes once in a run",
    "RFC 3647 §4.4.2",
    Check::Always(duplicate),
);

// What is refused by itself is no copy: it takes nothing from others.
fn duplicate(case: &Case<'_>) -> Finding {
    match case.copies {
        Copies::None => {
            DUPLICATE.finding(Outcome::Pass, "a new request", "no other file with the same request")
        }
        Copies::Of(file) => DUPLICATE.finding(
            Outcome::Refused,
            format!("the request of {file} once more"),
            "one of the two files alone on the stick",
        ),
        Copies::Differing(others) => DUPLICATE.finding(
            Outcome::Refused,
            format!("the same request in {}, in another object or from another sender", named(others.iter())),
            "the one that is meant alone on the stick",
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
