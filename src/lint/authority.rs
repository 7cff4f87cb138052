//! Lints of names granted beneath a CA and of where to look it up: SAN, name
//! constraints, policies, CRL distribution points, AIA.

use std::collections::HashSet;

use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::oid_registry as oid;

use super::{CertificateKind, Context, Verdict, problem};
use crate::text::shown;

pub(super) fn subject_alt_name(context: &Context<'_>) -> Verdict {
    let Some(ParsedExtension::SubjectAlternativeName(san)) =
        context.view.extension(&oid::OID_X509_EXT_SUBJECT_ALT_NAME).map(|e| e.parsed_extension())
    else {
        return Ok(());
    };
    if san.general_names.is_empty() {
        return problem("an empty list of names", "at least one name");
    }
    san.general_names.iter().try_for_each(sound_name)
}

pub(super) fn name_constraints(context: &Context<'_>) -> Verdict {
    let Some(constraints) = context.view.name_constraints() else { return Ok(()) };
    let lists = [&constraints.permitted_subtrees, &constraints.excluded_subtrees];
    if context.kind != CertificateKind::Intermediate {
        return problem("name constraints", "none but in an intermediate");
    }
    if lists.iter().all(|l| l.is_none()) {
        return problem("neither permitted nor excluded names", "at least one subtree");
    }
    lists.into_iter().flatten().flatten().try_for_each(|subtree| match &subtree.base {
        // Address and mask (RFC 5280 §4.2.1.10).
        GeneralName::IPAddress(octets) if matches!(octets.len(), 8 | 32) => Ok(()),
        GeneralName::IPAddress(octets) => {
            problem(format!("an address range of {} octets", octets.len()), "address and mask: 8 or 32")
        }
        other => sound_name(other),
    })
}

pub(super) fn certificate_policies(context: &Context<'_>) -> Verdict {
    let Some(ParsedExtension::CertificatePolicies(policies)) =
        context.view.extension(&oid::OID_X509_EXT_CERTIFICATE_POLICIES).map(|e| e.parsed_extension())
    else {
        return Ok(());
    };
    let mut seen = HashSet::new();
    match policies.iter().find(|p| !seen.insert(&p.policy_id)) {
        Some(twice) => problem(format!("{} twice", twice.policy_id), "each policy once"),
        None if policies.is_empty() => problem("an empty list", "at least one policy"),
        None => Ok(()),
    }
}

pub(super) fn crl_distribution_points(context: &Context<'_>) -> Verdict {
    let Some(ParsedExtension::CRLDistributionPoints(points)) =
        context.view.extension(&oid::OID_X509_EXT_CRL_DISTRIBUTION_POINTS).map(|e| e.parsed_extension())
    else {
        return Ok(());
    };
    if points.points.is_empty() {
        return problem("an empty list", "at least one distribution point");
    }
    points.points.iter().try_for_each(|point| match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) => names.iter().try_for_each(http),
        _ => problem("a distribution point without a full name", "an http URI"),
    })
}

pub(super) fn authority_info_access(context: &Context<'_>) -> Verdict {
    let Some(ParsedExtension::AuthorityInfoAccess(access)) =
        context.view.extension(&oid::OID_PKIX_AUTHORITY_INFO_ACCESS).map(|e| e.parsed_extension())
    else {
        return Ok(());
    };
    if access.accessdescs.is_empty() {
        return problem("an empty list", "at least one access description");
    }
    access.iter().try_for_each(|a| http(&a.access_location))
}

/// An http URI and no other: fetching a certificate's own proof over TLS may
/// need that very proof.
fn http(name: &GeneralName<'_>) -> Verdict {
    match name {
        GeneralName::URI(uri)
            if uri.strip_prefix("http://").is_some_and(|rest| !rest.is_empty() && graphic(rest)) =>
        {
            Ok(())
        }
        other => problem(shown(&other.to_string()), "an http:// URI"),
    }
}

/// IA5 names hold graphic ASCII and no space.
fn sound_name(name: &GeneralName<'_>) -> Verdict {
    match name {
        GeneralName::RFC822Name(text) | GeneralName::DNSName(text) | GeneralName::URI(text)
            if !graphic(text) || text.is_empty() =>
        {
            problem(shown(&name.to_string()), "graphic ASCII without spaces")
        }
        GeneralName::X400Address(_) | GeneralName::EDIPartyName(_) | GeneralName::Invalid(..) => {
            problem(shown(&name.to_string()), "a kind of name that can be read")
        }
        _ => Ok(()),
    }
}

fn graphic(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}
