//! The subject: signed byte for byte as it came, or not at all.

use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::{Profile, upper_bound};
use crate::policy::values::AttributeType;
use crate::text::shown;
use crate::x509::Name;
use crate::x509::name::{Attribute, short_name};

pub(super) const NOT_EMPTY: RuleInfo =
    RuleInfo::new("subject.empty", "a CA has a subject", "RFC 5280 §4.1.2.6", Check::Always(not_empty));

fn not_empty(case: &Case<'_>) -> Finding {
    let count = case.request.subject.attributes().len();
    NOT_EMPTY.demand(count > 0, format!("{count} attributes"), "at least one")
}

pub(super) const ENCODING: RuleInfo = RuleInfo::new(
    "subject.encoding",
    "every value of the subject is a string that can be read",
    "RFC 5280 §4.1.2.4",
    Check::Always(encoding),
);

fn encoding(case: &Case<'_>) -> Finding {
    let bad = offending(case, |a| a.value.is_none());
    let wanted = "UTF8String, PrintableString, IA5String, BMPString or TeletexString in ASCII";
    ENCODING.demand(bad.is_empty(), format!("no such string in: {}", listed(&bad)), wanted)
}

pub(super) const CHARACTERS: RuleInfo = RuleInfo::new(
    "subject.characters",
    "no value of the subject is blank or holds a character that cannot be seen",
    "RFC 5280 §4.1.2.4",
    Check::Always(characters),
);

fn characters(case: &Case<'_>) -> Finding {
    let bad = offending(case, |a| {
        a.value.as_deref().is_some_and(|v| v.trim() != v || v.is_empty() || v.chars().any(invisible))
    });
    let wanted = "values that begin and end with a character that is seen, without control characters";
    CHARACTERS.demand(bad.is_empty(), format!("such values in: {}", listed(&bad)), wanted)
}

pub(super) const NOT_ISSUER: RuleInfo = RuleInfo::new(
    "subject.issuer",
    "no certificate carries the name of a root that is trusted",
    "RFC 5280 §6.1",
    Check::Always(not_issuer),
);

fn not_issuer(case: &Case<'_>) -> Finding {
    let subject = &case.request.subject;
    let same = |root: &Name| subject.as_der() == root.as_der() || folded(subject) == folded(root);
    let root = case.roots().map(|root| &root.subject).find(|root| same(root));
    let named = root.unwrap_or(&case.context.issuer.subject);
    NOT_ISSUER.demand(root.is_none(), subject.to_string(), format!("a name other than {named}"))
}

pub(super) const REHEARSAL: RuleInfo = RuleInfo::new(
    "subject.rehearsal",
    "only beneath a rehearsal's root does a subject say REHEARSAL",
    "RFC 5280 §4.1.2.6",
    Check::Always(rehearsal),
);

/// Everybody who checks a release takes the word for what it says.
fn rehearsal(case: &Case<'_>) -> Finding {
    let says = |name: &Name| name.to_string().contains("REHEARSAL");
    let (subject, root) = (&case.request.subject, &case.context.issuer.subject);
    REHEARSAL.demand(!says(subject) || says(root), subject.to_string(), "a name without that word")
}

pub(super) const REQUIRED: RuleInfo = RuleInfo::new(
    "subject.required",
    "the subject has the attributes that the policy requires",
    "RFC 5280 §4.1.2.6",
    Check::Policy(required),
);

fn required(case: &Case<'_>, profile: &Profile) -> Finding {
    let wanted = &profile.subject.required;
    let has = |attribute: &AttributeType| case.request.subject.values(attribute.0).next().is_some();
    REQUIRED
        .demand(wanted.iter().all(has), case.request.subject.to_string(), listed(wanted.iter()))
        .from_policy(profile.source(wanted))
}

pub(super) const ALLOWED: RuleInfo = RuleInfo::new(
    "subject.allowed",
    "the subject has no attributes but those that the policy allows",
    "RFC 5280 §4.1.2.6",
    Check::Policy(allowed),
);

fn allowed(case: &Case<'_>, profile: &Profile) -> Finding {
    let wanted = &profile.subject.allowed;
    let bad = offending(case, |a| !wanted.contains(&AttributeType(a.oid)));
    ALLOWED
        .demand(bad.is_empty(), format!("others: {}", listed(&bad)), listed(wanted.iter()))
        .from_policy(profile.source(wanted))
}

pub(super) const FIXED: RuleInfo = RuleInfo::new(
    "subject.fixed",
    "attributes with a fixed value have that value",
    "RFC 5280 §4.1.2.6",
    Check::Policy(fixed),
);

fn fixed(case: &Case<'_>, profile: &Profile) -> Finding {
    let differs = |attribute: &&AttributeType, value: &str| {
        case.request.subject.values(attribute.0).any(|found| found != Some(value))
    };
    let broken = profile.subject.fixed.iter().find(|(attribute, value)| differs(attribute, value));
    let wanted = listed(profile.subject.fixed.iter().map(|(a, value)| format!("{a}={}", shown(value))));
    let finding = FIXED.demand(broken.is_none(), case.request.subject.to_string(), wanted);
    match broken.or(profile.subject.fixed.iter().next()) {
        Some((_, value)) => finding.from_policy(profile.source(value)),
        None => finding,
    }
}

pub(super) const LENGTH: RuleInfo = RuleInfo::new(
    "subject.length",
    "no value of the subject is longer than its bound, and it has few of them",
    "RFC 5280 appendix A.1",
    Check::Policy(length),
);

/// Far more than any CA's name has, and few enough to be read.
const MOST_ATTRIBUTES: usize = 16;

fn length(case: &Case<'_>, profile: &Profile) -> Finding {
    let count = case.request.subject.attributes().len();
    if count > MOST_ATTRIBUTES {
        let wanted = format!("at most {MOST_ATTRIBUTES}");
        return LENGTH.finding(Outcome::Refused, format!("{count} attributes"), wanted);
    }
    let bound = |a: &Attribute| {
        let set = profile.subject.max_length.get(&AttributeType(a.oid));
        set.map_or_else(|| upper_bound(a.oid), |length| **length)
    };
    let characters = |a: &Attribute| a.value.as_deref().map_or(0, |v| v.chars().count());
    let longest = case.request.subject.attributes().iter().find(|a| characters(a) > bound(a));
    let Some(a) = longest else {
        return LENGTH.finding(Outcome::Pass, "none", "the bounds of RFC 5280 and the policy");
    };
    let name = short_name(a.oid);
    let finding = LENGTH.finding(
        Outcome::Refused,
        format!("{name} of {} characters", characters(a)),
        format!("{name} of at most {}", bound(a)),
    );
    match profile.subject.max_length.get(&AttributeType(a.oid)) {
        Some(length) => finding.from_policy(profile.source(length)),
        None => finding,
    }
}

/// Each type once: a thousand units are one fault.
fn offending(case: &Case<'_>, bad: impl Fn(&Attribute) -> bool) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for attribute in case.request.subject.attributes().iter().filter(|a| bad(a)) {
        let name = short_name(attribute.oid);
        if !named.contains(&name) {
            named.push(name);
        }
    }
    named
}

/// Control and format characters (bidirectional overrides, zero-width joiners,
/// tags) and every space but U+0020: what a reviewer would not see.
fn invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

/// A name for comparison as RFC 5280 §7.1 demands: case and runs of spaces do
/// not tell two names apart, and neither do string types.
fn folded(name: &Name) -> Vec<(String, String)> {
    let fold = |v: &str| v.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let pair = |a: &Attribute| (a.oid.to_string(), a.value.as_deref().map(fold).unwrap_or_default());
    name.attributes().iter().map(pair).collect()
}
