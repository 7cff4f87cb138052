//! Those who read files from a disk, by the names they go by there.

use super::{Assembled, Form, PLAIN, Part, Terms};
use crate::release::{CA_CERT, CA_CRL, CERT_CHAIN, ROOT_CERT};

const UPSTREAM: &[(&str, Form)] =
    &[("bundle.pem", Form::Pem(Part::Roots)), ("upstream.pem", Form::Pem(Part::Path))];

pub(super) const SPIRE: Terms = Terms {
    name: "spire",
    files: UPSTREAM,
    assembled: Ok(Assembled { key: "upstream.key", files: UPSTREAM, secret: None }),
    crl: Err("nobody beneath a SPIRE server checks CRLs"),
    path_length: 1,
    load: &[
        "# UpstreamAuthority \"disk\": cert_file_path, key_file_path and bundle_file_path",
        "install -m 600 {out}/upstream.key /opt/spire/conf/server/upstream.key",
        "install -m 644 {out}/upstream.pem /opt/spire/conf/server/upstream.pem",
        "install -m 644 {out}/bundle.pem /opt/spire/conf/server/bundle.pem",
    ],
    ..PLAIN
};

const STEP: &[(&str, Form)] =
    &[("intermediate_ca.crt", Form::Pem(Part::Path)), ("root_ca.crt", Form::Pem(Part::OwnRootFirst))];

pub(super) const STEP_CA: Terms = Terms {
    name: "step-ca",
    files: STEP,
    assembled: Ok(Assembled { key: "intermediate_ca_key", files: STEP, secret: None }),
    crl: Err("step-ca takes none: it has its own"),
    load: &[
        "install -m 600 {out}/intermediate_ca_key /etc/step-ca/secrets/intermediate_ca_key",
        "install -m 644 {out}/intermediate_ca.crt /etc/step-ca/certs/intermediate_ca.crt",
        "install -m 644 {out}/root_ca.crt /etc/step-ca/certs/root_ca.crt",
        "systemctl restart step-ca",
    ],
    ..PLAIN
};

pub(super) const PEM: Terms = Terms {
    name: "pem",
    assembled: Ok(Assembled {
        key: "ca-key.pem",
        files: &[
            (CA_CERT, Form::Pem(Part::Certificate)),
            (CERT_CHAIN, Form::Pem(Part::Chain)),
            (ROOT_CERT, Form::Pem(Part::Roots)),
        ],
        secret: None,
    }),
    crl: Ok(CA_CRL),
    load: &["# {out} holds certificate, chain, roots and key, in PEM"],
    ..PLAIN
};
