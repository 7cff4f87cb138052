//! From a stick to requests: read once, hashed, sorted by content.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use anchorite::intake::{self, Arrival, ReceivedCrl, Request, find_private_key};
use anchorite::media::read::{Limits, MediaFinding, Stick, StickFile, read_paths};
use anchorite::plan::{Later, Refused, RefusedBy};
use anchorite::policy::Config;
use anchorite::{Error, Result};
use rayon::prelude::*;

/// What came in.
pub struct Incoming {
    /// Readable requests, in the order of their names, each with its CRL.
    pub requests: Vec<Request>,
    /// CRLs that belong to none of them.
    pub crls: Vec<ReceivedCrl>,
    /// What claims to be a request and cannot be read as one.
    pub unusable: Vec<Refused>,
    /// What else is on the stick that the operator should know of.
    pub media: Vec<MediaFinding>,
}

/// Reads folders and files. A private key among them ends it at once.
pub fn read(paths: &[PathBuf], config: &Config) -> Result<Incoming> {
    read_within(paths, &limits(config))
}

/// As [`read`], within the bounds that an export brings.
pub fn read_within(paths: &[PathBuf], limits: &Limits) -> Result<Incoming> {
    let stick = read_paths(paths, limits)?;
    no_private_keys(&stick)?;
    Ok(sort(stick))
}

/// As [`read`], but a private key becomes a refusing finding, for `inspect`.
pub fn look(paths: &[PathBuf], config: &Config) -> Result<Incoming> {
    let stick = read_paths(paths, &limits(config))?;
    let keys: Vec<MediaFinding> = stick
        .files
        .iter()
        .filter_map(|file| find_private_key(&file.bytes).map(|kind| private_key(file, kind)))
        .collect();
    let mut incoming = sort(stick);
    // "Left alone" is no word for such a file.
    incoming.media.retain(|m| m.refused || !keys.iter().any(|key| key.file == m.file));
    incoming.media.extend(keys);
    Ok(incoming)
}

fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        file_bytes: limits.file_size,
        files: limits.files,
        depth: limits.depth,
        total_bytes: limits.total_size,
    }
}

fn private_key(file: &StickFile, kind: &str) -> MediaFinding {
    let advice = intake::advice(&file.bytes).map(|advice| format!("; {advice}")).unwrap_or_default();
    MediaFinding {
        file: file.path.clone(),
        rule: "media.private-key",
        message: format!("PRIVATE KEY ON THE STICK: holds {kind}{advice}"),
        refused: true,
    }
}

fn no_private_keys(stick: &Stick) -> Result<()> {
    let found = |file: &StickFile| Some(private_key(file, find_private_key(&file.bytes)?));
    let Some(finding) = stick.files.par_iter().find_map_first(found) else { return Ok(()) };
    Err(Error::refused("media.private-key", format!("{}: {}", finding.file, finding.message)).next(
        "stop: treat that key as compromised, destroy the stick, and have its cluster make a new key; only the request travels",
    ))
}

fn sort(stick: Stick) -> Incoming {
    let mut incoming =
        Incoming { requests: Vec::new(), crls: Vec::new(), unusable: Vec::new(), media: stick.findings };
    let mut crls = Vec::new();
    let signatures = signatures(&stick.files);
    let read = |file: &StickFile| {
        let mut arrivals = intake::read(&file.path, &file.bytes);
        if let Some(signature) = signatures.get(file.path.as_str()) {
            intake::attribute(&mut arrivals, &file.path, &signature.bytes, &file.bytes);
        }
        arrivals
    };
    let others: Vec<&StickFile> =
        stick.files.iter().filter(|file| !intake::is_signature(&file.bytes)).collect();
    let arrivals: Vec<Vec<Arrival>> = others.into_par_iter().map(read).collect();
    let claimed: HashSet<&str> = signatures.values().map(|signature| signature.path.as_str()).collect();
    let alone = stick
        .files
        .iter()
        .filter(|file| intake::is_signature(&file.bytes) && !claimed.contains(file.path.as_str()));
    incoming.media.extend(alone.map(signature_alone));
    for arrival in arrivals.into_iter().flatten() {
        match arrival {
            Arrival::Request(request) => incoming.requests.push(*request),
            Arrival::Crl(crl) => crls.push(*crl),
            Arrival::Unusable { file, digest, finding } => incoming.unusable.push(Refused {
                file,
                digest,
                cluster: None,
                by: vec![RefusedBy { rule: finding.rule.into(), message: finding.message }],
            }),
            // What lies in a signature's place was judged as one.
            Arrival::Nothing { file } if claimed.contains(file.as_str()) => {}
            Arrival::Nothing { file } => incoming.media.push(MediaFinding {
                file,
                rule: "media.not-a-request",
                message: "is not a certification request; left alone".into(),
                refused: false,
            }),
        }
    }
    incoming.crls = intake::pair(&mut incoming.requests, crls);
    incoming
}

fn signature_alone(file: &StickFile) -> MediaFinding {
    MediaFinding {
        file: file.path.clone(),
        rule: "media.signature-alone",
        message:
            "is an SSH signature of no file here: it is called like its file, with .sig behind it; left alone"
                .into(),
        refused: false,
    }
}

/// What lies in the place of a signature beside each file, by that file's path.
fn signatures(files: &[StickFile]) -> HashMap<&str, &StickFile> {
    let others = files.iter().filter(|file| !intake::is_signature(&file.bytes));
    let paths: HashSet<&str> = others.map(|file| file.path.as_str()).collect();
    let of = |file: &StickFile| paths.get(file.path.strip_suffix(intake::SUFFIX)?).copied();
    files.iter().filter_map(|file| Some((of(file)?, file))).collect()
}

/// What is said of CRLs that nothing is done with.
pub fn unclaimed(crls: &[ReceivedCrl]) -> impl Iterator<Item = MediaFinding> {
    crls.iter().map(|crl| MediaFinding {
        file: crl.file.clone(),
        rule: "media.crl-alone",
        message: format!(
            "is a CRL of {}, which belongs to no request and no certificate here; left alone",
            crl.issuer
        ),
        refused: false,
    })
}

/// What is said of the CRLs that came without a request and are not taken.
pub fn left(later: &Later) -> impl Iterator<Item = MediaFinding> {
    let refused = later.refused.iter().map(|(file, by)| MediaFinding {
        file: file.clone(),
        rule: "media.crl-refused",
        message: format!("{} [{}]; left alone", by.message, by.rule),
        refused: false,
    });
    unclaimed(&later.strange).chain(refused)
}

/// What is said of those that are.
pub fn taken(later: &Later) -> impl Iterator<Item = MediaFinding> {
    later.taken.iter().map(|taken| MediaFinding {
        file: taken.file.clone(),
        rule: "media.crl-later",
        message: format!(
            "is the CRL of serial {}, which is signed already; goes on record with the next plan, or with `anchorite crl --from`",
            taken.certificate
        ),
        refused: false,
    })
}

/// The error for a stick without a single request.
pub fn nothing_found(paths: &[PathBuf], crls: &[ReceivedCrl]) -> Error {
    let places: Vec<String> = paths.iter().map(|p| super::shown_path(p)).collect();
    let crl = crls.first().map(|crl| format!(", only the CRL of {} in {}", crl.issuer, crl.file));
    let message = format!("{}: no certification request found{}", places.join(", "), crl.unwrap_or_default());
    Error::usage("media.empty", message)
        .next("is this the right stick, and is it mounted? requests are PKCS#10, as PEM or DER, or Kubernetes' objects")
}
