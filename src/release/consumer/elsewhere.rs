//! Those whose key is in a service: what it is given stands in the release, whole.

use super::{Form, PLAIN, Part, Terms};

const NO_CRL: &str = "it takes certificates alone, and has CRLs of its own";

/// The two fields of its import. What its slides call a mesh's root CA is a subordinate.
pub(super) const CCM_PCA: Terms = Terms {
    name: "ccm-pca",
    files: &[
        ("certificate-body.pem", Form::Pem(Part::Certificate)),
        ("certificate-chain.pem", Form::Pem(Part::Root)),
    ],
    assembled: Err("the PCA has the key"),
    crl: Err(NO_CRL),
    path_length: 1,
    direct: &[
        "# in the PCA's console, at the subordinate CA, import the certificate of an external CA:",
        "#   certificate body   {bundle}/certificate-body.pem",
        "#   certificate chain  {bundle}/certificate-chain.pem",
    ],
    ..PLAIN
};

pub(super) const VAULT: Terms = Terms {
    name: "vault",
    assembled: Err("Vault has the key"),
    crl: Err(NO_CRL),
    direct: &[
        "vault write pki/intermediate/set-signed certificate=@{bundle}/cert-chain.pem",
        "# after a renewal, with the name that `vault list pki/issuers` shows as new:",
        "vault write pki/config/issuers default=NAME",
    ],
    ..PLAIN
};
