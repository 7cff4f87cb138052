//! `export.json`: of which home and day an export is, what its files are, and what the
//! rules ask of the past.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ANEW, POLICIES, REGISTER, ROOT};
use crate::error::{Error, Result};
use crate::journal::{Companion, Head, Ledger, Purpose, RootCourse};
use crate::policy::{Limits, Register};
use crate::text::shown;
use crate::x509::{Digest, Issued, Issuer, Serial, Time, pem};

/// Its file.
pub const RECORD: &str = "export.json";
const VERSION: u32 = 1;

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    /// The home's name.
    pub home: String,
    /// How far its journal had come.
    pub head: Head,
    /// When the last line of it was written: the export knows of nothing later.
    pub written: Time,
    /// How much of a folder is read, as the home has it for sticks.
    pub limits: Bounds,
    /// SHA-256 of each file.
    pub files: BTreeMap<String, Digest>,
    pub(super) companions: Vec<Companion>,
    pub(super) course: RootCourse,
    /// Without what they say of CRLs, which no rule asks for.
    pub(super) issued: Vec<Issued>,
}

/// `[limits]` in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The largest file in bytes.
    pub file_size: u64,
    /// The most files.
    pub files: usize,
    /// The deepest folder.
    pub depth: usize,
    /// All files together in bytes.
    pub total_size: u64,
}

/// The files of an export by path: the same journal and documents give the same bytes.
/// Of the `documents` in force the policies and the register go along.
pub fn write(
    ledger: &Ledger,
    root: &Issuer,
    limits: &Limits,
    register: &Register,
    documents: BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = documents;
    files.retain(|name, _| name == REGISTER || name.starts_with(POLICIES));
    files.insert(ROOT.into(), pem::certificate(&root.der).into_bytes());
    let written = ledger.last_time().unwrap_or(root.not_before);
    let record = Record {
        version: VERSION,
        home: ledger.home().into(),
        head: Head { count: ledger.count(), hash: ledger.head() },
        written,
        limits: Bounds {
            file_size: limits.file_size,
            files: limits.files,
            depth: limits.depth,
            total_size: limits.total_size,
        },
        files: files.iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect(),
        companions: ledger.companions().to_vec(),
        course: ledger.course().clone(),
        issued: issued(ledger, register, written)?,
    };
    let mut bytes = serde_json::to_vec_pretty(&record)
        .map_err(|e| Error::usage("export.encode", format!("{RECORD}: cannot be written ({e})")))?;
    bytes.push(b'\n');
    files.insert(RECORD.into(), bytes);
    Ok(files)
}

/// What the rules may ask for, without all of a long history: what has not ended, what
/// registered clusters ever had, and the home's own. In the order of issue.
fn issued(ledger: &Ledger, register: &Register, at: Time) -> Result<Vec<Issued>> {
    let mut all: BTreeMap<Serial, Issued> = BTreeMap::new();
    let mut keep = |issued: Issued| {
        let plain = Issued { crl: None, revoked: None, ..issued };
        all.insert(plain.serial.clone(), plain);
    };
    ledger.unended(at)?.into_iter().for_each(&mut keep);
    for cluster in register.clusters().keys() {
        ledger.by_cluster(cluster)?.into_iter().for_each(&mut keep);
    }
    for purpose in [Purpose::RootCertificate, Purpose::JournalCertificate] {
        for serial in ledger.own_certificates(purpose).filter_map(|own| own.certificate.as_ref()) {
            ledger.by_serial(serial)?.into_iter().for_each(&mut keep);
        }
    }
    let mut all: Vec<Issued> = all.into_values().collect();
    all.sort_by(|a, b| (a.not_before, &a.serial).cmp(&(b.not_before, &b.serial)));
    Ok(all)
}

impl Record {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let unreadable = |what: String| {
            Error::integrity("export.unreadable", format!("{RECORD}: cannot be read ({what})")).next(ANEW)
        };
        let record: Self = serde_json::from_slice(bytes).map_err(|e| unreadable(shown(&e.to_string())))?;
        match record.version {
            VERSION => Ok(record),
            other => Err(unreadable(format!("version {other}, wanted {VERSION}: use the home's anchorite"))),
        }
    }

    /// How many certificates it knows of.
    pub fn certificates(&self) -> usize {
        self.issued.len()
    }
}
