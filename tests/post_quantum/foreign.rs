//! RustCrypto's ML-DSA, which shares nothing with aws-lc or OpenSSL: it makes keys,
//! requests and roots, and judges signatures.

use std::path::Path;

use anchorite::release::pem;
use anchorite::x509::Issuer;
use ml_dsa::signature::{Keypair as _, SignatureEncoding as _, Verifier as _};
use ml_dsa::{
    EncodedVerifyingKey, KeyExport as _, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, SigningKey,
    VerifyingKey,
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::defects::csr::{CN, UTF8, algorithm, ava, bits, extension, name, seq, spki, tlv};

pub const ML_DSA_44: &str = "2.16.840.1.101.3.4.3.17";
pub const ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
pub const ML_DSA_87: &str = "2.16.840.1.101.3.4.3.19";

/// Signs a message in a context.
type Sign = Box<dyn Fn(&[u8], &[u8]) -> Vec<u8>>;

/// A new key pair.
pub struct Foreign {
    pub oid: &'static str,
    pub public: Vec<u8>,
    sign: Sign,
}

impl Foreign {
    pub fn new(oid: &'static str) -> Self {
        match oid {
            ML_DSA_44 => Self::of::<MlDsa44>(oid),
            ML_DSA_65 => Self::of::<MlDsa65>(oid),
            _ => Self::of::<MlDsa87>(oid),
        }
    }

    fn of<P: MlDsaParams + 'static>(oid: &'static str) -> Self {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).unwrap();
        let key = SigningKey::<P>::from_seed(&seed.into());
        Self {
            oid,
            public: key.verifying_key().to_bytes().to_vec(),
            sign: Box::new(move |message, context| {
                key.expanded_key().sign_deterministic(message, context).unwrap().to_vec()
            }),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message, b"")
    }

    pub fn sign_in_context(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message, b"context")
    }

    pub fn spki(&self) -> Vec<u8> {
        spki(&algorithm(self.oid, &[]), &self.public)
    }

    /// Its own root certificate.
    pub fn root(&self, common_name: &str) -> Vec<u8> {
        let subject = name(&[ava(CN, UTF8, common_name.as_bytes())]);
        let key_id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.public);
        let extensions = [
            extension("2.5.29.19", true, &seq(&[&[1, 1, 0xff]])),
            extension("2.5.29.15", true, &[3, 2, 1, 6]),
            extension("2.5.29.14", false, &tlv(4, &[&key_id.as_ref()[..20]])),
        ];
        let tbs = seq(&[
            &tlv(0xa0, &[&[2, 1, 2]]),
            &tlv(2, &[&[0x5a; 16]]),
            &algorithm(self.oid, &[]),
            &subject,
            &seq(&[&tlv(0x17, &[b"240101000000Z"]), &tlv(0x17, &[b"460101000000Z"])]),
            &subject,
            &self.spki(),
            &tlv(0xa3, &[&seq(&[&extensions.concat()])]),
        ]);
        seq(&[&tbs, &algorithm(self.oid, &[]), &bits(&self.sign(&tbs))])
    }
}

/// Whether the issuer's ML-DSA key, by its own certificate, signed a certificate.
pub fn signed_by(certificate: &[u8], issuer: &[u8]) -> bool {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    let (_, issuer) = X509Certificate::from_der(issuer).unwrap();
    let key = issuer.public_key();
    let oid = key.algorithm.algorithm.to_id_string();
    let identifier = &certificate.signature_algorithm;
    assert_eq!((identifier.algorithm.to_id_string(), identifier.parameters.is_none()), (oid.clone(), true));
    let message = certificate.tbs_certificate.as_ref();
    let verified = match oid.as_str() {
        ML_DSA_65 => verified::<MlDsa65>,
        ML_DSA_87 => verified::<MlDsa87>,
        other => panic!("{other} is not ML-DSA-65 or -87"),
    };
    verified(&key.subject_public_key.data, message, &certificate.signature_value.data)
}

fn verified<P: MlDsaParams>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::<P>::decode(&EncodedVerifyingKey::<P>::try_from(key).unwrap());
    Signature::<P>::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

/// The same of PEM files, where the issuer's key is of ML-DSA.
pub fn judge(issuer: &Path, certificate: &Path) -> Option<bool> {
    let der = |path: &Path| pem::single("certificate", &std::fs::read(path).unwrap()).unwrap();
    let (issuer, certificate) = (der(issuer), der(certificate));
    let key = Issuer::from_der(&issuer).unwrap().public_key;
    key.algorithm().is_post_quantum().then(|| signed_by(&certificate, &issuer))
}
