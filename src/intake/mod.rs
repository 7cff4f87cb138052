//! Every form a request arrives in, and the proof that its sender holds the key; and
//! the CRLs that come with requests.
//!
//! Pure: bytes in, [`Request`]s and [`ReceivedCrl`]s out. What the request *wishes* is kept apart as
//! [`Claims`]; nothing of it is granted here.

mod claims;
pub(crate) mod crl;
mod keycheck;
mod object;
pub(crate) mod pem;
mod pkcs10;
mod possession;
mod pss;
mod request;
mod roca;
mod rsa;
mod rules;
#[cfg(test)]
mod sample;
mod secrets;
mod sender;
mod sniff;
mod strict;

use crate::finding::{Finding, Outcome};
use crate::x509::Digest;

pub use crl::{CRL_RULES, CrlOf, CrlRule, ReceivedCrl, attach, judge_crl, pair};
pub use keycheck::check as check_key;
pub use object::{Object, ObjectKind, Usage, is_kind, within};
pub use request::{BasicConstraintsClaim, Claims, Request};
pub use rules::RULES;
pub use secrets::{advice, find_private_key};
pub use sender::{NAMESPACE, SUFFIX, Sender, Signed, attribute, is_signature};

/// What one file, or one block of it, turned out to be.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A request that could be read; its findings say whether it is sound.
    Request(Box<Request>),
    /// A CRL that could be read; [`pair`] says whose it is, [`judge_crl`] whether it is sound.
    Crl(Box<ReceivedCrl>),
    /// Something that stands where a request belongs and cannot be taken for one.
    Unusable {
        /// As in [`Request::file`].
        file: String,
        /// SHA-256 over the object's DER, or over the whole file where that cannot be had.
        digest: Digest,
        /// Why; its outcome is [`Outcome::Refused`].
        finding: Finding,
    },
    /// Nothing of interest: no PEM and no ASN.1.
    Nothing {
        /// The path.
        file: String,
    },
}

/// Blocks that belong beside requests and are no business of intake: a sender's signatures.
const PASSED_OVER: [&str; 2] = ["SSH SIGNATURE", "PGP SIGNATURE"];

/// The PEM label of a CRL (RFC 7468 §6).
const CRL: &str = "X509 CRL";

/// Reads one file. `file` is its path, already fit for a terminal; what the file
/// is called decides nothing, only what it holds.
pub fn read(file: &str, bytes: &[u8]) -> Vec<Arrival> {
    let whole = |finding| vec![Arrival::Unusable { file: file.into(), digest: Digest::of(bytes), finding }];
    if sniff::is_asn1(bytes) {
        return vec![match sniff::kind(bytes) {
            sniff::Kind::Crl => crl::read(file.into(), bytes),
            _ => pkcs10::read(file.into(), bytes),
        }];
    }
    if holds_utf16(bytes) {
        return whole(utf16());
    }
    if object::is_one(bytes) { object::read(file, bytes) } else { read_pem(file, bytes) }
}

/// What can stand in a field of a document: DER or PEM, no further document.
fn read_plain(file: &str, bytes: &[u8]) -> Vec<Arrival> {
    if sniff::is_asn1(bytes) { vec![pkcs10::read(file.into(), bytes)] } else { read_pem(file, bytes) }
}

fn read_pem(file: &str, bytes: &[u8]) -> Vec<Arrival> {
    let whole = |finding| vec![Arrival::Unusable { file: file.into(), digest: Digest::of(bytes), finding }];
    let Ok(mut blocks) = pem::blocks(bytes) else { return whole(too_many()) };
    blocks.retain(|block| !PASSED_OVER.contains(&block.label.as_str()));
    if blocks.is_empty() {
        return vec![Arrival::Nothing { file: file.into() }];
    }
    let several = blocks.len() > 1;
    let name = |index| if several { format!("{file}#{}", index + 1) } else { file.to_owned() };
    blocks.into_iter().enumerate().map(|(index, block)| read_block(name(index), block, bytes)).collect()
}

fn read_block(file: String, block: pem::Block, bytes: &[u8]) -> Arrival {
    let requested = matches!(block.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST");
    match block.body {
        Ok(der) if requested => pkcs10::read(file, &der),
        Ok(der) if block.label == CRL => crl::read(file, &der),
        Err(fault) if block.label == CRL => Arrival::Unusable {
            file,
            digest: Digest::of(bytes),
            finding: crl::unreadable(&format!("its PEM block cannot be read, {fault}")),
        },
        Ok(der) => Arrival::Unusable {
            file,
            digest: Digest::of(&der),
            finding: not_a_request(of_label(&block.label)),
        },
        Err(_) if !requested && !block.label.contains("CERTIFICATE REQ") => Arrival::Unusable {
            file,
            digest: Digest::of(bytes),
            finding: not_a_request(of_label(&block.label)),
        },
        Err(fault) => Arrival::Unusable { file, digest: Digest::of(bytes), finding: damaged(&fault) },
    }
}

/// What a PEM label stands for (RFC 7468), with its article.
fn of_label(label: &str) -> String {
    let known = match label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => sniff::Kind::Certificate.describe(),
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => sniff::Kind::Cms.describe(),
        "PUBLIC KEY" | "RSA PUBLIC KEY" => sniff::Kind::PublicKey.describe(),
        l if l.ends_with("PRIVATE KEY") => "a private key",
        l if l.ends_with("PARAMETERS") => "key parameters",
        _ => return format!("a PEM block labelled '{label}'"),
    };
    known.into()
}

/// Rule `csr.kind`: only certification requests and CRLs are read.
fn not_a_request(what: String) -> Finding {
    Finding::new(
        "csr.kind",
        Outcome::Refused,
        "RFC 7468 §7",
        format!("{what}, where a certification request belongs; put the PKCS#10 request here instead"),
        what,
        "a certification request (PKCS#10)",
    )
}

/// Rule `csr.pem`: a request's PEM is whole.
fn damaged(fault: &str) -> Finding {
    Finding::new(
        "csr.pem",
        Outcome::Refused,
        "RFC 7468 §3",
        format!("the PEM block of the request cannot be read: {fault}; copy the request again, as a file"),
        fault,
        "base64 between a BEGIN and an END line with the same label",
    )
}

/// Rule `csr.count`: the work that one file can cause is bounded.
fn too_many() -> Finding {
    Finding::new(
        "csr.count",
        Outcome::Refused,
        "",
        format!("the file holds more than {} PEM blocks; split it into several files", pem::MAX_BLOCKS),
        format!("more than {}", pem::MAX_BLOCKS),
        format!("at most {}", pem::MAX_BLOCKS),
    )
}

/// Rule `csr.encoding`: PEM is ASCII.
fn utf16() -> Finding {
    Finding::new(
        "csr.encoding",
        Outcome::Refused,
        "RFC 7468 §2",
        "the file is in UTF-16, as some editors and PowerShell's '>' write it; save it as UTF-8 or ASCII",
        "UTF-16",
        "ASCII or UTF-8",
    )
}

/// PEM or an object in UTF-16.
fn holds_utf16(bytes: &[u8]) -> bool {
    if !(bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")) {
        return false;
    }
    let ascii: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
    ascii.windows(10).any(|w| w == b"-----BEGIN" || w == b"apiVersion")
}

#[cfg(test)]
mod tests;
