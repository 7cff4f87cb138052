//! Whether a YubiKey and a key in it are fit for a root: what it says, judged. Pure.
//!
//! What a YubiKey holds cannot be taken out by any command, so that what PKCS#11 calls
//! sensitive and extractable is not asked here. What a key can do beside signing is not
//! told by PIV and cannot be limited.

use super::flaws::{Firmware, flaws};
use super::policy::{PinPolicy, TouchPolicy};
use crate::finding::{Finding, Outcome};
use crate::token::KeyDescription;
use crate::token::rules::{kind, pair};
use crate::x509::{KeyAlgorithm, PublicKey};

const METADATA: &str = "Yubico PIV extensions, GET METADATA";
const ADVISORIES: &str = "Yubico security advisories";

/// What a YubiKey says of PIN, PUK and management key; `None` where it does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Secrets {
    /// Whether it is still 123456.
    pub pin_factory: Option<bool>,
    /// Whether it is still 12345678.
    pub puk_factory: Option<bool>,
    /// Whether it is still 0102030405060708…
    pub management_factory: Option<bool>,
    /// Tries left, and how many there are after a right one.
    pub pin_tries: Option<(u8, u8)>,
}

/// What a slot says of its key.
#[derive(Debug, Clone, Copy)]
pub struct SlotKey {
    /// Whether it was generated there.
    pub generated: bool,
    /// Whether the PIN is asked for.
    pub pin: PinPolicy,
    /// Whether it must be touched.
    pub touch: TouchPolicy,
    /// Whether it is in the slot of the root's key, and not of the journal's.
    pub roots: bool,
    /// The YubiKey's.
    pub firmware: Firmware,
    /// The kind of key.
    pub algorithm: KeyAlgorithm,
}

/// The stable ID of every rule that is PIV's own.
pub fn ids() -> impl Iterator<Item = &'static str> {
    [
        "token.piv.pin",
        "token.piv.puk",
        "token.piv.management-key",
        "token.piv.tries",
        "token.piv.generated",
        "token.piv.pin-policy",
        "token.piv.touch-policy",
        "token.piv.flaws",
    ]
    .into_iter()
}

/// Every rule on the YubiKey.
pub fn judge_secrets(secrets: &Secrets) -> Vec<Finding> {
    let factory = |id, what: &str, told: Option<bool>, next: &str| {
        let (outcome, found, message) = match told {
            Some(false) => (Outcome::Pass, "changed", format!("the {what} was changed")),
            Some(true) => (
                Outcome::Warning,
                "the factory's",
                format!("the {what} is the factory's, which everybody knows; {next} changes it"),
            ),
            None => (
                Outcome::Warning,
                "not told",
                format!("the YubiKey does not tell whether the {what} is the factory's"),
            ),
        };
        Finding::new(id, outcome, METADATA, message, found, "changed")
    };
    let (outcome, found, message) = match secrets.pin_tries {
        Some((0, _)) => (Outcome::Refused, "0".into(), "the PIN is locked: no key can be used".to_string()),
        Some((left, most)) if left < most => (
            Outcome::Warning,
            format!("{left} of {most}"),
            format!("{left} of {most} tries are left: a wrong PIN was entered since the last right one"),
        ),
        Some((left, most)) => {
            (Outcome::Pass, format!("{left} of {most}"), format!("{left} of {most} tries are left"))
        }
        None => {
            (Outcome::Warning, "not told".into(), "the YubiKey does not tell how many tries are left".into())
        }
    };
    vec![
        factory("token.piv.pin", "PIN", secrets.pin_factory, "`ykman piv access change-pin`"),
        factory("token.piv.puk", "PUK", secrets.puk_factory, "`ykman piv access change-puk`"),
        factory(
            "token.piv.management-key",
            "management key",
            secrets.management_factory,
            "`ykman piv access change-management-key --protect --generate`",
        ),
        Finding::new("token.piv.tries", outcome, METADATA, message, found, "all"),
    ]
}

/// Every rule on a key. `recorded` is the public key that a journal has for it.
pub fn judge_key(told: Option<&SlotKey>, key: &KeyDescription, recorded: Option<&PublicKey>) -> Vec<Finding> {
    let own = told.into_iter().flat_map(|told| [generated(told), pin(told), touch(told), flawed(told)]);
    own.chain([kind(key), pair(key, recorded)]).collect()
}

fn generated(key: &SlotKey) -> Finding {
    let (outcome, found, message) = if key.generated {
        (Outcome::Pass, "generated", "the key was generated in this YubiKey")
    } else {
        (
            Outcome::Warning,
            "imported",
            "the key was brought in: a copy may exist elsewhere, and it cannot be attested",
        )
    };
    Finding::new("token.piv.generated", outcome, METADATA, message, found, "generated")
}

fn pin(key: &SlotKey) -> Finding {
    let (outcome, message) = match key.pin {
        PinPolicy::Never => (Outcome::Refused, "the key can be used without a PIN"),
        PinPolicy::Once => (Outcome::Pass, "the PIN is asked for once a session"),
        PinPolicy::Always => (Outcome::Pass, "the PIN is asked for with each signature"),
    };
    Finding::new("token.piv.pin-policy", outcome, METADATA, message, key.pin.to_string(), "always or once")
}

fn touch(key: &SlotKey) -> Finding {
    let (outcome, message) = match key.touch {
        TouchPolicy::Never if key.roots => {
            (Outcome::Warning, "nobody has to touch the YubiKey: a program with the PIN can sign unseen")
        }
        TouchPolicy::Never => (Outcome::Pass, "nobody has to touch the YubiKey; this is not the root's slot"),
        TouchPolicy::Always => (Outcome::Pass, "the YubiKey is to be touched for each signature"),
        TouchPolicy::Cached => (Outcome::Pass, "the YubiKey is to be touched, once in 15 seconds"),
    };
    Finding::new(
        "token.piv.touch-policy",
        outcome,
        METADATA,
        message,
        key.touch.to_string(),
        "always or cached",
    )
}

fn flawed(key: &SlotKey) -> Finding {
    let (major, minor, patch) = key.firmware;
    let firmware = format!("{major}.{minor}.{patch}");
    let known: Vec<String> =
        flaws(key.firmware, key.algorithm).map(|flaw| format!("{} ({})", flaw.advisory, flaw.what)).collect();
    let (outcome, message) = if known.is_empty() {
        (Outcome::Pass, format!("no published flaw of firmware {firmware} touches {} keys", key.algorithm))
    } else {
        (Outcome::Warning, format!("firmware {firmware} has {}", known.join("; ")))
    };
    Finding::new(
        "token.piv.flaws",
        outcome,
        ADVISORIES,
        message,
        firmware,
        "a firmware without published flaws",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::KeyAttributes;

    const FIT: SlotKey = SlotKey {
        generated: true,
        pin: PinPolicy::Always,
        touch: TouchPolicy::Always,
        roots: true,
        firmware: (5, 7, 4),
        algorithm: KeyAlgorithm::P256,
    };

    fn amiss(findings: &[Finding]) -> Vec<(&'static str, Outcome)> {
        findings.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| (f.rule, f.outcome)).collect()
    }

    fn described() -> KeyDescription {
        let public_key = PublicKey::from_rsa(&[0xc1; 384], &[1, 0, 1]).unwrap();
        KeyDescription {
            label: "slot 9c".into(),
            id: vec![0x9c],
            attributes: KeyAttributes::default(),
            told: Some(public_key.algorithm()),
            public_keys: vec![public_key],
        }
    }

    #[test]
    fn every_rule_on_a_key_has_its_verdict() {
        assert_eq!(amiss(&judge_key(Some(&FIT), &described(), None)), []);
        for (key, id, outcome) in [
            (SlotKey { generated: false, ..FIT }, "token.piv.generated", Outcome::Warning),
            (SlotKey { pin: PinPolicy::Never, ..FIT }, "token.piv.pin-policy", Outcome::Refused),
            (SlotKey { touch: TouchPolicy::Never, ..FIT }, "token.piv.touch-policy", Outcome::Warning),
            (SlotKey { firmware: (5, 4, 3), ..FIT }, "token.piv.flaws", Outcome::Warning),
        ] {
            assert_eq!(amiss(&judge_key(Some(&key), &described(), None)), [(id, outcome)]);
        }
        let journals = SlotKey { touch: TouchPolicy::Never, pin: PinPolicy::Once, roots: false, ..FIT };
        assert_eq!(amiss(&judge_key(Some(&journals), &described(), None)), []);
        let other = PublicKey::from_rsa(&[0xc3; 384], &[1, 0, 1]).unwrap();
        assert_eq!(
            amiss(&judge_key(Some(&FIT), &described(), Some(&other))),
            [("token.key.pair", Outcome::Refused)]
        );
    }

    #[test]
    fn every_rule_on_the_yubikey_has_its_verdict() {
        let changed = Secrets {
            pin_factory: Some(false),
            puk_factory: Some(false),
            management_factory: Some(false),
            pin_tries: Some((3, 3)),
        };
        assert_eq!(amiss(&judge_secrets(&changed)), []);
        for (secrets, id, outcome) in [
            (Secrets { pin_factory: Some(true), ..changed }, "token.piv.pin", Outcome::Warning),
            (Secrets { puk_factory: Some(true), ..changed }, "token.piv.puk", Outcome::Warning),
            (Secrets { management_factory: None, ..changed }, "token.piv.management-key", Outcome::Warning),
            (Secrets { pin_tries: Some((2, 3)), ..changed }, "token.piv.tries", Outcome::Warning),
            (Secrets { pin_tries: Some((0, 3)), ..changed }, "token.piv.tries", Outcome::Refused),
        ] {
            assert_eq!(amiss(&judge_secrets(&secrets)), [(id, outcome)]);
        }
        assert_eq!(amiss(&judge_secrets(&Secrets::default())).len(), 4);
        let told: Vec<_> = judge_secrets(&changed)
            .iter()
            .chain(&judge_key(Some(&FIT), &described(), None))
            .map(|f| f.rule)
            .collect();
        assert!(ids().all(|id| told.contains(&id)), "{told:?}");
    }
}
