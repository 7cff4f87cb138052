//! The other verbs that write, cut off and failing at every call: what they leave is
//! whole or known for what it is, and the same command again goes on.

use std::path::Path;

use super::*;
use crate::support;

/// Tries everything on these arguments; `again` runs them once more, and checks.
fn tried(of: &Appliance, args: Args, again: impl Fn(&Appliance, &str) + Sync) {
    let decides = args(of).iter().take(3).any(|word| ["companion", "renew", "begin"].contains(&&word[..]));
    kill_everywhere(of, args, |context, a| again(a, context));
    fail_everywhere(of, 2, args, |Failure { call, words, ran, context, .. }, a| {
        let told = &ran.stderr;
        // Of a journal that cannot be written nobody knows how much is on the disk.
        if ran.code != 0 && decides && !call.path.ends_with("journal.jsonl") {
            let news = a.journal().split_off(of.journal().len());
            let decided = ["companions", "root-course", "root-certificate"];
            let decided = decided.iter().any(|kind| news.contains(&format!("\"{kind}\"")));
            let sealed = !run(a, &["audit", "verify"]).stdout.contains("not sealed");
            let said = told.contains("in force, whatever the error: ");
            assert_eq!(said, decided && sealed, "{context}: {told}");
        }
        if ran.code != 0 || call.what != What::Remove {
            assert!(matches!(ran.code, 2 | 4), "{context}: {} {told}", ran.code);
            let place = a.path(&call.path[..3]);
            for wanted in ["error: ", place.to_str().unwrap(), words, "next: "] {
                assert!(told.contains(wanted), "{context}: wanted {wanted} in {told}");
            }
        }
        again(a, context);
    });
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

fn init(a: &Appliance) -> Vec<String> {
    let mut args = words(a, "init --token pkcs11:token=ceremony --unattended", &[]);
    args.extend(["--module".into(), spy_module(), a.path("home").to_str().unwrap().into()]);
    args
}

#[test]
fn init_is_run_again() {
    tried(&Appliance::bare(), init, |a, context| {
        let again = run(a, &init(a));
        if again.code != 0 {
            again.fails(2, "home.not-empty");
        }
        settled(a, context);
        run(a, &["policy", "check"]).code(0);
    });
}

fn request(a: &Appliance) -> Vec<String> {
    words(a, "request --cluster east --profile istio", &["--key", "home/east.key", "--to", "out"])
}

#[test]
fn request_is_run_again_with_the_same_key() {
    let of = Appliance::bare();
    std::fs::create_dir(of.path("home")).unwrap();
    tried(&of, request, |a, context| {
        let again = run(a, &request(a));
        if again.code != 0 {
            let told = again.fails(2, "request.exists").stderr;
            if !a.path("out/east.csr").exists() {
                // The CRL is written first: it is taken off the stick, as the error says.
                assert!(told.contains("out/east.crl"), "{context}: {told}");
                std::fs::remove_file(a.path("out/east.crl")).unwrap();
                run(a, &request(a)).code(0);
            }
        }
        let public = |args: &str, file: &str| {
            let args: Vec<_> = args.split(' ').chain(["-in", file]).collect();
            support::run(a.dir.path(), "openssl", &args).stdout
        };
        let key = public("pkey -pubout", "home/east.key");
        assert_eq!(public("req -noout -pubkey", "out/east.csr"), key, "{context}");
        public("crl -noout", "out/east.crl");
    });
}

fn assemble(a: &Appliance) -> Vec<String> {
    let mut args =
        words(a, "assemble", &["--bundle", "bundle", "--key", "keys/east.key", "--out", "out/cacerts"]);
    args.extend(["--root-sha256".into(), a.root_sha256.clone()]);
    args
}

#[test]
fn assemble_makes_a_whole_folder_or_none() {
    let of = watched_with_requests();
    run(&of, &sign(&of)).code(0);
    std::fs::rename(of.release().join("east"), of.path("bundle")).unwrap();
    std::fs::remove_dir_all(of.release()).unwrap();
    tried(&of, assemble, |a, context| {
        let whole = a.path("out/cacerts").exists();
        let again = run(a, &assemble(a));
        assert_eq!(again.code, if whole { 2 } else { 0 }, "{context}: {}", again.stderr);
        let files = ["ca-cert.pem", "ca-key.pem", "cacerts.yaml", "cert-chain.pem", "root-cert.pem"];
        assert_eq!(names(&a.path("out/cacerts")), files, "{context}");
        assert!(
            names(&a.path("out/cacerts")).iter().all(|name| a
                .path("out/cacerts")
                .join(name)
                .metadata()
                .unwrap()
                .len()
                > 0)
        );
        assert!(whole || names(&a.path("out")) == ["cacerts"], "{context}: {:?}", names(&a.path("out")));
    });
}

fn export(a: &Appliance) -> Vec<String> {
    words(a, "audit export", &["--to", "out"])
}

#[test]
fn an_export_is_a_whole_folder_or_none() {
    let of = watched_with_requests();
    let whole = copy(&of);
    run(&whole, &export(&whole)).code(0);
    let mut whole = tree(&whole);
    whole.retain(|path, _| path.starts_with("out/"));
    tried(&of, export, move |a, context| {
        let exported = names(&a.path("out")).iter().any(|name| name.starts_with("anchorite-export"));
        let again = run(a, &export(a));
        assert_eq!(again.code, if exported { 2 } else { 0 }, "{context}: {}", again.stderr);
        let mut found = tree(a);
        found.retain(|path, _| path.starts_with("out/"));
        assert_eq!(found.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{context}");
        assert!(found == whole, "{context}: a file is not whole");
    });
}

fn restore(a: &Appliance) -> Vec<String> {
    let mut args = words(a, "audit restore", &["--from", "archive/journal"]);
    args.extend(["--root-sha256".into(), a.root_sha256.clone()]);
    args
}

#[test]
fn a_restore_is_run_again() {
    let of = watched_with_requests();
    run(&of, &export(&of)).code(0);
    std::fs::rename(of.release(), of.path("archive")).unwrap();
    std::fs::remove_dir_all(of.path("home")).unwrap();
    run(&of, &init(&of)).code(0);
    tried(&of, restore, |a, context| {
        let again = run(a, &restore(a));
        if again.code != 0 {
            // It came to its end: its own line lies beyond the copy.
            again.fails(4, "journal.behind");
        }
        run(a, &pin(a)).code(0);
        settled(a, context);
        run(a, &sign(a)).code(0);
        accounted_for(a, context);
    });
}

fn take_up(a: &Appliance) -> Vec<String> {
    // What a crash left half written is no plan.
    let plans = names(&a.path("home/plans"));
    let plan = plans.iter().find(|name| !name.starts_with('.')).unwrap();
    perform(a, plan.trim_end_matches(".json"), "out")
}

#[test]
fn a_plan_that_is_taken_up_is_taken_up_again() {
    let of = watched_with_requests();
    let calls = some_steps(&of, &["out"], 1, sign);
    let flush = calls.iter().find(|call| call.what == What::FlushAll).unwrap();
    disturbed_at(&of, flush, "error=EIO", &sign(&of)).0.code(2);
    let signed = record(&of).serials;
    let calls: Vec<_> = some_steps(&of, &DISKS, 5, take_up);
    kill_at_each(&of, &calls, take_up, |context, a| {
        let again = run(a, &take_up(a));
        if again.code != 0 {
            again.fails(1, "plan.spent");
            run(a, &pin(a)).code(0);
        }
        settled(a, context);
        accounted_for(a, context);
        assert_eq!(record(a).serials, signed, "{context}: signed again");
        assert!(releases(a, &a.path("out"), context) >= 1, "{context}: no release");
    });
}

/// A home, and the certificate of a root made elsewhere.
fn beside_another_root() -> Appliance {
    let of = watched_with_requests();
    of.tool("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "old.key"]);
    of.old_root("old", "CN = Other Root", crate::adopt::COMMON, &[]);
    of
}

fn companion(a: &Appliance) -> Vec<String> {
    words(a, "root companion --yes", &["--certificate", "old.pem", "--pin-file", "pin"])
}

#[test]
fn a_companion_is_trusted_or_put_on_record_again() {
    tried(&beside_another_root(), companion, |a, context| {
        sound(a, context);
        // What a crash kept from its seal is not trusted by the next session.
        let again = run(a, &companion(a));
        if again.code != 0 {
            again.fails(1, "companion.known");
            run(a, &pin(a)).code(0);
        }
        settled(a, context);
        let report = run(a, &["audit", "verify", "--json"]).code(0).json();
        assert_eq!(report["companions"].as_array().unwrap().len(), 1, "{context}: {report}");
        let lines = a.journal().matches("\"event\":\"companions\"").count();
        assert!(lines == 1 || lines == 3, "{context}: once; or once, taken back, and again");
    });
}

fn renew(a: &Appliance) -> Vec<String> {
    words(a, "root renew --ttl 30y --yes", &["--pin-file", "pin"])
}

#[test]
fn a_renewal_is_finished_or_made_again() {
    let of = watched_with_requests();
    tried(&of, renew, |a, context| {
        let report = sound(a, context);
        let asked = |purpose: &str| a.journal().matches(&format!("\"purpose\":\"{purpose}\"")).count();
        if asked("root-certificate") > asked("journal-certificate") {
            assert_eq!(report["state"], "open", "{context}: half a renewal was put in force");
        }
        let longer = words(a, "root renew --ttl 31y --yes", &["--pin-file", "pin"]);
        run(a, &longer).code(0);
        settled(a, context);
        accounted_for(a, context);
        run(a, &sign(a)).code(0);
        settled(a, context);
    });
}

fn begin(a: &Appliance) -> Vec<String> {
    words(a, "root rollover begin --overlap 90d --yes", &["--old", "old.pem", "--pin-file", "pin"])
}

fn stage(a: &Appliance) -> Vec<String> {
    words(a, "root rollover stage both --yes", &["--to", "out", "--pin-file", "pin"])
}

#[test]
fn a_step_of_a_rollover_is_on_record_or_taken_again() {
    tried(&beside_another_root(), begin, |a, context| {
        sound(a, context);
        let again = run(a, &begin(a));
        if again.code != 0 {
            again.fails(1, "rollover.step");
            run(a, &pin(a)).code(0);
        }
        settled(a, context);
        run(a, &stage(a)).code(0);
        settled(a, context);
    });
}

#[test]
fn a_stage_of_a_rollover_is_released_once_taken_up() {
    let of = beside_another_root();
    run(&of, &begin(&of)).code(0);
    tried(&of, stage, |a, context| {
        let plan = plan_to_take_up(&sound(a, context));
        a.empty_out();
        match plan {
            Some(plan) => assert_eq!(super::take_up(a, &plan), 0, "{context}"),
            None => {
                let again = run(a, &stage(a));
                if again.code != 0 {
                    again.fails(1, "rollover.step");
                    run(a, &pin(a)).code(0);
                }
            }
        }
        settled(a, context);
        accounted_for(a, context);
        run(a, &words(a, "root rollover reached --yes", &["--pin-file", "pin"])).code(0);
        settled(a, context);
    });
}

/// The file of the first plan on record.
fn plan_before(a: &Appliance) -> String {
    let journal = a.journal();
    let mut entries = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let plan = entries.find(|entry| entry["event"] == "plan").unwrap();
    format!("{}.json", plan["digest"].as_str().unwrap())
}

fn again(a: &Appliance) -> Vec<String> {
    let plan = plan_before(a);
    [perform(a, plan.trim_end_matches(".json"), "out"), vec!["--again".into()]].concat()
}

/// What was released lies nowhere any more.
fn lost() -> Appliance {
    let of = watched_with_requests();
    run(&of, &sign(&of)).code(0);
    of.empty_out();
    of
}

#[test]
fn a_release_that_is_written_again_is_whole_or_written_again() {
    let of = lost();
    let signed = record(&of).serials;
    let calls: Vec<_> = some_steps(&of, &DISKS, 5, again);
    assert!(calls.len() > 10, "only {} steps", calls.len());
    kill_at_each(&of, &calls, again, |context, a| {
        let report = sound(a, context);
        releases(a, &a.path("out"), context);
        match plan_to_take_up(&report) {
            Some(plan) => drop(crate::faults::take_up(a, &plan)),
            None => drop(run(a, &again(a)).code(0)),
        }
        settled(a, context);
        accounted_for(a, context);
        assert_eq!(record(a).serials, signed, "{context}: signed again");
        assert!(releases(a, &a.path("out"), context) >= 1, "{context}: no release");
    });
}

#[test]
fn a_release_again_that_broke_off_is_held_against_its_plan() {
    let of = lost();
    std::fs::remove_dir_all(of.path("in")).unwrap();
    std::fs::create_dir(of.path("in")).unwrap();
    let signed = record(&of).serials;
    of.request("another");
    run(&of, &sign(&of)).code(0);
    of.empty_out();
    let first = names(&of.path("home/plans"));
    let calls = some_steps(&of, &["out"], 1, again);
    let flush = calls.iter().find(|call| call.what == What::FlushAll).unwrap();
    let told = disturbed_at(&of, flush, "error=EIO", &again(&of)).0.code(2).stderr;
    let new = names(&of.path("home/plans")).into_iter().find(|name| !first.contains(name)).unwrap();
    assert!(told.contains(&format!("plans/{new} --to DIR")), "{told}");
    let take_up = perform(&of, new.trim_end_matches(".json"), "out");

    let path = of.path("home/plans").join(plan_before(&of));
    let before = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    run(&of, &take_up).fails(2, "file.missing");
    let mut other: anchorite::plan::Plan = serde_json::from_slice(&before).unwrap();
    other.items[0].policy = "vault".into();
    std::fs::write(&path, other.to_bytes().unwrap()).unwrap();
    run(&of, &take_up).fails(1, "plan.differs");
    std::fs::write(&path, before).unwrap();

    // Whatever is revoked since is on no CRL that it could bring.
    let b = copy(&of);
    let another = record(&b).serials.into_iter().find(|serial| !signed.contains(serial)).unwrap();
    let mut revoke = words(&b, "revoke --reason superseded --yes", &["--pin-file", "pin"]);
    revoke.push(another.clone());
    run(&b, &revoke).code(0);
    let late = run(&b, &perform(&b, new.trim_end_matches(".json"), "out")).fails(1, "plan.differs");
    assert!(late.stderr.contains("a revocation waits for the next CRL"), "{}", late.stderr);
    run(&b, &again(&b)).code(0);
    assert_eq!(b.listed_serials(), [another]);
    settled(&b, "made anew");

    run(&of, &take_up).code(0);
    settled(&of, "taken up");
}
