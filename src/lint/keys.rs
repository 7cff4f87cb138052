//! Lints of the subject's public key (RFC 3279 §2.3, RFC 5480, RFC 8410,
//! RFC 9881) and of
//! the identifiers made from it.

use aws_lc_rs::{digest, signature};
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::public_key::RSAPublicKey;

use super::asn1;
use super::{CertificateKind, Context, Verdict, problem};
use crate::text::hex;

/// Each kind of key with its AlgorithmIdentifier's one DER encoding.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
const ML_DSA_65: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12";
const ML_DSA_87: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13";

/// NIST SP 800-131A: no RSA modulus below this.
const RSA_BITS: usize = 2048;

pub(super) fn algorithm(context: &Context<'_>) -> Verdict {
    let (identifier, _) = split(context)?;
    if [RSA, P256, P384, ED25519, ML_DSA_65, ML_DSA_87].contains(&identifier) {
        return Ok(());
    }
    problem(
        format!("AlgorithmIdentifier {}", hex(identifier)),
        "rsaEncryption with NULL parameters, P-256 or P-384 by name, Ed25519, ML-DSA-65 or ML-DSA-87",
    )
}

pub(super) fn encoding(context: &Context<'_>) -> Verdict {
    let (identifier, bits) = split(context)?;
    let sound = match (identifier, bits) {
        // Parsing finds the point on the curve, or says that it is not.
        (P256, [0x04, ..]) => parses(&signature::ECDSA_P256_SHA256_ASN1, bits),
        (P384, [0x04, ..]) => parses(&signature::ECDSA_P384_SHA384_ASN1, bits),
        (ED25519, bits) => parses(&signature::ED25519, bits),
        (ML_DSA_65, bits) => parses(&signature::ML_DSA_65, bits),
        (ML_DSA_87, bits) => parses(&signature::ML_DSA_87, bits),
        (RSA, bits) => asn1::members(bits, 0x30)
            .is_ok_and(|numbers| asn1::check(bits).is_ok() && matches!(tags(&numbers).as_slice(), [2, 2])),
        (P256 | P384, _) => false,
        // An unknown kind is refused by the lint of the algorithm.
        _ => true,
    };
    if sound {
        return Ok(());
    }
    problem(
        hex(bits),
        "an uncompressed point on the curve, the bytes of Ed25519 or ML-DSA, or a DER RSAPublicKey",
    )
}

pub(super) fn rsa_modulus(context: &Context<'_>) -> Verdict {
    let Some(Rsa { modulus, .. }) = rsa(context)? else { return Ok(()) };
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
    let odd = modulus.last().is_some_and(|b| b % 2 == 1);
    if bits >= RSA_BITS && odd {
        return Ok(());
    }
    problem(
        format!("an {} modulus of {bits} bits", if odd { "odd" } else { "even" }),
        format!("an odd one of at least {RSA_BITS}"),
    )
}

pub(super) fn rsa_exponent(context: &Context<'_>) -> Verdict {
    let Some(Rsa { exponent, .. }) = rsa(context)? else { return Ok(()) };
    let odd = exponent.last().is_some_and(|b| b % 2 == 1);
    if odd && (3..=32).contains(&exponent.len()) {
        return Ok(());
    }
    problem(hex(&exponent), "an odd exponent above 2^16 and below 2^256")
}

pub(super) fn key_is_not_issuers(context: &Context<'_>) -> Verdict {
    match (context.kind, context.issuer) {
        (CertificateKind::Root, _) => Ok(()),
        (_, Some(issuer)) if issuer.public_key.as_der() == context.view.key => {
            problem("the issuer's own key", "a key of the subject's own")
        }
        (_, Some(_)) => Ok(()),
        (_, None) => problem("no issuer to compare with", "an issuer"),
    }
}

pub(super) fn subject_key_id(context: &Context<'_>) -> Verdict {
    let (_, bits) = split(context)?;
    let sha256 = digest::digest(&digest::SHA256, bits);
    let rfc7093 = sha256.as_ref().get(..20).unwrap_or_default();
    let rfc5280 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bits);
    match context.view.subject_key_id() {
        Some(id) if id == rfc7093 || id == rfc5280.as_ref() => Ok(()),
        found => problem(
            found.map_or("none".into(), hex),
            format!("{} (RFC 7093 method 1) or {} (RFC 5280 method 1)", hex(rfc7093), hex(rfc5280.as_ref())),
        ),
    }
}

pub(super) fn authority_key_id(context: &Context<'_>) -> Verdict {
    let found = context.view.authority_key_id();
    let wanted = match (context.kind, context.issuer) {
        (CertificateKind::Root, _) if found.is_none() => return Ok(()),
        (CertificateKind::Root, _) => context.view.subject_key_id().unwrap_or_default(),
        (_, Some(issuer)) => issuer.key_id.as_slice(),
        (_, None) => return problem("no issuer to compare with", "an issuer"),
    };
    let key_id = found.and_then(|aki| aki.key_identifier.as_ref()).map(|id| id.0);
    let alone = found.is_some_and(|a| a.authority_cert_issuer.is_none() && a.authority_cert_serial.is_none());
    if key_id == Some(wanted) && alone {
        return Ok(());
    }
    let found = match key_id {
        Some(id) if alone => hex(id),
        Some(id) => format!("{} beside issuer and serial", hex(id)),
        None => "none".into(),
    };
    problem(found, format!("{}, the signer's subjectKeyIdentifier, alone", hex(wanted)))
}

/// The AlgorithmIdentifier's DER and the key's bits.
fn split<'a>(context: &'a Context<'_>) -> Result<(&'a [u8], &'a [u8]), super::Problem> {
    let parts = asn1::members(context.view.key, 0x30).unwrap_or_default();
    match parts.as_slice() {
        [identifier, bits] if identifier.tag == 0x30 && bits.tag == 0x03 => match bits.content {
            [0, bits @ ..] => Ok((identifier.raw, bits)),
            _ => problem("a key that does not end at a byte", "whole bytes"),
        },
        _ => problem(hex(context.view.key), "algorithm and subjectPublicKey alone"),
    }
}

/// An RSA key's numbers, without leading zeros.
struct Rsa {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// The numbers of an RSA key that can be read.
fn rsa(context: &Context<'_>) -> Result<Option<Rsa>, super::Problem> {
    let (identifier, bits) = split(context)?;
    if identifier != RSA {
        return Ok(None);
    }
    let plain = |number: &[u8]| number.iter().copied().skip_while(|b| *b == 0).collect();
    let parsed = RSAPublicKey::from_der(bits).ok();
    Ok(parsed.map(|(_, key)| Rsa { modulus: plain(key.modulus), exponent: plain(key.exponent) }))
}

fn parses(algorithm: &'static dyn signature::VerificationAlgorithm, bits: &[u8]) -> bool {
    signature::ParsedPublicKey::new(algorithm, bits).is_ok()
}

fn tags(elements: &[asn1::Element<'_>]) -> Vec<u8> {
    elements.iter().map(|e| e.tag).collect()
}
