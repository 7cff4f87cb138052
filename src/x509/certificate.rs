//! Building certificates (RFC 5280 §4.1): from a full specification to the
//! to-be-signed bytes, and from these and a signature to a certificate.

use der::asn1::{Any, BitString, Int, OctetString};
use der::{Decode as _, Encode as _, Sequence};
use x509_cert::ext::Extension;
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
