//! Name constraints (RFC 5280 §4.2.1.10): dNSName is processed; any other kind
//! that bears on a name of the certificate leads to refusal, as §6.1.4 allows.

use x509_parser::extensions::{GeneralName, GeneralSubtree, ParsedExtension};
use x509_parser::oid_registry as oid;

use super::parsed::Parsed;
use super::path::fail;
use crate::error::Result;
use crate::text::shown;

const REFUSED: &str = "verify.path.name-constraints";

/// Checks a certificate's names against the constraints of a CA above it.
pub(crate) fn check(certificate: &Parsed<'_>, above: &Parsed<'_>) -> Result<()> {
    let Some(constraints) = above.view.name_constraints() else { return Ok(()) };
    let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    for subtree in permitted.iter().chain(excluded) {
        if !matches!(subtree.base, GeneralName::DNSName(_)) && bears_on(&subtree.base, certificate) {
            let what = format!(
                "constraint {} of {} cannot be judged here",
                shown(&subtree.base.to_string()),
                above.subject()
            );
            return fail(certificate, REFUSED, what);
        }
    }
    for name in alternative_names(certificate) {
        let GeneralName::DNSName(name) = name else { continue };
        let bases = |subtrees: &[GeneralSubtree<'_>]| {
            subtrees
                .iter()
                .filter_map(|s| {
                    if let GeneralName::DNSName(base) = s.base { Some(base.to_string()) } else { None }
                })
                .collect::<Vec<_>>()
        };
        let (permitted, excluded) = (bases(permitted), bases(excluded));
        if excluded.iter().any(|base| within(name, base)) {
            return fail(
                certificate,
                REFUSED,
                format!("DNS name {} is excluded by {}", shown(name), above.subject()),
            );
        }
        if !permitted.is_empty() && !permitted.iter().any(|base| within(name, base)) {
            return fail(
                certificate,
                REFUSED,
                format!("DNS name {} is not permitted by {}", shown(name), above.subject()),
            );
        }
    }
    Ok(())
}

/// Whether the certificate has a name of the constraint's kind.
fn bears_on(base: &GeneralName<'_>, certificate: &Parsed<'_>) -> bool {
    let subject = &certificate.view.parsed.subject;
    let in_subject = match base {
        GeneralName::DirectoryName(_) => subject.iter_attributes().next().is_some(),
        GeneralName::RFC822Name(_) => subject.iter_by_oid(&oid::OID_PKCS9_EMAIL_ADDRESS).next().is_some(),
        _ => false,
    };
    let same_kind = |name: &GeneralName<'_>| std::mem::discriminant(name) == std::mem::discriminant(base);
    in_subject || alternative_names(certificate).iter().any(same_kind)
}

fn alternative_names<'a>(certificate: &'a Parsed<'_>) -> &'a [GeneralName<'a>] {
    let san = certificate.view.extension(&oid::OID_X509_EXT_SUBJECT_ALT_NAME).map(|e| e.parsed_extension());
    match san {
        Some(ParsedExtension::SubjectAlternativeName(san)) => &san.general_names,
        _ => &[],
    }
}

/// A DNS name is within a base when labels added on the left make it; an empty
/// base holds every name, and one with a leading dot its subdomains alone.
fn within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    match name.strip_suffix(&base) {
        None => false,
        Some(left) => left.is_empty() || left.ends_with('.') || base.is_empty() || base.starts_with('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn dns_names_are_compared_by_labels() {
        for (name, base, expected) in [
            ("mesh.example.com", "example.com", true),
            ("example.com", "EXAMPLE.com", true),
            ("badexample.com", "example.com", false),
            ("example.com.evil.net", "example.com", false),
            ("anything", "", true),
            ("a.example.com", ".example.com", true),
            ("example.com", ".example.com", false),
        ] {
            assert_eq!(within(name, base), expected, "{name} in {base}");
        }
    }
}
