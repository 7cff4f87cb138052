//! Who loads an object, which the names of its entries tell, and under what names. Those of
//! consumers stand with what is made for them.

use super::fault::{BASE64, CRL_UNUSED, Faults, GENERATED, MISSING, NO_KEY, TLS_WINS};
use super::object::{Kind, Object};
use crate::release::consumer::{self, Part};
use crate::release::{CA_CERT, CA_CRL, CERT_CHAIN, Consumer, ROOT_CERT};
use crate::x509::{KeyAlgorithm, Seconds};

pub(super) const LINKERD_BUNDLE: &str = "ca-bundle.crt";
const LINKERD_ISSUER: &str = "linkerd-identity-issuer";
const CACERTS: &str = "cacerts";
const CA_KEY: &str = "ca-key.pem";
const TLS_CERT: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
const TLS_CA: &str = "ca.crt";
const GENERATED_KEY: &str = "istio-generated";

/// A consumer's names.
#[derive(Debug)]
pub(super) struct Form {
    pub name: &'static str,
    /// The CA's own certificate alone, where it stands beside its chain.
    pub own: Option<&'static str>,
    /// The chain, the CA's own certificate first.
    pub chain: Option<&'static str>,
    pub key: Option<&'static str>,
    /// The roots that are trusted.
    pub trust: Option<&'static str>,
    /// Whether the first of them is read alone.
    pub first_root: bool,
    pub crl: Option<&'static str>,
    /// The only kind of key that it takes.
    pub algorithm: Option<KeyAlgorithm>,
    /// It warns of a certificate with less life left than this.
    pub warns_below: Seconds,
}

impl Form {
    /// Nothing where no name is known.
    pub fn of(object: &Object) -> Option<Self> {
        let any = |names: &[&str]| names.iter().any(|name| object.has(name));
        let consumer = match object.kind {
            _ if any(&[CA_CERT, CERT_CHAIN, CA_KEY]) => Consumer::Istio,
            _ if any(&["upstream.pem", "upstream.key"]) => Consumer::Spire,
            _ if any(&["intermediate_ca.crt", "intermediate_ca_key"]) => Consumer::StepCa,
            _ if !any(&[TLS_CERT, TLS_KEY]) => return Self::bundle(object),
            _ if object.is_named(LINKERD_ISSUER) => Consumer::Linkerd,
            Kind::Secret if !object.is_named(CACERTS) => Consumer::CertManagerIssuer,
            _ => Consumer::IstioTls,
        };
        let mut form = Self::made_for(consumer)?;
        // Linkerd's own bundle is a ConfigMap; cert-manager adds this one.
        form.trust = form.trust.filter(|name| consumer != Consumer::Linkerd || object.has(name));
        Some(form)
    }

    /// As `assemble` writes it.
    fn made_for(consumer: Consumer) -> Option<Self> {
        let terms = consumer.terms();
        let assembled = terms.assembled.as_ref().ok()?;
        let named = |part: Part| {
            let mut files = assembled.files.iter();
            files.find_map(|(name, form)| match form {
                consumer::Form::Pem(found) if *found == part => Some(*name),
                _ => None,
            })
        };
        let (own, first) = (named(Part::Certificate), named(Part::OwnRootFirst));
        let chain = named(Part::Chain).or(named(Part::Path));
        Some(Self {
            name: terms.name,
            own: own.filter(|_| chain.is_some()),
            chain: chain.or(own),
            key: Some(assembled.key),
            trust: first.or(named(Part::Roots)),
            first_root: first.is_some(),
            crl: terms.crl.ok(),
            algorithm: terms.key,
            warns_below: terms.warns_below,
        })
    }

    fn bundle(object: &Object) -> Option<Self> {
        let trust = [ROOT_CERT, LINKERD_BUNDLE, TLS_CA].into_iter().find(|name| object.has(name))?;
        Some(Self {
            name: "trust bundle",
            own: None,
            chain: None,
            key: None,
            trust: Some(trust),
            first_root: false,
            crl: None,
            algorithm: None,
            warns_below: Seconds(0),
        })
    }

    pub fn is_linkerd(&self) -> bool {
        self.algorithm.is_some()
    }

    /// Whether others than CAs are kept under the same names.
    pub fn may_be_a_leafs(&self, object: &Object) -> bool {
        self.chain == Some(TLS_CERT) && !object.is_named(LINKERD_ISSUER) && !object.is_named(CACERTS)
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
            if self.chain == Some(TLS_CERT) && object.has(name) {
                faults.put(&CRL_UNUSED, name, format!("it beside {TLS_CERT}"));
            }
        }
    }
}
