//! What the cluster has done with an object so far, by its status.

use serde_json::Value;

use super::fields::{Result, Table};
use super::{Object, ObjectKind};
use crate::finding::{Finding, Outcome};

/// Its status, as far as it matters to the answer.
pub struct Conditions {
    approved: bool,
    denied: bool,
    answered: Option<&'static str>,
    /// Where the condition Ready stands.
    pub ready: Option<u32>,
}

impl Conditions {
    pub fn of(root: &Table<'_>) -> Result<Self> {
        let status = match root.get("status") {
            None | Some(Value::Null) => None,
            status => Some(Table::of("status", status)?),
        };
        let get = |name| status.as_ref().and_then(|status| status.get(name));
        let none = Vec::new();
        let all = get("conditions").and_then(Value::as_array).unwrap_or(&none);
        let says = |condition: &Value, name: &str, value: &str| {
            condition.get(name).and_then(Value::as_str) == Some(value)
        };
        let is = |kind, status| all.iter().any(|c| says(c, "type", kind) && says(c, "status", status));
        let at = all.iter().position(|condition| says(condition, "type", "Ready"));
        let ready = at.and_then(|at| all.get(at));
        // cert-manager's last words on a request (cert-manager.io/v1).
        let over = |reason| ready.is_some_and(|it| says(it, "status", "False") && says(it, "reason", reason));
        let certificate = get("certificate").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let answered = match certificate {
            true => Some("answered already: status.certificate is set"),
            false => is("Ready", "True").then_some("answered already: it is Ready"),
        };
        Ok(Self {
            approved: is("Approved", "True"),
            denied: is("Denied", "True") || is("Failed", "True") || over("Denied") || over("Failed"),
            answered,
            ready: at.and_then(|at| u32::try_from(at).ok()),
        })
    }

    /// Rule `object.approval`: what was denied or answered in the cluster is not signed; what is
    /// not approved yet may be gone there when the answer comes.
    pub fn approval(&self, object: &Object) -> Finding {
        let (outcome, found, next) = if self.denied {
            (Outcome::Refused, "denied or failed", "have it asked for anew")
        } else if let Some(answered) = self.answered {
            (Outcome::Refused, answered, "take it off the stick, or ask anew")
        } else if self.approved {
            (Outcome::Pass, "approved", "")
        } else {
            (Outcome::Warning, "neither approved nor denied", approve(object.kind))
        };
        let wanted = "approved and not answered yet";
        let message = match next {
            "" => format!("{object} is {found}"),
            next => format!("status.conditions: {object} is {found}; {next}"),
        };
        Finding::new("object.approval", outcome, "", message, found, wanted)
    }
}

fn approve(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::CertificateRequest => {
            "approve it there before the certificate comes back: `cmctl approve`"
        }
        ObjectKind::CertificateSigningRequest => {
            "approve it there, `kubectl certificate approve`: unapproved ones are deleted after 24 hours"
        }
    }
}
