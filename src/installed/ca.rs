//! The CA that a cluster has loaded: whether what it signs is accepted, and whether it may be
//! in a cluster at all.

use super::certificates::Certificate;
use super::chain::Chain;
use super::fault::{
    Faults, KEY_KIND, KEY_USAGE, LINKERD_KEY, NO_KEY_USAGE, OWN_ROOT, PATH_LENGTH, RARE_KEY, ROOT_KIND,
};
use super::form::Form;
use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

pub(super) fn check(key: &str, form: &Form, chain: &Chain, faults: &mut Faults<'_>) {
    for certificate in chain.path.iter().chain(&chain.root) {
        kind(key, certificate, faults);
    }
    let Some(own) = &chain.own else { return };
    // What is no CA at all is told as that.
    if own.says.ca {
        usage(key, own, faults);
        room(key, form, own, faults);
    }
    if form.is_linkerd() {
        linkerd(key, form, own, chain.root.as_ref(), faults);
    }
}

/// The root itself as a cluster's CA. Where more than it stands there and the key is another's,
/// it is only in the wrong place.
pub(super) fn own(form: &Form, chain: &Chain, with_key: bool, faults: &mut Faults<'_>) {
    let Some(own) = chain.own.as_ref().filter(|own| own.says.is_self_issued()) else { return };
    if with_key || chain.path.len() < 2 {
        let key = form.own.or(form.chain).unwrap_or_default();
        faults.put(&OWN_ROOT, key, format!("{}, issued by itself", own.says.subject));
    }
}

fn kind(key: &str, certificate: &Certificate, faults: &mut Faults<'_>) {
    let found = certificate.says.public_key.as_ref().map(|key| key.algorithm());
    let rule = match found {
        Some(KeyAlgorithm::P521) => &KEY_KIND,
        Some(KeyAlgorithm::Ed25519 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87) => &RARE_KEY,
        _ => return,
    };
    let found = found.map(|kind| kind.to_string()).unwrap_or_default();
    faults.put(rule, key, format!("{}: a key of the kind {found}", certificate.says.subject));
}

fn usage(key: &str, own: &Certificate, faults: &mut Faults<'_>) {
    match own.says.signs {
        Some((true, _)) => {}
        Some((false, _)) => {
            faults.put(&KEY_USAGE, key, format!("{}: a keyUsage without keyCertSign", own.says.subject));
        }
        None => faults.put(&NO_KEY_USAGE, key, format!("{}: no keyUsage", own.says.subject)),
    }
}

fn room(key: &str, form: &Form, own: &Certificate, faults: &mut Faults<'_>) {
    let wanted = u32::from(form.path_length);
    if let Some(length) = own.says.path_length.filter(|length| *length < wanted) {
        let found =
            format!("{}: path length {length}, where {} needs {wanted} or more", own.says.subject, form.name);
        faults.put(&PATH_LENGTH, key, found);
    }
}

fn linkerd(key: &str, form: &Form, own: &Certificate, root: Option<&Certificate>, faults: &mut Faults<'_>) {
    let kind = |certificate: &Certificate| certificate.says.public_key.as_ref().map(|key| key.algorithm());
    let named = |kind: Option<KeyAlgorithm>| kind.map_or("another".into(), |kind| kind.to_string());
    let fits = kind(own) == form.algorithm;
    let sha256 = [SignatureAlgorithm::EcdsaSha256, SignatureAlgorithm::RsaSha256];
    let signed = own.says.signature;
    let hashed = signed.is_some_and(|signature| sha256.contains(&signature));
    let signed = signed.map_or("another algorithm", SignatureAlgorithm::describe);
    let taken = |root: &Certificate| kind(root).is_some_and(|kind| form.roots.contains(&kind));
    // Where the root's key is at fault, a new key for the issuer would mend nothing.
    if let Some(root) = root.filter(|root| !taken(root)) {
        let of = named(kind(root));
        let found = format!("{}, a key of the kind {of}; it signed with {signed}", root.says.subject);
        faults.put(&ROOT_KIND, key, found);
    } else if fits && !hashed {
        faults.put(&ROOT_KIND, key, format!("{} signed with {signed}", own.says.issuer));
    }
    if !fits {
        faults.put(&LINKERD_KEY, key, format!("a key of the kind {}", named(kind(own))));
    }
}
