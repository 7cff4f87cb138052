//! Making an intermediate's key and its certification request (RFC 2986).

use aws_lc_rs::signature::Ed25519KeyPair;
use der::Encode as _;
use der::asn1::OctetString;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ML_DSA_65, PKCS_ML_DSA_87, PKCS_RSA_SHA256, RsaKeySize,
};
use secrecy::SecretString;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use zeroize::{Zeroize as _, Zeroizing};

use super::key::{KeyForm, PrivateKey, encode};
use crate::error::{Error, Result};
use crate::release::names;
use crate::text::{hex, shown};
use crate::x509::{KeyAlgorithm, pem};

/// basicConstraints (RFC 5280 §4.2.1.9)
const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];
/// keyUsage (RFC 5280 §4.2.1.3)
const KEY_USAGE: [u64; 4] = [2, 5, 29, 15];
/// subjectKeyIdentifier (RFC 5280 §4.2.1.2)
const SUBJECT_KEY_ID: [u64; 4] = [2, 5, 29, 14];

/// ub-organization-name and ub-common-name (RFC 5280 appendix A.1).
const UPPER_BOUND: usize = 64;

/// Makes a key as PKCS#8 in PEM: P-256, P-384, RSA of 2048, 3072 or 4096 bits, Ed25519, ML-DSA.
pub fn make_key(algorithm: KeyAlgorithm) -> Result<SecretString> {
    let der = match algorithm {
        KeyAlgorithm::P256 => der_of(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)),
        KeyAlgorithm::P384 => der_of(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        KeyAlgorithm::Rsa(2048) => der_of(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)),
        KeyAlgorithm::Rsa(3072) => der_of(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)),
        KeyAlgorithm::Rsa(4096) => der_of(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096)),
        // PKCS#8 version 1: OpenSSL 3.0 does not read version 2, which rcgen writes.
        KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate()
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|document| Zeroizing::new(document.as_ref().to_vec()))
            .map_err(failed),
        KeyAlgorithm::MlDsa65 => der_of(KeyPair::generate_for(&PKCS_ML_DSA_65)),
        KeyAlgorithm::MlDsa87 => der_of(KeyPair::generate_for(&PKCS_ML_DSA_87)),
        KeyAlgorithm::P521 | KeyAlgorithm::Rsa(_) => {
            return Err(Error::usage(
                "request.key-algorithm",
                format!("a key of the kind {algorithm} is not made here"),
            )
            .next("choose p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-65 or ml-dsa-87"));
        }
    }?;
    Ok(encode(KeyForm::Pkcs8, &der))
}

/// Makes the request, in PEM. Its subject is `O, L=<cluster>, CN=<cluster>-<key id>`:
/// the cluster's id stands in L, and one key has one name. O is the organisation
/// given, else the cluster. It asks for critical CA:TRUE, critical keyCertSign and
/// cRLSign, and states the key id.
pub fn make_request(key: &PrivateKey, cluster: &str, organisation: Option<&str>) -> Result<Vec<u8>> {
    names::cluster(cluster)?;
    let organisation = organisation.unwrap_or(cluster);
    let key_id = key.public_key().key_id();
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(organisation, cluster, &key_id)?;
    params.custom_extensions = extensions(&key_id).map_err(failed)?;
    let request = params.serialize_request(key.pair()).map_err(failed)?;
    Ok(pem::encode("CERTIFICATE REQUEST", request.der()).into_bytes())
}

fn subject(organisation: &str, cluster: &str, key_id: &[u8]) -> Result<DistinguishedName> {
    let length = organisation.chars().count();
    if organisation.trim() != organisation
        || !(1..=UPPER_BOUND).contains(&length)
        || organisation.chars().any(char::is_control)
    {
        return Err(Error::usage(
            "request.organisation",
            format!("organisation '{}' cannot stand in a name", shown(organisation)),
        )
        .next("use 1 to 64 printable characters without spaces at the ends"));
    }
    // A long cluster id is cut, so that the key id always fits.
    let id: String = hex(key_id).chars().take(8).collect();
    let prefix: String = cluster.chars().take(UPPER_BOUND - id.len() - 1).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::LocalityName, cluster);
    name.push(DnType::CommonName, format!("{prefix}-{id}"));
    Ok(name)
}

fn extensions(key_id: &[u8]) -> der::Result<Vec<CustomExtension>> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: None };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let mut critical = [
        CustomExtension::from_oid_content(&BASIC_CONSTRAINTS, constraints.to_der()?),
        CustomExtension::from_oid_content(&KEY_USAGE, usage.to_der()?),
    ];
    critical.iter_mut().for_each(|extension| extension.set_criticality(true));
    let key_id = OctetString::new(key_id)?.to_der()?;
    let mut all = Vec::from(critical);
    all.push(CustomExtension::from_oid_content(&SUBJECT_KEY_ID, key_id));
    Ok(all)
}

fn der_of(pair: std::result::Result<KeyPair, rcgen::Error>) -> Result<Zeroizing<Vec<u8>>> {
    let mut pair = pair.map_err(failed)?;
    let der = Zeroizing::new(pair.serialized_der().to_vec());
    pair.zeroize();
    Ok(der)
}

pub(super) fn failed(e: impl std::fmt::Display) -> Error {
    Error::usage("request.make", format!("key or request cannot be made: {e}"))
        .next("try another --algorithm or a new --key")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn key(algorithm: KeyAlgorithm) -> PrivateKey {
        PrivateKey::from_pem(make_key(algorithm).unwrap().expose_secret().as_bytes()).unwrap()
    }

    #[test]
    fn keys_are_of_the_kind_asked_for() {
        for algorithm in
            [KeyAlgorithm::P256, KeyAlgorithm::P384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa(2048)]
        {
            assert_eq!(key(algorithm).public_key().algorithm(), algorithm);
        }
        for other in [KeyAlgorithm::P521, KeyAlgorithm::Rsa(1024)] {
            assert_eq!(make_key(other).unwrap_err().id, "request.key-algorithm");
        }
    }

    #[test]
    fn a_name_is_unique_for_its_key_and_within_bounds() {
        let long = "x".repeat(63);
        let a = subject("Istio", &long, &[0xab; 20]).unwrap();
        let b = subject("Istio", &long, &[0xac; 20]).unwrap();
        assert_ne!(a, b);
        let Some(rcgen::DnValue::Utf8String(cn)) = a.get(&DnType::CommonName) else { panic!("no CN") };
        assert_eq!(cn.len(), 64);
        assert!(cn.ends_with("-abababab"));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let key = key(KeyAlgorithm::P256);
        assert_eq!(make_request(&key, "East_1", None).unwrap_err().id, "release.cluster");
        for bad in ["", " x", "a\u{7}", &"x".repeat(65)] {
            assert_eq!(
                make_request(&key, "east", Some(bad)).unwrap_err().id,
                "request.organisation",
                "{bad}"
            );
        }
    }
}
