//! How long: nested in the root's validity, within the policy's bounds.

use super::{Check, RuleInfo};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::{Mode, Span};
use crate::x509::{Seconds, Time};

/// The validity that is granted, if anything is.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Window {
    pub not_before: Time,
    pub not_after: Time,
    /// The end before the root's own end cut it.
    uncut: Time,
}

impl Window {
    /// The span counts from now, not from notBefore: backdating makes up for
    /// slow clocks and costs nobody lifetime.
    pub fn of(case: &Case<'_>, profile: &Profile) -> Self {
        let (now, issuer, bounds) = (case.context.now, case.context.issuer, &profile.validity);
        let uncut = match wish(case, profile) {
            Some(wish) => wish.min(now + bounds.maximum.0),
            None => now + bounds.default.0,
        };
        Self {
            not_before: now.earlier(bounds.backdate.0).max(issuer.not_before),
            not_after: uncut.min(issuer.not_after),
            uncut,
        }
    }
}

/// The end asked for, where requests may ask at all.
fn wish(case: &Case<'_>, profile: &Profile) -> Option<Time> {
    let asked = case.request.claims.duration.filter(|_| *profile.claims.validity != Mode::Tolerate);
    asked.map(|asked| case.context.now + asked)
}

pub(super) const MAXIMUM: RuleInfo = RuleInfo::new(
    "validity.maximum",
    "the validity is at most the policy's maximum",
    "RFC 5280 §4.1.2.5",
    Check::Policy(maximum),
);

fn maximum(case: &Case<'_>, profile: &Profile) -> Finding {
    let bounds = &profile.validity;
    let Some(asked) = case.request.claims.duration.map(Span) else {
        return MAXIMUM.not_asked(bounds.default.to_string()).from_policy(profile.source(&bounds.default));
    };
    if *profile.claims.validity == Mode::Tolerate {
        return MAXIMUM.beyond(
            profile,
            &profile.claims.validity,
            asked.to_string(),
            bounds.default.to_string(),
        );
    }
    if asked <= *bounds.maximum {
        return MAXIMUM
            .finding(Outcome::Granted, asked.to_string(), asked.to_string())
            .from_policy(profile.source(&bounds.maximum));
    }
    // The bound that was overstepped matters more than the mode.
    MAXIMUM
        .beyond(profile, &profile.claims.validity, asked.to_string(), bounds.maximum.to_string())
        .from_policy(profile.source(&bounds.maximum))
}

pub(super) const MINIMUM: RuleInfo = RuleInfo::new(
    "validity.minimum",
    "what is left of the validity is worth signing",
    "RFC 5280 §4.1.2.5",
    Check::Policy(minimum),
);

fn minimum(case: &Case<'_>, profile: &Profile) -> Finding {
    let minimum = &profile.validity.minimum;
    let granted = Window::of(case, profile).not_after - case.context.now;
    MINIMUM
        .demand(granted >= minimum.0, Span(granted).to_string(), format!("at least {}", **minimum))
        .from_policy(profile.source(minimum))
}

pub(super) const NESTED: RuleInfo = RuleInfo::new(
    "validity.issuer",
    "a certificate is valid only while the root is",
    "RFC 5280 §6.1.3",
    Check::Policy(nested),
);

fn nested(case: &Case<'_>, profile: &Profile) -> Finding {
    let (now, issuer) = (case.context.now, case.context.issuer);
    let root = format!("within the root's, {} to {}", issuer.not_before, issuer.not_after);
    let window = Window::of(case, profile);
    if now < issuer.not_before {
        return NESTED.finding(Outcome::Refused, format!("a root not valid yet at {now}"), root);
    }
    match wish(case, profile) {
        Some(wish) if wish > issuer.not_after => {
            NESTED.finding(Outcome::Refused, format!("an end at {wish} asked for"), root)
        }
        _ if window.uncut > issuer.not_after => {
            NESTED.finding(Outcome::Narrowed, window.uncut.to_string(), issuer.not_after.to_string())
        }
        _ => NESTED.finding(Outcome::Pass, format!("{} to {}", window.not_before, window.not_after), root),
    }
}

pub(super) const NOT_EXPIRED: RuleInfo = RuleInfo::new(
    "validity.expired",
    "no certificate is expired when it is signed",
    "RFC 5280 §4.1.2.5",
    Check::Policy(not_expired),
);

fn not_expired(case: &Case<'_>, profile: &Profile) -> Finding {
    let (now, end) = (case.context.now, Window::of(case, profile).not_after);
    NOT_EXPIRED.demand(end > now, format!("an end at {end}"), format!("an end after {now}"))
}

pub(super) const CONSUMER: RuleInfo = RuleInfo::new(
    "validity.consumer",
    "the certificate lives longer than its consumer can be without the next",
    "RFC 5280 §4.1.2.5",
    Check::Policy(consumer),
);

fn consumer(case: &Case<'_>, profile: &Profile) -> Finding {
    let consumer = &profile.release.consumer;
    let least = consumer.terms().warns_below;
    let granted = Window::of(case, profile).not_after - case.context.now;
    let outcome = if granted >= least { Outcome::Pass } else { Outcome::Warning };
    CONSUMER
        .finding(outcome, Span(granted).to_string(), format!("at least {} for {}", Span(least), **consumer))
        .from_policy(profile.source(consumer))
}

pub(super) const REMAINING: RuleInfo = RuleInfo::new(
    "validity.remaining",
    "the root outlives the next certificate of this length too",
    "RFC 5280 §6.1.3",
    Check::Policy(remaining),
);

fn remaining(case: &Case<'_>, profile: &Profile) -> Finding {
    let left = case.context.issuer.not_after - case.context.now;
    let ttl = Window::of(case, profile).uncut - case.context.now;
    let twice = Seconds(ttl.0.saturating_mul(2));
    let outcome = if left >= twice { Outcome::Pass } else { Outcome::Warning };
    REMAINING.finding(
        outcome,
        format!("{} left of the root", Span(left)),
        format!("{} or more; below that, plan the next root", Span(twice)),
    )
}
