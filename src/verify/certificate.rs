//! A signed certificate, verified before it may leave.

use super::parsed::Parsed;
use super::path::{read_root, validate_beneath, validate_path, validate_signed};
use super::signature::{ReadyKey, verify_signature};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::lint::{self, CertificateKind, algorithm};
use crate::text::hex;
use crate::x509::{Digest, Issuer, Name, Serial, Tbs, Time};

const PARSE: &str = "verify.certificate.parse";

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
    let found = Parsed::from_der(certificate_der, PARSE)?;
    let checked = || {
        check_form(planned, &found)?;
        verify_signature(&issuer.public_key, planned.signature(), found.tbs, found.signature)?;
        let root = kind == CertificateKind::Root;
        let above = (!root || issuer.der != certificate_der).then_some(issuer);
        check_lints(planned, &found, kind, above)?;
        if root {
            validate_path(&[], certificate_der, now)
        } else {
            validate_beneath(&found, &read_root(&issuer.der)?, now)
        }
    };
    checked().and_then(|()| read(certificate_der, &found, kind)).map(Verified).map_err(|e| spent(e, &found))
}

/// A root with a great many certificates on record beneath it: read and found to be one
/// once for all of them.
pub struct Beneath<'a> {
    issuer: &'a Issuer,
    root: Parsed<'a>,
    key: ReadyKey<'a>,
}

impl<'a> Beneath<'a> {
    /// The root alone is checked, but for its validity: that is a matter of each time.
    pub fn new(issuer: &'a Issuer) -> Result<Self> {
        let root = read_root(&issuer.der)?;
        // What verifies under the one key is taken as signed by the other certificate.
        let key = ReadyKey::new(&issuer.public_key, issuer.signature)
            .filter(|_| root.view.key == issuer.public_key.as_der());
        let key = key.ok_or_else(|| {
            Error::integrity("verify.path.key", "the root's public key is not that of its certificate")
        })?;
        Ok(Self { issuer, root, key })
    }

    /// All that [`verify`] asks of an intermediate, as of its own first second: a clock that
    /// jumped before a signature was recorded makes no signature false.
    pub fn verify(&self, planned: &Tbs, certificate_der: &[u8]) -> Result<Serial> {
        let found = Parsed::from_der(certificate_der, PARSE)?;
        let checked = || {
            check_form(planned, &found)?;
            match planned.signature() == self.key.algorithm() {
                true => self.key.verify(found.tbs, found.signature)?,
                // Not what this root signs with: the one who knows all of them says so.
                false => {
                    let key = &self.issuer.public_key;
                    verify_signature(key, planned.signature(), found.tbs, found.signature)?;
                }
            }
            check_lints(planned, &found, CertificateKind::Intermediate, Some(self.issuer))?;
            validate_signed(&found, &self.root, found.view.not_before.1)?;
            found.view.serial_number().ok_or_else(|| unreadable("serial number"))
        };
        checked().map_err(|e| spent(e, &found))
    }
}

fn check_form(planned: &Tbs, found: &Parsed<'_>) -> Result<()> {
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
    Ok(())
}

fn check_lints(
    planned: &Tbs,
    found: &Parsed<'_>,
    kind: CertificateKind,
    issuer: Option<&Issuer>,
) -> Result<()> {
    let findings = lint::judge(&found.view, planned.signature(), kind, issuer);
    if findings.iter().any(Finding::refuses) {
        let failure = Error::from(lint::LintFailure { findings });
        return Err(Error::integrity("verify.certificate.lint", failure.message));
    }
    Ok(())
}

fn spent(error: Error, found: &Parsed<'_>) -> Error {
    error
        .at(found.subject())
        .next("stop the ceremony: the certificate must not leave, and its serial number is spent")
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

fn unreadable(what: &str) -> Error {
    Error::integrity(PARSE, format!("{what} cannot be read"))
}
