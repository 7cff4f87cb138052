//! The documents that come with anchorite; `init` writes them into a new home.

use super::profile::Profile;
use crate::x509::Seconds;

/// The shipped policies: the file's path in a home, and its text.
pub const SHIPPED: &[(&str, &str)] = &[
    ("policies/istio.toml", include_str!("../../policies/istio.toml")),
    ("policies/issuing-ca.toml", include_str!("../../policies/issuing-ca.toml")),
];

/// What an unknown policy may grant: the longest of those that CAs are known to be given.
const LONGEST: Seconds = Seconds(1_825 * 86_400);
/// Between the CRL and the certificate lie the way to the ceremony and the wait for it.
const CEREMONY: Seconds = Seconds(90 * 86_400);

/// How long a CRL must hold that is signed before its certificate, and must outlast it:
/// the maximum of the shipped policy of this name, or five years, and 90 days.
pub fn pre_signed_ttl(policy: &str) -> Seconds {
    let file = format!("policies/{policy}.toml");
    let shipped = SHIPPED.iter().find(|(name, _)| *name == file);
    let maximum =
        shipped.and_then(|(file, text)| Profile::parse(file, text).ok()).map(|p| p.validity.maximum.0);
    Seconds(maximum.unwrap_or(LONGEST).0 + CEREMONY.0)
}

/// The register of a new home: explained, and empty.
pub const DEFAULT_REGISTER: &str = include_str!("clusters.toml.in");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crl_outlasts_what_the_policy_may_grant() {
        for (policy, days) in [("istio", 390), ("issuing-ca", 990), ("vault", 1_915), ("../istio", 1_915)] {
            assert_eq!(pre_signed_ttl(policy), Seconds(days * 86_400), "{policy}");
        }
    }
}
