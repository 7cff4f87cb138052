//! A certificate taken apart: the signed bytes, how they were signed, and what
//! they say.

use crate::error::{Error, Result};
use crate::lint::asn1;
use crate::lint::view::View;
use crate::x509::{Name, PublicKey};

/// What certificates and CRLs are outside (RFC 5280 §4.1.1, §5.1.1), in strict DER.
pub(super) struct Signed<'a> {
    /// The DER of what is signed.
    pub tbs: &'a [u8],
    /// The DER of signatureAlgorithm, outside what is signed.
    pub algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes exactly one apart.
    pub fn from_der(der: &'a [u8]) -> asn1::Strict<Self> {
        asn1::check(der)?;
        let parts = asn1::members(der, 0x30)?;
        let [tbs, algorithm, signature] = parts.as_slice() else {
            return Err("not three fields".into());
        };
        if (algorithm.tag, signature.tag) != (0x30, 0x03) {
            return Err("no signatureAlgorithm and signatureValue".into());
        }
        let [0, bits @ ..] = signature.content else {
            return Err("signature does not end at a byte".into());
        };
        Ok(Self { tbs: tbs.raw, algorithm: algorithm.raw, signature: bits })
    }
}

/// A certificate in strict DER (RFC 5280 §4.1).
pub(crate) struct Parsed<'a> {
    /// The DER of the TBSCertificate.
    pub tbs: &'a [u8],
    /// What it says.
    pub view: View<'a>,
    /// The DER of signatureAlgorithm, outside what is signed.
    pub algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Parsed<'a> {
    /// Reads exactly one certificate; an error is of the given ID.
    pub fn from_der(der: &'a [u8], id: &'static str) -> Result<Self> {
        Self::read(der).map_err(|e| Error::integrity(id, format!("not a DER certificate: {e}")))
    }

    fn read(der: &'a [u8]) -> asn1::Strict<Self> {
        let Signed { tbs, algorithm, signature } = Signed::from_der(der)?;
        Ok(Self { tbs, view: View::parse_checked(tbs)?, algorithm, signature })
    }

    /// The subject, fit for a terminal.
    pub fn subject(&self) -> String {
        show_name(self.view.subject)
    }

    /// The public key, or an error of the given ID.
    pub fn public_key(&self, id: &'static str) -> Result<PublicKey> {
        PublicKey::from_der(self.view.key)
            .map_err(|e| Error::integrity(id, format!("{}: {}", self.subject(), e.message)))
    }
}

/// A name's DER, fit for a terminal. Where a value is not a string, the DER is
/// shown too, so that no two names look alike.
pub(crate) fn show_name(der: &[u8]) -> String {
    match Name::from_der(der) {
        Ok(name) if name.is_empty() => "(empty)".into(),
        Ok(name) if name.attributes().iter().all(|a| a.value.is_some()) => name.to_string(),
        Ok(name) => format!("{name} (DER {})", crate::text::hex(der)),
        Err(_) => format!("DER {}", crate::text::hex(der)),
    }
}
