//! What gives an intent back, or ends a plan. Nothing in such a line is signed: that its
//! session wrote it shows by the number that the intent committed to.

use super::{IntentRecord, Ledger, Purpose};
use crate::journal::commitment;
use crate::x509::{Digest, Serial, Status};

impl Ledger {
    pub(super) fn withdrawn(
        &mut self,
        intents: &[u64],
        numbers: &[Digest],
    ) -> std::result::Result<(), String> {
        if intents.len() != numbers.len() {
            return Err("withdraws intents without the number of each".into());
        }
        for (intent, number) in intents.iter().zip(numbers) {
            let open = self.intents.get(intent).filter(|i| i.signature.is_none());
            if open.is_some_and(|i| i.commitment != Some(commitment(number))) {
                return Err(format!("withdraws intent {intent}, which its session did not"));
            }
            let plan = open.and_then(|i| i.plan);
            let certificate = self.close(*intent, "withdraws")?;
            self.forget(certificate.as_ref(), plan);
        }
        Ok(())
    }

    /// What was certainly not signed stands in nobody's way: its plan may ask for it again.
    fn forget(&mut self, certificate: Option<&Serial>, plan: Option<Digest>) {
        if let Some(left) = plan.and_then(|plan| self.plans.get_mut(&plan)) {
            *left = left.saturating_add(1);
        }
        if let Some(serial) = certificate {
            self.recent.remove(serial);
        }
    }

    pub(super) fn released(&mut self, plan: &Digest, number: &Digest) -> std::result::Result<(), String> {
        self.course_unreleased = self.course_unreleased.filter(|unreleased| unreleased != plan);
        if self.plans.remove(plan).is_none() {
            return Err(format!("releases plan {plan}, which is not being performed"));
        }
        self.recent.finished.insert(*plan);
        let done: Vec<u64> =
            self.intents.iter().filter(|(_, i)| i.plan == Some(*plan)).map(|(seq, _)| *seq).collect();
        for seq in done {
            let record = self.intents.remove(&seq);
            if let Some(IntentRecord { signature: Some(_), certificate, .. }) = record {
                self.set_status(certificate.as_ref(), Status::Released).map_err(|e| e.message)?;
                self.is_out(certificate.as_ref()).map_err(|e| e.message)?;
            } else {
                return Err(format!("releases plan {plan} while its intent {seq} is open"));
            }
        }
        if self.releasing.remove(plan) != Some(commitment(number)) {
            return Err(format!("releases plan {plan}, which the session that signed its release did not"));
        }
        // Every release carries the root's last CRL: whichever plan signed one, it is out.
        self.intents.retain(|_, intent| intent.purpose != Purpose::Crl || intent.signature.is_none());
        Ok(())
    }

    /// A plan whose file is lost is taken up by nobody. What was signed for it stays
    /// known as signed.
    pub(super) fn give_up(&mut self, plan: &Digest) -> std::result::Result<(), String> {
        self.releasing.remove(plan);
        if self.plans.remove(plan).is_none() {
            return Err(format!("gives up plan {plan}, which is not being performed"));
        }
        self.recent.finished.insert(*plan);
        self.intents.retain(|_, intent| intent.plan != Some(*plan) || intent.signature.is_none());
        Ok(())
    }
}
