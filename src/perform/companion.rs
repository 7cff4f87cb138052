//! Another root, in a device of its own, that is trusted beside this CA's from the
//! start: a key that cannot be exported has no other backup.

use super::Session;
use super::adopt::{judge_root, said};
use crate::error::{Error, Result};
use crate::finding::{Finding, Outcome};
use crate::journal::{Bytes, Companion, Event, Head};
use crate::token::uri::TokenUri;
use crate::token::{Token, Wanted};
use crate::x509::{Issuer, Name, PublicKey, Time};

/// A root that is to become a companion, and what was found of it.
#[derive(Debug)]
pub struct Candidate {
    /// For the record.
    pub companion: Companion,
    /// The root, read.
    pub root: Issuer,
    /// Everything that warns, for the review.
    pub findings: Vec<Finding>,
}

impl Candidate {
    /// Judges its certificate like that of a root that is taken over.
    pub fn judge(certificate: &[u8], now: Time) -> Result<Self> {
        let (root, mut findings) = judge_root(certificate, now, unfit)?;
        findings.retain(|f| f.outcome != Outcome::Pass);
        let warned = findings.iter().map(|f| f.rule.to_string()).collect();
        Ok(Self { companion: Companion { certificate: Bytes(certificate.to_vec()), warned }, root, findings })
    }

    /// It must not pose as another root: a verifier tells roots by their names, and one
    /// key in two devices is no second key.
    pub fn check_apart(&self, whose: &str, name: &Name, key: Option<&PublicKey>) -> Result<()> {
        if key.is_some_and(|key| key.key_bits() == self.root.public_key.key_bits()) {
            return Err(Error::refused(
                "companion.same-key",
                format!("{}: has the key of {whose}, {name}", self.root.subject),
            )
            .next("give the certificate of the other device's root"));
        }
        if name.canonical() == self.root.subject.canonical() {
            return Err(Error::refused(
                "companion.same-name",
                format!("{}: is the name of {whose}, too", self.root.subject),
            )
            .next("give each device's root a name of its own, such as CN=Example Root G1 A and CN=Example Root G1 B"));
        }
        Ok(())
    }

    /// The companions on record with this one: at their end, or in the place of the
    /// certificate that it renews.
    pub fn join(self, known: &[Companion], roots: &[Issuer]) -> Result<Vec<Companion>> {
        let mut joined = known.to_vec();
        let renewed = roots
            .iter()
            .position(|root| root.subject == self.root.subject && root.public_key == self.root.public_key);
        for (number, root) in roots.iter().enumerate().filter(|(number, _)| Some(*number) != renewed) {
            self.check_apart(&format!("companion {}", number + 1), &root.subject, Some(&root.public_key))?;
        }
        let Some(place) = renewed else {
            joined.push(self.companion);
            return Ok(joined);
        };
        if let Some(root) = roots.get(place).filter(|root| root.not_after >= self.root.not_after) {
            return Err(Error::refused(
                "companion.known",
                format!("{}: is on record already, SHA-256 {}", root.subject, root.fingerprint()),
            )
            .next("nothing is to be done; a renewed certificate, with a later end, takes the place of the one on record"));
        }
        if let Some(place) = joined.get_mut(place) {
            *place = self.companion;
        }
        Ok(joined)
    }
}

fn unfit(refused: &[&Finding]) -> Error {
    Error::refused("companion.unfit", format!("the other root's certificate is not fit: {}", said(refused)))
        .next("make the other device's root with `anchorite root create`; what is not fit to be a root here is not trusted beside one")
}

/// Two roots in one device would be lost together. Seen after login.
pub fn check_elsewhere(token: &mut dyn Token, root: &Issuer) -> Result<()> {
    let uri = TokenUri::parse(&token.info().uri)?;
    let keys = token.describe_keys(&Wanted::Uri(&uri))?;
    let theirs = |key: &PublicKey| key.key_bits() == root.public_key.key_bits();
    if !keys.iter().flat_map(|key| &key.public_keys).any(theirs) {
        return Ok(());
    }
    Err(Error::refused(
        "companion.same-token",
        format!("{}: holds the key of {}: one device would hold both roots", token.info().uri, root.subject),
    )
    .next("use another device for the second root: with this one, both would be lost"))
}

impl Session<'_> {
    /// Puts other roots on record, all of them, and seals: from then on they are in
    /// every trust bundle.
    pub fn trust(&mut self, companions: Vec<Companion>) -> Result<Head> {
        self.append(Event::Companions { roots: companions })?;
        self.seal()
    }
}
