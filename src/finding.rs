//! What a rule found: the unit in which intake, policy and lint speak.

use serde::Serialize;

/// What a rule made of what it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// In order; nothing to say but that it was looked at.
    Pass,
    /// A wish of the request that is granted as asked.
    Granted,
    /// A wish that is granted in part, or a value set by the policy instead.
    Narrowed,
    /// Allowed, but the operator should know.
    Warning,
    /// The request is refused.
    Refused,
}

/// One rule's verdict on one request. All text is already fit for a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's stable ID, e.g. `validity.maximum`.
    pub rule: &'static str,
    /// What it decided.
    pub outcome: Outcome,
    /// A full sentence with the evidence.
    pub message: String,
    /// The value found.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// The bound or the value wanted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wanted: String,
    /// File and line of the policy that set the bound, e.g. `policies/istio.toml:12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The standard behind the rule, e.g. `RFC 5280 §4.2.1.9`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reference: &'static str,
}

impl Finding {
    /// A finding with its evidence; [`Finding::from_policy`] adds where the bound was set.
    pub fn new(
        rule: &'static str,
        outcome: Outcome,
        reference: &'static str,
        message: impl Into<String>,
        found: impl Into<String>,
        wanted: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            outcome,
            message: message.into(),
            found: found.into(),
            wanted: wanted.into(),
            source: None,
            reference,
        }
    }

    /// Adds the file and line of the policy.
    #[must_use]
    pub fn from_policy(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether this refuses the request.
    pub fn refuses(&self) -> bool {
        self.outcome == Outcome::Refused
    }
}
