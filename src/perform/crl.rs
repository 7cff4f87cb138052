//! The root's CRL: on record, signed, verified, filed; and the fleet's set that it heads.

use super::release::Finished;
use super::{Session, not_before_last};
use crate::error::{Error, Result};
use crate::journal::{CertificateIntent, Event, Head, IntentRecord, Ledger, Purpose, RevokedCertificate};
use crate::lint::{CertificateKind, Linted};
use crate::plan::{LaterCrl, Plan};
use crate::release::{ClusterList, Crls};
use crate::token::Key;
use crate::verify;
use crate::x509::{CrlSpec, Digest, Issued, Issuer, Status, Tbs};

/// What of a plan takes no signature and is not on record: revocations, the root's course.
/// Where a crash came before their seal, they were taken back since.
pub(super) fn recorded_events(ledger: &Ledger, plan: &Plan, digest: Digest) -> Vec<Event> {
    let missing = |it: &&RevokedCertificate| !ledger.is_revoked_so(&it.entry);
    let certificates: Vec<_> = plan.revocations.iter().filter(missing).cloned().collect();
    let revoked = (!certificates.is_empty()).then_some(Event::Revoked { plan: digest, certificates });
    let course = plan.course.clone().filter(|course| course != ledger.course_now());
    let course = course.map(|course| Event::RootCourse { plan: Some(digest), course });
    revoked.into_iter().chain(course).collect()
}

/// A CRL for a certificate that is not there.
pub(super) fn not_issued(later: &LaterCrl) -> Error {
    let message = format!("{}: is of certificate {}, which is not in issued/", later.file, later.certificate);
    Error::integrity("home.issued", message)
        .next("`anchorite audit restore` writes it again from the journal")
}

impl Session<'_> {
    /// Puts on record what of a plan takes no signature, revocations or the root's course,
    /// and seals it.
    pub fn record(&mut self, plan: &Plan) -> Result<Head> {
        let digest = plan.digest()?;
        if self.confirmed != Some(digest) {
            return Err(Error::integrity("plan.not-confirmed", "plan: it is not the one that was confirmed"));
        }
        super::prepare_revocations(self.home, plan)?;
        let events = recorded_events(self.ledger(), plan, digest);
        self.home.keep_plan(&digest, &plan.to_bytes()?)?;
        self.home.journal.append(self.now(), events)?;
        self.seal()
    }

    /// What a plan does beside signing for clusters: what takes no signature goes on record
    /// with its beginning, then the root's CRL and a cross-certificate are signed. Gives back
    /// what is still to go on record.
    pub(super) fn sign_first(
        &mut self,
        begun: Vec<Event>,
        fresh: [(Purpose, Option<Linted<Tbs>>); 2],
        plan: Digest,
        key: &Key,
    ) -> Result<Vec<Event>> {
        let mut before = begun;
        for (purpose, tbs) in fresh.into_iter().filter_map(|(purpose, tbs)| Some((purpose, tbs?))) {
            let (plan, request, cluster, policy, crl) = (Some(plan), None, None, None, None);
            let intent = CertificateIntent { purpose, tbs, plan, request, cluster, policy, crl };
            let now = not_before_last(self.home, (self.world.clock)());
            for permit in self.home.journal.intend(now, std::mem::take(&mut before), vec![intent])? {
                let signed = self.sign(key, permit)?;
                self.append(signed)?;
            }
        }
        Ok(before)
    }

    /// Verifies the plan's cross-certificate, if it was signed, and files it.
    pub(super) fn cross_certificate(&mut self, plan: &Plan) -> Result<Option<Vec<u8>>> {
        let Some(cross) = &plan.cross else { return Ok(None) };
        let record = self.ledger().unreleased().map(|(_, it)| it);
        let Some(record) = record.into_iter().find(|it| it.message == cross.tbs.0) else { return Ok(None) };
        let planned = Tbs::recorded(record.message.clone(), record.algorithm);
        let der = planned.assemble(record.signature.as_deref().unwrap_or_default())?;
        let root = self.home.root()?;
        let verified = verify::verify(&planned, &der, CertificateKind::Intermediate, root, self.now())?;
        self.home.file_issued(&verified.get().serial, &der)?;
        Ok(Some(der))
    }

    /// Verifies each CRL of the root's that was signed and is not released, and files it,
    /// with the clusters' own.
    pub(super) fn file_crls(&mut self, plan: &Plan) -> Result<()> {
        let root = self.home.root()?;
        let ledger = self.home.journal.ledger();
        for (_, record) in ledger.unreleased().filter(|(_, it)| it.purpose == Purpose::Crl) {
            let number = self.verify_crl(record, root)?;
            self.home.file_root_crl(number, record)?;
        }
        let of_items = plan.items.iter().filter_map(|item| Some((&item.serial, item.crl.as_ref()?)));
        let later = plan.later_crls.iter().map(|later| (&later.certificate, &later.crl));
        for (certificate, crl) in of_items.chain(later) {
            // A crash may have burnt the certificate, or a later plan brought another CRL.
            let issued = ledger.by_serial(certificate)?.filter(|c| c.status != Status::Burnt);
            let known = issued.and_then(|issued| issued.crl);
            if known.is_some_and(|known| known.digest == Digest::of(&crl.der.0)) {
                self.home.file_cluster_crl(certificate, &crl.der.0)?;
            }
        }
        Ok(())
    }

    fn verify_crl(&self, record: &IntentRecord, root: &Issuer) -> Result<u64> {
        let planned = Tbs::recorded(record.message.clone(), record.algorithm);
        let wanted = CrlSpec::from_tbs(planned.as_der())?;
        let der = planned.assemble(record.signature.as_deref().unwrap_or_default())?;
        let verified = verify::verify_crl(&planned, &der, root, &wanted.entries)?;
        Ok(verified.get().number)
    }

    /// The root's last CRL and one of each intermediate that is alive, those that are
    /// about to be released with them. Where one is missing there is no set: Envoy, given
    /// a part of it, refuses every peer whose CRL is not there.
    pub(super) fn fleet_crls(&self, finished: &[Finished<'_>]) -> Result<Crls> {
        let Some(root) = self.home.root_crl()? else { return Ok(Crls::default()) };
        let (ledger, now) = (self.home.journal.ledger(), self.now());
        let new = finished.iter().map(|f| ledger.by_serial(&f.item.serial)).collect::<Result<Vec<_>>>()?;
        // What is released once more is out already.
        let new: Vec<Issued> =
            new.into_iter().flatten().filter(|issued| issued.status != Status::Released).collect();
        let new_lacking: Vec<_> = new.iter().filter(|c| c.crl.is_none()).cloned().collect();
        let most = ClusterList::named_of(ledger.lacking_count(now) + new_lacking.len() as u64);
        let (mut lacking, count) = ledger.without_crl(now, most)?;
        let count = count + new_lacking.len() as u64;
        lacking.extend(new_lacking);
        lacking.truncate(most);
        if count > 0 {
            let named = lacking
                .iter()
                .map(|c| format!("{} ({})", c.cluster.as_deref().unwrap_or("?"), c.serial))
                .collect();
            return Ok(Crls {
                root: Some(root),
                intermediates: Vec::new(),
                lacking: ClusterList { named, count },
            });
        }
        let mut all = ledger.alive(now)?;
        all.extend(new);
        all.sort_by(|a, b| (&a.cluster, &a.serial).cmp(&(&b.cluster, &b.serial)));
        all.dedup_by(|a, b| a.serial == b.serial);
        let missing =
            || Error::integrity("home.crl", "crl/: a cluster's CRL is on record and cannot be found");
        let each = all.iter().map(|issued| self.home.cluster_crl(issued)?.ok_or_else(missing));
        Ok(Crls {
            root: Some(root),
            intermediates: each.collect::<Result<_>>()?,
            lacking: ClusterList::default(),
        })
    }
}
