//! Checking one cluster's folder, in a release or carried alone.

use super::certificate::{Facts, facts, is_self_issued};
use super::documents::{self, Entry, Manifest, Receipt, VERSION};
use super::{
    CA_CERT, CERT_CHAIN, COMMON, Consumer, Folder, Judge, RECEIPT, REHEARSAL, ROOT_CERT, istio, sums,
};
use crate::error::Error;
use crate::text::shown;
use crate::x509::{Digest, Time};

/// What a folder is held against.
pub struct Against<'a> {
    /// The fingerprints of all roots that the caller noted: the folder's own is one of
    /// them, and so is each other root in its trust bundle.
    pub noted: &'a [Digest],
    /// The moment at which everything must be valid.
    pub at: Time,
    /// Signatures and paths.
    pub judge: &'a dyn Judge,
}

/// What a folder showed.
pub struct Seen {
    /// Its receipt, where it could be read.
    pub receipt: Option<Receipt>,
    /// Fingerprint of its root, where that is one of those noted.
    pub root: Option<Digest>,
    /// Fingerprints of the other roots that its trust bundle holds.
    pub companions: Vec<Digest>,
    /// Whether anything in it says that it comes from a rehearsal.
    pub rehearsal: bool,
    /// Everything wrong with it.
    pub errors: Vec<Error>,
}

/// Checks one folder; `place` stands before file names in errors, e.g. `east/`.
pub fn check(place: &str, files: &Folder, against: &Against) -> Seen {
    let mut errors = Vec::new();
    let receipt = keep(read_receipt(place, files), &mut errors);
    errors.extend(check_names(place, files, receipt.as_ref().map(|receipt| receipt.consumer)));
    let mut rehearsal = receipt.as_ref().is_some_and(|r| r.rehearsal || r.release.contains(REHEARSAL));
    let (mut root, mut companions) = (None, Vec::new());
    match istio::check(place, files) {
        Err(found) => errors.extend(found),
        Ok(bundle) => {
            let facts = facts(&format!("{place}{CA_CERT}"), &bundle.certificate);
            rehearsal |= facts.as_ref().is_ok_and(names_rehearsal);
            rehearsal |= [&bundle.root].into_iter().chain(&bundle.companions).any(|c| is_rehearsal(c));
            let trusted: Vec<_> = [&bundle.root].into_iter().chain(&bundle.companions).cloned().collect();
            errors.extend(check_roots(&format!("{place}{ROOT_CERT}"), &trusted));
            root = Some(Digest::of(&bundle.root)).filter(|root| against.noted.contains(root));
            companions = bundle.companions.iter().map(|der| Digest::of(der)).collect();
            check_path(place, &bundle, against, &mut errors);
            if let (Some(facts), Some(receipt)) = (keep(facts, &mut errors), &receipt) {
                errors.extend(check_receipt(place, receipt, &facts, &bundle));
                errors.extend(check_consumer(place, files, &bundle, receipt, &facts));
            }
            errors.extend(check_order(place, files, receipt.as_ref()));
        }
    }
    Seen { receipt, root, companions, rehearsal, errors }
}

/// The PEM files, the receipt, and what the consumer is given; of a consumer that cannot be
/// read, what any is given.
fn check_names(place: &str, files: &Folder, consumer: Option<Consumer>) -> Vec<Error> {
    let given = |name: &str| {
        let all = Consumer::ALL.into_iter().filter(|any| consumer.is_none_or(|consumer| consumer == *any));
        all.flat_map(|consumer| consumer.terms().files).any(|(given, _)| *given == name)
    };
    let known =
        |name: &str| name == RECEIPT || COMMON.iter().any(|(common, _)| *common == name) || given(name);
    let extra = files.keys().filter(|name| !known(name)).map(|name| {
        let file = shown(&format!("{place}{name}"));
        Error::integrity("release.extra", format!("{file}: does not belong in here"))
    });
    extra.collect()
}

/// What the consumer is given is made again from the certificates and the receipt: a patch
/// that says anything else is as wrong as another certificate.
fn check_consumer(
    place: &str,
    files: &Folder,
    bundle: &istio::Bundle,
    receipt: &Receipt,
    facts: &Facts,
) -> Vec<Error> {
    let consumer = receipt.consumer;
    let made = match consumer.files(&bundle.parts(), facts, receipt.object.as_ref()) {
        Ok(made) => made,
        Err(e) => return vec![Error::integrity(e.id, e.message).at(format!("{place}{RECEIPT}"))],
    };
    let differing = made.iter().filter_map(|(name, wanted)| {
        let file = format!("{place}{name}");
        match files.get(name) {
            None => Some(sums::missing(&file)),
            Some(found) if found != wanted => Some(Error::integrity(
                "release.consumer",
                format!("{file}: is not what {consumer} is given for the certificates beside it"),
            )),
            Some(_) => None,
        }
    });
    differing.collect()
}

/// Other roots in another order are other bytes.
fn check_order(place: &str, files: &Folder, receipt: Option<&Receipt>) -> Option<Error> {
    let said = receipt?.trust_bundle_sha256?;
    let found = Digest::of(files.get(ROOT_CERT)?);
    let message =
        format!("{place}{RECEIPT}: trust_bundle_sha256 is '{said}', {ROOT_CERT} beside it has '{found}'");
    (said != found).then(|| Error::integrity("release.receipt", message))
}

/// Holds the receipt against the manifest of the release that it lies in, and the cluster's
/// entry there.
pub fn check_against_manifest(
    place: &str,
    receipt: &Receipt,
    manifest: &Manifest,
    entry: Option<&Entry>,
) -> Option<Error> {
    let agrees = receipt.release == manifest.release
        && receipt.rehearsal == manifest.rehearsal
        && receipt.plan == manifest.plan
        && receipt.root_sha256 == manifest.root_sha256
        && receipt.companions_sha256 == manifest.companions_sha256
        && entry.is_some_and(|e| e.serial == receipt.serial && e.consumer == receipt.consumer)
        && place.strip_suffix('/') == Some(receipt.cluster.as_str());
    let message = format!(
        "{place}{RECEIPT}: speaks of another release, plan, root, cluster or certificate than the manifest"
    );
    (!agrees).then(|| Error::integrity("release.receipt", message))
}

/// Whether a certificate's subject carries the word.
pub fn is_rehearsal(der: &[u8]) -> bool {
    facts("", der).as_ref().is_ok_and(names_rehearsal)
}

fn names_rehearsal(facts: &Facts) -> bool {
    facts.subject.to_string().contains(REHEARSAL)
}

fn read_receipt(place: &str, files: &Folder) -> crate::Result<Receipt> {
    let file = format!("{place}{RECEIPT}");
    let bytes = files.get(RECEIPT).ok_or_else(|| sums::missing(&file))?;
    let receipt: Receipt = documents::read(&file, bytes)?;
    if receipt.version == VERSION {
        return Ok(receipt);
    }
    let message = format!("{file}: version {}, wanted {VERSION}", receipt.version);
    Err(Error::integrity("release.document", message).next("use a newer anchorite"))
}

fn check_path(place: &str, bundle: &istio::Bundle, against: &Against, errors: &mut Vec<Error>) {
    let root = Digest::of(&bundle.root);
    errors.extend(check_companions(&format!("{place}{ROOT_CERT}"), &bundle.companions, against.noted));
    if !against.noted.contains(&root) {
        errors.push(wrong_root(&format!("{place}{ROOT_CERT}"), root, against.noted));
    } else {
        let path: Vec<&[u8]> = bundle.path.iter().map(Vec::as_slice).collect();
        let verdict = against.judge.path(&path, &bundle.root, against.at);
        keep(verdict.map_err(|e| e.at(format!("{place}{CERT_CHAIN}"))), errors);
    }
}

/// A root that is not the one whose fingerprint was noted.
pub fn wrong_root(file: &str, found: Digest, wanted: &[Digest]) -> Error {
    let wanted = listed(wanted).join(" or ");
    Error::integrity("release.root", format!("{file}: its SHA-256 is {found}, wanted {wanted}"))
        .next("stop: this is not the root noted at the ceremony, or the fingerprint was mistyped")
}

/// A trust bundle holds roots alone: a cross-certificate or an intermediate in it would
/// be trusted for more than its issuer meant.
pub fn check_roots(file: &str, trusted: &[Vec<u8>]) -> Vec<Error> {
    let strange = trusted.iter().filter(|der| !is_self_issued(der)).map(|der| {
        let what = format!("{file}: holds {}, which is no root: its issuer is another", Digest::of(der));
        Error::integrity("release.chain", what)
    });
    strange.collect()
}

/// Whoever is trusted beside the root must have been noted as well: neither a
/// signature of the journal's key nor a receipt makes anybody a root.
pub fn check_companions(file: &str, companions: &[Vec<u8>], noted: &[Digest]) -> Vec<Error> {
    let found = companions.iter().map(|der| Digest::of(der)).filter(|found| !noted.contains(found));
    let strange = found.map(|found| {
        Error::integrity(
            "release.companion",
            format!("{file}: trusts another root, with SHA-256 {found}, which is none of those given"),
        )
        .next("if it was noted at the ceremony of the second device, give --root-sha256 once for each root; if not, stop: do not load it")
    });
    strange.collect()
}

fn listed(digests: &[Digest]) -> Vec<String> {
    digests.iter().map(Digest::to_string).collect()
}

/// One error for each field of the receipt that the certificate contradicts.
fn check_receipt(place: &str, receipt: &Receipt, facts: &Facts, bundle: &istio::Bundle) -> Vec<Error> {
    let named = |value: &Option<String>| value.as_deref() == Some(&receipt.cluster);
    let named = facts.subject.attributes().iter().any(|a| named(&a.value));
    let cluster = if named { receipt.cluster.clone() } else { "another in its subject".into() };
    let companions: Vec<Digest> = bundle.companions.iter().map(|der| Digest::of(der)).collect();
    let fields = [
        ("cluster", receipt.cluster.clone(), cluster),
        (
            "certificate_sha256",
            receipt.certificate_sha256.to_string(),
            Digest::of(&bundle.certificate).to_string(),
        ),
        ("root_sha256", receipt.root_sha256.to_string(), Digest::of(&bundle.root).to_string()),
        ("companions_sha256", listed(&receipt.companions_sha256).join(", "), listed(&companions).join(", ")),
        ("serial", receipt.serial.to_string(), facts.serial.to_string()),
        ("subject", receipt.subject.clone(), facts.subject.to_string()),
        ("not_before", receipt.not_before.to_string(), facts.not_before.to_string()),
        ("not_after", receipt.not_after.to_string(), facts.not_after.to_string()),
    ];
    let differing = fields.into_iter().filter(|(_, said, is)| said != is);
    differing
        .map(|(field, said, is)| {
            let said = shown(&said);
            let message =
                format!("{place}{RECEIPT}: {field} is '{said}', the certificates beside it say '{is}'");
            Error::integrity("release.receipt", message)
        })
        .collect()
}

/// The value, or its error put on the list.
pub fn keep<T>(result: crate::Result<T>, errors: &mut Vec<Error>) -> Option<T> {
    result.map_err(|e| errors.push(e)).ok()
}
