//! What a home keeps: certificates, plans, the head.

use super::{
    FOLDERS, Home, INDEX_FOLDER, OWN, PLAN_MAXIMUM, file_name, make_folders, own_certificate, unsealed,
};
use crate::audit::cluster_crl;
use crate::error::{Error, Result};
use crate::journal::{Consent, Event, Standing, replay};
use crate::media::durable;
use crate::text::shown_path;
use crate::x509::{Digest, Issuer, Serial, Time, pem};

impl Home {
    /// Keeps signed certificates apart until they are verified and released.
    pub fn quarantine<'c>(&self, certificates: impl Iterator<Item = (&'c Serial, &'c [u8])>) -> Result<()> {
        let files: Vec<_> =
            certificates.map(|(serial, der)| (file_name(serial), pem::certificate(der))).collect();
        durable::write_all(&self.dir.join("quarantine"), &files, 0o600)
    }

    /// Files verified certificates for good.
    pub fn leave_quarantine<'c>(&self, serials: impl Iterator<Item = &'c Serial>) -> Result<()> {
        let names: Vec<String> = serials.map(file_name).collect();
        durable::move_all(&self.dir.join("quarantine"), &self.dir.join("issued"), &names)
    }

    /// Files a certificate of the home's own.
    pub fn file_issued(&self, serial: &Serial, der: &[u8]) -> Result<()> {
        let certificate = pem::certificate(der);
        durable::write_atomic(&self.dir.join("issued"), &file_name(serial), certificate.as_bytes(), 0o600)
    }

    /// A certificate that was signed and filed (DER).
    pub fn issued(&self, serial: &Serial) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join("issued").join(file_name(serial));
        let bytes = match durable::read_bounded(&path, 1 << 20) {
            Err(e) if e.id == "file.missing" => return Ok(None),
            bytes => bytes?,
        };
        pem::decode_certificate(&bytes).map(Some).ok_or_else(|| {
            Error::integrity(
                "home.issued",
                format!("{}: is not a certificate as it was filed", shown_path(&path)),
            )
            .next("stop the ceremony: the file was edited; `anchorite audit verify` says more")
        })
    }

    /// Writes a certificate of the home's own, such as `root.pem`.
    pub fn write_certificate(&self, name: &str, der: &[u8]) -> Result<()> {
        durable::write_atomic(&self.dir, name, pem::certificate(der).as_bytes(), 0o644)
    }

    /// Keeps a plan that is about to be performed, so that it can be resumed.
    pub fn keep_plan(&self, digest: &Digest, bytes: &[u8]) -> Result<std::path::PathBuf> {
        let name = format!("{digest}.json");
        durable::write_atomic(&self.dir.join("plans"), &name, bytes, 0o600)?;
        Ok(self.dir.join("plans").join(name))
    }

    /// Makes sure that a plan is kept as it was performed, whatever copy of it is at hand.
    pub fn check_kept(&self, digest: &Digest) -> Result<()> {
        let path = self.dir.join(format!("plans/{digest}.json"));
        if durable::read_bounded(&path, PLAN_MAXIMUM).is_ok_and(|bytes| Digest::of(&bytes) == *digest) {
            return Ok(());
        }
        let message = format!("{}: is not there, or is not the plan that was performed", shown_path(&path));
        Err(Error::integrity("home.plan", message)
            .next("stop; find out who edited it; then put a copy in its place whose SHA-256 is its name"))
    }

    /// Begins a session on record and settles what an earlier one left open.
    pub fn begin(&mut self, now: Time, consent: &Consent) -> Result<()> {
        let ledger = self.journal.ledger();
        if consent.confirmed == "--yes" && !ledger.unattended() {
            return Err(Error::refused(
                "consent.yes",
                "--yes is not accepted: this home was not made with --unattended",
            )
            .next("answer at the terminal"));
        }
        let crls = self.unsealed_crls()?;
        let mut events = Vec::new();
        if let Some(from) = ledger.last_time().filter(|last| now < *last) {
            if !consent.correct_clock {
                return self.check_clock(now);
            }
            events.push(Event::ClockCorrected { from });
        }
        events.push(consent.event());
        let open: Vec<u64> = ledger.open_intents().map(|(seq, _)| seq).collect();
        if !open.is_empty() {
            events.push(Event::Settled { intents: open });
        }
        // The coming seal must not put in force what nobody agreed to.
        if ledger.pinned_unsealed() {
            events.push(Event::Pinned { files: ledger.files().clone() });
        }
        if ledger.companions_unsealed() {
            events.push(Event::Companions { roots: ledger.companions().to_vec() });
        }
        if ledger.course_unsealed() {
            events.push(Event::RootCourse { plan: None, course: ledger.course().clone() });
        }
        let unsealed = ledger.revoked_unsealed().to_vec();
        if !unsealed.is_empty() {
            events.push(Event::Unrevoked { certificates: unsealed });
        }
        make_folders(&self.dir)?;
        if !self.open_matters().is_empty() {
            self.sweep()?;
            self.journal.rewrite()?;
        }
        events.extend(self.journal.cut_torn()?);
        self.journal.append(now, events)?;
        self.file_crls(crls)?;
        self.refile()
    }

    /// Files what the coming seal puts in force.
    pub fn file_unsealed(&self) -> Result<()> {
        self.file_crls(self.unsealed_crls()?)?;
        self.refile()
    }

    fn file_crls(&self, crls: Vec<(Serial, Vec<u8>)>) -> Result<()> {
        crls.iter().try_for_each(|(certificate, der)| self.file_cluster_crl(certificate, der))
    }

    /// Clusters' CRLs that a crash may have kept from being filed. Anyone who can write the
    /// journal can add such a line: the cluster must have signed it.
    pub(super) fn unsealed_crls(&self) -> Result<Vec<(Serial, Vec<u8>)>> {
        let ledger = self.journal.ledger();
        if !ledger.unsealed().contains(&"cluster-crl") {
            return Ok(Vec::new());
        }
        let (mut crls, sealed) = (Vec::new(), ledger.count() - ledger.unsealed().len() as u64);
        replay(&self.journal.bytes()?, |entry, _| {
            let Event::ClusterCrl { certificate, crl, .. } = &entry.event else { return Ok(()) };
            if entry.seq >= sealed {
                cluster_crl(&certificate.0, crl)
                    .map_err(|error| error.at(format!("journal line {}", entry.seq + 1)))?;
                crls.push((Issuer::from_der(&certificate.0)?.serial, crl.der.0.clone()));
            }
            Ok(())
        })?;
        Ok(crls)
    }

    /// Files the home's own certificates that a crash kept from it: the session's
    /// seal puts them in force.
    fn refile(&self) -> Result<()> {
        let ledger = self.journal.ledger();
        for (name, purpose) in OWN {
            let own = ledger.own_certificate(purpose).and_then(|own| ledger.certificate_of(own));
            if let Some(own) = own.filter(|_| ledger.seal().is_some() && unsealed(ledger, purpose)) {
                let der = own_certificate(ledger, purpose)?;
                self.file_issued(&own.serial, &der)?;
                self.write_certificate(name, &der)?;
            }
        }
        Ok(())
    }

    fn sweep(&self) -> Result<()> {
        let folders = ["", INDEX_FOLDER].iter().chain(&FOLDERS).map(|folder| self.dir.join(folder));
        folders.filter(|folder| folder.is_dir()).try_for_each(|folder| durable::sweep(&folder))
    }

    /// Puts edited documents in force before there is a journal key to seal with;
    /// the root's first seal will cover it.
    pub fn pin_unsealed(&mut self, now: Time, consent: &Consent) -> Result<()> {
        self.begin(now, consent)?;
        self.journal.append(now, vec![Event::Pinned { files: self.digests() }])?;
        self.keep_head()
    }

    /// Notes how far the journal has come.
    pub fn keep_head(&mut self) -> Result<()> {
        durable::write_atomic(&self.dir.join("state"), "head", &self.journal.head().to_json(), 0o600)?;
        self.standing = Standing::Same;
        Ok(())
    }
}
