//! MANIFEST.toml and receipt.toml: what they say, written and read back.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Consumer, CrlEntry, Object};
use crate::error::{Error, Result};
use crate::text::shown;
use crate::x509::{Digest, Serial, Time};

/// The version of both documents and of what consumers are given; another one is not understood.
pub const VERSION: u32 = 1;

/// MANIFEST.toml: the release as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`]
    pub version: u32,
    /// The release's name, which is its folder's.
    pub release: String,
    /// Made in a rehearsal: nothing in it may be relied on.
    pub rehearsal: bool,
    /// When the session ended.
    pub created: Time,
    /// Digest of the plan that was performed.
    pub plan: Digest,
    /// Fingerprint of the root certificate.
    pub root_sha256: Digest,
    /// Fingerprints of the other roots in the trust bundle, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions_sha256: Vec<Digest>,
    /// Fingerprint of the journal key's certificate.
    pub journal_certificate_sha256: Digest,
    /// The stage of a change of roots that is under way: what root-cert.pem holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What the release holds of CRLs, once the root has signed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlEntry>,
    /// One entry a cluster, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster: Vec<Entry>,
}

/// One cluster in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The cluster id, which is its folder's name.
    pub name: String,
    /// Who takes the files.
    pub consumer: Consumer,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// The folder's files with their SHA-256.
    pub files: BTreeMap<String, Digest>,
}

/// receipt.toml: what one cluster got. It travels with the cluster's folder,
/// away from the release, and therefore names the release and the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`]
    pub version: u32,
    /// The release it came in.
    pub release: String,
    /// Made in a rehearsal: must not be relied on.
    pub rehearsal: bool,
    /// The cluster id.
    pub cluster: String,
    /// Who takes the files.
    pub consumer: Consumer,
    /// Serial number of the certificate.
    pub serial: Serial,
    /// Its subject, fit for a terminal.
    pub subject: String,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// The policy that granted it.
    pub policy: String,
    /// SHA-256 of the request's DER.
    pub request: Digest,
    /// Digest of the plan that was performed.
    pub plan: Digest,
    /// Fingerprint of the certificate.
    pub certificate_sha256: Digest,
    /// Fingerprint of the root certificate.
    pub root_sha256: Digest,
    /// Fingerprints of the other roots in the trust bundle, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub companions_sha256: Vec<Digest>,
    /// SHA-256 of root-cert.pem, where it holds others: Istio compares its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_bundle_sha256: Option<Digest>,
    /// The object that the request came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// Writes a document; the same value always gives the same bytes.
pub fn write(file: &str, document: &impl Serialize) -> Result<Vec<u8>> {
    toml::to_string(document)
        .map(String::into_bytes)
        .map_err(|e| Error::usage("release.document", format!("{file}: {}", shown(&e.to_string()))))
}

/// Reads a document; unknown keys are fatal. Errors name file and line.
pub fn read<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T> {
    let bad = |what: String| Error::integrity("release.document", format!("{file}{what}"));
    let text = str::from_utf8(bytes).map_err(|_| bad(": not UTF-8".into()))?;
    toml::from_str(text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        bad(format!(":{}: {}", before.matches('\n').count() + 1, shown(e.message())))
    })
}
