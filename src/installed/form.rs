//! Who loads an object, which the names of its entries tell, and under what names.

use super::fault::{BASE64, CRL_UNUSED, Faults, GENERATED, MISSING, NO_KEY, TLS_WINS};
use super::object::{Kind, Object};
use crate::release::{CA_CERT, CA_CRL, CERT_CHAIN, ROOT_CERT};

pub(super) const LINKERD_BUNDLE: &str = "ca-bundle.crt";
const LINKERD_ISSUER: &str = "linkerd-identity-issuer";
const CA_KEY: &str = "ca-key.pem";
const TLS_CERT: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
const TLS_CA: &str = "ca.crt";
const GENERATED_KEY: &str = "istio-generated";

/// A consumer's names.
#[derive(Debug)]
pub(super) struct Form {
    pub name: &'static str,
    /// The CA's own certificate alone.
    pub own: Option<&'static str>,
    /// The chain, the CA's own certificate first.
    pub chain: Option<&'static str>,
    pub key: Option<&'static str>,
    /// The roots that are trusted.
    pub trust: Option<&'static str>,
    pub crl: Option<&'static str>,
}

const ISTIO: Form = Form {
    name: "istio",
    own: Some(CA_CERT),
    chain: Some(CERT_CHAIN),
    key: Some(CA_KEY),
    trust: Some(ROOT_CERT),
    crl: Some(CA_CRL),
};
const TLS: Form = Form {
    name: "tls",
    own: None,
    chain: Some(TLS_CERT),
    key: Some(TLS_KEY),
    trust: Some(TLS_CA),
    crl: None,
};
const LINKERD: Form = Form { name: "linkerd", ..TLS };
const BUNDLE: Form =
    Form { name: "trust bundle", own: None, chain: None, key: None, trust: Some(ROOT_CERT), crl: None };

impl Form {
    /// Nothing where no name is known.
    pub fn of(object: &Object) -> Option<Self> {
        let has = |name: &str| object.has(name);
        if [CA_CERT, CERT_CHAIN, CA_KEY].into_iter().any(has) {
            return Some(ISTIO);
        }
        if has(TLS_CERT) || has(TLS_KEY) {
            // Its trust bundle is a ConfigMap's, unless cert-manager writes it, too.
            let trust = Some(TLS_CA).filter(|name| has(name));
            return Some(if object.is_named(LINKERD_ISSUER) { Self { trust, ..LINKERD } } else { TLS });
        }
        let trust = [ROOT_CERT, LINKERD_BUNDLE, TLS_CA].into_iter().find(|name| has(name));
        trust.map(|name| Self { trust: Some(name), ..BUNDLE })
    }

    pub fn is_linkerd(&self) -> bool {
        self.name == LINKERD.name
    }

    /// Whether the trust bundle is one that Istio compares by its bytes.
    pub fn compares_bytes(&self) -> bool {
        self.trust == Some(ROOT_CERT)
    }

    /// What is missing, and what should not be there.
    pub fn check(&self, object: &Object, faults: &mut Faults<'_>) {
        for name in &object.unreadable {
            faults.put(&BASE64, name, "something else");
        }
        for name in [self.own, self.chain, self.trust].into_iter().flatten() {
            if !object.has(name) {
                faults.put(&MISSING, name, "no such key");
            }
        }
        match self.key.filter(|name| !object.has(name)) {
            // Away from the cluster nobody has it.
            Some(name) if object.kind == Kind::Folder => faults.put(&NO_KEY, name, "no such file"),
            Some(name) => faults.put(&MISSING, name, "no such key"),
            None => {}
        }
        if object.has(GENERATED_KEY) {
            faults.put(&GENERATED, GENERATED_KEY, "this key");
        }
        if self.own.is_some() && object.has(TLS_CERT) {
            faults.put(&TLS_WINS, TLS_CERT, format!("it beside {CA_CERT}"));
        }
        for name in [CA_CRL, "ca.crl"] {
            if self.name == TLS.name && object.has(name) {
                faults.put(&CRL_UNUSED, name, format!("it beside {TLS_CERT}"));
            }
        }
    }
}
