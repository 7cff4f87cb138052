//! A disk that is full, broken or read-only, at every call: told of, and gone on from.

use super::*;

/// A run that met a failing call says so: what, where, and what to do next, with the
/// exit code for it. What failed on the journal ends everything.
fn well_told(failure: &Failure<'_>, a: &Appliance) {
    let Failure { call, words, ran, after, context } = failure;
    let told = &ran.stderr;
    // What cannot be removed does not matter where all else was done.
    if ran.code == 0 && call.what == What::Remove {
        return;
    }
    let journal = call.path.ends_with("journal.jsonl") && !matches!(call.what, What::Open(_));
    assert_eq!(ran.code, if journal { 4 } else { 2 }, "{context}: {told}");
    let stick = call.path.starts_with("out");
    let (id, place) = match (journal, stick) {
        (true, _) => ("[journal.write]", "home/journal/journal.jsonl"),
        (_, true) => ("[output.", "out"),
        // Moved on from there: the message names where to.
        _ if call.path.starts_with("home/quarantine") => ("[file.unwritable]", "home"),
        _ => ("[file.unwritable]", call.path.rsplit_once('/').map_or("home", |(folder, _)| folder)),
    };
    let place = a.path(place);
    for wanted in ["error: ", place.to_str().unwrap(), words, id, "next: "] {
        assert!(told.contains(wanted), "{context}: wanted {wanted} in {told}");
    }
    if journal {
        let more = after.iter().find(|call| call.marks(&["home"]));
        assert!(more.is_none(), "{context}: went on with {more:?}");
    }
    if stick && call.what != What::Remove {
        let left = std::fs::read_dir(a.path("out")).unwrap().count();
        assert_eq!(left, 0, "{context}: something is left on the stick");
    }
}

#[test]
fn root_create_tells_of_every_call_that_fails() {
    fail_everywhere(&watched(), 1, root_create, |failure, a| {
        well_told(failure, a);
        root_is_taken_up(a, &failure.context);
        assert_eq!(token_calls(a).1, 2, "{}: key pairs generated", failure.context);
    });
}

#[test]
fn sign_tells_of_every_call_that_fails() {
    fail_everywhere(&watched_with_requests(), 1, sign, |failure, a| {
        well_told(failure, a);
        signing_is_taken_up(a, &failure.context);
    });
}

#[test]
fn policy_pin_tells_of_every_call_that_fails() {
    let of = watched_with_requests();
    edit_a_policy(&of);
    fail_everywhere(&of, 1, pin, |failure, a| {
        well_told(failure, a);
        pin_is_taken_up(a, &failure.context);
    });
}

#[test]
fn a_journal_that_a_flush_failed_on_is_written_again() {
    let of = watched_with_requests();
    let mut flushes = some_steps(&of, &["home"], 1, sign);
    flushes.retain(|call| call.name == "fdatasync");
    assert!(flushes.len() > 5, "only {} flushes", flushes.len());
    each(&flushes, |_, flush| {
        let a = copy(&of);
        let (ran, mut calls, _) = disturbed_at(&a, flush, "error=EIO", &sign(&a));
        ran.fails(4, "journal.write");
        let (ran, more) = traced(&a, &[], &pin(&a));
        ran.code(0);
        // The kernel has the lines and the disk does not, whatever later flushes say.
        calls.extend(more);
        restore(&a, &Disk::after(&of, &calls).left(Loss::All));
        sound(&a, &format!("the power went after EIO at {flush}"));
    });
}
