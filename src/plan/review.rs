//! What people read before they say yes, rendered from the plan's bytes.

use std::collections::HashSet;
use std::fmt::Write as _;

use rayon::prelude::*;

use super::Plan;
use crate::error::Result;
use crate::journal::{ClusterCrl, Ledger, Rollover, Side};
use crate::text::shown;
use crate::verify::describe::{Description, describe_tbs, describe_trusted};
use crate::verify::describe_crl;
use crate::x509::{Digest, Issuer, Revocation, Serial, Status, Time};

/// So many certificates are read at a time, on all cores.
const AT_A_TIME: usize = 64;

/// The whole review as plain text; nothing outside printable characters in it.
/// `now` is the host's clock: people confirm it together with the plan. `ledger` tells
/// whose certificates are to be revoked.
pub fn render(
    plan: &Plan,
    root: &Issuer,
    now: Time,
    ledger: &Ledger,
    findings: &dyn Fn(&Digest) -> Vec<String>,
) -> Result<String> {
    let mut out = String::new();
    let digest = plan.digest()?;
    if !plan.mark.is_empty() {
        line(&mut out, &format!("{}: nothing of this is for real use", plan.mark));
    }
    line(&mut out, &format!("plan      {digest}"));
    for words in wrapped_words(&digest) {
        line(&mut out, &format!("          {words}"));
    }
    line(&mut out, &format!("root      {}", root.subject));
    line(&mut out, &format!("          SHA-256 {}", root.fingerprint()));
    let computed = "all dates are computed from it";
    if now == plan.created {
        line(&mut out, &format!("clock     {now} ({computed})"));
    } else {
        line(&mut out, &format!("clock     {now} now, on this host"));
        line(&mut out, &format!("          {} when the plan was made ({computed})", plan.created));
    }
    if let Some(policy) = &plan.policy {
        let text = "clusters that are not registered are let in by --policy";
        line(&mut out, &format!("policy    {}: {text}", shown(policy)));
    }
    line(&mut out, &summary(plan));
    revocations(&mut out, plan, ledger)?;
    course(&mut out, plan, ledger)?;
    let described = plan
        .items
        .chunks(AT_A_TIME)
        .flat_map(|some| some.par_iter().map(|item| describe_tbs(&item.tbs.0)).collect::<Vec<_>>());
    for (number, (item, tbs)) in plan.items.iter().zip(described).enumerate() {
        let tbs = tbs?;
        let request = Digest::of(&item.request.0);
        line(&mut out, "");
        line(
            &mut out,
            &format!("{}. SIGN for cluster {} by policy {}", number + 1, item.cluster, item.policy),
        );
        line(&mut out, &format!("   request                {}  SHA-256 {request}", item.file));
        if let Some(object) = &item.object {
            line(&mut out, &format!("   {:<22} {}", "object", object.line()));
        }
        if let Some(sender) = &item.sender {
            line(&mut out, &format!("   {:<22} {} by {}", "signed", sender.file, sender.who()));
        }
        certificate(&mut out, &tbs);
        if let Some(crl) = &item.crl {
            own_crl(&mut out, crl);
        }
        for note in findings(&request) {
            line(&mut out, &format!("   {note}"));
        }
    }
    repeated(&mut out, plan, ledger)?;
    for refused in &plan.refused {
        line(&mut out, "");
        let cluster = refused.cluster.as_deref().map(|c| format!(" of cluster {c}")).unwrap_or_default();
        line(&mut out, &format!("-- REFUSED {}{cluster}  SHA-256 {}", refused.file, refused.digest));
        for by in &refused.by {
            line(&mut out, &format!("   {} [{}]", by.message, by.rule));
        }
    }
    Ok(out)
}

/// What goes out once more. Nobody signs it again.
fn repeated(out: &mut String, plan: &Plan, ledger: &Ledger) -> Result<()> {
    let Some(repeat) = &plan.repeat else { return Ok(()) };
    line(out, "");
    line(out, &format!("RELEASE AGAIN of plan {}", repeat.plan));
    for words in wrapped_words(&repeat.plan) {
        line(out, &format!("   {words}"));
    }
    for (number, item) in repeat.items.iter().enumerate() {
        line(out, "");
        line(out, &format!("{}. for cluster {} by policy {}", number + 1, item.cluster, item.policy));
        line(
            out,
            &format!("   request                {}  SHA-256 {}", item.file, Digest::of(&item.request.0)),
        );
        let tbs = describe_tbs(&item.tbs.0)?;
        certificate(out, &tbs);
        let later = ledger.by_cluster(&item.cluster)?.into_iter();
        let later = later.filter(|c| c.status == Status::Released && c.not_before > tbs.not_before);
        if let Some(later) = later.max_by_key(|c| c.not_before) {
            let (serial, since) = (&later.serial, later.not_before);
            line(
                out,
                &format!("   !! REPLACED: this cluster has a later one, serial {serial}, since {since}"),
            );
        }
    }
    Ok(())
}

fn summary(plan: &Plan) -> String {
    let mut parts = vec![format!("{}", plan.items.len())];
    if plan.crl.is_some() {
        parts.push("and the root's CRL".into());
    }
    if plan.cross.is_some() {
        parts.push("and a cross-certificate".into());
    }
    let revoked = match plan.revocations.len() {
        0 => String::new(),
        several => format!(", to revoke {several}"),
    };
    let again = match &plan.repeat {
        None => String::new(),
        Some(repeat) => format!(", to release again {}", repeat.items.len()),
    };
    format!("to sign   {}{again}{revoked}, refused {}", parts.join(" "), plan.refused.len())
}

/// What is revoked, which CRLs came in for certificates that are signed already, and the
/// root's CRL as its bytes say it.
fn revocations(out: &mut String, plan: &Plan, ledger: &Ledger) -> Result<()> {
    for (number, it) in plan.revocations.iter().enumerate() {
        let Revocation { serial, date, reason, invalidity_date } = &it.entry;
        line(out, "");
        line(out, &format!("{}. REVOKE {serial}", number + 1));
        let mut field = |name: &str, value: &str| line(out, &format!("   {name:<22} {value}"));
        if let Some(issued) = ledger.by_serial(serial)? {
            field("cluster", &shown(issued.cluster.as_deref().unwrap_or("none")));
            field("subject", &issued.subject.to_string());
            field("validity", &validity(issued.not_before, issued.not_after));
        }
        field("reason", reason.name());
        field("revoked at", &date.to_string());
        if let Some(since) = invalidity_date {
            field("suspected since", &since.to_string());
        }
        if let Some(who) = &it.asked_by {
            field("asked for by", who);
        }
    }
    for later in &plan.later_crls {
        let issued = ledger.by_serial(&later.certificate)?;
        let cluster = issued.and_then(|issued| issued.cluster).unwrap_or_default();
        line(out, "");
        line(
            out,
            &format!(
                "-- CRL of cluster {} for {}, which is signed already",
                shown(&cluster),
                later.certificate
            ),
        );
        line(out, &format!("   {:<22} {}", "file", later.file));
        own_crl(out, &later.crl);
    }
    let Some(tbs) = &plan.crl else { return Ok(()) };
    let crl = describe_crl(&tbs.0)?;
    let waiting = ledger.unlisted().iter().chain(plan.revocations.iter().map(|it| &it.entry));
    let waiting: HashSet<&Serial> = waiting.map(|entry| &entry.serial).collect();
    let new: Vec<&Revocation> = crl.entries.iter().filter(|entry| waiting.contains(&entry.serial)).collect();
    line(out, "");
    line(out, "CRL to sign");
    let mut field = |name: &str, value: &str| line(out, &format!("   {name:<22} {value}"));
    field("issuer", &crl.issuer.to_string());
    field("number", &crl.number.to_string());
    field("validity", &validity(crl.this_update, crl.next_update));
    field("revoked", &format!("{}, {} of them for the first time", crl.entries.len(), new.len()));
    for entry in new {
        field("new", &format!("{}  {}  {}", entry.serial, entry.date, entry.reason.name()));
    }
    Ok(())
}

/// The root's own life: another root that is vouched for, a stage, the end.
fn course(out: &mut String, plan: &Plan, ledger: &Ledger) -> Result<()> {
    if let Some(cross) = &plan.cross {
        line(out, "");
        line(
            out,
            "CROSS-CERTIFICATE to sign: another root's key and name; it never stands in a trust bundle",
        );
        certificate(out, &describe_tbs(&cross.tbs.0)?);
    }
    let (Some(after), before) = (&plan.course, ledger.course()) else { return Ok(()) };
    line(out, "");
    if let Some(how) = after.destroyed.as_ref().filter(|_| before.destroyed.is_none()) {
        line(out, "KEY of the root destroyed");
        line(out, &format!("   {:<22} {how}", "how, and who saw it"));
    }
    if after.retired && !before.retired {
        line(out, "RETIRE the root: after this it signs nothing, no certificate and no CRL");
    }
    match (&before.rollover, &after.rollover) {
        (None, Some(rollover)) => {
            line(out, "ROLLOVER begins");
            rollover_fields(out, rollover)?;
        }
        (Some(_), None) => line(out, "ROLLOVER ends"),
        (Some(before), Some(after)) if before != after => {
            let reached = if after.reached { ", which has reached every cluster" } else { "" };
            line(
                out,
                &format!(
                    "ROLLOVER from stage {} to stage {}{reached}",
                    before.stage.name(),
                    after.stage.name()
                ),
            );
            if after.compromised && !before.compromised {
                line(out, "   the old root's key is COMPROMISED");
            }
            rollover_fields(out, after)?;
        }
        _ => {}
    }
    Ok(())
}

fn rollover_fields(out: &mut String, rollover: &Rollover) -> Result<()> {
    let mut field = |name: &str, value: &str| line(out, &format!("   {name:<22} {value}"));
    let (own, other) = match rollover.own {
        Side::Old => ("the old one, which goes", "the new one"),
        Side::New => ("the new one, which comes", "the old one"),
    };
    field("this home's root is", own);
    for companion in &rollover.others {
        let described = describe_trusted(&companion.certificate.0)?;
        field(other, &format!("{}, until {}", described.subject, described.not_after));
        field("", &format!("SHA-256 {}", companion.fingerprint()));
        for rule in &companion.warned {
            field("", &format!("warning {rule}"));
        }
    }
    field("both trusted until", &rollover.until.to_string());
    if let Some(bundle) = rollover.emitted(rollover.stage) {
        field("root-cert.pem", &format!("SHA-256 {bundle}"));
    }
    Ok(())
}

fn own_crl(out: &mut String, crl: &ClusterCrl) {
    let digest = Digest::of(&crl.der.0);
    line(
        out,
        &format!(
            "   {:<22} number {}, until {}  SHA-256 {digest}",
            "its own CRL, empty", crl.number, crl.next_update
        ),
    );
}

/// A certificate's fields, one a line.
pub fn certificate(out: &mut String, tbs: &Description) {
    let key = format!("{}  SHA-256 {}", tbs.key_algorithm, tbs.key_digest);
    certificate_with_key(out, tbs, &key);
}

/// As [`certificate`], with other words for the key: one that does not exist yet.
pub fn certificate_with_key(out: &mut String, tbs: &Description, key: &str) {
    let mut field = |name: &str, value: &str| line(out, &format!("   {name:<22} {value}"));
    field("subject", &tbs.subject);
    field("issuer", &tbs.issuer);
    field("serial", &tbs.serial.to_string());
    field("validity", &validity(tbs.not_before, tbs.not_after));
    field("public key", key);
    field("signature", &tbs.signature_algorithm);
    for extension in &tbs.extensions {
        let critical = if extension.critical { " (critical)" } else { "" };
        field(&extension.name, &format!("{}{critical}", extension.text));
    }
}

fn validity(from: Time, to: Time) -> String {
    format!("{from} to {to} ({} days)", (to - from).0 / 86_400)
}

/// The digest's words, eight a line, as they are read aloud.
pub fn wrapped_words(digest: &Digest) -> Vec<String> {
    let words = digest.words();
    let words: Vec<&str> = words.split(' ').collect();
    words.chunks(8).map(|chunk| chunk.join(" ")).collect()
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}
