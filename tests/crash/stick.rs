//! A stick that fails while it is written, or that does not hold what was written.

use std::collections::BTreeSet;

use super::*;

/// The release went to another stick, and nothing was signed again for it.
fn another_stick_takes_it(a: &Appliance, context: &str) {
    assert_eq!(std::fs::read_dir(a.path("out")).unwrap().count(), 0, "{context}: left on the stick");
    let plan = plan_to_take_up(&sound(a, context)).expect("a plan to take up");
    let signed = record(a).serials;
    assert_eq!(signed.len(), REQUESTS.len(), "{context}");
    std::fs::remove_dir(a.path("out")).unwrap();
    std::fs::create_dir(a.path("other")).unwrap();
    run(a, &perform(a, &plan, "out")).fails(2, "output.missing");
    run(a, &perform(a, &plan, "other")).code(0);
    assert_eq!(releases(a, &a.path("other"), context), 1);
    assert_eq!(record(a).serials, signed, "{context}: signed again");
    settled(a, context);
    accounted_for(a, context);
    run(a, &perform(a, &plan, "other")).fails(1, "plan.spent");
}

#[test]
fn a_stick_that_fails_at_the_release_costs_nothing() {
    let of = watched_with_requests();
    let calls = some_steps(&of, &["out"], 1, sign);
    // The first folder is the probe's, which finds a bad stick before anything is signed.
    let mut folders = calls.iter().enumerate().filter(|(_, call)| call.what == What::Folder);
    let (first, _) = folders.nth(1).unwrap();
    let calls: Vec<_> = calls[first..].iter().step_by(if all() { 1 } else { 9 }).collect();
    assert!(calls.len() > 5, "only {} steps", calls.len());
    each(&calls, |n, call| {
        let (a, (error, words)) = (copy(&of), ERRORS[n % ERRORS.len()]);
        let (ran, ..) = disturbed_at(&a, call, &format!("error={error}"), &sign(&a));
        let told = ran.code(2).stderr;
        assert!(told.contains(words) && told.contains("anchorite perform"), "{call}: {told}");
        another_stick_takes_it(&a, &format!("{error} at {call}"));
    });
}

#[test]
fn a_release_is_read_back_past_the_kernels_copy_and_compared() {
    let of = watched_with_requests();
    let a = copy(&of);
    let (ran, calls) = traced(&a, &["read", "fadvise64"], &sign(&a));
    ran.code(0);
    let on_stick = |call: &&Call| call.path.starts_with("out/") && call.succeeded;
    let reads: Vec<_> = calls.iter().filter(on_stick).filter(|c| matches!(c.what, What::Read(1..))).collect();
    for read in &reads {
        // A page that was not flushed cannot be forgotten.
        let of_file = |call: &&Call| call.path == read.path || call.what == What::FlushAll;
        let before = calls
            .iter()
            .filter(on_stick)
            .filter(of_file)
            .take_while(|call| call.nth != read.nth || call.name != read.name);
        let mut before: Vec<_> = before.map(|call| &call.what).collect();
        before.retain(|what| !matches!(what, What::Open(_) | What::Read(_)));
        assert!(before.ends_with(&[&What::FlushAll, &What::Forget]), "{read}: {before:?}");
    }
    let files = tree(&a).into_iter().filter(|(path, bytes)| path.starts_with("out/") && bytes.is_some());
    assert_eq!(reads.iter().map(|read| &read.path).collect::<BTreeSet<_>>().len(), files.count());
    for (n, read) in reads.iter().enumerate().step_by(if all() { 1 } else { 7 }) {
        // An error; another byte; the end of the file, too early.
        for how in ["error=EIO", "poke_exit=@arg2=00", "retval=0"] {
            let (a, context) = (copy(&of), format!("{how} at {read}, file {n}"));
            let (ran, ..) = disturbed_at(&a, read, how, &sign(&a));
            let told = ran.fails(4, "output.read-back").stderr;
            assert!(told.contains(read.path.rsplit_once('/').unwrap().1), "{context}: {told}");
            assert!(told.contains("is on record: `anchorite perform "), "{context}: {told}");
            another_stick_takes_it(&a, &context);
        }
    }
}
