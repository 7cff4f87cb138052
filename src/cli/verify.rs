//! `verify`: a release, anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anchorite::audit::{Expectation, audit_lines};
use anchorite::journal::{INDEX_FILE, Index, JOURNAL_FILE};
use anchorite::release::{self, MANIFEST, RECEIPT, Receipt, Report, SUMS, SeenCrls, Verifier};
use anchorite::text::shown;
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Globals, Verify};
use super::output::{BAD, GOOD, WARN, styled};
use super::{away, folder, installed, output, process, quoted, shown_path};

pub fn run(globals: &Globals, args: &Verify) -> Result<u8> {
    let Some(bundle) = &args.bundle else { return installed::run(globals, args) };
    let files = folder::read(bundle)?;
    let at = args.at.unwrap_or_else(process::now);
    // A cluster's folder carries its receipt at the top; a release does not.
    let report = if files.contains_key(RECEIPT) {
        release::check_cluster(&files, &args.root_sha256, args.rehearsal, at, &Verifier)
    } else {
        release::check(&files, &args.root_sha256, args.rehearsal, at, &Verifier)
    };
    let mut report = with_journal(report, &files, &args.root_sha256);
    report.errors.extend(folder::without_files(bundle));
    report.errors.extend(folder::broken_off(bundle));
    let whole = if report.signed { None } else { whole(bundle) };
    report.errors = report.errors.into_iter().map(away).collect();
    let release = [RECEIPT, SUMS, MANIFEST].iter().any(|name| files.contains_key(*name));
    if !release && files.keys().any(|name| installed::is_loaded(name)) {
        let next = "it is no release: `anchorite verify --installed` looks at what a cluster has loaded";
        report.errors.iter_mut().for_each(|error| error.next = next.into());
    }
    let code = report.worst().map_or(0, |error| error.kind.exit_code());
    if globals.json {
        output::json(&as_json(&report, whole.as_deref()))?;
    } else {
        output::text(&render(&report, bundle, whole.as_deref()))?;
    }
    Ok(code)
}

/// The release that a cluster's folder lies in, where it was not taken out of it.
fn whole(bundle: &Path) -> Option<PathBuf> {
    let bundle = bundle.canonicalize().ok()?;
    bundle.parent().filter(|above| above.join(MANIFEST).exists()).map(Path::to_path_buf)
}

fn as_json(report: &Report, whole: Option<&Path>) -> serde_json::Value {
    let errors: Vec<_> = report
        .errors
        .iter()
        .map(|e| serde_json::json!({"id": e.id, "message": e.message, "next": e.next}))
        .collect();
    let certified = |r: &Receipt| {
        serde_json::json!({
            "subject": r.subject, "serial": r.serial, "not_before": r.not_before, "not_after": r.not_after,
            "certificate_sha256": r.certificate_sha256, "root_sha256": r.root_sha256,
        })
    };
    let said = |r: &Receipt| {
        serde_json::json!({
            "release": r.release, "cluster": r.cluster, "consumer": r.consumer, "policy": r.policy,
            "request": r.request, "plan": r.plan, "object": r.object,
        })
    };
    let mut value = serde_json::Map::new();
    let mut put = |name: &str, what: serde_json::Value| value.insert(name.into(), what);
    put("ok", report.errors.is_empty().into());
    put("rehearsal", report.rehearsal.into());
    put("root_sha256", serde_json::json!(report.root));
    put("companions_sha256", serde_json::json!(report.companions));
    if report.signed {
        put("release", report.release.clone().into());
        put("created", serde_json::json!(report.created));
        put("stage", serde_json::json!(report.stage));
        put("repeats", serde_json::json!(report.repeats));
        put("crl", report.crls.as_ref().map_or(serde_json::Value::Null, crls_json));
        put("clusters", serde_json::json!(report.clusters));
    } else {
        put("certificates", report.clusters.iter().map(certified).collect());
        put("receipt_unsigned", report.clusters.iter().map(said).collect());
        put("whole_release", serde_json::json!(whole.map(shown_path)));
    }
    put("errors", errors.into());
    value.into()
}

/// The journal's copy in a release must hold by itself, too, and have the same roots on record.
fn with_journal(mut report: Report, files: &BTreeMap<String, Vec<u8>>, noted: &[Digest]) -> Report {
    let path = format!("{}/{JOURNAL_FILE}", release::JOURNAL);
    if let Some(journal) = files.get(&path) {
        let index = files.get(&format!("{}/{INDEX_FILE}", release::JOURNAL)).map(|bytes| Index::read(bytes));
        let after = match index.transpose() {
            Ok(after) => after,
            Err(error) => {
                report.errors.push(error);
                return report;
            }
        };
        let root_sha256 = report.root.or_else(|| noted.first().copied());
        let expect = Expectation { root_sha256, after: after.as_ref(), ..Expectation::default() };
        let audited = audit_lines(&journal[..], &expect).0;
        if audited.errors.is_empty() && audited.companions != report.companions {
            let what = "has other roots on record than those that root-cert.pem holds beside its own";
            report.errors.push(
                Error::integrity("release.companion", format!("{path}: {what}"))
                    .next("do not load it: ask who holds the root"),
            );
        }
        report.errors.extend(audited.errors.into_iter().map(|f| {
            Error::integrity(f.id, format!("{path}: {}", f.message))
                .next("do not load it: ask who holds the root")
        }));
    }
    report
}

fn cluster(receipt: &Receipt, signed: bool) -> String {
    let Receipt { serial, subject, not_after, plan, request, .. } = receipt;
    let (cluster, policy) = (shown(&receipt.cluster), shown(&receipt.policy));
    if signed {
        return format!("  {cluster:<20} serial {serial}, policy {policy}, until {not_after}\n");
    }
    format!(
        "  {} serial {serial}, until {not_after}\n\
         the receipt says, unsigned: cluster {cluster}, policy {policy}, consumer {}, release {}\n{}  \
         request {request}\n  plan    {plan}\n  (verify the whole release to have that signed)\n",
        shown(subject),
        receipt.consumer,
        shown(&receipt.release),
        receipt.object.iter().map(|o| format!("  object  {}\n", shown(&o.to_string()))).collect::<String>(),
    )
}

/// The release and what is in it.
fn facts(report: &Report, bundle: &Path) -> String {
    let mut out = String::new();
    if let Some(created) = report.created {
        out.push_str(&format!("release {} of {created}\n", report.release));
        let name = bundle.canonicalize().ok().and_then(|path| Some(shown_path(path.file_name()?.as_ref())));
        if let Some(name) = name.filter(|name| *name != report.release) {
            let warning = styled(WARN, "note:");
            out.push_str(&format!(
                "{warning} its folder is called {name}: is it the release you were given?\n"
            ));
        }
    }
    for companion in &report.companions {
        out.push_str(&format!("  also trusts the root   {companion}\n"));
    }
    if let Some(plan) = &report.repeats {
        let warning = styled(WARN, "note:");
        out.push_str(&format!(
            "{warning} its clusters' certificates were released before, for plan {plan}: a cluster that has a newer one keeps that\n"
        ));
    }
    if let Some(stage) = &report.stage {
        out.push_str(&format!("  a change of roots is under way, at stage {}\n", shown(stage)));
    }
    report.clusters.iter().for_each(|receipt| out.push_str(&cluster(receipt, report.signed)));
    if let Some(crls) = &report.crls {
        out.push_str(&crls_told(crls));
    }
    out
}

fn crls_json(crls: &SeenCrls) -> serde_json::Value {
    serde_json::json!({
        "number": crls.root.number, "this_update": crls.root.this_update, "next_update": crls.root.next_update,
        "entries": crls.root.entries, "set": crls.intermediates, "set_until": crls.next_update,
        "lacking": crls.lacking.count, "lacking_named": crls.lacking.named,
    })
}

fn crls_told(crls: &SeenCrls) -> String {
    let root = &crls.root;
    let mut out = format!(
        "  root-crl.pem         CRL {}, {} revoked, until {}\n",
        root.number, root.entries, root.next_update
    );
    out.push_str(&match crls.intermediates {
        Some(count) => {
            format!(
                "  ca-crl.pem           of the root and {count} intermediates, whole until {}\n",
                crls.next_update
            )
        }
        None => format!(
            "  no ca-crl.pem: the own CRLs of {} intermediates are missing: {}\n",
            crls.lacking.count,
            crls.lacking.told()
        ),
    });
    out
}

fn render(report: &Report, bundle: &Path, whole: Option<&Path>) -> String {
    let (mut out, place) = (String::new(), shown_path(bundle));
    if report.rehearsal {
        out.push_str(&format!("{} nothing of this is for real use\n", styled(BAD, "REHEARSAL")));
    }
    // What is not verified is not told as if it were.
    if report.errors.is_empty() {
        out.push_str(&facts(report, bundle));
    }
    if let Some(whole) = whole {
        let note = styled(WARN, "note:");
        out.push_str(&format!(
            "{note} it lies in its release: anchorite verify {} checks that whole, by its signature\n",
            quoted(whole)
        ));
    }
    for error in &report.errors {
        out.push_str(&format!("  {} {error}\n", styled(BAD, "FAIL")));
    }
    let steps: BTreeSet<&str> = report.errors.iter().map(|e| e.next.as_str()).collect();
    for step in steps.into_iter().filter(|step| !step.is_empty()) {
        out.push_str(&format!("  next: {step}\n"));
    }
    if report.errors.is_empty() {
        out.push_str(&format!("{} {place}\n", styled(GOOD, "verified")));
    } else {
        out.push_str(&format!("{} {place}\n", styled(BAD, "NOT VERIFIED")));
    }
    out
}
