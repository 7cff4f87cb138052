//! `verify --installed`: what clusters have loaded.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anchorite::document::CLUSTER;
use anchorite::installed::{Against, Cluster, Fault, Object, Report, SeenObject, Severity, check, objects};
use anchorite::media::durable::read_secret;
use anchorite::media::loaded::read_loaded;
use anchorite::release::{CA_CRL, Consumer};
use anchorite::text::shown;
use anchorite::x509::Seconds;
use anchorite::{Error, Result};
use zeroize::Zeroizing;

use super::args::{Globals, Verify};
use super::output::{BAD, GOOD, WARN, styled};
use super::{output, process, shown_path};

/// Stands for standard input.
const STDIN: &str = "-";
/// From the ceremony to the last cluster, where nobody says otherwise.
const WITHIN: Seconds = Seconds(30 * Seconds::DAY.0);

pub fn run(globals: &Globals, args: &Verify) -> Result<u8> {
    if args.installed.iter().filter(|path| path.as_path() == Path::new(STDIN)).count() > 1 {
        return Err(Error::usage(
            "command-line.usage",
            "--installed: '-' twice, where standard input is read once",
        )
        .next("put the second cluster's Secrets in a file"));
    }
    let read = |path: &PathBuf| read(path).unwrap_or_else(|error| unread(path, error));
    let clusters: Vec<Cluster> = args.installed.iter().map(read).collect();
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
    if path == Path::new(STDIN) {
        let name = "standard input";
        return Ok(Cluster::new(name, objects(name, &from_stdin()?)?));
    }
    let name = shown_path(path);
    if !path.exists() {
        return Err(Error::usage("file.missing", format!("{name}: is not there"))
            .next("give a folder of PEM files, or a Secret as `kubectl get secret -o yaml` prints it"));
    }
    if !path.is_dir() {
        let found = objects(&name, &read_secret(path, CLUSTER.length)?)?;
        return Ok(Cluster::new(name, found));
    }
    let mut loaded = read_loaded(path)?;
    let mut cluster = Cluster::new(name, Vec::new());
    for (file, error) in loaded.unread {
        cluster.passed_over.push((error, is_loaded(&file)));
    }
    let documents: Vec<String> = loaded.files.keys().filter(|name| is_document(name)).cloned().collect();
    for file in documents {
        let bytes = loaded.files.remove(&file).unwrap_or_default();
        match objects(&format!("{}/{file}", cluster.name), &bytes) {
            Ok(mut found) => {
                found.iter_mut().for_each(|object| object.name = format!("{file}: {}", object.name));
                cluster.objects.append(&mut found);
            }
            Err(error) => cluster.passed_over.push((error, is_loaded(&file))),
        }
    }
    cluster.objects.insert(0, Object::folder("its files", loaded.files));
    Ok(cluster)
}

/// One whole Secret or List, and nothing beyond it.
fn from_stdin() -> Result<Zeroizing<Vec<u8>>> {
    // It never grows, so that no copy of a key is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(CLUSTER.length + 64));
    let read = std::io::stdin().lock().take(CLUSTER.length as u64 + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) => Ok(bytes),
        Err(e) => Err(Error::usage("file.unreadable", format!("standard input: {e}"))
            .next("pipe `kubectl get secret -o yaml` into it")),
    }
}

/// Whether it has a name that `assemble` writes, so that a consumer would miss it.
pub fn is_loaded(file: &str) -> bool {
    Consumer::ALL.iter().filter_map(|consumer| consumer.terms().assembled.as_ref().ok()).any(|made| {
        let named = made.files.iter().any(|(name, _)| *name == file);
        named || made.key == file || made.secret.is_some_and(|secret| secret.file == file)
    }) || [CA_CRL, "ca.crl", "ca-bundle.crt"].contains(&file)
}

/// One that nothing could be read of.
fn unread(path: &Path, error: Error) -> Cluster {
    Cluster { unread: Some(error), ..Cluster::new(shown_path(path), Vec::new()) }
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
        // What could not be read is no object.
        let known = |fault: &Fault| seen.objects.iter().any(|object| object.object == fault.object);
        let rest = report.findings.iter().filter(|fault| fault.cluster == seen.cluster && !known(fault));
        let rest = rest.filter(|fault| seen.objects.is_empty() || !fault.object.is_empty());
        rest.for_each(|fault| out.push_str(&told(fault)));
    }
    let empty =
        |name: &str| report.clusters.iter().any(|seen| seen.cluster == name && seen.objects.is_empty());
    let together = report.findings.iter().filter(|fault| fault.object.is_empty() && !empty(&fault.cluster));
    let mut last = "";
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
