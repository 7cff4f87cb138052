//! What a certificate says, in words, from its bytes alone. Reviews are rendered
//! from this, so nothing in the bytes goes unshown: what has no words is shown
//! in hexadecimal, and what has no place here is an error.

use x509_parser::oid_registry as oid;
use x509_parser::oid_registry::Oid;

use super::extension_text;
use super::parsed::{Parsed, show_name};
use crate::error::{Error, Result};
use crate::lint::view::View;
use crate::lint::{algorithm, encode};
use crate::text::hex;
use crate::x509::{Digest, Serial, Time};

const PARSE: &str = "verify.describe";

/// Every field of a TBSCertificate (RFC 5280 §4.1.2), fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Description {
    /// Its serial number.
    pub serial: Serial,
    /// E.g. `ECDSA with SHA-256`; an AlgorithmIdentifier without words as hexadecimal.
    pub signature_algorithm: String,
    /// The issuer.
    pub issuer: String,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// The subject.
    pub subject: String,
    /// E.g. `p256`; an algorithm without words as hexadecimal.
    pub key_algorithm: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// The extensions in the order of the encoding.
    pub extensions: Vec<DescribedExtension>,
}

/// One extension, fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DescribedExtension {
    /// Its name in RFC 5280, or its OID.
    pub name: String,
    /// Whether it is critical.
    pub critical: bool,
    /// What it says; its DER in hexadecimal where it was not fully understood.
    pub text: String,
}

/// Describes bytes to be signed.
pub fn describe_tbs(tbs_der: &[u8]) -> Result<Description> {
    let view = View::parse(tbs_der)
        .map_err(|e| Error::integrity(PARSE, format!("bytes to be signed cannot be read: {e}")))?;
    describe(&view)
}

/// Describes a certificate; its signature is not verified here.
pub fn describe_certificate(der: &[u8]) -> Result<Description> {
    describe(&Parsed::from_der(der, PARSE)?.view)
}

/// The same of a root that clusters trust already: some are of version 1, without extensions.
pub fn describe_trusted(der: &[u8]) -> Result<Description> {
    fields(&Parsed::from_der(der, PARSE)?.view)
}

fn describe(view: &View<'_>) -> Result<Description> {
    if !view.is_v3() {
        return Err(refused(view, "not version 3"));
    }
    fields(view)
}

fn refused(view: &View<'_>, what: &str) -> Error {
    Error::integrity(PARSE, format!("{}: {what}", show_name(view.subject)))
}

fn fields(view: &View<'_>) -> Result<Description> {
    let refuse = |what: &str| refused(view, what);
    if view.unique_ids {
        return Err(refuse("has unique identifiers, which cannot be shown"));
    }
    let key = view.public_key();
    Ok(Description {
        serial: view
            .serial_number()
            .ok_or_else(|| refuse("serial number is zero, negative or longer than 20 octets"))?,
        signature_algorithm: algorithm::from_der(view.signature)
            .map_or_else(|| format!("DER {}", hex(view.signature)), |a| a.describe().into()),
        issuer: show_name(view.issuer),
        not_before: view.not_before.1,
        not_after: view.not_after.1,
        subject: show_name(view.subject),
        key_algorithm: key.map_or_else(|| format!("DER {}", hex(view.key)), |k| k.algorithm().to_string()),
        key_digest: Digest::of(view.key),
        extensions: view
            .parsed
            .extensions()
            .iter()
            .map(|e| DescribedExtension {
                name: name(&e.oid),
                critical: e.critical,
                text: match extension_text::text(e) {
                    Some(text) if encode::understood(e) => text,
                    _ => format!("DER {}", hex(e.value)),
                },
            })
            .collect(),
    })
}

const NAMES: [(Oid<'static>, &str); 10] = [
    (oid::OID_X509_EXT_BASIC_CONSTRAINTS, "basicConstraints"),
    (oid::OID_X509_EXT_KEY_USAGE, "keyUsage"),
    (oid::OID_X509_EXT_EXTENDED_KEY_USAGE, "extendedKeyUsage"),
    (oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier"),
    (oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier"),
    (oid::OID_X509_EXT_SUBJECT_ALT_NAME, "subjectAltName"),
    (oid::OID_X509_EXT_NAME_CONSTRAINTS, "nameConstraints"),
    (oid::OID_X509_EXT_CERTIFICATE_POLICIES, "certificatePolicies"),
    (oid::OID_X509_EXT_CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
    (oid::OID_PKIX_AUTHORITY_INFO_ACCESS, "authorityInfoAccess"),
];

fn name(oid: &Oid<'_>) -> String {
    NAMES.iter().find(|(known, _)| known == oid).map_or_else(|| oid.to_string(), |(_, name)| (*name).into())
}
