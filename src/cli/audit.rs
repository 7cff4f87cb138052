//! `audit verify|show|export|restore`.

use std::io::BufReader;
use std::path::Path;

use anchorite::audit::{Expectation, Fault, Report, State, audit, audit_lines};
use anchorite::home::{self, Home, Recovered, Told};
use anchorite::journal::{INDEX_FILE, Index, JOURNAL_FILE};
use anchorite::media::durable::{self, NewFile, write_folder};
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Audit, AuditExport, AuditRestore, AuditShow, AuditVerb, AuditVerify, Globals};
use super::output::{BAD, GOOD, WARN, styled};
use super::{output, process, shown_path, unlock};

/// The largest journal that is read.
const JOURNAL_MAXIMUM: u64 = 8 << 30;

pub fn run(globals: &Globals, args: &Audit) -> Result<u8> {
    match &args.verb {
        AuditVerb::Verify(args) => verify(globals, args),
        AuditVerb::Show(args) => show(globals, args),
        AuditVerb::Export(args) => export(globals, args),
        AuditVerb::Restore(args) => restore(globals, args),
    }
}

fn verify(globals: &Globals, args: &AuditVerify) -> Result<u8> {
    let given = args.root.as_deref().map(|file| root_certificate(file, args.root_sha256)).transpose()?;
    let expect = Expectation {
        root_sha256: args.root_sha256,
        root: given.as_deref(),
        head: args.expect_head,
        ..Expectation::default()
    };
    let report = match &args.journal {
        Some(folder) => {
            let after = index_beside(folder)?;
            let lines = BufReader::new(durable::open(&folder.join(JOURNAL_FILE))?);
            audit_lines(lines, &Expectation { after: after.as_ref(), ..expect }).0
        }
        None => home::examine(&globals.home, expect)?,
    };
    if globals.json {
        output::json(&report)?;
    } else {
        output::text(&render(&report, args.root_sha256))?;
    }
    Ok(match report.state {
        State::Ok => 0,
        State::Open => 1,
        State::Broken => 4,
    })
}

/// The root certificate's DER from a PEM or DER file.
fn root_certificate(path: &Path, noted: Option<Digest>) -> Result<Vec<u8>> {
    let bytes = durable::read_bounded(path, 1 << 20)?;
    if bytes.first() == Some(&0x30) {
        return Ok(bytes);
    }
    // A release's own root is the first that it trusts, but in the middle of a rollover.
    let trusted = anchorite::release::pem::trust_bundle(&shown_path(path), &bytes);
    let own = |trusted: Vec<Vec<u8>>| {
        let known = trusted.iter().find(|der| noted == Some(Digest::of(der))).cloned();
        known.or_else(|| trusted.into_iter().next()).unwrap_or_default()
    };
    trusted.map(own).map_err(|e| {
        Error::usage("audit.root-file", e.message).next("give the root certificate, as PEM or DER")
    })
}

/// The index that a part of a long journal begins after.
fn index_beside(folder: &Path) -> Result<Option<Index>> {
    match durable::read_bounded(&folder.join(INDEX_FILE), 1 << 30) {
        Ok(bytes) => Index::read(&bytes).map(Some),
        Err(e) if e.id == "file.missing" => Ok(None),
        Err(e) => Err(e),
    }
}

fn journal_bytes(folder: &Path) -> Result<Vec<u8>> {
    durable::read_bounded(&folder.join(JOURNAL_FILE), JOURNAL_MAXIMUM)
}

fn render(report: &Report, noted: Option<Digest>) -> String {
    let all = |like: &str| report.errors.iter().all(|fault| fault.id.starts_with(like));
    let (what, style, word) = match report.state {
        State::Ok => ("journal", GOOD, "ok"),
        State::Open => ("journal", WARN, "open"),
        State::Broken if all("home.") => ("journal whole, the home's files", BAD, "BROKEN"),
        State::Broken => ("journal", BAD, "BROKEN"),
    };
    let head = report.head.map_or_else(|| "unknown".into(), |h| h.to_string());
    let mut out = format!(
        "{what} {}: {} entries, {} signatures\nhead {head}\n",
        styled(style, word),
        report.entries,
        report.signatures
    );
    for (number, root) in (1..).zip(&report.roots) {
        let count = report.roots.len();
        let this = if noted == Some(*root) { ", the one noted" } else { "" };
        if count > 1 || !this.is_empty() {
            out.push_str(&format!("root {root} ({number} of {count} of its key and name{this})\n"));
        }
    }
    for companion in &report.companions {
        out.push_str(&format!("companion {companion}\n"));
    }
    for told in &report.attested {
        out.push_str(&format!("  {told}\n"));
    }
    for matter in &report.open {
        out.push_str(&format!("  {} {matter}\n", styled(WARN, "open")));
    }
    for Fault { id, message } in &report.errors {
        out.push_str(&format!("  {} {message} [{id}]\n", styled(BAD, "FAIL")));
    }
    if report.state == State::Broken {
        out.push_str(match all("home.edited") {
            true => "nothing may be signed until this is undone or, where it is wanted, pinned\n",
            false => "stop the ceremony: nothing may be signed on this record\n",
        });
    }
    out
}

fn show(globals: &Globals, args: &AuditShow) -> Result<u8> {
    let home = unlock::home(globals)?;
    let first = args.last.map_or(0, |last| home.journal.head().count.saturating_sub(last as u64));
    let mut shown = Vec::new();
    home.journal.each(|entry, _| {
        if entry.seq >= first {
            shown.push(entry.clone());
        }
        Ok(())
    })?;
    if globals.json {
        output::json(&shown)?;
        return Ok(0);
    }
    for entry in shown {
        let mut value = serde_json::to_value(&entry.event).unwrap_or_default();
        let event = value.as_object_mut().and_then(|o| o.remove("event")).unwrap_or_default();
        output::text(&format!("{:>5}  {}  {}\n", entry.seq, entry.time, event.as_str().unwrap_or_default()))?;
        for (key, value) in value.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
            let text = anchorite::text::shown(&text);
            let short: String = text.chars().take(72).collect();
            let dots = if short.len() < text.len() { "…" } else { "" };
            output::text(&format!("       {key:<12} {short}{dots}\n"))?;
        }
    }
    Ok(0)
}

fn export(globals: &Globals, args: &AuditExport) -> Result<u8> {
    let home = unlock::home(globals)?;
    let folder = args.to.join(format!("anchorite-export-{:06}", home.journal.head().count));
    let files = home.export()?;
    let new: Vec<_> = files.iter().map(|(path, bytes)| NewFile { path, bytes, mode: 0o644 }).collect();
    write_folder(&folder, 0o755, &new)?;
    let head = home.journal.head();
    if globals.json {
        output::json(
            &serde_json::json!({"export": shown_path(&folder), "files": files.len(), "head": head}),
        )?;
    } else {
        output::text(&format!(
            "{} {}\n  {} files; journal head: {} lines, {}\n",
            styled(GOOD, "exported"),
            shown_path(&folder),
            files.len(),
            head.count,
            head.hash
        ))?;
    }
    Ok(0)
}

fn restore(globals: &Globals, args: &AuditRestore) -> Result<u8> {
    if index_beside(&args.from)?.is_some() {
        return Err(Error::refused(
            "restore.part",
            format!(
                "{}: holds the last part of a journal alone, and an index of what came before",
                shown_path(&args.from)
            ),
        )
        .next("restore from an export, which holds the whole journal; a long one's release does not"));
    }
    let copy = journal_bytes(&args.from)?;
    let expect =
        Expectation { root_sha256: Some(args.root_sha256), head: args.expect_head, ..Expectation::default() };
    let (report, replayed, kept) = audit(&copy, &expect);
    let (State::Ok | State::Open, Some(replayed)) = (report.state, replayed) else {
        output::note(&render(&report, Some(args.root_sha256)));
        return Err(Error::integrity(
            "restore.broken",
            format!("{}: the copy does not pass the audit", shown_path(&args.from)),
        )
        .next("restore from another copy, such as the last export; the copy in a release ends before the head of its session, so give no --expect-head with that"));
    };
    if report.state == State::Open {
        // Beyond the last seal a copy may hold anybody's lines.
        output::note(&render(&report, Some(args.root_sha256)));
    }
    let told = Told { head_known: args.expect_head.is_some(), accept_loss: args.accept_loss };
    let recovered = Home::restore(&globals.home, &copy, &replayed, &kept, told, process::now())?;
    if globals.json {
        output::json(&serde_json::json!({
            "restored": report.entries,
            "certificates": kept.certificates.len(),
            "recovered": {
                "certificates": recovered.certificates.keys().collect::<Vec<_>>(),
                "cluster_crls": recovered.cluster_crls.keys().collect::<Vec<_>>(),
                "crls": recovered.crls.keys().collect::<Vec<_>>(),
            },
        }))?;
        return Ok(0);
    }
    output::text(&format!(
        "{} {} entries and {} certificates\n{}next: `anchorite policy check` compares the documents with those in force; the next session seals the journal\n",
        styled(GOOD, "restored"),
        report.entries,
        kept.certificates.len(),
        found_again(&recovered)
    ))?;
    Ok(0)
}

/// What lay in the home and was signed on lines that are lost.
fn found_again(recovered: &Recovered) -> String {
    let certificates = recovered.certificates.keys().map(|serial| format!("certificate {serial}"));
    let crls = recovered.crls.keys().map(|number| format!("the root's CRL {number}"));
    let cluster_crls = recovered.cluster_crls.keys().map(|serial| format!("its cluster's CRL for {serial}"));
    let all: Vec<String> = certificates.chain(crls).chain(cluster_crls).collect();
    if all.is_empty() {
        return String::new();
    }
    let lines: String = all.iter().map(|one| format!("  {one}\n")).collect();
    format!(
        "{}, signed on lines that are lost and on record again:\n{lines}what those lines decided besides has to be decided again: pins, companions, steps of a rollover, revocations that none of these CRLs lists\n",
        styled(WARN, "recovered")
    )
}
