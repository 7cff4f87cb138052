//! Certificates are handed over a few at a time: each is judged wherever it stands among
//! them, and told of in the order of the lines.

use super::TOGETHER;
use crate::audit::{Expectation, Report, State, audit, audit_found};
use crate::journal::sample::{Script, session};
use crate::journal::{Event, KeyRole};

/// More than are handed over three times.
const ALL: usize = 3 * TOGETHER + 2;

/// A journal with so many certificates, and the lines of those whose signature is wrong.
fn script(wrong: impl Fn(usize) -> bool) -> (Script, Vec<u64>) {
    let (mut script, mut lines) = (Script::with_root(), Vec::new());
    script.add(session());
    let plan = script.begin("plan", ALL as u64);
    for n in 0..ALL {
        let intermediate = script.intermediate(plan, &format!("c{n}"));
        if wrong(n) {
            let intent = script.add(intermediate);
            let signature = script.signature(KeyRole::Root, b"other");
            lines.push(script.add(Event::Signed { intent, signature }) + 1);
        } else {
            script.sign(intermediate);
        }
    }
    script.seal();
    (script, lines)
}

fn judge(script: &Script) -> Report {
    audit(&script.bytes, &Expectation::default()).0
}

fn faults(report: &Report) -> Vec<(&str, &str)> {
    report.errors.iter().map(|e| (e.id, e.message.split(": ").next().unwrap())).collect()
}

#[test]
fn a_wrong_signature_is_found_wherever_it_stands() {
    for at in 0..ALL {
        let (script, lines) = script(|n| n == at);
        let report = judge(&script);
        assert_eq!(report.state, State::Broken);
        assert_eq!(faults(&report), [("audit.signature", &*format!("journal line {}", lines[0]))], "{at}");
    }
}

#[test]
fn faults_are_told_in_the_order_of_their_lines() {
    for round in 0..10 {
        let (mut script, mut lines) = script(|n| n % 2 == 0 || n + round > ALL);
        // One of another kind, which is found at once, after those that are still under way.
        let plan = script.begin("another", 1);
        let intent = script.add(script.intermediate(plan, "last"));
        let signature = script.signature(KeyRole::Root, b"other");
        lines.push(script.add(Event::Signed { intent, signature }) + 1);
        let mut released = script.release(plan, b"sums");
        if let Event::Released { sums, .. } = &mut released {
            sums.0 = [7; 32];
        }
        lines.push(script.add(released) + 1);
        let report = judge(&script);
        let told: Vec<_> = faults(&report).into_iter().map(|(_, place)| place.to_string()).collect();
        let wanted: Vec<_> = lines.iter().map(|line| format!("journal line {line}")).collect();
        assert_eq!(told, wanted);
        assert_eq!(report.errors.last().map(|e| e.id), Some("audit.release"));
    }
}

#[test]
fn what_holds_is_looked_at_once_and_shown_in_the_order_of_issue() {
    let wrong = TOGETHER;
    let (script, _) = script(|n| n == wrong);
    let mut shown = Vec::new();
    let look = |_: &_, der: &[u8]| der.to_vec();
    let (_, replayed) = audit_found(&script.bytes[..], &Expectation::default(), &look, &mut |found| {
        if let crate::audit::Found::Certificate(serial, seen) = found {
            shown.push((serial, seen));
        }
    });
    // The root's and the journal's, then the clusters'.
    assert_eq!(shown.len(), 2 + ALL - 1);
    let ledger = replayed.unwrap().ledger;
    for (n, (serial, der)) in (0..ALL).filter(|n| *n != wrong).zip(&shown[2..]) {
        let issued = ledger.by_cluster(&format!("c{n}")).unwrap();
        assert_eq!(issued.iter().map(|issued| &issued.serial).collect::<Vec<_>>(), [serial]);
        assert!(der.windows(serial.as_bytes().len()).any(|bytes| bytes == serial.as_bytes()));
    }
}
