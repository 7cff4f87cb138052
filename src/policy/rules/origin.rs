//! Where a request comes from, as the register binds a cluster to it: the object that it
//! came in, and who sent it.

use super::{Check, RuleInfo, listed};
use crate::finding::{Finding, Outcome};
use crate::intake::{self, Object, Sender};
use crate::policy::decision::Case;
use crate::policy::document::Setting;
use crate::policy::profile::Profile;
use crate::policy::register::{Cluster, IssuerReference};
use crate::policy::values::SenderMode;

/// What the register fixes of an object holds for every request of the cluster: one that
/// comes in no object has none of it.
fn bound<T: ToString>(
    rule: &RuleInfo,
    case: &Case<'_>,
    setting: Option<&Setting<T>>,
    found: Option<&str>,
    holds: impl Fn(&T, &str) -> bool,
) -> Finding {
    let shown = found.map_or_else(|| "none".into(), crate::text::shown);
    let Some(registered) = setting else {
        return rule.finding(Outcome::Pass, shown, "any, none is registered");
    };
    let source = case.context.policies.register().source(registered);
    let holds = found.is_some_and(|found| holds(registered, found));
    rule.demand(holds, shown, crate::text::shown(&registered.to_string())).from_policy(source)
}

fn entry<'a>(case: &Case<'a>) -> Option<&'a Cluster> {
    case.identity.entries.first().map(|(_, entry)| *entry)
}

fn object<'a>(case: &Case<'a>) -> Option<&'a Object> {
    case.request.object.as_ref()
}

pub(super) const NAMESPACE: RuleInfo = RuleInfo::new(
    "register.namespace",
    "the object lies in the registered namespace, where the register fixes it",
    "RFC 3647 §4.3.2",
    Check::Always(|case| {
        let found = object(case).and_then(|object| object.namespace.as_deref());
        bound(&NAMESPACE, case, entry(case).and_then(|e| e.namespace.as_ref()), found, |fixed, is| {
            *fixed == is
        })
    }),
);

pub(super) const NAME: RuleInfo = RuleInfo::new(
    "register.name",
    "the object has the registered name, where the register fixes it",
    "RFC 3647 §4.3.2",
    Check::Always(|case| {
        let found = object(case).map(|object| object.name.as_str());
        bound(&NAME, case, entry(case).and_then(|e| e.name.as_ref()), found, |fixed, is| fixed.matches(is))
    }),
);

pub(super) const ISSUER: RuleInfo = RuleInfo::new(
    "register.issuer",
    "the object asks the registered issuer, where the register fixes it",
    "RFC 3647 §4.3.2",
    Check::Always(|case| {
        let found = object(case).and_then(|object| object.issuer.as_deref());
        bound(&ISSUER, case, entry(case).and_then(|e| e.issuer.as_ref()), found, |fixed, is| {
            IssuerReference::parse(is).as_ref() == Some(fixed)
        })
    }),
);

pub(super) const SIGNER_NAME: RuleInfo = RuleInfo::new(
    "register.signer-name",
    "the object asks the registered signer, where the register fixes it",
    "RFC 3647 §4.3.2",
    Check::Always(|case| {
        let found = object(case).and_then(|object| object.signer.as_deref());
        bound(&SIGNER_NAME, case, entry(case).and_then(|e| e.signer_name.as_ref()), found, |fixed, is| {
            *fixed == is
        })
    }),
);

pub(super) const SENDER: RuleInfo = RuleInfo::new(
    "register.sender",
    "a request is signed by a registered sender, where the register has one or the policy wants one",
    "RFC 3647 §4.3.2",
    Check::Policy(sender),
);

fn sender(case: &Case<'_>, profile: &Profile) -> Finding {
    let mode = &profile.request.sender;
    let sender = case.request.sender.as_ref();
    let key = sender.map(|sender| &sender.key);
    let found = sender.map_or_else(|| "no signature".into(), Sender::who);
    let told = |outcome, wanted: &str, next: &str| {
        let message = format!("{}: found {found}, want {wanted}; {next}", SENDER.summary);
        Finding::new(SENDER.id, outcome, SENDER.reference, message, found.clone(), wanted)
    };
    if let Some(registered) = entry(case).and_then(|entry| entry.sender.as_ref()) {
        let wanted = listed(registered.iter().map(|key| key.fingerprint()));
        let finding = match key {
            Some(key) if registered.contains(key) => SENDER.finding(Outcome::Pass, found, wanted),
            Some(_) => told(
                Outcome::Refused,
                &wanted,
                "ask by another way who sent it; a stranger did not sign by mistake",
            ),
            None => told(Outcome::Refused, &wanted, &sign()),
        };
        return finding.from_policy(case.context.policies.register().source(registered));
    }
    let wanted = "a signature by a sender whom clusters.toml names for this cluster";
    let finding = match (**mode, key) {
        (SenderMode::Require, _) => {
            told(Outcome::Refused, wanted, "register the sender's public key, as `sender` of its cluster")
        }
        (SenderMode::Warn, None) => told(Outcome::Warning, wanted, &sign()),
        (_, Some(_)) => told(
            Outcome::Warning,
            wanted,
            "no sender is registered, so that this says who signed, not that they may: compare the fingerprint",
        ),
        (SenderMode::Tolerate, None) => {
            SENDER.finding(Outcome::Pass, found, "none, the policy asks for none")
        }
    };
    finding.from_policy(profile.source(mode))
}

fn sign() -> String {
    format!("have the sender sign the file: `ssh-keygen -Y sign -n {} -f KEY FILE`", intake::NAMESPACE)
}
