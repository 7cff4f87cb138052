//! The CRLs that a home keeps: the root's, and those that clusters signed beforehand.

use std::path::Path;

use super::{Home, assembled, gone};
use crate::error::{Error, Result};
use crate::journal::{IntentRecord, Purpose};
use crate::media::durable;
use crate::x509::{CrlSpec, Digest, Issued, Revocation, Serial, Tbs, pem};

pub(super) const FOLDER: &str = "crl";
/// The root's of a hundred thousand entries takes about six megabytes.
pub(super) const MAXIMUM: u64 = 256 << 20;

/// The file of the root's CRL with this number.
pub(super) fn root_file(number: u64) -> String {
    format!("root-{number}.pem")
}

/// The file of a cluster's.
pub(super) fn cluster_file(certificate: &Serial) -> String {
    format!("{certificate}.pem")
}

impl Home {
    /// The root's CRL that was signed last (DER), as it is on record.
    pub fn root_crl(&self) -> Result<Option<Vec<u8>>> {
        let ledger = self.journal.ledger();
        let Some(last) = ledger.crl() else { return Ok(None) };
        // A crash may have come before it was filed.
        let recorded = ledger.unreleased().filter(|(_, it)| it.purpose == Purpose::Crl);
        for (_, record) in recorded {
            let der = assembled(record)?;
            if Digest::of(&der) == last.digest {
                return Ok(Some(der));
            }
        }
        self.read(&root_file(last.number), last.digest).map(Some)
    }

    /// What the root's last CRL lists.
    pub fn listed(&self) -> Result<Vec<Revocation>> {
        let Some(der) = self.root_crl()? else { return Ok(Vec::new()) };
        let (tbs, _) = Tbs::split(&der)?;
        Ok(CrlSpec::from_tbs(tbs.as_der())?.entries)
    }

    /// The CRL that a cluster signed for its certificate (DER), as it is on record.
    pub fn cluster_crl(&self, certificate: &Issued) -> Result<Option<Vec<u8>>> {
        let Some(crl) = &certificate.crl else { return Ok(None) };
        let filed = self.read(&cluster_file(&certificate.serial), crl.digest);
        if filed.is_ok() {
            return filed.map(Some);
        }
        // A crash may have come before it was filed.
        let recorded = self.unsealed_crls()?.into_iter().map(|(_, der)| der);
        let recorded = recorded.into_iter().find(|der| Digest::of(der) == crl.digest);
        recorded.map_or(filed, Ok).map(Some)
    }

    /// Files a CRL of the root's.
    pub fn file_root_crl(&self, number: u64, record: &IntentRecord) -> Result<()> {
        file(&self.dir, &root_file(number), &assembled(record)?)
    }

    /// Files a cluster's CRL.
    pub fn file_cluster_crl(&self, certificate: &Serial, der: &[u8]) -> Result<()> {
        file(&self.dir, &cluster_file(certificate), der)
    }

    fn read(&self, name: &str, recorded: Digest) -> Result<Vec<u8>> {
        read(&self.dir.join(FOLDER), name, recorded)
    }
}

/// Files a CRL in a home.
pub(super) fn file(home: &Path, name: &str, der: &[u8]) -> Result<()> {
    let folder = home.join(FOLDER);
    // A home that was made before there were CRLs.
    durable::ensure_dir(&folder, 0o700)?;
    durable::write_atomic(&folder, name, pem::crl(der).as_bytes(), 0o600)
}

fn read(folder: &Path, name: &str, recorded: Digest) -> Result<Vec<u8>> {
    let again = "the journal holds it: `anchorite audit restore` writes it again";
    let bytes = durable::read_bounded(&folder.join(name), MAXIMUM).map_err(|e| gone(e, "home.crl", again))?;
    read_pem(&bytes).filter(|der| Digest::of(der) == recorded).ok_or_else(|| {
        Error::integrity("home.crl", format!("crl/{name}: is not the CRL on record"))
            .next("stop the ceremony: the file was edited or replaced")
    })
}

/// The only CRL of a file.
pub(super) fn read_pem(bytes: &[u8]) -> Option<Vec<u8>> {
    let [only] = <[Vec<u8>; 1]>::try_from(pem::crls(bytes)?).ok()?;
    Some(only)
}
