//! The policies in force, carried away from the home, so that a request is judged by them
//! days before anybody travels. Advice, not a grant: nothing here is signed. Pure.

mod history;
mod record;

use std::collections::BTreeMap;

use history::Past;
pub use record::{RECORD, Record, write};

use crate::error::{Error, Result};
use crate::journal::Companion;
use crate::policy::PolicySet;
use crate::text::shown;
use crate::x509::{Digest, Issuer, Time, pem};

const REGISTER: &str = "clusters.toml";
const ROOT: &str = "root.pem";
const POLICIES: &str = "policies/";
const ANEW: &str = "fetch it anew from where it came, or make it anew in the home: `anchorite policy export`";

/// An export that was read.
#[derive(Debug)]
pub struct Exported {
    /// What it says of itself.
    pub record: Record,
    /// SHA-256 of that.
    pub digest: Digest,
    /// Policies and register.
    pub policies: PolicySet,
    /// The root.
    pub root: Issuer,
    past: Past,
}

impl Exported {
    /// Reads the files of an export by their paths. One that is not as it was written is
    /// named; what else lies beside them is not looked at, but for policies.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let bytes = files.get(RECORD).ok_or_else(|| {
            Error::usage("export.missing", format!("no {RECORD}: this is no exported policy set"))
                .next("give the folder that `anchorite policy export` made")
        })?;
        let record = Record::read(bytes)?;
        unchanged(&record, files)?;
        let text = |name: &str| -> Result<&str> {
            let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
            str::from_utf8(bytes).map_err(|_| changed(format!("{}: is not UTF-8 text", shown(name))))
        };
        let policies = record.files.keys().filter(|name| name.starts_with(POLICIES));
        let policies = policies.map(|name| Ok((name, text(name)?))).collect::<Result<Vec<_>>>()?;
        let policies = PolicySet::parse(policies, (REGISTER, text(REGISTER)?))?;
        let root = files.get(ROOT).and_then(|bytes| pem::decode_certificate(bytes));
        let root = Issuer::from_der(&root.ok_or_else(|| changed(format!("{ROOT}: is no certificate")))?)?;
        let past = Past::of(&record)?;
        Ok(Self { digest: Digest::of(bytes), record, policies, root, past })
    }

    /// Refuses a ceremony that would lie before what the export knows of.
    pub fn check_ceremony(&self, at: Time) -> Result<()> {
        if at >= self.record.written {
            return Ok(());
        }
        Err(Error::usage(
            "precheck.at",
            format!(
                "the ceremony is taken to be at {at}, the export's journal was written until {}",
                self.record.written
            ),
        )
        .next("give --at with the day of the ceremony; without it, see to this host's clock"))
    }
}

/// Every file as the record has it, and no policy beside them.
fn unchanged(record: &Record, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let listed = record.files.iter().filter_map(|(name, wanted)| {
        let found = files.get(name).map(|bytes| Digest::of(bytes));
        let what = match found {
            None => "is missing".into(),
            Some(found) if found != *wanted => format!("its SHA-256 is {found}, {RECORD} has {wanted}"),
            Some(_) => return None,
        };
        Some(format!("{}: {what}", shown(name)))
    });
    let added = files.keys().filter(|name| name.starts_with(POLICIES) && !record.files.contains_key(*name));
    let all: Vec<String> =
        listed.chain(added.map(|name| format!("{}: is not in {RECORD}", shown(name)))).collect();
    if all.is_empty() { Ok(()) } else { Err(changed(all.join("; "))) }
}

fn changed(what: String) -> Error {
    Error::integrity("export.changed", what).next(ANEW)
}

/// The certificate of a root that is on record.
fn root_of(companion: &Companion) -> Result<Issuer> {
    Issuer::from_der(&companion.certificate.0)
}
