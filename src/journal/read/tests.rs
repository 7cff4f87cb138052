//! A long journal is read a block at a time, on all cores: what is found is what one reader
//! of one line after another finds.

use super::*;
use crate::journal::sample::Script;

/// Of many blocks.
fn long() -> Script {
    let mut script = Script::with_root();
    for plan in ["one", "two", "three"] {
        script.session(plan, &["east", "west", "north", "south"]);
    }
    assert!(script.bytes.len() > 10 * BLOCK);
    script
}

/// One line after another, the whole at once: count and head, or the error.
fn line_by_line(bytes: &[u8]) -> Result<(u64, Digest)> {
    let mut ledger = Ledger::default();
    for line in bytes.split_inclusive(|b| *b == b'\n').filter_map(|line| line.strip_suffix(b"\n")) {
        ledger.apply(&Entry::from_line(ledger.count(), line)?, line)?;
    }
    Ok((ledger.count(), ledger.head()))
}

fn replayed(bytes: &[u8]) -> Result<(u64, Digest)> {
    let mut seen = 0;
    let replayed = replay(bytes, |entry, ledger| {
        assert_eq!((entry.seq, ledger.count()), (seen, seen));
        seen += 1;
        Ok(())
    })?;
    assert_eq!(replayed.hashes.len() as u64, replayed.ledger.count());
    Ok((replayed.ledger.count(), replayed.ledger.head()))
}

#[test]
fn wherever_it_is_cut_the_whole_lines_count_and_the_rest_is_torn() {
    let bytes = long().bytes;
    let first = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    // Before, at and behind the end of each line, and of what a block takes at least.
    let places = ends.chain((BLOCK..bytes.len()).step_by(BLOCK));
    for cut in places.flat_map(|at| [at - 1, at, at + 1]).filter(|cut| (first..=bytes.len()).contains(cut)) {
        let bytes = &bytes[..cut];
        let whole = bytes.iter().rposition(|b| *b == b'\n').unwrap() + 1;
        assert_eq!(replayed(bytes), line_by_line(bytes), "cut at {cut}");
        assert_eq!(replay(bytes, |_, _| Ok(())).unwrap().torn, bytes[whole..], "cut at {cut}");
    }
}

#[test]
fn the_first_fault_is_told_whichever_line_it_is_in() {
    let bytes = long().bytes;
    let starts: Vec<usize> =
        bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    for (n, start) in starts.iter().enumerate().take(starts.len() - 1) {
        // No entry; not canonical; another line's hash. Each line behind it has a fault as well.
        for (at, byte) in [(0, b'['), (1, b' '), (60, b'x')] {
            let mut bent = bytes.clone();
            starts[n..starts.len() - 1].iter().for_each(|later| bent[later + at] = byte);
            let found = replayed(&bent).unwrap_err();
            assert_eq!(Err(found.clone()), line_by_line(&bent));
            assert!(found.message.contains(&format!("journal line {}", n + 2)), "{start}: {found}");
        }
    }
}

#[test]
fn whoever_looks_on_may_end_it_at_any_line() {
    let bytes = long().bytes;
    for last in [0, 1, 30, 50] {
        let end = |entry: &Entry, _: &Ledger| match entry.seq == last {
            true => Err(Error::refused("test.end", "enough")),
            false => Ok(()),
        };
        assert_eq!(replay(&bytes, end).unwrap_err().id, "test.end");
    }
}
