//! The documents that come with anchorite; `init` writes them into a new home.

/// The shipped policies: the file's path in a home, and its text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("policies/istio.toml", include_str!("../../policies/istio.toml")),
    ("policies/issuing-ca.toml", include_str!("../../policies/issuing-ca.toml")),
];

/// The register of a new home: explained, and empty.
pub const DEFAULT_REGISTER: &str = include_str!("clusters.toml.in");
