//! The home's own certificates: signed on record, joined from it, verified, filed.

use const_oid::db::{rfc5280, rfc5912};
use der::asn1::ObjectIdentifier;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};

use super::Session;
use super::root::{BACKDATE, journal_placeholder};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::journal::{CertificateIntent, Event, Purpose};
use crate::lint::{CertificateKind, Linted, lint};
use crate::token::Key;
use crate::verify;
use crate::x509::certificate::{Facts, authority_key_id, extension, subject_key_id};
use crate::x509::{CertificateSpec, Issuer, Name, PublicKey, Serial, Tbs, Time};

/// RFC 9336 §3.1: id-kp-documentSigning, all that the journal's key may do.
const DOCUMENT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");
/// ub-common-name of RFC 5280 appendix A.
const COMMON_NAME_MAXIMUM: usize = 64;

impl Session<'_> {
    /// Signs one of the home's own certificates, or takes it from the record.
    pub(super) fn own_certificate(
        &mut self,
        purpose: Purpose,
        kind: CertificateKind,
        tbs: Linted<Tbs>,
        issuer: Option<&Issuer>,
        key: &Key,
    ) -> Result<Vec<u8>> {
        let planned = Tbs::recorded(tbs.get().as_der().to_vec(), tbs.get().signature());
        if self.ledger().own_certificate(purpose).is_none() {
            self.sign_own(purpose, tbs, key)?;
        }
        self.finish_own(purpose, kind, &planned, issuer)
    }

    /// The certificate of the journal's key for this root's time: the one on record
    /// where it ends with the root, else a new one.
    pub(super) fn certify_journal(&mut self, root: &Issuer, root_key: &Key, journal_key: &Key) -> Result<()> {
        let purpose = Purpose::JournalCertificate;
        let recorded = self
            .ledger()
            .own_certificate(purpose)
            .filter(|own| Facts::from_tbs(&own.message).is_ok_and(|facts| facts.not_after == root.not_after));
        let planned = match recorded {
            Some(own) => Tbs::recorded(own.message.clone(), own.algorithm),
            None => {
                let serial = self.new_serial()?;
                let tbs = journal_tbs(root, serial, from(root, self.now()), &journal_key.public_key)?;
                let planned = Tbs::recorded(tbs.get().as_der().to_vec(), tbs.get().signature());
                self.sign_own(purpose, tbs, root_key)?;
                planned
            }
        };
        let der = self.finish_own(purpose, CertificateKind::Journal, &planned, Some(root))?;
        self.home.write_certificate("journal-cert.pem", &der)?;
        self.token.store_certificate(journal_key, &der).map(drop)
    }

    pub(super) fn sign_own(&mut self, purpose: Purpose, tbs: Linted<Tbs>, key: &Key) -> Result<()> {
        let intent = CertificateIntent {
            purpose,
            tbs,
            plan: None,
            request: None,
            cluster: None,
            policy: None,
            crl: None,
        };
        let permits = self.home.journal.intend(self.now(), Vec::new(), vec![intent])?;
        for permit in permits {
            let signed = self.sign(key, permit)?;
            self.append(signed)?;
        }
        Ok(())
    }

    /// Joins the newest signature of this purpose with the planned bytes, verifies and
    /// files the certificate. `issuer` is none for the first root.
    pub(super) fn finish_own(
        &mut self,
        purpose: Purpose,
        kind: CertificateKind,
        planned: &Tbs,
        issuer: Option<&Issuer>,
    ) -> Result<Vec<u8>> {
        let record = self.ledger().own_certificate(purpose);
        let signature = record.and_then(|r| r.signature.clone()).unwrap_or_default();
        let der = planned.assemble(&signature)?;
        let itself;
        let issuer = match issuer {
            Some(issuer) => issuer,
            None => {
                itself = Issuer::from_der(&der)?;
                &itself
            }
        };
        let verified = verify::verify(planned, &der, kind, issuer, self.now())?;
        self.home.file_issued(&verified.get().serial, &der)?;
        Ok(der)
    }

    fn new_serial(&mut self) -> Result<Serial> {
        let own = self.token.random(32)?.unwrap_or_default();
        Ok(Serial::from_entropy(&(self.world.entropy)()?, &own))
    }

    pub(super) fn append(&mut self, event: Event) -> Result<()> {
        self.home.journal.append(self.now(), vec![event]).map(drop)
    }
}

/// Lints the certificate of a journal key that does not exist yet.
pub(super) fn lint_journal(root: &Issuer, now: Time) -> Result<()> {
    let serial = Serial::from_entropy(&[1; 32], &[]);
    journal_tbs(root, serial, from(root, now), &journal_placeholder()?).map(drop)
}

/// The journal's key may be younger than the root.
fn from(root: &Issuer, now: Time) -> Time {
    root.not_before.max(now.earlier(BACKDATE))
}

pub(super) fn journal_tbs(
    root: &Issuer,
    serial: Serial,
    not_before: Time,
    key: &PublicKey,
) -> Result<Linted<Tbs>> {
    let extensions = vec![
        extension(
            rfc5280::ID_CE_BASIC_CONSTRAINTS,
            true,
            &BasicConstraints { ca: false, path_len_constraint: None },
        )?,
        extension(rfc5280::ID_CE_KEY_USAGE, true, &KeyUsage(KeyUsages::DigitalSignature.into()))?,
        extension(rfc5912::ID_CE_EXT_KEY_USAGE, true, &ExtendedKeyUsage(vec![DOCUMENT_SIGNING]))?,
        subject_key_id(&key.key_id())?,
        authority_key_id(&root.key_id)?,
    ];
    let [whole, short] = journal_names(&root.subject)?;
    let mut spec = CertificateSpec {
        serial,
        signature: root.signature,
        issuer: root.subject.clone(),
        not_before,
        not_after: root.not_after,
        subject: whole,
        public_key: key.clone(),
        extensions,
    };
    let linted = lint(spec.to_tbs()?, CertificateKind::Journal, Some(root));
    let of_name = |f: &Finding| !f.refuses() || f.rule.starts_with("lint.subject.");
    if linted.as_ref().is_err_and(|failure| failure.findings.iter().all(of_name)) {
        spec.subject = short;
        return Ok(lint(spec.to_tbs()?, CertificateKind::Journal, Some(root))?);
    }
    Ok(linted?)
}

/// Of a root's extensions: CA:TRUE, keyCertSign and cRLSign, its key's identifier.
pub(super) fn root_extensions(path_len: Option<u8>, key_id: &[u8]) -> Result<Vec<Extension>> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: path_len };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    Ok(vec![
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &constraints)?,
        extension(rfc5280::ID_CE_KEY_USAGE, true, &usage)?,
        subject_key_id(key_id)?,
    ])
}

/// The root's name with another common name, and that common name alone: for a root
/// from elsewhere whose name is of a kind that is not written any more.
fn journal_names(root: &Name) -> Result<[Name; 2]> {
    let common_name = shortened(root.common_name().unwrap_or("Root"), " journal");
    let empty = Name::from_der(&[0x30, 0]).map_err(|e| Error::integrity("root.name", e.to_string()))?;
    Ok([root.with_common_name(&common_name)?, empty.with_common_name(&common_name)?])
}

/// The name with a suffix, within the upper bound.
pub(super) fn shortened(common_name: &str, suffix: &str) -> String {
    let room = COMMON_NAME_MAXIMUM.saturating_sub(suffix.len());
    common_name.chars().take(room).collect::<String>() + suffix
}
