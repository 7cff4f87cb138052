//! Each CRL lists what was revoked, goes on from the one before it, and lets nothing go
//! before its time.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::journal::{ClusterCrl, CrlRecord, Ledger, RevokedCertificate};
use crate::verify;
use crate::x509::{CrlSpec, Issuer, Revocation, Serial};

/// What the next CRL has to list; unknown where the lines begin in the middle.
#[derive(Debug, Default)]
pub(super) struct Listed(Option<HashMap<Serial, Revocation>>);

impl Listed {
    /// Of a journal's beginning, or of lines that follow an index.
    pub(super) fn new(from_the_first: bool) -> Self {
        Self(from_the_first.then(HashMap::new))
    }

    pub(super) fn revoked(&mut self, certificates: &[RevokedCertificate]) {
        if let Some(listed) = &mut self.0 {
            listed.extend(certificates.iter().map(|it| (it.entry.serial.clone(), it.entry.clone())));
        }
    }

    pub(super) fn unrevoked(&mut self, certificates: &[Serial]) {
        if let Some(listed) = &mut self.0 {
            for serial in certificates {
                listed.remove(serial);
            }
        }
    }

    /// The next CRL goes on from one that was recovered; `ledger` is as it was before.
    pub(super) fn recovered(&mut self, entries: &[Revocation], ledger: &Ledger) {
        if let Some(listed) = &mut self.0 {
            let all = ledger.unlisted().iter().chain(entries);
            *listed = all.map(|entry| (entry.serial.clone(), entry.clone())).collect();
        }
    }

    /// Checks a CRL that was signed; `ledger` is as it was before.
    pub(super) fn signed(&mut self, message: &[u8], root: Option<&Issuer>, ledger: &Ledger) -> Result<u64> {
        let spec = CrlSpec::from_tbs(message)?;
        let wrong = |what: String| Err(Error::integrity("audit.crl", format!("CRL {} {what}", spec.number)));
        if root.is_none_or(|root| root.subject != spec.issuer || root.key_id != spec.key_id) {
            return wrong("is not under the root's name and key identifier".into());
        }
        let ahead = |last: &CrlRecord| last.this_update > spec.this_update && !ledger.clock_corrected();
        if ledger.crl().is_some_and(ahead) {
            return wrong("is dated before the one it follows".into());
        }
        let entries: HashMap<Serial, Revocation> =
            spec.entries.iter().map(|entry| (entry.serial.clone(), entry.clone())).collect();
        let Some(listed) = self.0.replace(entries) else { return Ok(spec.number) };
        let now = self.0.as_ref().unwrap_or(&listed);
        let unknown =
            |entry: &&Revocation| listed.get(&entry.serial) != Some(entry) && !ledger.is_revoked_so(entry);
        if let Some(entry) = spec.entries.iter().find(unknown) {
            return wrong(format!("lists {}, which is not on record as revoked so", entry.serial));
        }
        for serial in listed.keys().filter(|serial| !now.contains_key(*serial)) {
            let end = ledger.by_serial(serial)?.map(|issued| issued.not_after);
            let outlived = ledger.crl().zip(end).is_some_and(|(last, end)| end < last.this_update);
            if !outlived {
                return wrong(format!("lets {serial} go, which has to stay until one CRL after its end"));
            }
        }
        Ok(spec.number)
    }
}

/// A cluster's CRL is signed with the key of its certificate, empty, and says what is on
/// record of it.
pub fn cluster_crl(certificate: &[u8], crl: &ClusterCrl) -> Result<()> {
    let read = verify::read_crl(&crl.der.0, &Issuer::from_der(certificate)?)?;
    if (read.number, read.next_update) == (crl.number, crl.next_update) && read.entries.is_empty() {
        return Ok(());
    }
    let message = "a cluster's CRL says another number or time than is on record, or is not empty";
    Err(Error::integrity("audit.cluster-crl", message))
}

#[cfg(test)]
mod tests;
