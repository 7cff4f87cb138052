//! The audit of a whole home: the journal, the heads known of it, and every file
//! that it accounts for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::documents::{self, Documents};
use super::{HEAD, Home, check_certificates, gone};
use crate::audit::{Certificates, Expectation, Fault, Report, State, audit, unreleased_plans};
use crate::error::{Error, Result};
use crate::journal::{Head, JOURNAL_FILE, Ledger};
use crate::media::durable;
use crate::text::shown_bytes;
use crate::x509::{Digest, Status, pem};

/// No plan is larger: a thousand requests take about four megabytes.
const PLAN_MAXIMUM: u64 = 256 << 20;
/// The largest journal that is read.
const JOURNAL_MAXIMUM: u64 = 8 << 30;

/// Audits the home in `dir`, even one that is too broken to be opened.
pub fn examine(dir: &Path, expect: &mut Expectation<'_>) -> Result<Report> {
    let _lock = documents::lock(dir)?;
    let mut faults = Vec::new();
    let journal = durable::read_bounded(&dir.join("journal").join(JOURNAL_FILE), JOURNAL_MAXIMUM);
    let bytes = match journal {
        Ok(bytes) => bytes,
        Err(e) => return Ok(Report::unread(vec![Fault { id: "journal.missing", message: e.message }])),
    };
    match known_head(dir) {
        Ok(head) => expect.heads.push(("state/head".into(), head)),
        Err(error) => faults.push(fault(error)),
    }
    let (mut report, replayed, certificates) = audit(&bytes, expect);
    if let Some(replayed) = &replayed {
        report.open.extend(unreleased_plans(&replayed.ledger));
        if !report.open.is_empty() && report.state == State::Ok {
            report.state = State::Open;
        }
        faults.extend(check_documents(dir, &replayed.ledger));
        // Before the first seal the root is not made yet, nor are all its files.
        if replayed.ledger.seal().is_some() {
            faults.extend(check_certificates(dir, &replayed.ledger).err().map(fault));
        }
        faults.extend(check_files(dir, &replayed.ledger, &certificates)?);
        faults.extend(check_plans(dir)?);
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
        Ok(documents) => documents
            .compare(ledger.files())
            .into_iter()
            .map(|edit| {
                let message =
                    format!("{edit}; if the edit is wanted, `anchorite policy pin` puts it in force");
                Fault { id: "home.edited", message }
            })
            .collect(),
    }
}

/// Every certificate on record must lie in `issued/` as it was signed, and nothing else.
fn check_files(dir: &Path, ledger: &Ledger, certificates: &Certificates) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    let mut expected: BTreeMap<String, Vec<u8>> = certificates
        .iter()
        .map(|(s, der)| (format!("{s}.pem"), pem::certificate(der).into_bytes()))
        .collect();
    for (name, path) in list(&dir.join("issued"))? {
        match (expected.remove(&name), durable::read_bounded(&path, 1 << 20)) {
            (Some(wanted), Ok(bytes)) if wanted == bytes => {}
            (Some(_), _) => faults.push(issued(&name, "is not the certificate on record: it was edited")),
            (None, _) => faults.push(issued(&name, "is not on record")),
        }
    }
    // A root half made and a batch not released have not been filed yet.
    let filed = |name: &String| {
        let serial = crate::x509::Serial::parse(name.trim_end_matches(".pem"));
        let status = serial.and_then(|s| ledger.by_serial(&s).map(|c| c.status));
        ledger.seal().is_some() && status == Some(Status::Released)
    };
    faults.extend(expected.keys().filter(|n| filed(n)).map(|n| issued(n, "is missing")));
    Ok(faults)
}

/// A kept plan is named by its digest, which is on record where it was performed.
fn check_plans(dir: &Path) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for (name, path) in list(&dir.join("plans"))? {
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

/// What lies in a folder: each name fit for a terminal, and the path.
fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let unreadable = |e: std::io::Error| {
        Error::usage("home.unreadable", format!("{}: cannot be read ({e})", crate::text::shown_path(folder)))
            .next("see that the folder is there and that you may read it")
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = shown_bytes(entry.file_name().as_encoded_bytes());
        // What a crash left is no certificate; the next session removes it.
        if !durable::is_temporary(&name) {
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
        for (name, path) in list(&self.dir.join("plans"))? {
            files.push((format!("plans/{name}"), durable::read_bounded(&path, PLAN_MAXIMUM)?));
        }
        Ok(files)
    }
}
