//! What lost lines said is on record once more only where it proves itself.

use super::{Auditor, Found, listed, wrong_signature};
use crate::error::{Error, Result};
use crate::journal::{Bytes, CertifiedCrl, KeyRole, Ledger};
use crate::verify::{self, verify_signature};
use crate::x509::certificate::Facts;
use crate::x509::{Issuer, Serial, Tbs};

/// The serial number of a certificate (DER), where this root's key signed it: whatever it
/// says, nobody can take it back, and so it belongs on record.
pub fn recovered_certificate(der: &[u8], root: &Issuer) -> Result<Serial> {
    let (tbs, signature) = Tbs::split(der)?;
    verify_signature(&root.public_key, tbs.signature(), tbs.as_der(), &signature)
        .map_err(|_| wrong_signature(KeyRole::Root))?;
    Ok(Facts::from_tbs(tbs.as_der())?.serial)
}

impl<T: Send> Auditor<'_, '_, '_, T> {
    pub(super) fn recovered(
        &mut self,
        certificates: &[Bytes],
        cluster_crls: &[CertifiedCrl],
        crls: &[Bytes],
        ledger: &Ledger,
    ) -> Result<()> {
        let root = self.root.clone().ok_or_else(|| {
            Error::integrity("audit.no-root", "something was recovered before there was a root")
        })?;
        // The CRL that came with a request is shown before the one that follows it.
        self.tell_waiting();
        for Bytes(der) in certificates {
            let serial = recovered_certificate(der, &root)?;
            self.show(serial, der);
        }
        for CertifiedCrl { certificate, crl } in cluster_crls {
            listed::cluster_crl(&certificate.0, crl)?;
            let issuer = Issuer::from_der(&certificate.0)?;
            (self.found)(Found::ClusterCrl(&issuer.serial, &crl.der.0));
        }
        for Bytes(der) in crls {
            let crl = verify::read_crl(der, &root)?;
            self.listed.recovered(&crl.entries, ledger);
            (self.found)(Found::RootCrl(crl.number, der));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
