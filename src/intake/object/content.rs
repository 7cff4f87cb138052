//! The request within a field of a document.

use crate::finding::{Finding, Outcome};
use crate::intake::{Arrival, Request, sniff};
use crate::text::{shown, unbase64};

/// `-----BEGIN ` in base64.
const BASE64_OF_BEGIN: &[u8] = b"LS0tLS1CRUdJTi";

/// Kubernetes' objects hold the request's PEM in base64; given as well without line breaks,
/// as a cluster writes it whoever folded it on the way.
pub fn of_base64(file: &str, field: &str, text: &str) -> Result<(Request, String), Box<Finding>> {
    if text.trim_start().starts_with("-----BEGIN") {
        return Err(Box::new(wrong(
            field,
            "PEM as it is",
            "write it once more in base64: `base64 -w0 < FILE`",
        )));
    }
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes =
        unbase64(&packed).ok_or_else(|| wrong(field, "what is no base64", "export the object again"))?;
    if bytes.starts_with(BASE64_OF_BEGIN) {
        return Err(Box::new(wrong(field, "base64 of base64", "encode the PEM once: `base64 -w0 < FILE`")));
    }
    Ok((one(file, field, &bytes)?, packed))
}

/// Vault and CFSSL write PEM into a string.
pub fn of_text(file: &str, field: &str, text: &str) -> Result<Request, Box<Finding>> {
    one(file, field, text.as_bytes())
}

fn one(file: &str, field: &str, bytes: &[u8]) -> Result<Request, Box<Finding>> {
    let next = "put the PEM of one certification request there";
    let mut arrivals = crate::intake::read_plain(file, bytes).into_iter();
    match (arrivals.next(), arrivals.next()) {
        (Some(Arrival::Request(request)), None) => Ok(*request),
        (Some(Arrival::Unusable { mut finding, .. }), None) => {
            finding.message = format!("{field}: {}", finding.message);
            Err(Box::new(finding))
        }
        (Some(Arrival::Crl(_)), None) => Err(Box::new(wrong(field, sniff::Kind::Crl.describe(), next))),
        (Some(Arrival::Nothing { .. }) | None, None) => {
            Err(Box::new(wrong(field, "neither PEM nor DER", next)))
        }
        (_, Some(_)) => Err(Box::new(wrong(field, "several PEM blocks", next))),
    }
}

/// Rule `object.request`: the field holds one request.
fn wrong(field: &str, found: &str, next: &str) -> Finding {
    let wanted = "the PEM of one certification request (in base64, in Kubernetes' objects)";
    let message = format!("{field}: found {}, want {wanted}; {next}", shown(found));
    Finding::new("object.request", Outcome::Refused, "RFC 7468 §7", message, found, wanted)
}
