//! `verify`: a release, anywhere.

use std::collections::BTreeSet;

use anchorite::Result;
use anchorite::release::{self, RECEIPT, Report, Verifier};

use super::args::{Globals, Verify};
use super::output::{BAD, GOOD, styled};
use super::{folder, output, process, shown_path};

pub fn run(globals: &Globals, args: &Verify) -> Result<u8> {
    let files = folder::read(&args.bundle)?;
    let at = args.at.unwrap_or_else(process::now);
    // A cluster's folder carries its receipt at the top; a release does not.
    let report = if files.contains_key(RECEIPT) {
        release::check_cluster(&files, args.root_sha256, args.rehearsal, at, &Verifier)
    } else {
        release::check(&files, args.root_sha256, args.rehearsal, at, &Verifier)
    };
    let code = report.worst().map_or(0, |error| error.kind.exit_code());
    if globals.json {
        output::json(&serde_json::json!({
            "ok": code == 0,
            "release": report.release,
            "rehearsal": report.rehearsal,
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

fn render(report: &Report, place: &str) -> String {
    let mut out = String::new();
    if report.rehearsal {
        out.push_str(&format!("{} nothing of this is for real use\n", styled(BAD, "REHEARSAL")));
    }
    for cluster in &report.clusters {
        out.push_str(&format!(
            "  {:<20} serial {}, policy {}, until {}\n",
            cluster.cluster, cluster.serial, cluster.policy, cluster.not_after
        ));
    }
    for error in &report.errors {
        out.push_str(&format!("  {} {error}\n", styled(BAD, "no")));
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
