//! The journal answers what the rules ask of the past.

use crate::error::Result;
use crate::journal::Ledger;
use crate::policy::History;
use crate::x509::{Digest, Issued, Issuer, Serial};

impl History for Ledger {
    fn by_key(&self, key: &Digest) -> Result<Vec<Issued>> {
        self.by_key(key)
    }

    fn by_subject(&self, subject: &[u8]) -> Result<Vec<Issued>> {
        self.by_subject(subject)
    }

    fn by_cluster(&self, cluster: &str) -> Result<Vec<Issued>> {
        self.by_cluster(cluster)
    }

    fn companions(&self) -> Result<Vec<Issuer>> {
        let companions = self.companions().iter().map(|c| Issuer::from_der(&c.certificate.0));
        // One that goes may be a root that could not be made here; its name is known all the same.
        let rollover = self.course().rollover.iter().flat_map(|rollover| &rollover.others);
        let others = rollover.filter_map(|other| Issuer::from_der(&other.certificate.0).ok());
        companions.chain(others.map(Ok)).collect()
    }

    fn forbids_signing(&self) -> Option<&'static str> {
        self.course().forbids_signing()
    }

    fn has_serial(&self, serial: &Serial) -> Result<bool> {
        Ok(self.by_serial(serial)?.is_some())
    }
}
