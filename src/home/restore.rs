//! Taking a journal over from a copy, never backwards unless told so.

use std::io::BufReader;
use std::path::Path;

use super::{
    HEAD, Home, OWN, Recovered, check_places, crls, documents, file_name, is_kept, make_folders,
    own_certificate,
};
use crate::audit::Kept;
use crate::error::{Error, Result};
use crate::journal::{Event, Head, JOURNAL_FILE, Journal, KeyRole, Replay, replay, replay_lines};
use crate::media::durable;
use crate::x509::{Time, pem};

/// What the operator says of the copy.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// It holds a head that was noted elsewhere.
    pub head_known: bool,
    /// Lines that it lacks are lost for good.
    pub accept_loss: bool,
}

impl Home {
    /// Replaces the journal in `dir` by an audited copy. A home fresh from `init`
    /// takes any; another one only a copy that goes on from what it knows.
    /// The heads come last: after a crash the same restore can be run again.
    pub fn restore(
        dir: &Path,
        copy: &[u8],
        replayed: &Replay,
        kept: &Kept,
        told: Told,
        now: Time,
    ) -> Result<Recovered> {
        let _lock = documents::lock(dir)?;
        let folder = dir.join("journal");
        if !told.accept_loss && !is_fresh(&folder) {
            no_step_back(dir, replayed, told.head_known)?;
            nothing_asked_since(&folder, replayed.ledger.count())?;
        }
        check_places(dir)?;
        let recovered = Recovered::find(dir, &replayed.ledger, kept)?;
        if !told.accept_loss {
            recovered.refuse()?;
        }
        make_folders(dir)?;
        file_all(dir, kept, &recovered)?;
        let copied = Head { count: replayed.ledger.count(), hash: replayed.ledger.head() };
        durable::write_atomic(&dir.join("state"), "head", &copied.to_json(), 0o600)?;
        let whole = usize::try_from(replayed.ledger.bytes()).unwrap_or(copy.len());
        durable::write_atomic(&folder, JOURNAL_FILE, copy.get(..whole).unwrap_or(copy), 0o600)?;
        let mut journal = Journal::open(&folder, &dir.join("state"))?;
        for (name, purpose) in OWN {
            if journal.ledger().own_certificate(purpose).is_some() {
                let certificate = pem::certificate(&own_certificate(journal.ledger(), purpose)?);
                durable::write_atomic(dir, name, certificate.as_bytes(), 0o644)?;
            }
        }
        let now = journal.ledger().last_time().map_or(now, |last| last.max(now));
        let unfinished = journal.ledger().unfinished_plans().into_iter();
        let given_up = unfinished.filter(|plan| !is_kept(dir, plan)).collect();
        let restored = Event::Restored { count: copied.count, head: copied.hash, given_up };
        journal.append(now, std::iter::once(restored).chain(recovered.event()).collect())?;
        recovered.tidy()?;
        durable::write_atomic(&dir.join("state"), "head", &journal.head().to_json(), 0o600)?;
        Ok(recovered)
    }
}

/// Files what the copy proves, and what proves itself and is newer.
fn file_all(dir: &Path, kept: &Kept, recovered: &Recovered) -> Result<()> {
    let root_crls = kept.root_crls.iter().chain(&recovered.crls);
    for (number, der) in root_crls {
        crls::file(dir, &crls::root_file(*number), der)?;
    }
    let older = kept.cluster_crls.iter().filter(|(serial, _)| !recovered.cluster_crls.contains_key(serial));
    let newer = recovered.cluster_crls.iter().map(|(serial, it)| (serial, &it.crl.der.0));
    for (serial, der) in older.chain(newer) {
        crls::file(dir, &crls::cluster_file(serial), der)?;
    }
    let certificates = kept.certificates.iter().map(|(serial, der)| (serial, der));
    for (serial, der) in certificates.chain(&recovered.certificates) {
        let certificate = pem::certificate(der);
        durable::write_atomic(&dir.join("issued"), &file_name(serial), certificate.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// A home on whose record nothing happened yet but `init` and pins.
fn is_fresh(folder: &Path) -> bool {
    durable::read_bounded(&folder.join(JOURNAL_FILE), 1 << 20)
        .and_then(|bytes| replay(&bytes, |_, _| Ok(())))
        .is_ok_and(|here| here.ledger.root_decision().is_none() && here.ledger.key(KeyRole::Root).is_none())
}

/// What broke off after the last head was noted stands in the journal alone: whatever the
/// root's key was asked for there may have been signed.
fn nothing_asked_since(folder: &Path, count: u64) -> Result<()> {
    let Ok(file) = durable::open(&folder.join(JOURNAL_FILE)) else { return Ok(()) };
    let mut asked = None;
    // Up to where it is damaged, which may be why it is restored.
    let _ = replay_lines(BufReader::new(file), |entry, _| {
        if entry.seq >= count && matches!(entry.event, Event::Intent { role: KeyRole::Root, .. }) {
            asked.get_or_insert(entry.seq + 1);
        }
        Ok(())
    });
    match asked {
        None => Ok(()),
        Some(line) => Err(Error::integrity(
            "journal.behind",
            format!("the copy ends after line {count}, and line {line} of the journal here asks for a signature by the root's key"),
        )
        .next(
            "what was signed there would be on no record: move what hinders out of the way and perform the plan, or \
             restore a newer copy; where the journal here cannot go on, --accept-loss takes this one",
        )),
    }
}

fn no_step_back(dir: &Path, copy: &Replay, head_known: bool) -> Result<()> {
    let bytes = match durable::read_bounded(&dir.join(HEAD), 4096) {
        Ok(bytes) => bytes,
        Err(_) if head_known => return Ok(()),
        Err(e) => {
            return Err(Error::integrity(
                "restore.head",
                format!("{}; nothing tells how far the journal had come", e.message),
            )
            .next("give --expect-head with the head from the printed sheet of the last session"));
        }
    };
    let head = Head::from_json("state/head", &bytes)?;
    head.compare("state/head", copy.ledger.count(), copy.hash_at(head.count)).map(drop).map_err(|e| {
        e.at("the copy").next(
            "find a newer copy, such as an export made after the last session (a release's copy ends before the \
             release itself was put on record); where none exists any more, --accept-loss takes this one",
        )
    })
}
