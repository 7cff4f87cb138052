//! Certificates for tests: made by the builder, then bent field by field. The
//! one place in these folders that touches the builder's family.

use const_oid::db::{rfc5280, rfc5912};
use der::asn1::{ObjectIdentifier, OctetString};
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};

use super::CertificateKind;
use super::asn1::{children, members, write};
use crate::x509::certificate::extension;
use crate::x509::{CertificateSpec, Name, PublicKey, Serial, SignatureAlgorithm, Tbs, Time};

/// Within every window below.
pub(crate) const NOW: &str = "2030-01-01T00:00:00Z";

pub(crate) fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

/// A new P-256 key.
pub(crate) fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(crate) fn public(key: &KeyPair) -> PublicKey {
    PublicKey::from_der(&key.subject_public_key_info()).unwrap()
}

/// A sound certificate of its kind, beneath `above` (name and key), as the builder makes it.
pub(crate) fn tbs(
    kind: CertificateKind,
    subject: &str,
    key: &PublicKey,
    above: Option<(Name, &PublicKey)>,
) -> Tbs {
    let subject = Name::parse(subject).unwrap();
    let (issuer, signer) = above.unwrap_or((subject.clone(), key));
    let ca = kind != CertificateKind::Journal;
    let root = kind == CertificateKind::Root;
    let id = |key: &PublicKey| OctetString::new(key.key_id()).unwrap();
    let usage =
        if ca { KeyUsages::KeyCertSign | KeyUsages::CRLSign } else { KeyUsages::DigitalSignature.into() };
    let path_len_constraint = (kind == CertificateKind::Intermediate).then_some(0);
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(id(signer)),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let mut extensions = vec![
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &BasicConstraints { ca, path_len_constraint })
            .unwrap(),
        extension(rfc5280::ID_CE_KEY_USAGE, true, &KeyUsage(usage)).unwrap(),
        extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(id(key))).unwrap(),
    ];
    if !root {
        extensions.push(extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority).unwrap());
    }
    if !ca {
        let document_signing = ExtendedKeyUsage(vec![ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36")]);
        extensions.push(extension(rfc5912::ID_CE_EXT_KEY_USAGE, true, &document_signing).unwrap());
    }
    let intermediate = kind == CertificateKind::Intermediate;
    CertificateSpec {
        serial: Serial::from_entropy(&[7; 32], key.as_der()),
        signature: SignatureAlgorithm::of_issuer(signer.algorithm()).unwrap(),
        issuer,
        not_before: time(if intermediate { "2025-01-01T00:00:00Z" } else { "2024-01-01T00:00:00Z" }),
        not_after: time(if intermediate { "2035-01-01T00:00:00Z" } else { "2044-01-01T00:00:00Z" }),
        subject,
        public_key: key.clone(),
        extensions,
    }
    .to_tbs()
    .unwrap()
}

/// A TBSCertificate with each field's DER open to change.
#[derive(Clone)]
pub(crate) struct Raw {
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    pub signature: Vec<u8>,
    pub issuer: Vec<u8>,
    pub validity: Vec<u8>,
    pub subject: Vec<u8>,
    pub key: Vec<u8>,
    pub unique_ids: Vec<u8>,
    /// Contents of the OID, the BOOLEAN where one is encoded, and the value.
    pub extensions: Vec<(Vec<u8>, Option<bool>, Vec<u8>)>,
    pub tail: Vec<u8>,
}

impl Raw {
    /// A sound certificate, beneath another where there is one.
    pub fn new(kind: CertificateKind, subject: &str, key: &KeyPair, above: Option<&Raw>) -> Self {
        let above =
            above.map(|a| (Name::from_der(&a.subject).unwrap(), PublicKey::from_der(&a.key).unwrap()));
        let above = above.as_ref().map(|(name, key)| (name.clone(), key));
        Self::of(tbs(kind, subject, &public(key), above).as_der())
    }

    /// Takes bytes apart.
    pub fn of(tbs: &[u8]) -> Self {
        let fields = members(tbs, 0x30).unwrap();
        let field = |n: usize| fields[n].raw.to_vec();
        let extensions = children(members(fields[7].raw, 0xa3).unwrap()[0].content).unwrap();
        let extension = |der: &[u8]| {
            let parts = members(der, 0x30).unwrap();
            let critical = (parts.len() == 3).then(|| parts[1].content != [0]);
            (parts[0].content.to_vec(), critical, parts.last().unwrap().content.to_vec())
        };
        Self {
            version: field(0),
            serial: field(1),
            signature: field(2),
            issuer: field(3),
            validity: field(4),
            subject: field(5),
            key: field(6),
            unique_ids: Vec::new(),
            extensions: extensions.iter().map(|e| extension(e.raw)).collect(),
            tail: Vec::new(),
        }
    }

    /// Puts them together again.
    pub fn der(&self) -> Vec<u8> {
        let extension = |(oid, critical, value): &(Vec<u8>, Option<bool>, Vec<u8>)| {
            let critical = critical.map_or(Vec::new(), |c| write(0x01, &[if c { 0xff } else { 0 }]));
            write(0x30, &[write(0x06, oid), critical, write(0x04, value)].concat())
        };
        let extensions = write(0x30, &self.extensions.iter().flat_map(extension).collect::<Vec<u8>>());
        let fields = [
            &self.version,
            &self.serial,
            &self.signature,
            &self.issuer,
            &self.validity,
            &self.subject,
            &self.key,
            &self.unique_ids,
            &write(0xa3, &extensions),
            &self.tail,
        ];
        write(0x30, &fields.into_iter().flatten().copied().collect::<Vec<u8>>())
    }

    /// Replaces an extension where it stands, or adds it.
    pub fn set(&mut self, oid: &[u8], critical: bool, value: &[u8]) {
        let new = (oid.to_vec(), critical.then_some(true), value.to_vec());
        match self.extensions.iter_mut().find(|(o, ..)| o == oid) {
            Some(old) => *old = new,
            None => self.extensions.push(new),
        }
    }

    pub fn remove(&mut self, oid: &[u8]) {
        self.extensions.retain(|(o, ..)| o != oid);
    }

    /// Another key, with the identifier that belongs to it.
    pub fn set_key(&mut self, spki: &[u8]) {
        self.key = spki.to_vec();
        let bits = &members(spki, 0x30).unwrap()[1].content[1..];
        let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bits);
        self.set(SKI, false, &write(0x04, &id.as_ref()[..20]));
    }

    pub fn set_validity(&mut self, not_before: &str, not_after: &str) {
        let times =
            [not_before, not_after].map(|t| write(if t.len() == 13 { 0x17 } else { 0x18 }, t.as_bytes()));
        self.validity = write(0x30, &times.concat());
    }

    /// Signs it with a P-256 key into a certificate.
    pub fn sign(&self, signer: &KeyPair) -> Vec<u8> {
        assemble(&self.der(), &self.signature, &signer.sign(&self.der()).unwrap())
    }
}

/// A certificate of any three parts.
pub(crate) fn assemble(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let bits = write(0x03, &[&[0], signature].concat());
    write(0x30, &[tbs, algorithm, &bits].concat())
}

/// A name of single-valued RDNs: contents of the OID, ASN.1 tag, value.
pub(crate) fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let rdn = |(oid, tag, value): &(&[u8], u8, &[u8])| {
        write(0x31, &write(0x30, &[write(0x06, oid), write(*tag, value)].concat()))
    };
    write(0x30, &attributes.iter().flat_map(rdn).collect::<Vec<u8>>())
}

pub(crate) const BC: &[u8] = &[0x55, 0x1d, 0x13];
pub(crate) const KU: &[u8] = &[0x55, 0x1d, 0x0f];
pub(crate) const EKU: &[u8] = &[0x55, 0x1d, 0x25];
pub(crate) const SKI: &[u8] = &[0x55, 0x1d, 0x0e];
pub(crate) const AKI: &[u8] = &[0x55, 0x1d, 0x23];
pub(crate) const SAN: &[u8] = &[0x55, 0x1d, 0x11];
pub(crate) const NC: &[u8] = &[0x55, 0x1d, 0x1e];
pub(crate) const CP: &[u8] = &[0x55, 0x1d, 0x20];
pub(crate) const CRLDP: &[u8] = &[0x55, 0x1d, 0x1f];
pub(crate) const AIA: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];
