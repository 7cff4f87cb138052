//! `assemble`: on the cluster's side, a bundle and its key become the Secret.

use anchorite::cluster::{AssembleOptions, OutFile, assemble};
use anchorite::media::durable::{NewFile, write_folder};
use anchorite::release::Verifier;
use anchorite::{Error, Result};

use super::args::{Assemble, Globals};
use super::request::read_key;
use super::{folder, output, process, shown_path};

pub fn run(globals: &Globals, args: &Assemble) -> Result<u8> {
    if args.out.exists() {
        return Err(Error::usage("assemble.exists", format!("{}: exists", shown_path(&args.out)))
            .next("name a folder that does not exist yet; nothing is overwritten"));
    }
    let bundle = folder::read(&args.bundle)?;
    let key = read_key(&args.key)?;
    let options = AssembleOptions {
        noted: &args.root_sha256,
        allow_rehearsal: args.rehearsal,
        with_crl: args.crl,
        at: process::now(),
    };
    let files = assemble(&bundle, &key, &options, &Verifier)?;
    let mode = |file: &OutFile| if file.secret { 0o600 } else { 0o644 };
    let new = files.iter().map(|file| NewFile { path: file.name, bytes: &file.bytes, mode: mode(file) });
    write_folder(&args.out, 0o700, &new.collect::<Vec<_>>())?;
    let place = shown_path(&args.out);
    if globals.json {
        output::json(
            &serde_json::json!({"out": place, "files": files.iter().map(|f| f.name).collect::<Vec<_>>()}),
        )?;
    } else {
        let list: String = files.iter().map(|f| format!("  {}\n", f.name)).collect();
        output::text(&format!(
            "{} {place}\n{list}load it: kubectl apply -f {place}/cacerts.yaml\n",
            output::styled(output::GOOD, "assembled")
        ))?;
    }
    if args.root_sha256.is_empty() {
        output::note(
            "the root was taken from the bundle; give --root-sha256 to hold it against the noted fingerprint",
        );
    }
    Ok(0)
}
