//! Whether an object still waits for its answer: what was denied, has failed or was answered
//! in the cluster is not signed; what is not approved yet may be gone there when the answer comes.

use serde_json::Value;

use super::fields::{Result, Table, found, wrong};
use super::{Object, ObjectKind};
use crate::finding::{Finding, Outcome};

/// One of `status.conditions`.
struct Condition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: Option<&'a str>,
}

/// What its status and its metadata give reason not to answer, and what to do.
struct Reason {
    field: &'static str,
    found: &'static str,
    next: &'static str,
}

const ANEW: &str = "have it asked for anew";

/// Rule `object.approval`; and where the condition stands that the answer takes the place of.
pub fn judge(root: &Table<'_>, object: &Object) -> Result<(Finding, Option<u32>)> {
    let status = match root.get("status") {
        None | Some(Value::Null) => Table::empty("status"),
        Some(_) => root.table("status")?,
    };
    let conditions = conditions(&status)?;
    let ready = conditions.iter().position(|condition| condition.kind == "Ready");
    let ready = ready.filter(|_| object.kind == ObjectKind::CertificateRequest);
    let ready = ready.and_then(|at| u32::try_from(at).ok());
    let wanted = "approved and not answered yet";
    let told = |outcome, Reason { field, found, next }| {
        let message = format!("{field}: {object} is {found}; {next}");
        Finding::new("object.approval", outcome, "", message, found, wanted)
    };
    if let Some(reason) = decided(&conditions).or(filled(&status)?).or(deleted(root)?) {
        return Ok((told(Outcome::Refused, reason), ready));
    }
    if conditions.iter().any(|condition| condition.is("Approved")) {
        let message = format!("{object} is approved");
        return Ok((Finding::new("object.approval", Outcome::Pass, "", message, "approved", wanted), ready));
    }
    let next = match object.kind {
        ObjectKind::CertificateRequest => {
            "approve it there before the certificate comes back: `cmctl approve`"
        }
        ObjectKind::CertificateSigningRequest => {
            "approve it there, `kubectl certificate approve`: unapproved ones are deleted after 24 hours"
        }
    };
    let found = "neither approved nor denied";
    Ok((told(Outcome::Warning, Reason { field: "status.conditions", found, next }), ready))
}

impl Condition<'_> {
    fn is(&self, kind: &str) -> bool {
        self.kind == kind && self.status == "True"
    }

    /// cert-manager has decided, except where it says that it waits.
    fn ends(&self) -> bool {
        self.kind == "Ready" && !(self.status == "False" && self.reason == Some("Pending"))
    }
}

fn conditions<'a>(status: &Table<'a>) -> Result<Vec<Condition<'a>>> {
    let list = match status.get("conditions") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(status.wrong("conditions", "a list")),
    };
    let read = |(at, value): (usize, &'a Value)| {
        let table = Table::of(&format!("status.conditions[{at}]"), Some(value))?;
        let kind = table.text("type")?.ok_or_else(|| table.missing("type"))?;
        let status = table.text("status")?.unwrap_or_default();
        if !["True", "False", "Unknown"].contains(&status) {
            return Err(table.wrong("status", "\"True\", \"False\" or \"Unknown\""));
        }
        Ok(Condition { kind, status, reason: table.text("reason")? })
    };
    list.iter().enumerate().map(read).collect()
}

fn decided(conditions: &[Condition<'_>]) -> Option<Reason> {
    let any = |kind| conditions.iter().any(|condition| condition.is(kind));
    let found = if any("Denied") || any("Failed") {
        "denied or failed"
    } else if any("InvalidRequest") {
        "invalid, as the cluster says"
    } else if conditions.iter().any(Condition::ends) {
        "answered, denied or failed already: its condition Ready is not False for the reason Pending"
    } else {
        return None;
    };
    Some(Reason { field: "status.conditions", found, next: ANEW })
}

fn filled(status: &Table<'_>) -> Result<Option<Reason>> {
    let fields = [
        ("certificate", "status.certificate", "answered already: status.certificate is set"),
        ("ca", "status.ca", "answered already: status.ca is set"),
        ("failureTime", "status.failureTime", "failed: status.failureTime is set"),
    ];
    for (name, field, found) in fields {
        if status.text(name)?.is_some_and(|text| !text.is_empty()) {
            return Ok(Some(Reason { field, found, next: "take it off the stick, or ask anew" }));
        }
    }
    Ok(None)
}

fn deleted(root: &Table<'_>) -> Result<Option<Reason>> {
    let deleted = root.table("metadata")?.get("deletionTimestamp").filter(|value| !value.is_null());
    match deleted {
        None => Ok(None),
        Some(Value::String(_)) => {
            let found = "being deleted in the cluster";
            Ok(Some(Reason { field: "metadata.deletionTimestamp", found, next: ANEW }))
        }
        other => {
            let message = wrong("metadata.deletionTimestamp", &found(other), "a time", ANEW);
            Err(Box::new(message))
        }
    }
}
