//! What is no request, though it stands where one belongs.

use super::csr::*;
use super::{Fate, Vectors};

pub fn vectors(all: &mut Vectors) {
    kinds(all);
    labels(all);
    passed_over(all);
}

/// Only as much of each as its first bytes say what it is.
fn kinds(all: &mut Vectors) {
    let algorithm = algorithm("1.2.840.113549.1.1.11", NULL);
    let name = name(&[ava(CN, UTF8, b"x")]);
    let time = tlv(23, &[b"261122100000Z"]);
    let validity = seq(&[&time, &time]);
    let signature = bits(&[7; 256]);
    let signed = |tbs: &[&[u8]]| seq(&[&seq(tbs), &algorithm, &signature]);
    let message = |kind: &str| seq(&[&oid(kind), &tlv(0xa0, &[&seq(&[&[2, 1, 1]])])]);
    let certificate = signed(&[&tlv(0xa0, &[&[2, 1, 2]]), &[2, 1, 9], &algorithm, &name, &validity, &name]);
    let old = signed(&[&[2, 1, 9], &algorithm, &name, &validity, &name]);
    let crl = signed(&[&[2, 1, 1], &algorithm, &name, &time, &time]);
    let crl_1 = signed(&[&algorithm, &name, &time]);
    let public = ec_spki(P256, &Key::p256().public());
    let template = seq(&[&tlv(0xa5, &[&name])]);
    let crmf = seq(&[&seq(&[&seq(&[&[2, 1, 0], &template])])]);
    for (what, bytes, word) in [
        ("a certificate", certificate, "a certificate, where"),
        ("a certificate of version 1", old, "a certificate, where"),
        ("a PKCS#7 message", message("1.2.840.113549.1.7.2"), "a PKCS#7 or CMS message"),
        ("a public key", public, "a bare public key"),
        ("a CRMF request", crmf, "a CRMF request"),
    ] {
        all.file(Fate::Refused, &format!("{what} in DER"), "csr.kind", word, bytes);
    }
    for (what, bytes) in [("a revocation list", crl), ("a revocation list of version 1", crl_1)] {
        let word = "is a CRL of CN=x, which belongs to no request and no certificate here";
        all.file(Fate::Passed, &format!("{what} in DER"), "media.crl-alone", word, bytes);
    }
    all.file(Fate::Refused, "a sequence of nothing known", "csr.der", "DER", seq(&[&[2, 1, 9, 2, 1, 9]]));
}

fn labels(all: &mut Vectors) {
    for (label, word) in [
        ("CERTIFICATE", "a certificate, where"),
        ("TRUSTED CERTIFICATE", "a certificate, where"),
        ("PKCS7", "a PKCS#7 or CMS message"),
        ("CMS", "a PKCS#7 or CMS message"),
        ("PUBLIC KEY", "a bare public key"),
        ("RSA PUBLIC KEY", "a bare public key"),
        ("EC PARAMETERS", "key parameters"),
        ("DH PARAMETERS", "key parameters"),
        ("PGP PUBLIC KEY BLOCK", "a PEM block labelled 'PGP PUBLIC KEY BLOCK'"),
        ("SSH2 PUBLIC KEY", "a PEM block labelled"),
        ("OPENVPN STATIC KEY V1", "a PEM block labelled"),
    ] {
        let bytes = pem(label, &[7; 90]).into_bytes();
        all.file(Fate::Refused, &format!("PEM of {label}"), "csr.kind", word, bytes);
    }
    let noise = pem("X509 CRL", &[7; 90]).into_bytes();
    all.file(Fate::Refused, "PEM of a CRL that is none", "crl.der", "no CRL in strict DER", noise);
}

fn passed_over(all: &mut Vectors) {
    let note = "left alone";
    for (what, bytes) in [
        ("an empty file", Vec::new()),
        ("plain text", b"the requests are on the other stick\n".to_vec()),
        ("JSON", b"{\"answer\": 42}\n".to_vec()),
        ("a ZIP archive", b"PK\x03\x04\x14\0\0\0\x08\0".to_vec()),
        ("a picture", b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec()),
        ("noise", (0..=255).rev().cycle().take(5000).collect()),
        ("zeros", vec![0; 5000]),
        ("an SSH public key", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG a@b\n".to_vec()),
        ("an OpenPGP signature", pem("PGP SIGNATURE", &[7; 90]).into_bytes()),
        ("an end without a beginning", b"-----END CERTIFICATE REQUEST-----\n".to_vec()),
        ("a SPKAC", b"SPKAC=MIGfMA0GCSqGSIb3DQEBAQUAA4GN\nCN=x\n".to_vec()),
    ] {
        all.file(Fate::Passed, what, "media.not-a-request", note, bytes);
    }
    let signature = pem("SSH SIGNATURE", b"SSHSIG").into_bytes();
    all.file(Fate::Passed, "an SSH signature", "media.signature-alone", note, signature);
}
