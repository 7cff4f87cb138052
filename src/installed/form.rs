//! Who loads an object, which the names of its entries tell, and under what names. Those of
//! consumers stand with what is made for them.

use super::fault::{BASE64, CRL_UNUSED, Faults, GENERATED, MISSING, NO_KEY, TLS_WINS};
use super::guess::consumers;
use super::object::{Kind, Object};
use crate::release::consumer::{self, Part};
use crate::release::{CA_CERT, CA_CRL, Consumer, ROOT_CERT};
use crate::x509::{KeyAlgorithm, Seconds};

pub(super) const LINKERD_BUNDLE: &str = "ca-bundle.crt";
pub(super) const LINKERD_ISSUER: &str = "linkerd-identity-issuer";
pub(super) const CACERTS: &str = "cacerts";
pub(super) const CA_KEY: &str = "ca-key.pem";
pub(super) const TLS_CERT: &str = "tls.crt";
pub(super) const TLS_KEY: &str = "tls.key";
const GATEWAY_CRL: &str = "ca.crl";
const TLS_CA: &str = "ca.crt";
const GENERATED_KEY: &str = "istio-generated";
/// Trust bundles that their readers find by name, and what they read.
const BUNDLES: [(&str, &str); 3] = [
    ("istio-ca-root-cert", ROOT_CERT),
    ("linkerd-identity-trust-roots", LINKERD_BUNDLE),
    ("ingress-cacert", TLS_CA),
];

/// A consumer's names.
#[derive(Debug)]
pub(super) struct Form {
    pub name: &'static str,
    /// Whose they are; nobody's where it is a trust bundle alone.
    pub consumer: Option<Consumer>,
    /// Who else has the same names.
    pub or: Vec<&'static str>,
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
    /// The shortest path length that it can live with.
    pub path_length: u8,
    /// The only kinds of roots' keys, where it is particular.
    pub roots: &'static [KeyAlgorithm],
}

impl Form {
    /// Nothing where no name is known. `given` is the consumer that somebody named.
    pub fn of(object: &Object, beside: &[Object], given: Option<Consumer>) -> Option<Self> {
        let given = given.filter(|_| !object.is_fixed()).and_then(Self::made_for);
        if let Some(form) = given.filter(|form| form.reads(object)) {
            return Some(form.trusting(object));
        }
        let mut consumers = consumers(object, beside).into_iter();
        let Some(likeliest) = consumers.next() else { return Self::bundle(object) };
        let mut form = Self::made_for(likeliest)?.trusting(object);
        form.or = consumers.map(|consumer| consumer.terms().name).collect();
        Some(form)
    }

    fn reads(&self, object: &Object) -> bool {
        [self.own, self.chain, self.key].into_iter().flatten().any(|name| object.has(name))
    }

    /// Linkerd's own bundle is a ConfigMap; cert-manager adds a ca.crt.
    fn trusting(mut self, object: &Object) -> Self {
        if self.is_linkerd() {
            let found = [LINKERD_BUNDLE, TLS_CA].into_iter().find(|name| object.has(name));
            self.trust = found;
        }
        self
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
            consumer: Some(consumer),
            or: Vec::new(),
            own: own.filter(|_| chain.is_some()),
            chain: chain.or(own),
            key: Some(assembled.key),
            trust: first.or(named(Part::Roots)),
            first_root: first.is_some(),
            crl: terms.crl.ok(),
            algorithm: terms.key,
            warns_below: terms.warns_below,
            path_length: terms.path_length,
            roots: terms.roots,
        })
    }

    fn bundle(object: &Object) -> Option<Self> {
        // Every namespace has the API server's, which is no CA's here.
        if object.is_named("kube-root-ca.crt") {
            return None;
        }
        let named = BUNDLES.iter().find(|(name, _)| object.is_named(name)).map(|(_, key)| *key);
        let trust =
            named.or([ROOT_CERT, LINKERD_BUNDLE, TLS_CA].into_iter().find(|name| object.has(name)))?;
        Some(Self {
            name: "trust bundle",
            consumer: None,
            or: Vec::new(),
            own: None,
            chain: None,
            key: None,
            trust: Some(trust),
            first_root: false,
            // A gateway's: what its clients are held against.
            crl: (trust == TLS_CA).then_some(GATEWAY_CRL),
            algorithm: None,
            warns_below: Seconds(0),
            path_length: 0,
            roots: &[],
        })
    }

    pub fn is_linkerd(&self) -> bool {
        self.consumer == Some(Consumer::Linkerd)
    }

    /// Whether it is what a mesh's workloads trust each other by.
    pub fn is_mesh(&self) -> bool {
        match self.consumer {
            Some(consumer) => {
                matches!(consumer, Consumer::Istio | Consumer::IstioTls | Consumer::GlooMesh)
            }
            None => self.trust == Some(ROOT_CERT),
        }
    }

    /// Whether others than CAs are kept under the same names.
    pub fn may_be_a_leafs(&self, object: &Object) -> bool {
        self.chain == Some(TLS_CERT) && !object.is_named(LINKERD_ISSUER) && !object.is_named(CACERTS)
    }

    /// Whether the trust bundle is one that Istio compares by its bytes.
    pub fn compares_bytes(&self) -> bool {
        self.trust == Some(ROOT_CERT) || self.consumer == Some(Consumer::IstioTls)
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
        for name in [CA_CRL, GATEWAY_CRL] {
            if self.chain == Some(TLS_CERT) && object.has(name) {
                faults.put(&CRL_UNUSED, name, format!("it beside {TLS_CERT}"));
            }
        }
    }
}
