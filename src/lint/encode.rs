//! Extension values written again from what the parser understood of them. Equal
//! bytes prove that nothing in a value went unread (X.690 §10, §11).

use x509_parser::extensions::{
    AccessDescription, AuthorityKeyIdentifier, BasicConstraints, CRLDistributionPoint, DistributionPointName,
    GeneralName, GeneralSubtree, KeyUsage, NameConstraints, ParsedExtension, PolicyInformation,
    PolicyQualifierInfo, X509Extension,
};
use x509_parser::oid_registry::Oid;

use super::asn1::{self, write};

/// Whether the value is canonical and was understood to the last bit.
pub(crate) fn understood(extension: &X509Extension<'_>) -> bool {
    asn1::check(extension.value).is_ok() && value(extension).is_some_and(|v| v == extension.value)
}

/// The value's DER; `None` for a type that is not known here or could not be read.
fn value(extension: &X509Extension<'_>) -> Option<Vec<u8>> {
    match extension.parsed_extension() {
        ParsedExtension::BasicConstraints(v) => Some(basic_constraints(v)),
        ParsedExtension::KeyUsage(v) => Some(key_usage(*v)),
        // The parser drops order and doubles; the list itself is read by hand.
        ParsedExtension::ExtendedKeyUsage(_) => {
            let purposes = asn1::members(extension.value, 0x30).ok()?;
            purposes.iter().all(|p| p.tag == 0x06).then(|| extension.value.to_vec())
        }
        ParsedExtension::SubjectKeyIdentifier(v) => Some(write(0x04, v.0)),
        ParsedExtension::AuthorityKeyIdentifier(v) => authority_key_id(v),
        ParsedExtension::SubjectAlternativeName(v) => Some(write(0x30, &names(&v.general_names)?)),
        ParsedExtension::NameConstraints(v) => name_constraints(v),
        ParsedExtension::CertificatePolicies(v) => Some(sequence(v.iter().map(policy))),
        ParsedExtension::CRLDistributionPoints(v) => {
            Some(sequence(v.points.iter().map(distribution_point).collect::<Option<Vec<_>>>()?.into_iter()))
        }
        ParsedExtension::AuthorityInfoAccess(v) => {
            Some(sequence(v.accessdescs.iter().map(access).collect::<Option<Vec<_>>>()?.into_iter()))
        }
        _ => None,
    }
}

fn sequence(elements: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    write(0x30, &elements.flatten().collect::<Vec<u8>>())
}

fn oid(oid: &Oid<'_>) -> Vec<u8> {
    write(0x06, oid.as_bytes())
}

fn basic_constraints(value: &BasicConstraints) -> Vec<u8> {
    let ca = if value.ca { write(0x01, &[0xff]) } else { Vec::new() };
    let path_len = value.path_len_constraint.map(|length| {
        let mut octets: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        if octets.first().is_none_or(|b| *b > 0x7f) {
            octets.insert(0, 0);
        }
        write(0x02, &octets)
    });
    sequence([ca, path_len.unwrap_or_default()].into_iter())
}

/// A named bit list: trailing zero bits are left out (X.690 §11.2.2).
fn key_usage(value: KeyUsage) -> Vec<u8> {
    let [low, high] = value.flags.to_le_bytes().map(u8::reverse_bits);
    let (unused, octets) = match (low, high) {
        (0, 0) => (0, &[][..]),
        (_, 0) => (low.trailing_zeros(), &[low][..]),
        _ => (high.trailing_zeros(), &[low, high][..]),
    };
    let unused = u8::try_from(unused).unwrap_or(0);
    write(0x03, &[&[unused], octets].concat())
}

fn authority_key_id(value: &AuthorityKeyIdentifier<'_>) -> Option<Vec<u8>> {
    let key_id = value.key_identifier.as_ref().map(|id| write(0x80, id.0));
    let issuer = match &value.authority_cert_issuer {
        Some(issuer) => Some(write(0xa1, &names(issuer)?)),
        None => None,
    };
    let serial = value.authority_cert_serial.map(|serial| write(0x82, serial));
    Some(sequence([key_id, issuer, serial].into_iter().flatten()))
}

fn name_constraints(value: &NameConstraints<'_>) -> Option<Vec<u8>> {
    let subtrees = |tag: u8, list: &Option<Vec<GeneralSubtree<'_>>>| -> Option<Vec<u8>> {
        let Some(list) = list else { return Some(Vec::new()) };
        let bases = list.iter().map(|s| Some(write(0x30, &name(&s.base)?))).collect::<Option<Vec<_>>>()?;
        Some(write(tag, &bases.concat()))
    };
    let permitted = subtrees(0xa0, &value.permitted_subtrees)?;
    let excluded = subtrees(0xa1, &value.excluded_subtrees)?;
    Some(sequence([permitted, excluded].into_iter()))
}

fn policy(value: &PolicyInformation<'_>) -> Vec<u8> {
    let qualifier = |q: &PolicyQualifierInfo<'_>| {
        write(0x30, &[oid(&q.policy_qualifier_id), q.qualifier.to_vec()].concat())
    };
    let qualifiers = value.policy_qualifiers.as_ref().map(|list| sequence(list.iter().map(qualifier)));
    sequence([oid(&value.policy_id), qualifiers.unwrap_or_default()].into_iter())
}

/// Full names only: partitioned and indirect CRLs are not understood here.
fn distribution_point(value: &CRLDistributionPoint<'_>) -> Option<Vec<u8>> {
    match (&value.distribution_point, &value.reasons, &value.crl_issuer) {
        (Some(DistributionPointName::FullName(list)), None, None) => {
            Some(write(0x30, &write(0xa0, &write(0xa0, &names(list)?))))
        }
        _ => None,
    }
}

fn access(value: &AccessDescription<'_>) -> Option<Vec<u8>> {
    Some(sequence([oid(&value.access_method), name(&value.access_location)?].into_iter()))
}

fn names(list: &[GeneralName<'_>]) -> Option<Vec<u8>> {
    Some(list.iter().map(name).collect::<Option<Vec<_>>>()?.concat())
}

/// GeneralName (RFC 5280 §4.2.1.6) without x400Address and ediPartyName.
fn name(value: &GeneralName<'_>) -> Option<Vec<u8>> {
    match value {
        GeneralName::OtherName(kind, rest) => Some(write(0xa0, &[oid(kind), rest.to_vec()].concat())),
        GeneralName::RFC822Name(text) => Some(write(0x81, text.as_bytes())),
        GeneralName::DNSName(text) => Some(write(0x82, text.as_bytes())),
        GeneralName::DirectoryName(name) => Some(write(0xa4, name.as_raw())),
        GeneralName::URI(text) => Some(write(0x86, text.as_bytes())),
        GeneralName::IPAddress(octets) => Some(write(0x87, octets)),
        GeneralName::RegisteredID(id) => Some(write(0x88, id.as_bytes())),
        GeneralName::X400Address(_) | GeneralName::EDIPartyName(_) | GeneralName::Invalid(..) => None,
    }
}
