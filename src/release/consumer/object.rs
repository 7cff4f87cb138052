//! Objects that wait in a cluster for their certificate, and the JSON patches (RFC 6902)
//! that answer them.

use serde::{Deserialize, Serialize};

use super::{Consumer, Form, PLAIN, Part, Parts, Terms};
use crate::error::{Error, Result};
use crate::release::certificate::Facts;
use crate::text::{base64, is_dns_label, is_dns_subdomain, shown, unbase64};

const KEY_IN_CLUSTER: &str = "whoever made the request has the key";
const NO_CRL: &str = "its status has no place for CRLs";

/// The object that a request came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// `CertificateRequest` or `CertificateSigningRequest`
    pub kind: String,
    /// Where its kind has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its `spec.request`, base64 without line breaks, where the object came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Where among its conditions Ready stood when it came in, where it had that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
}

pub(super) const CERT_MANAGER_REQUEST: Terms = Terms {
    name: "cert-manager-request",
    files: &[("status-patch.json", Form::CertificateRequest)],
    assembled: Err(KEY_IN_CLUSTER),
    crl: Err(NO_CRL),
    direct: &[
        "kubectl patch certificaterequest {object} --subresource=status --type=json --patch-file {bundle}/status-patch.json",
    ],
    unnamed: "NAME -n NAMESPACE",
    ..PLAIN
};

pub(super) const KUBERNETES_CSR: Terms = Terms {
    name: "kubernetes-csr",
    files: &[("status-patch.json", Form::CertificateSigningRequest)],
    direct: &[
        "kubectl patch certificatesigningrequest {object} --subresource=status --type=json --patch-file {bundle}/status-patch.json",
    ],
    unnamed: PLAIN.unnamed,
    ..CERT_MANAGER_REQUEST
};

impl Object {
    /// Its names stand in commands and patches; another kind of object has another status.
    pub(super) fn check(&self, consumer: Consumer) -> Result<()> {
        let bad = |what: String, next: &str| Err(Error::refused("release.object", what).next(next));
        let named = is_dns_subdomain(&self.name)
            && self.namespace.as_deref().is_none_or(is_dns_label)
            && self.kind.bytes().all(|b| b.is_ascii_alphanumeric());
        if !named {
            return bad(
                format!("object {}: has no name that Kubernetes would give it", shown(&self.to_string())),
                "have the object exported anew: kubectl get -o yaml",
            );
        }
        if self.request.as_deref().is_some_and(|text| unbase64(text).is_none()) {
            return bad(
                format!("object {self}: request: is no base64 without line breaks"),
                "have the object exported anew: kubectl get -o yaml",
            );
        }
        let wanted = match consumer {
            Consumer::CertManagerRequest => ("CertificateRequest", true),
            Consumer::KubernetesCsr => ("CertificateSigningRequest", false),
            _ => return Ok(()),
        };
        if wanted != (self.kind.as_str(), self.namespace.is_some()) {
            return bad(
                format!("object {self}: its policy's consumer is {consumer}, which answers a {}", wanted.0),
                "register the cluster with the policy of this kind of object",
            );
        }
        Ok(())
    }

    /// As kubectl's arguments.
    pub fn arguments(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} -n {namespace}", self.name),
            None => self.name.clone(),
        }
    }

    /// Has the patch fail on any other object, and on one of this name that asks with another
    /// request.
    fn tests(&self) -> Vec<Operation> {
        let namespace = self.namespace.iter().map(|namespace| test("/metadata/namespace", namespace));
        let request = self.request.iter().map(|request| test("/spec/request", request));
        namespace.chain([test("/metadata/name", &self.name)]).chain(request).collect()
    }
}

/// One operation of a JSON patch.
#[derive(Serialize)]
struct Operation {
    op: &'static str,
    path: String,
    value: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Condition(Condition),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    r#type: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
    last_transition_time: String,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {}",
            self.kind,
            self.namespace.iter().chain([&self.name]).cloned().collect::<Vec<_>>().join("/")
        )
    }
}

/// `status.certificate` is the chain without the root, `status.ca` the root. The condition
/// takes the place of the Ready one that was there, or is added to those that are there: a
/// merge patch would drop Approved. Its time is the certificate's own, so that
/// the same plan gives the same bytes however often it is released.
pub(super) fn certificate_request(parts: &Parts, facts: &Facts, object: Option<&Object>) -> Result<String> {
    let ready = Condition {
        r#type: "Ready",
        status: "True",
        reason: "Issued",
        message: format!("signed, serial number {}", facts.serial),
        last_transition_time: facts.not_before.to_string(),
    };
    let mut patch = object.map(Object::tests).unwrap_or_default();
    let ready = Value::Condition(ready);
    patch.extend([
        add("/status/certificate", encoded(parts, Part::Path)),
        add("/status/ca", encoded(parts, Part::OwnRootFirst)),
    ]);
    match object.and_then(|object| object.ready) {
        Some(at) => {
            let path = format!("/status/conditions/{at}");
            patch.push(test(&format!("{path}/type"), "Ready"));
            patch.push(Operation { op: "replace", path, value: ready });
        }
        None => patch.push(add("/status/conditions/-", ready)),
    }
    text(&patch)
}

/// `status.certificate` in CERTIFICATE blocks and nothing else; no root among them.
pub(super) fn certificate_signing_request(parts: &Parts, object: Option<&Object>) -> Result<String> {
    let mut patch = object.map(Object::tests).unwrap_or_default();
    patch.push(add("/status/certificate", encoded(parts, Part::Path)));
    text(&patch)
}

fn add(path: &str, value: Value) -> Operation {
    Operation { op: "add", path: path.into(), value }
}

fn test(path: &str, value: &str) -> Operation {
    Operation { op: "test", path: path.into(), value: Value::Text(value.into()) }
}

fn encoded(parts: &Parts, part: Part) -> Value {
    Value::Text(base64(parts.get(part).as_bytes()))
}

fn text(patch: &[Operation]) -> Result<String> {
    serde_json::to_string_pretty(patch).map(|text| text + "\n").map_err(|e| {
        Error::usage("release.document", format!("status-patch.json: {}", shown(&e.to_string())))
    })
}
