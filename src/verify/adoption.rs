//! Whether a root that was made elsewhere is fit to be this CA's. Every rule
//! judges, so that an operator sees all that is wrong with it at once.
//!
//! Less is asked of it than of a root made here, for it cannot be changed: what
//! only differs in style is taken as it is, and what it lacks for a use to come is
//! warned of. What could make anything beneath it invalid is refused.

use x509_parser::oid_registry as oid;

use super::parsed::{Parsed, show_name};
use super::path::{PROCESSED, validate_path};
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::finding::{Finding, Outcome};
use crate::lint::{self, CertificateKind, algorithm};
use crate::text::hex;
use crate::x509::{Issuer, KeyAlgorithm, Seconds, SignatureAlgorithm, Time};

/// With less than this left, an intermediate of a year's validity no longer fits.
const ENOUGH: Seconds = Seconds(365 * Seconds::DAY.0);
/// What an AKI can hold without harm in each certificate.
const KEY_ID_MAXIMUM: usize = 64;
/// 128 bits of strength (NIST SP 800-57 part 1).
const RSA_BITS: u32 = 3072;

/// Lints that bind this root too: what they find could not be lived with.
const LINTED: [&str; 9] = [
    "lint.unique-ids",
    "lint.subject.text",
    "lint.validity.order",
    "lint.key.algorithm",
    "lint.key.encoding",
    "lint.key.rsa-modulus",
    "lint.key.rsa-exponent",
    "lint.extension.duplicate",
    "lint.basic-constraints.ca",
];

/// One rule of fitness.
#[derive(Debug)]
pub struct AdoptionRule {
    /// Its stable ID.
    pub id: &'static str,
    /// The standard behind it.
    pub reference: &'static str,
    /// What it demands.
    pub summary: &'static str,
    check: fn(&Case<'_>) -> Verdict,
}

/// What a rule may look at.
struct Case<'a> {
    der: &'a [u8],
    root: Parsed<'a>,
    at: Time,
}

/// In order, allowed with a warning, or refused; with the value found.
enum Verdict {
    Pass(String),
    Warn(String),
    Refuse(String),
}
use Verdict::{Pass, Refuse, Warn};

const fn rule(
    id: &'static str,
    check: fn(&Case<'_>) -> Verdict,
    reference: &'static str,
    summary: &'static str,
) -> AdoptionRule {
    AdoptionRule { id, reference, summary, check }
}

/// Every rule, in the order in which they speak. Those that only warn: a key of 112
/// bits (allowed to 2030), a last year, a keyUsage that is not critical (which
/// RFC 5280 wishes for, and no verifier asks of a root), and a missing cRLSign.
#[rustfmt::skip]
pub const ADOPTION_RULES: &[AdoptionRule] = &[
    rule("adopt.version", version, "RFC 5280 §4.1.2.1, §6.1.4 (k)", "version 3: an older one cannot say that it is a CA"),
    rule("adopt.serial", serial, "RFC 5280 §4.1.2.2", "a positive serial number of at most 20 octets"),
    rule("adopt.self-issued", self_issued, "RFC 5280 §3.2", "issuer and subject the same, byte for byte"),
    rule("adopt.subject", subject, "RFC 5280 §4.1.2.6", "a subject that is not empty"),
    rule("adopt.validity", validity, "RFC 5280 §4.1.2.5", "valid now"),
    rule("adopt.validity-left", validity_left, "RFC 5280 §6.1.3 (a)(2)", "a year or more left"),
    rule("adopt.signature-algorithm", signature_algorithm, "RFC 5280 §4.1.1.2, NIST SP 800-131A §3", "a self-signature with SHA-256, SHA-384, SHA-512, Ed25519, ML-DSA-65 or -87"),
    rule("adopt.signature", signature, "RFC 5280 §6.1.3 (a)(1)", "a self-signature that verifies"),
    rule("adopt.key", key, "NIST SP 800-57 part 1 §5.6.1.1", "a key of P-256, P-384, Ed25519, ML-DSA-65 or -87, or RSA with 3072 bits or more"),
    rule("adopt.basic-constraints", basic_constraints, "RFC 5280 §4.2.1.9", "basicConstraints critical with CA:TRUE"),
    rule("adopt.path-length", path_length, "RFC 5280 §4.2.1.9", "room for a CA beneath it"),
    rule("adopt.key-usage", key_usage, "RFC 5280 §4.2.1.3", "keyUsage with keyCertSign"),
    rule("adopt.key-usage-critical", key_usage_critical, "RFC 5280 §4.2.1.3", "keyUsage critical"),
    rule("adopt.crl-sign", crl_sign, "RFC 5280 §4.2.1.3", "keyUsage with cRLSign, without which it can sign no CRL"),
    rule("adopt.subject-key-id", subject_key_id, "RFC 5280 §4.2.1.2", "a subject key identifier of 1 to 64 octets"),
    rule("adopt.authority-key-id", authority_key_id, "RFC 5280 §4.2.1.1", "an authority key identifier that is its own, or none"),
    rule("adopt.extensions", extensions, "RFC 5280 §4.2, §6.1.1", "no extension that limits what stands beneath it, and no critical one that is not known here"),
];

/// The last word where no other rule refuses: whatever they overlooked, both readers
/// of all that is to be signed beneath this root must take it.
const READERS: AdoptionRule =
    rule("adopt.readers", readers, "RFC 5280 §6.1", "a certificate that both parsers here take for a root");

/// All findings on the DER of one certificate. Where it cannot be read, there is one.
pub fn judge_adopted(der: &[u8], at: Time) -> Vec<Finding> {
    let root = match Parsed::from_der(der, "adopt.parse") {
        Ok(root) => root,
        Err(e) => {
            let wanted = "one certificate in canonical DER";
            return vec![Finding::new("adopt.parse", Outcome::Refused, "X.690 §10", &e.message, "", wanted)];
        }
    };
    let planned = algorithm::from_der(root.view.signature).unwrap_or(SignatureAlgorithm::EcdsaSha256);
    let linted = lint::findings(root.tbs, planned, CertificateKind::Root, None);
    let case = Case { der, root, at };
    let own = ADOPTION_RULES.iter().map(|rule| rule.judge(&case));
    let linted = linted.into_iter().filter(|f| LINTED.contains(&f.rule));
    let mut all: Vec<Finding> = own.chain(linted).collect();
    if !all.iter().any(Finding::refuses) {
        all.push(READERS.judge(&case));
    }
    all
}

/// Refuses a root that is not fit, with all that is wrong.
pub fn check_adopted(der: &[u8], at: Time) -> Result<()> {
    check_fit(der, at, "verify.adopted", "the root taken over")
}

/// The same of another root, that is trusted beside this CA's own.
pub fn check_companion(der: &[u8], at: Time) -> Result<()> {
    check_fit(der, at, "verify.companion", "the other root on record")
}

fn check_fit(der: &[u8], at: Time, id: &'static str, which: &str) -> Result<()> {
    let refused: Vec<String> = judge_adopted(der, at)
        .into_iter()
        .filter(Finding::refuses)
        .map(|f| format!("{} ({})", f.message, f.rule))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(Error::integrity(id, format!("{which} is not fit: {}", refused.join("; "))))
}

impl AdoptionRule {
    fn judge(&self, case: &Case<'_>) -> Finding {
        let (outcome, found) = match (self.check)(case) {
            Pass(found) => (Outcome::Pass, found),
            Warn(found) => (Outcome::Warning, found),
            Refuse(found) => (Outcome::Refused, found),
        };
        let message = match outcome {
            Outcome::Pass => format!("found {found}"),
            _ => format!("found {found}, wanted {}", self.summary),
        };
        Finding::new(self.id, outcome, self.reference, message, found, self.summary)
    }
}

fn pass_or_refuse(holds: bool, found: impl Into<String>) -> Verdict {
    if holds { Pass(found.into()) } else { Refuse(found.into()) }
}

fn pass_or_warn(holds: bool, found: impl Into<String>) -> Verdict {
    if holds { Pass(found.into()) } else { Warn(found.into()) }
}

fn version(case: &Case<'_>) -> Verdict {
    let found = case.root.view.parsed.version.0 + 1;
    pass_or_refuse(case.root.view.is_v3(), format!("version {found}"))
}

fn serial(case: &Case<'_>) -> Verdict {
    let found = hex(case.root.view.serial);
    pass_or_refuse(case.root.view.serial_number().is_some(), format!("serial number {found}"))
}

fn self_issued(case: &Case<'_>) -> Verdict {
    let view = &case.root.view;
    let found = format!("issuer {}, subject {}", show_name(view.issuer), show_name(view.subject));
    pass_or_refuse(view.issuer == view.subject, found)
}

fn subject(case: &Case<'_>) -> Verdict {
    let there = case.root.view.parsed.subject.iter_attributes().next().is_some();
    pass_or_refuse(there, format!("subject {}", case.root.subject()))
}

fn validity(case: &Case<'_>) -> Verdict {
    let (from, to) = (case.root.view.not_before.1, case.root.view.not_after.1);
    pass_or_refuse((from..=to).contains(&case.at), format!("valid from {from} to {to}, now is {}", case.at))
}

fn validity_left(case: &Case<'_>) -> Verdict {
    let end = case.root.view.not_after.1;
    pass_or_warn(end >= case.at + ENOUGH, format!("an end at {end}"))
}

fn signature_algorithm(case: &Case<'_>) -> Verdict {
    let (outer, inner) = (case.root.algorithm, case.root.view.signature);
    match algorithm::from_der(outer) {
        _ if outer != inner => Refuse(format!("{} outside and {} inside", hex(outer), hex(inner))),
        Some(known) => Pass(known.describe().into()),
        None => {
            let found = &case.root.view.parsed.signature;
            let oid = found.algorithm.to_id_string();
            let with = if found.parameters.is_some() { "with" } else { "without" };
            Refuse(format!("signature algorithm {oid} {with} parameters"))
        }
    }
}

fn signature(case: &Case<'_>) -> Verdict {
    let (Some(known), Some(key)) = (algorithm::from_der(case.root.algorithm), case.root.view.public_key())
    else {
        return Refuse("one that cannot be verified here".into());
    };
    match verify_signature(&key, known, case.root.tbs, case.root.signature) {
        Ok(()) => Pass("one that verifies".into()),
        Err(e) => Refuse(e.message),
    }
}

fn key(case: &Case<'_>) -> Verdict {
    let Some(key) = case.root.view.public_key() else { return Refuse("a key that cannot be read".into()) };
    let found = format!("a {} key", key.algorithm());
    match key.algorithm() {
        KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::Ed25519 => Pass(found),
        KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => Pass(found),
        KeyAlgorithm::Rsa(RSA_BITS..) => Pass(found),
        KeyAlgorithm::Rsa(2048..) => Warn(found),
        _ => Refuse(found),
    }
}

fn basic_constraints(case: &Case<'_>) -> Verdict {
    let extension = case.root.view.extension(&oid::OID_X509_EXT_BASIC_CONSTRAINTS);
    match (extension, case.root.view.basic_constraints()) {
        (Some(extension), Some(value)) => {
            let critical = if extension.critical { "critical" } else { "not critical" };
            let ca = if value.ca { "CA:TRUE" } else { "CA:FALSE" };
            pass_or_refuse(extension.critical && value.ca, format!("{critical} {ca}"))
        }
        _ => Refuse("no basicConstraints".into()),
    }
}

fn path_length(case: &Case<'_>) -> Verdict {
    match case.root.view.path_length() {
        None => Pass("no path length".into()),
        Some(length) => pass_or_refuse((1..=255).contains(&length), format!("path length {length}")),
    }
}

fn key_usage(case: &Case<'_>) -> Verdict {
    match case.root.view.key_usage() {
        Some(usage) => pass_or_refuse(usage.key_cert_sign(), usage.to_string()),
        None => Refuse("no keyUsage".into()),
    }
}

fn key_usage_critical(case: &Case<'_>) -> Verdict {
    match case.root.view.extension(&oid::OID_X509_EXT_KEY_USAGE) {
        Some(extension) if !extension.critical => Warn("one that is not critical".into()),
        Some(_) => Pass("a critical one".into()),
        None => Warn("none".into()),
    }
}

fn crl_sign(case: &Case<'_>) -> Verdict {
    let usage = case.root.view.key_usage();
    let found = usage.as_ref().map_or("no keyUsage".into(), ToString::to_string);
    pass_or_warn(usage.is_some_and(|usage| usage.crl_sign()), found)
}

fn subject_key_id(case: &Case<'_>) -> Verdict {
    match case.root.view.subject_key_id() {
        Some(id) => pass_or_refuse((1..=KEY_ID_MAXIMUM).contains(&id.len()), hex(id)),
        None => Refuse("none".into()),
    }
}

fn authority_key_id(case: &Case<'_>) -> Verdict {
    let view = &case.root.view;
    let Some(authority) = view.authority_key_id() else { return Pass("none".into()) };
    match authority.key_identifier.as_ref().map(|id| id.0) {
        Some(id) => pass_or_refuse(Some(id) == view.subject_key_id(), hex(id)),
        None => Pass("one without a key identifier".into()),
    }
}

fn extensions(case: &Case<'_>) -> Verdict {
    let limits = [oid::OID_X509_EXT_NAME_CONSTRAINTS, oid::OID_X509_EXT_EXTENDED_KEY_USAGE];
    let strange = |critical: bool, oid: &oid::Oid<'_>| critical && !PROCESSED.contains(oid);
    let all = case.root.view.parsed.extensions();
    match all.iter().find(|e| limits.contains(&e.oid) || strange(e.critical, &e.oid)) {
        Some(found) => {
            let critical = if found.critical { "critical " } else { "" };
            Refuse(format!("{critical}extension {}", extension_name(&found.oid)))
        }
        None => Pass(format!("{} extensions", all.len())),
    }
}

fn extension_name(oid: &oid::Oid<'_>) -> String {
    match oid {
        o if *o == oid::OID_X509_EXT_NAME_CONSTRAINTS => "nameConstraints".into(),
        o if *o == oid::OID_X509_EXT_EXTENDED_KEY_USAGE => "extKeyUsage".into(),
        other => other.to_id_string(),
    }
}

fn readers(case: &Case<'_>) -> Verdict {
    let read = Issuer::from_der(case.der).map(drop).and_then(|()| validate_path(&[], case.der, case.at));
    match read {
        Ok(()) => Pass("a root".into()),
        Err(e) => Refuse(e.message),
    }
}
