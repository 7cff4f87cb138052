//! What lies in a home and stands on no line of the journal that it is to go on from:
//! where the root's key signed it, or a cluster's, it proves itself and goes on record again.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::examine::list;
use super::{crls, file_name, own_certificate};
use crate::audit::{Kept, recovered_certificate};
use crate::error::{Error, Result};
use crate::journal::{Bytes, CertifiedCrl, ClusterCrl, Event, Ledger, Purpose};
use crate::media::durable;
use crate::verify;
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Issuer, Serial, Tbs, pem};

/// Where certificates lie: filed, or not released yet.
const CERTIFICATES: [&str; 2] = ["issued", "quarantine"];

/// What the copy knows, and the certificates (DER) that it proves.
type Known<'a> = (&'a Ledger, &'a HashMap<&'a Serial, &'a Vec<u8>>);

/// What was found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Certificates (DER) that the root's key signed.
    pub certificates: BTreeMap<Serial, Vec<u8>>,
    /// CRLs that clusters signed, by certificate: each later than the one on record.
    pub cluster_crls: BTreeMap<Serial, CertifiedCrl>,
    /// The root's CRLs (DER) by number: later than the last one on record.
    pub crls: BTreeMap<u64, Vec<u8>>,
    /// Where each was read, and the file that it belongs in.
    places: Vec<(PathBuf, PathBuf)>,
}

impl Recovered {
    /// Looks for what `ledger` does not know; `kept` is what it proves. A file that proves
    /// nothing is left to the audit, which names it.
    pub(super) fn find(dir: &Path, ledger: &Ledger, kept: &Kept) -> Result<Self> {
        let mut found = Self::default();
        // Before the first seal there is no root that signed anything for others.
        if ledger.seal().is_none() {
            return Ok(found);
        }
        let root = Issuer::from_der(&own_certificate(ledger, Purpose::RootCertificate)?)?;
        let certificates: HashMap<&Serial, &Vec<u8>> =
            kept.certificates.iter().map(|(serial, der)| (serial, der)).collect();
        for folder in CERTIFICATES {
            for (_, path) in list(&dir.join(folder))? {
                found.certificate(dir, path, &root, (ledger, &certificates));
            }
        }
        for (name, path) in list(&dir.join(crls::FOLDER))? {
            let read = durable::read_bounded(&path, crls::MAXIMUM).ok().and_then(|pem| crls::read_pem(&pem));
            let Some(der) = read else { continue };
            match name.strip_suffix(".pem").and_then(Serial::parse) {
                Some(serial) => found.cluster_crl(serial, der, (ledger, &certificates)),
                None => found.root_crl(dir, path, der, &root, (ledger, kept)),
            }
        }
        Ok(found)
    }

    fn certificate(&mut self, dir: &Path, path: PathBuf, root: &Issuer, (ledger, known): Known<'_>) {
        let pem = durable::read_bounded(&path, 1 << 20).ok();
        let Some(der) = pem.and_then(|pem| pem::decode_certificate(&pem)) else { return };
        let Ok(facts) = Tbs::split(&der).and_then(|(tbs, _)| Facts::from_tbs(tbs.as_der())) else { return };
        let folder = dir.join("issued");
        let filed = folder.join(file_name(&facts.serial));
        if known.get(&facts.serial) == Some(&&der) {
            // A copy by another name, of one that is on record.
            if path.parent() == Some(&folder) {
                self.places.push((path, filed));
            }
            return;
        }
        if ledger.may_recover(&facts).is_err() || recovered_certificate(&der, root).is_err() {
            return;
        }
        self.places.push((path, filed));
        self.certificates.insert(facts.serial, der);
    }

    /// Those that come with another name can come in with the next requests.
    fn cluster_crl(&mut self, serial: Serial, der: Vec<u8>, (ledger, certificates): Known<'_>) {
        let known = ledger.by_serial(&serial).ok().flatten().and_then(|issued| issued.crl);
        if known.as_ref().is_some_and(|known| known.digest == Digest::of(&der)) {
            return;
        }
        let certificate = self.certificates.get(&serial).or_else(|| certificates.get(&serial).copied());
        let Some(certificate) = certificate else { return };
        let Ok(crl) = Issuer::from_der(certificate).and_then(|issuer| verify::read_crl(&der, &issuer)) else {
            return;
        };
        if known.is_some_and(|known| known.number >= crl.number) || !crl.entries.is_empty() {
            return;
        }
        let certificate = Bytes(certificate.clone());
        let crl = ClusterCrl { der: Bytes(der), number: crl.number, next_update: crl.next_update };
        self.cluster_crls.insert(serial, CertifiedCrl { certificate, crl });
    }

    fn root_crl(
        &mut self,
        dir: &Path,
        path: PathBuf,
        der: Vec<u8>,
        root: &Issuer,
        (ledger, kept): (&Ledger, &Kept),
    ) {
        let filed = |number| dir.join(crls::FOLDER).join(crls::root_file(number));
        if let Some((number, _)) = kept.root_crls.iter().find(|(_, known)| **known == der) {
            self.places.push((path, filed(*number)));
            return;
        }
        let Ok(crl) = verify::read_crl(&der, root) else { return };
        if ledger.crl().is_none_or(|last| last.number < crl.number) {
            self.places.push((path, filed(crl.number)));
            self.crls.insert(crl.number, der);
        }
    }

    /// The line that puts it on record, where there is anything.
    pub(super) fn event(&self) -> Option<Event> {
        let empty = self.certificates.is_empty() && self.cluster_crls.is_empty() && self.crls.is_empty();
        let bytes = |der: &Vec<u8>| Bytes(der.clone());
        (!empty).then(|| Event::Recovered {
            certificates: self.certificates.values().map(bytes).collect(),
            cluster_crls: self.cluster_crls.values().cloned().collect(),
            crls: self.crls.values().map(bytes).collect(),
        })
    }

    /// Lines are lost without a word only where none are known of.
    pub(super) fn refuse(&self) -> Result<()> {
        let certificates = self.certificates.keys().map(|serial| format!("certificate {serial}"));
        let cluster_crls = self.cluster_crls.keys().map(|serial| format!("a later CRL of {serial}"));
        let crls = self.crls.keys().map(|number| format!("the root's CRL {number}"));
        let Some(first) = certificates.chain(crls).chain(cluster_crls).next() else { return Ok(()) };
        let all = self.certificates.len() + self.cluster_crls.len() + self.crls.len();
        let more = if all > 1 { format!(" and {} more", all - 1) } else { String::new() };
        Err(Error::integrity(
            "journal.behind",
            format!("the copy knows nothing of {first}{more}, which lie in this home and are signed"),
        )
        .next("find a newer copy, such as an export made after the last session; where none exists any more, --accept-loss takes this one and puts them on record again"))
    }

    /// Takes away what is filed by its own name.
    pub(super) fn tidy(&self) -> Result<()> {
        let others = self.places.iter().filter(|(read, filed)| read != filed);
        others.map(|(read, _)| read).try_for_each(|read| durable::remove(read))
    }
}
