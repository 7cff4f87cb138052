//! Who takes a cluster's files: one row for each consumer says what stands in its folder,
//! what `assemble` makes where the key lies, whether it takes CRLs, and how it is loaded.
//!
//! Everything is made of certificates alone, so that whoever checks a folder makes it
//! again and compares. Another form of a file is another [version](super::documents::VERSION).

mod elsewhere;
mod files;
mod istio;
mod manifest;
mod object;
mod parts;
mod secrets;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use manifest::{Naming, Secret};
pub use object::Object;
pub use parts::{Part, Parts};

use super::certificate::Facts;
use crate::error::Result;
use crate::x509::{KeyAlgorithm, Seconds};

/// Who takes the files. Its name is the one that `[release] consumer` in a policy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consumer {
    /// istiod's plugged-in CA: the Secret `cacerts` with Istio's names.
    Istio,
    /// The same as `kubernetes.io/tls`.
    IstioTls,
    /// A CertificateRequest of cert-manager's.
    CertManagerRequest,
    /// A CertificateSigningRequest of Kubernetes'.
    KubernetesCsr,
    /// The Secret of a CA issuer of cert-manager's.
    CertManagerIssuer,
    /// The Secret of a RootTrustPolicy.
    GlooMesh,
    /// A subordinate CA in Huawei Cloud's private CA.
    CcmPca,
    /// UpstreamAuthority "disk".
    Spire,
    /// The identity issuer.
    Linkerd,
    /// The PKI secrets engine.
    Vault,
    /// The CA of ingress gateways.
    Ingress,
    /// step-ca
    StepCa,
    /// Anything that takes PEM files.
    Pem,
}

/// What a consumer is given, and how it takes it.
#[derive(Debug)]
pub struct Terms {
    /// As a policy names it.
    pub name: &'static str,
    /// What stands in the cluster's folder, beside the PEM files that everybody has.
    pub files: &'static [(&'static str, Form)],
    /// What is made where the key lies; who has the key where nothing is.
    pub assembled: std::result::Result<Assembled, &'static str>,
    /// Under which name it takes CRLs; why not where it takes none.
    pub crl: std::result::Result<&'static str, &'static str>,
    /// The shortest path length that it can live with.
    pub path_length: u8,
    /// It warns of a certificate with less life left than this.
    pub warns_below: Seconds,
    /// The only kind of key that it takes, where there is one.
    pub key: Option<KeyAlgorithm>,
    /// The only kinds of roots' keys, where it is particular.
    pub roots: &'static [KeyAlgorithm],
    /// Loads what was assembled. `{out}` is its folder; a line that begins with # is for people.
    pub load: &'static [&'static str],
    /// Loads what stands in the release. `{bundle}` is the cluster's folder, `{object}` the
    /// object that is answered.
    pub direct: &'static [&'static str],
    /// Stands for an object whose name is not known.
    pub unnamed: &'static str,
}

/// What most consumers have in common.
const PLAIN: Terms = Terms {
    name: "",
    files: &[],
    assembled: Err(""),
    crl: Err(""),
    path_length: 0,
    warns_below: Seconds(0),
    key: None,
    roots: &[],
    load: &[],
    direct: &[],
    unnamed: "NAME",
};

/// What is made for a consumer where the key lies.
#[derive(Debug)]
pub struct Assembled {
    /// The key's file.
    pub key: &'static str,
    /// The other files.
    pub files: &'static [(&'static str, Form)],
    /// The Secret that holds them.
    pub secret: Option<&'static Secret>,
}

/// The form of a file.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Certificates.
    Pem(Part),
    /// A merge patch for the Secret that holds the key.
    Patch(&'static Secret),
    /// Linkerd's ConfigMap of roots.
    TrustRoots,
    /// A JSON patch for the status of a CertificateRequest.
    CertificateRequest,
    /// A JSON patch for the status of a CertificateSigningRequest.
    CertificateSigningRequest,
}

impl Consumer {
    /// Every one of them.
    pub const ALL: [Self; 13] = [
        Self::Istio,
        Self::IstioTls,
        Self::CertManagerRequest,
        Self::KubernetesCsr,
        Self::CertManagerIssuer,
        Self::GlooMesh,
        Self::CcmPca,
        Self::Spire,
        Self::Linkerd,
        Self::Vault,
        Self::Ingress,
        Self::StepCa,
        Self::Pem,
    ];

    /// Its row.
    pub fn terms(self) -> &'static Terms {
        match self {
            Self::Istio => &istio::ISTIO,
            Self::IstioTls => &istio::ISTIO_TLS,
            Self::CertManagerRequest => &object::CERT_MANAGER_REQUEST,
            Self::KubernetesCsr => &object::KUBERNETES_CSR,
            Self::CertManagerIssuer => &secrets::CERT_MANAGER_ISSUER,
            Self::GlooMesh => &istio::GLOO_MESH,
            Self::CcmPca => &elsewhere::CCM_PCA,
            Self::Spire => &files::SPIRE,
            Self::Linkerd => &secrets::LINKERD,
            Self::Vault => &elsewhere::VAULT,
            Self::Ingress => &secrets::INGRESS,
            Self::StepCa => &files::STEP_CA,
            Self::Pem => &files::PEM,
        }
    }

    /// What stands in a cluster's folder beside the PEM files that everybody has.
    pub(super) fn files(
        self,
        parts: &Parts,
        facts: &Facts,
        object: Option<&Object>,
    ) -> Result<Vec<(&'static str, Vec<u8>)>> {
        object.map_or(Ok(()), |object| object.check(self))?;
        let files = self.terms().files.iter();
        files.map(|(name, form)| Ok((*name, form.make(parts, facts, object)?.into_bytes()))).collect()
    }
}

impl Terms {
    /// Whether its own check takes a root with a key of this kind.
    pub fn takes_root(&self, kind: KeyAlgorithm) -> bool {
        self.roots.is_empty() || self.roots.contains(&kind)
    }

    /// The lines that load what was assembled into this folder; `word` writes an argument in
    /// which the folder stands as `{out}`.
    pub fn load_lines(&self, out: &str, word: impl Fn(&str) -> String) -> Vec<String> {
        let filled = |line: &&str| match line.starts_with('#') {
            true => line.replace("{out}", out),
            false => words(line, &word),
        };
        self.load.iter().map(filled).collect()
    }

    /// The lines that load what stands in this folder of a release.
    pub fn direct_lines(&self, bundle: &str, object: Option<&Object>) -> Vec<String> {
        let object = object.map_or_else(|| self.unnamed.into(), Object::arguments);
        self.direct.iter().map(|line| line.replace("{bundle}", bundle).replace("{object}", &object)).collect()
    }
}

fn words(line: &str, word: impl Fn(&str) -> String) -> String {
    line.split(' ')
        .map(|part| if part.contains('{') { word(part) } else { part.into() })
        .collect::<Vec<_>>()
        .join(" ")
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.terms().name)
    }
}

impl Form {
    /// The file of a certificate that says this, for this object.
    pub fn make(self, parts: &Parts, facts: &Facts, object: Option<&Object>) -> Result<String> {
        Ok(match self {
            Self::Pem(part) => parts.get(part),
            Self::Patch(secret) => secret.patch(parts),
            Self::TrustRoots => manifest::trust_roots(parts),
            Self::CertificateRequest => object::certificate_request(parts, facts, object)?,
            Self::CertificateSigningRequest => object::certificate_signing_request(parts, object)?,
        })
    }
}
