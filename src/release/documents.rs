//! MANIFEST.toml and receipt.toml: what they say, written and read back.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Consumer, CrlEntry, MANIFEST, Object};
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
    /// The plan that the clusters' certificates were signed for and first released with, where
    /// they are released once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Digest>,
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
        .map(|text| Vec::from(text.into_boxed_str().into_boxed_bytes())) // not twice its length
        .map_err(|e| Error::usage("release.document", format!("{file}: {}", shown(&e.to_string()))))
}

/// Reads a document; unknown keys are fatal. Errors name file and line.
pub fn read<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T> {
    parse(file, text(file, bytes)?, 0)
}

impl Manifest {
    /// As [`read`], a cluster at a time: TOML's parser takes some twenty times the memory of
    /// what it reads, and a fleet's manifest is long.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            cluster: [Entry; 1],
        }
        let text = text(MANIFEST, bytes)?;
        let (head, mut clusters) = first(text);
        let mut manifest: Self = parse(MANIFEST, head, 0)?;
        let mut line = lines(head);
        if !clusters.is_empty() && !manifest.cluster.is_empty() {
            return Err(bad(MANIFEST, format!(":{}: lists clusters in two places", line + 1)));
        }
        while !clusters.is_empty() {
            let (one, others) = first(clusters);
            let One { cluster: [entry] } = parse(MANIFEST, one, line)?;
            manifest.cluster.push(entry);
            line += lines(one);
            clusters = others;
        }
        Ok(manifest)
    }
}

/// What comes before the next cluster's part of a manifest, and the rest.
fn first(text: &str) -> (&str, &str) {
    let end = text.find("\n[[cluster]]\n").map_or(text.len(), |newline| newline + 1);
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str> {
    str::from_utf8(bytes).map_err(|_| bad(file, ": not UTF-8".into()))
}

/// `before` is how many lines come before this text.
fn parse<T: DeserializeOwned>(file: &str, text: &str, before: usize) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let read = e.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        bad(file, format!(":{}: {}", before + lines(read) + 1, shown(e.message())))
    })
}

fn lines(text: &str) -> usize {
    text.matches('\n').count()
}

fn bad(file: &str, what: String) -> Error {
    Error::integrity("release.document", format!("{file}{what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(clusters: usize) -> Manifest {
        let digest = Digest::of(b"x");
        let entry = |number: usize| Entry {
            name: format!("cluster-{number}"),
            consumer: Consumer::ALL[number % Consumer::ALL.len()],
            serial: Serial::from_entropy(&[number as u8; 32], b""),
            files: [("ca-cert.pem".into(), digest)].into(),
        };
        Manifest {
            version: VERSION,
            release: "anchorite-2030-01-01-0001".into(),
            rehearsal: false,
            created: Time::from_unix(1_900_000_000),
            plan: digest,
            root_sha256: digest,
            companions_sha256: vec![digest],
            journal_certificate_sha256: digest,
            stage: None,
            repeats: None,
            crl: None,
            cluster: (0..clusters).map(entry).collect(),
        }
    }

    #[test]
    fn a_manifest_reads_the_same_a_cluster_at_a_time() {
        for clusters in [0, 1, 2, 20] {
            let manifest = manifest(clusters);
            let bytes = write(MANIFEST, &manifest).unwrap();
            assert_eq!(Manifest::read(&bytes).unwrap(), manifest);
            assert_eq!(read::<Manifest>(MANIFEST, &bytes).unwrap(), manifest);
        }
    }

    #[test]
    fn what_is_wrong_in_a_manifest_is_named_by_its_line() {
        let good = String::from_utf8(write(MANIFEST, &manifest(3)).unwrap()).unwrap();
        let line = |text: &str| good.lines().position(|line| line.contains(text)).unwrap() + 1;
        let third = "name = \"cluster-2\"";
        let with = |found: &str, instead: &str| good.replacen(found, instead, 1);
        for (bad, place) in [
            (with(third, "name = 2"), line(third)),
            (format!("{good}[crl]\n"), good.lines().count() + 1),
            (with("version = 1", "version = 1\ncluster = []\nx = 1"), 3),
            (with("[[cluster]]\n", "[[cluster]]\n[[cluster]]\n"), line("[[cluster]]")),
        ] {
            let error = Manifest::read(bad.as_bytes()).unwrap_err();
            assert_eq!(error.id, "release.document");
            assert!(error.message.starts_with(&format!("MANIFEST.toml:{place}: ")), "{error}, {place}");
        }
        // In two places, of which TOML allows one.
        let inline = good.replacen(
            "version = 1",
            "version = 1\ncluster = [{name=\"a\",consumer=\"istio\",serial=\"01\",files={}}]",
            1,
        );
        assert_eq!(Manifest::read(inline.as_bytes()).unwrap_err().id, "release.document");
    }
}
