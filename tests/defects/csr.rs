//! Requests put together byte by byte: good in everything but what a test makes wrong.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _};

use crate::post_quantum::foreign::Foreign;

/// One DER element.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match content.len() {
        length @ 0..128 => out.push(length as u8),
        length @ 128..256 => out.extend([0x81, length as u8]),
        length @ 256..65_536 => out.extend([0x82, (length >> 8) as u8, length as u8]),
        length => out.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

pub fn seq(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub fn oid(dotted: &str) -> Vec<u8> {
    tlv(6, &[const_oid::ObjectIdentifier::new_unwrap(dotted).as_bytes()])
}

pub const NULL: &[u8] = &[5, 0];
pub const UTF8: u8 = 12;
pub const PRINTABLE: u8 = 19;

/// AlgorithmIdentifier.
pub fn algorithm(dotted: &str, parameters: &[u8]) -> Vec<u8> {
    seq(&[&oid(dotted), parameters])
}

/// BIT STRING of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes])
}

/// SubjectPublicKeyInfo.
pub fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    seq(&[algorithm, &bits(key)])
}

/// SubjectPublicKeyInfo of a point on a named curve.
pub fn ec_spki(curve: &str, point: &[u8]) -> Vec<u8> {
    spki(&algorithm(EC, &oid(curve)), point)
}

/// The parts that follow each other within an element.
pub fn inside(der: &[u8]) -> &[u8] {
    let length = match der[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    &der[length..]
}

/// AttributeTypeAndValue.
pub fn ava(dotted: &str, tag: u8, value: &[u8]) -> Vec<u8> {
    seq(&[&oid(dotted), &tlv(tag, &[value])])
}

/// A name of RDNs with one attribute each.
pub fn name(attributes: &[Vec<u8>]) -> Vec<u8> {
    let rdns: Vec<Vec<u8>> = attributes.iter().map(|a| tlv(0x31, &[a])).collect();
    seq(&[&rdns.concat()])
}

/// An attribute with these values, end to end.
pub fn attribute(dotted: &str, values: &[u8]) -> Vec<u8> {
    seq(&[&oid(dotted), &tlv(0x31, &[values])])
}

/// An extension.
pub fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    seq(&[&oid(dotted), critical, &tlv(4, &[value])])
}

/// The extensionRequest attribute.
pub fn extension_request(extensions: &[Vec<u8>]) -> Vec<u8> {
    attribute(EXTENSION_REQUEST, &seq(&[&extensions.concat()]))
}

pub const EC: &str = "1.2.840.10045.2.1";
pub const P256: &str = "1.2.840.10045.3.1.7";
pub const P384: &str = "1.3.132.0.34";
pub const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub const ED25519: &str = "1.3.101.112";
pub const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
pub const O: &str = "2.5.4.10";
pub const L: &str = "2.5.4.7";
pub const CN: &str = "2.5.4.3";

/// What signs a request.
pub enum Key {
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(Foreign),
}

impl Key {
    pub fn ec(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    pub fn p256() -> Self {
        Self::ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    pub fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Ec(key) => key.public_key().as_ref().to_vec(),
            Self::Ed25519(key) => key.public_key().as_ref().to_vec(),
            Self::MlDsa(key) => key.public.clone(),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ec(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::MlDsa(key) => key.sign(message),
        }
    }
}

/// The parts of a request. As made by [`Csr::good`] the policy `istio` grants it.
pub struct Csr {
    /// The cluster's id.
    pub cluster: String,
    pub key: Key,
    /// What stands before the subject: the version.
    pub version: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    /// The field \[0\], whole.
    pub attributes: Vec<u8>,
    pub algorithm: Vec<u8>,
}

impl Csr {
    /// A sound request of this cluster, with a new P-256 key.
    pub fn good(cluster: &str) -> Self {
        let key = Key::p256();
        let spki = ec_spki(P256, &key.public());
        let mut csr = Self {
            cluster: cluster.into(),
            key,
            version: vec![2, 1, 0],
            subject: Vec::new(),
            spki,
            attributes: tlv(0xa0, &[]),
            algorithm: algorithm(ECDSA_SHA256, &[]),
        };
        csr.subject = name(&csr.names());
        csr
    }

    /// The attributes of its good subject: O, L, CN.
    pub fn names(&self) -> [Vec<u8>; 3] {
        let common = format!("mesh {}", self.cluster);
        [ava(O, UTF8, b"Istio"), ava(L, UTF8, self.cluster.as_bytes()), ava(CN, UTF8, common.as_bytes())]
    }

    /// With another common name.
    pub fn common_name(mut self, tag: u8, value: &[u8]) -> Vec<u8> {
        let [o, l, _] = self.names();
        self.subject = name(&[o, l, ava(CN, tag, value)]);
        self.der()
    }

    /// With another locality.
    pub fn locality(mut self, tag: u8, value: &[u8]) -> Vec<u8> {
        let [o, _, cn] = self.names();
        self.subject = name(&[o, ava(L, tag, value), cn]);
        self.der()
    }

    /// With one more attribute in its subject.
    pub fn and(mut self, more: Vec<u8>) -> Vec<u8> {
        let [o, l, cn] = self.names();
        self.subject = name(&[o, l, cn, more]);
        self.der()
    }

    /// With another subject altogether.
    pub fn subject(mut self, subject: Vec<u8>) -> Vec<u8> {
        self.subject = subject;
        self.der()
    }

    /// With these attributes, in the order that DER gives a SET.
    pub fn attributes(mut self, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut sorted = attributes.to_vec();
        sorted.sort();
        self.attributes = tlv(0xa0, &[&sorted.concat()]);
        self.der()
    }

    /// Asking for these extensions.
    pub fn extensions(self, extensions: &[Vec<u8>]) -> Vec<u8> {
        self.attributes(&[extension_request(extensions)])
    }

    /// Asking for one extension.
    pub fn asking(self, dotted: &str, value: &[u8]) -> Vec<u8> {
        self.extensions(&[extension(dotted, false, value)])
    }

    /// With another public key field; its own key signs still.
    pub fn spki(mut self, spki: Vec<u8>) -> Vec<u8> {
        self.spki = spki;
        self.der()
    }

    /// With another key and the algorithm it signs with.
    pub fn keyed(mut self, key: Key, spki: Vec<u8>, algorithm: Vec<u8>) -> Vec<u8> {
        (self.key, self.spki, self.algorithm) = (key, spki, algorithm);
        self.der()
    }

    /// With another signature algorithm named.
    pub fn algorithm(mut self, algorithm: Vec<u8>) -> Vec<u8> {
        self.algorithm = algorithm;
        self.der()
    }

    /// CertificationRequestInfo.
    pub fn info(&self) -> Vec<u8> {
        seq(&[&self.version, &self.subject, &self.spki, &self.attributes])
    }

    /// Signed by its key.
    pub fn der(&self) -> Vec<u8> {
        self.signing(&self.info())
    }

    /// Around this CertificationRequestInfo, signed by its key.
    pub fn signing(&self, info: &[u8]) -> Vec<u8> {
        seq(&[info, &self.algorithm, &bits(&self.key.sign(info))])
    }

    /// With this for a signature.
    pub fn signed_as(&self, signature: &[u8]) -> Vec<u8> {
        seq(&[&self.info(), &self.algorithm, &bits(signature)])
    }
}

/// In PEM, as OpenSSL writes it.
pub fn pem(label: &str, der: &[u8]) -> String {
    anchorite::x509::pem::encode(label, der)
}
