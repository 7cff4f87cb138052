//! `assemble`: on the cluster's side, a bundle and its key become what its consumer loads.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anchorite::cluster::{AssembleOptions, Joined, OutFile, assemble};
use anchorite::media::durable::{NewFile, write_folder};
use anchorite::release::{Judge as _, MANIFEST, Verifier};
use anchorite::x509::pem;
use anchorite::{Error, Result};

use super::args::{Assemble, Globals};
use super::request::{read_key, refuse_on_stick};
use super::{folder, output, process, quoted, shown_path};

pub fn run(globals: &Globals, args: &Assemble) -> Result<u8> {
    if args.out.exists() {
        return Err(Error::usage("assemble.exists", format!("{}: exists", shown_path(&args.out)))
            .next("name a folder that does not exist yet; nothing is overwritten"));
    }
    let above = args.out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder::demand(above, "make it first: --out names a new folder in one that is there")?;
    refuse_on_stick("assemble.key-on-stick", &args.out, &came_on(&args.bundle))?;
    if let Some(error) = folder::broken_off(&args.bundle) {
        return Err(error);
    }
    let bundle = folder::read(&args.bundle)?;
    let key = read_key(&args.key)?;
    let release = |named: &OsString| match named.is_empty() {
        true => folder::read(&came_from(&args.bundle)),
        false => folder::read(Path::new(named)),
    };
    let crls = args.crl.iter().map(release).collect::<Result<Vec<_>>>()?;
    let trust = args.trust.as_deref().map(folder::read).transpose()?;
    let options = AssembleOptions {
        noted: &args.root_sha256,
        allow_rehearsal: args.rehearsal,
        at: process::now(),
        crls: &crls,
        trust: trust.as_ref(),
        secret: args.secret.as_ref().map(|(namespace, name)| (&namespace[..], &name[..])),
    };
    let joined = assemble(&bundle, &key, &options, &Verifier)?;
    let files = &joined.files;
    let mode = |file: &OutFile| if file.secret { 0o600 } else { 0o644 };
    let new = files.iter().map(|file| NewFile { path: file.name, bytes: &file.bytes, mode: mode(file) });
    write_folder(&args.out, 0o700, &new.collect::<Vec<_>>())?;
    report(globals, args, &joined)
}

fn report(globals: &Globals, args: &Assemble, joined: &Joined) -> Result<u8> {
    let (place, files, terms) = (shown_path(&args.out), &joined.files, joined.consumer.terms());
    let set = files.iter().find(|f| terms.crl == Ok(f.name)).and_then(|f| pem::crls(&f.bytes));
    let set =
        set.unwrap_or_default().iter().map(|der| Verifier.crl_facts(der)).collect::<Result<Vec<_>>>()?;
    let load = terms.load_lines(&place, |word| {
        let file = word.strip_prefix("{out}/").unwrap_or_default();
        quoted(&args.out.join(file))
    });
    if let Some(warning) = &joined.warning {
        output::note(&format!("{} {warning}", output::styled(output::WARN, "warning:")));
    }
    if globals.json {
        let crls = set.iter().map(|crl| serde_json::json!({"issuer": crl.issuer.to_string(), "number": crl.number, "next_update": crl.next_update}));
        output::json(&serde_json::json!({
            "out": place, "consumer": joined.consumer, "files": files.iter().map(|f| f.name).collect::<Vec<_>>(),
            "crls": crls.collect::<Vec<_>>(), "load": load, "warning": joined.warning,
        }))?;
        return Ok(0);
    }
    let mut list: String = files.iter().map(|f| format!("  {}\n", f.name)).collect();
    if let Some(first) = set.first() {
        list.push_str(&format!(
            "the fleet's set: CRL {} of {}, until {}, and {} more\n",
            first.number,
            first.issuer,
            first.next_update,
            set.len() - 1
        ));
    }
    list.push_str(&format!("load it, for the consumer {}:\n", joined.consumer));
    load.iter().for_each(|line| list.push_str(&format!("  {line}\n")));
    output::text(&format!("{} {place}\n{list}", output::styled(output::GOOD, "assembled")))?;
    Ok(0)
}

/// The folder that the bundle lies in, the release's where it was not taken out of it.
fn came_from(bundle: &Path) -> PathBuf {
    let bundle = bundle.canonicalize().unwrap_or_else(|_| bundle.into());
    bundle.parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// What the bundle came on: its own folder, the release that it lies in, or the stick
/// whose top that release lies at. A release copied from the stick is no stick.
fn came_on(bundle: &Path) -> PathBuf {
    let bundle = bundle.canonicalize().unwrap_or_else(|_| bundle.into());
    let Some(release) = bundle.parent().filter(|folder| folder.join(MANIFEST).exists()) else {
        return bundle;
    };
    let device = |folder: &Path| folder.metadata().ok().map(|metadata| metadata.dev());
    let is_mounted = |folder: &&Path| folder.parent().is_some_and(|above| device(above) != device(folder));
    release.parent().filter(is_mounted).unwrap_or(release).into()
}
