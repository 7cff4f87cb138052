//! The subject's key: of a kind that works everywhere, and one name's alone.

use super::{Check, RuleInfo, files, listed};
use crate::finding::{Finding, Outcome};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::KeyKind;
use crate::x509::KeyAlgorithm;

pub(super) const ALGORITHM: RuleInfo = RuleInfo::new(
    "key.algorithm",
    "the key is of a kind that the policy accepts; P-521 never, it fails in ring-based verifiers",
    "RFC 5280 §4.1.2.7",
    Check::Policy(algorithm),
);

fn algorithm(case: &Case<'_>, profile: &Profile) -> Finding {
    let accepted = &profile.key.algorithms;
    let found = case.request.key.algorithm();
    let holds = KeyKind::of(found).is_some_and(|kind| accepted.contains(&kind));
    ALGORITHM
        .demand(holds, found.to_string(), listed(accepted.iter().map(|kind| kind.name())))
        .from_policy(profile.source(accepted))
}

pub(super) const RSA_SIZE: RuleInfo = RuleInfo::new(
    "key.rsa-size",
    "an RSA modulus is within the policy's bounds",
    "NIST SP 800-57 part 1 §5.6.1",
    Check::Policy(rsa_size),
);

fn rsa_size(case: &Case<'_>, profile: &Profile) -> Finding {
    let (minimum, maximum) = (&profile.key.rsa_minimum, &profile.key.rsa_maximum);
    let wanted = format!("{} to {} bits", **minimum, **maximum);
    let KeyAlgorithm::Rsa(bits) = case.request.key.algorithm() else {
        return RSA_SIZE.finding(Outcome::Pass, "no RSA key", wanted).from_policy(profile.source(minimum));
    };
    let source = profile.source(if bits > **maximum { maximum } else { minimum });
    RSA_SIZE
        .demand((**minimum..=**maximum).contains(&bits), format!("{bits} bits"), wanted)
        .from_policy(source)
}

pub(super) const NOT_ISSUER: RuleInfo = RuleInfo::new(
    "key.issuer",
    "no certificate carries the key of a root that is trusted",
    "RFC 5280 §6.1",
    Check::Always(not_issuer),
);

fn not_issuer(case: &Case<'_>) -> Finding {
    let key = &case.request.key;
    // The key bits decide: another SubjectPublicKeyInfo around them is still the same key.
    let same = case.roots().any(|root| key.key_bits() == root.public_key.key_bits());
    NOT_ISSUER.demand(!same, format!("key {}", key.digest()), "a key other than the root's")
}

pub(super) const ONE_SUBJECT: RuleInfo = RuleInfo::new(
    "key.one-subject",
    "a key has one subject, for ever",
    "RFC 5280 §4.1.2.6",
    Check::Always(one_subject),
);

fn one_subject(case: &Case<'_>) -> Finding {
    let subject = &case.request.subject;
    let wanted = "a key never certified under another subject";
    // Burnt serials count as well: their certificate may exist somewhere.
    if let Some(issued) = case.known.by_key.iter().find(|i| i.subject.as_der() != subject.as_der()) {
        let found = format!("key of {} (serial {})", issued.subject, issued.serial);
        return ONE_SUBJECT.finding(Outcome::Refused, found, wanted);
    }
    let mut others = case.others_of_key();
    others.retain(|other| other.subject.as_der() != subject.as_der());
    match others.first() {
        Some(other) => {
            let found = format!("key of {} in {}", other.subject, files(&others));
            ONE_SUBJECT.finding(Outcome::Refused, found, wanted)
        }
        None => ONE_SUBJECT.finding(Outcome::Pass, "no other subject", wanted),
    }
}
