//! Whose request it is, and which policy it falls under.

use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::values::is_reserved;
use crate::text::{is_dns_label, shown};

pub(super) const ID: RuleInfo = RuleInfo::new(
    "cluster.id",
    "the subject names one cluster, by a DNS label",
    "RFC 1123 §2.1",
    Check::Always(id),
);

fn id(case: &Case<'_>) -> Finding {
    let identity = case.identity;
    let values: Vec<Option<&str>> = case.request.subject.values(identity.attribute.0).collect();
    let holds = matches!(values.as_slice(), [Some(id)] if is_dns_label(id));
    let found = listed(values.iter().map(|v| v.map_or_else(|| "not a string".into(), shown)));
    let wanted = format!("exactly one {}, of a-z, 0-9 and hyphens, at most 63", identity.attribute);
    let finding = ID.demand(holds, format!("{} {found}", identity.attribute), wanted);
    match identity.profile {
        Some(profile) => finding.from_policy(profile.source(&profile.subject.cluster_id)),
        None => finding,
    }
}

pub(super) const RESERVED: RuleInfo = RuleInfo::new(
    "cluster.reserved",
    "the cluster's id can name a folder of a release, on every stick",
    "RFC 1123 §2.1",
    Check::Always(reserved),
);

fn reserved(case: &Case<'_>) -> Finding {
    reserved_id(case.identity.cluster.unwrap_or_default())
}

/// The same for an id alone, before there is a request.
pub fn reserved_id(id: &str) -> Finding {
    let wanted = "a name that neither the release nor FAT keeps for itself";
    RESERVED.demand(!is_reserved(id), shown(id), wanted)
}

pub(super) const UNKNOWN_POLICY: RuleInfo = RuleInfo::new(
    "policy.unknown",
    "a policy that is named exists",
    "RFC 3647 §4.4.2",
    Check::Always(unknown_policy),
);

fn unknown_policy(case: &Case<'_>) -> Finding {
    let profiles = case.context.policies.profiles();
    let named = [case.context.forced, case.request.claims.profile.as_deref()];
    let unknown: Vec<String> =
        named.into_iter().flatten().filter(|name| !profiles.contains_key(*name)).map(shown).collect();
    let known = format!("one of {}", listed(profiles.keys()));
    UNKNOWN_POLICY.demand(unknown.is_empty(), listed(&unknown), known)
}

pub(super) const REGISTERED: RuleInfo = RuleInfo::new(
    "register.unknown-cluster",
    "a cluster is registered, or the operator names its policy",
    "RFC 3647 §4.3.2",
    Check::Always(registered),
);

fn registered(case: &Case<'_>) -> Finding {
    let cluster = case.identity.cluster.map_or_else(|| "no cluster".into(), shown);
    let wanted = "an entry in clusters.toml, or --policy";
    match (case.identity.entries.as_slice(), case.context.forced) {
        ([], None) => REGISTERED.finding(Outcome::Refused, format!("{cluster}, not registered"), wanted),
        ([], Some(forced)) => {
            let found = format!("{cluster}, not registered, --policy {}", shown(forced));
            REGISTERED.finding(Outcome::Pass, found, wanted)
        }
        ([(_, entry), ..], _) => {
            let source = case.context.policies.register().source(&entry.policy);
            REGISTERED.finding(Outcome::Pass, format!("{cluster}, registered"), wanted).from_policy(source)
        }
    }
}

pub(super) const AMBIGUOUS: RuleInfo = RuleInfo::new(
    "register.ambiguous",
    "a subject answers to one registered cluster at most",
    "RFC 3647 §4.3.1",
    Check::Always(ambiguous),
);

fn ambiguous(case: &Case<'_>) -> Finding {
    let entries = &case.identity.entries;
    AMBIGUOUS.demand(entries.len() <= 1, listed(entries.iter().map(|(id, _)| *id)), "one cluster or none")
}

pub(super) const POLICY: RuleInfo = RuleInfo::new(
    "register.policy",
    "a registered cluster gets its registered policy; --policy may only agree",
    "RFC 3647 §4.4.2",
    Check::Always(policy),
);

fn policy(case: &Case<'_>) -> Finding {
    let ([(_, entry)], Some(forced)) = (case.identity.entries.as_slice(), case.context.forced) else {
        let found = case.context.forced.map_or_else(|| "no --policy".into(), shown);
        return POLICY.finding(Outcome::Pass, found, "the registered policy where there is one");
    };
    let source = case.context.policies.register().source(&entry.policy);
    POLICY.demand(forced == entry.policy.as_str(), shown(forced), shown(&entry.policy)).from_policy(source)
}

pub(super) const WISH: RuleInfo = RuleInfo::new(
    "register.wish",
    "a profile that the request wishes for may only agree",
    "RFC 3647 §4.4.1",
    Check::Always(wish),
);

fn wish(case: &Case<'_>) -> Finding {
    let decided = case.identity.profile.map_or("none", |profile| profile.name());
    match case.request.claims.profile.as_deref() {
        None => WISH.not_asked(decided),
        Some(wish) if wish == decided => WISH.finding(Outcome::Granted, shown(wish), decided),
        Some(wish) => WISH.finding(Outcome::Refused, shown(wish), decided),
    }
}

pub(super) const SUBJECT: RuleInfo = RuleInfo::new(
    "register.subject",
    "the subject is the registered one, where the register fixes it",
    "RFC 5280 §7.1",
    Check::Always(subject),
);

fn subject(case: &Case<'_>) -> Finding {
    let found = case.request.subject.to_string();
    let fixed = case.identity.entries.first().and_then(|(_, entry)| entry.subject.as_ref());
    let Some(registered) = fixed else {
        return SUBJECT.finding(Outcome::Pass, found, "any, none is registered");
    };
    let source = case.context.policies.register().source(registered);
    SUBJECT
        .demand(registered.matches(&case.request.subject), found, registered.to_string())
        .from_policy(source)
}
