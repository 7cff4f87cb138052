//! `verify --installed`: what clusters have loaded.

use std::collections::BTreeSet;
use std::path::Path;

use anchorite::document::MAX_LENGTH;
use anchorite::installed::{Against, Cluster, Fault, Object, Report, SeenObject, Severity, check, objects};
use anchorite::media::durable::read_secret;
use anchorite::media::loaded::read_loaded;
use anchorite::text::shown;
use anchorite::x509::Seconds;
use anchorite::{Error, Result};

use super::args::{Globals, Verify};
use super::output::{BAD, GOOD, WARN, styled};
use super::{output, process, shown_path};

/// From the ceremony to the last cluster, where nobody says otherwise.
const WITHIN: Seconds = Seconds(30 * Seconds::DAY.0);

pub fn run(globals: &Globals, args: &Verify) -> Result<u8> {
    let clusters = args.installed.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    let at = args.at.unwrap_or_else(process::now);
    let against = Against {
        noted: &args.root_sha256,
        at,
        within: args.within.unwrap_or(WITHIN),
        rehearsal: args.rehearsal,
        consumer: args.consumer,
    };
    let report = check(&clusters, &against)?;
    let (state, code) = match report.severity() {
        Some(Severity::Broken) => ("broken", 4),
        Some(Severity::Open) => ("open", 1),
        Some(Severity::Note) | None => ("ok", 0),
    };
    if globals.json {
        output::json(&serde_json::json!({
            "ok": code == 0, "state": state, "at": at, "clusters": report.clusters, "findings": report.findings,
        }))?;
    } else {
        output::text(&render(&report, state))?;
    }
    Ok(code)
}

/// A folder of files, or a file of Kubernetes' objects.
fn read(path: &Path) -> Result<Cluster> {
    let name = shown_path(path);
    if !path.exists() {
        return Err(Error::usage("file.missing", format!("{name}: is not there"))
            .next("give a folder of PEM files, or a Secret as `kubectl get secret -o yaml` prints it"));
    }
    if !path.is_dir() {
        let found = objects(&name, &read_secret(path, MAX_LENGTH)?)?;
        return Ok(Cluster { name, objects: found });
    }
    let (mut entries, mut all) = (read_loaded(path)?, Vec::new());
    let documents: Vec<String> = entries.keys().filter(|name| is_document(name)).cloned().collect();
    for file in documents {
        let bytes = entries.remove(&file).unwrap_or_default();
        let mut found = objects(&format!("{name}/{file}"), &bytes)?;
        found.iter_mut().for_each(|object| object.name = format!("{file}: {}", object.name));
        all.extend(found);
    }
    all.insert(0, Object::folder("its files", entries));
    Ok(Cluster { name, objects: all })
}

fn is_document(name: &str) -> bool {
    [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end))
}

fn render(report: &Report, state: &str) -> String {
    let mut out = String::new();
    for seen in &report.clusters {
        out.push_str(&format!("{}\n", seen.cluster));
        for object in &seen.objects {
            out.push_str(&facts(object));
            let own = |fault: &&Fault| fault.cluster == seen.cluster && fault.object == object.object;
            report.findings.iter().filter(own).for_each(|fault| out.push_str(&told(fault)));
        }
    }
    let (together, mut last) = (report.findings.iter().filter(|fault| fault.object.is_empty()), "");
    for fault in together {
        if fault.cluster != last {
            out.push_str(&format!("{} beside the others\n", fault.cluster));
            last = &fault.cluster;
        }
        out.push_str(&told(fault));
    }
    let steps: BTreeSet<&str> = report.findings.iter().map(|fault| fault.next.as_str()).collect();
    steps.iter().for_each(|step| out.push_str(&format!("next: {step}\n")));
    let word = match state {
        "ok" => styled(GOOD, "in order"),
        "open" => styled(WARN, "OPEN"),
        _ => styled(BAD, "BROKEN"),
    };
    let count = report.clusters.len();
    out.push_str(&format!("{word} {count} {}\n", if count == 1 { "cluster" } else { "clusters" }));
    out
}

fn facts(object: &SeenObject) -> String {
    let mut out = format!("  {} ({}", object.object, object.form);
    if !object.or.is_empty() {
        out.push_str(&format!("; of the same names: {}; --consumer says which", object.or.join(", ")));
    }
    out.push_str(")\n");
    if let Some(own) = &object.certificate {
        let key = if object.key { "with its key" } else { "without its key" };
        out.push_str(&format!(
            "    {}, serial {}, until {}, {key}\n",
            own.subject, own.serial, own.not_after
        ));
    }
    for root in &object.roots {
        out.push_str(&format!(
            "    trusts {}, until {}\n           {}\n",
            root.subject, root.not_after, root.sha256
        ));
    }
    for crl in &object.crls {
        out.push_str(&format!("    CRL {} of {}, until {}\n", crl.number, crl.issuer, crl.next_update));
    }
    out
}

fn told(fault: &Fault) -> String {
    let (style, word) = match fault.severity {
        Severity::Broken => (BAD, "FAIL"),
        Severity::Open => (WARN, "open"),
        Severity::Note => (WARN, "note"),
    };
    let place = if fault.key.is_empty() { String::new() } else { format!("{}: ", shown(&fault.key)) };
    let wanted = if fault.wanted.is_empty() { String::new() } else { format!(", want {}", fault.wanted) };
    format!("    {} {place}found {}{wanted} [{}]\n", styled(style, word), fault.found, fault.id)
}
