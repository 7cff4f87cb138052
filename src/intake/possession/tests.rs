//! Each scheme accepted once, and each way to be refused.

use super::super::{Arrival, pkcs10, sample};
use super::*;

fn judge(der: &[u8]) -> Vec<(&'static str, Outcome, String)> {
    match pkcs10::read("a".into(), der) {
        Arrival::Request(r) => {
            let of_possession = r.findings.into_iter().filter(|f| f.rule.starts_with("possession."));
            of_possession.map(|f| (f.rule, f.outcome, f.message)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn proved(der: &[u8]) -> bool {
    let verdicts = judge(der);
    verdicts.iter().map(|v| v.0).eq(["possession.algorithm", "possession.signature"])
        && verdicts.iter().all(|v| v.1 == Outcome::Pass)
}

#[track_caller]
fn refused(der: &[u8], rule: &str, saying: &[&str]) {
    let verdicts = judge(der);
    let (_, _, message) = verdicts.iter().find(|v| v.0 == rule && v.1 == Outcome::Refused).expect(rule);
    for part in saying {
        assert!(message.contains(part), "{message}");
    }
}

const PKCS1_SHA256: &str = "1.2.840.113549.1.1.11";
const PSS: &str = "1.2.840.113549.1.1.10";

fn rsa(padding: &'static dyn signature::RsaEncoding, oid: &str, parameters: &[u8]) -> Vec<u8> {
    sample::rsa(padding, &sample::algorithm(oid, parameters))
}

#[test]
fn rsa_pkcs1_is_proved_with_null_or_no_parameters() {
    assert!(proved(&rsa(&signature::RSA_PKCS1_SHA256, PKCS1_SHA256, &[5, 0])));
    assert!(proved(&rsa(&signature::RSA_PKCS1_SHA256, PKCS1_SHA256, &[])));
    assert!(proved(&rsa(&signature::RSA_PKCS1_SHA384, "1.2.840.113549.1.1.12", &[5, 0])));
    assert!(proved(&rsa(&signature::RSA_PKCS1_SHA512, "1.2.840.113549.1.1.13", &[5, 0])));
    let other = rsa(&signature::RSA_PKCS1_SHA256, PKCS1_SHA256, &[0x30, 0]);
    refused(&other, "possession.algorithm", &["sha256WithRSAEncryption", "parameters"]);
    let hash = rsa(&signature::RSA_PKCS1_SHA384, PKCS1_SHA256, &[5, 0]);
    refused(&hash, "possession.signature", &["does not verify"]);
}

#[test]
fn rsa_pss_is_proved_with_exact_parameters() {
    let der = rsa(&signature::RSA_PSS_SHA256, PSS, &sample::pss(1, 1, 32));
    assert!(proved(&der));
    assert!(judge(&der)[0].2.contains("RSASSA-PSS with SHA-256"));
    assert!(proved(&rsa(&signature::RSA_PSS_SHA384, PSS, &sample::pss(2, 2, 48))));
    assert!(proved(&rsa(&signature::RSA_PSS_SHA512, PSS, &sample::pss(3, 3, 64))));
    let salt = rsa(&signature::RSA_PSS_SHA256, PSS, &sample::pss(1, 1, 20));
    refused(&salt, "possession.algorithm", &["RSASSA-PSS", "salt of 20 bytes"]);
    let pkcs1 = rsa(&signature::RSA_PKCS1_SHA256, PSS, &sample::pss(1, 1, 32));
    refused(&pkcs1, "possession.signature", &["does not verify"]);
}

#[test]
fn ecdsa_and_ed25519_are_proved() {
    assert!(proved(&sample::p256()));
    assert!(proved(&sample::ed25519(&[])));
}

fn ed25519_signed_as(oid: &str, parameters: &[u8]) -> Vec<u8> {
    let info = sample::info(&sample::ed25519_spki(&sample::ed25519_key()), &[]);
    sample::request(&info, &sample::algorithm(oid, parameters), &[0; 64])
}

#[test]
fn algorithms_that_do_not_fit_are_named_with_the_key() {
    let cases = [
        ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
        ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
        ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption"),
        ("1.2.840.10040.4.3", "dsa-with-SHA1"),
        ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
        ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256"),
        (PKCS1_SHA256, "sha256WithRSAEncryption"),
        (PSS, "RSASSA-PSS"),
        ("1.3.101.113", "Ed448"),
        ("1.2.3.4", "1.2.3.4"),
    ];
    for (oid, name) in cases {
        refused(&ed25519_signed_as(oid, &[]), "possession.algorithm", &[name, "ed25519"]);
    }
    refused(&ed25519_signed_as("1.3.101.112", &[5, 0]), "possession.algorithm", &["parameters"]);
    refused(&ed25519_signed_as("1.3.101.112", &[]), "possession.signature", &["does not verify"]);
}

/// Under the neutral element as key, R = neutral element and S = 0 verify for any message.
#[test]
fn a_proof_without_a_private_key_is_stopped_by_the_key_check() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let info = sample::info(&sample::ed25519_spki(&neutral), &[]);
    let signature = [neutral, [0; 32]].concat();
    let der = sample::request(&info, &sample::algorithm("1.3.101.112", &[]), &signature);
    assert!(proved(&der));
    let Arrival::Request(request) = pkcs10::read("a".into(), &der) else { panic!() };
    assert!(request.findings.iter().any(|f| f.rule == "key.ed25519-order" && f.refuses()));
}

#[test]
fn every_curve_verifies_with_every_hash() {
    for key in [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::P521] {
        for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            assert!(verifier(key, Chosen::Ecdsa(hash)).is_some());
        }
    }
}

#[test]
fn keys_outside_the_verifiers_bounds_cannot_be_proved() {
    assert!(verifier(KeyAlgorithm::Rsa(1024), Chosen::RsaPkcs1(Hash::Sha256)).is_some());
    for (key, scheme) in [
        (KeyAlgorithm::Rsa(512), Chosen::RsaPkcs1(Hash::Sha256)),
        (KeyAlgorithm::Rsa(1024), Chosen::RsaPkcs1(Hash::Sha384)),
        (KeyAlgorithm::Rsa(1024), Chosen::RsaPss(Hash::Sha256)),
        (KeyAlgorithm::Rsa(8193), Chosen::RsaPkcs1(Hash::Sha256)),
    ] {
        assert!(verifier(key, scheme).is_none(), "{key}");
    }
    assert!(proof("x", None).refuses());
}
