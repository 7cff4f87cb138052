//! The documents that come with anchorite; `init` writes them into a new home.

use const_oid::db::rfc4519;

use super::document::nearest;
use super::profile::Profile;
use super::values::AttributeType;
use crate::x509::Seconds;

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$((concat!("policies/", $name, ".toml"), include_str!(concat!("../../policies/", $name, ".toml"))),)*]
    };
}

/// The shipped policies: the file's path in a home, and its text. One for each consumer;
/// `issuing-ca` is for whatever takes PEM files.
pub const SHIPPED: &[(&str, &str)] = shipped! {
    "istio" "issuing-ca" "istio-tls" "cert-manager-request" "kubernetes-csr" "cert-manager-issuer" "gloo-mesh"
    "ccm-pca" "spire" "linkerd" "vault" "ingress" "step-ca"
};

/// What an unknown policy may grant: the longest of those that CAs are known to be given.
const LONGEST: Seconds = Seconds(1_825 * 86_400);
/// Between the CRL and the certificate lie the way to the ceremony and the wait for it.
const CEREMONY: Seconds = Seconds(90 * 86_400);

/// How long a CRL must hold that is signed before its certificate, and must outlast it:
/// the maximum of the shipped policy of this name, or five years, and 90 days.
pub fn pre_signed_ttl(policy: &str) -> Seconds {
    Seconds(shipped(policy).map_or(LONGEST, |p| p.validity.maximum.0).0 + CEREMONY.0)
}

/// The organisation that the shipped policy of this name wants in a subject, where it wants one.
pub fn fixed_organisation(policy: &str) -> Option<String> {
    shipped(policy)?.subject.fixed.get(&AttributeType(rfc4519::O)).map(|value| String::clone(value))
}

/// The shipped policy whose name is nearest to this one, if any is near.
pub fn nearest_shipped(policy: &str) -> Option<&'static str> {
    let stem = |file: &'static str| file.strip_prefix("policies/")?.strip_suffix(".toml");
    nearest(policy, SHIPPED.iter().filter_map(|(file, _)| stem(file)))
}

/// The shipped policy of this name. A home may have changed it.
pub fn shipped(policy: &str) -> Option<Profile> {
    let file = format!("policies/{policy}.toml");
    let (file, text) = SHIPPED.iter().find(|(name, _)| *name == file)?;
    Profile::parse(file, text).ok()
}

/// The register of a new home: explained, and empty.
pub const DEFAULT_REGISTER: &str = include_str!("clusters.toml.in");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crl_outlasts_what_the_policy_may_grant() {
        for (policy, days) in
            [("istio", 390), ("issuing-ca", 990), ("vault", 1_915), ("ingress", 455), ("../istio", 1_915)]
        {
            assert_eq!(pre_signed_ttl(policy), Seconds(days * 86_400), "{policy}");
        }
    }

    #[test]
    fn a_request_names_the_organisation_that_its_policy_wants() {
        for policy in ["istio", "istio-tls"] {
            assert_eq!(fixed_organisation(policy).as_deref(), Some("Istio"));
        }
        assert_eq!((fixed_organisation("vault"), fixed_organisation("mine")), (None, None));
    }
}
