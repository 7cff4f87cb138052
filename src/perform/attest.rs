//! The token's maker vouches for a key: fetched, verified, on record. Whether that is
//! demanded is the configuration's to say; what contradicts itself is never accepted.

use super::Session;
use crate::error::{Error, Kind, Result};
use crate::finding::{Finding, Outcome};
use crate::journal::{AttestedFacts, Bytes, Event, KeyAttested, KeyRole};
use crate::policy::TokenConfig;
use crate::token::piv::flaws::flaws;
use crate::token::{Evidence, Key, TokenInfo};
use crate::verify::{Attested, Version, Vouchers, verify_attestation};
use crate::x509::{KeyAlgorithm, Time};

const PUBLISHED: &str = "Yubico PIV attestation";

impl Session<'_> {
    /// What the token said of the home's keys in this session.
    pub fn attested(&self) -> &[KeyAttested] {
        &self.attested
    }

    /// Where it is demanded, the token vouches for the keys in each session anew: it may be
    /// demanded, or an issuer be trusted no more, since they were made.
    pub(super) fn check_attested(&mut self) -> Result<()> {
        if !self.home.config.token.require_attestation || self.home.root().is_err() {
            return Ok(());
        }
        let retired = self.home.journal.ledger().course().retired;
        for role in [KeyRole::Root, KeyRole::Journal].into_iter().skip(usize::from(retired)) {
            let key = self.key(role)?;
            self.check_vouched(&key)?;
        }
        Ok(())
    }

    /// A key of which an attestation is demanded has one that verifies.
    pub(super) fn check_vouched(&mut self, key: &Key) -> Result<()> {
        let config = self.home.config.token.clone();
        if !config.require_attestation {
            return Ok(());
        }
        let evidence = self.token.attest(key)?.ok_or_else(|| none(self.token.info()))?;
        check_attestation(&evidence, Some(&config), self.token.info(), key, self.now()).map(drop)
    }

    pub(super) fn attest(&mut self, role: KeyRole, key: &Key) -> Result<()> {
        let config = self.home.config.token.clone();
        let evidence = self.token.attest(key)?;
        let Some(evidence) = evidence else {
            return if config.require_attestation { Err(none(self.token.info())) } else { Ok(()) };
        };
        let now = self.now();
        let verdict = check_attestation(&evidence, Some(&config), self.token.info(), key, now);
        let (facts, problem) = match verdict {
            Ok(attested) => (Some(facts(attested)), None),
            // The device says two things at once: nothing is made with it.
            Err(e) if config.require_attestation || e.id == MISMATCH => return Err(e),
            Err(e) => (None, Some(e.to_string())),
        };
        let certificates = vec![Bytes(evidence.certificate), Bytes(evidence.device)];
        let attested = KeyAttested { role, certificates, facts, problem };
        self.append(Event::KeyAttested(attested.clone()))?;
        self.attested.push(attested);
        Ok(())
    }
}

/// What can be known before a key is made: whether the token is of a kind that attests,
/// and of a firmware that is demanded.
pub fn check_demands(config: &TokenConfig, token: &TokenInfo, key: KeyAlgorithm) -> Result<()> {
    let yubikey = token.uri.starts_with("piv:");
    if config.require_attestation && !yubikey {
        return Err(none(token));
    }
    let numbers: Vec<u8> = token.firmware.split('.').filter_map(|part| part.parse().ok()).collect();
    match numbers.as_slice() {
        [major, minor, patch] if config.require_unaffected_firmware && yubikey => {
            check_flaws(Version(*major, *minor, *patch), key)
        }
        _ => Ok(()),
    }
}

/// An attestation of another key or device than the one it was asked of.
const MISMATCH: &str = "attest.mismatch";

/// Verifies what a token says of a key: by whom, and that it is this key and this token.
pub fn check_attestation(
    evidence: &Evidence,
    config: Option<&TokenConfig>,
    token: &TokenInfo,
    key: &Key,
    now: Time,
) -> Result<Attested> {
    let vouchers = Vouchers::with(config.map_or(&[], |config| &config.attestation_roots))?;
    let attested = verify_attestation(&evidence.certificate, &evidence.device, &vouchers, now)?;
    let mismatch = |what: String| {
        Err(Error::integrity(MISMATCH, format!("{}: its attestation is {what}", token.label)).next(
            "stop: this device says two things at once; it, or something between, is not what it seems",
        ))
    };
    let slots = &key.public_key;
    if attested.public_key != *slots {
        let (found, wanted) = (attested.public_key.digest(), slots.digest());
        return mismatch(format!("of the key {found}, the slot's is {wanted}"));
    }
    let (pin, touch) = (&attested.pin_policy, &attested.touch_policy);
    if (pin, touch) != (&evidence.pin_policy, &evidence.touch_policy) {
        return mismatch(format!(
            "of PIN policy {pin} and touch policy {touch}, the slot says {} and {}",
            evidence.pin_policy, evidence.touch_policy
        ));
    }
    if let Some(serial) = attested.serial.filter(|serial| serial.to_string() != token.serial) {
        return mismatch(format!("of the YubiKey {serial}, this one says it is {}", token.serial));
    }
    if attested.firmware.to_string() != token.firmware {
        return mismatch(format!("of firmware {}, this one says {}", attested.firmware, token.firmware));
    }
    Ok(attested)
}

/// Refuses firmware whose published flaws touch such a key.
fn check_flaws(Version(major, minor, patch): Version, key: KeyAlgorithm) -> Result<()> {
    let Some(flaw) = flaws((major, minor, patch), key).next() else { return Ok(()) };
    Err(Error::refused(
        "attest.firmware",
        format!("firmware {major}.{minor}.{patch} with a {key} key has {}: {}", flaw.advisory, flaw.what),
    )
    .next("use a YubiKey of newer firmware, or a kind of key that is not touched; require-unaffected-firmware in anchorite.toml asks for it"))
}

/// What came of asking for an attestation, as a rule's verdict.
pub fn judge_attestation(verdict: Result<Option<Attested>>) -> Finding {
    let (outcome, message, found) = match verdict {
        Ok(Some(attested)) => (
            Outcome::Pass,
            format!("{} vouches that it was generated in this YubiKey", attested.voucher),
            "attested".to_string(),
        ),
        Ok(None) => {
            (Outcome::Warning, "the YubiKey does not vouch for it: it was brought in".into(), "none".into())
        }
        Err(e) if e.kind == Kind::Integrity && e.id == MISMATCH => (Outcome::Refused, e.message, e.id.into()),
        Err(e) => (Outcome::Warning, e.message, e.id.into()),
    };
    Finding::new("token.piv.attested", outcome, PUBLISHED, message, found, "attested by a trusted issuer")
}

fn facts(attested: Attested) -> AttestedFacts {
    AttestedFacts {
        voucher: attested.voucher,
        serial: attested.serial,
        firmware: attested.firmware.to_string(),
        pin_policy: attested.pin_policy,
        touch_policy: attested.touch_policy,
        form_factor: attested.form_factor,
    }
}

fn none(token: &TokenInfo) -> Error {
    Error::refused(
        "attest.none",
        format!(
            "{}: does not attest the key, which require-attestation in anchorite.toml asks for",
            token.label
        ),
    )
    .next("use a YubiKey, and a key that was generated in it; PKCS#11 knows no attestation")
}
