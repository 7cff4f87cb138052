//! What a released certificate says, read by the verifying family's parser.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::error::{Error, Result};
use crate::x509::{Name, PublicKey, Serial, Time};

/// The fields of a certificate that a receipt repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its serial number.
    pub serial: Serial,
    /// Its subject, byte for byte.
    pub subject: Name,
    /// Its public key.
    pub public_key: PublicKey,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
}

/// Whether issuer and subject are the same (RFC 5280 §3.2).
pub fn is_self_issued(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, it)| it.issuer().as_raw() == it.subject().as_raw())
}

/// Reads a certificate's DER; `file` is named in errors.
pub fn facts(file: &str, der: &[u8]) -> Result<Facts> {
    let bad = |what: &str| Error::integrity("release.certificate", format!("{file}: {what}"));
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| bad("not a DER certificate (RFC 5280 §4.1)"))?;
    if !rest.is_empty() {
        return Err(bad("bytes after the certificate"));
    }
    let time = |seconds: i64| {
        u64::try_from(seconds).map(Time::from_unix).map_err(|_| bad("validity begins before 1970"))
    };
    Ok(Facts {
        serial: Serial::from_bytes(certificate.raw_serial())
            .ok_or_else(|| bad("serial number is zero or longer than 20 octets"))?,
        subject: Name::from_der(certificate.subject().as_raw())
            .map_err(|_| bad("subject is not a DER Name"))?,
        public_key: PublicKey::from_der(certificate.public_key().raw).map_err(|e| bad(&e.message))?,
        not_before: time(certificate.validity().not_before.timestamp())?,
        not_after: time(certificate.validity().not_after.timestamp())?,
    })
}
