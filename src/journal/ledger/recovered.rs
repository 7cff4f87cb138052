//! What lines that are lost said, as far as the files of that time prove it by themselves:
//! the root's key signed them, or a cluster's.

use std::collections::HashMap;

use super::{CrlRecord, Ledger, revocation};
use crate::journal::{Bytes, CertifiedCrl};
use crate::x509::certificate::Facts;
use crate::x509::{CrlSpec, Digest, Issued, Issuer, Revocation, Serial, Status, Tbs};

/// Which cluster it was for stood on the lost lines alone. No cluster can be called so.
pub const RECOVERED: &str = "(recovered)";

impl Ledger {
    pub(super) fn recovered(
        &mut self,
        certificates: &[Bytes],
        cluster_crls: &[CertifiedCrl],
        crls: &[Bytes],
    ) -> Result<(), String> {
        if self.seal.is_none() {
            return Err("recovers what a root signed that is not made yet".into());
        }
        certificates.iter().try_for_each(|der| self.certificate_recovered(&der.0))?;
        for CertifiedCrl { certificate, crl } in cluster_crls {
            self.follows(&certificate.0, crl)?;
        }
        crls.iter().try_for_each(|der| self.crl_recovered(&der.0))
    }

    /// Whether a certificate that the root's key signed is on no record, or was only asked for.
    pub fn may_recover(&self, facts: &Facts) -> Result<(), String> {
        let asked_for =
            |known: &Issued| known.key == facts.key && matches!(known.status, Status::Open | Status::Burnt);
        match self.by_serial(&facts.serial).map_err(|e| e.message)? {
            Some(known) if !asked_for(&known) => {
                Err(format!("recovers {}, which is on record", facts.serial))
            }
            _ => Ok(()),
        }
    }

    /// Counted as released: nobody knows any more whether it was.
    fn certificate_recovered(&mut self, der: &[u8]) -> Result<(), String> {
        let (tbs, _) = Tbs::split(der).map_err(|e| e.message)?;
        let facts = Facts::from_tbs(tbs.as_der()).map_err(|e| e.message)?;
        self.may_recover(&facts)?;
        let Facts { serial, subject, key, not_before, not_after } = facts;
        // The serial of one that was asked for is used up, whatever became of it.
        if self.by_serial(&serial).map_err(|e| e.message)?.is_some() {
            return Ok(());
        }
        let (status, cluster) = (Status::Released, Some(RECOVERED.to_string()));
        let mut issued =
            Issued { serial, subject, key, cluster, not_before, not_after, status, crl: None, revoked: None };
        if self.is_own(&issued) || self.is_another_root(&issued) {
            issued.cluster = None;
        }
        self.issue(issued.clone());
        self.is_out(Some(&issued.serial)).map_err(|e| e.message)
    }

    /// Whether it is a cross-certificate, as far as the other root is known.
    fn is_another_root(&self, issued: &Issued) -> bool {
        let others = self.course.rollover.iter().flat_map(|rollover| &rollover.others);
        let mut others = others.chain(&self.companions).map(|root| Issuer::from_der(&root.certificate.0));
        others.any(|root| root.is_ok_and(|root| root.public_key.digest() == issued.key))
    }

    /// The next CRL goes on from this one, with its number and what it lists.
    fn crl_recovered(&mut self, der: &[u8]) -> Result<(), String> {
        let (tbs, _) = Tbs::split(der).map_err(|e| e.message)?;
        let spec = CrlSpec::from_tbs(tbs.as_der()).map_err(|e| e.message)?;
        if let Some(last) = self.crl.as_ref().filter(|last| last.number >= spec.number) {
            return Err(format!("recovers CRL {}, but CRL {} is on record", spec.number, last.number));
        }
        let listed: HashMap<&Serial, &Revocation> =
            spec.entries.iter().map(|entry| (&entry.serial, entry)).collect();
        self.unlisted.retain(|entry| !listed.contains_key(&entry.serial));
        self.revoked_unsealed.retain(|serial| !listed.contains_key(serial));
        for entry in &spec.entries {
            let Some(issued) = self.by_serial(&entry.serial).map_err(|e| e.message)? else { continue };
            if issued.revoked.is_none() {
                *self.revoked.entry(revocation::week(issued.not_after)).or_default() += 1;
            }
            let issued = Issued { revoked: Some(entry.clone()), ..issued };
            self.recent.certificates.insert(entry.serial.clone(), issued);
        }
        self.crl_number = self.crl_number.max(spec.number);
        self.crl_before = self.crl.as_ref().map(|last| last.this_update);
        self.crl = Some(CrlRecord::of(&spec, der));
        Ok(())
    }
}

impl CrlRecord {
    /// What is kept of a CRL (DER).
    pub(super) fn of(spec: &CrlSpec, der: &[u8]) -> Self {
        Self {
            number: spec.number,
            digest: Digest::of(der),
            this_update: spec.this_update,
            next_update: spec.next_update,
            entries: spec.entries.len() as u64,
        }
    }
}
