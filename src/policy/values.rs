//! The values that policy documents hold, each checked as it is read.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use x509_cert::ext::pkix::KeyUsages;

pub use crate::release::Consumer;
use crate::text::{is_dns_subdomain, shown};
use crate::x509::name::{oid_by_name, short_name};
use crate::x509::{KeyAlgorithm, Seconds};

/// What becomes of a wish that goes beyond what the policy grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The wish is ignored altogether; the policy's own value is used.
    Tolerate,
    /// The part that the policy allows is granted, the rest dropped.
    Narrow,
    /// Anything beyond what the policy allows refuses the request.
    Refuse,
}

/// Whether something may happen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// It may.
    Allow,
    /// It refuses the request.
    Refuse,
}

/// What becomes of a request without the cluster's own CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreSigned {
    /// It is granted with a warning.
    Warn,
    /// It is refused.
    Require,
}

/// What becomes of a request that no registered sender signed, for a cluster that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderMode {
    /// It is granted.
    Tolerate,
    /// It is granted with a warning.
    Warn,
    /// It is refused.
    Require,
}

/// A name, or the beginning of names: `mesh-ca`, `mesh-ca-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern(String);

impl NamePattern {
    /// Whether a name is the one, or begins as it says.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NamePattern {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "an object's name (a-z, 0-9, hyphens, dots), or its beginning and one *", |text| {
            let fits = match text.strip_suffix('*') {
                // A name can go on after a dot or a hyphen, and not end there.
                Some(beginning) => !beginning.is_empty() && is_dns_subdomain(&format!("{beginning}a")),
                None => is_dns_subdomain(text),
            };
            fits.then(|| Self(text.into()))
        })
    }
}

/// A span of time as people write it, e.g. `60d` or `1440h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Seconds);

impl fmt::Display for Span {
    /// Both ways where there are two: `60d (1440h)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seconds(seconds) = self.0;
        match seconds {
            0 => f.write_str("0s"),
            s if s.is_multiple_of(86_400) => write!(f, "{} ({}h)", self.0, s / 3_600),
            s if s < 60 => write!(f, "{s}s"),
            s => write!(f, "{} ({s}s)", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "a span such as \"60d\", \"1440h\" or \"5m\"", |text| Seconds::parse(text).map(Self))
    }
}

/// A kind of subject key that a policy accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA; the size is bounded apart.
    Rsa,
    /// P-256
    P256,
    /// P-384
    P384,
    /// Ed25519
    Ed25519,
    /// ML-DSA-65
    MlDsa65,
    /// ML-DSA-87
    MlDsa87,
}

impl KeyKind {
    const ALL: [Self; 6] = [Self::Rsa, Self::P256, Self::P384, Self::Ed25519, Self::MlDsa65, Self::MlDsa87];

    /// The kind of a key; `None` for P-521, which no policy can accept.
    pub fn of(algorithm: KeyAlgorithm) -> Option<Self> {
        match algorithm {
            KeyAlgorithm::Rsa(_) => Some(Self::Rsa),
            KeyAlgorithm::P256 => Some(Self::P256),
            KeyAlgorithm::P384 => Some(Self::P384),
            KeyAlgorithm::Ed25519 => Some(Self::Ed25519),
            KeyAlgorithm::MlDsa65 => Some(Self::MlDsa65),
            KeyAlgorithm::MlDsa87 => Some(Self::MlDsa87),
            KeyAlgorithm::P521 => None,
        }
    }

    /// As the policy writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Ed25519 => "ed25519",
            Self::MlDsa65 => "ml-dsa-65",
            Self::MlDsa87 => "ml-dsa-87",
        }
    }
}

impl<'de> Deserialize<'de> for KeyKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let wanted = "one of p256, p384, rsa, ed25519, ml-dsa-65, ml-dsa-87 (p521 fails in ring-based verifiers, \
                      ml-dsa-44 is too weak for a CA: neither can be allowed)";
        worded(d, wanted, |text| Self::ALL.into_iter().find(|kind| kind.name() == text))
    }
}

/// An attribute type of a subject, by short name (`CN`) or OID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributeType(pub ObjectIdentifier);

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&short_name(self.0))
    }
}

impl<'de> Deserialize<'de> for AttributeType {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "an attribute type such as CN, O, OU, L, ST, C or an OID", |text| {
            oid_by_name(text).map(Self)
        })
    }
}

/// A key usage that may be granted where asked for. keyCertSign and cRLSign are
/// always granted and so are not in here (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage(pub KeyUsages);

/// The bits of keyUsage with their names in RFC 5280 §4.2.1.3.
pub const USAGES: [(&str, KeyUsages); 9] = [
    ("digitalSignature", KeyUsages::DigitalSignature),
    ("nonRepudiation", KeyUsages::NonRepudiation),
    ("keyEncipherment", KeyUsages::KeyEncipherment),
    ("dataEncipherment", KeyUsages::DataEncipherment),
    ("keyAgreement", KeyUsages::KeyAgreement),
    ("keyCertSign", KeyUsages::KeyCertSign),
    ("cRLSign", KeyUsages::CRLSign),
    ("encipherOnly", KeyUsages::EncipherOnly),
    ("decipherOnly", KeyUsages::DecipherOnly),
];

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(
            d,
            "digitalSignature or keyEncipherment (keyCertSign and cRLSign are always granted)",
            |text| match text {
                "digitalSignature" => Some(Self(KeyUsages::DigitalSignature)),
                "keyEncipherment" => Some(Self(KeyUsages::KeyEncipherment)),
                _ => None,
            },
        )
    }
}

/// An extended key usage by its name in RFC 5280 §4.2.1.12 or its OID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose(pub ObjectIdentifier);

const PURPOSES: [(&str, ObjectIdentifier); 6] = [
    ("serverAuth", rfc5280::ID_KP_SERVER_AUTH),
    ("clientAuth", rfc5280::ID_KP_CLIENT_AUTH),
    ("codeSigning", rfc5280::ID_KP_CODE_SIGNING),
    ("emailProtection", rfc5280::ID_KP_EMAIL_PROTECTION),
    ("timeStamping", rfc5280::ID_KP_TIME_STAMPING),
    ("OCSPSigning", rfc5280::ID_KP_OCSP_SIGNING),
];

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PURPOSES.iter().find(|(_, oid)| *oid == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Purpose {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "serverAuth, clientAuth, … or an OID", |text| {
            let named = PURPOSES.iter().find(|(name, _)| *name == text).map(|(_, oid)| *oid);
            named.or_else(|| ObjectIdentifier::new(text).ok()).map(Self)
        })
    }
}

/// A certificate policy's OID (RFC 5280 §4.2.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyOid(pub ObjectIdentifier);

impl<'de> Deserialize<'de> for PolicyOid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "an OID such as \"1.3.6.1.4.1.99999.1\"", |text| ObjectIdentifier::new(text).ok().map(Self))
    }
}

/// An `http://` URL: what fetches CRLs and issuer certificates cannot itself
/// depend on certificates (RFC 5280 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(pub String);

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "an http:// URL in ASCII (https would need the certificates it is to help check)", |text| {
            let rest = text.strip_prefix("http://")?;
            let host = !rest.is_empty() && !rest.starts_with('/');
            (host && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.into()))
        })
    }
}

/// Reads a string through `parse`; the error says what was found and wanted.
pub(super) fn worded<'de, D: Deserializer<'de>, T>(
    d: D,
    wanted: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text: String = owned(d)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("found \"{}\", want {wanted}", shown(&text))))
}

fn owned<'de, D: Deserializer<'de>, T: DeserializeOwned>(d: D) -> Result<T, D::Error> {
    T::deserialize(d)
}

/// Whether a folder of this name cannot stand in a release: it has the name of
/// another part of it (on FAT, which knows no case), or of a device of DOS, which
/// FAT cannot hold.
pub fn is_reserved(id: &str) -> bool {
    let numbered = |device| id.strip_prefix(device).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    matches!(id, "journal" | "sha256sums" | "con" | "prn" | "aux" | "nul")
        || numbered("com")
        || numbered("lpt")
}

/// Whether this is a DNS name without wildcard, leading or trailing dot.
pub fn is_dns_name(text: &str) -> bool {
    is_dns_subdomain(&text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names() {
        for id in ["journal", "sha256sums", "con", "nul", "com1", "lpt9"] {
            assert!(is_reserved(id), "{id}");
        }
        for id in ["east", "com", "com0", "com10", "lpt", "console", "nul-1", "journal-2"] {
            assert!(!is_reserved(id), "{id}");
        }
    }

    #[test]
    fn dns_names() {
        assert!(is_dns_name("istiod.istio-system.svc") && is_dns_name("Example.org"));
        for bad in ["", ".example.org", "example.org.", "*.example.org", "a..b"] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }

    #[test]
    fn spans_are_shown_both_ways() {
        let shown = |text| Span(Seconds::parse(text).unwrap()).to_string();
        assert_eq!(shown("1440h"), "60d (1440h)");
        assert_eq!(shown("5m"), "5m (300s)");
        assert_eq!(shown("0d"), "0s");
        assert_eq!(shown("30s"), "30s");
    }
}
