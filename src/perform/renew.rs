//! The root's certificate issued anew: the same key, name, key identifier, path length
//! and beginning, with another serial number and a later end. Whatever was signed
//! beneath the old certificate stands beneath the new one.

use super::Session;
use super::own::root_extensions;
use super::root::check_ttl;
use crate::error::{Error, Result};
use crate::journal::{Head, KeyRole, Ledger, Purpose};
use crate::lint::{CertificateKind, Linted, lint};
use crate::x509::certificate::Facts;
use crate::x509::{CertificateSpec, Issuer, Seconds, Serial, Tbs, Time};

/// A renewal, decided and linted.
#[derive(Debug)]
pub struct Renewal {
    tbs: Linted<Tbs>,
}

impl Renewal {
    /// Decides a renewal of this root that ends `ttl` from now.
    pub fn decide(root: &Issuer, ledger: &Ledger, ttl: Seconds, serial: Serial, now: Time) -> Result<Self> {
        check_ttl(now, ttl)?;
        // A plan names the root that is to sign, and its release carries that root.
        if let Some(plan) = ledger.unfinished_plans().first() {
            let message = format!("plan {plan}: certificates of it are signed and not released");
            let next =
                format!("`anchorite perform plans/{plan}.json --to DIR` releases them; then renew the root");
            return Err(Error::refused("renew.unreleased", message).next(next));
        }
        let not_after = now + ttl;
        if not_after <= root.not_after {
            return Err(Error::usage(
                "renew.ttl",
                format!(
                    "--ttl {}: would end at {not_after}, the root ends at {} as it is",
                    ttl.in_years(),
                    root.not_after
                ),
            )
            .next(
                "a renewal ends later, or it changes nothing and could be outlived by what was signed before",
            ));
        }
        let spec = CertificateSpec {
            serial,
            signature: root.signature,
            issuer: root.subject.clone(),
            not_before: root.not_before,
            not_after,
            subject: root.subject.clone(),
            public_key: root.public_key.clone(),
            extensions: root_extensions(root.path_len, &root.key_id)?,
        };
        Ok(Self { tbs: lint(spec.to_tbs()?, CertificateKind::Root, Some(root))? })
    }

    /// The bytes to be signed, for the review.
    pub fn as_der(&self) -> &[u8] {
        self.tbs.get().as_der()
    }
}

/// Whether the root was renewed but a crash came before its journal's certificate was:
/// both always end together.
pub fn journal_lags(ledger: &Ledger) -> Result<bool> {
    let end = |purpose| -> Result<Option<Time>> {
        let own = ledger.own_certificate(purpose).map(|own| Facts::from_tbs(&own.message)).transpose()?;
        Ok(own.map(|facts| facts.not_after))
    };
    Ok(end(Purpose::RootCertificate)? != end(Purpose::JournalCertificate)?)
}

impl Session<'_> {
    /// Renews the root and, to the same end, the certificate of the journal's key. With
    /// no renewal it only finishes one that is on record.
    pub fn renew_root(&mut self, renewal: Option<Renewal>) -> Result<(Issuer, Head)> {
        let before = self.home.root()?.clone();
        let root_key = self.key(KeyRole::Root)?;
        let journal_key = self.key(KeyRole::Journal)?;
        let root = match renewal {
            Some(Renewal { tbs }) => {
                let purpose = Purpose::RootCertificate;
                let planned = Tbs::recorded(tbs.get().as_der().to_vec(), tbs.get().signature());
                self.sign_own(purpose, tbs, &root_key)?;
                let der = self.finish_own(purpose, CertificateKind::Root, &planned, Some(&before))?;
                Issuer::from_der(&der)?
            }
            None => before,
        };
        self.home.write_certificate("root.pem", &root.der)?;
        self.token.store_certificate(&root_key, &root.der)?;
        self.certify_journal(&root, &root_key, &journal_key)?;
        let head = self.close(&journal_key)?;
        Ok((root, head))
    }
}
