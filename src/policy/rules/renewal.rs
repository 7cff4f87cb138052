//! What may follow an earlier certificate.

use super::{Check, RuleInfo, Window, files};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::{Permission, Span};
use crate::x509::Status;

pub(super) const SAME_KEY: RuleInfo = RuleInfo::new(
    "renewal.same-key",
    "a key is certified once, unless the policy allows its renewal",
    "NIST SP 800-57 part 1 §5.3",
    Check::Policy(same_key),
);

fn same_key(case: &Case<'_>, profile: &Profile) -> Finding {
    let permission = &profile.renewal.same_key;
    // A burnt serial was never released: asking again is no renewal.
    let earlier = case.known.by_key.iter().rev().find(|issued| issued.status != Status::Burnt);
    let finding = match (earlier, **permission) {
        (None, _) => SAME_KEY.finding(Outcome::Pass, "a new key", "a new key"),
        (Some(i), Permission::Allow) => {
            SAME_KEY.finding(Outcome::Pass, format!("key of serial {}", i.serial), "any key of this subject")
        }
        (Some(i), Permission::Refuse) => {
            SAME_KEY.finding(Outcome::Refused, format!("key of serial {}", i.serial), "a new key")
        }
    };
    finding.from_policy(profile.source(permission))
}

pub(super) const SAME_SUBJECT: RuleInfo = RuleInfo::new(
    "renewal.same-subject",
    "a subject has one key, unless the policy allows another",
    "RFC 5280 §6.3.3",
    Check::Policy(same_subject),
);

fn same_subject(case: &Case<'_>, profile: &Profile) -> Finding {
    let permission = &profile.renewal.same_subject;
    let key = case.request.key.digest();
    let issued = &case.known.by_subject;
    // Burnt serials count: their certificate may exist, with the other key.
    let other = issued.iter().rev().find(|i| i.key != key).map(|i| format!("serial {}", i.serial));
    let other = other.or_else(|| {
        let mut others = case.others_of_subject();
        others.retain(|other| other.key != key);
        (!others.is_empty()).then(|| format!("the request of {}", files(&others)))
    });
    let finding = match (other, **permission) {
        (None, _) => SAME_SUBJECT.finding(Outcome::Pass, "no other key", "a subject without another key"),
        (Some(other), Permission::Allow) => {
            SAME_SUBJECT.finding(Outcome::Pass, format!("another key in {other}"), "any key")
        }
        (Some(other), Permission::Refuse) => SAME_SUBJECT.finding(
            Outcome::Refused,
            format!("another key in {other}"),
            "a subject without another key: put a date or number into the CN",
        ),
    };
    finding.from_policy(profile.source(permission))
}

pub(super) const SPACING: RuleInfo = RuleInfo::new(
    "renewal.spacing",
    "two certificates of one cluster begin no closer than the policy says",
    "RFC 3647 §4.4.7",
    Check::Policy(spacing),
);

fn spacing(case: &Case<'_>, profile: &Profile) -> Finding {
    let spacing = &profile.renewal.spacing;
    let issued = &case.known.by_cluster;
    let last = issued.iter().filter(|i| i.status != Status::Burnt).max_by_key(|i| i.not_before);
    let wanted = format!("{} or more between them", **spacing);
    let finding = match last {
        None => SPACING.finding(Outcome::Pass, "no earlier certificate", wanted),
        Some(last) => {
            let gap = Window::of(case, profile).not_before - last.not_before;
            let found = format!("{} since serial {}", Span(gap), last.serial);
            SPACING.demand(gap >= spacing.0, found, wanted)
        }
    };
    finding.from_policy(profile.source(spacing))
}
