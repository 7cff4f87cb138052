//! Clusters beside each other: each works by itself, and they refuse one another.

use super::chain::Chain;
use super::crl::{covers, lacking};
use super::fault::{
    CRL_LACKING, CRL_PEER, Fault, ISLAND, ROOTS_DIFFER, Rule, SAME_KEY, SAME_SUBJECT, breach,
};
use crate::x509::Digest;

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

/// Objects of one cluster beside each other: what a workload is given, and what it is held
/// against.
pub(super) fn inside(name: &str, chains: &[Chain]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, ours) in chains.iter().enumerate() {
        for (other, theirs) in chains.iter().enumerate().filter(|(other, _)| *other != at) {
            let mut put = |rule: &Rule, key: &str, found: String| {
                let fault = breach(rule, name, &ours.object, key, found);
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            };
            if ours.mesh && theirs.mesh {
                trusts(ours, theirs, &theirs.object, &mut put);
                if at < other {
                    bundles(ours, theirs, &theirs.object, &mut put);
                }
            }
            gateway(ours, theirs, &mut put);
        }
    }
    faults
}

/// A gateway's CRLs against the CA that certifies its clients.
fn gateway(ours: &Chain, theirs: &Chain, put: &mut impl FnMut(&Rule, &str, String)) {
    let (Some(crls), Some(root)) = (&ours.crls, &theirs.root) else { return };
    if !ours.path.is_empty() || !ours.trusted.contains(root) {
        return;
    }
    for certificate in theirs.path.iter().filter(|certificate| !covers(crls, certificate)) {
        let found = format!("{}, which is in the chain of {}", lacking(crls, certificate), theirs.object);
        put(&CRL_LACKING, ours.crl_key, found);
    }
}

/// Of a mesh all; of others those that are loaded under the same names.
fn pairs<'a>(ours: &'a [Chain], theirs: &'a [Chain]) -> impl Iterator<Item = (&'a Chain, &'a Chain)> {
    let key = |chain: &Chain| chain.bundle.as_ref().filter(|_| !chain.mesh).map(|(key, _)| *key);
    let alike = move |a: &Chain, b: &Chain| a.mesh == b.mesh && key(a) == key(b);
    ours.iter().flat_map(move |a| theirs.iter().filter(move |b| alike(a, b)).map(move |b| (a, b)))
}

/// Whether one's bundle holds the root that the other's chain ends at.
fn trusts(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    let (Some((bundle, _)), Some(root)) = (&ours.bundle, &theirs.root) else { return };
    if !ours.trusted.contains(root) {
        let told = format!("{} (SHA-256 {})", root.says.subject, root.says.sha256);
        put(&ISLAND, bundle, format!("no {told}, at which the chain of {peer} ends"));
    }
}

/// Under one name the bytes are compared, as Istio does; under two the roots alone can be.
fn bundles(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    let (Some((key, here)), Some((other, there))) = (&ours.bundle, &theirs.bundle) else { return };
    if key == other && here != there {
        let [here, there] = [here, there].map(|bytes| Digest::of(bytes));
        put(&ROOTS_DIFFER, key, format!("SHA-256 {here}, in {peer} {there}"));
    } else if key != other && ours.roots() != theirs.roots() {
        let (here, there) = (ours.trusted.len(), theirs.trusted.len());
        put(&ROOTS_DIFFER, key, format!("{here} roots, which are not the {there} of {other} in {peer}"));
    }
}

/// What one cluster makes of the other's chain.
fn towards(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    trusts(ours, theirs, peer, put);
    let (Some(crls), Some(root)) = (&ours.crls, &theirs.root) else { return };
    for certificate in theirs.path.iter().chain([root]).filter(|certificate| !covers(crls, certificate)) {
        put(
            &CRL_PEER,
            ours.crl_key,
            format!("{}, which is in the chain of {peer}", lacking(crls, certificate)),
        );
    }
}

/// What holds of both alike.
fn between(ours: &Chain, theirs: &Chain, peer: &str, put: &mut impl FnMut(&Rule, &str, String)) {
    bundles(ours, theirs, peer, put);
    let (Some(own), Some(other)) = (&ours.own, &theirs.own) else { return };
    if own.says.key == other.says.key {
        put(&SAME_KEY, "", format!("the key of {}, which {peer} has too", own.says.subject));
    } else if own.says.shares_subject(&other.says) {
        put(&SAME_SUBJECT, "", format!("{}, which {peer} has for another key", own.says.subject));
    }
}
