//! Building certificates (RFC 5280 §4.1): from a full specification to the
//! to-be-signed bytes, and from these and a signature to a certificate.

use const_oid::AssociatedOid as _;
use der::asn1::{Any, BitString, Int, OctetString};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use x509_cert::time::{Time as X509Time, Validity};

use super::{Digest, Name, PublicKey, Serial, SignatureAlgorithm, Time};
use crate::error::{Error, Result};

/// Everything a certificate says; nothing is filled in behind the caller's back.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    /// Serial number, unique for the issuer.
    pub serial: Serial,
    /// The algorithm the issuer will sign with.
    pub signature: SignatureAlgorithm,
    /// The issuer's subject, byte for byte.
    pub issuer: Name,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// The subject, byte for byte.
    pub subject: Name,
    /// The subject's public key.
    pub public_key: PublicKey,
    /// The extensions in order, each with its criticality.
    pub extensions: Vec<Extension>,
}

/// The DER of a TBSCertificate: what the token signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tbs {
    der: Vec<u8>,
    signature: SignatureAlgorithm,
}

/// The few facts of a TBSCertificate that a record of issued certificates needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Serial number.
    pub serial: Serial,
    /// Subject, byte for byte.
    pub subject: Name,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: Digest,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
}

impl Facts {
    /// Reads them from the to-be-signed bytes.
    pub fn from_tbs(tbs: &[u8]) -> Result<Self> {
        let bad = |e: der::Error| Error::integrity("certificate.tbs", format!("not a TBSCertificate ({e})"));
        let tbs = TbsCertificate::from_der(tbs).map_err(bad)?;
        Ok(Self {
            serial: Serial::from_bytes(tbs.serial.as_bytes())
                .ok_or_else(|| Error::integrity("certificate.tbs", "serial number is zero or too long"))?,
            subject: Name::from_der(&tbs.subject.to_der().map_err(bad)?).map_err(bad)?,
            key: Digest::of(&tbs.public_key.to_der().map_err(bad)?),
            not_before: Time::from_unix(tbs.validity.not_before.to_unix_duration().as_secs()),
            not_after: Time::from_unix(tbs.validity.not_after.to_unix_duration().as_secs()),
        })
    }
}

/// TBSCertificate with name and key as they came (RFC 5280 §4.1.2).
#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: Int,
    signature: spki::AlgorithmIdentifierOwned,
    issuer: Any,
    validity: Validity,
    subject: Any,
    public_key: Any,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Certificate {
    tbs: Any,
    algorithm: spki::AlgorithmIdentifierOwned,
    signature: BitString,
}

impl CertificateSpec {
    /// The to-be-signed bytes; the same specification always gives the same bytes.
    pub fn to_tbs(&self) -> Result<Tbs> {
        let der = self.encode().map_err(|e| {
            Error::usage(
                "certificate.encode",
                format!("certificate for {} cannot be encoded: {e}", self.subject),
            )
        })?;
        Ok(Tbs { der, signature: self.signature })
    }

    fn encode(&self) -> der::Result<Vec<u8>> {
        let mut serial = self.serial.as_bytes().to_vec();
        if serial.first().is_some_and(|b| *b > 0x7f) {
            serial.insert(0, 0);
        }
        let not_before: X509Time = self.not_before.to_x509()?;
        TbsCertificate {
            version: 2, // v3
            serial: Int::new(&serial)?,
            signature: self.signature.identifier(),
            issuer: Any::from_der(self.issuer.as_der())?,
            validity: Validity::new(not_before, self.not_after.to_x509()?),
            subject: Any::from_der(self.subject.as_der())?,
            public_key: Any::from_der(self.public_key.as_der())?,
            extensions: self.extensions.clone(),
        }
        .to_der()
    }
}

impl Tbs {
    /// The bytes of an intent on record, to be joined with the signature on record.
    pub(crate) fn recorded(der: Vec<u8>, signature: SignatureAlgorithm) -> Self {
        Self { der, signature }
    }

    /// Takes a certificate apart into the signed bytes and the signature: what
    /// [`Tbs::assemble`] joins again to the very same DER.
    pub fn split(certificate: &[u8]) -> Result<(Self, Vec<u8>)> {
        let bad = |what: String| Error::integrity("certificate.split", format!("certificate: {what}"));
        let asn1 = |e: der::Error| bad(format!("not DER ({e})"));
        let parts = Certificate::from_der(certificate).map_err(asn1)?;
        let signature = SignatureAlgorithm::of_identifier(&parts.algorithm)
            .ok_or_else(|| bad(format!("signature algorithm {} is not known here", parts.algorithm.oid)))?;
        let bits =
            parts.signature.as_bytes().ok_or_else(|| bad("signature does not end at a byte".into()))?;
        let tbs = Self { der: parts.tbs.to_der().map_err(asn1)?, signature };
        if tbs.assemble(bits)? != certificate {
            return Err(bad("not canonical DER".into()));
        }
        Ok((tbs, bits.to_vec()))
    }

    /// The bytes to be signed.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The algorithm named in them.
    pub fn signature(&self) -> SignatureAlgorithm {
        self.signature
    }

    /// SHA-256 over the bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Joins the bytes with a signature into a certificate's DER.
    pub fn assemble(&self, signature: &[u8]) -> Result<Vec<u8>> {
        let join = || -> der::Result<Vec<u8>> {
            Certificate {
                tbs: Any::from_der(&self.der)?,
                algorithm: self.signature.identifier(),
                signature: BitString::from_bytes(signature)?,
            }
            .to_der()
        };
        join().map_err(|e| {
            Error::integrity("certificate.assemble", format!("certificate cannot be assembled: {e}"))
        })
    }
}

/// authorityKeyIdentifier with the key identifier alone (RFC 5280 §4.2.1.1, §5.2.1).
pub fn authority_key_id(id: &[u8]) -> Result<Extension> {
    let value = AuthorityKeyIdentifier {
        key_identifier: Some(octets(id)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(AuthorityKeyIdentifier::OID, false, &value)
}

/// subjectKeyIdentifier (RFC 5280 §4.2.1.2).
pub fn subject_key_id(id: &[u8]) -> Result<Extension> {
    extension(SubjectKeyIdentifier::OID, false, &SubjectKeyIdentifier(octets(id)?))
}

fn octets(bytes: &[u8]) -> Result<OctetString> {
    OctetString::new(bytes).map_err(|e| Error::usage("certificate.key-id", format!("key id: {e}")))
}

/// An extension with its criticality (RFC 5280 §4.2).
pub fn extension(
    oid: der::asn1::ObjectIdentifier,
    critical: bool,
    value: &impl der::Encode,
) -> Result<Extension> {
    let wrap = || -> der::Result<Extension> {
        Ok(Extension { extn_id: oid, critical, extn_value: OctetString::new(value.to_der()?)? })
    };
    wrap()
        .map_err(|e| Error::usage("certificate.extension", format!("extension {oid} cannot be encoded: {e}")))
}
