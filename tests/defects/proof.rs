//! The signature: proof that the sender holds the key.

use aws_lc_rs::signature as sig;

use super::Vectors;
use super::csr::*;
use crate::post_quantum::foreign::{ML_DSA_44, ML_DSA_65};

const SIGNATURE: &[&str] = &["possession.signature"];
const ALGORITHM: &[&str] = &["possession.algorithm"];
const NO: &str = "does not verify";

/// Both INTEGERs of an ECDSA signature, their contents.
fn halves(signature: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let r = &signature[4..4 + usize::from(signature[3])];
    let s = &signature[4 + r.len() + 2..];
    (r.to_vec(), s.to_vec())
}

fn joined(r: &[u8], s: &[u8]) -> Vec<u8> {
    seq(&[&tlv(2, &[r]), &tlv(2, &[s])])
}

/// A request whose signature is made of the good one's halves.
fn halved(c: &Csr, change: impl FnOnce(Vec<u8>, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let (r, s) = halves(&c.key.sign(&c.info()));
    c.signed_as(&change(r, s))
}

/// The order of P-256's group.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

pub fn vectors(all: &mut Vectors) {
    all.refused("signature with a bit flipped", SIGNATURE, NO, |c| {
        let mut der = c.der();
        *der.last_mut().unwrap() ^= 1;
        der
    });
    all.refused("subject changed after signing", SIGNATURE, NO, |c| {
        let mut der = c.der();
        let at = der.windows(5).position(|w| w == b"mesh ").unwrap();
        der[at] = b'M';
        der
    });
    all.refused("signature of another key", SIGNATURE, NO, |c| c.signed_as(&Key::p256().sign(&c.info())));
    all.refused("signature of another request", SIGNATURE, NO, |c| c.signed_as(&c.key.sign(b"other")));
    all.refused("signature empty", SIGNATURE, NO, |c| c.signed_as(&[]));
    all.refused("signature of zeros", SIGNATURE, NO, |c| c.signed_as(&[0; 64]));
    all.refused("signature of ten thousand bytes", SIGNATURE, NO, |c| c.signed_as(&[0x30; 10_000]));
    all.refused("signature with a byte behind it", SIGNATURE, NO, |c| {
        let signature = [c.key.sign(&c.info()), vec![0]].concat();
        c.signed_as(&signature)
    });
    all.refused("signature with unused bits", SIGNATURE, NO, |c| {
        let signature = c.key.sign(&c.info());
        seq(&[&c.info(), &c.algorithm, &tlv(3, &[&[1], &signature[..signature.len() - 1], &[0]])])
    });
    all.refused("signature raw, r and s end to end", SIGNATURE, NO, |c| halved(&c, |r, s| [r, s].concat()));
    all.refused("signature with long lengths", SIGNATURE, NO, |c| {
        halved(&c, |r, s| seq(&[&[2, 0x81, r.len() as u8], &r, &tlv(2, &[&s])]))
    });
    all.refused("signature with padded r", SIGNATURE, NO, |c| {
        halved(&c, |r, s| joined(&[&[0, 0][..], &r].concat(), &s))
    });
    all.refused("signature with negative r", SIGNATURE, NO, |c| {
        halved(&c, |_, s| joined(&[0x80, 1, 2, 3], &s))
    });
    all.refused("signature with r zero", SIGNATURE, NO, |c| halved(&c, |_, s| joined(&[0], &s)));
    all.refused("signature with s zero", SIGNATURE, NO, |c| halved(&c, |r, _| joined(&r, &[0])));
    all.refused("signature with s the order", SIGNATURE, NO, |c| {
        let order = anchorite::text::unhex(ORDER).unwrap();
        halved(&c, |r, _| joined(&r, &[&[0][..], &order].concat()))
    });
    all.refused("signature with three numbers", SIGNATURE, NO, |c| {
        halved(&c, |r, s| seq(&[&tlv(2, &[&r]), &tlv(2, &[&s]), &[2, 1, 1]]))
    });
    all.refused("signature over another hash", SIGNATURE, NO, |c| {
        c.algorithm(algorithm("1.2.840.10045.4.3.3", &[]))
    });
    algorithms(all);
    pss(all);
    // FIPS 186 allows both values of s; the request's digest tells the two requests apart.
    all.narrowed("signature with s in the upper half", &[], "", |c| {
        halved(&c, |r, s| {
            let order = num_bigint::BigUint::from_bytes_be(&anchorite::text::unhex(ORDER).unwrap());
            let s = num_bigint::BigUint::from_bytes_be(&s);
            let upper = if s.clone() + &s > order { s } else { order - s };
            joined(&r, &[&[0][..], &upper.to_bytes_be()].concat())
        })
    });
}

fn algorithms(all: &mut Vectors) {
    let names = [
        ("1.2.840.10045.4.1", "ecdsa-with-SHA1"),
        ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224"),
        ("1.2.840.113549.1.1.2", "md2WithRSAEncryption"),
        ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
        ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
        ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption"),
        ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
        ("1.2.840.10040.4.3", "dsa-with-SHA1"),
        (ED25519, "Ed25519"),
        ("1.3.101.113", "Ed448"),
        (ML_DSA_44, "ML-DSA-44"),
        (ML_DSA_65, "ML-DSA-65"),
        ("1.2.3.4", "1.2.3.4"),
        (EC, EC),
    ];
    for (oid, name) in names {
        all.refused(&format!("signed as {name}"), ALGORITHM, name, |c| c.algorithm(algorithm(oid, &[])));
    }
    all.refused("signature parameters NULL", ALGORITHM, "parameters that it must not have", |c| {
        c.algorithm(algorithm(ECDSA_SHA256, NULL))
    });
    all.refused("signature parameters a curve", ALGORITHM, "parameters", |c| {
        c.algorithm(algorithm(ECDSA_SHA256, &oid(P256)))
    });
    all.refused("Ed25519 with parameters", &["key.algorithm", "possession.algorithm"], "parameters", |c| {
        let key = Key::ed25519();
        let spki = spki(&algorithm(ED25519, &[]), &key.public());
        c.keyed(key, spki, algorithm(ED25519, NULL))
    });
    let hash = |c: Csr, sha: &'static sig::EcdsaSigningAlgorithm, oid: &str| {
        let key = Key::ec(sha);
        let spki = ec_spki(P384, &key.public());
        c.keyed(key, spki, algorithm(oid, &[]))
    };
    all.narrowed("P-384 with SHA-384", &[], "", |c| {
        hash(c, &sig::ECDSA_P384_SHA384_ASN1_SIGNING, "1.2.840.10045.4.3.3")
    });
    all.refused("P-384 with SHA-384 named as SHA-256", SIGNATURE, NO, |c| {
        hash(c, &sig::ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_SHA256)
    });
}

const PSS: &str = "1.2.840.113549.1.1.10";

/// RSASSA-PSS-params: hashes 2.16.840.1.101.3.4.2.N, a salt, and what follows.
fn pss_parameters(hash: u8, mask: u8, salt: u8, more: &[u8]) -> Vec<u8> {
    let sha2 = |n: u8| algorithm(&format!("2.16.840.1.101.3.4.2.{n}"), NULL);
    let mgf1 = algorithm("1.2.840.113549.1.1.8", &sha2(mask));
    seq(&[&tlv(0xa0, &[&sha2(hash)]), &tlv(0xa1, &[&mgf1]), &tlv(0xa2, &[&tlv(2, &[&[salt]])]), more])
}

/// The signature fits SHA-256 with a salt of 32; what is said of it does not.
fn pss(all: &mut Vectors) {
    use aws_lc_rs::{rand::SystemRandom, rsa::KeySize, signature::KeyPair as _};
    let keys = [(); 2].map(|()| sig::RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
    let signed = |mut c: Csr, key: &sig::RsaKeyPair, parameters: &[u8]| {
        c.spki = spki(&algorithm("1.2.840.113549.1.1.1", NULL), key.public_key().as_ref());
        c.algorithm = algorithm(PSS, parameters);
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&sig::RSA_PSS_SHA256, &SystemRandom::new(), &c.info(), &mut signature).unwrap();
        c.signed_as(&signature)
    };
    let trailer = |n: u8| tlv(0xa3, &[&[2, 1, n]]);
    for (defect, parameters, word) in [
        ("PSS without parameters", Vec::new(), "has no parameters"),
        ("PSS with NULL for parameters", NULL.to_vec(), "malformed"),
        ("PSS with all defaults", seq(&[]), "SHA-1"),
        ("PSS with a short salt", pss_parameters(1, 1, 20, &[]), "a salt of 20 bytes instead of 32"),
        ("PSS with no salt", pss_parameters(1, 1, 0, &[]), "a salt of 0 bytes"),
        ("PSS with a negative salt", pss_parameters(1, 1, 0xe0, &[]), "malformed"),
        ("PSS with another hash in its mask", pss_parameters(1, 2, 32, &[]), "mask generation function"),
        ("PSS with SHA-224", pss_parameters(4, 4, 28, &[]), "the hash 2.16.840.1.101.3.4.2.4"),
        ("PSS with the default trailer written", pss_parameters(1, 1, 32, &trailer(1)), "trailer"),
        ("PSS with another trailer", pss_parameters(1, 1, 32, &trailer(2)), "trailer"),
        ("PSS with a field that is not known", pss_parameters(1, 1, 32, &[0xa4, 0]), "malformed"),
    ] {
        all.refused(defect, ALGORITHM, word, |c| signed(c, &keys[0], &parameters));
    }
    all.refused("PSS with the parameters of SHA-384", SIGNATURE, NO, |c| {
        signed(c, &keys[0], &pss_parameters(2, 2, 48, &[]))
    });
    all.narrowed("PSS as it should be", &[], "", |c| signed(c, &keys[1], &pss_parameters(1, 1, 32, &[])));
}
