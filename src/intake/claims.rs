//! What a request asks for: its attributes (RFC 2986 §4.1, RFC 2985 §5.4).

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::{Any, OctetString};
use der::{Decode, Encode};
use x509_cert::attr::Attributes;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralNames;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::{BasicConstraintsClaim, Claims, strict};
use crate::finding::{Finding, Outcome};

/// PKCS#9 extensionRequest (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
/// Microsoft's attribute from before that one, of the same content. It is read as
/// the same: a wish left unread is one that no policy can refuse.
const MICROSOFT_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");
/// PKCS#9 challengePassword (RFC 2985 §5.4.1).
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
/// PKCS#9 unstructuredName (RFC 2985 §5.4.3): a note to the CA that asks for nothing.
const UNSTRUCTURED_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.2");

/// Reads all attributes; a wish that cannot be read leaves a refusing finding.
pub fn read(attributes: &Attributes) -> (Claims, Vec<Finding>) {
    let mut claims = Claims::default();
    let mut findings = Vec::new();
    let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
    let mut requests = Vec::new();
    for attribute in attributes.iter() {
        let once = seen.insert(attribute.oid) && !attribute.values.is_empty();
        // A thousand of them are one fault: no request fills the screen with it.
        if !once && told.insert(attribute.oid) {
            findings.push(bad_attribute(attribute.oid));
        }
        match attribute.oid {
            EXTENSION_REQUEST | MICROSOFT_EXTENSIONS => requests.extend(attribute.values.iter()),
            CHALLENGE_PASSWORD => findings.push(challenge_password()),
            UNSTRUCTURED_NAME => {}
            other => claims.other_attributes.push(other),
        }
    }
    match requests.as_slice() {
        [] => {}
        [request] => read_extensions(request, &mut claims, &mut findings),
        several => findings.push(bad_extension_request(&format!("there are {}", several.len()))),
    }
    (claims, findings)
}

fn read_extensions(request: &Any, claims: &mut Claims, findings: &mut Vec<Finding>) {
    let extensions: Vec<Extension> = match reencode(request) {
        Ok(extensions) => extensions,
        Err(e) => return findings.push(bad_extension_request(&e)),
    };
    let (mut seen, mut told) = (BTreeSet::new(), BTreeSet::new());
    for extension in &extensions {
        if !seen.insert(extension.extn_id) {
            findings.extend(told.insert(extension.extn_id).then(|| extension_twice(extension.extn_id)));
        } else if let Err(e) = claim(extension, claims) {
            findings.push(bad_extension(extension.extn_id, &e));
        }
    }
}

/// Decodes an ANY strictly, header included.
fn reencode<T>(any: &Any) -> Result<T, String>
where
    T: for<'a> Decode<'a, Error = der::Error> + Encode,
{
    strict::decode(&any.to_der().map_err(|e| e.to_string())?)
}

fn claim(extension: &Extension, claims: &mut Claims) -> Result<(), String> {
    let value = extension.extn_value.as_bytes();
    match extension.extn_id {
        rfc5280::ID_CE_BASIC_CONSTRAINTS => {
            let b: BasicConstraints = strict::decode(value)?;
            let claim = BasicConstraintsClaim { ca: b.ca, path_len: b.path_len_constraint };
            claims.basic_constraints = Some(claim);
        }
        rfc5280::ID_CE_KEY_USAGE => {
            let usage: KeyUsage = strict::decode(value)?;
            claims.key_usage = Some(some(usage, usage.0.is_empty())?);
        }
        rfc5280::ID_CE_EXT_KEY_USAGE => {
            let usages: Vec<ObjectIdentifier> = strict::decode(value)?;
            let none = usages.is_empty();
            claims.extended_key_usage = some(usages, none)?;
        }
        rfc5280::ID_CE_SUBJECT_ALT_NAME => {
            let names: GeneralNames = strict::decode(value)?;
            let none = names.is_empty();
            claims.subject_alt_name = Some(some(names, none)?);
        }
        rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => {
            claims.subject_key_id = Some(strict::decode::<OctetString>(value)?.into_bytes().into());
        }
        other => claims.other_extensions.push((other, extension.critical)),
    }
    Ok(())
}

/// These extensions hold at least one element or bit (RFC 5280 §4.2.1.3, §4.2.1.6, §4.2.1.12).
fn some<T>(value: T, empty: bool) -> Result<T, String> {
    if empty { Err("it is empty".into()) } else { Ok(value) }
}

fn extension_name(oid: ObjectIdentifier) -> String {
    match oid {
        rfc5280::ID_CE_BASIC_CONSTRAINTS => "basicConstraints".into(),
        rfc5280::ID_CE_KEY_USAGE => "keyUsage".into(),
        rfc5280::ID_CE_EXT_KEY_USAGE => "extKeyUsage".into(),
        rfc5280::ID_CE_SUBJECT_ALT_NAME => "subjectAltName".into(),
        rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier".into(),
        other => other.to_string(),
    }
}

/// Rule `csr.attribute`: each attribute stands once, with a value.
fn bad_attribute(oid: ObjectIdentifier) -> Finding {
    Finding::new(
        "csr.attribute",
        Outcome::Refused,
        "RFC 2986 §4.1",
        format!("the attribute {oid} stands twice or has no value; have the request made again"),
        oid.to_string(),
        "each attribute once, with a value",
    )
}

/// Rule `csr.challenge-password`: it is never used nor shown, but cannot be taken out again.
fn challenge_password() -> Finding {
    Finding::new(
        "csr.challenge-password",
        Outcome::Warning,
        "RFC 2985 §5.4.1",
        "the request carries a challenge password, readable by everyone who gets the request; \
         it is not used here, so have the sender use it nowhere else and leave it out next time",
        "challengePassword",
        "none",
    )
}

/// Rule `csr.extension-request`: the wishes stand in one place, in strict DER.
fn bad_extension_request(found: &str) -> Finding {
    Finding::new(
        "csr.extension-request",
        Outcome::Refused,
        "RFC 2985 §5.4.2",
        format!("the request's list of extensions cannot be relied on: {found}; have the request made again"),
        found,
        "one extensionRequest with one list of extensions, in DER",
    )
}

/// Rule `csr.extension-twice`: no extension is asked for twice.
fn extension_twice(oid: ObjectIdentifier) -> Finding {
    let name = extension_name(oid);
    Finding::new(
        "csr.extension-twice",
        Outcome::Refused,
        "RFC 5280 §4.2",
        format!("the extension {name} is asked for twice; have the request made again with one of them"),
        name,
        "each extension once",
    )
}

/// Rule `csr.extension`: what is asked for can be read.
fn bad_extension(oid: ObjectIdentifier, error: &str) -> Finding {
    let name = extension_name(oid);
    Finding::new(
        "csr.extension",
        Outcome::Refused,
        "RFC 5280 §4.2",
        format!(
            "the extension {name} that the request asks for cannot be read: {error}; have the request made again"
        ),
        format!("{name}: {error}"),
        "the extension's value in DER",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample::{self, attribute, extension, extension_request, tlv};
    use crate::intake::{Arrival, Request, pkcs10};
    use x509_cert::ext::pkix::name::GeneralName;

    fn request(attributes: &[Vec<u8>]) -> Request {
        let mut sorted = attributes.to_vec();
        sorted.sort();
        match pkcs10::read("a".into(), &sample::ed25519(&sorted)) {
            Arrival::Request(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    /// The rules that say anything but "in order".
    fn verdicts(request: &Request) -> Vec<(&'static str, Outcome)> {
        let open = request.findings.iter().filter(|f| f.outcome != Outcome::Pass);
        open.map(|f| (f.rule, f.outcome)).collect()
    }

    fn asking(oid: &str, value: &[u8]) -> Request {
        request(&[extension_request(&[extension(oid, false, value)])])
    }

    #[test]
    fn every_claim_is_read() {
        let request = request(&[sample::full_extension_request(), attribute("1.2.3.4", &[5, 0])]);
        assert_eq!(verdicts(&request), []);
        let claims = request.claims;
        assert_eq!(claims.basic_constraints, Some(BasicConstraintsClaim { ca: true, path_len: Some(1) }));
        let usage = claims.key_usage.unwrap();
        assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
        assert_eq!(claims.extended_key_usage, [rfc5280::ID_KP_SERVER_AUTH, rfc5280::ID_KP_CLIENT_AUTH]);
        let names = claims.subject_alt_name.unwrap();
        assert!(matches!(names.as_slice(), [GeneralName::DnsName(name)] if name.as_str() == "a.example"));
        assert_eq!(claims.subject_key_id, Some(vec![1, 2, 3]));
        assert_eq!(claims.other_extensions, [(rfc5280::ID_CE_NAME_CONSTRAINTS, true)]);
        assert_eq!(claims.other_attributes, [ObjectIdentifier::new_unwrap("1.2.3.4")]);
    }

    #[test]
    fn microsofts_attribute_is_read_as_the_standard_one() {
        let list = tlv(0x30, &[&extension("2.5.29.19", true, &[0x30, 3, 1, 1, 0xff])]);
        let asked = request(&[attribute("1.3.6.1.4.1.311.2.1.14", &list)]);
        assert!(asked.claims.basic_constraints.unwrap().ca);
        assert_eq!(verdicts(&asked), []);
        let both =
            request(&[attribute("1.3.6.1.4.1.311.2.1.14", &list), attribute("1.2.840.113549.1.9.14", &list)]);
        assert_eq!(verdicts(&both), [("csr.extension-request", Outcome::Refused)]);
    }

    #[test]
    fn a_challenge_password_is_warned_of_and_never_shown() {
        let request = request(&[
            attribute("1.2.840.113549.1.9.7", &tlv(12, &[b"hunter2"])),
            attribute("1.2.840.113549.1.9.2", &tlv(12, &[b"a note"])),
        ]);
        assert_eq!(verdicts(&request), [("csr.challenge-password", Outcome::Warning)]);
        assert!(request.claims.other_attributes.is_empty());
        assert!(!format!("{:?}", request.findings).contains("hunter2"));
    }

    #[test]
    fn attributes_stand_once_and_have_a_value() {
        let twice = request(&[attribute("1.2.3.4", &[5, 0]), attribute("1.2.3.4", &[1, 1, 0])]);
        assert_eq!(verdicts(&twice), [("csr.attribute", Outcome::Refused)]);
        let empty = request(&[attribute("1.2.3.4", &[])]);
        assert_eq!(verdicts(&empty), [("csr.attribute", Outcome::Refused)]);
    }

    #[test]
    fn wishes_stand_in_one_list() {
        let list = tlv(0x30, &[&extension("1.2.3", false, &[5, 0])]);
        let two_values = attribute("1.2.840.113549.1.9.14", &[list.clone(), list].concat());
        assert_eq!(verdicts(&request(&[two_values])), [("csr.extension-request", Outcome::Refused)]);
        let no_list = attribute("1.2.840.113549.1.9.14", &[5, 0]);
        assert_eq!(verdicts(&request(&[no_list])), [("csr.extension-request", Outcome::Refused)]);
        let explicit_false = [&[6, 2, 0x2a, 3][..], &[1, 1, 0], &[4, 2, 5, 0]].concat();
        let not_der = extension_request(&[tlv(0x30, &[&explicit_false])]);
        assert_eq!(verdicts(&request(&[not_der])), [("csr.extension-request", Outcome::Refused)]);
    }

    #[test]
    fn no_extension_is_asked_for_twice() {
        let twice =
            [extension("2.5.29.19", true, &[0x30, 0]), extension("2.5.29.19", true, &[0x30, 3, 1, 1, 0xff])];
        let request = request(&[extension_request(&twice)]);
        assert_eq!(verdicts(&request), [("csr.extension-twice", Outcome::Refused)]);
        assert!(!request.claims.basic_constraints.unwrap().ca, "the second one does not overwrite the first");
    }

    #[test]
    fn malformed_extensions_are_named() {
        let cases: [(&str, &str, &[u8]); 12] = [
            ("basicConstraints", "2.5.29.19", &[0x30, 3, 1, 1, 0]),
            ("basicConstraints", "2.5.29.19", &[0x30, 7, 1, 1, 0xff, 2, 2, 1, 0]),
            ("basicConstraints", "2.5.29.19", &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff]),
            ("basicConstraints", "2.5.29.19", &[]),
            ("keyUsage", "2.5.29.15", &[3, 2, 0, 6]),
            ("keyUsage", "2.5.29.15", &[3, 1, 0]),
            ("keyUsage", "2.5.29.15", &[3, 3, 6, 0, 0x40]),
            ("extKeyUsage", "2.5.29.37", &[0x30, 0]),
            ("subjectAltName", "2.5.29.17", &[0x30, 0]),
            ("subjectAltName", "2.5.29.17", &[0x30, 3, 0x82, 1, 0xff]),
            ("subjectKeyIdentifier", "2.5.29.14", &[4, 1]),
            ("subjectKeyIdentifier", "2.5.29.14", &[4, 1, 0, 0]),
        ];
        for (name, oid, value) in cases {
            let request = asking(oid, value);
            assert_eq!(verdicts(&request), [("csr.extension", Outcome::Refused)], "{name} {value:x?}");
            assert!(request.findings[0].message.contains(name));
        }
    }
}
