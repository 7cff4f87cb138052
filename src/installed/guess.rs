//! Who loads an object: its name tells, the names of its entries, and what lies beside it.

use super::form::{CA_KEY, CACERTS, LINKERD_BUNDLE, LINKERD_ISSUER, TLS_CERT, TLS_KEY};
use super::object::{Kind, Object};
use crate::release::{CA_CERT, CERT_CHAIN, Consumer};

/// All that it may be, the likeliest first; none where it is no CA's.
pub(super) fn consumers(object: &Object, beside: &[Object]) -> Vec<Consumer> {
    let any = |names: &[&str]| names.iter().any(|name| object.has(name));
    let tls = any(&[TLS_CERT, TLS_KEY]);
    match object.kind {
        _ if any(&["upstream.pem", "upstream.key"]) => vec![Consumer::Spire],
        _ if any(&["intermediate_ca.crt", "intermediate_ca_key"]) => vec![Consumer::StepCa],
        _ if any(&[CA_CERT, CERT_CHAIN, CA_KEY]) => istio(object, beside),
        Kind::Secret if object.is_named(LINKERD_ISSUER) => vec![Consumer::Linkerd],
        Kind::Secret if object.is_named(CACERTS) => {
            vec![if tls { Consumer::IstioTls } else { Consumer::Istio }]
        }
        Kind::Secret if tls => vec![Consumer::CertManagerIssuer],
        _ if tls => loose(object, beside),
        _ => Vec::new(),
    }
}

fn secrets(beside: &[Object]) -> impl Iterator<Item = &Object> {
    beside.iter().filter(|object| object.kind == Kind::Secret)
}

/// Istio's names, which others have taken over.
fn istio(object: &Object, beside: &[Object]) -> Vec<Consumer> {
    let dotted = |object: &Object| object.has(CA_CERT) && object.short_name().contains('.');
    match object.kind {
        Kind::Secret if dotted(object) => vec![Consumer::GlooMesh],
        Kind::Folder if object.has("clients-root.pem") => vec![Consumer::Ingress],
        Kind::Folder if secrets(beside).any(dotted) => vec![Consumer::GlooMesh],
        Kind::Folder if !secrets(beside).any(|object| object.is_named(CACERTS)) => {
            vec![Consumer::Istio, Consumer::GlooMesh, Consumer::Pem]
        }
        _ => vec![Consumer::Istio],
    }
}

/// Files with the names of kubernetes.io/tls.
fn loose(object: &Object, beside: &[Object]) -> Vec<Consumer> {
    let linkerd = |object: &Object| object.has(LINKERD_BUNDLE) || object.is_named(LINKERD_ISSUER);
    if linkerd(object) || beside.iter().any(linkerd) {
        return vec![Consumer::Linkerd];
    }
    match secrets(beside).find(|object| object.has(TLS_CERT)) {
        Some(secret) if secret.is_named(CACERTS) => vec![Consumer::IstioTls],
        Some(_) => vec![Consumer::CertManagerIssuer],
        None => vec![Consumer::IstioTls, Consumer::CertManagerIssuer, Consumer::Linkerd],
    }
}
