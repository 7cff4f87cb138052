//! The root as an issuer: what its certificate says that matters for what it signs.

use der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};

use super::{Digest, Name, PublicKey, Serial, SignatureAlgorithm, Time};
use crate::error::{Error, Result};

/// A certificate authority's certificate, read.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The certificate's DER.
    pub der: Vec<u8>,
    /// Its subject: the issuer field of what it signs.
    pub subject: Name,
    /// Its serial number.
    pub serial: Serial,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its actual subject key identifier, which every AKI copies.
    pub key_id: Vec<u8>,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// pathLenConstraint, where it has one.
    pub path_len: Option<u8>,
    /// Whether it may sign CRLs.
    pub crl_sign: bool,
    /// What it signs with.
    pub signature: SignatureAlgorithm,
}

impl Issuer {
    /// Reads a root certificate and refuses one that is not fit to issue:
    /// v3, critical CA:TRUE, keyCertSign, a subject key identifier.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let bad = |what: String| {
            Error::integrity("root.certificate", format!("root certificate: {what}"))
                .next("use the root certificate that this CA home was made with")
        };
        let asn1 = |e: der::Error| bad(format!("not a DER certificate ({e})"));
        let certificate = x509_cert::Certificate::from_der(der).map_err(asn1)?;
        let tbs = certificate.tbs_certificate();
        if tbs.version() != x509_cert::certificate::Version::V3 {
            return Err(bad("not version 3".into()));
        }
        let (critical, constraints): (bool, BasicConstraints) =
            tbs.get_extension().map_err(asn1)?.ok_or_else(|| bad("no basicConstraints".into()))?;
        if !critical || !constraints.ca {
            return Err(bad("basicConstraints is not critical with CA:TRUE".into()));
        }
        let (_, usage): (bool, KeyUsage) =
            tbs.get_extension().map_err(asn1)?.ok_or_else(|| bad("no keyUsage".into()))?;
        if !usage.key_cert_sign() {
            return Err(bad("keyUsage lacks keyCertSign".into()));
        }
        let (_, SubjectKeyIdentifier(key_id)): (bool, SubjectKeyIdentifier) =
            tbs.get_extension().map_err(asn1)?.ok_or_else(|| bad("no subjectKeyIdentifier".into()))?;
        let public_key = PublicKey::from_der(&tbs.subject_public_key_info().to_der().map_err(asn1)?)?;
        let signature = SignatureAlgorithm::of_issuer(public_key.algorithm())
            .ok_or_else(|| bad(format!("{} cannot be an issuer's key here", public_key.algorithm())))?;
        Ok(Self {
            der: der.to_vec(),
            subject: Name::from_der(&tbs.subject().to_der().map_err(asn1)?).map_err(asn1)?,
            serial: Serial::from_bytes(tbs.serial_number().as_bytes())
                .ok_or_else(|| bad("serial number is zero, negative or too long".into()))?,
            key_id: key_id.as_bytes().to_vec(),
            not_before: Time::from_unix(tbs.validity().not_before.to_unix_duration().as_secs()),
            not_after: Time::from_unix(tbs.validity().not_after.to_unix_duration().as_secs()),
            path_len: constraints.path_len_constraint,
            crl_sign: usage.crl_sign(),
            public_key,
            signature,
        })
    }

    /// The fingerprint that people note down: SHA-256 of the DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }
}
