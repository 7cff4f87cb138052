//! A release: a folder's files, as they lie, and with sums and signature made anew.

use std::collections::BTreeMap;

use anchorite::audit::{Expectation, audit};
use anchorite::journal::Index;
use anchorite::release::{self, Report, SIGNATURE, SUMS, Verifier, cms};
use anchorite::x509::Digest;

use super::world::{self, JOURNAL_KEY, now, root};
use super::{files, fit, fit_error, good};

type Files = BTreeMap<String, Vec<u8>>;

pub fn release(data: &[u8]) {
    let files = unpack(data);
    if accepted(&files) {
        // The fuzzer has no key: it can change nothing but the signature's own form.
        let (mut ours, mut theirs) = (unpack(world::RELEASE), files.clone());
        ours.remove(SIGNATURE);
        theirs.remove(SIGNATURE);
        assert!(ours == theirs, "a release was forged");
    }
    let report = release::check_cluster(&files, &[root().fingerprint()], true, now(), &Verifier);
    readable(&report);
    if report.errors.is_empty() {
        let genuine = unpack(world::RELEASE);
        assert!(genuine.values().any(|bytes| *bytes == files["ca-cert.pem"]), "a certificate was forged");
    }
    let signed = signed_anew(files);
    if accepted(&signed) {
        let names = signed.keys().map(String::as_str);
        names.for_each(fit);
    }
}

fn unpack(data: &[u8]) -> Files {
    let text = |name: &[u8]| anchorite::text::shown_bytes(name);
    files::unpack(data).into_iter().map(|(name, bytes)| (text(name), bytes.to_vec())).collect()
}

/// Whether `verify` takes it, as the binary does: the release, then its copy of the journal.
fn accepted(files: &Files) -> bool {
    let root = root().fingerprint();
    let strict = release::check(files, &[root], false, now(), &Verifier);
    let report = release::check(files, &[root], true, now(), &Verifier);
    readable(&strict);
    readable(&report);
    assert!(report.errors.len() <= strict.errors.len(), "a rehearsal let in is no other release");
    assert!(!report.rehearsal || !strict.errors.is_empty());
    let after = files.get("journal/index.json").map(|bytes| good(Index::read(bytes)));
    if matches!(after, Some(None)) {
        return false;
    }
    let after = after.flatten();
    let journal = files.get("journal/journal.jsonl").map(|journal| {
        let expect = Expectation { root_sha256: Some(root), after: after.as_ref(), ..Expectation::default() };
        let faults = audit(journal, &expect).0.errors;
        faults.iter().for_each(|fault| fit(&fault.message));
        faults.is_empty()
    });
    report.errors.is_empty() && journal.unwrap_or(true)
}

fn readable(report: &Report) {
    fit(&report.release);
    report.errors.iter().for_each(fit_error);
    assert_eq!(report.worst().is_none(), report.errors.is_empty());
}

/// The same files under sums and a signature of the world's journal key.
fn signed_anew(mut files: Files) -> Files {
    let covered = files.iter().filter(|(name, _)| *name != SUMS && *name != SIGNATURE);
    let sums: String = covered.map(|(name, bytes)| format!("{}  {name}\n", Digest::of(bytes))).collect();
    let attributes =
        cms::attributes(sums.as_bytes(), &Digest::of(world::PLAN), &Digest::of(b"number"), now()).unwrap();
    let signature = JOURNAL_KEY.sign(&attributes);
    let p7s = cms::assemble(&attributes, &signature, world::journal_certificate()).unwrap();
    files.insert(SUMS.into(), sums.into_bytes());
    files.insert(SIGNATURE.into(), p7s);
    files
}
