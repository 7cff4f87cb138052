//! A description shows every field, and never less than the bytes say.

use crate::lint::CertificateKind::{Intermediate, Journal, Root};
use crate::lint::asn1::write;
use crate::lint::fixtures::{AIA, BC, CP, CRLDP, EKU, KU, NC, Raw, SAN, key, name, public, time};
use crate::verify::{describe_certificate, describe_tbs};

fn raw() -> Raw {
    let root = Raw::new(Root, "O=Example,CN=Example Root", &key(), None);
    Raw::new(Intermediate, "O=Istio,L=east,CN=istiod", &key(), Some(&root))
}

/// The text of the extension of this name.
fn text(raw: &Raw, name: &str) -> String {
    let description = describe_tbs(&raw.der()).unwrap();
    description.extensions.into_iter().find(|e| e.name == name).unwrap().text
}

#[test]
fn every_field_is_shown() {
    let (root_key, own) = (key(), key());
    let root = Raw::new(Root, "O=Example,CN=Example Root", &root_key, None);
    let raw = Raw::new(Intermediate, "O=Istio,L=east,CN=istiod", &own, Some(&root));
    let shown = describe_tbs(&raw.der()).unwrap();
    assert_eq!(shown.issuer, "O=Example, CN=Example Root");
    assert_eq!(shown.subject, "O=Istio, L=east, CN=istiod");
    assert_eq!(write(0x02, shown.serial.as_bytes()), raw.serial);
    assert_eq!(shown.signature_algorithm, "ECDSA with SHA-256");
    assert_eq!(
        (shown.not_before, shown.not_after),
        (time("2025-01-01T00:00:00Z"), time("2035-01-01T00:00:00Z"))
    );
    assert_eq!((shown.key_algorithm.as_str(), shown.key_digest), ("p256", public(&own).digest()));
    let extensions: Vec<_> =
        shown.extensions.iter().map(|e| (e.name.as_str(), e.critical, e.text.clone())).collect();
    let id = |key| crate::text::hex(&public(key).key_id());
    assert_eq!(
        extensions,
        [
            ("basicConstraints", true, "CA:TRUE, pathLen:0".into()),
            ("keyUsage", true, "keyCertSign, cRLSign".into()),
            ("subjectKeyIdentifier", false, id(&own)),
            ("authorityKeyIdentifier", false, id(&root_key)),
        ]
    );
    assert_eq!(describe_certificate(&raw.sign(&root_key)), Ok(shown));
}

#[test]
fn extensions_are_shown_in_words() {
    let mut raw = raw();
    let uri = |uri: &[u8]| write(0x86, uri);
    raw.set(EKU, false, b"\x30\x0e\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x02\x2a\x03");
    raw.set(
        SAN,
        false,
        &write(0x30, &[write(0x82, b"a,DNS:b"), write(0x87, &[10, 0, 0, 1]), uri(b"spiffe://x")].concat()),
    );
    let subtree = |base: &[u8]| write(0x30, base);
    let permitted = write(0xa0, &subtree(&write(0x82, b"mesh.example")));
    let excluded = write(0xa1, &subtree(&write(0x87, &[10, 0, 0, 0, 255, 0, 0, 0])));
    raw.set(NC, true, &write(0x30, &[permitted, excluded].concat()));
    raw.set(CP, false, b"\x30\x06\x30\x04\x06\x02\x2a\x03");
    raw.set(
        CRLDP,
        false,
        &write(0x30, &write(0x30, &write(0xa0, &write(0xa0, &uri(b"http://crl.example/"))))),
    );
    let method = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02";
    raw.set(AIA, false, &write(0x30, &write(0x30, &[&method[..], &uri(b"http://ca.example/")].concat())));
    for (name, expected) in [
        ("extendedKeyUsage", "serverAuth, 1.2.3"),
        ("subjectAltName", "DNS:a\\,DNS:b, IP:10.0.0.1, URI:spiffe://x"),
        ("nameConstraints", "permitted DNS:mesh.example; excluded IP:10.0.0.0/255.0.0.0"),
        ("certificatePolicies", "1.2.3"),
        ("cRLDistributionPoints", "URI:http://crl.example/"),
        ("authorityInfoAccess", "caIssuers URI:http://ca.example/"),
    ] {
        assert_eq!(text(&raw, name), expected);
    }
    let journal = Raw::new(Journal, "CN=journal", &key(), Some(&raw));
    assert_eq!(text(&journal, "extendedKeyUsage"), "documentSigning");
    assert_eq!(text(&journal, "basicConstraints"), "CA:FALSE");
}

#[test]
fn what_has_no_words_is_shown_in_hexadecimal() {
    let mut raw = raw();
    raw.set(&[0x2a, 0x03, 0x04], true, &[5, 0]);
    raw.set(KU, true, b"\x03\x02\x00\x06");
    raw.set(BC, true, b"\x30\x06\x01\x01\xff\x02\x01\x00\x00");
    raw.signature = b"\x30\x04\x06\x02\x2a\x03".to_vec();
    raw.subject = name(&[(&[0x55, 0x04, 0x03], 0x02, &[7])]);
    let shown = describe_tbs(&raw.der()).unwrap();
    assert_eq!(text(&raw, "1.2.3.4"), "DER 0500");
    assert_eq!(text(&raw, "keyUsage"), "DER 03020006");
    assert_eq!(text(&raw, "basicConstraints"), "DER 30060101ff02010000");
    assert_eq!(shown.signature_algorithm, "DER 300406022a03");
    assert!(shown.subject.contains(&crate::text::hex(&raw.subject)), "{}", shown.subject);
}

#[test]
fn nothing_steers_a_terminal() {
    let mut raw = raw();
    raw.subject = name(&[(&[0x55, 0x04, 0x03], 0x0c, b"a\x1b[31m")]);
    raw.set(SAN, false, &write(0x30, &write(0x82, b"\x1b[2J")));
    let shown = describe_tbs(&raw.der()).unwrap();
    assert_eq!(shown.subject, "CN=a\\u{1b}[31m");
    assert_eq!(text(&raw, "subjectAltName"), "DNS:\\u{1b}[2J");
    assert!(!serde_json::to_string(&shown).unwrap().contains('\u{1b}'));
}

#[test]
fn what_has_no_place_in_a_description_is_an_error() {
    for bend in [
        |r: &mut Raw| r.version.clear(),
        |r: &mut Raw| r.version = b"\xa0\x05\x02\x01\x02\x05\x00".to_vec(),
        |r: &mut Raw| r.unique_ids = b"\x81\x02\x00\x01".to_vec(),
        |r: &mut Raw| r.serial = b"\x02\x01\x80".to_vec(),
        |r: &mut Raw| r.tail = vec![0xa4, 0],
    ] {
        let mut raw = raw();
        assert!(describe_tbs(&raw.der()).is_ok());
        bend(&mut raw);
        assert_eq!(describe_tbs(&raw.der()).unwrap_err().id, "verify.describe");
    }
}
