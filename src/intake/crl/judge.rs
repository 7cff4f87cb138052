//! The rules for a CRL that was signed before its CA's certificate: each is judged,
//! whatever the others find.

use const_oid::{AssociatedOid as _, ObjectIdentifier};
use der::Encode as _;
use der::asn1::OctetString;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};

use super::{AGAIN, ReceivedCrl};
use crate::finding::{Finding, Outcome};
use crate::intake::possession;
use crate::text::hex;
use crate::x509::{Name, PublicKey, Seconds, Time};

/// What a CRL is judged against: its CA's certificate, as it is or will be.
#[derive(Debug, Clone, Copy)]
pub struct CrlOf<'a> {
    /// The CA's subject, byte for byte.
    pub subject: &'a Name,
    /// The CA's key.
    pub public_key: &'a PublicKey,
    /// The CA's subject key identifier.
    pub key_id: &'a [u8],
    /// The last second of the CA's certificate.
    pub not_after: Time,
    /// The time of the decision.
    pub now: Time,
}

/// One rule for CRLs.
#[derive(Debug, Clone, Copy)]
pub struct CrlRule {
    /// Stable, e.g. `crl.signature`.
    pub id: &'static str,
    /// The demand, in one sentence.
    pub summary: &'static str,
    /// The standard behind it.
    pub reference: &'static str,
    check: fn(&ReceivedCrl, &CrlOf<'_>) -> Verdict,
}

/// Whether it holds, what was found, what is wanted.
struct Verdict {
    holds: bool,
    found: String,
    wanted: String,
}

fn verdict(holds: bool, found: impl Into<String>, wanted: impl Into<String>) -> Verdict {
    Verdict { holds, found: found.into(), wanted: wanted.into() }
}

const fn rule(
    id: &'static str,
    check: fn(&ReceivedCrl, &CrlOf<'_>) -> Verdict,
    reference: &'static str,
    summary: &'static str,
) -> CrlRule {
    CrlRule { id, summary, reference, check }
}

/// Every rule for CRLs, in the order of evaluation.
#[rustfmt::skip]
pub const CRL_RULES: [CrlRule; 9] = [
    rule("crl.signature", signature, "RFC 5280 §5.1.1.3", "the cluster's CRL is signed by the request's own key"),
    rule("crl.issuer", issuer, "RFC 5280 §5.1.2.3", "the CRL's issuer is the request's subject, byte for byte"),
    rule("crl.authority-key-id", authority_key_id, "RFC 5280 §5.2.1", "the CRL names the key identifier that the certificate gets, and nothing beside"),
    rule("crl.version", version, "RFC 5280 §5.1.2.1", "the CRL is of version 2"),
    rule("crl.extensions", extensions, "RFC 5280 §5.2", "the CRL has an authority key identifier and a number and no other extension, none critical"),
    rule("crl.entries", entries, "RFC 5280 §5.1.2.6", "the CRL revokes nothing"),
    rule("crl.number", number, "RFC 5280 §5.2.3", "the CRL's number leaves room for higher ones"),
    rule("crl.this-update", this_update, "RFC 5280 §5.1.2.4", "the CRL is not from the future"),
    rule("crl.next-update", next_update, "RFC 5280 §5.1.2.5", "the CRL outlasts the certificate: where one has run out, Envoy refuses everybody"),
];

/// For clocks that run ahead.
const AHEAD: Seconds = Seconds(300);

/// All that the rules find, whether it holds or not, in the order of [`CRL_RULES`].
pub fn judge_crl(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Vec<Finding> {
    CRL_RULES.iter().map(|rule| rule.judge(crl, of)).collect()
}

impl CrlRule {
    fn judge(&self, crl: &ReceivedCrl, of: &CrlOf<'_>) -> Finding {
        let Verdict { holds, found, wanted } = (self.check)(crl, of);
        let (outcome, next) = if holds {
            (Outcome::Pass, String::new())
        } else {
            (Outcome::Refused, format!("; have the cluster make it again: {AGAIN}"))
        };
        let message = format!("{}: {}: found {found}, want {wanted}{next}", crl.file, self.summary);
        Finding::new(self.id, outcome, self.reference, message, found, wanted)
    }
}

fn signature(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Verdict {
    let list = &crl.list;
    let wanted = format!("a signature of the {} key {}", of.public_key.algorithm(), of.public_key.digest());
    if list.algorithm != list.tbs.signature {
        return verdict(false, "one signature algorithm inside and another outside", wanted);
    }
    let Ok(signed) = list.tbs.to_der() else { return verdict(false, "what cannot be encoded", wanted) };
    match possession::signed_by(of.public_key, &list.algorithm, &signed, list.signature.as_bytes()) {
        Ok(name) => verdict(true, name, wanted),
        Err(why) => verdict(false, why, wanted),
    }
}

fn issuer(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Verdict {
    let same = crl.issuer == *of.subject;
    let alike =
        if !same && crl.issuer.to_string() == of.subject.to_string() { ", in another encoding" } else { "" };
    verdict(same, format!("{}{alike}", crl.issuer), of.subject.to_string())
}

fn authority_key_id(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Verdict {
    let found = crl.list.extension(AuthorityKeyIdentifier::OID);
    let key_identifier = OctetString::new(of.key_id).ok();
    let wanted = AuthorityKeyIdentifier {
        key_identifier,
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let shown = match &crl.key_id {
        _ if found.is_empty() => "none".into(),
        Some(id) if id == of.key_id => format!("{} with more beside or in another form", hex(id)),
        Some(id) => hex(id),
        None => hex(found),
    };
    let same = wanted.to_der().is_ok_and(|wanted| wanted == found);
    verdict(same, if same { hex(of.key_id) } else { shown }, hex(of.key_id))
}

fn version(crl: &ReceivedCrl, _: &CrlOf<'_>) -> Verdict {
    let found = crl.list.tbs.version.map_or(1, |v| u16::from(v) + 1);
    verdict(found == 2 && crl.list.tbs.version.is_some(), format!("version {found}"), "version 2")
}

fn extensions(crl: &ReceivedCrl, _: &CrlOf<'_>) -> Verdict {
    let all: Vec<_> = crl.list.tbs.extensions.iter().flatten().collect();
    let mut kinds: Vec<ObjectIdentifier> = all.iter().map(|e| e.extn_id).collect();
    let listed: Vec<String> =
        all.iter().map(|e| format!("{}{}", e.extn_id, if e.critical { " critical" } else { "" })).collect();
    kinds.sort_unstable();
    let sound = kinds == [CrlNumber::OID, AuthorityKeyIdentifier::OID] && !all.iter().any(|e| e.critical);
    let found = if listed.is_empty() { "none".into() } else { listed.join(", ") };
    verdict(sound, found, "2.5.29.35 (authority key identifier) and 2.5.29.20 (CRL number)")
}

fn entries(crl: &ReceivedCrl, _: &CrlOf<'_>) -> Verdict {
    match &crl.list.tbs.revoked {
        None => verdict(true, "no entry", "no entry"),
        Some(list) if list.is_empty() => verdict(false, "an empty list of entries", "no list at all"),
        Some(list) => verdict(false, format!("{} entries", list.len()), "no entry"),
    }
}

fn number(crl: &ReceivedCrl, _: &CrlOf<'_>) -> Verdict {
    let wanted = "0 to 2^63 - 1";
    match crl.number {
        Some(number) => verdict(number >> 63 == 0, number.to_string(), wanted),
        None => match crl.list.extension(CrlNumber::OID) {
            [] => verdict(false, "none", wanted),
            other => verdict(false, format!("DER {}", hex(other)), wanted),
        },
    }
}

fn this_update(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Verdict {
    let latest = of.now + AHEAD;
    let wanted = format!("{latest} at the latest, if this clock is right");
    verdict(crl.this_update <= latest, crl.this_update.to_string(), wanted)
}

fn next_update(crl: &ReceivedCrl, of: &CrlOf<'_>) -> Verdict {
    let earliest = of.not_after.max(crl.this_update + Seconds(1));
    let wanted = format!("{earliest} or later");
    match crl.next_update {
        Some(found) => verdict(found >= earliest, found.to_string(), wanted),
        None => verdict(false, "none", wanted),
    }
}
