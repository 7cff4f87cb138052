//! PKCS#10 (RFC 2986), strictly: version 0, DER, nothing behind it.

use const_oid::ObjectIdentifier;
use der::Encode as _;
use der::asn1::Any;
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::request::CertReq;

use super::sniff::{self, Kind};
use super::{Arrival, Request, claims, keycheck, possession, strict};
use crate::finding::{Finding, Outcome};
use crate::x509::{Digest, Name, PublicKey};

/// Longer than any request of an intermediate (an RSA-8192 key and a hundred names
/// take under 8 KiB); it bounds what one request can put into a review.
const MAX_LENGTH: usize = 64 * 1024;

/// Reads what should be one request's DER.
pub fn read(file: String, der: &[u8]) -> Arrival {
    match parse(&file, der) {
        Ok(request) => Arrival::Request(Box::new(request)),
        Err(finding) => Arrival::Unusable { file, digest: Digest::of(der), finding: *finding },
    }
}

fn parse(file: &str, der: &[u8]) -> Result<Request, Box<Finding>> {
    if der.len() > MAX_LENGTH {
        return Err(Box::new(too_long(der.len())));
    }
    let csr: CertReq = strict::decode(der).map_err(|e| Box::new(malformed(der, &e)))?;
    let encoding = |e: der::Error| Box::new(malformed(der, &e.to_string()));
    if let Some(finding) = unsupported_key(&csr.info.public_key) {
        return Err(Box::new(finding));
    }
    let key = PublicKey::from_der(&csr.info.public_key.to_der().map_err(encoding)?)
        .map_err(|e| Box::new(malformed_key(&e.message)))?;
    let subject = csr.info.subject.to_der().and_then(|der| Name::from_der(&der)).map_err(encoding)?;
    let signed = csr.info.to_der().map_err(encoding)?;

    let (claims, mut findings) = claims::read(&csr.info.attributes);
    findings.extend(keycheck::check(&key));
    findings.extend(possession::check(&key, &csr.algorithm, &signed, csr.signature.as_bytes()));
    Ok(Request {
        file: file.into(),
        der: der.to_vec(),
        digest: Digest::of(der),
        subject,
        key,
        claims,
        crl: None,
        object: None,
        sender: None,
        signed: None,
        findings,
    })
}

/// Rule `csr.size`.
fn too_long(length: usize) -> Finding {
    Finding::new(
        "csr.size",
        Outcome::Refused,
        "",
        format!(
            "the request is {length} bytes long, more than {MAX_LENGTH}; ask its sender for one without ballast"
        ),
        format!("{length} bytes"),
        format!("at most {MAX_LENGTH} bytes"),
    )
}

/// Rule `csr.der`, or `csr.kind` where it is something else altogether.
fn malformed(der: &[u8], error: &str) -> Finding {
    let kind = sniff::kind(der);
    if !matches!(kind, Kind::Request | Kind::Unknown) {
        return super::not_a_request(kind.describe().into());
    }
    Finding::new(
        "csr.der",
        Outcome::Refused,
        "RFC 2986 §4.2",
        format!("this is no certification request in strict DER: {error}; have its sender make it again"),
        error,
        "a CertificationRequest of version 0 in DER, with nothing behind it",
    )
}

/// Rule `key.encoding`.
fn malformed_key(error: &str) -> Finding {
    Finding::new(
        "key.encoding",
        Outcome::Refused,
        "RFC 5280 §4.1.2.7",
        format!("the key cannot be read: {error}; have the sender make a new key and request"),
        error,
        "a SubjectPublicKeyInfo in DER",
    )
}

/// Key algorithms that are met in practice and not accepted.
const OTHER_ALGORITHMS: [(&str, &str); 12] = [
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.113549.1.1.10", "RSA restricted to PSS (id-RSASSA-PSS)"),
    ("1.2.840.113549.1.3.1", "Diffie-Hellman"),
    ("1.3.132.1.12", "ECDH only"),
    ("1.3.101.110", "X25519, which cannot sign"),
    ("1.3.101.111", "X448, which cannot sign"),
    ("1.3.101.113", "Ed448"),
    ("1.2.643.7.1.1.1.1", "GOST R 34.10-2012"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44, of security category 2 alone, where a CA's key wants 3 or 5"),
    ("2.16.840.1.101.3.4.3.32", "HashML-DSA-44"),
    ("2.16.840.1.101.3.4.3.33", "HashML-DSA-65"),
    ("2.16.840.1.101.3.4.3.34", "HashML-DSA-87"),
];

/// Curves that are met in practice and not accepted.
const OTHER_CURVES: [(&str, &str); 7] = [
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.132.0.33", "P-224"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    ("1.2.156.10197.1.301", "SM2"),
];

fn name_of(oid: ObjectIdentifier, known: &[(&str, &str)]) -> String {
    let dotted = oid.to_string();
    known.iter().find(|(o, _)| *o == dotted).map_or(dotted, |(_, name)| (*name).into())
}

fn unsupported_key(key: &SubjectPublicKeyInfoOwned) -> Option<Finding> {
    use const_oid::db::{fips204, rfc5912, rfc8410};
    match key.algorithm.oid {
        rfc5912::RSA_ENCRYPTION | rfc8410::ID_ED_25519 => None,
        fips204::ID_ML_DSA_65 | fips204::ID_ML_DSA_87 => None,
        rfc5912::ID_EC_PUBLIC_KEY => unsupported_curve(key.algorithm.parameters.as_ref()),
        other => Some(other_algorithm(&name_of(other, &OTHER_ALGORITHMS))),
    }
}

/// Rule `key.unsupported`.
fn other_algorithm(found: &str) -> Finding {
    let wanted =
        "RSA (rsaEncryption), P-256, P-384, Ed25519, ML-DSA-65 or ML-DSA-87, whichever the policy lists";
    Finding::new(
        "key.unsupported",
        Outcome::Refused,
        "RFC 5280 §4.1.2.7",
        format!("the key's algorithm is {found}; have the sender make a key of {wanted}"),
        found,
        wanted,
    )
}

/// Rule `key.curve`.
fn unsupported_curve(parameters: Option<&Any>) -> Option<Finding> {
    use const_oid::db::rfc5912::{SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
    let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
    let found = match curve {
        Some(SECP_256_R_1 | SECP_384_R_1 | SECP_521_R_1) => return None,
        Some(other) => name_of(other, &OTHER_CURVES),
        None => "described by explicit parameters, or not at all".into(),
    };
    Some(Finding::new(
        "key.curve",
        Outcome::Refused,
        "RFC 5480 §2.1.1",
        format!("the key's curve is {found}; have the sender make a key on the named curve P-256 or P-384"),
        found,
        "P-256 or P-384, by name",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample::{self, algorithm, attribute, spki, tlv};

    fn finding(der: &[u8]) -> Finding {
        match read("a".into(), der) {
            Arrival::Unusable { finding, .. } => finding,
            other => panic!("{other:?}"),
        }
    }

    fn with_key(spki: &[u8]) -> Vec<u8> {
        sample::ed25519_info(&sample::info(spki, &[]))
    }

    #[test]
    fn a_request_keeps_its_bytes() {
        let der = sample::p256();
        let Arrival::Request(request) = read("dir/a.csr".into(), &der) else { panic!() };
        assert_eq!((request.file.as_str(), &request.der), ("dir/a.csr", &der));
        assert_eq!(request.digest, Digest::of(&der));
        assert_eq!(request.subject.to_string(), "CN=a");
        assert_eq!(request.key.key_bits(), sample::p256_point());
        assert!(request.findings.iter().all(|f| f.outcome == Outcome::Pass), "{:?}", request.findings);
    }

    #[test]
    fn only_strict_der_of_version_0_is_read() {
        let good = sample::ed25519(&[]);
        let info = sample::info(&sample::ed25519_spki(&sample::ed25519_key()), &[]);
        let contents = &info[2..];
        let version_1 = tlv(0x30, &[&[2, 1, 1], &contents[3..]]);
        let no_attributes = tlv(0x30, &[&contents[..contents.len() - 2]]);
        let unsorted = [attribute("1.2.3.5", &[5, 0]), attribute("1.2.3.4", &[5, 0])];
        let cases = [
            ("trailing byte", [&good[..], &[0]].concat()),
            ("trailing newline", [&good[..], b"\n"].concat()),
            ("cut off", good[..good.len() - 1].to_vec()),
            ("nothing", Vec::new()),
            ("version 1", sample::ed25519_info(&version_1)),
            ("no attributes field", sample::ed25519_info(&no_attributes)),
            ("attributes out of order", sample::ed25519(&unsorted)),
            ("a long length where a short one does", [&[0x30, 0x82, 0, good[2]], &good[3..]].concat()),
        ];
        for (what, der) in cases {
            assert_eq!(finding(&der).rule, "csr.der", "{what}");
        }
    }

    #[test]
    fn requests_are_short() {
        let ballast = |length| sample::ed25519(&[attribute("1.2.3.4", &tlv(4, &[&vec![0; length]]))]);
        assert!(matches!(read("a".into(), &ballast(65_000)), Arrival::Request(_)));
        assert_eq!(finding(&ballast(65_536)).rule, "csr.size");
    }

    #[test]
    fn other_objects_are_named() {
        let certificate = tlv(0x30, &[&tlv(0x30, &[&tlv(0xa0, &[&[2, 1, 2]])])]);
        let finding = finding(&certificate);
        assert_eq!((finding.rule, finding.found.as_str()), ("csr.kind", "a certificate"));
    }

    #[test]
    fn other_key_algorithms_are_named() {
        for (oid, name) in OTHER_ALGORITHMS {
            let finding = finding(&with_key(&spki(&algorithm(oid, &[]), &[1])));
            assert_eq!((finding.rule, finding.found.as_str()), ("key.unsupported", name));
        }
        assert_eq!(finding(&with_key(&spki(&algorithm("1.2.3", &[]), &[1]))).found, "1.2.3");
    }

    #[test]
    fn other_curves_are_named() {
        let ec = |parameters: &[u8]| with_key(&spki(&algorithm("1.2.840.10045.2.1", parameters), &[4]));
        for (oid, name) in OTHER_CURVES {
            let oid = tlv(6, &[ObjectIdentifier::new_unwrap(oid).as_bytes()]);
            let finding = finding(&ec(&oid));
            assert_eq!((finding.rule, finding.found.as_str()), ("key.curve", name));
        }
        for parameters in [&[][..], &[5, 0], &[0x30, 3, 2, 1, 1]] {
            assert!(finding(&ec(parameters)).found.contains("explicit"), "{parameters:x?}");
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        let rsa = |key: &[u8], parameters: &[u8]| spki(&algorithm("1.2.840.113549.1.1.1", parameters), key);
        let number = |bytes: &[u8]| tlv(0x30, &[&tlv(2, &[bytes]), &tlv(2, &[&[1, 0, 1]])]);
        for (what, key) in [
            ("no RSAPublicKey", rsa(&[1, 2, 3], &[5, 0])),
            ("no NULL", rsa(&number(&[5]), &[])),
            ("a negative modulus", rsa(&number(&[0x85]), &[5, 0])),
            ("a padded modulus", rsa(&number(&[0, 5]), &[5, 0])),
            ("trailing bytes", rsa(&[number(&[5]), vec![0]].concat(), &[5, 0])),
            ("a short Ed25519 key", sample::ed25519_spki(&[1; 31])),
            ("Ed25519 with parameters", spki(&algorithm("1.3.101.112", &[5, 0]), &[1; 32])),
        ] {
            assert_eq!(finding(&with_key(&key)).rule, "key.encoding", "{what}");
        }
    }

    #[test]
    fn a_key_that_is_no_key_at_all_is_judged_without_panic() {
        let zero = tlv(0x30, &[&[2, 1, 0], &[2, 1, 0]]);
        let der = with_key(&spki(&algorithm("1.2.840.113549.1.1.1", &[5, 0]), &zero));
        let Arrival::Request(request) = read("a".into(), &der) else { panic!() };
        assert!(request.findings.iter().any(Finding::refuses));
    }
}
