//! `policy check`, `policy pin` and `policy export`.

use std::path::PathBuf;

use anchorite::exported;
use anchorite::media::durable::{self, NewFile, write_folder};
use anchorite::policy::PolicySet;
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Globals, Pin, Policy, PolicyExport, PolicyVerb};
use super::{output, process, shown_path, unlock};

pub fn run(globals: &Globals, args: &Policy) -> Result<u8> {
    match &args.verb {
        PolicyVerb::Check { files } if files.is_empty() => check_home(globals),
        PolicyVerb::Check { files } => check_files(globals, files),
        PolicyVerb::Pin(pin_args) => pin(globals, pin_args),
        PolicyVerb::Export(export_args) => export(globals, export_args),
    }
}

/// Files on their own, with no home: a policy can be checked anywhere.
fn check_files(globals: &Globals, files: &[PathBuf]) -> Result<u8> {
    let mut names = Vec::new();
    for path in files {
        let bytes = durable::read_bounded(path, 4 << 20)?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::usage("file.not-utf8", format!("{}: is not UTF-8 text", shown_path(path)))
                .next("save it as UTF-8")
        })?;
        let set = PolicySet::parse([(shown_path(path), text)], ("clusters.toml", ""))?;
        for warning in set.warnings() {
            output::note(&format!(
                "{} {} [{}]",
                output::styled(output::WARN, "note:"),
                warning.message,
                warning.rule
            ));
        }
        names.push(shown_path(path));
    }
    if globals.json {
        output::json(&serde_json::json!({"well_formed": names}))?;
    } else {
        output::text(&names.iter().map(|n| format!("{n}: well formed\n")).collect::<String>())?;
    }
    Ok(0)
}

/// Exit 1 where an edit waits to be pinned.
fn check_home(globals: &Globals) -> Result<u8> {
    let home = unlock::edited_home(globals)?;
    let edits = home.edits();
    if globals.json {
        output::json(&serde_json::json!({"well_formed": true, "edits": edits}))?;
    } else if edits.is_empty() {
        output::text("well formed, and in force\n")?;
    } else {
        let list: String = edits.iter().map(|e| format!("  {e}\n")).collect();
        output::text(&format!("well formed, but not in force:\n{list}next: anchorite policy pin\n"))?;
    }
    Ok(u8::from(!edits.is_empty()))
}

/// The policies in force alone: what was edited and not pinned would be no advice.
fn export(globals: &Globals, args: &PolicyExport) -> Result<u8> {
    let home = unlock::home(globals)?;
    let (ledger, root) = (home.journal.ledger(), home.root()?);
    let files =
        exported::write(ledger, root, &home.config.limits, home.policies.register(), home.documents()?)?;
    let head = home.journal.head();
    let folder = args.to.join(format!("anchorite-policies-{:06}", head.count));
    let new: Vec<_> = files.iter().map(|(path, bytes)| NewFile { path, bytes, mode: 0o644 }).collect();
    write_folder(&folder, 0o755, &new)?;
    let digest = files.get(exported::RECORD).map(|bytes| Digest::of(bytes));
    if globals.json {
        output::json(&serde_json::json!({
            "export": shown_path(&folder), "export_sha256": digest, "files": files.len(), "head": head,
        }))?;
    } else {
        output::text(&format!(
            "{} {}\n  export  {}\n  journal {}, {} lines\nelsewhere: anchorite precheck --policies {} REQUESTS\n",
            output::styled(output::GOOD, "exported"),
            shown_path(&folder),
            digest.map_or_else(String::new, |digest| digest.to_string()),
            head.hash,
            head.count,
            super::quoted(&folder)
        ))?;
    }
    Ok(0)
}

fn pin(globals: &Globals, args: &Pin) -> Result<u8> {
    let mut home = unlock::edited_home(globals)?;
    let list: String = home.edits().iter().map(|e| format!("  {e}\n")).collect();
    let (shown, question) = match (list.is_empty(), home.open_matters().is_empty()) {
        (true, true) => {
            output::note("nothing to pin: the documents are those in force");
            if globals.json {
                output::json(&serde_json::json!({"pinned": false, "head": home.journal.head()}))?;
            }
            return Ok(0);
        }
        (true, false) => (
            "nothing to pin: the documents are those in force\n".to_string(),
            "Settle and seal what is open?",
        ),
        (false, _) => (format!("PIN these edits:\n{list}"), "Put them in force?"),
    };
    let consent = unlock::consent(globals, args, &home, "policy pin", &shown, question)?;
    if home.root().is_err() {
        // Before the root is made there is no journal key to seal with; its first
        // seal will cover this entry.
        home.pin_unsealed(process::now(), &consent)?;
    } else {
        let mut token = unlock::token(&home, args)?;
        unlock::login(&home, token.as_mut(), args)?;
        let edited = !home.edits().is_empty();
        unlock::session(&mut home, token.as_mut(), consent, args, |session| {
            if edited {
                session.pin()?;
            }
            session.seal().map(drop)
        })?;
    }
    let head = home.journal.head();
    if globals.json {
        output::json(&serde_json::json!({"pinned": true, "head": head}))?;
    } else {
        output::text(&format!(
            "{}; journal head: {} lines, {}\n",
            output::styled(output::GOOD, "in force"),
            head.count,
            head.hash
        ))?;
    }
    Ok(0)
}
