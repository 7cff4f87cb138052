//! The rules. One rule is one stable ID, one function and one finding; all of
//! them look at every request, not just the first that refuses.

mod batch;
mod claims;
mod cluster;
mod crl;
mod extensions;
mod issuer;
mod key;
mod object;
mod origin;
mod renewal;
mod serial;
mod subject;
mod validity;

use super::decision::{Case, Rival};
use super::document::Setting;
use super::profile::Profile;
use super::values::Mode;
use crate::finding::{Finding, Outcome};

pub(super) use claims::{granted_names, granted_usage, key_id};
pub use cluster::reserved_id;
pub use serial::serial_unique;
pub(super) use validity::Window;

/// A rule: what it is called, what it demands, and the standard behind it.
#[derive(Debug, Clone, Copy)]
pub struct RuleInfo {
    /// Stable, e.g. `validity.maximum`.
    pub id: &'static str,
    /// The demand, in one sentence.
    pub summary: &'static str,
    /// The standard behind it, e.g. `RFC 5280 §4.1.2.5`.
    pub reference: &'static str,
    check: Check,
}

/// When a rule can be judged.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// Whatever the policy says, and where there is none too.
    Always(fn(&Case<'_>) -> Finding),
    /// Against a policy.
    Policy(fn(&Case<'_>, &Profile) -> Finding),
    /// Of the CRL that came with the request, against what is granted.
    Crl,
    /// Once the plan has drawn a serial number: [`serial_unique`].
    Serial,
}

/// Every rule there is, in the order of evaluation.
pub const RULES: &[RuleInfo] = &[
    cluster::ID,
    cluster::RESERVED,
    cluster::UNKNOWN_POLICY,
    cluster::REGISTERED,
    cluster::AMBIGUOUS,
    cluster::POLICY,
    cluster::WISH,
    cluster::SUBJECT,
    origin::NAMESPACE,
    origin::NAME,
    origin::ISSUER,
    origin::SIGNER_NAME,
    origin::SENDER,
    object::IS_CA,
    object::CONTRADICTION,
    object::CONSUMER,
    batch::DUPLICATE,
    batch::CLUSTER_TWICE,
    subject::NOT_EMPTY,
    subject::ENCODING,
    subject::CHARACTERS,
    subject::NOT_ISSUER,
    subject::REHEARSAL,
    subject::REQUIRED,
    subject::ALLOWED,
    subject::FIXED,
    subject::LENGTH,
    key::ALGORITHM,
    key::RSA_SIZE,
    key::NOT_ISSUER,
    key::ONE_SUBJECT,
    renewal::SAME_KEY,
    renewal::SAME_SUBJECT,
    renewal::SPACING,
    issuer::COURSE,
    issuer::SIGNATURE,
    issuer::CONSUMER,
    issuer::PATH_LENGTH,
    validity::MAXIMUM,
    validity::MINIMUM,
    validity::NESTED,
    validity::NOT_EXPIRED,
    validity::REMAINING,
    validity::CONSUMER,
    claims::BASIC_CONSTRAINTS,
    claims::KEY_USAGE,
    claims::EXTENDED_KEY_USAGE,
    object::USAGES,
    claims::SUBJECT_ALT_NAME,
    claims::SUBJECT_KEY_ID,
    extensions::CRITICAL,
    extensions::OTHER,
    extensions::ATTRIBUTES,
    extensions::URI_CONSTRAINTS,
    extensions::BOTH_SIDES_OF_TLS,
    crl::PRE_SIGNED,
    crl::judged(0),
    crl::judged(1),
    crl::judged(2),
    crl::judged(3),
    crl::judged(4),
    crl::judged(5),
    crl::judged(6),
    crl::judged(7),
    crl::judged(8),
    serial::UNIQUE,
];

/// The rules that ask the past: another day's record may decide them otherwise.
pub const BY_RECORD: [&str; 9] = [
    subject::NOT_ISSUER.id,
    key::NOT_ISSUER.id,
    key::ONE_SUBJECT.id,
    renewal::SAME_KEY.id,
    renewal::SAME_SUBJECT.id,
    renewal::SPACING.id,
    issuer::CONSUMER.id,
    issuer::COURSE.id,
    serial::UNIQUE.id,
];

/// Judges a request by every rule that can be judged.
pub(super) fn evaluate(case: &Case<'_>, profile: Option<&Profile>) -> Vec<Finding> {
    let judge = |rule: &RuleInfo| match (rule.check, profile) {
        (Check::Always(check), _) => Some(check(case)),
        (Check::Policy(check), Some(profile)) => Some(check(case, profile)),
        (Check::Crl, Some(profile)) => Some(crl::finding(case, profile, rule)),
        (Check::Policy(_) | Check::Crl, None) | (Check::Serial, _) => None,
    };
    RULES.iter().filter_map(judge).collect()
}

/// What a policy alone gives reason to warn of.
pub(super) fn warnings(profile: &Profile) -> Vec<Finding> {
    let findings = [extensions::uri_constraints(profile), extensions::both_sides_of_tls(profile)];
    findings.into_iter().filter(|f| f.outcome == Outcome::Warning).collect()
}

impl RuleInfo {
    const fn new(id: &'static str, summary: &'static str, reference: &'static str, check: Check) -> Self {
        Self { id, summary, reference, check }
    }

    /// A finding whose sentence is the demand and the two values.
    fn finding(&self, outcome: Outcome, found: impl Into<String>, wanted: impl Into<String>) -> Finding {
        let (found, wanted) = (found.into(), wanted.into());
        let message = match outcome {
            Outcome::Granted | Outcome::Narrowed => {
                format!("{}: asked for {found}, granted {wanted}", self.summary)
            }
            Outcome::Pass | Outcome::Warning | Outcome::Refused => {
                format!("{}: found {found}, want {wanted}", self.summary)
            }
        };
        Finding::new(self.id, outcome, self.reference, message, found, wanted)
    }

    /// Passes or refuses.
    fn demand(&self, holds: bool, found: impl Into<String>, wanted: impl Into<String>) -> Finding {
        self.finding(if holds { Outcome::Pass } else { Outcome::Refused }, found, wanted)
    }

    /// Nothing was asked for that the rule could judge.
    fn not_asked(&self, granted: impl Into<String>) -> Finding {
        let granted = granted.into();
        let message = format!("{}: nothing asked for, granted {granted}", self.summary);
        Finding::new(self.id, Outcome::Pass, self.reference, message, "", granted)
    }

    /// A wish that goes beyond what is granted, dealt with as the policy says.
    fn beyond(
        &self,
        profile: &Profile,
        mode: &Setting<Mode>,
        asked: impl Into<String>,
        granted: impl Into<String>,
    ) -> Finding {
        let (asked, granted) = (asked.into(), granted.into());
        let finding = match **mode {
            Mode::Tolerate => {
                let message = format!("{}: asked for {asked}, ignored, granted {granted}", self.summary);
                Finding::new(self.id, Outcome::Pass, self.reference, message, asked, granted)
            }
            Mode::Narrow => self.finding(Outcome::Narrowed, asked, granted),
            Mode::Refuse => self.finding(Outcome::Refused, asked, format!("at most {granted}")),
        };
        finding.from_policy(profile.source(mode))
    }
}

/// A list as text; `none` where it is empty.
fn listed(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

/// The files of other requests.
fn files(rivals: &[&Rival]) -> String {
    named(rivals.iter().map(|rival| &rival.file))
}

/// A few files stand for a great many.
fn named<'a>(files: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = files.len().saturating_sub(8);
    let named = listed(files.take(8));
    if more == 0 { named } else { format!("{named} and {more} more") }
}

#[cfg(test)]
mod tests;
