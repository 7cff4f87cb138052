//! The home as it was before a session that did not come to its end, or its journal cut back:
//! whatever the token signed in that session, neither hides it.

use super::*;

/// Puts something older in the place of what there is: the token remembers more, where it
/// was asked for anything in the session. Tells whether it was.
fn noticed(of: &Appliance, a: &Appliance, context: &str) -> usize {
    let made = token_calls(a).0;
    if made == token_calls(of).0 {
        return 0;
    }
    let older = copy(a);
    std::fs::remove_dir_all(older.path("home")).unwrap();
    crate::appliance::copy(&of.path("home"), &older.path("home"));
    let (text, known) = (a.journal(), of.journal().lines().count());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let cut = |at: usize| {
        let cut = copy(a);
        cut.write("home/journal/journal.jsonl", lines[..at].concat());
        cut
    };
    // Back to where nothing of it was asked for yet, and to where its release was not.
    let asked = (known..).find(|at| lines[*at].contains("\"event\":\"intent\"")).unwrap();
    let mut tried = vec![cut(asked)];
    let released = (known..lines.len()).find(|at| lines[*at].contains("\"purpose\":\"release\""));
    tried.extend(released.filter(|at| lines.len() > at + 1).map(cut));
    for b in tried.iter().chain([&older]) {
        b.empty_out();
        let crl = words(b, "crl --yes", &["--to", "out", "--pin-file", "pin"]);
        let ran = run(b, &crl).fails(4, "journal.behind");
        assert!(ran.stderr.contains(" knows "), "{context}: {}", ran.stderr);
        assert_eq!(token_calls(b).0, made, "{context}: signed again");
    }
    // Nothing in an older home tells of what came after it: only the token does.
    assert_eq!(sound(&older, context)["state"], "ok", "{context}");
    1
}

fn steps(of: &Appliance) -> Vec<Call> {
    let calls = some_steps(of, &["home", "out"], 1, sign);
    assert!(calls.len() > 60, "only {} steps", calls.len());
    calls.into_iter().step_by(if all() { 1 } else { 4 }).collect()
}

#[test]
fn a_session_that_was_killed_is_remembered_from_its_first_signature_on() {
    let of = watched_with_requests();
    run(&of, &pin(&of)).code(0);
    let count = AtomicUsize::new(0);
    each(&steps(&of), |_, call| {
        let a = copy(&of);
        killed_at(&a, call, &sign(&a));
        count.fetch_add(noticed(&of, &a, &format!("killed at {call}")), Ordering::SeqCst);
    });
    assert!(count.into_inner() > 10);
}

#[test]
fn a_session_that_failed_after_it_signed_is_remembered_and_its_head_told() {
    let of = watched_with_requests();
    run(&of, &pin(&of)).code(0);
    let count = AtomicUsize::new(0);
    each(&steps(&of), |_, call| {
        let (a, context) = (copy(&of), format!("EIO at {call}"));
        let (ran, ..) = disturbed_at(&a, call, "error=EIO", &sign(&a));
        // What cannot be removed does not matter; where the journal cannot be written any more
        // nothing is sealed.
        if ran.code != 0 && !ran.stderr.contains("[journal.write]") && !record(&a).serials.is_empty() {
            let told = ran.stderr.split("journal head, for the sheet: ").nth(1);
            let told = told.unwrap_or_else(|| panic!("{context}: {}", ran.stderr));
            let head = told.split_whitespace().nth(2).unwrap();
            assert_eq!(sound(&a, &context)["head"], head, "{context}");
            let older = ["audit", "verify", "--expect-head", head];
            assert!(run(&copy(&of), &older).code(4).stdout.contains("[journal.behind]"));
        }
        count.fetch_add(noticed(&of, &a, &context), Ordering::SeqCst);
    });
    assert!(count.into_inner() > 10);
}
