//! What the root itself must be for a policy.

use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::x509::SignatureAlgorithm;

pub(super) const SIGNATURE: RuleInfo = RuleInfo::new(
    "issuer.signature",
    "the root signs with an algorithm that the policy accepts",
    "RFC 5280 §4.1.1.2",
    Check::Policy(signature),
);

fn signature(case: &Case<'_>, profile: &Profile) -> Finding {
    let accepted = &profile.signature.algorithms;
    let found = case.context.issuer.signature;
    let outcome = match found {
        _ if !accepted.contains(&found) => Outcome::Refused,
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::MlDsa65 | SignatureAlgorithm::MlDsa87 => {
            Outcome::Warning
        }
        _ => Outcome::Pass,
    };
    let wanted = listed(accepted.iter().map(|a| a.describe()));
    let wanted = match outcome {
        Outcome::Warning => format!("{wanted}; not every TLS stack verifies {}", found.describe()),
        _ => wanted,
    };
    SIGNATURE.finding(outcome, found.describe(), wanted).from_policy(profile.source(accepted))
}

pub(super) const CONSUMER: RuleInfo = RuleInfo::new(
    "issuer.consumer",
    "every root that is trusted has a key that the consumer's own check takes",
    "RFC 5280 §6.1",
    Check::Policy(consumer),
);

fn consumer(case: &Case<'_>, profile: &Profile) -> Finding {
    let consumer = &profile.release.consumer;
    let terms = consumer.terms();
    let wanted = match terms.roots {
        [] => format!("any, for {}", **consumer),
        taken => format!("{} for {}", listed(taken), **consumer),
    };
    let kinds: Vec<_> = case.roots().map(|root| root.public_key.algorithm()).collect();
    let holds = kinds.iter().all(|kind| terms.takes_root(*kind));
    CONSUMER.demand(holds, listed(kinds), wanted).from_policy(profile.source(consumer))
}

pub(super) const COURSE: RuleInfo = RuleInfo::new(
    "issuer.course",
    "the root is trusted by the clusters, and not retired",
    "RFC 4210 §4.4, NIST SP 800-57 part 1 §8.2.5",
    Check::Always(course),
);

fn course(case: &Case<'_>) -> Finding {
    let forbidden = case.known.forbidden;
    COURSE.demand(forbidden.is_none(), forbidden.unwrap_or("a root in use"), "one that may sign")
}

pub(super) const PATH_LENGTH: RuleInfo = RuleInfo::new(
    "path-length.issuer",
    "the path length granted fits under the root's",
    "RFC 5280 §4.2.1.9",
    Check::Policy(path_length),
);

fn path_length(case: &Case<'_>, profile: &Profile) -> Finding {
    let granted = &profile.path_length;
    let (holds, wanted) = match case.context.issuer.path_len {
        None => (true, "any, the root sets no bound".into()),
        Some(0) => (false, "no CA at all below the root, its path length is 0".into()),
        Some(bound) => (**granted < bound, format!("less than the root's {bound}")),
    };
    PATH_LENGTH.demand(holds, granted.to_string(), wanted).from_policy(profile.source(granted))
}
