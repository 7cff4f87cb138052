//! What bytes in DER or BER look like: enough to name them to a person, never to trust them.

/// A kind of ASN.1 object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PKCS#10 (RFC 2986)
    Request,
    /// A certificate (RFC 5280 §4.1)
    Certificate,
    /// A CRL (RFC 5280 §5.1)
    Crl,
    /// CertReqMessages (RFC 4211)
    Crmf,
    /// PKCS#7 or CMS (RFC 5652)
    Cms,
    /// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)
    PublicKey,
    /// PrivateKeyInfo (RFC 5208, RFC 5958)
    Pkcs8,
    /// EncryptedPrivateKeyInfo (RFC 5208 §6)
    EncryptedPkcs8,
    /// RSAPrivateKey (RFC 8017 §A.1.2) or the DSA key of the same shape
    RsaPrivateKey,
    /// ECPrivateKey (RFC 5915)
    EcPrivateKey,
    /// PKCS#12 (RFC 7292)
    Pkcs12,
    /// ASN.1, but nothing of these
    Unknown,
}

impl Kind {
    /// With its article, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Request => "a certification request",
            Self::Certificate => "a certificate",
            Self::Crl => "a certificate revocation list",
            Self::Crmf => "a CRMF request",
            Self::Cms => "a PKCS#7 or CMS message",
            Self::PublicKey => "a bare public key",
            Self::Pkcs8 => "a PKCS#8 private key in DER",
            Self::EncryptedPkcs8 => "an encrypted PKCS#8 private key in DER",
            Self::RsaPrivateKey => "an RSA or DSA private key in DER",
            Self::EcPrivateKey => "an EC private key in DER (SEC 1)",
            Self::Pkcs12 => "a PKCS#12 file, which can hold a private key",
            Self::Unknown => "some other ASN.1 object",
        }
    }

    /// Whether it is, or may hold, a private key.
    pub fn is_private(self) -> bool {
        use Kind::{EcPrivateKey, EncryptedPkcs8, Pkcs8, Pkcs12, RsaPrivateKey};
        matches!(self, Pkcs8 | EncryptedPkcs8 | RsaPrivateKey | EcPrivateKey | Pkcs12)
    }
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION_OF_CERTIFICATE: u8 = 0xa0;
/// 1.2.840.113549.1.7, the content types of PKCS#7.
const PKCS7: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07";
/// 1.2.840.113549.1, under which PKCS#5 and PKCS#12 have their encryption schemes.
const PKCS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01";

/// Whether these bytes are ASN.1 rather than text: a SEQUENCE whose first element
/// fits in it, and something among the first bytes that no text has.
pub fn is_asn1(bytes: &[u8]) -> bool {
    let nested = see(bytes)
        .filter(|outer| outer.tag == SEQUENCE)
        .and_then(|outer| Some((outer.length, see(outer.content)?)))
        .is_some_and(|(length, first)| {
            matches!(first.tag, INTEGER | SEQUENCE | OID) && length.is_none_or(|l| first.length <= Some(l))
        });
    let binary = |b: &u8| !b.is_ascii() || b.is_ascii_control() && !b.is_ascii_whitespace();
    nested && bytes.iter().take(16).any(binary)
}

/// Names what stands at the start of these bytes; truncation and what follows do not matter.
pub fn kind(bytes: &[u8]) -> Kind {
    kind_of_sequence(bytes).unwrap_or(Kind::Unknown)
}

fn kind_of_sequence(bytes: &[u8]) -> Option<Kind> {
    let outer = see(bytes).filter(|outer| outer.tag == SEQUENCE)?;
    let first = see(outer.content)?;
    match first.tag {
        OID if first.content.starts_with(PKCS7) => Some(Kind::Cms),
        INTEGER => kind_after_integer(&first),
        SEQUENCE => kind_after_sequence(&first),
        _ => None,
    }
}

fn kind_after_integer(first: &Seen<'_>) -> Option<Kind> {
    let second = see(first.rest)?;
    match (first.content, second.tag) {
        ([3], SEQUENCE) => Some(Kind::Pkcs12),
        ([0 | 1], SEQUENCE) if see(second.rest)?.tag == OCTET_STRING => Some(Kind::Pkcs8),
        ([1], OCTET_STRING) => Some(Kind::EcPrivateKey),
        ([0 | 1], INTEGER) => Some(Kind::RsaPrivateKey),
        _ => None,
    }
}

fn kind_after_sequence(first: &Seen<'_>) -> Option<Kind> {
    let inner = see(first.content)?;
    match inner.tag {
        VERSION_OF_CERTIFICATE => Some(Kind::Certificate),
        OID => match see(first.rest)?.tag {
            BIT_STRING => Some(Kind::PublicKey),
            OCTET_STRING if inner.content.starts_with(PKCS) => Some(Kind::EncryptedPkcs8),
            _ => None,
        },
        // A list of messages, each with a number; or a CRL of version 1, which begins with an algorithm.
        SEQUENCE => match see(inner.content)?.tag {
            OID => Some(Kind::Crl),
            INTEGER => Some(Kind::Crmf),
            _ => None,
        },
        INTEGER => kind_after_version(&inner),
        _ => None,
    }
}

/// Requests have a name behind their version; CRLs and old certificates an algorithm.
fn kind_after_version(version: &Seen<'_>) -> Option<Kind> {
    let second = see(version.rest).filter(|second| second.tag == SEQUENCE)?;
    match see(second.content).map(|s| s.tag) {
        None | Some(SET) => Some(Kind::Request),
        Some(OID) => {
            // CRL: issuer, thisUpdate. Certificate: issuer, validity.
            let third = see(second.rest)?;
            let fourth = see(third.rest)?;
            Some(if fourth.tag == SEQUENCE { Kind::Certificate } else { Kind::Crl })
        }
        Some(_) => None,
    }
}

/// One element, as far as its bytes reach.
struct Seen<'a> {
    tag: u8,
    /// As declared; `None` where indefinite (BER).
    length: Option<usize>,
    content: &'a [u8],
    rest: &'a [u8],
}

fn see(bytes: &[u8]) -> Option<Seen<'_>> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    if first == 0x80 {
        return Some(Seen { tag, length: None, content: bytes, rest: &[] });
    }
    let octets = usize::from(if first < 0x80 { 0 } else { first & 0x7f });
    let (length, bytes) = bytes.split_at_checked(octets)?;
    let length = match first {
        0..0x80 => usize::from(first),
        _ if octets <= 4 => length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)),
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    Some(Seen { tag, length: Some(length), content, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample;
    use crate::text::unhex;

    #[test]
    fn objects_are_told_apart() {
        let cases = [
            ("300a 300802010030003003 0600", Kind::Request),
            ("3009 3007a00302010202 01", Kind::Certificate),
            ("3013 3011 020105 3002 0600 3000 3006 1700 1700", Kind::Certificate),
            ("300f 300d 020101 3002 0600 3000 170230 30", Kind::Crl),
            ("3006 3004 3002 0600", Kind::Crl),
            ("300b 3009 3007 020100 3002 a500", Kind::Crmf),
            ("300d 0609 2a864886f70d010702 a000", Kind::Cms),
            ("302a 3005 0603 2b6570 0321 00", Kind::PublicKey),
            ("3009 0202 00ff 0203 010001", Kind::Unknown),
            ("302e 020100 3005 0603 2b6570 0422 0420", Kind::Pkcs8),
            ("3010 300b 0609 2a864886f70d01050d 0401 00", Kind::EncryptedPkcs8),
            ("3009 020100 0201 23 0201 03", Kind::RsaPrivateKey),
            ("3077 020101 0420", Kind::EcPrivateKey),
            ("3080 020103 3080 0609", Kind::Pkcs12),
            ("3003 020101", Kind::Unknown),
            ("0403 020101", Kind::Unknown),
            ("", Kind::Unknown),
            ("3085 0102030405", Kind::Unknown),
        ];
        for (hex, wanted) in cases {
            assert_eq!(kind(&unhex(hex).unwrap()), wanted, "{hex}");
        }
        assert_eq!(kind(&sample::ed25519(&[])), Kind::Request);
    }

    #[test]
    fn text_is_not_asn1() {
        for text in ["0", "09010101010101", "0a0b0c", "30 80 02 01", "0\n", "hello", ""] {
            assert!(!is_asn1(text.as_bytes()), "{text}");
        }
        let request = sample::ed25519(&[]);
        assert!(is_asn1(&request));
        assert!(is_asn1(&request[..40]), "cut off");
        assert!(is_asn1(b"\x30\x80\x02\x01\x03"), "BER");
    }
}
