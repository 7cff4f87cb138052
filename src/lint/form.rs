//! Lints of form: encoding, version, serial number, signature algorithm.

use super::view::View;
use super::{CertificateKind, Context, Verdict, algorithm, asn1, problem};
use crate::text::hex;

/// Below this many octets a serial cannot hold 64 bits from a CSPRNG.
const SERIAL_OCTETS: usize = 8;

pub(super) fn der(bytes: &[u8]) -> Verdict {
    asn1::check(bytes).or_else(|e| problem(e, "canonical DER without trailing bytes"))
}

pub(super) fn parse(bytes: &[u8]) -> Verdict {
    View::parse(bytes).map(|_| ()).or_else(|e| problem(e, "the fields of a TBSCertificate and nothing else"))
}

pub(super) fn version(context: &Context<'_>) -> Verdict {
    if context.view.is_v3() {
        return Ok(());
    }
    problem(format!("version field '{}'", hex(context.view.version)), "version 3")
}

pub(super) fn serial(context: &Context<'_>) -> Verdict {
    match context.view.serial_number() {
        Some(_) => Ok(()),
        None => problem(hex(context.view.serial), "a positive number of at most 20 octets"),
    }
}

pub(super) fn serial_entropy(context: &Context<'_>) -> Verdict {
    let length = context.view.serial_number().map_or(0, |s| s.as_bytes().len());
    if length >= SERIAL_OCTETS {
        return Ok(());
    }
    problem(format!("{length} octets"), format!("at least {SERIAL_OCTETS} octets of randomness"))
}

pub(super) fn signature(context: &Context<'_>) -> Verdict {
    let found = algorithm::from_der(context.view.signature);
    if found != Some(context.signature) {
        return problem(
            hex(context.view.signature),
            format!("the AlgorithmIdentifier of {}", context.signature.describe()),
        );
    }
    let signer = match context.kind {
        CertificateKind::Root => context.view.public_key().map(|key| key.algorithm()),
        CertificateKind::Intermediate | CertificateKind::Journal => {
            context.issuer.map(|i| i.public_key.algorithm())
        }
    };
    match signer {
        Some(key) if algorithm::fits(context.signature, key) => Ok(()),
        Some(key) => problem(
            context.signature.describe(),
            format!("an algorithm that the signer's {key} key can sign with"),
        ),
        None => problem("no signer", "a signer whose key is known"),
    }
}

pub(super) fn unique_ids(context: &Context<'_>) -> Verdict {
    if context.view.unique_ids { problem("a unique identifier", "none") } else { Ok(()) }
}
