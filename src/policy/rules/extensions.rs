//! Extensions and attributes that no policy grants, and policy extensions that
//! work on some verifiers only.

use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::{Profile, lacks_half_of_tls};

pub(super) const CRITICAL: RuleInfo = RuleInfo::new(
    "extension.critical",
    "no extension is asked for as critical that is not known here",
    "RFC 5280 §4.2",
    Check::Always(critical),
);

fn critical(case: &Case<'_>) -> Finding {
    let asked = &case.request.claims.other_extensions;
    let unknown: Vec<_> = asked.iter().filter(|(_, critical)| *critical).map(|(oid, _)| *oid).collect();
    CRITICAL.demand(unknown.is_empty(), listed(unknown), "none: dropping it would change what was meant")
}

pub(super) const OTHER: RuleInfo = RuleInfo::new(
    "claim.other-extensions",
    "no extension is granted beyond those that the policy writes",
    "RFC 5280 §4.2",
    Check::Policy(other),
);

fn other(case: &Case<'_>, profile: &Profile) -> Finding {
    let asked = &case.request.claims.other_extensions;
    if asked.is_empty() {
        return OTHER.not_asked("none").from_policy(profile.source(&profile.claims.other_extensions));
    }
    OTHER.beyond(profile, &profile.claims.other_extensions, listed(asked.iter().map(|(oid, _)| oid)), "none")
}

pub(super) const ATTRIBUTES: RuleInfo = RuleInfo::new(
    "claim.other-attributes",
    "attributes of the request are granted nothing",
    "RFC 2986 §4.1",
    Check::Policy(attributes),
);

fn attributes(case: &Case<'_>, profile: &Profile) -> Finding {
    let asked = &case.request.claims.other_attributes;
    if asked.is_empty() {
        return ATTRIBUTES.not_asked("none").from_policy(profile.source(&profile.claims.other_attributes));
    }
    ATTRIBUTES.beyond(profile, &profile.claims.other_attributes, listed(asked), "none")
}

pub(super) const URI_CONSTRAINTS: RuleInfo = RuleInfo::new(
    "name-constraints.uri",
    "name constraints hold no URI: rustls-webpki then refuses every SPIFFE identity, GnuTLS ignores it",
    "RFC 5280 §4.2.1.10",
    Check::Policy(|_, profile| uri_constraints(profile)),
);

pub(super) fn uri_constraints(profile: &Profile) -> Finding {
    let (permitted, excluded) = (&profile.extensions.permitted_names, &profile.extensions.excluded_names);
    let uris: Vec<_> = permitted.iter().chain(excluded.iter()).filter(|subtree| subtree.is_uri()).collect();
    let source = profile.source(if permitted.iter().any(|s| s.is_uri()) { permitted } else { excluded });
    let outcome = if uris.is_empty() { Outcome::Pass } else { Outcome::Warning };
    URI_CONSTRAINTS.finding(outcome, listed(uris), "dns, email or ip constraints alone").from_policy(source)
}

pub(super) const BOTH_SIDES_OF_TLS: RuleInfo = RuleInfo::new(
    "extended-key-usage.tls",
    "an extKeyUsage on a CA leaves both sides of mutual TLS standing",
    "RFC 5280 §4.2.1.12",
    Check::Policy(|_, profile| both_sides_of_tls(profile)),
);

pub(super) fn both_sides_of_tls(profile: &Profile) -> Finding {
    let bounds = &profile.extensions.extended_key_usage;
    let outcome = if lacks_half_of_tls(bounds) { Outcome::Warning } else { Outcome::Pass };
    BOTH_SIDES_OF_TLS
        .finding(outcome, listed(bounds.iter()), "none, or both serverAuth and clientAuth")
        .from_policy(profile.source(bounds))
}
