//! A signed certificate, verified before it may leave.

use super::parsed::Parsed;
use super::path::validate_path;
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::lint::{self, CertificateKind, algorithm};
use crate::text::hex;
use crate::x509::{Digest, Issuer, Name, Serial, Tbs, Time};

/// Proof of verification. Neither made elsewhere nor copied.
///
/// ```compile_fail,E0423
/// # use anchorite::verify::Verified;
/// Verified("certificate");
/// ```
///
/// ```compile_fail,E0599
/// # use anchorite::verify::Verified;
/// # struct Certificate;
/// fn twice(it: Verified<Certificate>) -> (Verified<Certificate>, Verified<Certificate>) {
///     (it.clone(), it)
/// }
/// ```
#[derive(Debug)]
pub struct Verified<T>(pub(super) T);

impl<T> Verified<T> {
    /// What was verified.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Gives the proof up.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A certificate as the verifier read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its DER.
    pub der: Vec<u8>,
    /// What it is for.
    pub kind: CertificateKind,
    /// Its serial number.
    pub serial: Serial,
    /// Its subject, byte for byte.
    pub subject: Name,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: Digest,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// pathLenConstraint, where it has one.
    pub path_len: Option<u8>,
}

/// Verifies what the token made of a plan: the signature under the issuer's key,
/// the planned bytes byte for byte, every lint over the bytes found, and the
/// path to the root. For a root, `issuer` is read from the certificate itself, or
/// is the root that it renews.
pub fn verify(
    planned: &Tbs,
    certificate_der: &[u8],
    kind: CertificateKind,
    issuer: &Issuer,
    now: Time,
) -> Result<Verified<Certificate>> {
    let found = Parsed::from_der(certificate_der, "verify.certificate.parse")?;
    let subject = found.subject();
    check(planned, certificate_der, &found, kind, issuer, now)
        .and_then(|()| read(certificate_der, &found, kind))
        .map(Verified)
        .map_err(|e| {
            e.at(subject)
                .next("stop the ceremony: the certificate must not leave, and its serial number is spent")
        })
}

fn check(
    planned: &Tbs,
    der: &[u8],
    found: &Parsed<'_>,
    kind: CertificateKind,
    issuer: &Issuer,
    now: Time,
) -> Result<()> {
    as_planned(planned, found.tbs, "verify.certificate.tbs")?;
    let outer = algorithm::from_der(found.algorithm);
    if found.algorithm != found.view.signature || outer != Some(planned.signature()) {
        return Err(Error::integrity(
            "verify.certificate.algorithm",
            format!(
                "signatureAlgorithm is {} outside and {} inside, planned was {}",
                hex(found.algorithm),
                hex(found.view.signature),
                planned.signature().describe()
            ),
        ));
    }
    let root = kind == CertificateKind::Root;
    verify_signature(&issuer.public_key, planned.signature(), found.tbs, found.signature)?;
    let above = (!root || issuer.der != der).then_some(issuer);
    let findings = lint::findings(found.tbs, planned.signature(), kind, above);
    if findings.iter().any(Finding::refuses) {
        let failure = Error::from(lint::LintFailure { findings });
        return Err(Error::integrity("verify.certificate.lint", failure.message));
    }
    if root { validate_path(&[], der, now) } else { validate_path(&[der], &issuer.der, now) }
}

/// Demands the planned bytes, byte for byte; an error is of the given ID.
pub(super) fn as_planned(planned: &Tbs, tbs: &[u8], id: &'static str) -> Result<()> {
    if tbs == planned.as_der() {
        return Ok(());
    }
    let same = tbs.iter().zip(planned.as_der()).take_while(|(a, b)| a == b).count();
    Err(Error::integrity(
        id,
        format!(
            "signed bytes {} are not the planned {} (SHA-256), they differ from byte {same} on",
            Digest::of(tbs),
            planned.digest()
        ),
    ))
}

fn read(der: &[u8], found: &Parsed<'_>, kind: CertificateKind) -> Result<Certificate> {
    let unreadable =
        |what: &str| Error::integrity("verify.certificate.parse", format!("{what} cannot be read"));
    let path_len = found.view.basic_constraints().and_then(|b| b.path_len_constraint);
    Ok(Certificate {
        der: der.to_vec(),
        kind,
        serial: found.view.serial_number().ok_or_else(|| unreadable("serial number"))?,
        subject: Name::from_der(found.view.subject).map_err(|_| unreadable("subject"))?,
        key: Digest::of(found.view.key),
        not_before: found.view.not_before.1,
        not_after: found.view.not_after.1,
        path_len: path_len.map(u8::try_from).transpose().map_err(|_| unreadable("path length"))?,
    })
}
