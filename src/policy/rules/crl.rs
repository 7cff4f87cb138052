//! The CRL that the cluster signed for its certificate to be. What each rule demands is
//! intake's to say; against what, is decided here.

use super::{Check, RuleInfo, Window, key_id};
use crate::finding::{Finding, Outcome};
use crate::intake::{CRL_RULES, CrlOf, judge_crl};
use crate::policy::decision::Case;
use crate::policy::profile::Profile;
use crate::policy::values::PreSigned;

pub(super) const PRE_SIGNED: RuleInfo = RuleInfo::new(
    "crl.pre-signed",
    "an empty CRL, signed by the cluster's own key, comes with the request",
    "RFC 5280 §6.3.3",
    Check::Policy(pre_signed),
);

fn pre_signed(case: &Case<'_>, profile: &Profile) -> Finding {
    let wanted = &profile.crl.pre_signed;
    let finding = match (&case.request.crl, **wanted) {
        (Some(crl), _) => PRE_SIGNED.finding(Outcome::Pass, crl.file.clone(), "a CRL"),
        (None, mode) => {
            let outcome = match mode {
                PreSigned::Require => Outcome::Refused,
                PreSigned::Warn => Outcome::Warning,
            };
            let message = "no CRL of the cluster's own comes with the request: while this certificate lives, no \
                complete set of CRLs can be put out, and under CRL checking every cluster would refuse this one; \
                have the cluster make it: `anchorite request --crl-for`";
            Finding::new(PRE_SIGNED.id, outcome, PRE_SIGNED.reference, message, "none", "a CRL")
        }
    };
    finding.from_policy(profile.source(wanted))
}

/// One of [`CRL_RULES`] as a rule of the policy's.
#[expect(clippy::indexing_slicing, reason = "of a constant: the compiler sees to it")]
pub(super) const fn judged(at: usize) -> RuleInfo {
    let rule = CRL_RULES[at];
    RuleInfo::new(rule.id, rule.summary, rule.reference, Check::Crl)
}

/// What the rule finds; nothing to find where no CRL came.
pub(super) fn finding(case: &Case<'_>, profile: &Profile, rule: &RuleInfo) -> Finding {
    let findings = case.crl.get_or_init(|| judge(case, profile));
    let own = findings.iter().find(|finding| finding.rule == rule.id).cloned();
    own.unwrap_or_else(|| {
        let message = format!("{}: no CRL came", rule.summary);
        Finding::new(rule.id, Outcome::Pass, rule.reference, message, "", "")
    })
}

fn judge(case: &Case<'_>, profile: &Profile) -> Vec<Finding> {
    let Some(crl) = &case.request.crl else { return Vec::new() };
    let of = CrlOf {
        subject: &case.request.subject,
        public_key: &case.request.key,
        key_id: &key_id(case),
        not_after: Window::of(case, profile).not_after,
        now: case.context.now,
    };
    judge_crl(crl, &of)
}
