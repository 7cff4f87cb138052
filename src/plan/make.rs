//! Making a plan, and making sure again, when it is performed, that today's
//! policy and journal would give the very same bytes.

use rayon::prelude::*;

use super::file::{MAXIMUM_AGE, Plan};
use super::{Item, Refused, RefusedBy, SignedFile, again};
use crate::error::{Error, Result};
use crate::finding::{Finding, Outcome};
use crate::intake::{ReceivedCrl, Request};
use crate::journal::{Bytes, ClusterCrl, Head, Ledger};
use crate::lint::{CertificateKind, Linted, lint};
use crate::policy::{Context, Decision, Grant, Keep, decide_all, serial_unique};
use crate::x509::certificate::Facts;
use crate::x509::{Digest, Serial, Tbs, Time};

/// An item with its bytes linted: all that `perform` needs to put it on record.
#[derive(Debug)]
pub struct Prepared<'p> {
    /// The item of the plan.
    pub item: &'p Item,
    /// SHA-256 over its request's DER.
    pub request: Digest,
    /// Its bytes, equal to the item's, and linted.
    pub tbs: Linted<Tbs>,
    /// What the rules found today, as far as people are told of it.
    pub findings: Vec<Finding>,
}

/// What a plan is made of beside the requests.
#[derive(Debug)]
pub struct Frame {
    /// The home's name.
    pub home: String,
    /// Where its journal stands.
    pub head: Head,
    /// Whether the home is for rehearsals.
    pub rehearsal: bool,
    /// Whether this is a dry run.
    pub dry_run: bool,
}

/// Makes the plan from the decisions on `requests` (in the same order) and one
/// serial for each request. Beside it come its items' bytes as they were linted, in order:
/// whoever performs it in the same process has no need to do it again.
pub fn make(
    context: &Context<'_>,
    frame: Frame,
    requests: &[Request],
    decisions: &[Decision],
    serials: Vec<Serial>,
    unusable: Vec<Refused>,
) -> Result<(Plan, Vec<Linted<Tbs>>)> {
    let each = requests.par_iter().zip(decisions).zip(serials);
    let planned = each.map(|((request, decision), serial)| planned(context, request, decision, serial));
    let (mut plan, mut bytes) = (empty(context, frame), Vec::new());
    plan.refused = unusable;
    let planned = planned.collect::<Result<Vec<_>>>()?;
    for ((item, decision), request) in planned.into_iter().zip(decisions).zip(requests) {
        match item {
            Planned::Granted(item, tbs) => {
                plan.items.push(*item);
                bytes.push(tbs);
                keep_signed(&mut plan, request);
            }
            Planned::Refused => plan.refused.push(refusal(decision, None)),
            Planned::Unfit(finding) => plan.refused.push(refusal(decision, Some(&finding))),
        }
    }
    plan.check("plan")?;
    Ok((plan, bytes))
}

/// The file that a request's sender signed, once for all that came in it.
fn keep_signed(plan: &mut Plan, request: &Request) {
    let Some(signed) = &request.signed else { return };
    if plan.signed.iter().all(|kept| kept.file != signed.file) {
        plan.signed.push(SignedFile {
            file: signed.file.clone(),
            content: Bytes(signed.content.clone()),
            signature: Bytes(signed.signature.clone()),
        });
    }
}

/// A plan of nothing yet.
pub fn empty(context: &Context<'_>, frame: Frame) -> Plan {
    Plan::new(frame, context.issuer.fingerprint(), context.now, context.forced.map(Into::into))
}

/// Decides on requests, and lints the certificate that each grant leads to: one that
/// no verifier would take is refused like any other, not found out when it is signed.
pub fn decide(context: &Context<'_>, requests: &[Request], keep: Keep) -> Result<Vec<Decision>> {
    let mut decisions = decide_all(context, requests, keep)?;
    decisions.par_iter_mut().for_each(|decision| {
        let Some(grant) = &decision.grant else { return };
        let serial = Serial::from_entropy(&decision.digest.0, b"trial");
        if let Err(unfit) = linted(context, grant, serial) {
            decision.grant = None;
            decision.findings.push(*unfit);
        }
    });
    Ok(decisions)
}

/// The bytes that a grant leads to, linted, or what is wrong with them.
fn linted(
    context: &Context<'_>,
    grant: &Grant,
    serial: Serial,
) -> std::result::Result<Linted<Tbs>, Box<Finding>> {
    let tbs = grant.specification(serial, context.issuer).and_then(|spec| spec.to_tbs());
    let linted = tbs.map_err(|error| error.message).and_then(|tbs| {
        lint(tbs, CertificateKind::Intermediate, Some(context.issuer)).map_err(|failure| {
            let findings = failure.findings.iter().filter(|f| f.refuses());
            findings.map(|f| format!("{} [{}]", f.message, f.rule)).collect::<Vec<_>>().join("; ")
        })
    });
    linted.map_err(|why| {
        let message = format!("the certificate would not pass its lints: {why}");
        let (id, reference) = ("certificate.lint", "RFC 5280 §4");
        Box::new(Finding::new(id, Outcome::Refused, reference, message, why, "none"))
    })
}

/// Checks a plan against today: it belongs to this home and root, it is neither
/// too old nor from the future, and each of `items` would be decided the same,
/// byte for byte. `context.now` must be the plan's own time, `today` the clock.
pub fn prepare<'p>(
    context: &Context<'_>,
    ledger: &Ledger,
    plan: &'p Plan,
    items: &[&'p Item],
    today: Time,
) -> Result<Vec<Prepared<'p>>> {
    fits(context, ledger, plan)?;
    if let Some(repeat) = &plan.repeat {
        repeat.check(ledger, today)?;
    }
    if items.is_empty() {
        // What is on record already can be released however late.
        return Ok(Vec::new());
    }
    fresh_enough(plan, today)?;
    let requests = again::read(plan, items)?;
    let decisions = decide_all(context, &requests, Keep::Remarks)?;
    items
        .par_iter()
        .zip(requests)
        .zip(&decisions)
        .map(|((item, request), decision)| {
            let again = planned(context, &request, decision, item.serial.clone())?;
            let (again, tbs) = match again {
                Planned::Granted(again, tbs) => (again, tbs),
                Planned::Refused => return Err(now_refused(item, decision, None)),
                Planned::Unfit(finding) => return Err(now_refused(item, decision, Some(&finding))),
            };
            if *again != **item {
                return Err(Error::refused(
                    "plan.differs",
                    format!("{}: today's policy and journal give other bytes than the plan holds", item.file),
                )
                .next("make the plan anew and have it reviewed again; bytes are never changed in a plan"));
            }
            if decision.grant.as_ref().is_none_or(|grant| grant.not_after() <= today) {
                return Err(expired(item));
            }
            let request = request.digest;
            Ok(Prepared { item, request, tbs, findings: decision.findings.clone() })
        })
        .collect()
}

/// As [`prepare`], of a whole plan that was made in this process: policies and record are
/// those that it was made on, and so is every decision. Only the time went on, while people
/// read.
pub fn prepare_made<'p>(
    context: &Context<'_>,
    ledger: &Ledger,
    plan: &'p Plan,
    made: Vec<Linted<Tbs>>,
    today: Time,
) -> Result<Vec<Prepared<'p>>> {
    fits(context, ledger, plan)?;
    if !plan.items.is_empty() {
        fresh_enough(plan, today)?;
    }
    if !plan.items.iter().map(|item| &item.tbs.0[..]).eq(made.iter().map(|tbs| tbs.get().as_der())) {
        return Err(Error::integrity("plan.items", "the bytes that were linted are not the plan's"));
    }
    let prepared = plan.items.iter().zip(made).map(|(item, tbs)| {
        if Facts::from_tbs(tbs.get().as_der())?.not_after <= today {
            return Err(expired(item));
        }
        let request = Digest::of(&item.request.0);
        Ok(Prepared { item, request, tbs, findings: Vec::new() })
    });
    prepared.collect()
}

/// What a decision leads to.
enum Planned {
    /// The item, and its bytes as they were linted.
    Granted(Box<Item>, Linted<Tbs>),
    /// By the rules.
    Refused,
    /// The rules grant a certificate that no verifier would take.
    Unfit(Box<Finding>),
}

fn planned(context: &Context<'_>, request: &Request, decision: &Decision, serial: Serial) -> Result<Planned> {
    let (Some(grant), Some(cluster), Some(policy)) = (&decision.grant, &decision.cluster, &decision.policy)
    else {
        return Ok(Planned::Refused);
    };
    let unique = serial_unique(context.history, &serial)?;
    if unique.refuses() {
        return Err(Error::refused(unique.rule, format!("{}: {}", request.file, unique.message))
            .next("make the plan anew: each draws its own serial numbers"));
    }
    let tbs = match linted(context, grant, serial.clone()) {
        Ok(tbs) => tbs,
        Err(unfit) => return Ok(Planned::Unfit(unfit)),
    };
    let item = Item {
        file: request.file.clone(),
        cluster: cluster.clone(),
        policy: policy.clone(),
        serial,
        request: Bytes(request.der.clone()),
        object: request.object.clone(),
        sender: request.sender.clone(),
        crl: request.crl.as_ref().and_then(recorded),
        tbs: Bytes(tbs.get().as_der().to_vec()),
    };
    Ok(Planned::Granted(Box::new(item), tbs))
}

/// A CRL that the rules found in order has both.
fn recorded(crl: &ReceivedCrl) -> Option<ClusterCrl> {
    Some(ClusterCrl { der: Bytes(crl.der.clone()), number: crl.number?, next_update: crl.next_update? })
}

fn refusal(decision: &Decision, unfit: Option<&Finding>) -> Refused {
    Refused {
        file: decision.file.clone(),
        digest: decision.digest,
        cluster: decision.cluster.clone(),
        by: decision
            .findings
            .iter()
            .chain(unfit)
            .filter(|f| f.refuses())
            .map(|f| RefusedBy { rule: f.rule.into(), message: f.message.clone() })
            .collect(),
    }
}

fn expired(item: &Item) -> Error {
    stale(format!("{}: its certificate would be expired by now", item.file))
}

fn stale(what: String) -> Error {
    Error::refused("plan.stale", format!("plan: {what}")).next("make the plan anew with `anchorite plan`")
}

fn fits(context: &Context<'_>, ledger: &Ledger, plan: &Plan) -> Result<()> {
    if plan.dry_run {
        return Err(stale("it comes from a dry run, its serials are placeholders".into()));
    }
    if plan.rehearsal() != ledger.rehearsal() {
        return Err(Error::refused(
            "plan.home",
            "plan: a rehearsal's plan and a real home do not go together",
        )
        .next("perform it in the home that made it"));
    }
    if plan.home != ledger.home() || plan.root != context.issuer.fingerprint() {
        return Err(Error::refused("plan.home", "plan: it was made in another CA home or for another root")
            .next("perform it in the home that made it"));
    }
    Ok(())
}

fn fresh_enough(plan: &Plan, today: Time) -> Result<()> {
    if plan.created > today {
        return Err(stale(format!("made at {}, which lies ahead of the clock ({today})", plan.created)));
    }
    if today - plan.created > MAXIMUM_AGE {
        return Err(stale(format!("made at {}, more than {MAXIMUM_AGE} ago", plan.created)));
    }
    Ok(())
}

fn now_refused(item: &Item, decision: &Decision, unfit: Option<&Finding>) -> Error {
    let reasons: Vec<String> = decision
        .findings
        .iter()
        .chain(unfit)
        .filter(|f| f.refuses())
        .map(|f| format!("{} [{}]", f.message, f.rule))
        .collect();
    Error::refused(
        "plan.differs",
        format!("{}: granted when the plan was made, refused today: {}", item.file, reasons.join("; ")),
    )
    .next("make the plan anew")
}
