//! The rules of intake by name.

/// Every rule ID that a finding of intake can carry, but for those of
/// [`CRL_RULES`](super::CRL_RULES), which are judged with the policy.
pub const RULES: &[&str] = &[
    "crl.der",
    "crl.several",
    "csr.attribute",
    "csr.challenge-password",
    "csr.count",
    "csr.der",
    "csr.encoding",
    "csr.extension",
    "csr.extension-request",
    "csr.extension-twice",
    "csr.kind",
    "csr.pem",
    "csr.size",
    "key.curve",
    "key.ec-point",
    "key.ed25519-order",
    "key.encoding",
    "key.rsa-close-primes",
    "key.rsa-exponent",
    "key.rsa-modulus",
    "key.rsa-odd",
    "key.rsa-roca",
    "key.rsa-small-factor",
    "key.unsupported",
    "possession.algorithm",
    "possession.signature",
];
