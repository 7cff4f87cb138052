//! Other Secrets: cert-manager's CA issuer, Linkerd's identity issuer, ingress gateways.

use super::{Assembled, Form, Naming, PLAIN, Part, Secret, Terms};
use crate::release::{CA_CERT, CERT_CHAIN, ROOT_CERT};
use crate::x509::{KeyAlgorithm, Seconds};

/// cert-manager reads the first certificate of ca.crt alone; without it the intermediate
/// becomes the `ca.crt` of everything below, and each cluster an island.
const ISSUER: Secret = Secret {
    file: "secret.yaml",
    namespace: "cert-manager",
    name: "mesh-ca",
    naming: Naming::Free,
    kind: "kubernetes.io/tls",
    entries: &[("ca.crt", Part::OwnRootFirst), ("tls.crt", Part::Path)],
    key: Some("tls.key"),
};

pub(super) const CERT_MANAGER_ISSUER: Terms = Terms {
    name: "cert-manager-issuer",
    files: &[("secret-patch.yaml", Form::Patch(&ISSUER))],
    assembled: Ok(Assembled {
        key: "tls.key",
        files: &[("ca.crt", Form::Pem(Part::OwnRootFirst)), ("tls.crt", Form::Pem(Part::Path))],
        secret: Some(&ISSUER),
    }),
    crl: Err("an issuer of cert-manager's hands no CRL on"),
    load: &["kubectl apply -f {out}/secret.yaml"],
    direct: &[
        "kubectl patch secret mesh-ca -n cert-manager --type=merge --patch-file {bundle}/secret-patch.yaml",
    ],
    ..PLAIN
};

const IDENTITY_ISSUER: Secret = Secret {
    file: "linkerd-identity-issuer.yaml",
    namespace: "linkerd",
    name: "linkerd-identity-issuer",
    naming: Naming::Fixed,
    kind: "kubernetes.io/tls",
    entries: &[("ca.crt", Part::Roots), ("tls.crt", Part::Path)],
    key: Some("tls.key"),
};

const TRUST_ROOTS: (&str, Form) = ("linkerd-identity-trust-roots.yaml", Form::TrustRoots);

/// `linkerd check` takes a P-256 issuer alone beneath these roots, and warns below 60 days.
pub(super) const LINKERD: Terms = Terms {
    name: "linkerd",
    files: &[TRUST_ROOTS, ("secret-patch.yaml", Form::Patch(&IDENTITY_ISSUER))],
    assembled: Ok(Assembled {
        key: "tls.key",
        files: &[("ca.crt", Form::Pem(Part::Roots)), ("tls.crt", Form::Pem(Part::Path)), TRUST_ROOTS],
        secret: Some(&IDENTITY_ISSUER),
    }),
    crl: Err("Linkerd's proxies check none"),
    warns_below: Seconds(60 * Seconds::DAY.0),
    key: Some(KeyAlgorithm::P256),
    roots: &[KeyAlgorithm::P256, KeyAlgorithm::Rsa(2048), KeyAlgorithm::Rsa(4096)],
    load: &[
        "kubectl apply -f {out}/linkerd-identity-trust-roots.yaml",
        "# where the roots are new: restart every workload before the next line",
        "kubectl apply -f {out}/linkerd-identity-issuer.yaml",
    ],
    direct: &[
        "kubectl apply -f {bundle}/linkerd-identity-trust-roots.yaml",
        "kubectl patch secret linkerd-identity-issuer -n linkerd --type=merge --patch-file {bundle}/secret-patch.yaml",
    ],
    ..PLAIN
};

/// What a gateway holds clients' certificates against; for a Gateway with
/// `credentialName: ingress`. The CA's key has no business in a gateway.
const CLIENTS: Secret = Secret {
    file: "ingress-cacert.yaml",
    namespace: "istio-system",
    name: "ingress-cacert",
    naming: Naming::Free,
    kind: "Opaque",
    entries: &[("ca.crt", Part::Roots)],
    key: None,
};

/// Clients trust the root alone: one that trusts the intermediate breaks at its renewal.
const CLIENTS_ROOT: (&str, Form) = ("clients-root.pem", Form::Pem(Part::Roots));

pub(super) const INGRESS: Terms = Terms {
    name: "ingress",
    files: &[CLIENTS_ROOT],
    assembled: Ok(Assembled {
        key: "ca-key.pem",
        files: &[
            (CA_CERT, Form::Pem(Part::Certificate)),
            (CERT_CHAIN, Form::Pem(Part::Chain)),
            CLIENTS_ROOT,
            (ROOT_CERT, Form::Pem(Part::Roots)),
        ],
        secret: Some(&CLIENTS),
    }),
    crl: Ok("ca.crl"),
    load: &[
        "# with ca-cert.pem and ca-key.pem issue the gateways' certificates; their tls.crt ends with ca-cert.pem",
        "# where gateways ask clients for certificates:",
        "kubectl apply -f {out}/ingress-cacert.yaml",
    ],
    direct: &["# clients that come in are given {bundle}/clients-root.pem to trust, and no intermediate"],
    ..PLAIN
};
