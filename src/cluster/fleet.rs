//! What a cluster takes from a release beside its own folder: the fleet's CRL set, and
//! the trust bundle of a rollover's stage. A release is believed as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use super::AssembleOptions;
use crate::error::{Error, Result};
use crate::release::certificate::facts;
use crate::release::istio::Bundle;
use crate::release::{self, CA_CRL, Consumer, Judge, MANIFEST, ROOT_CERT, SeenCrls, pem};
use crate::text::shown;
use crate::x509::{Digest, pem as x509_pem};

/// A release's files by path.
pub type Release = BTreeMap<String, Vec<u8>>;

/// The CRL sets of releases, of one root each, as one file: no issuer twice, and one of
/// each certificate in this cluster's own chain.
pub fn crls(
    releases: &[Release],
    bundle: &Bundle,
    options: &AssembleOptions<'_>,
    judge: &dyn Judge,
) -> Result<Vec<u8>> {
    let (mut joined, mut issuers, mut both) = (Vec::new(), BTreeSet::new(), false);
    for files in releases {
        let (set, stage) = set(files, options, judge)?;
        both |= stage.as_deref() == Some("both");
        for der in set {
            if joined.contains(&der) {
                continue;
            }
            if !issuers.insert(judge.crl_facts(&der)?.issuer.as_der().to_vec()) {
                return Err(Error::refused(
                    "assemble.crl-twice",
                    "the releases hold two CRLs of one issuer: some verifiers would take the older",
                )
                .next("give the newest release of each root, and no other"));
            }
            joined.push(der);
        }
    }
    for (issuer, name) in [(&bundle.certificate, "this cluster's intermediate"), (&bundle.root, "its root")] {
        if !joined.iter().any(|der| judge.crl(der, issuer).is_ok()) {
            return Err(Error::refused(
                "assemble.crl-lacking",
                format!("{CA_CRL}: holds no CRL of {name}: every peer would refuse it"),
            )
            .next("give a release of the same root that was made after this certificate"));
        }
    }
    let mut trusted: Vec<Vec<u8>> = [&bundle.root].into_iter().chain(&bundle.companions).cloned().collect();
    if let Some(files) = options.trust {
        let report = checked(files, options, judge)?;
        both |= report.stage.as_deref() == Some("both");
        trusted = pem::trust_bundle(ROOT_CERT, files.get(ROOT_CERT).map(Vec::as_slice).unwrap_or_default())?;
        not_older(&joined, report.crls, judge)?;
    }
    // In a rollover peers stand under either root.
    for root in trusted.iter().filter(|_| both) {
        if !joined.iter().any(|der| judge.crl(der, root).is_ok()) {
            let message = format!(
                "{CA_CRL}: holds no CRL of the root with SHA-256 {}, under which there are peers still: all of them would be refused",
                Digest::of(root)
            );
            return Err(Error::refused("assemble.crl-of-one-root", message)
                .next("give --crl=RELEASE once more, with the newest release of that root's home; where it has signed no CRL, check none until the rollover is over"));
        }
    }
    Ok(joined.iter().map(|der| x509_pem::crl(der)).collect::<String>().into_bytes())
}

/// A release whose trust bundle is loaded knows a CRL of its root: no older one goes in.
fn not_older(joined: &[Vec<u8>], known: Option<SeenCrls>, judge: &dyn Judge) -> Result<()> {
    let Some(known) = known.map(|crls| crls.root) else { return Ok(()) };
    for der in joined {
        let facts = judge.crl_facts(der)?;
        if facts.issuer == known.issuer && facts.number < known.number {
            return Err(Error::refused(
                "assemble.crl-older",
                format!(
                    "{CA_CRL}: holds CRL {} of {}, the release of --trust has {}: a revocation would be lost",
                    facts.number, facts.issuer, known.number
                ),
            )
            .next("give the newest release of that root to --crl, too"));
        }
    }
    Ok(())
}

type Set = (Vec<Vec<u8>>, Option<String>);

fn set(files: &Release, options: &AssembleOptions<'_>, judge: &dyn Judge) -> Result<Set> {
    let report = checked(files, options, judge)?;
    let Some(crls) = report.crls else {
        return Err(Error::refused("assemble.no-crl", format!("{}: holds no CRL", report.release))
            .next("its root has signed none yet: `anchorite crl` does, in its home"));
    };
    if crls.intermediates.is_none() {
        return Err(Error::refused(
            "assemble.no-crl-set",
            format!(
                "{}: holds no {CA_CRL}: the own CRLs of {} intermediates are missing ({}), their clusters would be cut off",
                report.release,
                crls.lacking.count,
                crls.lacking.told()
            ),
        )
        .next("have them make it with `anchorite request --crl-for`; `anchorite crl --from STICK --to DIR` takes it in"));
    }
    if crls.next_update <= options.at {
        return Err(Error::refused(
            "assemble.crl-expired",
            format!(
                "{}: a CRL in {CA_CRL} ran out at {}: every peer would be refused",
                report.release, crls.next_update
            ),
        )
        .next("take the set of a newer release: `anchorite crl` makes one"));
    }
    let bytes = files.get(CA_CRL).map(Vec::as_slice).unwrap_or_default();
    let set = x509_pem::crls(bytes);
    let set = set.ok_or_else(|| Error::integrity("release.crl", format!("{CA_CRL}: cannot be read")))?;
    Ok((set, report.stage))
}

/// The trust bundle of a release; the cluster's own root has to be in it, and no root that
/// its consumer does not take.
pub fn trust(
    files: &Release,
    (bundle, consumer): (&Bundle, Consumer),
    options: &AssembleOptions<'_>,
    judge: &dyn Judge,
) -> Result<Vec<u8>> {
    let report = checked(files, options, judge)?;
    let bytes = files.get(ROOT_CERT).cloned().unwrap_or_default();
    let roots = pem::trust_bundle(ROOT_CERT, &bytes)?;
    if !roots.contains(&bundle.root) {
        return Err(Error::refused(
            "assemble.trust-island",
            format!("{}: its trust bundle does not hold the root of this cluster's own chain: no peer of the same stage would believe it", report.release),
        )
        .next("load a certificate of the new root first, from the release that has this cluster's folder"));
    }
    for root in &roots {
        check_kind(root, consumer, &report.release)?;
    }
    Ok(bytes)
}

/// What rule `issuer.consumer` asks of roots before a certificate is signed.
fn check_kind(root: &[u8], consumer: Consumer, release: &str) -> Result<()> {
    let (facts, terms) = (facts(ROOT_CERT, root)?, consumer.terms());
    let kind = facts.public_key.algorithm();
    if terms.takes_root(kind) {
        return Ok(());
    }
    let taken: Vec<_> = terms.roots.iter().map(ToString::to_string).collect();
    let message = format!(
        "{release}: its trust bundle holds {}, whose key is {kind}; {consumer} takes roots of {} alone",
        shown(&facts.subject.to_string()),
        taken.join(", ")
    );
    Err(Error::refused("assemble.trust-kind", message)
        .next("leave this cluster at the trust bundle that it has, and have the rollover go to a root that its consumer takes"))
}

fn checked(files: &Release, options: &AssembleOptions<'_>, judge: &dyn Judge) -> Result<release::Report> {
    if !files.contains_key(MANIFEST) {
        return Err(Error::usage("assemble.release", format!("no {MANIFEST}: this is no release")).next(
            "give the release's folder, whole: what is taken from it is checked against its signature",
        ));
    }
    let report = release::check(files, options.noted, options.allow_rehearsal, options.at, judge);
    match report.worst() {
        Some(worst) => Err(worst.clone()),
        None => Ok(report),
    }
}
