//! The audit of a whole home: the journal, the heads known of it, and every file
//! that it accounts for.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use super::documents::{self, Documents};
use super::{HEAD, Home, PLAN_MAXIMUM, check_certificates, check_folders, crls, gone, is_kept};
use crate::audit::{Expectation, Fault, Found, Report, State, audit_found, unreleased_plans};
use crate::error::{Error, Result};
use crate::journal::{Head, JOURNAL_FILE, Ledger, check_index};
use crate::media::durable;
use crate::text::shown_bytes;
use crate::x509::{Digest, Serial, Status, pem};

/// Audits the home in `dir`, even one that is too broken to be opened.
pub fn examine(dir: &Path, mut expect: Expectation<'_>) -> Result<Report> {
    let _lock = documents::lock(dir)?;
    let mut faults = Vec::new();
    let journal = durable::open(&dir.join("journal").join(JOURNAL_FILE));
    let lines = match journal {
        Ok(file) => BufReader::new(file),
        Err(e) => return Ok(Report::unread(vec![Fault { id: "journal.missing", message: e.message }])),
    };
    match known_head(dir) {
        Ok(head) => expect.heads.push(("state/head".into(), head)),
        Err(error) => faults.push(fault(error)),
    }
    let index = check_index(&dir.join("state")).unwrap_or_else(|error| {
        faults.push(fault(error));
        None
    });
    // One that cannot be read is told of below.
    let config = Documents::read(dir).and_then(|documents| documents.config()).ok();
    let vouchers = config.as_ref().map(|config| config.token.attestation_roots.as_slice());
    let expect = Expectation { index: index.as_ref(), vouchers, ..expect };
    let (mut issued, mut crls) = (IssuedFiles::in_folder(dir), Crls::default());
    let folder = issued.folder.clone();
    let look = |serial: &Serial, der: &[u8]| compare(&folder, serial, der);
    let (mut report, replayed) = audit_found(lines, &expect, &look, &mut |found| match found {
        Found::Certificate(serial, file) => issued.note(serial, file),
        Found::RootCrl(number, der) => drop(crls.insert(crls::root_file(number), Digest::of(der))),
        Found::ClusterCrl(serial, der) => drop(crls.insert(crls::cluster_file(serial), Digest::of(der))),
    });
    if let Some(replayed) = &replayed {
        report.open.extend(unreleased_plans(&replayed.ledger, |plan| is_kept(dir, plan)));
        if !report.open.is_empty() && report.state == State::Ok {
            report.state = State::Open;
        }
        faults.extend(check_folders(dir, &replayed.ledger).err().map(fault));
        faults.extend(check_documents(dir, &replayed.ledger));
        // Before the first seal the root is not made yet, nor are all its files.
        if replayed.ledger.seal().is_some() {
            faults.extend(check_certificates(dir, &replayed.ledger).err().map(fault));
        }
        faults.extend(issued.faults(&replayed.ledger)?);
        faults.extend(check_plans(dir)?);
        faults.extend(check_crls(dir, &crls, &replayed.ledger)?);
    }
    if !faults.is_empty() {
        report.state = State::Broken;
        report.errors.extend(faults);
    }
    Ok(report)
}

fn known_head(dir: &Path) -> Result<Head> {
    let bytes =
        durable::read_bounded(&dir.join(HEAD), 4096).map_err(|e| gone(e, "journal.head-missing", ""))?;
    Head::from_json("state/head", &bytes)
}

fn check_documents(dir: &Path, ledger: &Ledger) -> Vec<Fault> {
    match Documents::read(dir) {
        Err(error) => vec![fault(error)],
        Ok(documents) => documents::compare(&documents.digests(), ledger.files())
            .into_iter()
            .map(|edit| {
                let message =
                    format!("{edit}; if the edit is wanted, `anchorite policy pin` puts it in force");
                Fault { id: "home.edited", message }
            })
            .collect(),
    }
}

/// What became of a certificate's file.
enum IssuedFile {
    AsSigned,
    Missing,
    Edited,
}

/// Compares a certificate's file in `issued/` with its DER.
fn compare(folder: &Path, serial: &Serial, der: &[u8]) -> IssuedFile {
    match durable::read_bounded(&folder.join(format!("{serial}.pem")), 1 << 20) {
        Ok(bytes) if bytes == pem::certificate(der).as_bytes() => IssuedFile::AsSigned,
        Err(e) if e.id == "file.missing" || !folder.is_dir() => IssuedFile::Missing,
        _ => IssuedFile::Edited,
    }
}

/// Every certificate on record must lie in `issued/` as it was signed, and nothing else.
struct IssuedFiles {
    folder: PathBuf,
    /// Those on record.
    seen: HashSet<Serial>,
    missing: Vec<Serial>,
    edited: Vec<String>,
}

impl IssuedFiles {
    fn in_folder(dir: &Path) -> Self {
        let (seen, missing, edited) = Default::default();
        Self { folder: dir.join("issued"), seen, missing, edited }
    }

    fn note(&mut self, serial: Serial, file: IssuedFile) {
        match file {
            IssuedFile::AsSigned => {}
            IssuedFile::Missing => self.missing.push(serial.clone()),
            IssuedFile::Edited => self.edited.push(format!("{serial}.pem")),
        }
        self.seen.insert(serial);
    }

    fn faults(self, ledger: &Ledger) -> Result<Vec<Fault>> {
        let mut faults: Vec<Fault> = self
            .edited
            .iter()
            .map(|name| issued(name, "is not the certificate on record: it was edited"))
            .collect();
        let known = |name: &str| {
            let serial = name.strip_suffix(".pem").and_then(Serial::parse);
            serial.is_some_and(|serial| self.seen.contains(&serial) && name == format!("{serial}.pem"))
        };
        for (name, _) in list_but(&self.folder, known)? {
            faults.push(issued(&name, "is not on record"));
        }
        for serial in self.missing {
            // A root half made and a batch not released have not been filed yet.
            let status = ledger.by_serial(&serial)?.map(|c| c.status);
            if ledger.seal().is_some() && status == Some(Status::Released) {
                faults.push(issued(&format!("{serial}.pem"), "is missing"));
            }
        }
        Ok(faults)
    }
}

/// A kept plan is named by its digest, which is on record where it was performed.
fn check_plans(dir: &Path) -> Result<Vec<Fault>> {
    let folder = dir.join("plans");
    let mut faults = Vec::new();
    for (name, path) in list(&folder)? {
        let digest = durable::read_bounded(&path, PLAN_MAXIMUM).map(|bytes| Digest::of(&bytes));
        if !digest.is_ok_and(|digest| name == format!("{digest}.json")) {
            faults.push(Fault {
                id: "home.plan",
                message: format!("plans/{name}: is not the plan of that digest"),
            });
        }
    }
    Ok(faults)
}

/// CRLs on record, by their files' names.
type Crls = BTreeMap<String, Digest>;

/// Those in `crl/` are the ones on record, and nothing else lies there. What a batch that
/// is not released yet brought has not been filed; what a crash cut off is, by the next session.
fn check_crls(dir: &Path, crls: &Crls, ledger: &Ledger) -> Result<Vec<Fault>> {
    let folder = dir.join(crls::FOLDER);
    let fault = |name: &str, what: &str| Fault { id: "home.crl", message: format!("crl/{name}: {what}") };
    let (mut faults, mut missing) = (Vec::new(), crls.clone());
    let unfinished = !ledger.unfinished_plans().is_empty() || ledger.unsealed().contains(&"cluster-crl");
    for (name, path) in list(&folder)? {
        let found = durable::read_bounded(&path, crls::MAXIMUM).map(|bytes| crls::read_pem(&bytes));
        match (missing.remove(&name), found) {
            (None, _) => faults.push(fault(&name, "is not on record")),
            (Some(recorded), Ok(Some(der))) if Digest::of(&der) == recorded => {}
            // The last step of a release: a later CRL of the same certificate.
            (Some(_), _) if unfinished => {}
            (Some(_), _) => faults.push(fault(&name, "is not the CRL on record: it was edited")),
        }
    }
    if !unfinished {
        faults.extend(missing.keys().map(|name| fault(name, "is missing")));
    }
    Ok(faults)
}

/// What lies in a folder: each name fit for a terminal, and the path.
pub(super) fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    list_but(folder, |_| false)
}

/// The same without the names that are known: there may be a great many of them.
fn list_but(folder: &Path, known: impl Fn(&str) -> bool) -> Result<Vec<(String, PathBuf)>> {
    let unreadable = |e: std::io::Error| {
        Error::usage("home.unreadable", format!("{}: cannot be read ({e})", crate::text::shown_path(folder)))
            .next("see that the folder is there and that you may read it")
    };
    let mut names = Vec::new();
    // An export has no empty folders. What should lie in one is missed by those who ask.
    let entries = match std::fs::read_dir(folder) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(names),
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = shown_bytes(entry.file_name().as_encoded_bytes());
        // What a crash left is no certificate; the next session removes it.
        if !durable::is_temporary(&name) && !known(&name) {
            names.push((name, entry.path()));
        }
    }
    names.sort();
    Ok(names)
}

fn issued(name: &str, what: &str) -> Fault {
    Fault { id: "home.issued", message: format!("issued/{name}: {what}") }
}

fn fault(error: Error) -> Fault {
    Fault { id: error.id, message: error.message }
}

impl Home {
    /// Everything an auditor or a restore needs, by path: the journal, the documents
    /// in force, the certificates, the plans.
    pub fn export(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files = vec![(format!("journal/{JOURNAL_FILE}"), self.journal.bytes()?)];
        files.extend(Documents::read(&self.dir)?.into_files());
        for name in ["root.pem", "journal-cert.pem", HEAD] {
            if self.dir.join(name).exists() {
                files.push((name.into(), durable::read_bounded(&self.dir.join(name), 1 << 20)?));
            }
        }
        for (name, path) in list(&self.dir.join("issued"))? {
            files.push((format!("issued/{name}"), durable::read_bounded(&path, 1 << 20)?));
        }
        for (name, path) in list(&self.dir.join(crls::FOLDER))? {
            files.push((format!("{}/{name}", crls::FOLDER), durable::read_bounded(&path, crls::MAXIMUM)?));
        }
        for (name, path) in list(&self.dir.join("plans"))? {
            files.push((format!("plans/{name}"), durable::read_bounded(&path, PLAN_MAXIMUM)?));
        }
        Ok(files)
    }
}
