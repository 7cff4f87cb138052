//! A thousand requests in one session, everything included, against the bare token.

use std::path::Path;
use std::process::Command;

use crate::raw;
use crate::rig::{ROOTS, Rig, Root, median, peak, requests, run};
use crate::table::{Figure, Row, Table, Target, thousands};

/// `sign`'s option for how many sessions of the token it opens.
const SESSIONS: &str = "--sessions";

/// What it took with so many sessions of the token, the median of the rounds in seconds.
struct Times {
    sessions: usize,
    all: f64,
    one: f64,
    raw: f64,
}

pub fn batch(work: &Path, count: usize, rounds: usize, table: &mut Table) {
    let requests = requests(0..count);
    for root in &ROOTS {
        let rig = Rig::new(&work.join(format!("batch-{}", root.key)), root);
        rig.keep();
        let ways = measure(&rig, root, &requests, rounds);
        for way in &ways {
            against_the_token(way, root, count, table);
        }
        if let [one, two] = &ways[..] {
            table.push(Row {
                what: "two token sessions instead of one".into(),
                root: root.name,
                ours: Figure::Rate(count as f64 / two.all),
                against: ("one:".into(), Figure::Rate(count as f64 / one.all)),
                target: (root.key == "rsa4096").then_some(Target::AtLeast(1.8)),
            });
        }
        memory(&rig, root, &requests, table);
    }
}

fn measure(rig: &Rig, root: &Root, requests: &[Vec<u8>], rounds: usize) -> Vec<Times> {
    let help = run_help();
    let ways = if help.contains(SESSIONS) { 1..=2 } else { 1..=1 };
    let mut samples: Vec<[Vec<_>; 3]> = ways.clone().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for sessions in ways.clone() {
            let [all, one, raw] = &mut samples[sessions - 1];
            raw.push(raw::signatures(rig, root, sessions, requests.len()));
            for (requests, times) in [(requests, all), (&requests[..1], one)] {
                rig.restore();
                rig.load(requests);
                let mut sign = rig.sign();
                if help.contains(SESSIONS) {
                    sign.args([SESSIONS, &sessions.to_string()]);
                }
                times.push(run(&mut sign));
            }
        }
    }
    let medians = |[all, one, raw]: &[Vec<_>; 3]| [median(all), median(one), median(raw)];
    let each = ways.zip(samples.iter().map(medians));
    each.map(|(sessions, [all, one, raw])| Times { sessions, all, one, raw }).collect()
}

fn run_help() -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_anchorite")).args(["sign", "--help"]).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

/// With one session, where a core is left for the rest, DESIGN says what it must reach.
fn against_the_token(times: &Times, root: &Root, count: usize, table: &mut Table) {
    let sessions = if times.sessions == 1 { "one token session" } else { "two token sessions" };
    let raw = || ("C_Sign alone".to_string(), Figure::Rate(count as f64 / times.raw));
    let least = if root.key == "p256" { 0.6 } else { 0.9 };
    table.push(Row {
        what: format!("{} requests, {sessions}", thousands(count)),
        root: root.name,
        ours: Figure::Rate(count as f64 / times.all),
        against: raw(),
        target: (times.sessions == 1).then_some(Target::AtLeast(least)),
    });
    table.push(Row {
        what: format!("each request after the first, {sessions}"),
        root: root.name,
        ours: Figure::Rate((count - 1) as f64 / (times.all - times.one)),
        against: raw(),
        target: None,
    });
}

/// The most memory that a batch and a tenth of it take.
fn memory(rig: &Rig, root: &Root, requests: &[Vec<u8>], table: &mut Table) {
    let tenth = &requests[..requests.len() / 10];
    let [tenth, all] = [tenth, requests].map(|requests| {
        rig.restore();
        rig.load(requests);
        (requests.len(), Figure::Bytes(peak(&rig.sign(), &rig.dir)))
    });
    table.push(Row {
        what: format!("peak memory, {} requests", thousands(all.0)),
        root: root.name,
        ours: all.1,
        against: (format!("{} requests", thousands(tenth.0)), tenth.1),
        target: Some(Target::AtMost(1.1)),
    });
}
