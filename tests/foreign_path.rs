//! Chains of ours are accepted by verifiers of others: OpenSSL and GnuTLS.

use std::path::Path;

use anchorite::lint::{CertificateKind, lint};
use anchorite::verify::{describe_certificate, validate_path, verify};
use anchorite::x509::certificate::extension;
use anchorite::x509::{CertificateSpec, Issuer, Name, PublicKey, Serial, SignatureAlgorithm, Time, pem};
use const_oid::db::rfc5280;
use der::asn1::OctetString;
use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize, SigningKey as _};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};

use crate::support::run;

const NOW: &str = "2030-01-01T00:00:00Z";

fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

fn key_id(id: &[u8]) -> OctetString {
    OctetString::new(id).unwrap()
}

/// A CA of ours: planned, linted, signed, verified.
fn ca(
    name: &str,
    key: &KeyPair,
    path_len: Option<u8>,
    above: Option<(&Issuer, &KeyPair)>,
) -> (Vec<u8>, Issuer) {
    let public_key = PublicKey::from_der(&key.subject_public_key_info()).unwrap();
    let subject = Name::parse(name).unwrap();
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let mut extensions = vec![
        extension(
            rfc5280::ID_CE_BASIC_CONSTRAINTS,
            true,
            &BasicConstraints { ca: true, path_len_constraint: path_len },
        ),
        extension(rfc5280::ID_CE_KEY_USAGE, true, &usage),
        extension(
            rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
            false,
            &SubjectKeyIdentifier(key_id(&public_key.key_id())),
        ),
    ];
    if let Some((issuer, _)) = above {
        let authority = AuthorityKeyIdentifier {
            key_identifier: Some(key_id(&issuer.key_id)),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        };
        extensions.push(extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority));
    }
    let tbs = CertificateSpec {
        serial: Serial::from_entropy(&[1; 32], public_key.as_der()),
        signature: above
            .map_or(SignatureAlgorithm::of_issuer(public_key.algorithm()).unwrap(), |(i, _)| i.signature),
        issuer: above.map_or(subject.clone(), |(i, _)| i.subject.clone()),
        not_before: time("2024-01-01T00:00:00Z"),
        // Beyond 2049: both kinds of time are seen by the others.
        not_after: time("2051-01-01T00:00:00Z"),
        subject,
        public_key,
        extensions: extensions.into_iter().map(Result::unwrap).collect(),
    }
    .to_tbs()
    .unwrap();
    let kind = if above.is_some() { CertificateKind::Intermediate } else { CertificateKind::Root };
    let linted = lint(tbs, kind, above.map(|(issuer, _)| issuer)).unwrap();
    let signer = above.map_or(key, |(_, key)| key);
    let der = linted.get().assemble(&signer.sign(linted.get().as_der()).unwrap()).unwrap();
    let itself = Issuer::from_der(&der).unwrap();
    // Beneath an intermediate there is no root to verify against in one step.
    if above.is_none_or(|(issuer, _)| issuer.path_len.is_none()) {
        let issuer = above.map_or(&itself, |(issuer, _)| issuer);
        verify(linted.get(), &der, kind, issuer, time(NOW)).unwrap();
    }
    (der, itself)
}

fn write(dir: &Path, name: &str, der: &[u8]) {
    std::fs::write(dir.join(name), pem::certificate(der)).unwrap();
}

/// What OpenSSL and GnuTLS say of last.pem beneath middle.pem and root.pem.
fn others_accept(dir: &Path) {
    let at = time(NOW).unix().to_string();
    let openssl = ["verify", "-x509_strict", "-check_ss_sig", "-attime", &at, "-CAfile", "root.pem"];
    let accepted = run(dir, "openssl", &[&openssl[..], &["-untrusted", "middle.pem", "last.pem"]].concat());
    assert!(String::from_utf8_lossy(&accepted.stdout).contains("last.pem: OK"));
    let chain = ["last.pem", "middle.pem"].map(|f| std::fs::read_to_string(dir.join(f)).unwrap()).concat();
    std::fs::write(dir.join("chain.pem"), chain).unwrap();
    // GnuTLS judges at today's time.
    let accepted =
        run(dir, "certtool", &["--verify", "--load-ca-certificate", "root.pem", "--infile", "chain.pem"]);
    assert!(String::from_utf8_lossy(&accepted.stdout).contains("The certificate is trusted"));
}

#[test]
fn our_chains_are_accepted_by_openssl_and_gnutls() {
    let keys = [
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
        KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072).unwrap(),
    ];
    for root_key in &keys {
        let dir = tempfile::tempdir().unwrap();
        let (root, issuer) = ca("O=Example,CN=Example Root G1", root_key, None, None);
        for middle_key in keys.iter().filter(|k| k.der_bytes() != root_key.der_bytes()).take(2) {
            let last_key = KeyPair::generate().unwrap();
            let (middle, region) = ca("O=Example,CN=region", middle_key, Some(1), Some((&issuer, root_key)));
            let (last, _) = ca("O=Istio,L=east,CN=istiod", &last_key, Some(0), Some((&region, middle_key)));
            assert_eq!(validate_path(&[&last, &middle], &root, time(NOW)), Ok(()));
            write(dir.path(), "root.pem", &root);
            write(dir.path(), "middle.pem", &middle);
            write(dir.path(), "last.pem", &last);
            others_accept(dir.path());
        }
    }
}

#[test]
fn openssl_reads_what_is_described() {
    let key = KeyPair::generate().unwrap();
    let (root, _) = ca("O=Example,CN=Example Root G1", &key, None, None);
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "root.pem", &root);
    let arguments =
        ["x509", "-in", "root.pem", "-noout", "-serial", "-subject", "-dates", "-dateopt", "iso_8601"];
    let output = run(dir.path(), "openssl", &arguments);
    let said = String::from_utf8_lossy(&output.stdout).to_string();
    let ours = describe_certificate(&root).unwrap();
    let not_after = ours.not_after.to_string().replace('T', " ");
    assert!(said.contains(&format!("serial={}", ours.serial.to_string().to_uppercase())), "{said}");
    assert!(said.contains("O = Example, CN = Example Root G1"), "{said}");
    assert!(said.contains(&format!("notAfter={not_after}")), "{said}");
}
