//! Whether a key and its token are fit for a root: what the token says of them,
//! judged. Pure; what a token does not say is never taken as good.
//!
//! What is refused would let a copy of the key exist, or let it be used without the
//! PIN, or not be used at all. What is warned of may be so for a reason (a key that
//! was restored from a backup is not local), or makes a mistake more likely.

use super::{KeyAttributes, KeyDescription, TokenFlags};
use crate::finding::{Finding, Outcome};
use crate::text;
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

const ATTRIBUTES: &str = "PKCS#11 v2.40 §4.9";
const FLAGS: &str = "PKCS#11 v2.40 §3.2";

/// 128 bits of strength, and 112, which are allowed to 2030 (NIST SP 800-57 part 1).
const RSA_BITS: std::ops::RangeFrom<u32> = 3072..;
const RSA_BITS_WARNED: std::ops::Range<u32> = 2048..3072;

/// A rule on one attribute of a private key: the value wanted, and what another one is.
struct AttributeRule {
    id: &'static str,
    attribute: &'static str,
    read: fn(&KeyAttributes) -> Option<bool>,
    wanted: bool,
    otherwise: Outcome,
    why: &'static str,
}

/// CKA_MODIFIABLE and CKA_COPYABLE are told by `token check --json` but not judged:
/// neither makes a key extractable or less sensitive, true is the default, and many
/// tokens do not let it be set.
#[rustfmt::skip]
const ATTRIBUTE_RULES: &[AttributeRule] = &[
    severe("token.key.extractable", "CKA_EXTRACTABLE", |a| a.extractable, false, "the key can be taken out of the token"),
    severe("token.key.sensitive", "CKA_SENSITIVE", |a| a.sensitive, true, "the key can be read in plain text"),
    severe("token.key.private", "CKA_PRIVATE", |a| a.private, true, "the key can be used without a PIN"),
    severe("token.key.sign", "CKA_SIGN", |a| a.sign, true, "the key cannot sign"),
    severe("token.key.persistent", "CKA_TOKEN", |a| a.token, true, "the key goes with the session"),
    warned("token.key.never-extractable", "CKA_NEVER_EXTRACTABLE", |a| a.never_extractable, true, "a copy of the key may exist elsewhere"),
    warned("token.key.always-sensitive", "CKA_ALWAYS_SENSITIVE", |a| a.always_sensitive, true, "the key may have been read before"),
    warned("token.key.local", "CKA_LOCAL", |a| a.local, true, "the key was not generated in this token"),
    warned("token.key.sign-recover", "CKA_SIGN_RECOVER", |a| a.sign_recover, false, "the key may sign without a hash"),
    warned("token.key.decrypt", "CKA_DECRYPT", |a| a.decrypt, false, "the key may do more than sign; with RSA, decryption is a signature without a journal"),
    warned("token.key.unwrap", "CKA_UNWRAP", |a| a.unwrap, false, "the key may do more than sign"),
    warned("token.key.derive", "CKA_DERIVE", |a| a.derive, false, "the key may do more than sign"),
];

/// A rule on the token: whether it is as it should be, and what it is otherwise.
struct FlagRule {
    id: &'static str,
    flag: &'static str,
    good: fn(&TokenFlags) -> bool,
    otherwise: Outcome,
    why: &'static str,
}

/// A default PIN only warns, for the flag also says that a PIN is due to be changed;
/// a token without login only warns, for some HSMs protect keys by cards or by the
/// module instead.
#[rustfmt::skip]
const FLAG_RULES: &[FlagRule] = &[
    flag("token.pin.locked", "CKF_USER_PIN_LOCKED", |f| !f.user_pin_locked, Outcome::Refused, "the PIN is locked: the key cannot be used"),
    flag("token.pin.initialised", "CKF_USER_PIN_INITIALIZED", |f| f.user_pin_initialised, Outcome::Refused, "the token has no user PIN yet"),
    flag("token.pin.default", "CKF_USER_PIN_TO_BE_CHANGED", |f| !f.user_pin_to_be_changed, Outcome::Warning, "the PIN is the one the token came with, or is due to be changed"),
    flag("token.pin.tries", "CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY", |f| !f.user_pin_count_low && !f.user_pin_final_try, Outcome::Warning, "a wrong PIN was entered since the last login"),
    flag("token.so-pin.default", "CKF_SO_PIN_TO_BE_CHANGED", |f| !f.so_pin_to_be_changed, Outcome::Warning, "the security officer's PIN, which can set a new user PIN, is the one the token came with"),
    flag("token.so-pin.tries", "CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED", |f| !f.so_pin_count_low && !f.so_pin_final_try && !f.so_pin_locked, Outcome::Warning, "somebody tried the security officer's PIN"),
    flag("token.login", "CKF_LOGIN_REQUIRED", |f| f.login_required, Outcome::Warning, "keys can be used without login"),
    flag("token.randomness", "CKF_RNG", |f| f.rng, Outcome::Warning, "the token has no randomness of its own to add to serial numbers"),
];

const fn severe(
    id: &'static str,
    attribute: &'static str,
    read: fn(&KeyAttributes) -> Option<bool>,
    wanted: bool,
    why: &'static str,
) -> AttributeRule {
    AttributeRule { id, attribute, read, wanted, otherwise: Outcome::Refused, why }
}

const fn warned(
    id: &'static str,
    attribute: &'static str,
    read: fn(&KeyAttributes) -> Option<bool>,
    wanted: bool,
    why: &'static str,
) -> AttributeRule {
    AttributeRule { otherwise: Outcome::Warning, ..severe(id, attribute, read, wanted, why) }
}

const fn flag(
    id: &'static str,
    flag: &'static str,
    good: fn(&TokenFlags) -> bool,
    otherwise: Outcome,
    why: &'static str,
) -> FlagRule {
    FlagRule { id, flag, good, otherwise, why }
}

/// The stable ID of every rule.
pub fn ids() -> impl Iterator<Item = &'static str> {
    let attributes = ATTRIBUTE_RULES.iter().map(|rule| rule.id);
    let flags = FLAG_RULES.iter().map(|rule| rule.id);
    let others = ["token.key.mechanisms", "token.key.kind", "token.key.pair"];
    attributes.chain(flags).chain(others).chain(super::piv::rules::ids())
}

/// The findings where a home's configuration takes keys that do not fulfil these rules.
pub(super) fn accepting(accept: &[String], mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in findings.iter_mut().filter(|f| f.refuses() && accept.iter().any(|id| id == f.rule)) {
        finding.outcome = Outcome::Warning;
        finding.message.push_str("; anchorite.toml accepts that");
    }
    findings
}

/// Every rule on a token.
pub fn judge_token(flags: &TokenFlags) -> Vec<Finding> {
    FLAG_RULES.iter().map(|rule| rule.judge(flags)).collect()
}

/// Every rule on a key. `recorded` is the public key that a journal has for it.
pub fn judge_key(key: &KeyDescription, recorded: Option<&PublicKey>) -> Vec<Finding> {
    let attributes = ATTRIBUTE_RULES.iter().map(|rule| rule.judge(&key.attributes));
    attributes.chain([mechanisms(&key.attributes), kind(key), pair(key, recorded)]).collect()
}

impl AttributeRule {
    fn judge(&self, attributes: &KeyAttributes) -> Finding {
        let found = (self.read)(attributes);
        let (outcome, message) = match found {
            Some(found) if found == self.wanted => (Outcome::Pass, format!("{} is {found}", self.attribute)),
            Some(found) => (self.otherwise, format!("{} is {found}: {}", self.attribute, self.why)),
            None => (
                Outcome::Warning,
                format!(
                    "the token does not say {}; were it not {}, {}",
                    self.attribute, self.wanted, self.why
                ),
            ),
        };
        let found = found.map_or_else(|| "not told".into(), |found| found.to_string());
        Finding::new(self.id, outcome, ATTRIBUTES, message, found, self.wanted.to_string())
    }
}

impl FlagRule {
    fn judge(&self, flags: &TokenFlags) -> Finding {
        let good = (self.good)(flags);
        let outcome = if good { Outcome::Pass } else { self.otherwise };
        let message =
            if good { format!("{}: in order", self.flag) } else { format!("{}: {}", self.flag, self.why) };
        let found = if good { "in order" } else { self.why };
        Finding::new(self.id, outcome, FLAGS, message, found, "in order")
    }
}

/// CKA_ALLOWED_MECHANISMS: few tokens tell it, and without it all are allowed.
fn mechanisms(attributes: &KeyAttributes) -> Finding {
    let told = attributes.mechanisms.as_deref().unwrap_or_default();
    let signing = |name: &&String| {
        let name = name.trim_start_matches("CKM_");
        name == "RSA_PKCS"
            || name == "EDDSA"
            || name == "ML_DSA"
            || name.starts_with("ECDSA")
            || name.ends_with("_RSA_PKCS")
    };
    let others: Vec<&str> = told.iter().filter(|name| !signing(name)).map(String::as_str).collect();
    let (outcome, message) = if others.is_empty() {
        (Outcome::Pass, "CKA_ALLOWED_MECHANISMS: none but for signing are named".to_string())
    } else {
        let others = others.join(", ");
        (
            Outcome::Warning,
            format!("CKA_ALLOWED_MECHANISMS names {others}: the key may do more than sign as is done here"),
        )
    };
    let found = if told.is_empty() { "none named".into() } else { told.join(", ") };
    Finding::new(
        "token.key.mechanisms",
        outcome,
        ATTRIBUTES,
        message,
        found,
        "signing with PKCS#1 v1.5, ECDSA, EdDSA or ML-DSA",
    )
}

/// Whether the kind of key is strong enough for a root, and known here.
pub(super) fn kind(key: &KeyDescription) -> Finding {
    let kind = key.public_keys.first().map(PublicKey::algorithm).or(key.told);
    let outcome = match kind {
        Some(KeyAlgorithm::Rsa(bits)) if RSA_BITS.contains(&bits) => Outcome::Pass,
        Some(KeyAlgorithm::Rsa(bits)) if RSA_BITS_WARNED.contains(&bits) => Outcome::Warning,
        Some(KeyAlgorithm::Rsa(_)) | None => Outcome::Refused,
        Some(kind) if SignatureAlgorithm::of_issuer(kind).is_none() => Outcome::Refused,
        Some(_) => Outcome::Pass,
    };
    let found = kind.map_or_else(|| "unknown here".into(), |kind| kind.to_string());
    let wanted = "p256, p384, ed25519, ml-dsa-65, ml-dsa-87, or rsa of 3072 bits or more";
    let message = match outcome {
        Outcome::Pass => format!("the key is {found}"),
        _ => format!("the key is {found}, wanted {wanted}"),
    };
    Finding::new("token.key.kind", outcome, "NIST SP 800-57 part 1 §5.6.1.1", message, found, wanted)
}

/// Whoever can write to a token can put another public key beside a private one.
pub(super) fn pair(key: &KeyDescription, recorded: Option<&PublicKey>) -> Finding {
    let wanted = "one public key, of the private key's own kind, and the one on record";
    let shown = |key: &PublicKey| format!("{} {}", key.algorithm(), key.digest());
    let found: Vec<String> = key.public_keys.iter().map(shown).collect();
    let found = if found.is_empty() { "none".to_string() } else { found.join(" and ") };
    let problem = match key.public_keys.as_slice() {
        [] => Some("no public key that is known here is beside it".to_string()),
        [one] if key.told.is_some_and(|told| told != one.algorithm()) => {
            let told = key.told.map(|told| told.to_string()).unwrap_or_default();
            Some(format!(
                "the private key says it is {told}, the public key beside it is {}",
                one.algorithm()
            ))
        }
        [one] if recorded.is_some_and(|recorded| recorded != one) => {
            Some(format!("the public key is {}, the journal has another", one.digest()))
        }
        [_] => None,
        several => Some(format!("{} different public keys are beside it", several.len())),
    };
    let outcome = if problem.is_some() { Outcome::Refused } else { Outcome::Pass };
    let message = problem.unwrap_or_else(|| format!("its public key is {found}"));
    Finding::new("token.key.pair", outcome, "NIST SP 800-57 part 1 §6.1.1", message, found, wanted)
}

/// How a key is named to people.
pub fn name(key: &KeyDescription) -> String {
    format!(
        "key '{}', CKA_ID {}",
        key.label,
        if key.id.is_empty() { "none".into() } else { text::hex(&key.id) }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key as it is generated here.
    fn fit() -> KeyDescription {
        let attributes = KeyAttributes {
            sensitive: Some(true),
            extractable: Some(false),
            always_sensitive: Some(true),
            never_extractable: Some(true),
            local: Some(true),
            private: Some(true),
            token: Some(true),
            sign: Some(true),
            sign_recover: Some(false),
            decrypt: Some(false),
            unwrap: Some(false),
            derive: Some(false),
            ..KeyAttributes::default()
        };
        let public_key = PublicKey::from_rsa(&[0xc1; 384], &[1, 0, 1]).unwrap();
        let told = Some(public_key.algorithm());
        KeyDescription { label: "root".into(), id: vec![1], attributes, told, public_keys: vec![public_key] }
    }

    const FLAGS_FIT: TokenFlags = TokenFlags {
        rng: true,
        login_required: true,
        user_pin_initialised: true,
        user_pin_to_be_changed: false,
        user_pin_count_low: false,
        user_pin_final_try: false,
        user_pin_locked: false,
        so_pin_to_be_changed: false,
        so_pin_count_low: false,
        so_pin_final_try: false,
        so_pin_locked: false,
    };

    /// All that does not pass.
    fn amiss(findings: &[Finding]) -> Vec<(&'static str, Outcome)> {
        findings.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| (f.rule, f.outcome)).collect()
    }

    #[test]
    fn a_key_as_it_should_be_passes_every_rule() {
        let all = judge_key(&fit(), fit().public_keys.first());
        assert_eq!(amiss(&all), []);
        assert_eq!(all.len(), ATTRIBUTE_RULES.len() + 3);
        let all = judge_token(&FLAGS_FIT);
        assert_eq!((amiss(&all), all.len()), (vec![], FLAG_RULES.len()));
    }

    #[test]
    fn each_attribute_counts_alone() {
        type Change = fn(&mut KeyAttributes, Option<bool>);
        let cases: [(&str, Change, bool, Outcome); 12] = [
            ("token.key.extractable", |a, v| a.extractable = v, true, Outcome::Refused),
            ("token.key.sensitive", |a, v| a.sensitive = v, false, Outcome::Refused),
            ("token.key.private", |a, v| a.private = v, false, Outcome::Refused),
            ("token.key.sign", |a, v| a.sign = v, false, Outcome::Refused),
            ("token.key.persistent", |a, v| a.token = v, false, Outcome::Refused),
            ("token.key.never-extractable", |a, v| a.never_extractable = v, false, Outcome::Warning),
            ("token.key.always-sensitive", |a, v| a.always_sensitive = v, false, Outcome::Warning),
            ("token.key.local", |a, v| a.local = v, false, Outcome::Warning),
            ("token.key.sign-recover", |a, v| a.sign_recover = v, true, Outcome::Warning),
            ("token.key.decrypt", |a, v| a.decrypt = v, true, Outcome::Warning),
            ("token.key.unwrap", |a, v| a.unwrap = v, true, Outcome::Warning),
            ("token.key.derive", |a, v| a.derive = v, true, Outcome::Warning),
        ];
        for (id, change, bad, outcome) in cases {
            let mut key = fit();
            change(&mut key.attributes, Some(bad));
            assert_eq!(amiss(&judge_key(&key, None)), [(id, outcome)]);
            // Silence is not consent, nor is it proof of the worst.
            change(&mut key.attributes, None);
            let all = judge_key(&key, None);
            assert_eq!(amiss(&all), [(id, Outcome::Warning)]);
            assert!(all.iter().any(|f| f.rule == id && f.message.contains("does not say")), "{all:?}");
        }
        assert_eq!(cases.len(), ATTRIBUTE_RULES.len());
    }

    #[test]
    fn each_flag_counts_alone() {
        let cases: [(&str, TokenFlags, Outcome); 11] = [
            ("token.pin.locked", TokenFlags { user_pin_locked: true, ..FLAGS_FIT }, Outcome::Refused),
            (
                "token.pin.initialised",
                TokenFlags { user_pin_initialised: false, ..FLAGS_FIT },
                Outcome::Refused,
            ),
            ("token.pin.default", TokenFlags { user_pin_to_be_changed: true, ..FLAGS_FIT }, Outcome::Warning),
            ("token.pin.tries", TokenFlags { user_pin_count_low: true, ..FLAGS_FIT }, Outcome::Warning),
            ("token.pin.tries", TokenFlags { user_pin_final_try: true, ..FLAGS_FIT }, Outcome::Warning),
            (
                "token.so-pin.default",
                TokenFlags { so_pin_to_be_changed: true, ..FLAGS_FIT },
                Outcome::Warning,
            ),
            ("token.so-pin.tries", TokenFlags { so_pin_count_low: true, ..FLAGS_FIT }, Outcome::Warning),
            ("token.so-pin.tries", TokenFlags { so_pin_final_try: true, ..FLAGS_FIT }, Outcome::Warning),
            ("token.so-pin.tries", TokenFlags { so_pin_locked: true, ..FLAGS_FIT }, Outcome::Warning),
            ("token.login", TokenFlags { login_required: false, ..FLAGS_FIT }, Outcome::Warning),
            ("token.randomness", TokenFlags { rng: false, ..FLAGS_FIT }, Outcome::Warning),
        ];
        for (id, flags, outcome) in &cases {
            assert_eq!(amiss(&judge_token(flags)), [(*id, *outcome)]);
        }
        assert!(FLAG_RULES.iter().all(|rule| cases.iter().any(|(id, ..)| *id == rule.id)));
    }

    #[test]
    fn kinds_of_key_and_mechanisms() {
        let rsa = |bits: usize| PublicKey::from_rsa(&vec![0xc1; bits / 8], &[1, 0, 1]).unwrap();
        for (bits, outcome) in
            [(1024, Some(Outcome::Refused)), (2048, Some(Outcome::Warning)), (3072, None), (4096, None)]
        {
            let key = KeyDescription { public_keys: vec![rsa(bits)], told: None, ..fit() };
            let wanted: Vec<_> = outcome.map(|outcome| ("token.key.kind", outcome)).into_iter().collect();
            assert_eq!(amiss(&judge_key(&key, None)), wanted, "rsa{bits}");
        }
        for (names, outcome) in [
            (&["CKM_ECDSA", "CKM_SHA256_RSA_PKCS", "CKM_EDDSA", "CKM_RSA_PKCS"][..], None),
            (&["CKM_ECDSA", "CKM_ECDH1_DERIVE"], Some(Outcome::Warning)),
            (&["CKM_RSA_PKCS_OAEP"], Some(Outcome::Warning)),
        ] {
            let mut key = fit();
            key.attributes.mechanisms = Some(names.iter().map(ToString::to_string).collect());
            let wanted: Vec<_> =
                outcome.map(|outcome| ("token.key.mechanisms", outcome)).into_iter().collect();
            assert_eq!(amiss(&judge_key(&key, None)), wanted, "{names:?}");
        }
    }

    #[test]
    fn a_pair_belongs_together_and_is_the_one_on_record() {
        let other = PublicKey::from_rsa(&[0xc3; 384], &[1, 0, 1]).unwrap();
        let longer = PublicKey::from_rsa(&[0xc3; 512], &[1, 0, 1]).unwrap();
        let two = vec![fit().public_keys.remove(0), other.clone()];
        let refused = [("token.key.pair", Outcome::Refused)];
        assert_eq!(amiss(&judge_key(&fit(), Some(&other))), refused);
        assert_eq!(amiss(&judge_key(&KeyDescription { public_keys: two, ..fit() }, None)), refused);
        assert_eq!(amiss(&judge_key(&KeyDescription { public_keys: vec![], ..fit() }, None)), refused);
        assert_eq!(amiss(&judge_key(&KeyDescription { public_keys: vec![longer], ..fit() }, None)), refused);
        let unknown = KeyDescription { public_keys: vec![], told: None, ..fit() };
        assert_eq!(amiss(&judge_key(&unknown, None)).len(), 2, "neither kind nor pair");
    }
}
