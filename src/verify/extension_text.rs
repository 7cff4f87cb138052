//! The words for an extension's value.

use std::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::asn1_rs::oid;
use x509_parser::extensions::{
    AuthorityKeyIdentifier, DistributionPointName, GeneralName, GeneralSubtree, KeyUsage, ParsedExtension,
    PolicyInformation, X509Extension,
};
use x509_parser::oid_registry::Oid;

use super::parsed::show_name;
use crate::lint::asn1;
use crate::text::{hex, shown};

/// keyUsage bits in order (RFC 5280 §4.2.1.3).
const USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// Names for key purposes and access methods; anything else shows as its OID.
const WORDS: [(Oid<'static>, &str); 10] = [
    (oid!(2.5.29.37.0), "anyExtendedKeyUsage"),
    (oid!(1.3.6.1.5.5.7.3.1), "serverAuth"),
    (oid!(1.3.6.1.5.5.7.3.2), "clientAuth"),
    (oid!(1.3.6.1.5.5.7.3.3), "codeSigning"),
    (oid!(1.3.6.1.5.5.7.3.4), "emailProtection"),
    (oid!(1.3.6.1.5.5.7.3.8), "timeStamping"),
    (oid!(1.3.6.1.5.5.7.3.9), "OCSPSigning"),
    (oid!(1.3.6.1.5.5.7.3.36), "documentSigning"),
    (oid!(1.3.6.1.5.5.7.48.1), "ocsp"),
    (oid!(1.3.6.1.5.5.7.48.2), "caIssuers"),
];

/// What the value says; `None` for a type that has no words here.
pub(super) fn text(extension: &X509Extension<'_>) -> Option<String> {
    Some(match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(v) => {
            let path_len = v.path_len_constraint.map_or(String::new(), |l| format!(", pathLen:{l}"));
            format!("CA:{}{path_len}", if v.ca { "TRUE" } else { "FALSE" })
        }
        ParsedExtension::KeyUsage(v) => usages(*v),
        ParsedExtension::ExtendedKeyUsage(_) => {
            let purposes = asn1::members(extension.value, 0x30).ok()?;
            join(purposes.iter().map(|p| word(&Oid::new(p.content.into()))))
        }
        ParsedExtension::SubjectKeyIdentifier(v) => hex(v.0),
        ParsedExtension::AuthorityKeyIdentifier(v) => authority(v),
        ParsedExtension::SubjectAlternativeName(v) => names(&v.general_names),
        ParsedExtension::NameConstraints(v) => {
            let list = |word: &str, subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
                subtrees.as_ref().map(|s| format!("{word} {}", join(s.iter().map(|s| name(&s.base)))))
            };
            let lists = [list("permitted", &v.permitted_subtrees), list("excluded", &v.excluded_subtrees)];
            lists.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        ParsedExtension::CertificatePolicies(v) => join(v.iter().map(policy)),
        ParsedExtension::CRLDistributionPoints(v) => {
            join(v.points.iter().map(|p| match &p.distribution_point {
                Some(DistributionPointName::FullName(list)) => names(list),
                _ => "no full name".into(),
            }))
        }
        ParsedExtension::AuthorityInfoAccess(v) => {
            join(v.iter().map(|a| format!("{} {}", word(&a.access_method), name(&a.access_location))))
        }
        _ => return None,
    })
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn word(oid: &Oid<'_>) -> String {
    WORDS.iter().find(|(known, _)| known == oid).map_or_else(|| oid.to_string(), |(_, word)| (*word).into())
}

fn usages(value: KeyUsage) -> String {
    let set = USAGES.iter().enumerate().filter(|(bit, _)| value.flags >> bit & 1 == 1);
    join(set.map(|(_, name)| (*name).into()))
}

fn authority(value: &AuthorityKeyIdentifier<'_>) -> String {
    let key_id = value.key_identifier.as_ref().map(|id| hex(id.0));
    let issuer = value.authority_cert_issuer.as_ref().map(|list| format!("issuer {}", names(list)));
    let serial = value.authority_cert_serial.map(|serial| format!("serial {}", hex(serial)));
    join([key_id, issuer, serial].into_iter().flatten())
}

fn policy(value: &PolicyInformation<'_>) -> String {
    let qualifiers = value.policy_qualifiers.iter().flatten();
    let shown = qualifiers.map(|q| format!(" ({} DER {})", q.policy_qualifier_id, hex(q.qualifier)));
    format!("{}{}", value.policy_id, shown.collect::<String>())
}

fn names(list: &[GeneralName<'_>]) -> String {
    join(list.iter().map(name))
}

/// A comma inside a name shows with a backslash, so that no name can pose as two.
fn name(value: &GeneralName<'_>) -> String {
    let text = |text: &str| shown(text).replace(',', "\\,");
    match value {
        GeneralName::DNSName(v) => format!("DNS:{}", text(v)),
        GeneralName::URI(v) => format!("URI:{}", text(v)),
        GeneralName::RFC822Name(v) => format!("email:{}", text(v)),
        GeneralName::IPAddress(v) => format!("IP:{}", address(v)),
        GeneralName::DirectoryName(v) => format!("dirName:{}", show_name(v.as_raw())),
        GeneralName::RegisteredID(v) => format!("registeredID:{v}"),
        GeneralName::OtherName(kind, v) => format!("otherName:{kind} DER {}", hex(v)),
        GeneralName::X400Address(v) | GeneralName::EDIPartyName(v) => format!("DER {}", hex(v.data)),
        GeneralName::Invalid(_, v) => format!("unreadable {}", hex(v)),
    }
}

/// An address, or address and mask as name constraints have them.
fn address(octets: &[u8]) -> String {
    let one = |octets: &[u8]| match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets)) {
        (Ok(v4), _) => Ipv4Addr::from(v4).to_string(),
        (_, Ok(v6)) => Ipv6Addr::from(v6).to_string(),
        _ => hex(octets),
    };
    match octets.len() {
        8 | 32 => {
            let (address, mask) = octets.split_at(octets.len() / 2);
            format!("{}/{}", one(address), one(mask))
        }
        _ => one(octets),
    }
}
