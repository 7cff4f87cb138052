//! Revocations and CRLs, cut off at every step: nothing is lost or counted twice, no number
//! is used again, and what is released lists what is on record.

use super::*;

/// With intermediates that are released.
fn released() -> Appliance {
    let of = watched_with_requests();
    run(&of, &sign(&of)).code(0);
    of
}

fn first(a: &Appliance) -> String {
    record(a).serials[0].clone()
}

fn revoke(a: &Appliance) -> Vec<String> {
    let mut args = words(a, "revoke --reason keyCompromise --yes", &["--pin-file", "pin"]);
    args.push(first(a));
    args
}

fn revoke_to(a: &Appliance) -> Vec<String> {
    let mut args = revoke(a);
    args.extend(words(a, "--json", &["--to", "out"]));
    args
}

fn crl(a: &Appliance) -> Vec<String> {
    words(a, "crl --yes", &["--to", "out", "--pin-file", "pin"])
}

fn sign_and_revoke(a: &Appliance) -> Vec<String> {
    let mut args = sign(a);
    args.extend(["--revoke".into(), format!("{}=superseded", first(a))]);
    args
}

fn steps(of: &Appliance, step: usize, args: Args) -> Vec<Call> {
    let calls = some_steps(of, &DISKS, step, args);
    assert!(calls.len() > 5, "only {} steps", calls.len());
    calls
}

/// The next CRL is signed, whatever was left; it lists exactly these.
fn the_next_one_lists(a: &Appliance, wanted: &[String], context: &str) {
    let last = numbers(a).into_iter().max().unwrap();
    run(a, &crl(a)).code(0);
    assert_eq!(a.listed_serials(), wanted, "{context}");
    assert_eq!(a.listed_number(), last + 1, "{context}");
    settled(a, context);
    accounted_for(a, context);
    assert!(releases(a, &a.path("out"), context) >= 1, "{context}: no release");
    let different: std::collections::BTreeSet<_> = numbers(a).into_iter().collect();
    assert_eq!(different.len(), numbers(a).len(), "{context}: a number was asked for twice");
}

/// The numbers of all CRLs that were ever asked for, in order.
fn numbers(a: &Appliance) -> Vec<u64> {
    let journal = a.journal();
    // The last line may be torn.
    let entries = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let crls = entries.filter(|entry| entry["event"] == "intent" && entry["purpose"] == "crl");
    let number = |entry: Value| {
        let tbs = BASE64.decode(entry["message"].as_str().unwrap().as_bytes()).unwrap();
        anchorite::x509::CrlSpec::from_tbs(&tbs).unwrap().number
    };
    crls.map(number).collect()
}

#[test]
fn a_revocation_is_on_record_or_made_again() {
    let of = released();
    kill_at_each(&of, &steps(&of, 3, revoke), revoke, |context, a| {
        sound(a, context);
        let again = run(a, &revoke(a));
        if again.code != 0 {
            again.fails(1, "revoke.twice");
        }
        the_next_one_lists(a, &[first(a)], context);
    });
}

#[test]
fn a_crl_is_released_or_the_next_one_is() {
    let of = released();
    run(&of, &revoke(&of)).code(0);
    let burnt = AtomicUsize::new(0);
    kill_at_each(&of, &steps(&of, 9, crl), crl, |context, a| {
        let report = sound(a, context);
        releases(a, &a.path("out"), context);
        match plan_to_take_up(&report) {
            Some(plan) if context.len() % 2 == 0 => {
                let before = token_calls(a).0;
                take_up(a, &plan);
                // Seals and the release's signature, by the journal's key.
                assert!(token_calls(a).0 - before <= 4, "{context}: signed again");
                assert_eq!(a.listed_serials(), [first(a)], "{context}");
                settled(a, context);
            }
            _ => {}
        }
        if numbers(a).len() > 1 && !report["open"].to_string().contains("is not released") {
            burnt.fetch_add(1, Ordering::SeqCst);
        }
        the_next_one_lists(a, &[first(a)], context);
    });
    assert!(burnt.into_inner() > 0, "no number was burnt or released");
}

#[test]
fn a_revocation_with_its_crl_is_taken_up_or_made_again() {
    let of = released();
    kill_at_each(&of, &steps(&of, 11, revoke_to), revoke_to, |context, a| {
        let report = sound(a, context);
        releases(a, &a.path("out"), context);
        if let Some(plan) = plan_to_take_up(&report) {
            take_up(a, &plan);
            assert_eq!(a.listed_serials(), [first(a)], "{context}");
        } else {
            let again = run(a, &revoke_to(a));
            if again.code != 0 {
                again.fails(1, "revoke.twice");
            }
        }
        the_next_one_lists(a, &[first(a)], context);
    });
}

#[test]
fn a_plan_that_signs_and_revokes_does_both() {
    let of = released();
    std::fs::remove_dir_all(of.path("in")).unwrap();
    std::fs::create_dir(of.path("in")).unwrap();
    of.request("north");
    kill_at_each(&of, &steps(&of, 13, sign_and_revoke), sign_and_revoke, |context, a| {
        let report = sound(a, context);
        releases(a, &a.path("out"), context);
        if let Some(plan) = plan_to_take_up(&report) {
            take_up(a, &plan);
        } else if record(a).serials.len() < 3 {
            let again = run(a, &sign_and_revoke(a));
            if again.code != 0 {
                again.fails(1, "revoke.twice");
                run(a, &sign(a)).code(0);
            }
        }
        the_next_one_lists(a, &[first(a)], context);
        let set = std::fs::read_to_string(a.release().join("ca-crl.pem")).unwrap();
        // A certificate may be burnt, and need another plan.
        let signed = record(a).serials.len();
        assert!((2..=3).contains(&signed), "{context}: {signed} signed");
        assert_eq!(set.matches("BEGIN X509 CRL").count(), signed + 1, "{context}");
    });
}

fn crl_from(a: &Appliance) -> Vec<String> {
    words(a, "crl --yes", &["--from", "stick", "--to", "out", "--pin-file", "pin"])
}

/// A cluster's CRL that comes later is on record, filed and in the set, or comes again.
#[test]
fn a_clusters_later_crl_is_taken_or_comes_again() {
    let of = watched_with_requests();
    std::fs::remove_file(of.path("in/west.crl")).unwrap();
    run(&of, &sign(&of)).code(0);
    std::fs::create_dir(of.path("stick")).unwrap();
    let places = ["--crl-for", "in/west.csr", "--key", "keys/west.key", "--to", "stick"];
    run(&of, &words(&of, "request --cluster west --profile istio", &places)).code(0);
    // Between two flushes of the journal it is on record and not filed.
    let flush = |call: &Call| call.name == "fdatasync" && call.path.ends_with(".jsonl");
    let (flushes, others): (Vec<_>, Vec<_>) = steps(&of, 1, crl_from).into_iter().partition(flush);
    let calls: Vec<_> =
        flushes.into_iter().chain(others.into_iter().step_by(if all() { 1 } else { 15 })).collect();
    kill_at_each(&of, &calls, crl_from, |context, a| {
        let report = sound(a, context);
        releases(a, &a.path("out"), context);
        if let Some(plan) = plan_to_take_up(&report) {
            take_up(a, &plan);
        } else {
            let again = run(a, &crl_from(a));
            if again.code != 0 {
                again.fails(2, "media.no-crl");
            }
        }
        the_next_one_lists(a, &[], context);
        let set = std::fs::read_to_string(a.release().join("ca-crl.pem")).unwrap();
        assert_eq!(set.matches("BEGIN X509 CRL").count(), 3, "{context}");
    });
}

/// Its certificate may exist somewhere: nobody knows what the token did.
#[test]
fn what_a_crash_left_open_can_be_revoked() {
    let of = watched_with_requests();
    let mut calls = some_steps(&of, &["home"], 1, sign);
    calls.retain(|call| call.path.ends_with(".jsonl") && call.name == "write");
    let revoked = AtomicUsize::new(0);
    each(&calls, |_, call| {
        let (a, context) = (copy(&of), format!("killed at {call}"));
        killed_at(&a, call, &sign(&a));
        let open = sound(&a, &context)["open"].to_string();
        let Some((_, rest)) = open.split_once(": certificate ") else { return };
        let serial = rest.split(' ').next().unwrap().to_string();
        let mut args = words(&a, "revoke --reason unspecified --yes", &["--pin-file", "pin"]);
        args.push(serial.clone());
        run(&a, &args).code(0);
        run(&a, &crl(&a)).code(0);
        assert_eq!(a.listed_serials(), [serial], "{context}");
        accounted_for(&a, &context);
        revoked.fetch_add(1, Ordering::SeqCst);
    });
    assert!(revoked.into_inner() > 0, "no crash left a certificate open");
}

#[test]
fn a_crl_tells_of_every_call_that_fails() {
    let of = released();
    run(&of, &revoke(&of)).code(0);
    fail_everywhere(&of, 11, crl, |Failure { call, words, ran, context, .. }, a| {
        let told = &ran.stderr;
        if ran.code != 0 || call.what != What::Remove {
            assert!(matches!(ran.code, 2 | 4), "{context}: {} {told}", ran.code);
            for wanted in ["error: ", words, "next: "] {
                assert!(told.contains(wanted), "{context}: wanted {wanted} in {told}");
            }
        }
        sound(a, context);
        the_next_one_lists(a, &[first(a)], context);
    });
}
