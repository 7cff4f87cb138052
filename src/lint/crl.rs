//! Lints of certificate revocation lists (RFC 5280 §5): complete, direct and whole,
//! with nothing in them that their readers need not know.
//!
//! Each is linear: 100,000 entries are judged as they are read.

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use std::collections::HashSet;

use super::table::{Check, Lint, bytes};
use super::validity::encoded;
use super::{Verdict, algorithm, asn1, names, problem};
use crate::finding::Finding;
use crate::text::hex;
use crate::x509::{Issuer, Seconds, SignatureAlgorithm, Time};
use view::{Entry, Extension, View};

/// What a lint of CRLs may look at.
pub(super) struct Context<'a> {
    view: View<'a>,
    signature: SignatureAlgorithm,
    issuer: &'a Issuer,
}

const fn list(
    id: &'static str,
    check: fn(&Context<'_>) -> Verdict,
    reference: &'static str,
    summary: &'static str,
) -> Lint {
    Lint { id, summary, reference, warns: false, check: Check::Crl(check) }
}

/// Every lint of CRLs, in the order in which they speak.
#[rustfmt::skip]
pub const CRL_LINTS: &[Lint] = &[
    bytes("lint.crl.der", der, "X.690 §10, §11", "the encoding is canonical DER"),
    bytes("lint.crl.parse", parse, "RFC 5280 §5.1", "every byte belongs to a field of TBSCertList"),
    list("lint.crl.version", version, "RFC 5280 §5.1.2.1", "the version is 2"),
    list("lint.crl.signature", signature, "RFC 5280 §5.1.2.2", "the signature algorithm is encoded exactly and fits the issuer's key"),
    list("lint.crl.issuer", issuer, "RFC 5280 §5.1.2.3, §6.3.3 (b)", "the issuer is the CA's subject byte for byte"),
    list("lint.crl.key-usage", key_usage, "RFC 5280 §4.2.1.3, §6.3.3 (f)", "the CA may sign CRLs"),
    list("lint.crl.next-update", next_update, "RFC 5280 §5.1.2.5", "nextUpdate is there and after thisUpdate"),
    list("lint.crl.time", times, "RFC 5280 §5.1.2.4, §5.1.2.5", "times switch from UTCTime to GeneralizedTime in 2050"),
    list("lint.crl.entries.empty", empty, "RFC 5280 §5.1.2.6", "an empty list of entries is left out"),
    list("lint.crl.entry.serial", serial, "RFC 5280 §4.1.2.2, §5.1.2.6", "serial numbers are positive, of at most 20 octets"),
    list("lint.crl.entry.duplicate", entry_twice, "RFC 5280 §5.1.2.6", "no serial number is listed twice"),
    list("lint.crl.entry.time", entry_time, "RFC 5280 §5.1.2.4, §5.1.2.6", "revocation dates switch from UTCTime to GeneralizedTime in 2050"),
    list("lint.crl.entry.date", entry_date, "RFC 5280 §5.1.2.6", "nothing is revoked after the CRL was made"),
    list("lint.crl.entry.extensions", entry_extensions, "RFC 5280 §5.3", "entries have reason and invalidity date, each once or not, and neither critical"),
    list("lint.crl.entry.reason", entry_reason, "RFC 5280 §5.3.1", "reasons are for a CA's certificate on a complete CRL, and 'unspecified' is left out"),
    list("lint.crl.entry.invalidity-date", invalidity_date, "RFC 5280 §5.3.2", "invalidity dates are GeneralizedTime"),
    list("lint.crl.extension.duplicate", extension_twice, "RFC 5280 §4.2", "no extension comes twice"),
    list("lint.crl.extension.known", extension_known, "RFC 5280 §5.2", "authority key identifier and CRL number are there and nothing else: no issuing distribution point, no delta"),
    list("lint.crl.extension.criticality", criticality, "RFC 5280 §5.2.1, §5.2.3, X.690 §11.5", "no extension is critical, and the default is left out"),
    list("lint.crl.authority-key-id", authority_key_id, "RFC 5280 §5.2.1", "the authority key identifier is the CA's key identifier alone"),
    list("lint.crl.number", number, "RFC 5280 §5.2.3", "the CRL number is not negative, of at most 20 octets"),
];

const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
const REASON_CODE: &[u8] = &[0x55, 0x1d, 0x15];
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 0x18];

/// thisUpdate is dated back like a certificate's notBefore, by which a policy may
/// mean a day; what is revoked at that very moment is dated later than it.
const BACKDATED: Seconds = Seconds::DAY;

/// All that the lints find wrong with these bytes, in the order of [`CRL_LINTS`].
pub(crate) fn findings(der: &[u8], signature: SignatureAlgorithm, issuer: &Issuer) -> Vec<Finding> {
    match View::parse(der) {
        Ok(view) => judge(view, signature, issuer),
        Err(_) => CRL_LINTS.iter().filter_map(|l| l.judge_bytes(der)).collect(),
    }
}

/// As [`findings`], of what is read already.
pub(crate) fn judge(view: View<'_>, signature: SignatureAlgorithm, issuer: &Issuer) -> Vec<Finding> {
    let context = Context { view, signature, issuer };
    CRL_LINTS.iter().filter_map(|l| l.judge_crl(&context)).collect()
}

fn der(bytes: &[u8]) -> Verdict {
    asn1::check(bytes).or_else(|e| problem(e, "canonical DER without trailing bytes"))
}

fn parse(bytes: &[u8]) -> Verdict {
    View::parse(bytes).map(|_| ()).or_else(|e| problem(e, "the fields of a TBSCertList and nothing else"))
}

fn version(context: &Context<'_>) -> Verdict {
    match context.view.version {
        [1] => Ok(()),
        [] => problem("no version field, which means 1", "version 2"),
        other => problem(format!("version field '{}'", hex(other)), "version 2"),
    }
}

fn signature(context: &Context<'_>) -> Verdict {
    if algorithm::from_der(context.view.signature) != Some(context.signature) {
        return problem(
            hex(context.view.signature),
            format!("the AlgorithmIdentifier of {}", context.signature.describe()),
        );
    }
    let key = context.issuer.public_key.algorithm();
    if algorithm::fits(context.signature, key) {
        return Ok(());
    }
    problem(context.signature.describe(), format!("an algorithm that the CA's {key} key can sign with"))
}

fn issuer(context: &Context<'_>) -> Verdict {
    let (found, wanted) = (context.view.issuer, context.issuer.subject.as_der());
    if found == wanted {
        return Ok(());
    }
    problem(names::name(found), format!("the CA's subject byte for byte: {}", names::name(wanted)))
}

fn key_usage(context: &Context<'_>) -> Verdict {
    if context.issuer.crl_sign {
        return Ok(());
    }
    problem("a CA's certificate without cRLSign", "cRLSign in its key usage")
}

fn next_update(context: &Context<'_>) -> Verdict {
    let (_, this_update) = context.view.this_update;
    match context.view.next_update {
        Some((_, next_update)) if next_update > this_update => Ok(()),
        Some((_, next_update)) => problem(next_update.to_string(), format!("a time after {this_update}")),
        None => problem("no nextUpdate", "a time until which the CRL holds"),
    }
}

fn times(context: &Context<'_>) -> Verdict {
    encoded(context.view.this_update)?;
    context.view.next_update.map_or(Ok(()), encoded)
}

fn empty(context: &Context<'_>) -> Verdict {
    match &context.view.revoked {
        Some(list) if list.is_empty() => problem("an empty list", "none"),
        _ => Ok(()),
    }
}

fn serial(context: &Context<'_>) -> Verdict {
    each(context, |entry| match entry.serial_number() {
        Some(_) => Ok(()),
        None => problem(hex(entry.serial), "a positive number of at most 20 octets"),
    })
}

fn entry_twice(context: &Context<'_>) -> Verdict {
    let mut seen = HashSet::new();
    match context.view.entries().iter().find(|e| !seen.insert(e.serial)) {
        Some(twice) => problem(format!("{} twice", hex(twice.serial)), "each serial number once"),
        None => Ok(()),
    }
}

fn entry_time(context: &Context<'_>) -> Verdict {
    each(context, |entry| encoded(entry.date))
}

fn entry_date(context: &Context<'_>) -> Verdict {
    let last: Time = context.view.this_update.1 + BACKDATED;
    each(context, |entry| match entry.date.1 {
        date if date <= last => Ok(()),
        date => problem(date.to_string(), format!("{last} at the latest, a day after thisUpdate")),
    })
}

fn entry_extensions(context: &Context<'_>) -> Verdict {
    each(context, |entry| {
        let kinds: Vec<&[u8]> = entry.extensions().iter().map(|e| e.oid).collect();
        let sound = match kinds.as_slice() {
            [] => entry.extensions.is_none(),
            [one] => [REASON_CODE, INVALIDITY_DATE].contains(one),
            [REASON_CODE, INVALIDITY_DATE] | [INVALIDITY_DATE, REASON_CODE] => true,
            _ => false,
        };
        let wanted = "reasonCode and invalidityDate (2.5.29.21, 2.5.29.24) or one of them";
        match entry.extensions().iter().find(|e| e.critical.is_some()) {
            _ if !sound => problem(format!("extensions {}", oids(entry.extensions())), wanted),
            Some(marked) => {
                problem(format!("criticality of {}", hex(marked.oid)), "none, which is the default")
            }
            None => Ok(()),
        }
    })
}

fn entry_reason(context: &Context<'_>) -> Verdict {
    each_extension(context, REASON_CODE, |value| match value {
        [0x0a, 0x01, 1..=5 | 9] => Ok(()),
        other => problem(hex(other), "an ENUMERATED reason: 1 to 5, or 9"),
    })
}

fn invalidity_date(context: &Context<'_>) -> Verdict {
    each_extension(context, INVALIDITY_DATE, |value| match asn1::check(value) {
        Ok(()) if value.first() == Some(&0x18) => Ok(()),
        _ => problem(hex(value), "a GeneralizedTime"),
    })
}

fn extension_twice(context: &Context<'_>) -> Verdict {
    let mut seen = HashSet::new();
    match context.view.extensions.iter().find(|e| !seen.insert(e.oid)) {
        Some(twice) => problem(format!("{} twice", hex(twice.oid)), "each type once"),
        None => Ok(()),
    }
}

fn extension_known(context: &Context<'_>) -> Verdict {
    let wanted = [AUTHORITY_KEY_ID, CRL_NUMBER];
    let found = &context.view.extensions;
    let missing = wanted.iter().any(|oid| context.view.extension(oid).is_none());
    if !missing && found.iter().all(|e| wanted.contains(&e.oid)) {
        return Ok(());
    }
    problem(
        format!("extensions {}", oids(found)),
        "authorityKeyIdentifier and cRLNumber (2.5.29.35, 2.5.29.20)",
    )
}

fn criticality(context: &Context<'_>) -> Verdict {
    match context.view.extensions.iter().find(|e| e.critical.is_some()) {
        Some(marked) => problem(format!("criticality of {}", hex(marked.oid)), "none, which is the default"),
        None => Ok(()),
    }
}

fn authority_key_id(context: &Context<'_>) -> Verdict {
    let wanted = asn1::write(0x30, &asn1::write(0x80, &context.issuer.key_id));
    match context.view.extension(AUTHORITY_KEY_ID) {
        Some(found) if found != wanted => problem(
            hex(found),
            format!(
                "the key identifier {} and nothing beside: {}",
                hex(&context.issuer.key_id),
                hex(&wanted)
            ),
        ),
        // That it is missing is said by another lint.
        _ => Ok(()),
    }
}

fn number(context: &Context<'_>) -> Verdict {
    let Some(value) = context.view.extension(CRL_NUMBER) else { return Ok(()) };
    match asn1::check(value).and_then(|()| asn1::only(value)) {
        Ok(number) if number.tag == 0x02 && number.content.len() <= 20 && number.content < &[0x80][..] => {
            Ok(())
        }
        _ => problem(hex(value), "an INTEGER of 0 or more, of at most 20 octets"),
    }
}

/// The first entry that does not hold, by its serial number.
fn each(context: &Context<'_>, check: impl Fn(&Entry<'_>) -> Verdict) -> Verdict {
    context.view.entries().iter().try_for_each(|entry| {
        check(entry).map_err(|p| super::Problem {
            found: format!("{} in the entry of {}", p.found, hex(entry.serial)),
            ..p
        })
    })
}

fn each_extension(context: &Context<'_>, oid: &[u8], check: impl Fn(&[u8]) -> Verdict) -> Verdict {
    each(context, |entry| entry.extensions().iter().filter(|e| e.oid == oid).try_for_each(|e| check(e.value)))
}

fn oids(extensions: &[Extension<'_>]) -> String {
    match extensions {
        [] => "none".into(),
        _ => extensions.iter().map(|e| hex(e.oid)).collect::<Vec<_>>().join(", "),
    }
}
