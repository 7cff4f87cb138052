//! A signed CRL, verified before it may leave, and whenever it is read again.

use x509_parser::extensions::ParsedExtension;
use x509_parser::revocation_list::RevokedCertificate;
use x509_parser::x509::ReasonCode;

use super::certificate::{Verified, as_planned};
use super::parsed::Signed;
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::lint::crl::view::View;
use crate::lint::{self, algorithm};
use crate::text::hex;
use crate::x509::{Issuer, Name, Reason, Revocation, Serial, Tbs, Time};

/// A CRL as the verifier read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    /// Its DER.
    pub der: Vec<u8>,
    /// Its issuer, byte for byte.
    pub issuer: Name,
    /// Its number, which rises.
    pub number: u64,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate
    pub next_update: Time,
    /// What is revoked, in the order of the list.
    pub entries: Vec<Revocation>,
}

/// Verifies what the token made of a plan: the signature under the issuer's key, the
/// planned bytes byte for byte, every lint over the bytes found, and each entry as
/// another parser than the builder's reads it against what was wanted.
pub fn verify_crl(
    planned: &Tbs,
    der: &[u8],
    issuer: &Issuer,
    entries: &[Revocation],
) -> Result<Verified<Crl>> {
    let verify = || -> Result<Crl> {
        let found = Signed::from_der(der).map_err(unreadable)?;
        as_planned(planned, found.tbs, "verify.crl.tbs")?;
        if algorithm::from_der(found.algorithm) != Some(planned.signature()) {
            return Err(algorithm_differs(found.algorithm, planned.signature().describe()));
        }
        let crl = read(der, &found, issuer)?;
        as_wanted(&crl.entries, entries)?;
        Ok(crl)
    };
    verify()
        .map(Verified)
        .map_err(|e| e.next("stop the ceremony: the CRL must not leave, and its number is spent"))
}

/// Reads a CRL that its issuer is said to have signed: strict DER, the signature, every lint.
pub fn read_crl(der: &[u8], issuer: &Issuer) -> Result<Crl> {
    read(der, &Signed::from_der(der).map_err(unreadable)?, issuer)
}

/// What the to-be-signed bytes of a CRL say.
pub fn describe_crl(tbs: &[u8]) -> Result<Crl> {
    contents(tbs, &View::parse(tbs).map_err(unreadable)?)
}

/// What a CRL says, whoever signed it.
pub fn parse_crl(der: &[u8]) -> Result<Crl> {
    let found = Signed::from_der(der).map_err(unreadable)?;
    contents(der, &View::parse(found.tbs).map_err(unreadable)?)
}

fn read(der: &[u8], found: &Signed<'_>, issuer: &Issuer) -> Result<Crl> {
    let view = View::parse(found.tbs).map_err(unreadable)?;
    let signature = algorithm::from_der(found.algorithm)
        .filter(|_| found.algorithm == view.signature)
        .ok_or_else(|| algorithm_differs(found.algorithm, &format!("{} inside", hex(view.signature))))?;
    verify_signature(&issuer.public_key, signature, found.tbs, found.signature)?;
    let crl = contents(der, &view);
    let findings = lint::crl::judge(view, signature, issuer);
    if findings.iter().any(Finding::refuses) {
        let failure = Error::from(lint::LintFailure { findings });
        return Err(Error::integrity("verify.crl.lint", failure.message));
    }
    crl
}

fn contents(der: &[u8], view: &View<'_>) -> Result<Crl> {
    let number = view.parsed.extensions().iter().find_map(|e| match e.parsed_extension() {
        ParsedExtension::CRLNumber(number) => Some(number),
        _ => None,
    });
    let number = number.and_then(|n| u64::try_from(n).ok()).ok_or_else(|| {
        Error::integrity("verify.crl.number", "the CRL's number cannot be read: wanted one below 2^64")
    })?;
    let (_, next_update) = view.next_update.ok_or_else(|| unreadable("no nextUpdate".into()))?;
    let entries = view.parsed.revoked_certificates.iter().map(entry).collect::<Result<_>>()?;
    let issuer = Name::from_der(view.issuer).map_err(|e| unreadable(e.to_string()))?;
    Ok(Crl { der: der.to_vec(), issuer, number, this_update: view.this_update.1, next_update, entries })
}

fn entry(found: &RevokedCertificate<'_>) -> Result<Revocation> {
    let bad = |what: &str| unreadable(format!("{what} of entry {}", hex(found.raw_serial())));
    let time = |time: i64| u64::try_from(time).map(Time::from_unix).map_err(|_| bad("time"));
    let reason = match found.reason_code().map(|(_, code)| code) {
        None => Reason::Unspecified,
        Some(ReasonCode::KeyCompromise) => Reason::KeyCompromise,
        Some(ReasonCode::CACompromise) => Reason::CaCompromise,
        Some(ReasonCode::AffiliationChanged) => Reason::AffiliationChanged,
        Some(ReasonCode::Superseded) => Reason::Superseded,
        Some(ReasonCode::CessationOfOperation) => Reason::CessationOfOperation,
        Some(ReasonCode::PrivilegeWithdrawn) => Reason::PrivilegeWithdrawn,
        Some(_) => return Err(bad("reason")),
    };
    Ok(Revocation {
        serial: Serial::from_bytes(found.raw_serial()).ok_or_else(|| bad("serial number"))?,
        date: time(found.revocation_date.timestamp())?,
        reason,
        invalidity_date: found.invalidity_date().map(|(_, date)| time(date.timestamp())).transpose()?,
    })
}

/// Each entry against the one that was wanted at its place.
fn as_wanted(found: &[Revocation], wanted: &[Revocation]) -> Result<()> {
    if found.len() != wanted.len() {
        return Err(entries_differ(format!("{} entries, wanted {}", found.len(), wanted.len())));
    }
    match found.iter().zip(wanted).find(|(found, wanted)| found != wanted) {
        None => Ok(()),
        Some((found, wanted)) => Err(entries_differ(format!("{}, wanted {}", told(found), told(wanted)))),
    }
}

fn told(entry: &Revocation) -> String {
    let Revocation { serial, date, reason, invalidity_date } = entry;
    let since = invalidity_date.map(|date| format!(", invalid since {date}")).unwrap_or_default();
    format!("{serial} revoked {date} for {}{since}", reason.name())
}

fn unreadable(what: String) -> Error {
    Error::integrity("verify.crl.parse", format!("not a DER CRL: {what}"))
}

fn algorithm_differs(outer: &[u8], wanted: &str) -> Error {
    Error::integrity(
        "verify.crl.algorithm",
        format!("signatureAlgorithm is {} outside, wanted {wanted}", hex(outer)),
    )
}

fn entries_differ(what: String) -> Error {
    Error::integrity("verify.crl.entries", format!("the CRL's entries are not the wanted ones: found {what}"))
}
