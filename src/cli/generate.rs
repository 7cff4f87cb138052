//! Completions and man pages, from the one definition of the command line.

use std::path::Path;

use anchorite::{Error, Result};
use clap::CommandFactory as _;

use super::args::{Cli, Completions, Globals, Manual};
use super::{output, shown_path};

pub fn completions(args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "anchorite", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

pub fn manual(globals: &Globals, args: &Manual) -> Result<u8> {
    let failed = |e: std::io::Error| {
        Error::usage("manual.write", format!("{}: cannot be written ({e})", shown_path(&args.dir)))
            .next("name a folder that you may write to")
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), Path::new(&args.dir)).map_err(failed)?;
    if globals.json {
        output::json(&serde_json::json!({"manual": shown_path(&args.dir)}))?;
    }
    Ok(0)
}
