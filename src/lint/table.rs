//! The table of lints: ID, summary, citation, function.

use super::{Context, Verdict, authority, crl, extensions, form, keys, names, usage, validity};

/// One lint.
#[derive(Debug)]
pub struct Lint {
    /// Its stable ID.
    pub id: &'static str,
    /// What it demands.
    pub summary: &'static str,
    /// The standard behind it.
    pub reference: &'static str,
    /// Whether it only warns.
    pub warns: bool,
    pub(super) check: Check,
}

/// What a lint looks at. Those of bytes speak where nothing can be read.
#[derive(Debug)]
pub(super) enum Check {
    Bytes(fn(&[u8]) -> Verdict),
    Fields(fn(&Context<'_>) -> Verdict),
    Crl(fn(&crl::Context<'_>) -> Verdict),
}

pub(super) const fn bytes(
    id: &'static str,
    check: fn(&[u8]) -> Verdict,
    reference: &'static str,
    summary: &'static str,
) -> Lint {
    Lint { id, summary, reference, warns: false, check: Check::Bytes(check) }
}

const fn field(
    id: &'static str,
    check: fn(&Context<'_>) -> Verdict,
    reference: &'static str,
    summary: &'static str,
) -> Lint {
    Lint { id, summary, reference, warns: false, check: Check::Fields(check) }
}

/// Every lint, in the order in which they speak.
#[rustfmt::skip]
pub const LINTS: &[Lint] = &[
    bytes("lint.der", form::der, "X.690 §10, §11", "the encoding is canonical DER"),
    bytes("lint.parse", form::parse, "RFC 5280 §4.1", "every byte belongs to a field of TBSCertificate"),
    field("lint.version", form::version, "RFC 5280 §4.1.2.1", "the version is 3"),
    field("lint.serial", form::serial, "RFC 5280 §4.1.2.2", "the serial number is positive, of at most 20 octets"),
    field("lint.serial-entropy", form::serial_entropy, "CA/B BR §7.1", "the serial number has room for 64 random bits"),
    field("lint.signature", form::signature, "RFC 5280 §4.1.2.3, RFC 4055 §5, RFC 5758 §3.2, RFC 8410 §3", "the signature algorithm is encoded exactly and fits the signer's key"),
    field("lint.unique-ids", form::unique_ids, "RFC 5280 §4.1.2.8", "there are no unique identifiers"),
    field("lint.issuer", names::issuer, "RFC 5280 §4.1.2.4, §6.1.3 (a)(4)", "the issuer is the signer's subject byte for byte"),
    field("lint.renewal", names::renewal, "RFC 5280 §4.2.1.1, §4.2.1.2", "a renewed root is the one before with another serial number and a later end"),
    field("lint.subject.present", names::subject_present, "RFC 5280 §4.1.2.6", "the subject is not empty"),
    field("lint.subject.issuer", names::subject_is_not_issuer, "RFC 5280 §3.2", "only a root's subject is its issuer"),
    field("lint.subject.text", names::attribute_text, "RFC 5280 §4.1.2.4", "no attribute of the subject is empty or steers a terminal"),
    field("lint.subject.length", names::attribute_length, "RFC 5280 §A.1", "attributes keep their upper bounds"),
    field("lint.subject.string-type", names::string_type, "RFC 5280 §4.1.2.4, §A.1", "attributes have the string type of their kind"),
    field("lint.subject.country", names::country, "RFC 5280 §A.1", "a country is two capital letters"),
    field("lint.validity.encoding", validity::encoding, "RFC 5280 §4.1.2.5", "times switch from UTCTime to GeneralizedTime in 2050"),
    field("lint.validity.order", validity::order, "RFC 5280 §4.1.2.5", "validity begins before it ends"),
    field("lint.validity.nested", validity::nested, "RFC 5280 §6.1.3 (a)(2)", "validity lies within the issuer's"),
    field("lint.key.algorithm", keys::algorithm, "RFC 3279 §2.3.1, RFC 5480 §2.1, RFC 8410 §3, RFC 9881 §2", "the key is RSA, P-256, P-384, Ed25519, ML-DSA-65 or -87, encoded exactly"),
    field("lint.key.encoding", keys::encoding, "RFC 5480 §2.2, RFC 8410 §4, RFC 8017 §A.1.1, RFC 9881 §4", "the key's bits are a key"),
    field("lint.key.rsa-modulus", keys::rsa_modulus, "NIST SP 800-131A §3", "an RSA modulus is odd and long enough"),
    field("lint.key.rsa-exponent", keys::rsa_exponent, "FIPS 186-5 §5.4", "an RSA exponent is odd and of sound size"),
    field("lint.key.issuer", keys::key_is_not_issuers, "RFC 5280 §3.2", "only a root's key is its issuer's"),
    field("lint.extension.duplicate", extensions::duplicate, "RFC 5280 §4.2", "no extension comes twice"),
    field("lint.extension.known", extensions::known, "RFC 5280 §4.2", "only expected extensions"),
    field("lint.extension.criticality", extensions::criticality, "RFC 5280 §4.2", "each extension has the expected criticality"),
    field("lint.extension.default", extensions::default_criticality, "X.690 §11.5", "default criticality is left out"),
    field("lint.extension.canonical", extensions::canonical, "X.690 §11", "extension values are canonical and fully understood"),
    field("lint.basic-constraints.ca", usage::ca, "RFC 5280 §4.2.1.9", "a CA says so, the journal's certificate does not"),
    field("lint.basic-constraints.path-length", usage::path_length, "RFC 5280 §4.2.1.9, §6.1.4 (m)", "the path length fits beneath the issuer's"),
    field("lint.key-usage", usage::key_usage, "RFC 5280 §4.2.1.3", "the key usage is that of its kind"),
    field("lint.key-usage.encipherment", usage::key_encipherment, "RFC 5480 §3, RFC 8410 §5, RFC 9881 §5", "keyEncipherment only with RSA keys"),
    field("lint.extended-key-usage.journal", usage::journal_purpose, "RFC 9336 §3", "the journal's certificate signs documents and nothing else"),
    field("lint.extended-key-usage.ca", usage::ca_purposes, "RFC 5280 §4.2.1.12", "a CA's key purposes are each named once"),
    Lint { warns: true, ..field("lint.extended-key-usage.client", usage::server_needs_client, "RFC 5280 §4.2.1.12", "serverAuth comes with clientAuth") },
    field("lint.subject-key-id", keys::subject_key_id, "RFC 5280 §4.2.1.2, RFC 7093 §2", "the subject key identifier is made from the key"),
    field("lint.authority-key-id", keys::authority_key_id, "RFC 5280 §4.2.1.1", "the authority key identifier is the signer's"),
    field("lint.subject-alt-name", authority::subject_alt_name, "RFC 5280 §4.2.1.6", "alternative names can be read"),
    field("lint.name-constraints", authority::name_constraints, "RFC 5280 §4.2.1.10", "name constraints stand in an intermediate and can be read"),
    field("lint.certificate-policies", authority::certificate_policies, "RFC 5280 §4.2.1.4", "policies are named once"),
    field("lint.crl-distribution-points", authority::crl_distribution_points, "RFC 5280 §4.2.1.13", "CRLs are fetched over http"),
    field("lint.authority-info-access", authority::authority_info_access, "RFC 5280 §4.2.2.1, §8", "issuers are fetched over http"),
];
