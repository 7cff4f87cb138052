//! Every ID in the source is tried somewhere, or stands here with the reason why no
//! input that a test can make gets there. A new one cannot be forgotten.

use std::collections::BTreeSet;
use std::path::Path;

use crate::structure::source::{rust_files, sources};

/// IDs that no test tries.
#[rustfmt::skip]
const NEVER: &[(&str, &str)] = &[
    // Encoders that fail on no value that can be built.
    ("certificate.assemble", ENCODER), ("certificate.encode", ENCODER), ("certificate.extension", ENCODER),
    ("certificate.key-id", ENCODER), ("certificate.tbs", ENCODER), ("journal.encode", ENCODER),
    ("crl.encode", ENCODER), ("export.encode", ENCODER), ("plan.encode", ENCODER), ("release.cms", ENCODER), ("request.make", ENCODER), ("token.curve", ENCODER),
    // Held by the step before; a second lock on the same door.
    ("audit.no-root", BEFORE), ("journal.field", BEFORE), ("journal.own-certificate", BEFORE),
    ("journal.torn", BEFORE), 
    ("release.certificate", BEFORE), ("release.self-check", BEFORE), ("root.algorithm", BEFORE),
    ("root.certificate", BEFORE),
    ("root.name", BEFORE), ("rollover.other", BEFORE),
    ("certificate.split", BEFORE),
    ("adopt.key-id", "no tool here makes a private key without a CKA_ID"),
    ("verify.cms.algorithm", "the signature does not verify first, whichever algorithm OpenSSL can be made to name"),
    // What the operating system does not do on a test's machine.
    ("process.entropy", "getrandom fails on no kernel since 5.6"),
    ("process.harden", "setrlimit and prctl fail on no such kernel"),
    ("token.piv", "a build without support for YubiKeys"),
    ("token.module-path", "a working folder that is gone, or a path that is not UTF-8"),
    ("token.piv", "only where it was built without YubiKeys, which CI checks to compile"),
    ("terminal.echo", TERMINAL), ("terminal.too-long", TERMINAL),
];

const ENCODER: &str = "DER and JSON encoders fail on no value that can be built here";
const BEFORE: &str = "the step before lets nothing through that would lead there";
const TERMINAL: &str = "a pseudo-terminal that dies in the middle of an answer";

/// Dotted words of the source that are no IDs: names of files, keys of documents.
const NOT_IDS: &[&str] = &[
    "cert-manager.io",
    "certificaterequests.v1.cert-manager.io",
    "certificatesigningrequests.v1.certificates.k8s.io",
    "spec.request",
    "status.ca",
    "status.certificate",
    "status.conditions",
];

/// All string literals that look like an ID.
fn dotted(text: &str) -> Vec<String> {
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_lowercase())
            && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let like = |s: &&str| s.contains('.') && s.split('.').all(word);
    text.split('"').filter(like).map(String::from).collect()
}

fn file_name(id: &str) -> bool {
    [".toml", ".pem", ".json", ".jsonl", ".yaml", ".in", ".key", ".csr", ".crt", ".crl", ".yml"]
        .iter()
        .any(|end| id.ends_with(end))
}

#[test]
fn every_id_is_tried_or_has_a_reason() {
    let ids: BTreeSet<String> = sources()
        .iter()
        .flat_map(|source| dotted(&source.strings))
        .filter(|id| !file_name(id) && !NOT_IDS.contains(&id.as_str()))
        .collect();
    let mut faults = Vec::new();
    for id in &ids {
        let tried = tried().contains(id);
        let reason = NEVER.iter().find(|(never, _)| never == id);
        match (tried, reason) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => faults.push(format!("{id}: no test tries it; try it, or give the reason")),
            (true, Some(_)) => faults.push(format!("{id}: is tried by now; take it off the list")),
        }
    }
    let gone = NEVER.iter().map(|(id, _)| *id).chain(NOT_IDS.iter().copied());
    let gone = gone.filter(|id| !sources().iter().any(|s| s.strings.contains(&format!("\"{id}\""))));
    faults.extend(gone.map(|id| format!("{id}: is in the source no more")));
    assert!(NEVER.iter().all(|(_, reason)| reason.len() > 15), "a reason is a sentence");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(ids.len() > 300, "only {} were found", ids.len());
}

/// What stands in the tests beside the source and within it.
fn tried() -> &'static BTreeSet<String> {
    static TRIED: std::sync::LazyLock<BTreeSet<String>> = std::sync::LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        let own = root.join("tests/errors/matrix/ids.rs");
        for path in rust_files(&root.join("tests")).into_iter().filter(|path| *path != own) {
            found.extend(dotted(&std::fs::read_to_string(path).unwrap()));
        }
        for path in rust_files(&root.join("src")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(root.join("src")).unwrap().to_str().unwrap();
            // Of a file that is not a test's own, what is blanked out of it is the tests'.
            let mut all = dotted(&text);
            for id in sources().iter().filter(|s| s.path == name).flat_map(|s| dotted(&s.strings)) {
                if let Some(at) = all.iter().position(|a| *a == id) {
                    all.remove(at);
                }
            }
            found.extend(all);
        }
        found
    });
    &TRIED
}
