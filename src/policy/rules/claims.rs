//! What the request asks for in the extensions that the policy writes.

use der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};

use super::object::{implied, wished_usage};
use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::{Mode, Purpose, USAGES};
use crate::text::{hex, shown};
use crate::x509::KeyAlgorithm;

pub(super) const BASIC_CONSTRAINTS: RuleInfo = RuleInfo::new(
    "claim.basic-constraints",
    "basicConstraints are the policy's",
    "RFC 5280 §4.2.1.9",
    Check::Policy(basic_constraints),
);

fn basic_constraints(case: &Case<'_>, profile: &Profile) -> Finding {
    let granted = format!("CA:TRUE, pathlen:{}", *profile.path_length);
    let Some(claim) = case.request.claims.basic_constraints else {
        return BASIC_CONSTRAINTS.not_asked(granted).from_policy(profile.source(&profile.path_length));
    };
    let asked = match (claim.ca, claim.path_len) {
        (false, _) => "CA:FALSE".into(),
        (true, None) => "CA:TRUE without pathlen".into(),
        (true, Some(n)) => format!("CA:TRUE, pathlen:{n}"),
    };
    if asked == granted {
        return BASIC_CONSTRAINTS
            .finding(Outcome::Granted, asked, granted)
            .from_policy(profile.source(&profile.path_length));
    }
    BASIC_CONSTRAINTS.beyond(profile, &profile.claims.basic_constraints, asked, granted)
}

pub(super) const KEY_USAGE: RuleInfo = RuleInfo::new(
    "claim.key-usage",
    "keyUsage is keyCertSign and cRLSign, and beyond that what is asked for and allowed",
    "RFC 5280 §4.2.1.3",
    Check::Policy(key_usage),
);

fn key_usage(case: &Case<'_>, profile: &Profile) -> Finding {
    let granted = granted_usage(case, profile);
    let bounds = &profile.key_usage.if_asked;
    let Some(claim) = &case.request.claims.key_usage else {
        return KEY_USAGE.not_asked(usages(granted)).from_policy(profile.source(bounds));
    };
    if (claim.0 - granted).is_empty() {
        return KEY_USAGE
            .finding(Outcome::Granted, usages(claim.0), usages(granted))
            .from_policy(profile.source(bounds));
    }
    let mode = &profile.claims.key_usage;
    let by_default = implied(case).is_some_and(|implied| (claim.0 - granted - implied).is_empty());
    if by_default && **mode == Mode::Refuse {
        return KEY_USAGE
            .finding(Outcome::Narrowed, usages(claim.0), usages(granted))
            .from_policy(profile.source(mode));
    }
    KEY_USAGE.beyond(profile, mode, usages(claim.0), usages(granted))
}

/// keyUsage as granted. keyEncipherment is for RSA keys alone (RFC 5480 §3).
pub(in crate::policy) fn granted_usage(case: &Case<'_>, profile: &Profile) -> FlagSet<KeyUsages> {
    let always = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    let heard = |mode: &Mode, wish| if *mode == Mode::Tolerate { FlagSet::default() } else { wish };
    let asked = case.request.claims.key_usage.map(|usage| usage.0).unwrap_or_default();
    let wish = heard(&profile.claims.key_usage, asked) | heard(&profile.claims.usages, wished_usage(case));
    let rsa = matches!(case.request.key.algorithm(), KeyAlgorithm::Rsa(_));
    let fits = |usage: KeyUsages| rsa || usage != KeyUsages::KeyEncipherment;
    let allowed = profile.key_usage.if_asked.iter().map(|usage| usage.0);
    allowed.filter(|usage| wish.contains(*usage) && fits(*usage)).fold(always, |all, usage| all | usage)
}

pub(super) fn usages(set: FlagSet<KeyUsages>) -> String {
    listed(USAGES.iter().filter(|(_, usage)| set.contains(*usage)).map(|(name, _)| *name))
}

pub(super) const EXTENDED_KEY_USAGE: RuleInfo = RuleInfo::new(
    "claim.extended-key-usage",
    "extKeyUsage is the policy's",
    "RFC 5280 §4.2.1.12",
    Check::Policy(extended_key_usage),
);

fn extended_key_usage(case: &Case<'_>, profile: &Profile) -> Finding {
    let bounds = &profile.extensions.extended_key_usage;
    let granted = listed(bounds.iter());
    let asked: Vec<Purpose> = case.request.claims.extended_key_usage.iter().copied().map(Purpose).collect();
    if asked.is_empty() {
        return EXTENDED_KEY_USAGE.not_asked(granted).from_policy(profile.source(bounds));
    }
    if asked.iter().all(|purpose| bounds.contains(purpose)) {
        return EXTENDED_KEY_USAGE
            .finding(Outcome::Granted, listed(&asked), granted)
            .from_policy(profile.source(bounds));
    }
    EXTENDED_KEY_USAGE.beyond(profile, &profile.claims.extended_key_usage, listed(&asked), granted)
}

pub(super) const SUBJECT_ALT_NAME: RuleInfo = RuleInfo::new(
    "claim.subject-alt-name",
    "alternative names lie under the suffixes and prefixes of the policy",
    "RFC 5280 §4.2.1.6",
    Check::Policy(subject_alt_name),
);

fn subject_alt_name(case: &Case<'_>, profile: &Profile) -> Finding {
    let Some(asked) = &case.request.claims.subject_alt_name else {
        return SUBJECT_ALT_NAME
            .not_asked("none")
            .from_policy(profile.source(&profile.claims.subject_alt_name));
    };
    let granted = granted_names(case, profile);
    let names = |list: &[GeneralName]| listed(list.iter().map(name));
    if granted == *asked {
        return SUBJECT_ALT_NAME
            .finding(Outcome::Granted, names(asked), names(&granted))
            .from_policy(profile.source(&profile.subject_alt_name.dns_suffixes));
    }
    SUBJECT_ALT_NAME.beyond(profile, &profile.claims.subject_alt_name, names(asked), names(&granted))
}

/// The alternative names that the policy allows, of those asked for.
pub(in crate::policy) fn granted_names(case: &Case<'_>, profile: &Profile) -> GeneralNames {
    let bounds = &profile.subject_alt_name;
    let allowed = |name: &GeneralName| match name {
        GeneralName::DnsName(dns) => bounds.dns_suffixes.iter().any(|s| s.covers(dns.as_str())),
        GeneralName::UniformResourceIdentifier(uri) => {
            bounds.uri_prefixes.iter().any(|p| p.covers(uri.as_str()))
        }
        _ => false,
    };
    let asked = case.request.claims.subject_alt_name.iter().flatten();
    let may_ask = *profile.claims.subject_alt_name != Mode::Tolerate;
    asked.filter(|name| may_ask && allowed(name)).cloned().collect()
}

fn name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(dns) => format!("DNS:{}", shown(dns.as_str())),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{}", shown(uri.as_str())),
        GeneralName::Rfc822Name(mail) => format!("email:{}", shown(mail.as_str())),
        GeneralName::IpAddress(address) => format!("IP:{}", hex(address.as_bytes())),
        GeneralName::RegisteredId(oid) => format!("RID:{oid}"),
        GeneralName::DirectoryName(_) => "a directoryName".into(),
        GeneralName::OtherName(_) => "an otherName".into(),
        GeneralName::EdiPartyName(_) => "an ediPartyName".into(),
    }
}

pub(super) const SUBJECT_KEY_ID: RuleInfo = RuleInfo::new(
    "claim.subject-key-identifier",
    "the key identifier is made by RFC 7093 method 1, or RFC 5280 method 1 where the request states it",
    "RFC 7093 §2, RFC 5280 §4.2.1.2",
    Check::Policy(subject_key_id),
);

fn subject_key_id(case: &Case<'_>, profile: &Profile) -> Finding {
    let granted = key_id(case);
    let mode = &profile.claims.subject_key_identifier;
    match case.request.claims.subject_key_id.as_deref() {
        None => SUBJECT_KEY_ID.not_asked(hex(&granted)).from_policy(profile.source(mode)),
        Some(asked) if asked == granted => SUBJECT_KEY_ID
            .finding(Outcome::Granted, hex(asked), hex(&granted))
            .from_policy(profile.source(mode)),
        Some(asked) => SUBJECT_KEY_ID.beyond(profile, mode, hex(asked), hex(&granted)),
    }
}

/// The key identifier as granted.
pub(in crate::policy) fn key_id(case: &Case<'_>) -> Vec<u8> {
    case.request.key_id()
}
