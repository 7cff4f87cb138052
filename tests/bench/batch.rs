//! A thousand requests in one session, everything included, against the bare token.

use std::path::Path;

use crate::raw;
use crate::rig::{ROOTS, Rig, Root, median, peak, requests, run};
use crate::table::{Figure, Row, Table, Target, thousands};

/// A home that signs in so many sessions of the token, and how long things took.
struct Way {
    sessions: usize,
    rig: Rig,
    all: Vec<std::time::Duration>,
    one: Vec<std::time::Duration>,
    raw: Vec<std::time::Duration>,
}

pub fn batch(work: &Path, count: usize, rounds: usize, table: &mut Table) {
    let requests = requests(0..count);
    for root in &ROOTS {
        let mut ways = [1, 2].map(|sessions| Way::new(work, root, sessions));
        for _ in 0..rounds {
            ways.iter_mut().for_each(|way| way.measure(root, &requests));
        }
        for way in &ways {
            against_the_token(way, root, count, table);
        }
        let [one, two] = ways.each_ref().map(|way| Figure::Rate(count as f64 / median(&way.all)));
        table.push(Row {
            what: format!("{} requests, two token sessions", thousands(count)),
            root: root.name,
            ours: two,
            against: ("one token session".into(), one),
            target: (root.key == "rsa4096").then_some(Target::AtLeast(1.8)),
        });
        memory(&ways[1].rig, root, &requests, table);
    }
}

impl Way {
    fn new(work: &Path, root: &Root, sessions: usize) -> Self {
        let dir = work.join(format!("batch-{}-{sessions}", root.key));
        let rig = Rig::with_sessions(&dir, root, Some(sessions));
        rig.keep();
        Self { sessions, rig, all: Vec::new(), one: Vec::new(), raw: Vec::new() }
    }

    /// The bare token, all requests in a session, and one request in a session.
    fn measure(&mut self, root: &Root, requests: &[Vec<u8>]) {
        self.raw.push(raw::signatures(&self.rig, root, self.sessions, requests.len()));
        for (requests, times) in [(requests, &mut self.all), (&requests[..1], &mut self.one)] {
            self.rig.restore();
            self.rig.load(requests);
            times.push(run(&mut self.rig.sign()));
        }
    }
}

fn against_the_token(way: &Way, root: &Root, count: usize, table: &mut Table) {
    let [all, one, raw] = [&way.all, &way.one, &way.raw].map(|times| median(times));
    let sessions = if way.sessions == 1 { "one token session" } else { "two token sessions" };
    // Two sessions leave the rest no core of its own on a machine of two.
    let target = Target::AtLeast(if root.key == "p256" { 0.6 } else { 0.9 });
    let rows = [
        (format!("{} requests, {sessions}", thousands(count)), count as f64 / all),
        (format!("each request after the first, {sessions}"), (count - 1) as f64 / (all - one)),
    ];
    for (what, rate) in rows {
        table.push(Row {
            target: (way.sessions == 1 && !what.starts_with("each")).then_some(target),
            what,
            root: root.name,
            ours: Figure::Rate(rate),
            against: ("C_Sign alone".into(), Figure::Rate(count as f64 / raw)),
        });
    }
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
