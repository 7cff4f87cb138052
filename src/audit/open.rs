//! What a ledger leaves open, a sentence each.

use std::collections::BTreeSet;

use crate::journal::{KeyRole, Ledger};
use crate::x509::Digest;

/// Plans that were signed and not released, of which `kept` says whether their files are there.
/// Open in a home; in the copy that a release carries they are what that release is about to answer.
pub fn unreleased_plans(ledger: &Ledger, kept: impl Fn(&Digest) -> bool) -> Vec<String> {
    // A step in the root's life may have taken no signature of the root's.
    let course = ledger.course_unreleased();
    let plans: BTreeSet<Digest> = ledger.unfinished_plans().into_iter().chain(course).collect();
    plans
        .into_iter()
        .map(|plan| {
            let signed = ledger.unreleased().filter(|(_, i)| i.plan == Some(plan)).count();
            let what = match course == Some(plan) {
                true => "the root's course was changed by it".to_string(),
                false => format!("{signed} of its certificates and CRLs are signed"),
            };
            let next = match kept(&plan) {
                true => format!("`anchorite perform plans/{plan}.json --to DIR` takes it up again"),
                false => format!(
                    "plans/{plan}.json is missing: `anchorite perform` takes up any copy of it (its SHA-256 is its name); \
                     where there is none, `anchorite audit export`, and `anchorite audit restore` of that, give it up on record"
                ),
            };
            format!("plan {plan} is not released; {what}: {next}")
        })
        .collect()
}

/// What a ledger leaves open, plans apart.
pub fn open_matters(ledger: &Ledger) -> Vec<String> {
    let mut open = Vec::new();
    for (seq, intent) in ledger.open_intents() {
        let what = match ledger.certificate_of(intent) {
            Some(c) => format!("certificate {} for {}", c.serial, c.subject),
            None => format!("{:?}", intent.purpose).to_lowercase(),
        };
        open.push(format!(
            "journal line {}: {what} was about to be signed, the outcome is not on record",
            seq + 1
        ));
    }
    for seq in ledger.open_keys() {
        open.push(format!(
            "journal line {}: a key was about to be generated, the outcome is not on record",
            seq + 1
        ));
    }
    // From the root's key on: a journal without any seal could be anybody's.
    if ledger.key(KeyRole::Root).is_some() && !ledger.unsealed().is_empty() {
        let kinds = ledger.unsealed();
        open.push(format!(
            "{} not sealed (from line {}: {}); the next session seals what is not, and `anchorite policy pin` does nothing else",
            if kinds.len() == 1 { "the last line is".into() } else { format!("the last {} lines are", kinds.len()) },
            ledger.count() - kinds.len() as u64 + 1,
            counted(kinds)
        ));
    }
    if ledger.pinned_unsealed() {
        open.push("documents were pinned and not sealed: those of the last seal stay in force; `anchorite policy pin` shows the others".into());
    }
    if ledger.companions_unsealed() {
        open.push("other roots were put on record and not sealed: those of the last seal stay trusted, and nothing else; put them on record again where they are wanted".into());
    }
    if ledger.course_unsealed() {
        open.push("the root's course was changed and not sealed: it stands as the last seal had it, and nothing else".into());
    }
    if !ledger.revoked_unsealed().is_empty() {
        let serials: Vec<String> =
            ledger.revoked_unsealed().iter().map(|serial| serial.to_string()).collect();
        open.push(format!("revocations were put on record and not sealed, they count for nothing: {}; revoke again what is to be revoked", serials.join(", ")));
    }
    open
}

/// `intent, intent, signed` as `2 × intent, signed`.
fn counted(kinds: &[&str]) -> String {
    let runs = kinds.chunk_by(|a, b| a == b).map(|run| match run {
        [one] => (*one).to_string(),
        several => format!("{} × {}", several.len(), several.first().unwrap_or(&"")),
    });
    runs.collect::<Vec<_>>().join(", ")
}
