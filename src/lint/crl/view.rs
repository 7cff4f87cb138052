//! A TBSCertList as the second parser sees it, with the raw bytes beside.

use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::TbsCertList;

use crate::lint::asn1::{self, Element, Strict};
use crate::lint::view::{name, time};
use crate::x509::{Serial, Time};

/// The fields of a TBSCertList (RFC 5280 §5.1.2).
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// As x509-parser reads it.
    pub parsed: TbsCertList<'a>,
    /// The contents of the version's INTEGER; empty where absent.
    pub version: &'a [u8],
    /// The DER of the signature field's AlgorithmIdentifier.
    pub signature: &'a [u8],
    /// The issuer's DER.
    pub issuer: &'a [u8],
    /// thisUpdate: ASN.1 tag and time.
    pub this_update: (u8, Time),
    /// nextUpdate, where there is one.
    pub next_update: Option<(u8, Time)>,
    /// revokedCertificates, where there is such a list.
    pub revoked: Option<Vec<Entry<'a>>>,
    /// crlExtensions
    pub extensions: Vec<Extension<'a>>,
}

/// One of revokedCertificates.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The contents of the serial number's INTEGER.
    pub serial: &'a [u8],
    /// revocationDate: ASN.1 tag and time.
    pub date: (u8, Time),
    /// crlEntryExtensions, where there is such a list.
    pub extensions: Option<Vec<Extension<'a>>>,
}

/// An extension as it is encoded.
#[derive(Debug)]
pub(crate) struct Extension<'a> {
    /// The contents of its OBJECT IDENTIFIER.
    pub oid: &'a [u8],
    /// Criticality, `None` where left out.
    pub critical: Option<bool>,
    /// The DER in its OCTET STRING.
    pub value: &'a [u8],
}

impl<'a> View<'a> {
    /// Reads strictly: every byte belongs to a field of RFC 5280 §5.1.2.
    pub fn parse(der: &'a [u8]) -> Strict<Self> {
        asn1::check(der)?;
        let (_, parsed) = TbsCertList::from_der(der).map_err(|e| format!("not a TBSCertList ({e})"))?;
        let mut fields = asn1::members(der, 0x30)?.into_iter().peekable();
        let version = fields.next_if(|f| f.tag == 0x02).map_or(&[][..], |f| f.content);
        let mut field = |wanted: &[u8], name: &str| -> Strict<Element<'a>> {
            fields.next_if(|f| wanted.contains(&f.tag)).ok_or_else(|| format!("no {name} where it belongs"))
        };
        let signature = field(&[0x30], "signature")?.raw;
        let issuer = name(field(&[0x30], "issuer")?.raw)?;
        let this_update = (field(&TIMES, "thisUpdate")?.tag, time(&parsed.this_update)?);
        let next_update = match (fields.next_if(|f| TIMES.contains(&f.tag)), &parsed.next_update) {
            (Some(field), Some(parsed)) => Some((field.tag, time(parsed)?)),
            (None, None) => None,
            _ => return Err("nextUpdate is not understood".into()),
        };
        let revoked = fields.next_if(|f| f.tag == 0x30).map(|f| entries(&f, &parsed)).transpose()?;
        let extensions = match fields.next_if(|f| f.tag == 0xa0) {
            Some(explicit) => match asn1::children(explicit.content)?.as_slice() {
                [list] => extensions(list)?,
                _ => return Err("extensions are not one list".into()),
            },
            None => Vec::new(),
        };
        if let Some(extra) = fields.next() {
            return Err(format!("field with tag 0x{:02x} after the last one", extra.tag));
        }
        if extensions.len() != parsed.extensions().len()
            || revoked.as_ref().map_or(0, Vec::len) != parsed.revoked_certificates.len()
        {
            return Err("extensions or entries are not all understood".into());
        }
        Ok(Self { parsed, version, signature, issuer, this_update, next_update, revoked, extensions })
    }

    /// The value of the first extension of this type.
    pub fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.extensions.iter().find(|e| e.oid == oid).map(|e| e.value)
    }

    /// The entries; none where there is no list.
    pub fn entries(&self) -> &[Entry<'a>] {
        self.revoked.as_deref().unwrap_or_default()
    }
}

impl Entry<'_> {
    /// The serial number where it is positive and of at most 20 octets.
    pub fn serial_number(&self) -> Option<Serial> {
        self.serial.first().filter(|b| **b < 0x80)?;
        Serial::from_bytes(self.serial)
    }

    /// Its extensions; none where there is no list.
    pub fn extensions(&self) -> &[Extension<'_>] {
        self.extensions.as_deref().unwrap_or_default()
    }
}

/// UTCTime and GeneralizedTime.
const TIMES: [u8; 2] = [0x17, 0x18];

fn entries<'a>(list: &Element<'a>, parsed: &TbsCertList<'a>) -> Strict<Vec<Entry<'a>>> {
    let elements = asn1::children(list.content)?;
    elements
        .iter()
        .zip(&parsed.revoked_certificates)
        .map(|(element, parsed)| {
            let fields = asn1::members(element.raw, 0x30)?;
            let (serial, date, list) = match fields.as_slice() {
                [serial, date] => (serial, date, None),
                [serial, date, list] => (serial, date, Some(extensions(list)?)),
                _ => return Err("an entry is not serial number, date and extensions".into()),
            };
            if serial.tag != 0x02
                || !TIMES.contains(&date.tag)
                || list.as_ref().map_or(0, Vec::len) != parsed.extensions().len()
            {
                return Err("an entry is not serial number, date and extensions".into());
            }
            let date = (date.tag, time(&parsed.revocation_date)?);
            Ok(Entry { serial: serial.content, date, extensions: list })
        })
        .collect()
}

/// Each extension must be type, optionally criticality, and value.
fn extensions<'a>(list: &Element<'a>) -> Strict<Vec<Extension<'a>>> {
    let elements = asn1::members(list.raw, 0x30)?;
    elements
        .iter()
        .map(|element| {
            let parts = asn1::members(element.raw, 0x30)?;
            let (oid, critical, value) = match parts.as_slice() {
                [oid, value] => (oid, None, value),
                [oid, critical, value] if critical.tag == 0x01 => (oid, Some(critical.content != [0]), value),
                _ => return Err("extension is not type, criticality and value".into()),
            };
            if (oid.tag, value.tag) != (0x06, 0x04) {
                return Err("extension is not type, criticality and value".into());
            }
            Ok(Extension { oid: oid.content, critical, value: value.content })
        })
        .collect()
}
