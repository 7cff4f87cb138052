//! Lints of the extensions as a whole (RFC 5280 §4.2).

use std::collections::HashSet;

use x509_parser::oid_registry as oid;
use x509_parser::oid_registry::Oid;

use super::CertificateKind::{Intermediate, Journal, Root};
use super::{CertificateKind, Context, Verdict, encode, problem};

/// Which kinds of certificate may carry an extension, and where it is critical.
struct Profile {
    oid: Oid<'static>,
    allowed: &'static [CertificateKind],
    critical: &'static [CertificateKind],
}

const PROFILES: [Profile; 10] = [
    Profile {
        oid: oid::OID_X509_EXT_BASIC_CONSTRAINTS,
        allowed: &[Root, Intermediate, Journal],
        critical: &[Root, Intermediate, Journal],
    },
    Profile {
        oid: oid::OID_X509_EXT_KEY_USAGE,
        allowed: &[Root, Intermediate, Journal],
        critical: &[Root, Intermediate, Journal],
    },
    Profile {
        oid: oid::OID_X509_EXT_EXTENDED_KEY_USAGE,
        allowed: &[Intermediate, Journal],
        critical: &[Journal],
    },
    Profile {
        oid: oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
        allowed: &[Root, Intermediate, Journal],
        critical: &[],
    },
    Profile {
        oid: oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
        allowed: &[Root, Intermediate, Journal],
        critical: &[],
    },
    Profile { oid: oid::OID_X509_EXT_SUBJECT_ALT_NAME, allowed: &[Intermediate], critical: &[] },
    Profile { oid: oid::OID_X509_EXT_NAME_CONSTRAINTS, allowed: &[Intermediate], critical: &[Intermediate] },
    Profile { oid: oid::OID_X509_EXT_CERTIFICATE_POLICIES, allowed: &[Intermediate], critical: &[] },
    Profile { oid: oid::OID_X509_EXT_CRL_DISTRIBUTION_POINTS, allowed: &[Intermediate], critical: &[] },
    Profile { oid: oid::OID_PKIX_AUTHORITY_INFO_ACCESS, allowed: &[Intermediate], critical: &[] },
];

pub(super) fn duplicate(context: &Context<'_>) -> Verdict {
    let mut seen = HashSet::new();
    match context.view.parsed.extensions().iter().find(|e| !seen.insert(&e.oid)) {
        Some(twice) => problem(format!("{} twice", twice.oid), "each type once"),
        None => Ok(()),
    }
}

pub(super) fn known(context: &Context<'_>) -> Verdict {
    match context
        .view
        .parsed
        .extensions()
        .iter()
        .find(|e| !PROFILES.iter().any(|p| p.oid == e.oid && p.allowed.contains(&context.kind)))
    {
        Some(stranger) => problem(stranger.oid.to_string(), "only what this kind of certificate carries"),
        None => Ok(()),
    }
}

pub(super) fn criticality(context: &Context<'_>) -> Verdict {
    context.view.parsed.extensions().iter().try_for_each(|e| {
        let wanted = PROFILES.iter().find(|p| p.oid == e.oid).map(|p| p.critical.contains(&context.kind));
        // An unknown extension is refused by the lint of the known set.
        if wanted.is_none_or(|critical| critical == e.critical) {
            return Ok(());
        }
        let word = |critical| if critical { "critical" } else { "not critical" };
        problem(format!("{} {}", e.oid, word(e.critical)), word(!e.critical))
    })
}

pub(super) fn default_criticality(context: &Context<'_>) -> Verdict {
    if context.view.encoded_critical.contains(&Some(false)) {
        return problem("critical FALSE spelled out", "the default left out");
    }
    Ok(())
}

pub(super) fn canonical(context: &Context<'_>) -> Verdict {
    match context.view.parsed.extensions().iter().find(|e| !encode::understood(e)) {
        Some(odd) => problem(
            format!("{} = {}", odd.oid, crate::text::hex(odd.value)),
            "a value that its fields, written again, give byte for byte",
        ),
        None => Ok(()),
    }
}
