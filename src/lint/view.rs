//! A TBSCertificate as the second parser sees it, with the raw bytes beside.

use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, NameConstraints, ParsedExtension, X509Extension,
};
use x509_parser::oid_registry as oid;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use super::asn1::{self, Element, Strict};
use crate::x509::{PublicKey, Serial, Time};

/// The fields of a TBSCertificate (RFC 5280 §4.1).
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// As x509-parser reads it.
    pub parsed: TbsCertificate<'a>,
    /// The version field's DER, `[0]` included; empty where absent.
    pub version: &'a [u8],
    /// The contents of the serial number's INTEGER.
    pub serial: &'a [u8],
    /// The DER of the signature field's AlgorithmIdentifier.
    pub signature: &'a [u8],
    /// The issuer's DER.
    pub issuer: &'a [u8],
    /// notBefore and notAfter: ASN.1 tag and time.
    pub not_before: (u8, Time),
    /// See `not_before`.
    pub not_after: (u8, Time),
    /// The subject's DER.
    pub subject: &'a [u8],
    /// The SubjectPublicKeyInfo's DER.
    pub key: &'a [u8],
    /// Whether an issuerUniqueID or subjectUniqueID is there.
    pub unique_ids: bool,
    /// The extensions as they are encoded: criticality `None` where left out.
    pub encoded_critical: Vec<Option<bool>>,
}

impl<'a> View<'a> {
    /// Reads strictly: every byte belongs to a field of RFC 5280 §4.1.
    pub fn parse(der: &'a [u8]) -> Strict<Self> {
        asn1::check(der)?;
        Self::parse_checked(der)
    }

    /// The same of bytes that are a part of what [`asn1::check`] passed.
    pub fn parse_checked(der: &'a [u8]) -> Strict<Self> {
        let (_, parsed) = TbsCertificate::from_der(der).map_err(|e| format!("not a TBSCertificate ({e})"))?;
        let mut fields = asn1::members(der, 0x30)?.into_iter().peekable();
        let version = fields.next_if(|f| f.tag == 0xa0).map_or(&[][..], |f| f.raw);
        let mut field = |tag: u8, name: &str| -> Strict<Element<'a>> {
            fields.next_if(|f| f.tag == tag).ok_or_else(|| format!("no {name} where it belongs"))
        };
        let serial = field(0x02, "serialNumber")?.content;
        let signature = field(0x30, "signature")?.raw;
        let issuer = name(field(0x30, "issuer")?.raw)?;
        let validity = field(0x30, "validity")?;
        let subject = name(field(0x30, "subject")?.raw)?;
        let key = field(0x30, "subjectPublicKeyInfo")?.raw;
        let unique_ids =
            fields.next_if(|f| f.tag == 0x81).is_some() | fields.next_if(|f| f.tag == 0x82).is_some();
        let encoded_critical = match fields.next_if(|f| f.tag == 0xa3) {
            Some(extensions) => encoded_critical(extensions.content)?,
            None => Vec::new(),
        };
        if let Some(extra) = fields.next() {
            return Err(format!("field with tag 0x{:02x} after the last one", extra.tag));
        }
        let [not_before, not_after] =
            asn1::children(validity.content)?.try_into().map_err(|_| "validity is not two times")?;
        let not_before = (not_before.tag, time(&parsed.validity.not_before)?);
        let not_after = (not_after.tag, time(&parsed.validity.not_after)?);
        if encoded_critical.len() != parsed.extensions().len() {
            return Err("extensions are not all understood".into());
        }
        Ok(Self {
            parsed,
            version,
            serial,
            signature,
            issuer,
            not_before,
            not_after,
            subject,
            key,
            unique_ids,
            encoded_critical,
        })
    }

    /// Version 3, the only one that has extensions, and nothing beside it.
    pub fn is_v3(&self) -> bool {
        self.version == [0xa0, 0x03, 0x02, 0x01, 0x02]
    }

    /// The serial number where it is positive and of at most 20 octets.
    pub fn serial_number(&self) -> Option<Serial> {
        self.serial.first().filter(|b| **b < 0x80)?;
        Serial::from_bytes(self.serial)
    }

    /// The first extension of this type.
    pub fn extension(&self, oid: &Oid<'_>) -> Option<&X509Extension<'a>> {
        self.parsed.extensions().iter().find(|e| e.oid == *oid)
    }

    /// basicConstraints
    pub fn basic_constraints(&self) -> Option<&BasicConstraints> {
        match self.extension(&oid::OID_X509_EXT_BASIC_CONSTRAINTS)?.parsed_extension() {
            ParsedExtension::BasicConstraints(value) => Some(value),
            _ => None,
        }
    }

    /// pathLenConstraint
    pub fn path_length(&self) -> Option<u32> {
        self.basic_constraints()?.path_len_constraint
    }

    /// keyUsage
    pub fn key_usage(&self) -> Option<KeyUsage> {
        match self.extension(&oid::OID_X509_EXT_KEY_USAGE)?.parsed_extension() {
            ParsedExtension::KeyUsage(value) => Some(*value),
            _ => None,
        }
    }

    /// The key purposes in order; `None` where there is no such extension.
    pub fn extended_key_usage(&self) -> Option<Vec<&'a [u8]>> {
        let value = self.extension(&oid::OID_X509_EXT_EXTENDED_KEY_USAGE)?.value;
        Some(asn1::members(value, 0x30).ok()?.into_iter().map(|e| e.content).collect())
    }

    /// subjectKeyIdentifier
    pub fn subject_key_id(&self) -> Option<&'a [u8]> {
        match self.extension(&oid::OID_X509_EXT_SUBJECT_KEY_IDENTIFIER)?.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(value) => Some(value.0),
            _ => None,
        }
    }

    /// authorityKeyIdentifier
    pub fn authority_key_id(&self) -> Option<&AuthorityKeyIdentifier<'a>> {
        match self.extension(&oid::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER)?.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(value) => Some(value),
            _ => None,
        }
    }

    /// nameConstraints
    pub fn name_constraints(&self) -> Option<&NameConstraints<'a>> {
        match self.extension(&oid::OID_X509_EXT_NAME_CONSTRAINTS)?.parsed_extension() {
            ParsedExtension::NameConstraints(value) => Some(value),
            _ => None,
        }
    }

    /// The subject's public key, where it is of a kind that is known here.
    pub fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_der(self.key).ok()
    }
}

/// A Name whose RDNs are sets of type and value and nothing more.
pub(super) fn name(der: &[u8]) -> Strict<&[u8]> {
    for rdn in asn1::members(der, 0x30)? {
        let attributes = asn1::members(rdn.raw, 0x31)?;
        if attributes.is_empty() {
            return Err("empty RDN in a name".into());
        }
        for attribute in attributes {
            if asn1::members(attribute.raw, 0x30)?.len() != 2 {
                return Err("attribute of a name is not type and value".into());
            }
        }
    }
    Ok(der)
}

/// Each extension must be type, optionally criticality, and value.
fn encoded_critical(explicit: &[u8]) -> Strict<Vec<Option<bool>>> {
    let form = |extension: &Element<'_>| -> Strict<Option<bool>> {
        let parts = asn1::members(extension.raw, 0x30)?;
        match parts.iter().map(|p| p.tag).collect::<Vec<_>>().as_slice() {
            [0x06, 0x04] => Ok(None),
            [0x06, 0x01, 0x04] => Ok(Some(parts.get(1).is_some_and(|p| p.content != [0]))),
            _ => Err("extension is not type, criticality and value".into()),
        }
    };
    asn1::members(explicit, 0x30)?.iter().map(form).collect()
}

pub(super) fn time(time: &ASN1Time) -> Strict<Time> {
    let seconds = u64::try_from(time.timestamp()).map_err(|_| "time before 1970".to_string())?;
    Ok(Time::from_unix(seconds))
}
