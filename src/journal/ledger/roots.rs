//! A root that was made elsewhere, and when the home's own certificates are in force.

use super::{IntentRecord, KeyRecord, Ledger, Purpose, RootAdoption};
use crate::error::Result;
use crate::journal::KeyRole;
use crate::text;
use crate::x509::certificate::Facts;
use crate::x509::{Issuer, Status, Tbs};

impl Ledger {
    /// Only where there is no root, not even one that was decided on. The certificate
    /// stands for a signature that was made before this journal began; whoever audits
    /// it verifies it like one made here.
    pub(super) fn root_adopted(
        &mut self,
        seq: u64,
        adoption: &RootAdoption,
    ) -> std::result::Result<(), String> {
        if self.root_key.is_some() || self.root_decision.is_some() {
            return Err("takes over a second root".into());
        }
        let der = &adoption.certificate.0;
        let root = Issuer::from_der(der).map_err(|e| e.message)?;
        let (tbs, signature) = Tbs::split(der).map_err(|e| e.message)?;
        let id = text::unhex(&adoption.id).ok_or("CKA_ID is not hexadecimal")?;
        self.root_key = Some(KeyRecord {
            algorithm: root.public_key.algorithm(),
            label: adoption.label.clone(),
            id,
            intent: seq,
            public_key: Some(root.public_key),
        });
        let facts = Facts::from_tbs(tbs.as_der()).map_err(|e| e.message)?;
        let certificate = self.certificate(Purpose::RootCertificate, facts, None, None)?;
        self.set_status(Some(&certificate), Status::Signed).map_err(|e| e.message)?;
        let record = IntentRecord {
            purpose: Purpose::RootCertificate,
            role: KeyRole::Root,
            algorithm: tbs.signature(),
            plan: None,
            request: None,
            policy: None,
            commitment: None,
            message: tbs.as_der().to_vec(),
            signature: Some(signature),
            certificate: Some(certificate),
        };
        self.intents.insert(seq, record);
        self.root_adoption = Some(adoption.clone());
        Ok(())
    }

    /// The home's own certificates that this seal is the first to cover are in force,
    /// and filed.
    pub(super) fn settle_own(&mut self) -> Result<()> {
        let sealed = self.seal.as_ref().map_or(0, |seal| seal.count);
        let own = |i: &&IntentRecord| {
            matches!(i.purpose, Purpose::RootCertificate | Purpose::JournalCertificate)
                && i.signature.is_some()
        };
        let new = self.intents.range(sealed..).map(|(_, intent)| intent).filter(own);
        let serials: Vec<_> = new.map(|i| i.certificate.clone()).collect();
        serials.iter().try_for_each(|serial| self.set_status(serial.as_ref(), Status::Released))
    }
}
