//! Clusters' CRLs that come for certificates which are signed already.

use super::{LaterCrl, RefusedBy};
use crate::error::Result;
use crate::finding::Finding;
use crate::intake::{CrlOf, ReceivedCrl, judge_crl};
use crate::journal::{Bytes, ClusterCrl, Ledger};
use crate::x509::{Issued, Issuer, Serial, Status, Time};

/// What became of CRLs that came without their requests.
#[derive(Debug, Default)]
pub struct Later {
    /// Those that go on record.
    pub taken: Vec<LaterCrl>,
    /// Those that are refused: where each lay, and why.
    pub refused: Vec<(String, RefusedBy)>,
    /// Those of no certificate that is alive here.
    pub strange: Vec<ReceivedCrl>,
}

impl Later {
    /// Sorts them. `certificate` reads what was signed, by serial number (DER).
    pub fn sort(
        ledger: &Ledger,
        certificate: &dyn Fn(&Serial) -> Result<Option<Vec<u8>>>,
        crls: Vec<ReceivedCrl>,
        now: Time,
    ) -> Result<Self> {
        let mut later = Self::default();
        for crl in crls {
            later.add(ledger, certificate, crl, now)?;
        }
        Ok(later)
    }

    fn add(
        &mut self,
        ledger: &Ledger,
        certificate: &dyn Fn(&Serial) -> Result<Option<Vec<u8>>>,
        crl: ReceivedCrl,
        now: Time,
    ) -> Result<()> {
        let mut problems = Vec::new();
        let alive = |c: &Issued| c.cluster.is_some() && c.not_after >= now && c.status == Status::Released;
        // The youngest of several first.
        for issued in ledger.by_subject(&crl.issuer.canonical())?.into_iter().rev().filter(alive) {
            let Some(der) = certificate(&issued.serial)? else { continue };
            let issuer = Issuer::from_der(&der)?;
            let of = CrlOf {
                subject: &issuer.subject,
                public_key: &issuer.public_key,
                key_id: &issuer.key_id,
                not_after: issued.not_after,
                now,
            };
            let findings: Vec<Finding> = judge_crl(&crl, &of).into_iter().filter(Finding::refuses).collect();
            if !findings.is_empty() {
                problems.extend(findings);
                continue;
            }
            let (Some(number), Some(next_update)) = (crl.number, crl.next_update) else { continue };
            if issued.crl.as_ref().is_some_and(|known| known.digest == crl.digest) {
                return Ok(());
            }
            if let Some(known) = issued.crl.as_ref().filter(|known| known.number >= number) {
                let message = format!(
                    "{}: its number is {number}, that of the CRL on record for {} is {}: a later CRL has a higher one",
                    crl.file, issued.serial, known.number
                );
                self.refuse(crl.file, "crl.behind", message);
                return Ok(());
            }
            if self.taken.iter().any(|it| it.certificate == issued.serial) {
                let message =
                    format!("{}: is a second CRL for {}; leave the newest", crl.file, issued.serial);
                self.refuse(crl.file, "crl.several", message);
                return Ok(());
            }
            let crl_record = ClusterCrl { der: Bytes(crl.der), number, next_update };
            self.taken.push(LaterCrl { file: crl.file, certificate: issued.serial, crl: crl_record });
            return Ok(());
        }
        for problem in &problems {
            self.refuse(crl.file.clone(), problem.rule, problem.message.clone());
        }
        if problems.is_empty() {
            self.strange.push(crl);
        }
        Ok(())
    }

    fn refuse(&mut self, file: String, rule: &str, message: String) {
        self.refused.push((file, RefusedBy { rule: rule.into(), message }));
    }
}
