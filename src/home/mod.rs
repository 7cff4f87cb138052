//! A CA home: the folder that holds everything but the keys.
//!
//! ```text
//! anchorite.toml clusters.toml policies/*.toml allowed_signers   pinned by digest in the journal
//! root.pem journal-cert.pem    journal/    state/head
//! issued/ quarantine/ plans/   certificates and the plans they came from
//! crl/                         the root's CRLs and those of the clusters
//! ```

mod crls;
mod documents;
mod examine;
mod history;
mod recover;
mod restore;
mod store;
mod tail;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use documents::Documents;
pub use examine::examine;
pub use recover::Recovered;
pub use restore::Told;

use crate::cores;
use crate::error::{Error, Result};
use crate::journal::{
    Entry, Event, GENESIS, Head, IntentRecord, Journal, KeyRole, Ledger, Purpose, Standing,
};
use crate::media::durable::{self, Lock};
use crate::policy::{Config, PolicySet};
use crate::text::{self, shown_path};
use crate::verify;
use crate::x509::{Digest, Issuer, Serial, Status, Tbs, Time, pem};

/// Folders of a home.
const FOLDERS: [&str; 7] = ["policies", "journal", "state", "issued", "quarantine", "plans", crls::FOLDER];
/// No plan is larger: a thousand requests take about four megabytes.
pub const PLAN_MAXIMUM: u64 = 256 << 20;
/// Pages and buckets of the journal's index.
const INDEX_FOLDER: &str = "state/index";
const HEAD: &str = "state/head";
/// The home's own certificates, each with its file.
const OWN: [(&str, Purpose); 2] =
    [("root.pem", Purpose::RootCertificate), ("journal-cert.pem", Purpose::JournalCertificate)];

/// An open home. Holds its lock: one process at a time.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    _lock: Lock,
    /// The configuration in force.
    pub config: Config,
    /// Policies and register in force.
    pub policies: PolicySet,
    /// The journal.
    pub journal: Journal,
    root: Option<Issuer>,
    standing: Standing,
    digests: BTreeMap<String, Digest>,
    edited: Vec<String>,
}

/// What `init` decides for good.
#[derive(Debug)]
pub struct NewHome<'a> {
    /// The token's URI.
    pub token: &'a str,
    /// The PKCS#11 module's path.
    pub module: Option<&'a str>,
    /// What the module is told when it starts.
    pub module_args: Option<&'a str>,
    /// Whether `--yes` may answer confirmations.
    pub unattended: bool,
    /// Whether everything in it is a rehearsal.
    pub rehearsal: bool,
    /// 16 random bytes: the home's name.
    pub name: [u8; 16],
}

impl Home {
    /// Makes a home in an empty or missing folder and opens its journal.
    pub fn init(dir: &Path, new: &NewHome<'_>, now: Time) -> Result<Self> {
        documents::require_empty(dir)?;
        if !dir.exists() {
            durable::create_dir(dir, 0o700)?;
        }
        durable::sweep(dir)?;
        durable::write_atomic(dir, documents::BEGUN, documents::BEGUN_TEXT, 0o600)?;
        for folder in FOLDERS {
            durable::ensure_dir(&dir.join(folder), 0o700)?;
            durable::sweep(&dir.join(folder))?;
        }
        documents::write_initial(dir, new)?;
        let documents = Documents::read(dir)?;
        let opened = Event::Opened {
            home: text::hex(&new.name),
            version: env!("CARGO_PKG_VERSION").into(),
            token: new.token.into(),
            unattended: new.unattended,
            rehearsal: new.rehearsal,
            files: documents.digests(),
        };
        let first = Entry { seq: 0, time: now, prev: GENESIS, event: opened };
        let head = Head { count: 1, hash: Digest::of(first.to_line()?.as_bytes()) };
        durable::write_atomic(&dir.join("state"), "head", &head.to_json(), 0o600)?;
        // Last: with a journal it is a home, and `init` never touches it again.
        drop(Journal::create(&dir.join("journal"), &dir.join("state"), now, first.event)?);
        durable::remove(&dir.join(documents::BEGUN))?;
        durable::sync_entries(dir)?;
        Self::open(dir)
    }

    /// Opens a home whose documents are the pinned ones.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::open_and(dir, |_| ()).map(|(home, ())| home)
    }

    /// As [`Home::open`]; `meanwhile` has the configuration, which is in force, while the
    /// policies are read.
    pub fn open_and<T>(dir: &Path, meanwhile: impl FnOnce(&Config) -> T) -> Result<(Self, T)> {
        Self::open_in_any_case(dir, |config, edited| {
            refuse_edits(dir, edited)?;
            Ok(meanwhile(config))
        })
    }

    /// Opens a home whose documents may have been edited (for `policy check` and `pin`).
    pub fn open_edited(dir: &Path) -> Result<Self> {
        Self::open_in_any_case(dir, |_, _| Ok(())).map(|(home, ())| home)
    }

    fn open_in_any_case<T>(
        dir: &Path,
        meanwhile: impl FnOnce(&Config, &[String]) -> Result<T>,
    ) -> Result<(Self, T)> {
        let lock = documents::lock(dir)?;
        let journal = Journal::open(&dir.join("journal"), &dir.join("state"))?;
        check_folders(dir, journal.ledger())?;
        let standing = check_head(dir, &journal)?;
        let documents = Documents::read(dir)?;
        let config = documents.config()?;
        check_decided_at_init(&config, &journal)?;
        let digests = documents.digests();
        let edited = documents::compare(&digests, journal.ledger().files());
        tail::check(&journal, &config)?;
        let root = read_root(dir, &journal)?;
        let (policies, done) = cores::both(|| documents.policies(), || meanwhile(&config, &edited));
        // What cannot be read is told with file and line, rather than that it was edited.
        let (policies, done) = (policies?, done?);
        let dir = dir.to_path_buf();
        Ok((Self { dir, _lock: lock, config, policies, journal, root, standing, digests, edited }, done))
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How the documents differ from the pinned ones, a sentence each.
    pub fn edits(&self) -> &[String] {
        &self.edited
    }

    /// SHA-256 of the documents as they were read.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.digests.clone()
    }

    /// The documents in force by name, read once more; one that was edited meanwhile is refused.
    pub fn documents(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let documents = Documents::read(&self.dir)?;
        let edited = documents::compare(&documents.digests(), self.journal.ledger().files());
        refuse_edits(&self.dir, &edited)?;
        Ok(documents.into_files())
    }

    /// The root, if it was made.
    pub fn root(&self) -> Result<&Issuer> {
        self.root.as_ref().ok_or_else(|| {
            Error::usage("home.no-root", format!("{}: has no root yet", shown_path(&self.dir)))
                .next("make one: `anchorite root create --subject 'O=Example,CN=Example Root G1' --key p256 --ttl 20y`")
        })
    }

    /// The other roots that are trusted beside it, in the order of trust bundles.
    pub fn companions(&self) -> Result<Vec<Issuer>> {
        let companions = self.journal.ledger().companions();
        companions.iter().map(|companion| Issuer::from_der(&companion.certificate.0)).collect()
    }

    /// This root and those of its other devices (DER), in the order of trust bundles.
    pub fn own_roots(&self) -> Result<Vec<Vec<u8>>> {
        let companions = self.companions()?.into_iter().map(|companion| companion.der);
        Ok(std::iter::once(self.root()?.der.clone()).chain(companions).collect())
    }

    /// The roots that trust bundles hold now (DER), in their order.
    pub fn trusted(&self) -> Result<Vec<Vec<u8>>> {
        Ok(self.journal.ledger().course().trusted(self.own_roots()?))
    }

    /// Whether the root is on record, but the run that made it did not come to its end.
    pub fn root_unfinished(&self) -> bool {
        let ledger = self.journal.ledger();
        let renewed = ledger.own_certificates(Purpose::RootCertificate).nth(1).is_some();
        self.standing == Standing::Ahead && !ledger.issued_any() && !renewed
    }

    /// Whether a renewal is on record that no seal has put in force yet.
    pub fn half_renewed(&self) -> bool {
        OWN.iter().any(|(_, purpose)| unsealed(self.journal.ledger(), *purpose))
    }

    /// The journal key's certificate (DER), as recorded.
    pub fn journal_certificate(&self) -> Result<Vec<u8>> {
        own_certificate(self.journal.ledger(), Purpose::JournalCertificate)
    }

    /// Refuses a clock that lies behind the journal.
    pub fn check_clock(&self, now: Time) -> Result<()> {
        match self.journal.ledger().last_time() {
            Some(last) if now < last => Err(Error::refused(
                "clock.behind",
                format!("the clock says {now}, but the journal's last entry was written at {last}"),
            )
            .next("set the clock; if it ran ahead when that entry was written, run again with --correct-clock, which puts the correction on record")),
            _ => Ok(()),
        }
    }

    /// What a crash or an unfinished run left open, a sentence each.
    pub fn open_matters(&self) -> Vec<String> {
        let mut open = crate::audit::open_matters(self.journal.ledger());
        let kept = |plan: &Digest| is_kept(&self.dir, plan);
        open.extend(crate::audit::unreleased_plans(self.journal.ledger(), kept));
        if !self.journal.torn().is_empty() {
            open.push(format!("the journal's last line is unfinished ({} bytes)", self.journal.torn().len()));
        }
        if self.standing == Standing::Ahead {
            open.push("the journal goes on after state/head".into());
        }
        open
    }
}

fn refuse_edits(dir: &Path, edited: &[String]) -> Result<()> {
    let Some(first) = edited.first() else { return Ok(()) };
    Err(Error::integrity("home.edited", format!("{}: {first}", shown_path(dir)))
        .next("if the edit is wanted, `anchorite policy pin` puts it in force; if not, undo it"))
}

/// What `init` decided stands in the journal for good; the configuration repeats it for its readers.
fn check_decided_at_init(config: &Config, journal: &Journal) -> Result<()> {
    let ledger = journal.ledger();
    let told = (config.ceremony.unattended, config.ceremony.rehearsal);
    if told == (ledger.unattended(), ledger.rehearsal()) {
        return Ok(());
    }
    Err(Error::usage(
        "config.ceremony",
        format!(
            "anchorite.toml: [ceremony] says unattended = {}, rehearsal = {}; this home was made with {} and {}",
            told.0,
            told.1,
            ledger.unattended(),
            ledger.rehearsal()
        ),
    )
    .next("undo the edit: both are decided at init for good; make another home with `anchorite init`"))
}

/// `state/head` must be there and must lie on this journal.
fn check_head(dir: &Path, journal: &Journal) -> Result<Standing> {
    let path = dir.join(HEAD);
    let bytes = durable::read_bounded(&path, 4096).map_err(|e| gone(e, "journal.head-missing",
        "stop the ceremony: the record of how far the journal had come is gone; `anchorite audit restore` needs the head from the printed sheet or a release"))?;
    let place = shown_path(&path);
    journal.compare(&place, Head::from_json(&place, &bytes)?)
}

/// The root as the journal has it; `root.pem` must say the same.
fn read_root(dir: &Path, journal: &Journal) -> Result<Option<Issuer>> {
    let ledger = journal.ledger();
    // Without a first seal the root's creation is not complete.
    if ledger.seal().is_none() {
        return Ok(None);
    }
    let issuer = Issuer::from_der(&own_certificate(ledger, Purpose::RootCertificate)?)?;
    check_certificates(dir, ledger)?;
    if ledger.key(KeyRole::Root).and_then(|k| k.public_key.as_ref()) != Some(&issuer.public_key) {
        return Err(Error::integrity(
            "root.key",
            "the root certificate on record is for another key than the recorded one",
        ));
    }
    // The key whose seals count is the one that the root certified, no other.
    verify::check_journal_certificate(&own_certificate(ledger, Purpose::JournalCertificate)?, &issuer.der)?;
    Ok(Some(issuer))
}

/// What a session writes must have its place before anything is signed. An empty folder
/// that a copy of the home left out is made by the next session; one that held something
/// is not, or nobody would miss what it held.
fn check_folders(dir: &Path, ledger: &Ledger) -> Result<()> {
    check_places(dir)?;
    let held = [("issued", ledger.seal().is_some()), ("plans", ledger.releases() > 0)];
    match held.iter().find(|(name, held)| *held && !dir.join(name).exists()) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::integrity("home.folder", format!("{}: is missing", shown_path(&dir.join(name))))
                .next("stop; find out who removed it; then put it back from a backup (`anchorite audit restore` writes certificates and CRLs again, no plans)"))
        }
    }
}

/// No file, pipe or link to nowhere stands where a folder belongs.
fn check_places(dir: &Path) -> Result<()> {
    let mut folders = FOLDERS.iter().chain(&[INDEX_FOLDER]).map(|name| dir.join(name));
    // A link to nowhere is there, too.
    let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    match folders.find(|folder| there(folder) && !folder.is_dir()) {
        None => Ok(()),
        Some(other) => Err(Error::integrity("home.folder", format!("{}: is no folder", shown_path(&other)))
            .next("stop; find out who put it there, and where the folder is; then put that back")),
    }
}

fn file_name(serial: &Serial) -> String {
    format!("{serial}.pem")
}

/// Whether a plan that was performed is still there, whatever is in it.
fn is_kept(dir: &Path, plan: &Digest) -> bool {
    dir.join("plans").join(format!("{plan}.json")).exists()
}

fn make_folders(dir: &Path) -> Result<()> {
    let missing = FOLDERS.map(|name| dir.join(name)).into_iter().filter(|folder| !folder.exists());
    missing.into_iter().try_for_each(|folder| durable::ensure_dir(&folder, 0o700))
}

/// A file that should be there: that it is not, or that something else stands in its place,
/// is a matter of integrity, all else (permissions, a bad disk) is what it is.
fn gone(error: Error, id: &'static str, next: &str) -> Error {
    match error.id {
        "file.missing" | "file.not-regular" => Error::integrity(id, error.message).next(next),
        _ => error,
    }
}

/// A certificate of the home's own, joined from the bytes and the signature on record.
fn own_certificate(ledger: &Ledger, purpose: Purpose) -> Result<Vec<u8>> {
    let own = ledger.own_certificate(purpose).ok_or_else(|| {
        Error::integrity("journal.own-certificate", format!("the journal holds no {purpose:?}"))
    })?;
    assembled(own)
}

fn assembled(own: &IntentRecord) -> Result<Vec<u8>> {
    Tbs::recorded(own.message.clone(), own.algorithm).assemble(own.signature.as_deref().unwrap_or_default())
}

/// `root.pem` and `journal-cert.pem` are the certificates on record: the newest, or
/// the one before it until a seal covers a renewal.
fn check_certificates(dir: &Path, ledger: &Ledger) -> Result<()> {
    for (name, purpose) in OWN {
        let newest = check_certificate_file(dir, name, &own_certificate(ledger, purpose)?);
        match ledger.own_certificates(purpose).rev().nth(1).filter(|_| unsealed(ledger, purpose)) {
            Some(before) if newest.is_err() => check_certificate_file(dir, name, &assembled(before)?)?,
            _ => newest?,
        }
    }
    Ok(())
}

/// Whether the newest certificate of this purpose is not in force yet.
fn unsealed(ledger: &Ledger, purpose: Purpose) -> bool {
    let newest = ledger.own_certificate(purpose).and_then(|own| ledger.certificate_of(own));
    newest.is_some_and(|certificate| certificate.status != Status::Released)
}

fn check_certificate_file(dir: &Path, name: &str, recorded: &[u8]) -> Result<()> {
    let path = dir.join(name);
    let found = durable::read_bounded(&path, 1 << 20).map_err(|e| {
        gone(e, "home.certificate", "the journal holds it: `anchorite audit restore` writes it again")
    })?;
    if found != pem::certificate(recorded).as_bytes() {
        return Err(Error::integrity(
            "home.certificate",
            format!("{}: is not the certificate on record", shown_path(&path)),
        )
        .next("stop the ceremony: the file was edited or replaced"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
