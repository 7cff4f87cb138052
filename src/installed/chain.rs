//! The chain and the roots of one object: what is accepted when it is loaded and refused by
//! peers, by ztunnel, or with the next reload.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::certificates::{Certificate, read};
use super::fault::{
    ANEW, CA_CERT, CHAIN_INCOMPLETE, CHAIN_ORDER, CHAIN_ROOT, EXPIRED, EXPIRES, Faults, MULTI_ROOT,
    NO_BUNDLE, NOT_A_CA, NOT_A_ROOT, NOT_YET, REHEARSAL, ROOT, ROOT_FIRST, ROOT_V1, TLS_PURPOSE, URI,
};
use super::form::{Form, LINKERD_BUNDLE};
use super::object::Object;
use crate::release::{self, pem};
use crate::verify::validate_path;

/// What an object's certificates add up to.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The CA's own certificate.
    pub own: Option<Certificate>,
    /// From it upwards, without the root.
    pub path: Vec<Certificate>,
    /// The root that the path ends at, where it is one of those trusted.
    pub root: Option<Certificate>,
    /// The roots that are trusted, in their order.
    pub trusted: Vec<Certificate>,
    /// The trust bundle's key and bytes.
    pub bundle: Option<(&'static str, Vec<u8>)>,
    /// Its CRLs (DER), where it has any.
    pub crls: Option<Vec<Vec<u8>>>,
    /// The key that they lie under.
    pub crl_key: &'static str,
    /// The object that it is of.
    pub object: String,
    /// Whether it is a mesh's: all of those in a cluster trust the same roots.
    pub mesh: bool,
}

/// `linkerd` is the trust bundle that lies in another object of the same cluster.
pub(super) fn check(
    object: &Object,
    form: &Form,
    linkerd: Option<&Zeroizing<Vec<u8>>>,
    faults: &mut Faults<'_>,
) -> Chain {
    let mut chain = Chain { object: object.name.clone(), mesh: form.is_mesh(), ..Chain::default() };
    let entry = |name: &'static str| object.entries.get(name).map(|bytes| (name, bytes));
    if let Some((key, bytes)) = form.trust.and_then(entry) {
        chain.trusted = read(key, bytes, faults);
        chain.bundle = Some((key, bytes.to_vec()));
        roots(key, bytes, form, &chain.trusted, faults);
    }
    if form.is_linkerd() {
        match linkerd {
            // What is wrong with it is told where it lies.
            Some(bytes) => {
                chain.trusted = read(LINKERD_BUNDLE, bytes, &mut Faults::new("", "", faults.against));
                chain.bundle = Some((LINKERD_BUNDLE, bytes.to_vec()));
            }
            None => faults.put(&NO_BUNDLE, LINKERD_BUNDLE, "no such key"),
        }
    }
    let own = form.own.and_then(entry).map(|(key, bytes)| (key, read(key, bytes, faults)));
    let Some((key, mut certificates)) =
        form.chain.and_then(entry).map(|(key, bytes)| (key, read(key, bytes, faults)))
    else {
        chain.own = own.and_then(|(_, certificates)| certificates.into_iter().next());
        return chain;
    };
    if let Some((key, own)) = &own {
        if own.len() > 1 {
            faults.put(&CA_CERT, key, format!("{} certificates", own.len()));
        }
        chain.own = own.first().cloned();
    } else {
        chain.own = certificates.first().cloned();
    }
    order(key, chain.own.as_ref(), &certificates, faults);
    if let Some(own) = &chain.own {
        // Peers get the chain as it is; what is judged is what was meant.
        if let Some(at) = certificates.iter().position(|certificate| certificate == own) {
            certificates.swap(0, at);
        } else {
            certificates.insert(0, own.clone());
        }
    }
    certificates.dedup();
    chain.path = certificates;
    anchor(key, &mut chain, faults);
    judge(key, form, &chain, faults);
    chain
}

/// The trust bundle alone.
fn roots(key: &str, bytes: &[u8], form: &Form, trusted: &[Certificate], faults: &mut Faults<'_>) {
    if form.compares_bytes() && bytes.ends_with(b"\n") && pem::trust_bundle(key, bytes).is_err() {
        faults.put(&MULTI_ROOT, key, "blank lines, text, other line ends or a certificate twice");
    }
    for Certificate { says, .. } in trusted {
        let told = format!("{} (SHA-256 {})", says.subject, says.sha256);
        if !says.is_self_issued() {
            faults.put(&NOT_A_ROOT, key, format!("{told}, issued by {}", says.issuer));
        } else if !faults.against.noted.contains(&says.sha256) {
            faults.put(&ROOT, key, told.clone());
        }
        if !says.version_3 {
            faults.put(&ROOT_V1, key, told);
        }
        lasts(key, says, faults);
    }
}

fn lasts(key: &str, says: &crate::verify::Authority, faults: &mut Faults<'_>) {
    let what = format!("{}, serial {}", says.subject, says.serial);
    faults.validity(key, &what, (says.not_before, says.not_after), [&NOT_YET, &EXPIRED, &EXPIRES]);
    if says.subject.contains(release::REHEARSAL) && !faults.against.rehearsal {
        faults.put(&REHEARSAL, key, says.subject.clone());
    }
}

/// The file as it stands.
fn order(key: &str, own: Option<&Certificate>, chain: &[Certificate], faults: &mut Faults<'_>) {
    let subject = |certificate: &Certificate| certificate.says.subject.clone();
    match own.map(|own| chain.iter().position(|certificate| certificate == own)) {
        Some(None) => {
            let found = chain.first().map_or_else(|| "nothing".into(), subject);
            faults.put(
                &CHAIN_INCOMPLETE,
                key,
                format!("{found} first, and nowhere the certificate of the key"),
            );
        }
        Some(Some(at)) if at > 0 => {
            let found = chain.first().map(subject).unwrap_or_default();
            faults.put(&CHAIN_ORDER, key, format!("{found} first, the intermediate as number {}", at + 1));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for certificate in chain.iter().filter(|certificate| !seen.insert(certificate.says.sha256.0)) {
        faults.put(&CHAIN_ORDER, key, format!("{} twice", certificate.says.subject));
    }
    for (one, next) in chain.iter().zip(chain.iter().skip(1)) {
        if !one.says.names_as_issuer(&next.says) {
            let found = format!("{} followed by {}", one.says.subject, next.says.subject);
            faults.put(&CHAIN_ORDER, key, format!("{found}; its issuer is {}", one.says.issuer));
        }
    }
}

/// Takes the root off the end of the path, or finds it in the trust bundle.
fn anchor(key: &str, chain: &mut Chain, faults: &mut Faults<'_>) {
    let Chain { path, trusted, root, .. } = chain;
    // A root in another place than the last is told of already.
    let last = path.iter().rposition(|certificate| certificate.says.is_self_issued()).filter(|at| *at > 0);
    let carried = last.map(|at| path.remove(at));
    let Some(top) = path.last() else { return };
    *root = match &carried {
        Some(carried) => trusted.iter().find(|trusted| *trusted == carried).cloned(),
        None => trusted.iter().find(|trusted| top.says.names_as_issuer(&trusted.says)).cloned(),
    };
    if root.is_none() && !trusted.is_empty() {
        let issuer = carried.map_or_else(
            || top.says.issuer.clone(),
            |root| format!("{} (SHA-256 {})", root.says.subject, root.says.sha256),
        );
        faults.put(&CHAIN_ROOT, key, format!("an end at {issuer}, which is not trusted here"));
    }
}

/// What each certificate says, and the path as RFC 5280 has it.
fn judge(key: &str, form: &Form, chain: &Chain, faults: &mut Faults<'_>) {
    for Certificate { says, .. } in &chain.path {
        lasts(key, says, faults);
        if !says.ca {
            faults.put(&NOT_A_CA, key, says.subject.clone());
        }
        if let Some((server, client)) = says.tls.filter(|both| *both != (true, true)) {
            let found = match (server, client) {
                (true, _) => "serverAuth alone",
                (_, true) => "clientAuth alone",
                _ => "neither serverAuth nor clientAuth",
            };
            faults.put(&TLS_PURPOSE, key, format!("{}: {found}", says.subject));
        }
        if says.uri_constraints {
            faults.put(&URI, key, format!("{}: constraints on URIs", says.subject));
        }
    }
    super::ca::check(key, form, chain, faults);
    let Some(root) = &chain.root else { return };
    let first = chain.trusted.first().is_some_and(|first| first == root || !first.says.is_self_issued());
    if let Some((bundle, _)) = chain.bundle.as_ref().filter(|_| form.first_root && !first) {
        faults.put(&ROOT_FIRST, bundle, format!("{} behind another", root.says.subject));
    }
    // What has run out is told already; everything else is judged as of a day when all was valid.
    let all = chain.path.iter().chain([root]);
    let valid =
        |says: &crate::verify::Authority| (says.not_before..=says.not_after).contains(&faults.against.at);
    let at = match all.clone().all(|certificate| valid(&certificate.says)) {
        true => faults.against.at,
        false => all.map(|certificate| certificate.says.not_before).max().unwrap_or(faults.against.at),
    };
    let path: Vec<&[u8]> = chain.path.iter().map(|certificate| certificate.der.as_slice()).collect();
    // A chain out of order is told already, too.
    let above = chain.path.iter().skip(1).chain([root]);
    let in_order = chain.path.iter().zip(above).all(|(one, above)| one.says.names_as_issuer(&above.says));
    let own_root = chain.own.as_ref().is_some_and(|own| own.says.is_self_issued());
    if root.says.version_3
        && !own_root
        && in_order
        && let Err(error) = validate_path(&path, &root.der, at)
        && error.id != "verify.path.validity"
    {
        faults.error(key, error, ANEW);
    }
}

impl Chain {
    /// The roots that are trusted, whatever their order.
    pub fn roots(&self) -> BTreeSet<[u8; 32]> {
        self.trusted.iter().map(|root| root.says.sha256.0).collect()
    }
}
