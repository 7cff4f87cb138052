//! Joining a cluster's bundle with its key into what istiod loads: the four
//! files of `cacerts`, and the Secret that holds them.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::fleet::{self, Release};
use super::key::PrivateKey;
use super::secret;
use crate::error::{Error, Result};
use crate::release::certificate::facts;
use crate::release::{self, CA_CERT, CA_CRL, CERT_CHAIN, Consumer, Judge, ROOT_CERT, istio};
use crate::text::hex;
use crate::x509::{Digest, PublicKey, Time};

/// The key's file in `cacerts`.
const CA_KEY: &str = "ca-key.pem";
/// The Secret.
const SECRET: &str = "cacerts.yaml";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// Its name.
    pub name: &'static str,
    /// What it holds; wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// It holds the private key: mode 0600.
    pub secret: bool,
}

/// What `assemble` is asked for.
#[derive(Debug, Clone, Copy)]
pub struct AssembleOptions<'a> {
    /// The fingerprints of all roots as they were noted: never taken from what came with the bundle.
    pub noted: &'a [Digest],
    /// Take a bundle made in a rehearsal.
    pub allow_rehearsal: bool,
    /// The moment at which the certificates must be valid.
    pub at: Time,
    /// Releases whose CRL sets go in, one of each root.
    pub crls: &'a [Release],
    /// A release whose trust bundle takes the place of the bundle's own.
    pub trust: Option<&'a Release>,
}

/// Checks a cluster's folder as `verify` does, holds its certificate against the
/// key, and gives the files to be written; the same input gives the same bytes.
pub fn assemble(
    bundle: &BTreeMap<String, Vec<u8>>,
    key: &PrivateKey,
    options: &AssembleOptions<'_>,
    judge: &dyn Judge,
) -> Result<Vec<OutFile>> {
    let files = release::folder(bundle);
    let certificates = istio::check("", &files).map_err(first)?;
    let report = release::check_cluster(bundle, options.noted, options.allow_rehearsal, options.at, judge);
    if let Some(worst) = report.worst() {
        return Err(worst.clone());
    }
    if report.clusters.iter().any(|receipt| receipt.consumer != Consumer::Istio) {
        return Err(Error::refused(
            "assemble.consumer",
            "the bundle is not one for Istio: it has no Secret `cacerts`",
        )
        .next("take the PEM files of the folder as they are, with the key beside them"));
    }
    check_key(key.public_key(), &facts(CA_CERT, &certificates.certificate)?.public_key)?;
    let crls = match options.crls {
        [] => None,
        releases => Some(fleet::crls(releases, &certificates, options, judge)?),
    };
    let trust = options.trust.map(|files| fleet::trust(files, &certificates, options, judge)).transpose()?;
    let mut files = files;
    files.extend(crls.as_deref().map(|crls| (CA_CRL, crls)));
    files.extend(trust.as_deref().map(|trust| (ROOT_CERT, trust)));
    Ok(join(&files, key))
}

fn join(files: &release::Folder, key: &PrivateKey) -> Vec<OutFile> {
    let key = key.to_pem();
    let key = key.expose_secret().as_bytes();
    let mut entries: Vec<(&'static str, &[u8])> = vec![(CA_KEY, key)];
    for name in [CA_CERT, CERT_CHAIN, ROOT_CERT, CA_CRL] {
        entries.extend(files.get(name).map(|bytes| (name, *bytes)));
    }
    entries.sort_unstable_by_key(|(name, _)| *name);
    let file = |name, bytes: &[u8]| OutFile {
        name,
        bytes: Zeroizing::new(bytes.to_vec()),
        secret: matches!(name, CA_KEY | SECRET),
    };
    let mut out: Vec<OutFile> = entries.iter().map(|(name, bytes)| file(name, bytes)).collect();
    out.push(OutFile { name: SECRET, bytes: secret::yaml(&entries), secret: true });
    out
}

fn check_key(key: &PublicKey, certified: &PublicKey) -> Result<()> {
    if key == certified {
        return Ok(());
    }
    Err(Error::refused(
        "assemble.key-mismatch",
        format!(
            "the key is {} with key id {}, the certificate in {CA_CERT} is for {} with key id {}",
            key.algorithm(),
            hex(&key.key_id()),
            certified.algorithm(),
            hex(&certified.key_id()),
        ),
    )
    .next("give the key that the request was made with, or the bundle of this key's cluster"))
}

fn first(errors: Vec<Error>) -> Error {
    let unknown = || Error::integrity("release.chain", "the bundle cannot be read");
    errors.into_iter().next().unwrap_or_else(unknown)
}
