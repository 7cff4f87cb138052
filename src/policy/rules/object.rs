//! What the object around a request asks for, and whether the request agrees.

use std::collections::BTreeSet;

use der::flagset::FlagSet;
use x509_cert::ext::pkix::KeyUsages;

use super::claims::usages as bits;
use super::{Check, RuleInfo, granted_usage, listed};
use crate::finding::{Finding, Outcome};
use crate::intake::{Object, ObjectKind, Request, Usage};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::{Consumer, Mode, Purpose};

pub(super) const IS_CA: RuleInfo = RuleInfo::new(
    "object.is-ca",
    "an object that says whether it asks for a CA asks for one",
    "cert-manager.io/v1",
    Check::Always(is_ca),
);

fn is_ca(case: &Case<'_>) -> Finding {
    let said = case.request.object.as_ref().and_then(|object| object.is_ca);
    match said {
        None => IS_CA.finding(Outcome::Pass, "no such field", "isCA: true, where there is one"),
        Some(true) => IS_CA.finding(Outcome::Granted, "isCA: true", "CA:TRUE"),
        Some(false) => {
            let message = "spec.isCA: found false or nothing, want true: only certificates of CAs are signed here; \
                set `isCA: true` in the Certificate, and ask anew; for a workload's certificate ask an issuer below";
            Finding::new(IS_CA.id, Outcome::Refused, IS_CA.reference, message, "isCA: false", "isCA: true")
        }
    }
}

pub(super) const CONTRADICTION: RuleInfo = RuleInfo::new(
    "object.contradiction",
    "the request asks for nothing else than the object that it came in, which people approved",
    "cert-manager.io/v1",
    Check::Always(contradiction),
);

fn contradiction(case: &Case<'_>) -> Finding {
    let Some(object) = &case.request.object else {
        return CONTRADICTION.finding(Outcome::Pass, "no object", "none, or one that agrees");
    };
    let found = [ca(case.request, object), key_usage(case.request, object), purposes(case.request, object)];
    let found: Vec<String> = found.into_iter().flatten().collect();
    let wanted = "the same in both";
    if found.is_empty() {
        return CONTRADICTION.finding(Outcome::Pass, "no difference", wanted);
    }
    let message = format!("{}: {}; have it made anew", CONTRADICTION.summary, found.join("; "));
    Finding::new(
        CONTRADICTION.id,
        Outcome::Refused,
        CONTRADICTION.reference,
        message,
        found.join("; "),
        wanted,
    )
}

fn ca(request: &Request, object: &Object) -> Option<String> {
    let (asked, said) = (request.claims.basic_constraints?.ca, object.is_ca?);
    (asked != said).then(|| format!("spec.isCA: {said}, and the request's basicConstraints say {asked}"))
}

/// Every CA has keyCertSign and cRLSign, listed or not.
fn key_usage(request: &Request, object: &Object) -> Option<String> {
    let always = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    let (asked, listed) = (request.claims.key_usage?.0 - always, bits_of(&object.usages) - always);
    let differ = !object.usages.is_empty() && asked != listed;
    differ.then(|| format!("spec.usages: {}, and the request's keyUsage says {}", bits(listed), bits(asked)))
}

fn purposes(request: &Request, object: &Object) -> Option<String> {
    let asked: BTreeSet<_> = request.claims.extended_key_usage.iter().copied().collect();
    let said: BTreeSet<_> = object.usages.iter().filter_map(|usage| usage.purpose()).collect();
    let differ = !asked.is_empty() && !object.usages.is_empty() && asked != said;
    let names = |all: &BTreeSet<_>| listed(all.iter().copied().map(Purpose));
    differ.then(|| {
        format!("spec.usages: {}, and the request's extKeyUsage says {}", names(&said), names(&asked))
    })
}

pub(super) const CONSUMER: RuleInfo = RuleInfo::new(
    "object.consumer",
    "what goes out is an answer to the object that came in",
    "certificates.k8s.io/v1, cert-manager.io/v1",
    Check::Policy(consumer),
);

/// A patch for another kind's status, or for an object nobody can find, answers nobody.
fn consumer(case: &Case<'_>, profile: &Profile) -> Finding {
    let consumer = &profile.release.consumer;
    let wanted = match **consumer {
        Consumer::CertManagerRequest => ObjectKind::CertificateRequest,
        Consumer::KubernetesCsr => ObjectKind::CertificateSigningRequest,
        _ => {
            let found = case.request.object.as_ref().map_or("no object", |object| object.kind.name());
            return CONSUMER
                .finding(Outcome::Pass, found, "any, or none")
                .from_policy(profile.source(consumer));
        }
    };
    let namespaced = wanted == ObjectKind::CertificateRequest;
    let place = if namespaced { " in a namespace" } else { "" };
    let finding = match &case.request.object {
        None => CONSUMER.finding(Outcome::Pass, "no object", format!("a {}{place}, or none", wanted.name())),
        Some(object) => CONSUMER.demand(
            (object.kind, object.namespace.is_some()) == (wanted, namespaced),
            object.to_string(),
            format!("a {}{place}; register the cluster with a policy for what it sends", wanted.name()),
        ),
    };
    finding.from_policy(profile.source(consumer))
}

pub(super) const USAGES: RuleInfo = RuleInfo::new(
    "claim.usages",
    "the usages that the object lists are granted as far as the policy allows",
    "RFC 5280 §4.2.1.3, §4.2.1.12",
    Check::Policy(usages),
);

fn usages(case: &Case<'_>, profile: &Profile) -> Finding {
    let mode = &profile.claims.usages;
    let asked = case.request.object.as_ref().map(Object::meant_usages).unwrap_or_default();
    if asked.is_empty() {
        return USAGES.not_asked("what the policy grants").from_policy(profile.source(mode));
    }
    let granted = granted_usage(case, profile);
    let purposes = &profile.extensions.extended_key_usage;
    let met = |usage: &Usage| match usage.purpose() {
        Some(purpose) => purposes.contains(&Purpose(purpose)),
        None => usage.bit().is_some_and(|bit| granted.contains(bit)),
    };
    let names = listed(asked.iter().filter(|usage| met(usage)));
    let wish = format!("spec.usages: {}", listed(&asked));
    if asked.iter().all(met) {
        return USAGES.finding(Outcome::Granted, wish, names).from_policy(profile.source(mode));
    }
    if implied(case).is_some() && **mode == Mode::Refuse {
        let wish = format!("{wish} (meant where none is listed)");
        return USAGES.finding(Outcome::Narrowed, wish, names).from_policy(profile.source(mode));
    }
    USAGES.beyond(profile, mode, wish, names)
}

/// The bits of keyUsage that the object asks for.
pub(super) fn wished_usage(case: &Case<'_>) -> FlagSet<KeyUsages> {
    bits_of(&case.request.object.as_ref().map(Object::meant_usages).unwrap_or_default())
}

/// What cert-manager asks for where its user asked for nothing, whatever the key. Nobody
/// chose it, so that dropping it is no reason to refuse.
pub(super) fn implied(case: &Case<'_>) -> Option<FlagSet<KeyUsages>> {
    let object = case.request.object.as_ref()?;
    let nothing = object.kind == ObjectKind::CertificateRequest && object.usages.is_empty();
    nothing.then(|| bits_of(&object.meant_usages()))
}

fn bits_of(usages: &[Usage]) -> FlagSet<KeyUsages> {
    usages.iter().filter_map(|usage| usage.bit()).fold(FlagSet::default(), |all, bit| all | bit)
}
