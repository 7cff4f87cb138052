//! Distinguished names (RFC 5280 §4.1.2.4), kept byte for byte.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use const_oid::db::rfc4519;
use der::asn1::{Any, Ia5StringRef, ObjectIdentifier, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode as _, Encode as _, Tag, Tagged as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x509_cert::attr::AttributeTypeAndValue;

use crate::error::{Error, Result};
use crate::text::{base64, shown, unbase64};

/// PKCS#9 emailAddress, which RFC 4519 does not list.
const EMAIL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// Attribute types that have a short name here; anything else shows as its OID.
const SHORT_NAMES: [(&str, ObjectIdentifier); 11] = [
    ("CN", rfc4519::CN),
    ("C", rfc4519::C),
    ("L", rfc4519::L),
    ("ST", rfc4519::ST),
    ("O", rfc4519::O),
    ("OU", rfc4519::OU),
    ("DC", rfc4519::DC),
    ("UID", rfc4519::UID),
    ("serialNumber", rfc4519::SERIAL_NUMBER),
    ("street", rfc4519::STREET),
    ("emailAddress", EMAIL),
];

type Rdns = Vec<SetOfVec<AttributeTypeAndValue>>;

/// One attribute of a name, in the order of the encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute type.
    pub oid: ObjectIdentifier,
    /// The value as text where it is a string type, unescaped: show it through [`shown`].
    pub value: Option<String>,
    /// Which RDN of the sequence it belongs to (multi-valued RDNs share one).
    pub rdn: usize,
}

/// A distinguished name: the DER as it came, and what it says.
#[derive(Clone)]
pub struct Name {
    der: Vec<u8>,
    /// Read when they are asked for: of most names on record nobody ever does.
    attributes: OnceLock<Vec<Attribute>>,
}

/// The bytes say it all.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Name {}

impl Name {
    /// Reads the DER of an X.501 `Name`; strict, no trailing bytes.
    pub fn from_der(bytes: &[u8]) -> der::Result<Self> {
        Rdns::from_der(bytes)?;
        Ok(Self { der: bytes.to_vec(), attributes: OnceLock::new() })
    }

    /// Reads `O=Example,CN=Example Root G1`: attributes in the order they are
    /// encoded, the most general first. `\,` and `\\` stand for themselves.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rdns = Vec::new();
        for part in split_unescaped(text) {
            rdns.push(parse_attribute(&part, text)?);
        }
        let bad = |e: der::Error| subject_error(text, &format!("cannot be encoded ({e})"));
        let der = rdns.to_der().map_err(bad)?;
        Self::from_der(&der).map_err(bad)
    }

    /// The same name with another common name, put last.
    pub fn with_common_name(&self, common_name: &str) -> Result<Self> {
        let bad = |e: der::Error| subject_error(common_name, &format!("cannot be encoded ({e})"));
        let mut rdns = Vec::<SetOfVec<AttributeTypeAndValue>>::from_der(&self.der).map_err(bad)?;
        rdns.retain(|set| set.iter().all(|a| a.oid != rfc4519::CN));
        let value = Utf8StringRef::new(common_name).and_then(|s| Any::encode_from(&s)).map_err(bad)?;
        rdns.push(SetOfVec::try_from(vec![AttributeTypeAndValue { oid: rfc4519::CN, value }]).map_err(bad)?);
        Self::from_der(&rdns.to_der().map_err(bad)?).map_err(bad)
    }

    /// What two names share that RFC 5280 §7.1 calls the same: string types, case
    /// and runs of blanks do not count. A name with a value that is no string is
    /// only the same as its own bytes.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = String::new();
        // Not kept: it is asked for once of each name on record.
        for a in &self.read() {
            let Some(value) = &a.value else { return self.der.clone() };
            let mut words = String::with_capacity(value.len());
            for word in value.split_whitespace() {
                words.extend([if words.is_empty() { "" } else { " " }, &word.to_lowercase()]);
            }
            // Quoted by Debug, so that no value can pose as two.
            let _ = writeln!(out, "{} {} {words:?}", a.rdn, a.oid);
        }
        out.into_bytes()
    }

    /// The first common name, unescaped.
    pub fn common_name(&self) -> Option<&str> {
        self.values(rfc4519::CN).next().flatten()
    }

    /// The DER, byte for byte as it came.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// All attributes in order.
    pub fn attributes(&self) -> &[Attribute] {
        self.attributes.get_or_init(|| self.read())
    }

    /// None where the bytes are no name, which they are.
    fn read(&self) -> Vec<Attribute> {
        let rdns = Rdns::from_der(&self.der).unwrap_or_default().into_iter().enumerate();
        let attribute =
            |rdn, a: &AttributeTypeAndValue| Attribute { oid: a.oid, value: string_value(&a.value), rdn };
        rdns.flat_map(|(rdn, set)| set.iter().map(|a| attribute(rdn, a)).collect::<Vec<_>>()).collect()
    }

    /// The values of one attribute type, unescaped; `None` for a value that is not a string.
    pub fn values(&self, oid: ObjectIdentifier) -> impl Iterator<Item = Option<&str>> {
        self.attributes().iter().filter(move |a| a.oid == oid).map(|a| a.value.as_deref())
    }

    /// No attribute at all.
    pub fn is_empty(&self) -> bool {
        self.attributes().is_empty()
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.serialize_str(&base64(&self.der))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error as _;
        let der = unbase64(&String::deserialize(d)?).ok_or_else(|| D::Error::custom("want base64"))?;
        Self::from_der(&der).map_err(D::Error::custom)
    }
}

impl fmt::Display for Name {
    /// `O=Istio, L=east, CN=root`, in the order of the encoding, escaped by
    /// [`shown`]; `+` joins the attributes of a multi-valued RDN. A comma or plus
    /// inside a value shows with a backslash, so that no value can pose as two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for a in self.attributes() {
            match last {
                None => {}
                Some(rdn) if rdn == a.rdn => f.write_str("+")?,
                Some(_) => f.write_str(", ")?,
            }
            last = Some(a.rdn);
            let value = a
                .value
                .as_deref()
                .map_or_else(|| "#not-a-string".into(), |v| shown(v).replace(',', "\\,").replace('+', "\\+"));
            write!(f, "{}={value}", short_name(a.oid))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `CN` for 2.5.4.3 and so on; the dotted OID where there is no short name.
pub fn short_name(oid: ObjectIdentifier) -> String {
    SHORT_NAMES.iter().find(|(_, o)| *o == oid).map_or_else(|| oid.to_string(), |(n, _)| (*n).into())
}

/// The attribute type of a short name such as `CN` (any case) or a dotted OID.
pub fn oid_by_name(name: &str) -> Option<ObjectIdentifier> {
    SHORT_NAMES
        .iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, o)| *o)
        .or_else(|| ObjectIdentifier::new(name).ok())
}

fn string_value(value: &Any) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => String::from_utf8(value.value().to_vec()).ok(),
        Tag::PrintableString => {
            PrintableStringRef::new(value.value()).ok().map(|text| text.as_str().to_owned())
        }
        // The second is Latin-1 in practice; only its ASCII part is certain.
        Tag::Ia5String | Tag::TeletexString => {
            let text = String::from_utf8(value.value().to_vec()).ok();
            text.filter(|text| text.is_ascii())
        }
        Tag::BmpString if value.value().len().is_multiple_of(2) => {
            let units: Vec<u16> = value
                .value()
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |unit, b| unit << 8 | u16::from(*b)))
                .collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

/// Splits at commas that no backslash precedes, and takes the backslashes away.
fn split_unescaped(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let part = match c {
            ',' => {
                parts.push(String::new());
                continue;
            }
            '\\' => chars.next(),
            c => Some(c),
        };
        if let (Some(c), Some(last)) = (part, parts.last_mut()) {
            last.push(c);
        }
    }
    parts
}

fn parse_attribute(part: &str, whole: &str) -> Result<SetOfVec<AttributeTypeAndValue>> {
    let bad = |what: &str| subject_error(whole, what);
    let (key, value) = part.split_once('=').ok_or_else(|| bad("every part must be TYPE=value"))?;
    let (key, value) = (key.trim(), value.trim());
    let oid = oid_by_name(key).ok_or_else(|| bad(&format!("unknown attribute type {}", shown(key))))?;
    if value.is_empty() {
        return Err(bad(&format!("{} is empty", shown(key))));
    }
    if value.chars().any(char::is_control) {
        return Err(bad(&format!("{} holds a control character", shown(key))));
    }
    let encoded = match oid {
        rfc4519::C if value.len() == 2 => PrintableStringRef::new(value).and_then(|s| Any::encode_from(&s)),
        rfc4519::C => return Err(bad("C must be two letters (ISO 3166)")),
        rfc4519::DC | EMAIL => Ia5StringRef::new(value).and_then(|s| Any::encode_from(&s)),
        rfc4519::SERIAL_NUMBER => PrintableStringRef::new(value).and_then(|s| Any::encode_from(&s)),
        _ => Utf8StringRef::new(value).and_then(|s| Any::encode_from(&s)),
    };
    let value =
        encoded.map_err(|_| bad(&format!("{} has a character its type does not allow", shown(key))))?;
    SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }]).map_err(|_| bad("cannot be encoded"))
}

fn subject_error(text: &str, what: &str) -> Error {
    Error::usage("name.parse", format!("subject '{}': {what}", shown(text)))
        .next("write it as 'O=Example,CN=Example Root G1', the most general attribute first")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn order_is_as_written_and_bytes_survive() {
        let name = Name::parse(r"C=CH,O=Example\, Inc.,CN=Root G1").unwrap();
        assert_eq!(name.to_string(), r"C=CH, O=Example\, Inc., CN=Root G1");
        assert_eq!(Name::from_der(name.as_der()).unwrap(), name);
    }

    #[test]
    fn names_are_the_same_whatever_their_case_blanks_and_string_types() {
        let name = |text: &str| Name::parse(text).unwrap().canonical();
        assert_eq!(name("O=Istio,CN=Mesh  CA"), name("O=ISTIO,CN=mesh ca"));
        assert_ne!(name("O=Istio,CN=ca"), name("CN=ca,O=Istio"));
        assert_ne!(name("O=Istio,CN=a b"), name("O=Istio,CN=ab"));
        let utf8 = Name::parse("CN=x").unwrap();
        let printable =
            Name::from_der(&[0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x13, 1, b'X']).unwrap();
        assert_ne!(utf8.as_der(), printable.as_der());
        assert_eq!(utf8.canonical(), printable.canonical());
    }

    /// A value that steers a terminal must be seen as it is, not escaped, by whoever judges it.
    #[test]
    fn strings_are_read_by_the_rules_of_their_type() {
        let value = |tag: u8, value: &[u8]| {
            let length = value.len() as u8;
            let header =
                [0x30, length + 11, 0x31, length + 9, 0x30, length + 7, 6, 3, 0x55, 4, 3, tag, length];
            let name = Name::from_der(&[&header, value].concat()).unwrap();
            name.attributes()[0].value.clone()
        };
        let (printable, teletex, ia5, bmp) = (19, 20, 22, 30);
        for (tag, bytes, text) in [
            (printable, &b"Mesh (1)"[..], "Mesh (1)"),
            (teletex, b"a\x1b[2J\\b", "a\x1b[2J\\b"),
            (ia5, b"a@b", "a@b"),
            (bmp, b"\x00a\x20\x2e", "a\u{202e}"),
        ] {
            assert_eq!(value(tag, bytes).as_deref(), Some(text), "{tag}");
        }
        for (tag, bytes) in [
            (printable, &b"a@b"[..]),
            (printable, "\u{e9}".as_bytes()),
            (teletex, b"caf\xe9"),
            (ia5, "\u{e9}".as_bytes()),
            (bmp, b"\x00a\x00"),
            (bmp, b"\xd8\x00"),
        ] {
            assert_eq!(value(tag, bytes), None, "{tag} {bytes:x?}");
        }
    }

    #[test]
    fn bad_subjects_are_refused() {
        for bad in ["", "CN", "CN=", "XX=y", "C=CHE", "DC=é", "CN=a\u{7}b", "CN=a,,O=b"] {
            assert_eq!(Name::parse(bad).unwrap_err().id, "name.parse", "{bad}");
        }
    }
}
