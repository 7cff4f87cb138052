//! Key usages by the names that cert-manager and Kubernetes give them.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x509_cert::ext::pkix::KeyUsages;

/// What a usage is in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A bit of keyUsage (RFC 5280 §4.2.1.3).
    Bit(KeyUsages),
    /// An element of extKeyUsage (§4.2.1.12).
    Purpose(ObjectIdentifier),
}
use Meaning::{Bit, Purpose};

const fn oid(dotted: &str) -> Meaning {
    Purpose(ObjectIdentifier::new_unwrap(dotted))
}

/// `KeyUsage` in the APIs of both, certificates.k8s.io/v1 and cert-manager.io/v1.
const ALL: [(&str, Meaning); 23] = [
    ("signing", Bit(KeyUsages::DigitalSignature)),
    ("digital signature", Bit(KeyUsages::DigitalSignature)),
    ("content commitment", Bit(KeyUsages::NonRepudiation)),
    ("key encipherment", Bit(KeyUsages::KeyEncipherment)),
    ("key agreement", Bit(KeyUsages::KeyAgreement)),
    ("data encipherment", Bit(KeyUsages::DataEncipherment)),
    ("cert sign", Bit(KeyUsages::KeyCertSign)),
    ("crl sign", Bit(KeyUsages::CRLSign)),
    ("encipher only", Bit(KeyUsages::EncipherOnly)),
    ("decipher only", Bit(KeyUsages::DecipherOnly)),
    ("any", oid("2.5.29.37.0")),
    ("server auth", Purpose(rfc5280::ID_KP_SERVER_AUTH)),
    ("client auth", Purpose(rfc5280::ID_KP_CLIENT_AUTH)),
    ("code signing", Purpose(rfc5280::ID_KP_CODE_SIGNING)),
    ("email protection", Purpose(rfc5280::ID_KP_EMAIL_PROTECTION)),
    ("s/mime", Purpose(rfc5280::ID_KP_EMAIL_PROTECTION)),
    ("ipsec end system", oid("1.3.6.1.5.5.7.3.5")),
    ("ipsec tunnel", oid("1.3.6.1.5.5.7.3.6")),
    ("ipsec user", oid("1.3.6.1.5.5.7.3.7")),
    ("timestamping", Purpose(rfc5280::ID_KP_TIME_STAMPING)),
    ("ocsp signing", Purpose(rfc5280::ID_KP_OCSP_SIGNING)),
    ("microsoft sgc", oid("1.3.6.1.4.1.311.10.3.3")),
    ("netscape sgc", oid("2.16.840.1.113730.4.1")),
];

/// A usage that an object lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Usage(&'static str, Meaning);

impl Usage {
    /// By its name in the objects.
    pub fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|(known, _)| *known == name).map(|(name, meaning)| Self(name, meaning))
    }

    /// What cert-manager means where nothing is listed.
    pub fn defaults() -> Vec<Self> {
        ["digital signature", "key encipherment"].into_iter().filter_map(Self::parse).collect()
    }

    /// Its name in the objects.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// The bit of keyUsage, if it is one.
    pub fn bit(self) -> Option<KeyUsages> {
        match self.1 {
            Bit(bit) => Some(bit),
            Purpose(_) => None,
        }
    }

    /// The extended key usage, if it is one.
    pub fn purpose(self) -> Option<ObjectIdentifier> {
        match self.1 {
            Purpose(purpose) => Some(purpose),
            Bit(_) => None,
        }
    }

    /// Every name there is, for a message.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.into_iter().map(|(name, _)| name)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(d)?).ok_or_else(|| serde::de::Error::custom("want a known usage"))
    }
}
