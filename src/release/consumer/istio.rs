//! Istio's plugged-in CA in its two forms, and Gloo Mesh, which has taken over the names.

use super::{Assembled, Form, Naming, PLAIN, Part, Secret, Terms};
use crate::release::{CA_CERT, CA_CRL, CERT_CHAIN, ROOT_CERT};
use crate::x509::Seconds;

const NAMES: &[(&str, Part)] =
    &[(CA_CERT, Part::Certificate), (CERT_CHAIN, Part::Chain), (ROOT_CERT, Part::Roots)];

const FILES: &[(&str, Form)] = &[
    (CA_CERT, Form::Pem(Part::Certificate)),
    (CERT_CHAIN, Form::Pem(Part::Chain)),
    (ROOT_CERT, Form::Pem(Part::Roots)),
];

/// A key named `istio-generated` in it would have istiod write over it.
const CACERTS: Secret = Secret {
    file: "cacerts.yaml",
    namespace: "istio-system",
    name: "cacerts",
    naming: Naming::Named,
    kind: "Opaque",
    entries: NAMES,
    key: Some("ca-key.pem"),
};

pub(super) const ISTIO: Terms = Terms {
    name: "istio",
    files: &[("secret-patch.yaml", Form::Patch(&CACERTS))],
    assembled: Ok(Assembled { key: "ca-key.pem", files: FILES, secret: Some(&CACERTS) }),
    crl: Ok(CA_CRL),
    load: &["kubectl apply -f {out}/cacerts.yaml"],
    direct: &[
        "kubectl patch secret cacerts -n istio-system --type=merge --patch-file {bundle}/secret-patch.yaml",
    ],
    ..PLAIN
};

/// istiod concatenates tls.crt and ca.crt as they are: each ends with a newline. It takes
/// these names before its own where both are there, so that they never are.
const CACERTS_TLS: Secret = Secret {
    kind: "kubernetes.io/tls",
    entries: &[("ca.crt", Part::Roots), ("tls.crt", Part::Certificate)],
    key: Some("tls.key"),
    ..CACERTS
};

pub(super) const ISTIO_TLS: Terms = Terms {
    name: "istio-tls",
    files: &[("secret-patch.yaml", Form::Patch(&CACERTS_TLS))],
    assembled: Ok(Assembled {
        key: "tls.key",
        files: &[("ca.crt", Form::Pem(Part::Roots)), ("tls.crt", Form::Pem(Part::Certificate))],
        secret: Some(&CACERTS_TLS),
    }),
    crl: Err("istiod reads CRLs from a Secret with Istio's own names alone: use the consumer istio"),
    ..ISTIO
};

const ROOT_TRUST: Secret = Secret {
    file: "secret.yaml",
    namespace: "gloo-mesh",
    name: "mesh-ca.gloo-mesh",
    naming: Naming::Dotted,
    kind: "Opaque",
    entries: NAMES,
    key: Some("ca-key.pem"),
};

/// The CAs below live a day: when this one ends, so does every mesh.
pub(super) const GLOO_MESH: Terms = Terms {
    name: "gloo-mesh",
    files: &[("secret-patch.yaml", Form::Patch(&ROOT_TRUST))],
    assembled: Ok(Assembled { key: "ca-key.pem", files: FILES, secret: Some(&ROOT_TRUST) }),
    crl: Err("Gloo Mesh hands no CRL on to the clusters below it"),
    path_length: 1,
    warns_below: Seconds(60 * Seconds::DAY.0),
    load: &["kubectl apply -f {out}/secret.yaml"],
    direct: &[
        "kubectl patch secret mesh-ca.gloo-mesh -n gloo-mesh --type=merge --patch-file {bundle}/secret-patch.yaml",
    ],
    ..PLAIN
};
