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
        self.companions().iter().map(|c| Issuer::from_der(&c.certificate.0)).collect()
    }

    fn has_serial(&self, serial: &Serial) -> Result<bool> {
        Ok(self.by_serial(serial)?.is_some())
    }
}
