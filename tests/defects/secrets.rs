//! Private keys, in every form they travel in.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature as sig;
use data_encoding::{BASE64, BASE64URL};

use super::csr::*;
use super::{Fate, Vectors};

pub fn vectors(all: &mut Vectors) {
    let forms = forms();
    for (what, der, label, word) in &forms {
        let mut add = |dress: &str, word: &'static str, bytes: Vec<u8>| {
            all.file(Fate::Stopped, &format!("{what} {dress}"), "media.private-key", word, bytes);
        };
        add("in DER", word, der.clone());
        add("cut off", word, der[..30].to_vec());
        let base64 = BASE64.encode(der);
        add("in bare base64", word, base64.clone().into_bytes());
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|l| str::from_utf8(l).unwrap()).collect();
        add("in base64 beneath a note", word, format!("our key\n{}\n", lines.join("\r\n")).into_bytes());
        add("in base64 within JSON", word, format!("{{\"key\":\"{base64}\"}}").into_bytes());
        add("in base64 for addresses", word, BASE64URL.encode(der).into_bytes());
        let text = pem(label, der);
        add("in PEM", "key", text.clone().into_bytes());
        add("in PEM in base64", "key", BASE64.encode(text.as_bytes()).into_bytes());
        add("in PEM in UTF-16", "key", text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    }
    others(all, &forms[2].1);
}

type Form = (&'static str, Vec<u8>, &'static str, &'static str);

fn forms() -> [Form; 5] {
    let rng = SystemRandom::new();
    let pkcs8 = sig::EcdsaKeyPair::generate_pkcs8(&sig::ECDSA_P256_SHA256_ASN1_SIGNING, &rng).unwrap();
    let number = tlv(2, &[&[0x55; 128]]);
    let pkcs1 = seq(&[&[2, 1, 0], &number, &[2, 3, 1, 0, 1], &number, &number, &number]);
    let curve = tlv(0xa0, &[&oid(P256)]);
    let sec1 = seq(&[&[2, 1, 1], &tlv(4, &[&[7; 32]]), &curve, &tlv(0xa1, &[&bits(&[4; 65])])]);
    let pbes2 = algorithm("1.2.840.113549.1.5.13", &seq(&[&seq(&[]), &seq(&[])]));
    let encrypted = seq(&[&pbes2, &tlv(4, &[&[7; 160]])]);
    let data = seq(&[&oid("1.2.840.113549.1.7.1"), &tlv(0xa0, &[&tlv(4, &[&[7; 200]])])]);
    let pkcs12 = seq(&[&[2, 1, 3], &data, &seq(&[])]);
    [
        ("PKCS#1", pkcs1, "RSA PRIVATE KEY", "an RSA or DSA private key"),
        ("SEC 1", sec1, "EC PRIVATE KEY", "an EC private key"),
        ("PKCS#8", pkcs8.as_ref().to_vec(), "PRIVATE KEY", "a PKCS#8 private key"),
        ("encrypted PKCS#8", encrypted, "ENCRYPTED PRIVATE KEY", "an encrypted PKCS#8 private key"),
        ("PKCS#12", pkcs12, "PKCS12", "a PKCS#12 file"),
    ]
}

fn others(all: &mut Vectors, pkcs8: &[u8]) {
    let mut add = |what: &str, word: &'static str, bytes: Vec<u8>| {
        all.file(Fate::Stopped, what, "media.private-key", word, bytes);
    };
    let key = pem("PRIVATE KEY", pkcs8);
    let openssh = [&b"openssh-key-v1\0\0\0\0\x04none"[..], &[0; 200]].concat();
    add("OpenSSH's key", "an OpenSSH private key", pem("OPENSSH PRIVATE KEY", &openssh).into());
    add("OpenSSH's key in bare base64", "an OpenSSH private key", BASE64.encode(&openssh).into());
    add("PuTTY's key", "a PuTTY private key", b"PuTTY-User-Key-File-3: ssh-ed25519\r\n".to_vec());
    add("OpenPGP's key", "an OpenPGP private key", pem("PGP PRIVATE KEY BLOCK", &[7; 90]).into());
    add("age's key", "an age secret key", b"AGE-SECRET-KEY-1QQQ\n".to_vec());
    add("a TPM's key", "a TPM's wrapped private key", pem("TSS2 PRIVATE KEY", &[7; 90]).into());
    add("a Java keystore", "a Java keystore", b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01".to_vec());
    add(
        "a JSON Web Key",
        "a JSON Web Key",
        br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}"#.to_vec(),
    );
    add("OpenSSL's old encrypted key", "an RSA private key", b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n".to_vec());
    let request = pem("CERTIFICATE REQUEST", &Csr::good("x").der());
    add("a key behind a request", "a private key in PEM", format!("{request}{key}").into());
    add("a key before a request", "a private key in PEM", format!("{key}{request}").into());
    let secret = format!("data:\n  ca-key.pem: {}\n", BASE64.encode(key.as_bytes()));
    add("a Kubernetes Secret", "a private key in PEM", secret.into());
    let folded = key.trim_end().replace('\n', "\\n");
    add("a key in a line of JSON", "a private key in PEM", format!("{{\"k\":\"{folded}\"}}").into());
}
