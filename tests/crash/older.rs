//! The home as it was before a session that did not come to its end: whatever that session
//! let out, an older copy does not hide it.

use super::*;

/// The home of before, put in the home's place: the token remembers more, where anything
/// was signed. Tells whether it was.
fn noticed(of: &Appliance, a: &Appliance, context: &str) -> usize {
    if record(a).serials.is_empty() {
        return 0;
    }
    let b = copy(a);
    std::fs::remove_dir_all(b.path("home")).unwrap();
    crate::appliance::copy(&of.path("home"), &b.path("home"));
    b.empty_out();
    // An older copy is as sound as it ever was: only the token knows.
    assert_eq!(sound(&b, context)["state"], "ok", "{context}");
    let made = token_calls(&b).0;
    let ran = run(&b, &sign(&b)).fails(4, "journal.behind");
    assert!(ran.stderr.contains("the token knows"), "{context}: {}", ran.stderr);
    assert_eq!(token_calls(&b).0, made, "{context}: signed again");
    1
}

fn on_the_stick(of: &Appliance) -> Vec<Call> {
    let mut calls = some_steps(of, &["out"], 1, sign);
    calls.retain(|call| call.path.starts_with("out"));
    assert!(calls.len() > 20, "only {} steps", calls.len());
    calls.into_iter().step_by(if all() { 1 } else { 5 }).collect()
}

#[test]
fn a_session_that_was_killed_as_it_wrote_to_the_stick_is_remembered() {
    let of = watched_with_requests();
    // From where the token keeps the head, and a run of another kind of session.
    run(&of, &pin(&of)).code(0);
    let count = AtomicUsize::new(0);
    each(&on_the_stick(&of), |_, call| {
        let a = copy(&of);
        killed_at(&a, call, &sign(&a));
        count.fetch_add(noticed(&of, &a, &format!("killed at {call}")), Ordering::SeqCst);
    });
    assert!(count.into_inner() > 3);
}

#[test]
fn a_session_that_failed_after_it_signed_is_remembered_and_its_head_told() {
    let of = watched_with_requests();
    run(&of, &pin(&of)).code(0);
    let mut calls = on_the_stick(&of);
    let own = some_steps(&of, &["home"], 1, sign);
    let quarantine = own.into_iter().filter(|call| call.path.starts_with("home/quarantine"));
    calls.extend(quarantine.step_by(if all() { 1 } else { 4 }));
    let count = AtomicUsize::new(0);
    each(&calls, |_, call| {
        let (a, context) = (copy(&of), format!("EIO at {call}"));
        let (ran, ..) = disturbed_at(&a, call, "error=EIO", &sign(&a));
        // What cannot be removed, or is looked at in vain, does not matter.
        if ran.code != 0 && !record(&a).serials.is_empty() {
            let told = ran.stderr.split("journal head, for the sheet: ").nth(1);
            let told = told.unwrap_or_else(|| panic!("{context}: {}", ran.stderr));
            let head = told.split_whitespace().nth(2).unwrap();
            assert_eq!(sound(&a, &context)["head"], head, "{context}");
            let older = ["audit", "verify", "--expect-head", head];
            assert!(run(&copy(&of), &older).code(4).stdout.contains("[journal.behind]"));
        }
        count.fetch_add(noticed(&of, &a, &context), Ordering::SeqCst);
    });
    assert!(count.into_inner() > 3);
}
