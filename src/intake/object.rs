//! Requests within other tools' documents: cert-manager's `CertificateRequest` and Kubernetes'
//! `CertificateSigningRequest`, in YAML or JSON, and the JSON of Vault and CFSSL.
//!
//! What such an object says beside the request (who asks, for what, for how long) is kept as
//! an [`Object`]: wishes like those in the request, for the policy to judge.

mod approval;
mod content;
mod duration;
mod fields;
mod usage;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Arrival, Request, pem};
use crate::document::{self, Document, Fault};
use crate::finding::{Finding, Outcome};
use crate::text::{is_dns_label, is_dns_subdomain};
use crate::x509::{Digest, Seconds};
use fields::Fields;
pub use fields::is_kind;
pub use usage::Usage;

/// The kinds of object that hold a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// cert-manager.io/v1
    CertificateRequest,
    /// certificates.k8s.io/v1
    CertificateSigningRequest,
}

impl ObjectKind {
    const ALL: [Self; 2] = [Self::CertificateRequest, Self::CertificateSigningRequest];

    /// As `kind` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CertificateRequest => "CertificateRequest",
            Self::CertificateSigningRequest => "CertificateSigningRequest",
        }
    }

    /// The one version that is read.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::CertificateRequest => "cert-manager.io/v1",
            Self::CertificateSigningRequest => "certificates.k8s.io/v1",
        }
    }

    /// As `kubectl` takes it, whatever other kinds have the same name.
    pub fn resource(self) -> &'static str {
        match self {
            Self::CertificateRequest => "certificaterequests.v1.cert-manager.io",
            Self::CertificateSigningRequest => "certificatesigningrequests.v1.certificates.k8s.io",
        }
    }
}

/// The object that a request came in, and what it asks for beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it is; a `CertificateSigningRequest` is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What it is called.
    pub name: String,
    /// Who is to issue it, as `KIND.GROUP/NAME`; a `CertificateRequest` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Who is to sign it; a `CertificateSigningRequest` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Whether it asks for a CA; only a `CertificateRequest` can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_ca: Option<bool>,
    /// How long the certificate is to be valid, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// What the key is to be good for, in order; empty where it does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<Usage>,
    /// `spec.request` as its cluster keeps it: base64 without line breaks. The answer tests it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Where among its conditions the Ready one stands, where it has one: cert-manager writes
    /// `Ready=False`, reason Pending, beside Approved, and the answer takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
}

impl fmt::Display for Object {
    /// `CertificateRequest istio-system/mesh-ca`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.name())?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(&self.name)
    }
}

impl Object {
    /// Every text in it that is nothing but text.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let named = self.namespace.iter().chain([&self.name]).chain(&self.issuer).chain(&self.signer);
        named.chain(&self.request)
    }

    /// Whether its name and namespace are such as Kubernetes gives (RFC 1123).
    pub fn is_named(&self) -> bool {
        is_dns_subdomain(&self.name) && self.namespace.as_deref().is_none_or(is_dns_label)
    }

    /// What it says of itself, in a line: who asks whom.
    pub fn line(&self) -> String {
        let whom = |word, who: &Option<String>| who.as_ref().map(|who| format!(", {word} {who}"));
        let issuer = whom("issuer", &self.issuer).unwrap_or_default();
        format!("{self}{issuer}{}", whom("signer", &self.signer).unwrap_or_default())
    }

    /// The usages that are meant where a `CertificateRequest` lists none.
    pub fn meant_usages(&self) -> Vec<Usage> {
        match self.kind {
            ObjectKind::CertificateRequest if self.usages.is_empty() => Usage::defaults(),
            _ => self.usages.clone(),
        }
    }
}

/// Puts a request into the object that it came in: the object's wishes are the request's.
pub fn within(request: &mut Request, object: Object) {
    request.claims.duration = object.duration.map(Seconds);
    request.object = Some(object);
}

/// Whether a file is to be read as such documents: a line of it begins with `apiVersion:`, or
/// it is, or has a line that begins as, JSON or YAML's flow style with a member `apiVersion` or
/// `csr`; or it names one of the kinds. What is read so is never read as anything else.
pub fn is_one(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let kind = ObjectKind::ALL.into_iter().any(|kind| text.contains(kind.name()));
    let members = |text: &str| {
        let mut names = ["apiVersion", "csr", "kind"].into_iter().filter(|name| kind || *name != "kind");
        names.any(|name| holds_member(text, name))
    };
    let mut lines = text.lines().map(|line| line.trim_start_matches(['-', ' ', '\t']));
    // What stands before the first value: comments and marks.
    let opened = lines.clone().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    if opened.is_some_and(|line| line.starts_with(['{', '['])) {
        return members(text);
    }
    lines.any(|line| {
        if line.starts_with(['{', '[']) {
            return members(line);
        }
        let line = line.trim_start_matches(['"', '\'']);
        let begins = |name| {
            let rest = line.strip_prefix(name).map(|rest| rest.trim_start_matches(['"', '\'', ' ']));
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        begins("apiVersion") || kind && begins("kind")
    })
}

/// Quoted or not.
fn holds_member(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, found)| {
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + found.len()..));
        let whole = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        let after = after.map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
        whole && after.is_some_and(|rest| rest.starts_with(':'))
    })
}

/// Reads every document of a file.
pub fn read(file: &str, bytes: &[u8]) -> Vec<Arrival> {
    let whole = |finding| vec![Arrival::Unusable { file: file.into(), digest: Digest::of(bytes), finding }];
    if !pem::blocks(bytes).is_ok_and(|blocks| blocks.is_empty()) {
        return whole(two_readings());
    }
    let documents = match document::read(bytes) {
        Ok(documents) => documents,
        Err(fault) => return whole(unreadable(&fault)),
    };
    if documents.is_empty() {
        return vec![Arrival::Nothing { file: file.into() }];
    }
    let several = documents.len() > 1;
    documents
        .into_iter()
        .map(|document| {
            let file = if several { format!("{file}#{}", document.number) } else { file.to_owned() };
            let digest = Digest::of(document.value.to_string().as_bytes());
            match arrival(&file, &document) {
                Ok(Some(request)) => Arrival::Request(Box::new(request)),
                Ok(None) => Arrival::Nothing { file },
                Err(finding) => Arrival::Unusable { file, digest, finding: *finding },
            }
        })
        .collect()
}

/// The request in a document; none where it is nobody's.
fn arrival(file: &str, document: &Document) -> Result<Option<Request>, Box<Finding>> {
    let value = &document.value;
    let said = |name: &str| value.get(name).and_then(Value::as_str);
    if value.get("apiVersion").is_none() && value.get("kind").is_none() {
        return of_tool(file, value);
    }
    let Some(kind) = ObjectKind::ALL.into_iter().find(|kind| Some(kind.name()) == said("kind")) else {
        return Err(Box::new(other_kind(said("kind").unwrap_or("none"))));
    };
    if said("apiVersion") != Some(kind.api_version()) {
        return Err(Box::new(other_version(kind, said("apiVersion").unwrap_or("none"))));
    }
    let fields = Fields::of(value, kind)?;
    let (mut request, canonical) = content::of_base64(file, "spec.request", fields.request)?;
    request.findings.push(fields.approval);
    within(&mut request, Object { request: Some(canonical), ..fields.object });
    Ok(Some(request))
}

/// Vault's answer (`data.csr`) or CFSSL's (`csr`).
fn of_tool(file: &str, value: &Value) -> Result<Option<Request>, Box<Finding>> {
    for (field, pointer) in [("data.csr", "/data/csr"), ("csr", "/csr")] {
        if let Some(csr) = value.pointer(pointer).and_then(Value::as_str) {
            return content::of_text(file, field, csr).map(Some);
        }
    }
    if value.is_array() || speaks_of_objects(value) { Err(Box::new(elsewhere())) } else { Ok(None) }
}

/// Whether something within it has the members of what is read here. Its depth is bounded.
fn speaks_of_objects(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(speaks_of_objects),
        Value::Object(members) => members.iter().any(|(name, value)| {
            ["apiVersion", "kind", "csr"].contains(&name.as_str()) || speaks_of_objects(value)
        }),
        _ => false,
    }
}

/// Rule `document.syntax`: a file is read in one way.
fn two_readings() -> Finding {
    let (found, wanted) = ("PEM blocks and objects in one file", "the one or the other");
    let message =
        format!("found {found}, want {wanted}; split the file, so that nothing in it is passed over");
    Finding::new("document.syntax", Outcome::Refused, "", message, found, wanted)
}

/// Rule `object.request`: what a file says of a request is not passed over.
fn elsewhere() -> Finding {
    let found = "a request or an object where none is read";
    let wanted = "the object itself, or the PEM in `csr` or `data.csr`";
    let message = format!("found {found}, want {wanted}; take the request out, and put it here by itself");
    Finding::new("object.request", Outcome::Refused, "", message, found, wanted)
}

/// Rules `document.*`: the file is a well-formed one, within bounds, each key once.
fn unreadable(fault: &Fault) -> Finding {
    let reference =
        if fault.id == "document.duplicate-key" { "YAML 1.2 §3.2.1.3; RFC 8259 §4" } else { "" };
    let message = format!("{fault}; {}", fault.next);
    Finding::new(fault.id, Outcome::Refused, reference, message, &fault.found, fault.wanted)
}

/// Rule `object.kind`: of Kubernetes' objects those are read that hold a request.
fn other_kind(kind: &str) -> Finding {
    let wanted = "a CertificateRequest or a CertificateSigningRequest";
    let kind = crate::text::shown(kind);
    let message = format!(
        "kind: found {kind}, want {wanted}; put the request itself here, and leave other objects in the cluster"
    );
    Finding::new("object.kind", Outcome::Refused, "", message, kind, wanted)
}

/// Rule `object.api-version`: each kind has one version that is read.
fn other_version(kind: ObjectKind, version: &str) -> Finding {
    let (wanted, version) = (kind.api_version(), crate::text::shown(version));
    let message = format!(
        "apiVersion: found {version}, want {wanted} for a {}; export it again: `kubectl get {} NAME -o yaml`",
        kind.name(),
        kind.resource()
    );
    Finding::new("object.api-version", Outcome::Refused, "", message, version, wanted)
}

#[cfg(test)]
mod tests;
