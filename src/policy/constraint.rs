//! Names that bound other names: what a policy lets an intermediate certify
//! (name constraints, RFC 5280 §4.2.1.10) and be called itself.

use std::fmt;
use std::net::IpAddr;

use der::asn1::{Ia5String, OctetString};
use serde::{Deserialize, Deserializer};
use x509_cert::ext::pkix::name::GeneralName;

use super::values::{is_dns_name, worded};

/// One subtree of names, written `dns:example.org`, `uri:example.org`,
/// `email:example.org` or `ip:10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subtree {
    text: String,
    base: GeneralName,
}

impl Subtree {
    /// The base of the GeneralSubtree.
    pub fn base(&self) -> &GeneralName {
        &self.base
    }

    /// A URI constraint, which some verifiers take for a reason to refuse everything.
    pub fn is_uri(&self) -> bool {
        matches!(self.base, GeneralName::UniformResourceIdentifier(_))
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let ia5 = || Ia5String::new(name).ok();
        let base = match kind {
            "dns" if is_dns_name(name) => GeneralName::DnsName(ia5()?),
            // A host alone: a leading dot or a full URI fails in nearly every verifier.
            "uri" if is_dns_name(name) => GeneralName::UniformResourceIdentifier(ia5()?),
            "email" if is_mail(name) => GeneralName::Rfc822Name(ia5()?),
            "ip" => GeneralName::IpAddress(OctetString::new(address_and_mask(name)?).ok()?),
            _ => return None,
        };
        Some(Self { text: text.into(), base })
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Subtree {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let wanted = "\"dns:example.org\", \"uri:example.org\" (a host without leading dot), \
                      \"email:example.org\" or \"ip:10.0.0.0/8\" (no bits behind the prefix)";
        worded(d, wanted, Self::parse)
    }
}

fn is_mail(name: &str) -> bool {
    match name.split_once('@') {
        Some((user, host)) => {
            !user.is_empty() && user.bytes().all(|b| b.is_ascii_graphic()) && is_dns_name(host)
        }
        None => is_dns_name(name),
    }
}

/// `10.0.0.0/8` as the address followed by its mask.
fn address_and_mask(text: &str) -> Option<Vec<u8>> {
    let (address, prefix) = text.split_once('/')?;
    let address = match address.parse().ok()? {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let prefix: usize = prefix.parse().ok().filter(|p| *p <= address.len() * 8)?;
    let mask: Vec<u8> = (0..address.len())
        .map(|i| {
            0xff_u8
                .checked_shl(u32::try_from(8 - prefix.saturating_sub(i * 8).min(8)).unwrap_or(8))
                .unwrap_or(0)
        })
        .collect();
    let canonical = address.iter().zip(&mask).all(|(a, m)| a & !m == 0);
    canonical.then(|| address.into_iter().chain(mask).collect())
}

/// A DNS suffix under which a name may be granted: `example.org` covers itself
/// and everything beneath it, but not `badexample.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSuffix(String);

impl DnsSuffix {
    /// Whether a name, without wildcard, lies at or beneath the suffix.
    pub fn covers(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let above = name.strip_suffix(&self.0);
        is_dns_name(&name) && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }
}

impl<'de> Deserialize<'de> for DnsSuffix {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(d, "a DNS name such as \"example.org\", without leading dot or wildcard", |text| {
            is_dns_name(text).then(|| Self(text.to_ascii_lowercase()))
        })
    }
}

/// A URI prefix under which a URI may be granted. It ends with `/`, so that
/// `spiffe://cluster.local/` does not cover `spiffe://cluster.local.evil/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriPrefix(String);

impl UriPrefix {
    /// Whether a URI begins with the prefix and climbs out of it nowhere.
    pub fn covers(&self, uri: &str) -> bool {
        let plain = uri.bytes().all(|b| b.is_ascii_graphic());
        plain && uri.starts_with(&self.0) && !uri.split('/').any(|part| part == "..")
    }
}

impl<'de> Deserialize<'de> for UriPrefix {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        worded(
            d,
            "a URI prefix with scheme and host that ends with '/', such as \"spiffe://cluster.local/\"",
            |text| {
                let (scheme, rest) = text.split_once("://")?;
                let host = rest.split('/').next()?;
                (!scheme.is_empty() && !host.is_empty() && text.ends_with('/') && text.is_ascii())
                    .then(|| Self(text.into()))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_that_verifiers_understand() {
        for good in ["dns:example.org", "uri:cluster.local", "email:a@example.org", "email:example.org"] {
            assert_eq!(Subtree::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "example.org",
            "dns:.example.org",
            "dns:",
            "uri:spiffe://cluster.local",
            "uri:.cluster.local",
            "email:@example.org",
            "ip:10.0.0.1/8",
            "ip:10.0.0.0/33",
            "ip:10.0.0.0",
            "dir:x",
        ] {
            assert_eq!(Subtree::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_come_with_their_mask() {
        assert_eq!(address_and_mask("10.128.0.0/9"), Some(vec![10, 128, 0, 0, 255, 128, 0, 0]));
        assert_eq!(address_and_mask("0.0.0.0/0"), Some(vec![0; 8]));
        let v6 = address_and_mask("fd00::/8").unwrap();
        assert_eq!((v6.len(), v6[0], v6[16], v6[17]), (32, 0xfd, 0xff, 0));
    }

    #[test]
    fn suffixes_and_prefixes_end_at_a_boundary() {
        let dns = DnsSuffix("example.org".into());
        assert!(dns.covers("example.org") && dns.covers("a.Example.org"));
        assert!(!dns.covers("badexample.org") && !dns.covers("*.example.org") && !dns.covers(".example.org"));
        let uri = UriPrefix("spiffe://cluster.local/".into());
        assert!(uri.covers("spiffe://cluster.local/ns/a"));
        assert!(!uri.covers("spiffe://cluster.local.evil/") && !uri.covers("spiffe://cluster.local/../x"));
    }
}
