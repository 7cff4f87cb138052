//! Joining a cluster's bundle with its key into what its consumer loads: files by the
//! consumer's names, and the Secret that holds them.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::fleet::{self, Release};
use super::key::PrivateKey;
use super::secret;
use crate::error::{Error, Result};
use crate::release::certificate::{Facts, facts};
use crate::release::consumer::{Assembled, Parts, Terms};
use crate::release::{self, CA_CERT, Consumer, Judge, ROOT_CERT, Receipt, istio, pem};
use crate::text::hex;
use crate::x509::{Digest, PublicKey, Seconds, Time};

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

/// What was joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Who loads it.
    pub consumer: Consumer,
    /// The files, the Secret last.
    pub files: Vec<OutFile>,
    /// What to look at before it is loaded.
    pub warning: Option<String>,
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
    /// Namespace and name of the Secret, where they are others than usual.
    pub secret: Option<(&'a str, &'a str)>,
}

/// Checks a cluster's folder as `verify` does, holds its certificate against the
/// key, and gives the files to be written; the same input gives the same bytes.
pub fn assemble(
    bundle: &BTreeMap<String, Vec<u8>>,
    key: &PrivateKey,
    options: &AssembleOptions<'_>,
    judge: &dyn Judge,
) -> Result<Joined> {
    let certificates = istio::check("", &release::folder(bundle)).map_err(first)?;
    let report = release::check_cluster(bundle, options.noted, options.allow_rehearsal, options.at, judge);
    if let Some(worst) = report.worst() {
        return Err(worst.clone());
    }
    let receipt = report.clusters.first().ok_or_else(|| first(Vec::new()))?;
    let (terms, made) = wanted(receipt)?;
    if options.secret.is_some() && made.secret.is_none() {
        return Err(Error::usage(
            "assemble.secret",
            format!("{} reads files, not a Secret", receipt.consumer),
        )
        .next("leave --secret out"));
    }
    let facts = facts(CA_CERT, &certificates.certificate)?;
    check_key(key.public_key(), &facts.public_key, receipt.consumer)?;
    let crls = match (options.crls, terms.crl) {
        ([], _) => None,
        (_, Err(why)) => {
            let message = format!("{} has no place for CRLs: {why}", receipt.consumer);
            return Err(Error::refused("assemble.crl-no-place", message).next("leave --crl out"));
        }
        (releases, Ok(name)) => Some((name, fleet::crls(releases, &certificates, options, judge)?)),
    };
    let mut certificates = certificates;
    if let Some(files) = options.trust {
        let roots = fleet::trust(files, (&certificates, receipt.consumer), options, judge)?;
        certificates.trusted = pem::trust_bundle(ROOT_CERT, &roots)?;
    }
    let crls = crls.as_ref().map(|(name, bytes)| (*name, &bytes[..]));
    Ok(Joined {
        consumer: receipt.consumer,
        files: join(made, &certificates.parts(), &facts, key, crls, options)?,
        warning: short_lived(terms, &facts, options.at),
    })
}

/// What is made for the receipt's consumer; nothing where its key is elsewhere.
fn wanted(receipt: &Receipt) -> Result<(&'static Terms, &'static Assembled)> {
    let terms = receipt.consumer.terms();
    let nothing = |who: &&str| {
        let message = format!("{}: {who}, and there is nothing to join", receipt.consumer);
        let steps = terms.direct_lines("CLUSTER_DIR", receipt.object.as_ref());
        Error::refused("assemble.consumer", message)
            .next(format!("load what is in the folder:\n    {}", steps.join("\n    ")))
    };
    terms.assembled.as_ref().map(|made| (terms, made)).map_err(nothing)
}

fn join(
    made: &Assembled,
    parts: &Parts,
    facts: &Facts,
    key: &PrivateKey,
    crls: Option<(&'static str, &[u8])>,
    options: &AssembleOptions<'_>,
) -> Result<Vec<OutFile>> {
    let pem = key.to_pem();
    let pem = pem.expose_secret().as_bytes();
    let file = |name, bytes: &[u8], secret| OutFile { name, bytes: Zeroizing::new(bytes.to_vec()), secret };
    let mut out = vec![file(made.key, pem, true)];
    for (name, form) in made.files {
        out.push(file(name, form.make(parts, facts, None)?.as_bytes(), false));
    }
    out.extend(crls.map(|(name, bytes)| file(name, bytes, false)));
    out.sort_unstable_by_key(|file| file.name);
    if let Some(secret) = made.secret {
        let (namespace, name) = options.secret.unwrap_or((secret.namespace, secret.name));
        secret.check_place(namespace, name)?;
        let certificates: Vec<_> =
            secret.entries.iter().map(|(name, part)| (*name, parts.get(*part))).collect();
        let mut entries: Vec<_> = certificates.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        entries.extend(secret.key.map(|name| (name, pem)).into_iter().chain(crls));
        entries.sort_unstable_by_key(|(name, _)| *name);
        let bytes = secret::yaml(&secret.head(namespace, name), &entries);
        out.push(OutFile { name: secret.file, bytes, secret: secret.key.is_some() });
    }
    Ok(out)
}

fn short_lived(terms: &Terms, facts: &Facts, at: Time) -> Option<String> {
    let Seconds(least) = terms.warns_below;
    let Seconds(left) = facts.not_after - at;
    let days = |seconds: u64| seconds / Seconds::DAY.0;
    (left < least).then(|| {
        format!(
            "{} days are left of the certificate's life, {} wants {}: renew it at the next session",
            days(left),
            terms.name,
            days(least)
        )
    })
}

fn check_key(key: &PublicKey, certified: &PublicKey, consumer: Consumer) -> Result<()> {
    if key != certified {
        return Err(Error::refused(
            "assemble.key-mismatch",
            format!(
                "the key is {} with key id {}, the certificate in {CA_CERT} is for {} with key id {}",
                key.algorithm(),
                hex(&key.key_id()),
                certified.algorithm(),
                hex(&certified.key_id()),
            ),
        )
        .next("give the key that the request was made with, or the bundle of this key's cluster"));
    }
    match consumer.terms().key {
        Some(wanted) if wanted != key.algorithm() => Err(Error::refused(
            "assemble.key-kind",
            format!("the key is {}, {consumer} takes {wanted} alone", key.algorithm()),
        )
        .next(format!("make a new key and request: anchorite request --profile {consumer}"))),
        _ => Ok(()),
    }
}

fn first(errors: Vec<Error>) -> Error {
    let unknown = || Error::integrity("release.chain", "the bundle cannot be read");
    errors.into_iter().next().unwrap_or_else(unknown)
}
