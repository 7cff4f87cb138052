//! Where the configuration has the PIN typed anew for each signature of the root's key.

use super::World;
use crate::error::Result;
use crate::home::Home;
use crate::journal::{KeyRole, Ledger, Permit, Purpose};
use crate::token::{Key, Signer, Token};
use crate::x509::certificate::Facts;
use crate::x509::{CrlSpec, Digest};

/// The signature that the PIN is typed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// Which one, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
    /// What is to be signed, fit for a terminal.
    pub what: String,
    /// SHA-256 of the bytes to be signed.
    pub sha256: Digest,
}

/// Asks for the PIN anew and hands it to the token.
pub type Retype<'a> = dyn Fn(&mut dyn Token, &Key, &Upcoming) -> Result<()> + Sync + 'a;

/// A token for which the PIN is typed before each of the root's signatures.
pub(super) struct Typed<'a> {
    pub token: &'a mut dyn Token,
    pub retype: &'a Retype<'a>,
    /// How many there were.
    pub before: usize,
    /// How many there are to be.
    pub of: usize,
}

impl Signer for Typed<'_> {
    fn ready(&mut self, key: &Key, permit: &Permit) -> Result<()> {
        if permit.role() != KeyRole::Root {
            return Ok(());
        }
        self.before += 1;
        let next = Upcoming {
            number: self.before,
            of: self.of,
            what: what(permit.message())?,
            sha256: Digest::of(permit.message()),
        };
        (self.retype)(self.token, key, &next)
    }

    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        self.token.sign(key, permit)
    }

    fn given_back(&mut self) -> Option<Permit> {
        self.token.given_back()
    }
}

/// A certificate, or else a CRL.
fn what(message: &[u8]) -> Result<String> {
    if let Ok(facts) = Facts::from_tbs(message) {
        return Ok(format!("{}, serial {}", facts.subject, facts.serial));
    }
    let crl = CrlSpec::from_tbs(message)?;
    Ok(format!("CRL {} of {}, {} revoked", crl.number, crl.issuer, crl.entries.len()))
}

/// One that signs, by itself or, where that is demanded, after the PIN.
pub(super) fn signer<'s>(
    home: &Home,
    token: &'s mut dyn Token,
    world: &'s World<'_>,
    (before, of): (usize, usize),
) -> Box<dyn Signer + 's> {
    match home.config.token.retype_pin {
        true => Box::new(Typed { token, retype: world.retype, before, of }),
        false => Box::new(token),
    }
}

/// How many signatures of its own the root's key made before this one, and how many it is
/// to make: its certificate and the journal key's, or, where it was taken over, the latter.
pub(super) fn place(ledger: &Ledger, permit: &Permit) -> (usize, usize) {
    let roots = ledger.own_certificates(Purpose::RootCertificate).count();
    let intent = ledger.intent_at(permit.intent());
    match intent.map(|intent| intent.purpose) {
        Some(Purpose::RootCertificate) => (0, 2),
        // A plan's CRL comes first, then its cross-certificate.
        Some(Purpose::Crl | Purpose::CrossCertificate) => {
            (0, 1 + intent.and_then(|i| ledger.granted(&i.plan?)).unwrap_or(0))
        }
        _ if roots == usize::from(ledger.root_adoption().is_some()) => (0, 1),
        _ => (1, 2),
    }
}
