//! How fast it is, as ratios: what is compared runs side by side, in turn, in one run,
//! on a SoftHSM. `tests/bench/run` installs what this needs and runs it; where all is
//! there, so does `cargo bench --locked`. After `--` may follow the parts wanted and options.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod batch;
mod crl;
mod history;
mod host;
mod one;
mod raw;
mod rig;
mod table;

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use serde_json::json;

#[derive(Parser)]
struct Args {
    /// What to measure; all of it if nothing is named
    parts: Vec<Part>,
    /// Small sizes and few rounds: does it run at all?
    #[arg(long)]
    quick: bool,
    /// The folder to work in, on the disk to be measured; long histories are kept there
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench"))]
    work: PathBuf,
    /// Write the figures here too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Put the table into README.md
    #[arg(long)]
    publish: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
    /// An order to the process that is the bare token
    #[arg(long, hide = true)]
    raw: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// One certificate in one process, against certtool and openssl
    One,
    /// A thousand requests in one session, against C_Sign in a loop
    Batch,
    /// One certificate where few and many are on record
    History,
    /// The audit of a journal, against sha256sum
    Audit,
    /// The root's CRL with few and many entries, against openssl ca -gencrl
    Crl,
}

fn main() {
    let args = Args::parse();
    if let Some(order) = args.raw {
        return raw::serve(&order);
    }
    if let Err(missing) = host::needs() {
        eprintln!("{missing}\ntests/bench/run installs it");
        std::process::exit(2);
    }
    std::fs::create_dir_all(&args.work).unwrap();
    let work = args.work.canonicalize().unwrap();
    let homes = work.join(host::form_of_homes());
    let mut table = table::Table::default();
    let counts: &[usize] = if args.quick { &[0, 100, 1_000] } else { &[0, 1_000, 100_000] };
    let crl_counts: &[usize] = if args.quick { &[0, 1, 100] } else { &[0, 1, 1_000, 100_000] };
    let rounds = |full: usize| if args.quick { 2 } else { full };
    let parts = if args.parts.is_empty() { Part::value_variants() } else { &args.parts };
    for part in parts {
        match part {
            Part::One => one::one(&work, rounds(15), &mut table),
            Part::Batch => batch::batch(&work, if args.quick { 100 } else { 1_000 }, rounds(3), &mut table),
            Part::History => history::history(&homes, counts, rounds(9), &mut table),
            Part::Crl => crl::crl(&homes, crl_counts, rounds(3), &mut table),
            Part::Audit => history::audit(&homes, &counts[1..], rounds(3), &mut table),
        }
    }
    let host = host::describe(&work);
    let published = format!("{host}\n\n{}", table.markdown());
    println!("{published}");
    if let Some(file) = args.json {
        let figures = json!({"host": host, "rows": table.json()});
        std::fs::write(file, serde_json::to_vec_pretty(&figures).unwrap()).unwrap();
    }
    if args.publish {
        publish(&published);
    }
}

/// Replaces what stands between the two marks in the README.
fn publish(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = readme.split_once("<!-- measured -->\n").expect("README.md: no mark");
    let (_, after) = rest.split_once("<!-- end -->").expect("README.md: no end mark");
    let readme = format!("{before}<!-- measured -->\n{table}<!-- end -->{after}");
    std::fs::write(file, readme).unwrap();
}
