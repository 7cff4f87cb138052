//! An intermediate's private key, on the cluster's side.

use std::collections::BTreeMap;

use anchorite::cluster::{AssembleOptions, PrivateKey, assemble, make_request};
use anchorite::release::Verifier;
use secrecy::ExposeSecret as _;

use super::{files, fit, good, world};

pub fn key(data: &[u8]) {
    let Some(key) = good(PrivateKey::from_pem(data)) else { return };
    let pem = key.to_pem();
    let again = PrivateKey::from_pem(pem.expose_secret().as_bytes()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert_eq!(again.to_pem().expose_secret(), pem.expose_secret());
    let shown = format!("{key:?}");
    fit(&shown);
    assert!(!pem.expose_secret().lines().skip(1).any(|line| shown.contains(line)));
    // A key that is taken can ask for its certificate, unless its kind is one that nobody takes.
    if let Some(request) = good(make_request(&key, "east", Some("Istio"))) {
        assert_eq!(super::request(&request).len(), 1);
    }
    let all = files::unpack(world::RELEASE);
    let east: BTreeMap<String, Vec<u8>> = all
        .iter()
        .filter_map(|(name, bytes)| {
            Some((str::from_utf8(name).ok()?.strip_prefix("east/")?.into(), bytes.to_vec()))
        })
        .collect();
    let noted = [world::root().fingerprint()];
    let options = AssembleOptions {
        noted: &noted,
        allow_rehearsal: false,
        at: world::now(),
        crls: &[],
        trust: None,
        secret: None,
    };
    good(assemble(&east, &key, &options, &Verifier));
}
