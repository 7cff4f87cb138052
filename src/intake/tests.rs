//! Whole files: what is recognised, and that no bytes whatever do harm.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::x509::pem as write;

fn csr_pem() -> String {
    write::encode("CERTIFICATE REQUEST", &sample::ed25519(&[]))
}

/// `request`, `nothing` or the rule that found it unusable; with the file's name.
fn outcomes(bytes: &[u8]) -> Vec<(String, String)> {
    read("f", bytes)
        .into_iter()
        .map(|arrival| match arrival {
            Arrival::Request(r) => (r.file, "request".into()),
            Arrival::Unusable { file, finding, .. } => {
                assert!(finding.refuses());
                (file, finding.rule.into())
            }
            Arrival::Crl(crl) => (crl.file, "crl".into()),
            Arrival::Nothing { file } => (file, "nothing".into()),
        })
        .collect()
}

#[track_caller]
fn one(bytes: &[u8], wanted: &str) {
    assert_eq!(outcomes(bytes), [("f".into(), wanted.into())]);
}

#[test]
fn requests_are_recognised_by_content() {
    let der = sample::ed25519(&[]);
    one(&der, "request");
    one(csr_pem().as_bytes(), "request");
    one(csr_pem().replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST").as_bytes(), "request");
    one(format!("\u{feff}Data:\r\n{}", csr_pem().replace('\n', "\r\n")).as_bytes(), "request");
}

#[test]
fn several_in_one_file_are_numbered() {
    let certificate = write::encode("CERTIFICATE", &[0x30, 0]);
    let text = csr_pem() + &certificate + &csr_pem();
    let wanted = [("f#1", "request"), ("f#2", "csr.kind"), ("f#3", "request")];
    assert_eq!(outcomes(text.as_bytes()), wanted.map(|(f, o)| (f.into(), o.into())));
}

#[test]
fn what_is_no_request_is_passed_over_or_named() {
    for nothing in ["", "\n", "hello\n", "0 files\n", "a,b\n0,1\n"] {
        one(nothing.as_bytes(), "nothing");
    }
    one(write::encode("SSH SIGNATURE", &[1]).as_bytes(), "nothing");
    one(&[0xff; 100], "nothing");
    for (label, what) in [
        ("CERTIFICATE", "a certificate"),
        ("PKCS7", "a PKCS#7 or CMS message"),
        ("PUBLIC KEY", "a bare public key"),
        ("EC PRIVATE KEY", "a private key"),
        ("EC PARAMETERS", "key parameters"),
        ("A\u{1b}[31m", "a PEM block labelled 'A\\u{1b}[31m'"),
    ] {
        let text = write::encode(label, &[0x30, 0]);
        let arrivals = read("f", text.as_bytes());
        let [Arrival::Unusable { finding, .. }] = arrivals.as_slice() else { panic!("{arrivals:?}") };
        assert_eq!((finding.rule, finding.found.as_str()), ("csr.kind", what));
    }
    one(b"-----BEGIN CERTIFICATE-----\n", "csr.kind");
    one(b"\x30\x06\x30\x04\x30\x02\x06\x00", "crl.der");
    one(write::encode("X509 CRL", &[0x30, 0]).as_bytes(), "crl.der");
    one(write::encode("CERTIFICATE REQUEST", b"\x30\x06\x30\x04\x30\x02\x06\x00").as_bytes(), "csr.kind");
}

#[test]
fn damage_and_wrong_encodings_are_named() {
    one(csr_pem().replace("-----END", "----END").as_bytes(), "csr.pem");
    one(csr_pem().replace("REQUEST-----\nM", "REQUEST-----\n*").as_bytes(), "csr.pem");
    one(write::encode("CERTIFICATE REQUEST", &sample::ed25519(&[])[..50]).as_bytes(), "csr.der");
    one(&[&sample::ed25519(&[])[..], b"\r\n"].concat(), "csr.der");
    one(b"\x30\x80\x30\x80\x02\x01\x00", "csr.der");
    one(b"\x30\x06\x02\x01\x09\x02\x01\x09", "csr.der");
    for (mark, order) in
        [("\u{feff}", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("\u{feff}", u16::to_be_bytes)]
    {
        let utf16: Vec<u8> = format!("{mark}{}", csr_pem()).encode_utf16().flat_map(order).collect();
        one(&utf16, "csr.encoding");
        let other: Vec<u8> = format!("{mark}hello").encode_utf16().flat_map(order).collect();
        one(&other, "nothing");
    }
}

#[test]
fn a_flood_of_blocks_is_one_refusal() {
    one("-----BEGIN CERTIFICATE REQUEST-----\n".repeat(1001).as_bytes(), "csr.count");
}

fn is_clean(arrival: &Arrival) -> Option<&Request> {
    match arrival {
        Arrival::Request(r) if !r.findings.iter().any(Finding::refuses) => Some(r),
        _ => None,
    }
}

/// The signature covers what it signs, strictness everything else.
#[test]
fn no_changed_byte_leaves_a_clean_request() {
    let rsa = sample::rsa(
        &aws_lc_rs::signature::RSA_PSS_SHA256,
        &sample::algorithm("1.2.840.113549.1.1.10", &sample::pss(1, 1, 32)),
    );
    // The checks of an RSA key take long without optimisation: fewer changes there.
    for (der, masks) in [
        (sample::ed25519(&[sample::full_extension_request()]), &[1, 2, 4, 8, 16, 32, 64, 128, 255][..]),
        (sample::p256(), &[1, 2, 4, 8, 16, 32, 64, 128, 255]),
        (rsa, &[1]),
    ] {
        assert!(read("f", &der).iter().any(|a| is_clean(a).is_some()));
        for at in 0..der.len() {
            for mask in masks {
                let mut changed = der.clone();
                changed[at] ^= mask;
                let arrivals = read("f", &changed);
                assert!(arrivals.iter().all(|a| is_clean(a).is_none()), "byte {at} ^ {mask:#x}");
            }
        }
    }
}

/// A changed space or preamble is no change of the request; anything else is seen.
#[test]
fn no_changed_character_of_pem_leaves_another_clean_request() {
    let (der, pem) = (sample::ed25519(&[]), csr_pem());
    for at in 0..pem.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut changed = pem.clone().into_bytes();
            changed[at] ^= mask;
            for arrival in read("f", &changed) {
                assert!(is_clean(&arrival).is_none_or(|r| r.der == der), "character {at} ^ {mask:#x}");
            }
        }
    }
}

#[test]
fn no_truncation_leaves_a_clean_request_or_a_panic() {
    for whole in [sample::p256(), sample::ed25519(&[sample::full_extension_request()])] {
        for length in 0..whole.len() {
            assert!(read("f", &whole[..length]).iter().all(|a| is_clean(a).is_none()));
            find_private_key(&whole[..length]);
        }
    }
    let pem = csr_pem();
    // Without its last newline it is whole.
    for length in 0..pem.len() - 1 {
        assert!(read("f", &pem.as_bytes()[..length]).iter().all(|a| is_clean(a).is_none()));
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read("f", &bytes);
        find_private_key(&bytes);
    }

    #[test]
    fn no_asn1_panics(bytes in asn1(4)) {
        read("f", &bytes);
        find_private_key(&bytes);
    }

    #[test]
    fn no_spliced_request_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut der = sample::ed25519(&[sample::full_extension_request()]);
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        read("f", &der);
        find_private_key(&der);
    }

    #[test]
    fn no_text_panics(text in "(-----BEGIN |-----END |PRIVATE KEY|CERTIFICATE REQUEST|-----|LS0tLS1CRUdJTi|[ -~]|\r|\n|MA==){0,60}") {
        read("f", text.as_bytes());
        find_private_key(text.as_bytes());
    }
}

/// Nested elements with the tags that requests have.
fn asn1(depth: u32) -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(vec![1u8, 2, 3, 4, 5, 6, 12, 0x30, 0x31, 0xa0, 0xa1]);
    let leaf = (tag, prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(t, v)| sample::tlv(t, &[&v]));
    leaf.prop_recursive(depth, 64, 5, |inner| {
        let tag = prop::sample::select(vec![0x30u8, 0x31, 0xa0]);
        (tag, prop::collection::vec(inner, 0..5)).prop_map(|(t, v)| sample::tlv(t, &[&v.concat()]))
    })
}

#[test]
fn the_list_of_rules_is_complete() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("pkcs10.rs"),
        include_str!("claims.rs"),
        include_str!("keycheck.rs"),
        include_str!("rsa.rs"),
        include_str!("possession.rs"),
        include_str!("crl.rs"),
        include_str!("crl/pair.rs"),
        include_str!("object.rs"),
        include_str!("object/approval.rs"),
        include_str!("object/content.rs"),
        include_str!("object/fields.rs"),
        include_str!("sender.rs"),
        include_str!("../document.rs"),
    ];
    let used: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.split('"'))
        .filter(|s| {
            let houses = ["crl.", "csr.", "document.", "key.", "object.", "possession.", "sender."];
            houses.iter().any(|prefix| s.starts_with(prefix))
        })
        .collect();
    assert_eq!(used, RULES.iter().copied().collect());
    assert!(RULES.is_sorted());
}
