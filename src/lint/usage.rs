//! Lints of what a certificate may be used for: basicConstraints, keyUsage and
//! extendedKeyUsage (RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.12).

use x509_parser::asn1_rs::oid;

use super::CertificateKind::{Intermediate, Journal, Root};
use super::{Context, Verdict, problem};
use crate::x509::KeyAlgorithm;

/// keyUsage bits as x509-parser numbers them.
const DIGITAL_SIGNATURE: u16 = 1;
const KEY_ENCIPHERMENT: u16 = 1 << 2;
const KEY_CERT_SIGN: u16 = 1 << 5;
const CRL_SIGN: u16 = 1 << 6;
const CA: u16 = KEY_CERT_SIGN | CRL_SIGN;

/// id-kp-documentSigning (RFC 9336).
pub(crate) const DOCUMENT_SIGNING: &[u8] = &oid!(raw 1.3.6.1.5.5.7.3.36);
const SERVER_AUTH: &[u8] = &oid!(raw 1.3.6.1.5.5.7.3.1);
const CLIENT_AUTH: &[u8] = &oid!(raw 1.3.6.1.5.5.7.3.2);
const ANY: &[u8] = &oid!(raw 2.5.29.37.0);

/// Whether these purposes let a chain serve, and let it call (RFC 5280 §4.2.1.12).
pub(crate) fn tls(purposes: &[&[u8]]) -> (bool, bool) {
    let has = |purpose| purposes.contains(&purpose) || purposes.contains(&ANY);
    (has(SERVER_AUTH), has(CLIENT_AUTH))
}

pub(super) fn ca(context: &Context<'_>) -> Verdict {
    let wanted = context.kind != Journal;
    match context.view.basic_constraints().map(|b| b.ca) {
        Some(ca) if ca == wanted => Ok(()),
        found => problem(
            found.map_or("no basicConstraints".into(), |ca| format!("CA:{ca}").to_uppercase()),
            if wanted { "CA:TRUE" } else { "CA:FALSE" },
        ),
    }
}

pub(super) fn path_length(context: &Context<'_>) -> Verdict {
    let found = context.view.basic_constraints().and_then(|b| b.path_len_constraint);
    let show =
        |length: Option<u32>| length.map_or("no path length".to_string(), |l| format!("path length {l}"));
    let issuers = context.issuer.and_then(|i| i.path_len).map(u32::from);
    match (context.kind, found, issuers) {
        (Root, _, _) | (Journal, None, _) | (Intermediate, Some(_), None) => Ok(()),
        (Intermediate, Some(own), Some(issuers)) if own < issuers => Ok(()),
        (Intermediate, _, Some(0)) => problem(show(found), "no CA at all beneath an issuer of path length 0"),
        (Intermediate, _, Some(issuers)) => {
            problem(show(found), format!("a path length below the issuer's {issuers}"))
        }
        (Intermediate, None, None) => problem(show(found), "a path length"),
        (Journal, Some(_), _) => problem(show(found), "none without CA:TRUE"),
    }
}

pub(super) fn key_usage(context: &Context<'_>) -> Verdict {
    let (needed, also, wanted) = match context.kind {
        Root => (CA, 0, "keyCertSign and cRLSign alone"),
        Intermediate => (
            CA,
            DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
            "keyCertSign and cRLSign, with digitalSignature and keyEncipherment at most",
        ),
        Journal => (DIGITAL_SIGNATURE, 0, "digitalSignature alone"),
    };
    match context.view.key_usage() {
        Some(usage) if usage.flags & needed == needed && usage.flags & !(needed | also) == 0 => Ok(()),
        found => problem(found.map_or("no keyUsage".into(), |usage| usage.to_string()), wanted),
    }
}

pub(super) fn key_encipherment(context: &Context<'_>) -> Verdict {
    if context.view.key_usage().is_none_or(|usage| usage.flags & KEY_ENCIPHERMENT == 0) {
        return Ok(());
    }
    match context.view.public_key().map(|key| key.algorithm()) {
        None | Some(KeyAlgorithm::Rsa(_)) => Ok(()),
        Some(other) => problem(format!("keyEncipherment with {other}"), "it with RSA keys only"),
    }
}

pub(super) fn journal_purpose(context: &Context<'_>) -> Verdict {
    if context.kind != Journal || context.view.extended_key_usage().as_deref() == Some(&[DOCUMENT_SIGNING]) {
        return Ok(());
    }
    let found = context.view.extended_key_usage().map_or(0, |purposes| purposes.len());
    problem(format!("{found} purposes, not documentSigning alone"), "documentSigning alone")
}

pub(super) fn ca_purposes(context: &Context<'_>) -> Verdict {
    let Some(purposes) = context.view.extended_key_usage().filter(|_| context.kind != Journal) else {
        return Ok(());
    };
    let doubled =
        purposes.iter().enumerate().any(|(n, p)| purposes.iter().skip(n + 1).any(|other| other == p));
    if purposes.is_empty() || doubled || purposes.contains(&ANY) {
        return problem(
            format!("{} purposes, empty, doubled or any", purposes.len()),
            "each purpose once and never anyExtendedKeyUsage",
        );
    }
    Ok(())
}

pub(super) fn server_needs_client(context: &Context<'_>) -> Verdict {
    let purposes = context.view.extended_key_usage().unwrap_or_default();
    if purposes.contains(&SERVER_AUTH) && !purposes.contains(&CLIENT_AUTH) {
        return problem("serverAuth alone", "clientAuth too, or workloads cannot open mutual TLS");
    }
    Ok(())
}
