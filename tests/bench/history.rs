//! Homes with few and many certificates on record: opening and signing cost the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{ROOTS, Rig, median, peak, requests, run};
use crate::table::{Figure, Row, Table, Target, thousands};

/// Requests a session when a history is made, and how many a file holds.
const SESSION: usize = 5_000;
const FILE: usize = 1_000;
/// The root's certificate and its journal's, which lie among those issued.
const OWN: usize = 2;

/// What one request takes on a home.
#[derive(Default)]
struct Times {
    sign: Vec<std::time::Duration>,
    inspect: Vec<std::time::Duration>,
    release: u64,
}

/// Signing and inspecting one request on each of the homes, in turn. The first is
/// what the others are held against.
pub fn history(work: &Path, counts: &[usize], rounds: usize, table: &mut Table) {
    let rigs: Vec<Rig> = counts.iter().map(|count| home(work, *count)).collect();
    let mut times: Vec<Times> = counts.iter().map(|_| Times::default()).collect();
    for request in requests(900_000..900_000 + rounds) {
        for (rig, times) in rigs.iter().zip(&mut times) {
            rig.load(std::slice::from_ref(&request));
            times.inspect.push(run(rig.anchorite(&["inspect", "--policy", "istio"]).arg(rig.path("in"))));
            times.sign.push(run(&mut rig.sign()));
            times.release = size(&rig.path("out"));
        }
    }
    let figures = |times: &Times| {
        let (sign, inspect) = (median(&times.sign), median(&times.inspect));
        [Figure::Seconds(sign), Figure::Seconds(inspect), Figure::Bytes(times.release)]
    };
    let base = figures(&times[0]);
    for (count, times) in counts.iter().zip(&times).skip(1) {
        let whats = ["one certificate", "inspect", "its release"];
        for ((what, ours), base) in whats.iter().zip(figures(times)).zip(base) {
            table.push(Row {
                what: format!("{what}, {} on record", thousands(*count)),
                root: ROOTS[0].name,
                ours,
                against: (format!("{} on record", counts[0]), base),
                target: (*what == "one certificate").then_some(Target::AtMost(1.1)),
            });
        }
    }
}

/// `audit verify` of the whole journal against `sha256sum` of it.
pub fn audit(work: &Path, counts: &[usize], rounds: usize, table: &mut Table) {
    let mut memory = Vec::new();
    for count in counts {
        let rig = home(work, *count);
        let journal = rig.path("home/journal/journal.jsonl");
        let (mut audits, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            sums.push(run(Command::new("sha256sum").arg(&journal)));
            audits.push(run(&mut rig.anchorite(&["audit", "verify"])));
        }
        memory.push(Figure::Bytes(peak(&rig.anchorite(&["audit", "verify"]), &rig.dir)));
        let bytes = Figure::Bytes(journal.metadata().unwrap().len());
        table.push(Row {
            what: format!("audit, {} on record, journal of {bytes}", thousands(*count)),
            root: ROOTS[0].name,
            ours: Figure::Seconds(median(&audits)),
            against: ("sha256sum".into(), Figure::Seconds(median(&sums))),
            target: Some(Target::AtMost(5.0)),
        });
    }
    if let ([few, .., many], [less, .., more]) = (counts, &memory[..]) {
        table.push(Row {
            what: format!("its peak memory, {} on record", thousands(*many)),
            root: ROOTS[0].name,
            ours: *more,
            against: (format!("{} on record", thousands(*few)), *less),
            target: None,
        });
    }
}

/// A home with this many certificates on record. A long history is kept for the
/// next run, and gone on with where one broke off; measuring adds a few to it.
pub fn home(work: &Path, count: usize) -> Rig {
    let dir = work.join(format!("history-{count}"));
    if count == 0 {
        return Rig::new(&dir, &ROOTS[0]);
    }
    let rig = Rig::kept(&dir, &ROOTS[0]);
    let count = count + OWN;
    while rig.issued() < count {
        let made = rig.issued();
        let batch = requests(made..count.min(made + SESSION));
        rig.load(&batch.chunks(FILE).map(<[Vec<u8>]>::concat).collect::<Vec<_>>());
        let took = run(&mut rig.sign()).as_secs_f64();
        let rate = batch.len() as f64 / took;
        eprintln!("history: {} of {} ({rate:.0}/s)", thousands(rig.issued() - OWN), thousands(count - OWN));
    }
    rig
}

/// Bytes of all files beneath a folder.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| if path.is_dir() { size(&path) } else { path.metadata().unwrap().len() };
    entries.map(of).sum()
}
