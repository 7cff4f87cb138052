//! What was signed, or is said not to have been, judged line by line.

use crate::error::{Error, Result};
use crate::journal::{Companion, IntentRecord, KeyRole, Ledger};
use crate::lint::CertificateKind;
use crate::verify::{self, verify_signature};
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Issuer, Serial, Tbs, Time};

/// A certificate on record, verified as of its own first second: a clock that jumped
/// before a signature was recorded makes no signature false.
pub(super) fn certificate(
    kind: CertificateKind,
    tbs: &Tbs,
    signature: &[u8],
    root: Option<&Issuer>,
) -> Result<(Serial, Vec<u8>)> {
    let der = tbs.assemble(signature)?;
    // A renewal is verified by the root certificate before it: same key, same name.
    let itself = match root {
        None if kind == CertificateKind::Root => Some(Issuer::from_der(&der)?),
        _ => None,
    };
    let root = root.or(itself.as_ref()).ok_or_else(|| {
        Error::integrity("audit.no-root", "a certificate was signed before the root's own was accepted")
    })?;
    let at = Facts::from_tbs(tbs.as_der())?.not_before;
    let verified = verify::verify(tbs, &der, kind, root, at).map_err(|e| match e.id {
        "verify.signature" => wrong_signature(KeyRole::Root),
        _ => e,
    })?;
    Ok((verified.into_inner().serial, der))
}

/// Another root must be fit when it is first put on record; later it may have expired.
pub(super) fn companions(roots: &[Companion], at: Time, ledger: &Ledger) -> Result<()> {
    let known = |root: &Companion| ledger.known_companions().any(|k| k.certificate == root.certificate);
    let mut new = roots.iter().filter(|root| !known(root));
    new.try_for_each(|root| verify::check_companion(&root.certificate.0, at))
}

pub(super) fn wrong_signature(role: KeyRole) -> Error {
    let message = format!("the signature of the {role:?} key does not verify over the bytes on record");
    Error::integrity("audit.signature", message)
}

/// Each is a plan and what an intent committed to.
pub(super) fn another_release(asked: Option<(Digest, Digest)>, signed: Option<(Digest, Digest)>) -> Error {
    let shown = |what: Option<(Digest, Digest)>| match what {
        Some((plan, commitment)) => format!("plan {plan} with commitment {commitment}"),
        None => "none".to_owned(),
    };
    let message =
        format!("a signature for a release is on record for {}, but names {}", shown(asked), shown(signed));
    Error::integrity("audit.release", message)
}

pub(super) fn verifies(intent: &IntentRecord, signature: &[u8], ledger: &Ledger) -> bool {
    let key = ledger.key(intent.role).and_then(|k| k.public_key.as_ref());
    key.is_some_and(|k| verify_signature(k, intent.algorithm, &intent.message, signature).is_ok())
}

/// What is on record as rejected must be: a certificate could hide there.
pub(super) fn rejected(intent: &IntentRecord, signature: &[u8], ledger: &Ledger) -> Result<()> {
    if !verifies(intent, signature, ledger) {
        return Ok(());
    }
    Err(Error::integrity("audit.rejected", "a signature is on record as rejected, but it verifies"))
}
