//! Lints of names (RFC 5280 §4.1.2.4, §4.1.2.6).

use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry as oid;
use x509_parser::oid_registry::Oid;
use x509_parser::x509::AttributeTypeAndValue;

use super::{CertificateKind, Context, Verdict, problem};
use crate::text::{hex, shown_bytes};
use crate::x509::Name;

/// Upper bounds in characters (RFC 5280 §A.1).
const UPPER_BOUNDS: [(Oid<'static>, usize); 10] = [
    (oid::OID_X509_COMMON_NAME, 64),
    (oid::OID_X509_SERIALNUMBER, 64),
    (oid::OID_X509_COUNTRY_NAME, 2),
    (oid::OID_X509_LOCALITY_NAME, 128),
    (oid::OID_X509_STATE_OR_PROVINCE_NAME, 128),
    (oid::OID_X509_STREET_ADDRESS, 128),
    (oid::OID_X509_ORGANIZATION_NAME, 64),
    (oid::OID_X509_ORGANIZATIONAL_UNIT, 64),
    (oid::OID_X509_TITLE, 64),
    (oid::OID_PKCS9_EMAIL_ADDRESS, 255),
];

/// For attribute types whose standard sets no bound.
const UPPER_BOUND: usize = 255;

pub(super) fn issuer(context: &Context<'_>) -> Verdict {
    let (wanted, whose) = match (context.kind, context.issuer) {
        (CertificateKind::Root, _) => (context.view.subject, "its own subject"),
        (_, Some(issuer)) => (issuer.subject.as_der(), "the issuer's subject"),
        (_, None) => return problem("no issuer to compare with", "an issuer"),
    };
    if context.view.issuer == wanted {
        return Ok(());
    }
    problem(name(context.view.issuer), format!("{whose} byte for byte: {}", name(wanted)))
}

/// Beneath a renewed root everything that was signed before must hold as it did.
pub(super) fn renewal(context: &Context<'_>) -> Verdict {
    let (CertificateKind::Root, Some(before)) = (context.kind, context.issuer) else { return Ok(()) };
    let view = &context.view;
    let kept = [
        ("subject", view.subject == before.subject.as_der()),
        ("key", view.key == before.public_key.as_der()),
        ("subject key identifier", view.subject_key_id() == Some(&before.key_id)),
        ("beginning", view.not_before.1 == before.not_before),
        ("path length", view.path_length() == before.path_len.map(u32::from)),
    ];
    if let Some((what, _)) = kept.iter().find(|(_, same)| !same) {
        return problem(format!("another {what}"), "the one of the root that it renews");
    }
    if view.serial_number().as_ref() == Some(&before.serial) {
        return problem("the same serial number", "another one");
    }
    let end = view.not_after.1;
    if end <= before.not_after {
        return problem(format!("an end at {end}"), format!("one after {}", before.not_after));
    }
    Ok(())
}

pub(super) fn subject_present(context: &Context<'_>) -> Verdict {
    match attributes(context).next() {
        Some(_) => Ok(()),
        None => problem("an empty subject", "at least one attribute"),
    }
}

pub(super) fn subject_is_not_issuer(context: &Context<'_>) -> Verdict {
    if context.kind == CertificateKind::Root || context.view.subject != context.view.issuer {
        return Ok(());
    }
    problem(name(context.view.subject), "a subject other than the issuer")
}

pub(super) fn attribute_text(context: &Context<'_>) -> Verdict {
    attributes(context).try_for_each(|a| {
        let text = String::from_utf8_lossy(a.as_slice());
        if text.trim().is_empty() || text.chars().any(steers) {
            return problem(describe(a), "text without control or direction characters");
        }
        Ok(())
    })
}

pub(super) fn attribute_length(context: &Context<'_>) -> Verdict {
    attributes(context).try_for_each(|a| {
        let length = String::from_utf8_lossy(a.as_slice()).chars().count();
        let bound = UPPER_BOUNDS
            .iter()
            .find(|(oid, _)| oid == a.attr_type())
            .map_or(UPPER_BOUND, |(_, bound)| *bound);
        if length > bound {
            return problem(format!("{} of {length} characters", a.attr_type()), format!("at most {bound}"));
        }
        Ok(())
    })
}

pub(super) fn string_type(context: &Context<'_>) -> Verdict {
    attributes(context).try_for_each(|a| {
        let (allowed, wanted): (&[Tag], _) = match a.attr_type() {
            t if *t == oid::OID_X509_COUNTRY_NAME || *t == oid::OID_X509_SERIALNUMBER => {
                (&[Tag::PrintableString], "PrintableString")
            }
            t if *t == oid::OID_DOMAIN_COMPONENT || *t == oid::OID_PKCS9_EMAIL_ADDRESS => {
                (&[Tag::Ia5String], "IA5String")
            }
            _ => (&[Tag::Utf8String, Tag::PrintableString], "UTF8String or PrintableString"),
        };
        if allowed.contains(&a.attr_value().tag()) {
            return Ok(());
        }
        problem(format!("{} as {}", a.attr_type(), a.attr_value().tag()), wanted)
    })
}

pub(super) fn country(context: &Context<'_>) -> Verdict {
    attributes(context).filter(|a| *a.attr_type() == oid::OID_X509_COUNTRY_NAME).try_for_each(|a| {
        match a.as_slice() {
            [first, second] if first.is_ascii_uppercase() && second.is_ascii_uppercase() => Ok(()),
            _ => problem(describe(a), "two capital letters (ISO 3166)"),
        }
    })
}

/// The subject's attributes; the issuer's were judged when it was signed.
fn attributes<'a>(context: &'a Context<'_>) -> impl Iterator<Item = &'a AttributeTypeAndValue<'a>> {
    context.view.parsed.subject.iter_attributes()
}

/// Control characters, and those that turn or hide what is read.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn describe(attribute: &AttributeTypeAndValue<'_>) -> String {
    format!("{} '{}'", attribute.attr_type(), shown_bytes(attribute.as_slice()))
}

pub(super) fn name(der: &[u8]) -> String {
    Name::from_der(der).map_or_else(|_| hex(der), |n| n.to_string())
}
