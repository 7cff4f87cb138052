//! Writing PEM (RFC 7468): 64 columns, one newline at the end, always the same bytes.

use base64ct::{Base64, Encoding as _};

/// PEM of one DER object.
pub fn encode(label: &str, der: &[u8]) -> String {
    let body = Base64::encode_string(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        out.push_str(std::str::from_utf8(line).unwrap_or_default());
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// PEM of a certificate.
pub fn certificate(der: &[u8]) -> String {
    encode("CERTIFICATE", der)
}
