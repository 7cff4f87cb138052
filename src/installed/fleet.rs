//! Clusters beside each other: each works by itself, and they refuse one another.

use super::chain::Chain;
use super::crl::covers;
use super::fault::{CRL_PEER, Fault, ISLAND, ROOTS_DIFFER, Rule, SAME_KEY, SAME_SUBJECT, breach};

/// Each cluster's chains, by its name.
pub(super) fn check(clusters: &[(&str, Vec<Chain>)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, (name, chains)) in clusters.iter().enumerate() {
        for (other, (peer, theirs)) in clusters.iter().enumerate().filter(|(other, _)| *other != at) {
            let mut put = |rule: &Rule, key: &str, found: String| {
                let fault = breach(rule, name, "", key, found);
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            };
            for (ours, theirs) in pairs(chains, theirs) {
                towards(ours, theirs, peer, &mut put);
                // Said once of each two.
                if at < other {
                    between(ours, theirs, peer, &mut put);
                }
            }
        }
    }
    faults
}

/// Of a mesh those that are loaded under the same names.
fn pairs<'a>(ours: &'a [Chain], theirs: &'a [Chain]) -> impl Iterator<Item = (&'a Chain, &'a Chain)> {
    let key = |chain: &Chain| chain.bundle.as_ref().map(|(key, _)| *key);
    ours.iter().flat_map(move |a| theirs.iter().filter(move |b| key(a) == key(b)).map(move |b| (a, b)))
}

/// What one cluster makes of the other's chain.
fn towards(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    let (Some((bundle, _)), Some(root)) = (&ours.bundle, &theirs.root) else { return };
    if !ours.trusted.contains(root) {
        let told = format!("{} (SHA-256 {})", root.says.subject, root.says.sha256);
        put(&ISLAND, bundle, format!("no {told}, at which the chain of {peer} ends"));
    }
    let Some(crls) = &ours.crls else { return };
    for certificate in theirs.path.iter().chain([root]).filter(|certificate| !covers(crls, certificate)) {
        put(
            &CRL_PEER,
            "ca-crl.pem",
            format!("none of {}, which is in the chain of {peer}", certificate.says.subject),
        );
    }
}

/// What holds of both alike.
fn between(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    if let Some((bundle, _)) = &ours.bundle
        && let (Some(here), Some(there)) = (ours.bundle_digest(), theirs.bundle_digest())
        && here != there
    {
        put(&ROOTS_DIFFER, bundle, format!("SHA-256 {here}, in {peer} {there}"));
    }
    let (Some(own), Some(other)) = (&ours.own, &theirs.own) else { return };
    if own.says.key == other.says.key {
        put(&SAME_KEY, "", format!("the key of {}, which {peer} has too", own.says.subject));
    } else if own.says.shares_subject(&other.says) {
        put(&SAME_SUBJECT, "", format!("{}, which {peer} has for another key", own.says.subject));
    }
}
