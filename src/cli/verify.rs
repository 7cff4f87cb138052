//! `verify`: a release, anywhere.

use std::collections::{BTreeMap, BTreeSet};

use anchorite::audit::{Expectation, audit_lines};
use anchorite::journal::{INDEX_FILE, Index, JOURNAL_FILE};
use anchorite::release::{self, RECEIPT, Report, Verifier};
use anchorite::text::shown;
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Globals, Verify};
use super::output::{BAD, GOOD, styled};
use super::{folder, output, process, shown_path};

pub fn run(globals: &Globals, args: &Verify) -> Result<u8> {
    let files = folder::read(&args.bundle)?;
    let at = args.at.unwrap_or_else(process::now);
    // A cluster's folder carries its receipt at the top; a release does not.
    let report = if files.contains_key(RECEIPT) {
        release::check_cluster(&files, &args.root_sha256, args.rehearsal, at, &Verifier)
    } else {
        release::check(&files, &args.root_sha256, args.rehearsal, at, &Verifier)
    };
    let report = with_journal(report, &files, &args.root_sha256);
    let code = report.worst().map_or(0, |error| error.kind.exit_code());
    if globals.json {
        output::json(&serde_json::json!({
            "ok": code == 0,
            "release": report.release,
            "rehearsal": report.rehearsal,
            "root_sha256": report.root,
            "companions_sha256": report.companions,
            "clusters": report.clusters,
            "errors": report.errors.iter()
                .map(|e| serde_json::json!({"id": e.id, "message": e.message, "next": e.next}))
                .collect::<Vec<_>>(),
        }))?;
    } else {
        output::text(&render(&report, &shown_path(&args.bundle)))?;
    }
    Ok(code)
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
        let audited = audit_lines(&journal[..], &expect, &mut |_, _| ()).0;
        if audited.errors.is_empty() && audited.companions != report.companions {
            let what = "has other roots on record than those that root-cert.pem holds after the first";
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

fn render(report: &Report, place: &str) -> String {
    let mut out = String::new();
    if report.rehearsal {
        out.push_str(&format!("{} nothing of this is for real use\n", styled(BAD, "REHEARSAL")));
    }
    for companion in &report.companions {
        out.push_str(&format!("  also trusts the root   {companion}\n"));
    }
    for cluster in &report.clusters {
        out.push_str(&format!(
            "  {:<20} serial {}, policy {}, until {}\n",
            shown(&cluster.cluster),
            cluster.serial,
            shown(&cluster.policy),
            cluster.not_after
        ));
    }
    for error in &report.errors {
        out.push_str(&format!("  {} {error}\n", styled(BAD, "no")));
    }
    let steps: BTreeSet<&str> = report.errors.iter().map(|e| e.next.as_str()).collect();
    for step in steps.into_iter().filter(|step| !step.is_empty()) {
        // There is no ceremony where a release is loaded.
        let step = if step.starts_with("stop the ceremony") {
            "do not load it: ask who holds the root"
        } else {
            step
        };
        out.push_str(&format!("  next: {step}\n"));
    }
    if report.errors.is_empty() {
        out.push_str(&format!("{} {place}\n", styled(GOOD, "verified")));
    } else {
        out.push_str(&format!("{} {place}\n", styled(BAD, "NOT VERIFIED")));
    }
    out
}
