//! Detached CMS signatures of the journal's key (RFC 5652), and the profile of
//! its certificate.
//!
//! The certificate to trust is an argument. What a signature brings along is
//! never looked at, or any CA beneath the root could vouch for itself.

use x509_parser::asn1_rs::{FromDer as _, oid};
use x509_parser::oid_registry as registry;
use x509_parser::time::ASN1Time;

use super::parsed::{Parsed, show_name};
use super::path::{check_link, check_root, check_time, fail};
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::lint::algorithm;
use crate::lint::asn1::{self, Element, Strict};
use crate::lint::usage::DOCUMENT_SIGNING;
use crate::text::hex;
use crate::x509::{Digest, KeyAlgorithm, SignatureAlgorithm, Time};

const ID_DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.1);
const ID_SIGNED_DATA: &[u8] = &oid!(raw 1.2.840.113549.1.7.2);
const CONTENT_TYPE: &[u8] = &oid!(raw 1.2.840.113549.1.9.3);
const MESSAGE_DIGEST: &[u8] = &oid!(raw 1.2.840.113549.1.9.4);
const SIGNING_TIME: &[u8] = &oid!(raw 1.2.840.113549.1.9.5);
const CONTENT_IDENTIFIER: &[u8] = &oid!(raw 1.2.840.113549.1.9.16.2.7);

/// SHA-256 as a digest algorithm; parameters are left out or NULL (RFC 5754 §2).
const SHA256: [&[u8]; 2] = [
    b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01",
    b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00",
];

const PARSE: &str = "verify.cms.parse";
const CERTIFICATE: &str = "verify.journal-certificate";

/// What the one SignerInfo of a SignedData says (RFC 5652 §5.3).
struct Signer<'a> {
    identifier: Element<'a>,
    attributes: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

/// The signed attributes that matter here (RFC 5652 §11, RFC 2634 §2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAttributes {
    /// SHA-256 of the content.
    pub message_digest: Digest,
    /// Of a release the plan, and what the intent to sign it committed to.
    pub content_identifier: Option<(Digest, Digest)>,
    /// When it was signed, as the signer says.
    pub signing_time: Option<Time>,
}

/// Verifies a detached signature over `content` by the journal's key, whose
/// certificate must come from the root itself. Gives what it states.
pub fn verify_detached(
    p7s: &[u8],
    content: &[u8],
    signer_der: &[u8],
    root_der: &[u8],
) -> Result<SignedAttributes> {
    check_journal_certificate(signer_der, root_der)?;
    let certificate = Parsed::from_der(signer_der, CERTIFICATE)?;
    let malformed =
        |e: String| Error::integrity(PARSE, format!("not a detached DER SignedData with one signer: {e}"));
    let signer = read_signed_data(p7s).map_err(malformed)?;
    if !identifies(&signer.identifier, &certificate) {
        return Err(Error::integrity(
            "verify.cms.signer",
            format!("signed by {}, not by the journal's certificate", named(&signer.identifier)),
        ));
    }
    if algorithm::from_der(signer.algorithm) != Some(SignatureAlgorithm::EcdsaSha256) {
        return Err(Error::integrity(
            "verify.cms.algorithm",
            format!("signature algorithm {}, wanted ECDSA with SHA-256", hex(signer.algorithm)),
        ));
    }
    // Signed is the SET OF, not its implicit tag in the message (RFC 5652 §5.4).
    let signed = asn1::write(0x31, signer.attributes);
    let attributes = read_attributes(&signed).map_err(malformed)?;
    let digest = Digest::of(content);
    if attributes.message_digest != digest {
        return Err(Error::integrity(
            "verify.cms.digest",
            format!("content has SHA-256 {digest}, signed was {}", attributes.message_digest),
        ));
    }
    let key = certificate.public_key(CERTIFICATE)?;
    verify_signature(&key, SignatureAlgorithm::EcdsaSha256, &signed, signer.signature)
        .map_err(|e| Error::integrity("verify.cms.signature", e.message))?;
    if let Some(at) = attributes.signing_time {
        check_time(&certificate, at)?;
    }
    Ok(attributes)
}

/// What signed attributes (the SET OF in DER) state.
pub fn signed_attributes(der: &[u8]) -> Result<SignedAttributes> {
    read_attributes(der)
        .map_err(|e| Error::integrity(PARSE, format!("not the signed attributes of a message: {e}")))
}

/// Checks that this is the certificate of a journal's key: issued by the root
/// itself, CA:FALSE, digitalSignature alone, documentSigning critical and alone,
/// no alternative name, P-256. Whether it is valid now is not asked: a record
/// outlives the certificates it was sealed under.
pub fn check_journal_certificate(der: &[u8], root_der: &[u8]) -> Result<()> {
    let root = Parsed::from_der(root_der, CERTIFICATE).map_err(|e| e.at("root certificate"))?;
    let certificate = Parsed::from_der(der, CERTIFICATE).map_err(|e| e.at("journal certificate"))?;
    check_root(&root)?;
    check_link(&certificate, &root)?;
    let view = &certificate.view;
    let critical = |oid: &registry::Oid<'_>| view.extension(oid).is_some_and(|e| e.critical);
    let digital_signature_alone =
        view.key_usage().is_some_and(|usage| usage.flags == 1) && critical(&registry::OID_X509_EXT_KEY_USAGE);
    let document_signing_alone = view.extended_key_usage().as_deref() == Some(&[DOCUMENT_SIGNING])
        && critical(&registry::OID_X509_EXT_EXTENDED_KEY_USAGE);
    let demands = [
        (view.basic_constraints().is_some_and(|b| !b.ca), "basicConstraints with CA:FALSE"),
        (digital_signature_alone, "critical keyUsage with digitalSignature alone"),
        (document_signing_alone, "critical extendedKeyUsage with documentSigning alone"),
        (view.extension(&registry::OID_X509_EXT_SUBJECT_ALT_NAME).is_none(), "no subjectAltName"),
        (view.public_key().is_some_and(|k| k.algorithm() == KeyAlgorithm::P256), "a P-256 key"),
    ];
    match demands.iter().find(|(met, _)| !met) {
        Some((_, demand)) => {
            fail(&certificate, CERTIFICATE, format!("a journal's certificate needs {demand}"))
        }
        None => Ok(()),
    }
}

/// ContentInfo and SignedData (RFC 5652 §3, §5.1), detached.
fn read_signed_data(p7s: &[u8]) -> Strict<Signer<'_>> {
    asn1::check(p7s)?;
    let outer = asn1::members(p7s, 0x30)?;
    let [kind, explicit] = outer.as_slice() else { return Err("ContentInfo is not type and content".into()) };
    if (kind.tag, kind.content, explicit.tag) != (0x06, ID_SIGNED_DATA, 0xa0) {
        return Err("content is not SignedData".into());
    }
    let mut fields = asn1::members(explicit.content, 0x30)?.into_iter().peekable();
    let mut field =
        |tag: u8| fields.next_if(|f| f.tag == tag).ok_or_else(|| format!("no field with tag 0x{tag:02x}"));
    let version = field(0x02)?;
    let digests = asn1::children(field(0x31)?.content)?;
    let encapsulated = asn1::children(field(0x30)?.content)?;
    // Certificates are passed over; CRLs do not belong here.
    let _ = field(0xa0);
    let signers = asn1::children(field(0x31)?.content)?;
    if fields.next().is_some() {
        return Err("fields after the signers".into());
    }
    let [digest] = digests.as_slice() else { return Err(format!("{} digest algorithms", digests.len())) };
    if !SHA256.contains(&digest.raw) {
        return Err("digest algorithm is not SHA-256".into());
    }
    match encapsulated.as_slice() {
        [kind] if (kind.tag, kind.content) == (0x06, ID_DATA) => {}
        _ => return Err("content is not id-data, or not detached".into()),
    }
    let [signer] = signers.as_slice() else { return Err(format!("{} signers", signers.len())) };
    read_signer(signer.raw, version)
}

/// `outer` is the SignedData's version: with one signer, the signer's own (RFC 5652 §5.1).
fn read_signer<'a>(der: &'a [u8], outer: Element<'_>) -> Strict<Signer<'a>> {
    let fields = asn1::members(der, 0x30)?;
    let [version, identifier, digest, attributes, algorithm, signature] = fields.as_slice() else {
        return Err(format!("SignerInfo with {} fields, wanted 6", fields.len()));
    };
    // Version 1 names issuer and serial number, version 3 a key identifier.
    if outer != *version || !matches!((version.content, identifier.tag), ([1], 0x30) | ([3], 0x80)) {
        return Err("versions do not agree with the signer's identifier".into());
    }
    if !SHA256.contains(&digest.raw) {
        return Err("signer's digest algorithm is not SHA-256".into());
    }
    if (attributes.tag, signature.tag) != (0xa0, 0x04) {
        return Err("no signed attributes, or no signature".into());
    }
    Ok(Signer {
        identifier: *identifier,
        attributes: attributes.content,
        algorithm: algorithm.raw,
        signature: signature.content,
    })
}

/// Whom it names as its signer, fit for a terminal.
fn named(identifier: &Element<'_>) -> String {
    match asn1::children(identifier.content).unwrap_or_default().as_slice() {
        [issuer, serial] if identifier.tag == 0x30 => {
            format!("serial {} of issuer {}", hex(serial.content), show_name(issuer.raw))
        }
        _ => format!("key identifier {}", hex(identifier.content)),
    }
}

fn identifies(identifier: &Element<'_>, certificate: &Parsed<'_>) -> bool {
    let view = &certificate.view;
    if identifier.tag == 0x80 {
        return view.subject_key_id() == Some(identifier.content);
    }
    match asn1::children(identifier.content).unwrap_or_default().as_slice() {
        [issuer, serial] => issuer.raw == view.issuer && (serial.tag, serial.content) == (0x02, view.serial),
        _ => false,
    }
}

/// Reads the SET OF Attribute in DER: each type once and with one value.
fn read_attributes(set: &[u8]) -> Strict<SignedAttributes> {
    asn1::check(set)?;
    let (mut content_type, mut message_digest, mut signing_time, mut identifier) = (None, None, None, None);
    for attribute in asn1::members(set, 0x31)? {
        let parts = asn1::members(attribute.raw, 0x30)?;
        let [kind, values] = parts.as_slice() else { return Err("attribute is not type and values".into()) };
        let slot = match kind.content {
            CONTENT_TYPE => &mut content_type,
            MESSAGE_DIGEST => &mut message_digest,
            SIGNING_TIME => &mut signing_time,
            CONTENT_IDENTIFIER => &mut identifier,
            _ => continue,
        };
        let [value] =
            asn1::members(values.raw, 0x31)?.try_into().map_err(|_| "attribute without one value")?;
        if slot.replace(value).is_some() {
            return Err("attribute twice".into());
        }
    }
    if content_type.is_none_or(|e| (e.tag, e.content) != (0x06, ID_DATA)) {
        return Err("signed content type is not id-data".into());
    }
    Ok(SignedAttributes {
        message_digest: message_digest.and_then(sha256).ok_or("no message digest of SHA-256")?,
        content_identifier: identifier.and_then(two_digests),
        signing_time: signing_time.map(|e| time(e.raw)).transpose()?,
    })
}

/// An OCTET STRING as long as a SHA-256.
fn sha256(element: Element<'_>) -> Option<Digest> {
    let digest = element.content.try_into().ok().filter(|_| element.tag == 0x04);
    digest.map(Digest)
}

/// An OCTET STRING as long as two of them.
fn two_digests(element: Element<'_>) -> Option<(Digest, Digest)> {
    let (first, second) = element.content.split_first_chunk().filter(|_| element.tag == 0x04)?;
    Some((Digest(*first), Digest(second.try_into().ok()?)))
}

fn time(der: &[u8]) -> Strict<Time> {
    let (_, time) = ASN1Time::from_der(der).map_err(|_| "signing time cannot be read")?;
    let seconds = u64::try_from(time.timestamp()).map_err(|_| "signing time before 1970")?;
    Ok(Time::from_unix(seconds))
}
