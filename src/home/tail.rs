//! What stands behind the last seal, where anybody can add a line who can write the home.

use crate::audit::{Expectation, audit_lines};
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::policy::Config;
use crate::verify;

/// Nothing vouches for the last seal, and for what came after it, but the signatures
/// themselves; and the next seal makes good all that stands before it. So before any
/// question is asked the signatures must verify, and where lines are not sealed yet the
/// audit must accept the record: of a long one what follows its index.
pub(super) fn check(journal: &Journal, config: &Config) -> Result<()> {
    for (record, signature) in journal.unsealed_signatures() {
        let key = journal.ledger().key(record.role).and_then(|k| k.public_key.as_ref());
        let holds = key.is_some_and(|key| {
            verify::verify_signature(key, record.algorithm, &record.message, signature).is_ok()
        });
        if !holds {
            let what = format!("the journal's {:?} signature does not verify", record.purpose);
            return Err(not_from_here("journal.seal", what));
        }
    }
    if journal.ledger().unsealed().is_empty() {
        return Ok(());
    }
    let (after, lines) = journal.recent()?;
    let vouchers = Some(config.token.attestation_roots.as_slice());
    let report = audit_lines(lines, &Expectation { vouchers, after, ..Expectation::default() }).0;
    match report.errors.into_iter().next() {
        None => Ok(()),
        Some(fault) => Err(not_from_here(fault.id, fault.message)),
    }
}

fn not_from_here(id: &'static str, what: String) -> Error {
    Error::integrity(id, format!("{what}: what stands since the last seal was not all written here"))
        .next("stop the ceremony: the journal was written to by something else; `anchorite audit verify` shows all of it")
}
