//! Public keys as OpenSSH writes them (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, PROTOCOL.u2f).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::wire::{Reader, positive};
use crate::text::{base64, unbase64};

/// A public key of a kind that is taken: Ed25519, ECDSA on NIST's curves, both also in a
/// security key, and RSA of 2048 to 8192 bits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey(Vec<u8>);

/// What a key consists of.
pub(super) enum Key<'a> {
    Ed25519 { name: &'static str, point: &'a [u8], application: Option<&'a [u8]> },
    Ecdsa { name: &'static str, curve: Curve, point: &'a [u8], application: Option<&'a [u8]> },
    Rsa { e: &'a [u8], n: &'a [u8] },
}

#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// A coordinate's length in bytes.
    pub fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

const ED25519: &str = "ssh-ed25519";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
const SK_P256: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
const RSA: &str = "ssh-rsa";
/// Kind, the curve's own name, the curve.
const CURVES: [(&str, &str, Curve); 3] = [
    ("ecdsa-sha2-nistp256", "nistp256", Curve::P256),
    ("ecdsa-sha2-nistp384", "nistp384", Curve::P384),
    ("ecdsa-sha2-nistp521", "nistp521", Curve::P521),
];
/// Bytes of an RSA modulus.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

impl PublicKey {
    /// Reads a line such as `ssh-ed25519 AAAA… who@where`; the comment is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (kind, blob) = (words.next()?, words.next()?);
        let key = Self::from_blob(&unbase64(blob)?)?;
        (key.kind() == kind).then_some(key)
    }

    pub(super) fn from_blob(blob: &[u8]) -> Option<Self> {
        let key = Self(blob.to_vec());
        key.parts()?;
        Some(key)
    }

    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", base64(&Sha256::digest(&self.0)).trim_end_matches('='))
    }

    /// What the key is called, e.g. `ssh-ed25519`.
    pub fn kind(&self) -> &'static str {
        match self.parts() {
            Some(Key::Ed25519 { name, .. } | Key::Ecdsa { name, .. }) => name,
            Some(Key::Rsa { .. }) => RSA,
            None => "",
        }
    }

    pub(super) fn parts(&self) -> Option<Key<'_>> {
        let mut reader = Reader(&self.0);
        let kind = str::from_utf8(reader.string()?).ok()?;
        let key = match kind {
            ED25519 => Key::Ed25519 { name: ED25519, point: reader.string()?, application: None },
            SK_ED25519 => Key::Ed25519 {
                name: SK_ED25519,
                point: reader.string()?,
                application: Some(reader.string()?),
            },
            SK_P256 => {
                (reader.string()? == b"nistp256").then_some(())?;
                let (point, application) = (reader.string()?, Some(reader.string()?));
                Key::Ecdsa { name: SK_P256, curve: Curve::P256, point, application }
            }
            RSA => Key::Rsa { e: positive(reader.string()?)?, n: positive(reader.string()?)? },
            other => {
                let (name, own, curve) = CURVES.into_iter().find(|(name, ..)| *name == other)?;
                (reader.string()? == own.as_bytes()).then_some(())?;
                Key::Ecdsa { name, curve, point: reader.string()?, application: None }
            }
        };
        reader.end()?;
        let sound = match key {
            Key::Ed25519 { point, .. } => point.len() == 32,
            Key::Ecdsa { point, curve, .. } => {
                point.first() == Some(&4) && point.len() == 1 + 2 * curve.coordinate()
            }
            Key::Rsa { n, .. } => MODULUS.contains(&n.len()),
        };
        sound.then_some(key)
    }
}

impl fmt::Display for PublicKey {
    /// As [`PublicKey::parse`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), base64(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let wanted =
            "want a line of OpenSSH's such as \"ssh-ed25519 AAAA…\" (Ed25519, ECDSA or RSA from 2048 bits)";
        Self::parse(&String::deserialize(d)?).ok_or_else(|| serde::de::Error::custom(wanted))
    }
}
