//! The detached CMS signature of SHA256SUMS (RFC 5652), made in two halves
//! because the token signs in between.

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos};
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912};
use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate;
use x509_cert::attr::{Attribute, Attributes};

use crate::error::{Error, Result};
use crate::x509::{Digest, SignatureAlgorithm, Time};

/// The DER of the signed attributes: content type, SHA-256 of the content, signing time,
/// and as content identifier (RFC 2634 §2.7) the plan's digest and the commitment of the
/// intent to sign, as the SET OF that is to be signed (RFC 5652 §5.4). Without the plan, an
/// earlier release's signature could be put on record for another; without the commitment,
/// a release that never went out could be said to have.
pub fn attributes(content: &[u8], plan: &Digest, commitment: &Digest, signing_time: Time) -> Result<Vec<u8>> {
    let encode = || -> der::Result<Vec<u8>> {
        let digest = OctetString::new(Digest::of(content).0)?;
        let identifier = OctetString::new([plan.0, commitment.0].concat())?;
        let time = signing_time.to_x509()?;
        SetOfVec::try_from(vec![
            attribute(rfc5911::ID_CONTENT_TYPE, Any::encode_from(&rfc5911::ID_DATA)?)?,
            attribute(rfc5911::ID_MESSAGE_DIGEST, Any::encode_from(&digest)?)?,
            attribute(rfc5911::ID_SIGNING_TIME, Any::encode_from(&time)?)?,
            attribute(rfc5911::ID_AA_CONTENT_IDENTIFIER, Any::encode_from(&identifier)?)?,
        ])?
        .to_der()
    };
    encode().map_err(failed)
}

/// Joins signed attributes with their ECDSA signature into a detached SignedData
/// (RFC 5652 §5.1). The signer is named by issuer and serial number, and its
/// certificate is left out: it must come from where it is trusted.
pub fn assemble(attributes: &[u8], signature: &[u8], signer: &[u8]) -> Result<Vec<u8>> {
    let encode = || -> der::Result<Vec<u8>> {
        let signer = Certificate::from_der(signer)?;
        let sha256 = AlgorithmIdentifierOwned { oid: rfc5912::ID_SHA_256, parameters: None };
        let info = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: signer.tbs_certificate().issuer().clone(),
                serial_number: signer.tbs_certificate().serial_number().clone(),
            }),
            digest_alg: sha256.clone(),
            signed_attrs: Some(Attributes::from_der(attributes)?),
            signature_algorithm: SignatureAlgorithm::EcdsaSha256.identifier(),
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![sha256])?,
            encap_content_info: EncapsulatedContentInfo { econtent_type: rfc5911::ID_DATA, econtent: None },
            certificates: None,
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![info])?),
        };
        ContentInfo { content_type: rfc5911::ID_SIGNED_DATA, content: Any::encode_from(&data)? }.to_der()
    };
    encode().map_err(failed)
}

fn attribute(oid: ObjectIdentifier, value: Any) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

fn failed(e: der::Error) -> Error {
    Error::integrity("release.cms", format!("the signature of SHA256SUMS cannot be encoded: {e}"))
}
