//! Lints: what a certificate or a CRL must be before it is signed, and again once it is.
//!
//! One function, one lint, one stable ID, one citation. They judge the bytes to
//! be signed, read by another parser (x509-parser, and a strict DER reader of
//! this module's own) than the family that built them. [`Linted`] is made here
//! alone, so that nothing can be signed unlinted.

pub(crate) mod algorithm;
pub(crate) mod asn1;
mod authority;
pub(crate) mod crl;
pub(crate) mod encode;
mod extensions;
#[cfg(test)]
pub(crate) mod fixtures;
mod form;
mod keys;
mod names;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod usage;
mod validity;
pub(crate) mod view;

use crate::error::Error;
use crate::finding::{Finding, Outcome};
use crate::x509::{Issuer, SignatureAlgorithm, Tbs};
use view::View;

pub use crl::CRL_LINTS;
pub use table::{LINTS, Lint};

/// What a certificate is for; each kind has its own profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// The self-signed root.
    Root,
    /// A CA that the root signs.
    Intermediate,
    /// The certificate of the journal's key, the root's one end-entity certificate.
    Journal,
}

/// Proof that all lints passed. Neither made elsewhere nor copied.
///
/// ```compile_fail,E0451
/// # use anchorite::lint::Linted;
/// Linted { value: "bytes", warnings: vec![] };
/// ```
///
/// ```compile_fail,E0599
/// # use anchorite::lint::Linted;
/// # struct Tbs;
/// fn twice(tbs: Linted<Tbs>) -> (Linted<Tbs>, Linted<Tbs>) {
///     (tbs.clone(), tbs)
/// }
/// ```
#[derive(Debug)]
pub struct Linted<T> {
    value: T,
    warnings: Vec<Finding>,
}

impl<T> Linted<T> {
    /// What was linted.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// What the operator should know though it refuses nothing.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// Gives the proof up.
    pub fn into_inner(self) -> T {
        self.value
    }
}

/// The lints that a certificate or a CRL failed, and what was warned of besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFailure {
    /// At least one refuses.
    pub findings: Vec<Finding>,
}

impl From<LintFailure> for Error {
    fn from(failure: LintFailure) -> Self {
        let failed: Vec<String> = failure
            .findings
            .iter()
            .filter(|f| f.refuses())
            .map(|f| format!("{} ({}; {})", f.rule, f.message, f.reference))
            .collect();
        let crl = failure.findings.iter().any(|f| f.rule.starts_with("lint.crl."));
        let (what, cause) = if crl {
            ("CRL", "the policy or the revocations that lead to this CRL")
        } else {
            ("certificate", "the policy or the request that leads to this certificate")
        };
        Error::integrity("lint.failed", format!("{what} fails {}", failed.join(", ")))
            .next(format!("nothing was signed; change {cause}, and plan again"))
    }
}

/// What a renewed root keeps of the one before, whatever today's lints say of it.
const KEPT: [&str; 5] = [
    "lint.subject.text",
    "lint.subject.length",
    "lint.subject.string-type",
    "lint.subject.country",
    "lint.subject-key-id",
];

/// Runs every lint over the bytes to be signed. `issuer` is the CA that is to
/// sign; for a root, which signs itself, the root that it renews, if any.
pub fn lint(
    tbs: Tbs,
    kind: CertificateKind,
    issuer: Option<&Issuer>,
) -> std::result::Result<Linted<Tbs>, LintFailure> {
    let findings = findings(tbs.as_der(), tbs.signature(), kind, issuer);
    if findings.iter().any(Finding::refuses) {
        return Err(LintFailure { findings });
    }
    Ok(Linted { value: tbs, warnings: findings })
}

/// Runs every lint of CRLs over the bytes to be signed; `issuer` is the CA that is to sign.
pub fn lint_crl(tbs: Tbs, issuer: &Issuer) -> std::result::Result<Linted<Tbs>, LintFailure> {
    let findings = crl::findings(tbs.as_der(), tbs.signature(), issuer);
    if findings.iter().any(Finding::refuses) {
        return Err(LintFailure { findings });
    }
    Ok(Linted { value: tbs, warnings: findings })
}

/// All that the lints find wrong with these bytes, in the order of [`LINTS`].
/// Where the bytes cannot be read, only the lints of form can speak.
pub(crate) fn findings(
    der: &[u8],
    signature: SignatureAlgorithm,
    kind: CertificateKind,
    issuer: Option<&Issuer>,
) -> Vec<Finding> {
    match View::parse(der) {
        Ok(view) => judge(&view, signature, kind, issuer),
        Err(_) => LINTS.iter().filter_map(|l| l.judge_bytes(der)).collect(),
    }
}

/// As [`findings`], of what is read already.
pub(crate) fn judge(
    view: &View<'_>,
    signature: SignatureAlgorithm,
    kind: CertificateKind,
    issuer: Option<&Issuer>,
) -> Vec<Finding> {
    let renewal = kind == CertificateKind::Root && issuer.is_some();
    let context = Context { view, signature, kind, issuer };
    let asked = LINTS.iter().filter(|l| !(renewal && KEPT.contains(&l.id)));
    asked.filter_map(|l| l.judge_fields(&context)).collect()
}

/// What a lint may look at.
struct Context<'a> {
    view: &'a View<'a>,
    signature: SignatureAlgorithm,
    kind: CertificateKind,
    issuer: Option<&'a Issuer>,
}

/// What a lint found and what it wants instead, both fit for a terminal.
struct Problem {
    found: String,
    wanted: String,
}

type Verdict = std::result::Result<(), Problem>;

/// A lint's refusal.
fn problem<T>(found: impl Into<String>, wanted: impl Into<String>) -> std::result::Result<T, Problem> {
    Err(Problem { found: found.into(), wanted: wanted.into() })
}

impl Lint {
    fn judge_bytes(&self, der: &[u8]) -> Option<Finding> {
        match self.check {
            table::Check::Bytes(check) => self.finding(check(der)),
            table::Check::Fields(_) | table::Check::Crl(_) => None,
        }
    }

    fn judge_fields(&self, context: &Context<'_>) -> Option<Finding> {
        match self.check {
            table::Check::Bytes(_) | table::Check::Crl(_) => None,
            table::Check::Fields(check) => self.finding(check(context)),
        }
    }

    fn judge_crl(&self, context: &crl::Context<'_>) -> Option<Finding> {
        match self.check {
            table::Check::Bytes(_) | table::Check::Fields(_) => None,
            table::Check::Crl(check) => self.finding(check(context)),
        }
    }

    fn finding(&self, verdict: Verdict) -> Option<Finding> {
        let Problem { found, wanted } = verdict.err()?;
        let outcome = if self.warns { Outcome::Warning } else { Outcome::Refused };
        let message = format!("{}: found {found}, wanted {wanted}", self.summary);
        Some(Finding::new(self.id, outcome, self.reference, message, found, wanted))
    }
}
