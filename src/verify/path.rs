//! Path validation (RFC 5280 §6.1) for chains of CAs, and the two checks that
//! RFC 5280 leaves out: a new CA is counted against every path length above it
//! even where it is the last certificate, and none may outlive its issuer.

use x509_parser::oid_registry as oid;
use x509_parser::oid_registry::Oid;

use super::name_constraints;
use super::parsed::{Parsed, show_name};
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::lint::{algorithm, encode};
use crate::text::hex;
use crate::x509::Time;

/// Longer than any hierarchy; bounds the work.
const LONGEST: usize = 10;

/// Extensions that are processed here, so that they may be critical.
pub(super) const PROCESSED: [Oid<'static>; 5] = [
    oid::OID_X509_EXT_BASIC_CONSTRAINTS,
    oid::OID_X509_EXT_KEY_USAGE,
    oid::OID_X509_EXT_EXTENDED_KEY_USAGE,
    oid::OID_X509_EXT_NAME_CONSTRAINTS,
    oid::OID_X509_EXT_SUBJECT_ALT_NAME,
];

const PARSE: &str = "verify.path.parse";
const KEY: &str = "verify.path.key";

/// Validates a chain, the last certificate first and without the root, against
/// the root's certificate. An empty chain validates the root alone.
pub fn validate_path(chain: &[&[u8]], root: &[u8], at: Time) -> Result<()> {
    if chain.len() > LONGEST {
        return Err(Error::integrity(
            "verify.path.too-long",
            format!("a chain of {} certificates, wanted at most {LONGEST}", chain.len()),
        ));
    }
    let root = read_root(root)?;
    check_time(&root, at)?;
    // From the root downwards, as trust flows.
    let mut path = vec![root];
    for (n, der) in chain.iter().enumerate().rev() {
        let certificate =
            Parsed::from_der(der, PARSE).map_err(|e| e.at(format!("certificate {n} of the chain")))?;
        if let Some(issuer) = path.last() {
            check_link(&certificate, issuer)?;
        }
        check_time(&certificate, at)?;
        for above in &path {
            name_constraints::check(&certificate, above)?;
        }
        path.push(certificate);
    }
    check_path_lengths(path.iter())
}

/// A root's certificate, read and found to be one.
pub(super) fn read_root(der: &[u8]) -> Result<Parsed<'_>> {
    let root = Parsed::from_der(der, PARSE).map_err(|e| e.at("root certificate"))?;
    check_root(&root)?;
    Ok(root)
}

/// As [`validate_path`], of a chain of one beneath a root that was read by [`read_root`].
pub(super) fn validate_beneath(certificate: &Parsed<'_>, root: &Parsed<'_>, at: Time) -> Result<()> {
    check_signature(certificate, root)?;
    validate_signed(certificate, root, at)
}

/// The same of one whose signature was verified with the root's key.
pub(super) fn validate_signed(certificate: &Parsed<'_>, root: &Parsed<'_>, at: Time) -> Result<()> {
    check_time(root, at)?;
    check_issued(certificate, root)?;
    check_time(certificate, at)?;
    name_constraints::check(certificate, root)?;
    check_path_lengths([root, certificate].into_iter())
}

/// A root: self-issued, its own signature verifies, a CA that may sign certificates.
pub(crate) fn check_root(root: &Parsed<'_>) -> Result<()> {
    check_form(root)?;
    check_is_ca(root)?;
    if root.view.issuer != root.view.subject {
        return fail(
            root,
            "verify.path.root",
            format!("issued by {}, not by itself", show_name(root.view.issuer)),
        );
    }
    let own = root.view.subject_key_id();
    let authority = root.view.authority_key_id().and_then(|a| a.key_identifier.as_ref()).map(|id| id.0);
    if own.is_none() || authority.is_some_and(|id| Some(id) != own) {
        return fail(
            root,
            "verify.path.key-id",
            "no subjectKeyIdentifier that its authorityKeyIdentifier agrees with",
        );
    }
    check_signature(root, root)
}

/// All that ties a certificate to its issuer and does not depend on the time.
pub(crate) fn check_link(certificate: &Parsed<'_>, issuer: &Parsed<'_>) -> Result<()> {
    check_issued(certificate, issuer)?;
    check_signature(certificate, issuer)
}

/// The same but for the signature.
fn check_issued(certificate: &Parsed<'_>, issuer: &Parsed<'_>) -> Result<()> {
    check_form(certificate)?;
    check_is_ca(issuer)?;
    let (found, wanted) = (certificate.view.issuer, issuer.view.subject);
    if found != wanted {
        let what = format!("issuer is {}, not {} byte for byte", show_name(found), show_name(wanted));
        return fail(certificate, "verify.path.name-chaining", what);
    }
    let key_id = certificate.view.authority_key_id().and_then(|a| a.key_identifier.as_ref()).map(|id| id.0);
    if key_id.is_none() || key_id != issuer.view.subject_key_id() {
        let show = |id: Option<&[u8]>| id.map_or("none".into(), hex);
        let what = format!(
            "authorityKeyIdentifier is {}, the issuer's subjectKeyIdentifier {}",
            show(key_id),
            show(issuer.view.subject_key_id())
        );
        return fail(certificate, "verify.path.key-id", what);
    }
    let (end, issuers_end) = (certificate.view.not_after.1, issuer.view.not_after.1);
    if end > issuers_end {
        let what = format!("valid until {end}, beyond its issuer's {issuers_end}");
        return fail(certificate, "verify.path.outlives-issuer", what);
    }
    Ok(())
}

/// Validity at a time, both ends included (RFC 5280 §6.1.3 (a)(2)).
pub(crate) fn check_time(certificate: &Parsed<'_>, at: Time) -> Result<()> {
    let (not_before, not_after) = (certificate.view.not_before.1, certificate.view.not_after.1);
    if (not_before..=not_after).contains(&at) {
        return Ok(());
    }
    fail(certificate, "verify.path.validity", format!("valid from {not_before} to {not_after}, not at {at}"))
}

/// Version 3, each extension once, and every critical one processed here.
fn check_form(certificate: &Parsed<'_>) -> Result<()> {
    let parsed = &certificate.view.parsed;
    if !certificate.view.is_v3() {
        let what = format!("version field is '{}', wanted version 3", hex(certificate.view.version));
        return fail(certificate, "verify.path.version", what);
    }
    for (n, extension) in parsed.extensions().iter().enumerate() {
        if parsed.extensions().iter().skip(n + 1).any(|other| other.oid == extension.oid) {
            return fail(certificate, "verify.path.extension", format!("extension {} twice", extension.oid));
        }
        let processed = PROCESSED.contains(&extension.oid);
        if extension.critical && !processed {
            let what = format!("critical extension {} is not known here", extension.oid);
            return fail(certificate, "verify.path.critical", what);
        }
        if processed && !encode::understood(extension) {
            let what = format!("extension {} is not canonical: {}", extension.oid, hex(extension.value));
            return fail(certificate, "verify.path.extension", what);
        }
    }
    Ok(())
}

fn check_is_ca(issuer: &Parsed<'_>) -> Result<()> {
    if !is_ca(issuer) {
        return fail(
            issuer,
            "verify.path.not-a-ca",
            "signs certificates, but has no basicConstraints with CA:TRUE",
        );
    }
    if !issuer.view.key_usage().is_some_and(|usage| usage.key_cert_sign()) {
        return fail(
            issuer,
            "verify.path.key-usage",
            "signs certificates, but has no keyUsage with keyCertSign",
        );
    }
    Ok(())
}

fn is_ca(certificate: &Parsed<'_>) -> bool {
    certificate.view.basic_constraints().is_some_and(|constraints| constraints.ca)
}

fn check_signature(certificate: &Parsed<'_>, issuer: &Parsed<'_>) -> Result<()> {
    let (outer, inner) = (certificate.algorithm, certificate.view.signature);
    if outer != inner {
        let what = format!("signatureAlgorithm is {} outside and {} inside", hex(outer), hex(inner));
        return fail(certificate, "verify.path.algorithm", what);
    }
    let Some(algorithm) = algorithm::from_der(outer) else {
        let what = format!(
            "signature algorithm {} is not one of SHA-256, SHA-384, SHA-512, Ed25519 or ML-DSA",
            hex(outer)
        );
        return fail(certificate, "verify.path.algorithm", what);
    };
    verify_signature(&issuer.public_key(KEY)?, algorithm, certificate.tbs, certificate.signature)
        .or_else(|e| fail(certificate, "verify.path.signature", e.message))
}

/// Every path length, the root's own too, against the CAs beneath it. `path`
/// begins with the root.
fn check_path_lengths<'p>(path: impl DoubleEndedIterator<Item = &'p Parsed<'p>>) -> Result<()> {
    for (beneath, certificate) in (0_u32..).zip(path.rev().filter(|c| is_ca(c))) {
        let limit = certificate.view.basic_constraints().and_then(|b| b.path_len_constraint);
        if let Some(limit) = limit.filter(|limit| *limit < beneath) {
            let what = format!("path length {limit}, but {beneath} CA certificates beneath it");
            return fail(certificate, "verify.path.path-length", what);
        }
    }
    Ok(())
}

pub(crate) fn fail<T>(certificate: &Parsed<'_>, id: &'static str, what: impl Into<String>) -> Result<T> {
    Err(Error::integrity(id, what).at(certificate.subject()))
}
