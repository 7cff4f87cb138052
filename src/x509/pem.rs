//! PEM (RFC 7468) in one form alone: 64 columns, one newline at the end, always the same bytes.

use crate::text::{base64, unbase64};

const CRL: &str = "X509 CRL";
const CERTIFICATE: &str = "CERTIFICATE";

/// PEM of one DER object.
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = base64(der);
    let mut out = String::with_capacity(body.len() + body.len() / 64 + 128);
    out.extend(["-----BEGIN ", label, "-----\n"]);
    for line in body.as_bytes().chunks(64) {
        out.push_str(str::from_utf8(line).unwrap_or_default());
        out.push('\n');
    }
    out.extend(["-----END ", label, "-----\n"]);
    out
}

/// PEM of a certificate.
pub fn certificate(der: &[u8]) -> String {
    encode(CERTIFICATE, der)
}

/// PEM of a CRL.
pub fn crl(der: &[u8]) -> String {
    encode(CRL, der)
}

/// The CRLs of a PEM file that was written here; nothing where anything else is in it.
pub fn crls(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    decode(CRL, bytes)
}

/// The certificate of a PEM file that was written here; nothing where anything else is in it.
pub fn decode_certificate(bytes: &[u8]) -> Option<Vec<u8>> {
    let [only] = <[Vec<u8>; 1]>::try_from(decode(CERTIFICATE, bytes)?).ok()?;
    Some(only)
}

fn decode(label: &str, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (begin, end) = (format!("-----BEGIN {label}-----\n"), format!("-----END {label}-----\n"));
    let decode = |block: &str| {
        let body = block.strip_prefix(&begin)?.strip_suffix(&end)?;
        let der = unbase64(&body.replace('\n', ""))?;
        (!der.is_empty() && encode(label, &der) == block).then_some(der)
    };
    std::str::from_utf8(bytes).ok()?.split_inclusive(&end).map(decode).collect()
}
