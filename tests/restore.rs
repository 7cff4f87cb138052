//! A journal that is lost, replaced or written to by somebody else.

use std::path::{Path, PathBuf};

use anchorite::journal::{Entry, Event, replay};
use anchorite::x509::Digest;

use crate::appliance::{Appliance, Ran, copy};
use crate::faults;

const JOURNAL: &str = "home/journal/journal.jsonl";

/// A home that released twice, with an export made after each, and its first state.
fn used() -> Appliance {
    let a = Appliance::with_root("p256");
    copy(&a.path("home"), &a.path("older"));
    for cluster in ["east", "west"] {
        a.request(cluster);
        a.sign(&["--policy", "istio"]).code(0);
        std::fs::remove_file(a.path(&format!("in/{cluster}.csr"))).unwrap();
        copy(&a.path("home"), &a.path(cluster));
        std::fs::create_dir(a.path(&format!("export-{cluster}"))).unwrap();
        export(&a, &format!("export-{cluster}"));
    }
    a
}

fn export(a: &Appliance, to: &str) {
    a.run(&["audit", "export", "--to", a.path(to).to_str().unwrap()]).code(0);
}

/// The journal's folder in an export.
fn exported(a: &Appliance, name: &str) -> PathBuf {
    let folder = std::fs::read_dir(a.path(name)).unwrap().next().unwrap().unwrap().path();
    folder.join("journal")
}

fn restore(a: &Appliance, from: &Path, more: &[&str]) -> Ran {
    let args = ["audit", "restore", "--from", from.to_str().unwrap(), "--root-sha256", &a.root_sha256];
    a.run(&[&args[..], more].concat())
}

fn seal(a: &Appliance, more: &[&str]) -> Ran {
    let pin = a.path("pin");
    a.run(&[&["policy", "pin", "--yes", "--pin-file", pin.to_str().unwrap()], more].concat())
}

/// The home signs again and its audit is in order.
fn works(a: &Appliance, cluster: &str) {
    a.request(cluster);
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.audit(&["--root-sha256", &a.root_sha256]).code(0).json()["state"], "ok");
}

/// Another home beside the old one, fresh from `init`, in its place.
pub fn fresh_home(a: &Appliance) {
    std::fs::rename(a.path("home"), a.path("lost")).unwrap();
    let (home, token, module) = (a.path("home"), "pkcs11:token=ceremony", crate::appliance::module());
    let home = home.to_str().unwrap();
    a.run(&["init", home, "--token", token, "--module", &module, "--unattended"]).code(0);
}

#[test]
fn an_export_brings_a_lost_journal_back() {
    let a = used();
    let before = a.journal();
    for loss in ["deleted", "replaced by an older copy", "deleted with its folder"] {
        match loss {
            "deleted" => std::fs::remove_file(a.path(JOURNAL)).unwrap(),
            "deleted with its folder" => std::fs::remove_dir_all(a.path("home/journal")).unwrap(),
            _ => std::fs::copy(a.path("older/journal/journal.jsonl"), a.path(JOURNAL)).map(drop).unwrap(),
        }
        a.sign(&["--policy", "istio"]).code(4);
        a.audit(&[]).code(4);
        restore(&a, &exported(&a, "export-east"), &[]).fails(4, "journal.behind");
        // What was restored last time is newer than the export; put the head back.
        std::fs::copy(exported(&a, "export-west").join("../state/head"), a.path("home/state/head")).unwrap();
        restore(&a, &exported(&a, "export-west"), &[]).code(0);
        assert!(a.journal().starts_with(&before), "{loss}");
    }
    seal(&a, &[]).code(0);
    works(&a, "north");
}

#[test]
fn an_export_makes_a_fresh_home_the_old_one() {
    let a = used();
    fresh_home(&a);
    restore(&a, &exported(&a, "export-west"), &[]).code(0);
    let issued = |home: &str| std::fs::read_dir(a.path(home).join("issued")).unwrap().count();
    assert_eq!(issued("home"), issued("lost"));
    works(&a, "north");
}

#[test]
fn certificates_that_were_removed_with_their_folder_come_back() {
    let a = used();
    for folder in ["home/issued", "home/crl"] {
        std::fs::remove_dir_all(a.path(folder)).unwrap();
    }
    a.request("north");
    a.sign(&["--policy", "istio"]).fails(4, "home.folder");
    restore(&a, &exported(&a, "export-west"), &[]).code(0);
    a.empty_out();
    seal(&a, &[]).code(0);
    a.sign(&["--policy", "istio"]).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

/// Performs the copy of a plan.
fn perform(a: &Appliance) -> Ran {
    let plan = a.path("copy.json").to_str().unwrap().to_string();
    let words = faults::words(a, "perform --yes", &["--to", "out", "--pin-file", "pin"]);
    faults::run(a, &[words, vec![plan]].concat())
}

/// Without its plan nobody can release what was signed: that is said, and what can be done.
#[test]
fn a_plan_whose_file_is_lost_is_taken_up_from_a_copy_or_given_up_on_record() {
    let of = used();
    of.request("north");
    of.empty_out();
    let failed = faults::run_with(&of, "renameat2", "error=EIO", 1, &faults::sign(&of));
    failed.fails(2, "output.failed");
    let plan = faults::plan_to_take_up(&of.audit(&[]).code(1).json()).unwrap();
    let kept = format!("home/plans/{plan}.json");
    std::fs::rename(of.path(&kept), of.path("copy.json")).unwrap();
    let open = of.audit(&[]).code(1).json()["open"].to_string();
    assert!(open.contains(&format!("plans/{plan}.json is missing")), "{open}");

    let a = faults::copy(&of);
    perform(&a).code(0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");

    std::fs::create_dir(of.path("export-own")).unwrap();
    export(&of, "export-own");
    restore(&of, &exported(&of, "export-own"), &[]).code(0);
    seal(&of, &[]).code(0);
    assert_eq!(of.audit(&[]).code(0).json()["state"], "ok");
    perform(&of).fails(1, "plan.spent");
    // What was signed stays on record: the key is not certified a second time.
    of.sign(&["--policy", "istio"]).fails(1, "plan.refusals");
    std::fs::remove_file(of.path("in/north.csr")).unwrap();
    works(&of, "other");
}

/// The head was not noted yet: only the journal knows of what a broken session signed.
#[test]
fn what_a_broken_session_asked_for_is_dropped_only_knowingly() {
    let a = used();
    let copy = exported(&a, "export-west");
    a.request("north");
    a.empty_out();
    let killed = faults::run_with(&a, "fdatasync", "signal=SIGKILL", 3, &faults::sign(&a));
    assert_eq!(killed.code, -1, "{}", killed.stderr);
    let before = a.journal();
    restore(&a, &copy, &[]).fails(4, "journal.behind");
    assert_eq!(a.journal(), before);
    restore(&a, &copy, &["--accept-loss"]).code(0);
}

#[test]
fn a_releases_copy_lacks_its_own_end_and_is_taken_only_knowingly() {
    let a = used();
    let from = a.release().join("journal");
    std::fs::remove_file(a.path(JOURNAL)).unwrap();
    let refused = restore(&a, &from, &[]).fails(4, "journal.behind");
    assert!(refused.stderr.contains("--accept-loss"), "{}", refused.stderr);
    restore(&a, &from, &["--accept-loss"]).code(0);
    // The token still knows more.
    seal(&a, &[]).code(4);
    seal(&a, &["--accept-loss"]).code(0);
    assert!(a.journal().contains("\"event\":\"loss-accepted\""));
    // Its certificates are signed on record, the release is not: it is made again.
    let audit = a.audit(&[]).code(1).json();
    let plan = audit["open"][0].as_str().unwrap().split(' ').nth(1).unwrap().to_string();
    std::fs::create_dir(a.path("again")).unwrap();
    let (plan, to, pin) = (a.path(&format!("home/plans/{plan}.json")), a.path("again"), a.path("pin"));
    let (plan, to, pin) = (plan.to_str().unwrap(), to.to_str().unwrap(), pin.to_str().unwrap());
    a.run(&["perform", plan, "--to", to, "--yes", "--pin-file", pin]).code(0);
    works(&a, "north");
}

#[test]
fn a_releases_copy_makes_a_fresh_home_the_old_one_knowingly() {
    let a = used();
    let from = a.release().join("journal");
    fresh_home(&a);
    restore(&a, &from, &[]).code(0);
    a.request("north");
    a.empty_out();
    a.sign(&["--policy", "istio"]).code(4);
    std::fs::create_dir(a.path("stick")).unwrap();
    seal(&a, &["--accept-loss"]).code(0);
    // The plan of that release went with the old home: nobody is told to take it up.
    assert_eq!(a.audit(&["--root-sha256", &a.root_sha256]).code(0).json()["state"], "ok");
    let (stick, pin) = (a.path("stick"), a.path("pin"));
    let (from, to) = (a.path("in"), stick.to_str().unwrap());
    let args = ["sign", "--policy", "istio", "--from", from.to_str().unwrap(), "--to", to, "--yes"];
    a.run(&[&args[..], &["--pin-file", pin.to_str().unwrap()]].concat()).code(0);
}

/// Whoever removes the token's own knowledge of the journal is no more likely to bring
/// an older copy through.
#[test]
fn a_head_that_was_removed_from_the_token_is_missed() {
    let a = used();
    let head = pkcs11(&a, &["--list-objects", "--type", "data"], true);
    let label = head.lines().find_map(|l| l.trim().strip_prefix("label:")).unwrap().trim().trim_matches('\'');
    let remove = ["--delete-object", "--type", "data", "--label", label];
    // Without the PIN it is neither seen nor removed.
    assert!(!pkcs11(&a, &["--list-objects", "--type", "data"], false).contains("anchorite head"));
    let _ = pkcs11(&a, &remove, false);
    assert!(pkcs11(&a, &["--list-objects", "--type", "data"], true).contains(label));
    pkcs11(&a, &remove, true);

    std::fs::rename(a.path("home"), a.path("newer")).unwrap();
    copy(&a.path("east"), &a.path("home"));
    a.request("north");
    a.empty_out();
    let refused = a.sign(&["--policy", "istio"]).fails(4, "journal.head-removed");
    assert!(refused.stderr.contains("--accept-loss"), "{}", refused.stderr);
    // Not even the newest goes on without a word.
    std::fs::remove_dir_all(a.path("home")).unwrap();
    std::fs::rename(a.path("newer"), a.path("home")).unwrap();
    a.sign(&["--policy", "istio"]).fails(4, "journal.head-removed");
    a.sign(&["--policy", "istio", "--accept-loss"]).code(0);
    std::fs::remove_file(a.path("in/north.csr")).unwrap();
    works(&a, "south");
}

fn pkcs11(a: &Appliance, args: &[&str], login: bool) -> String {
    let module = crate::appliance::module();
    let mut command = a.command("pkcs11-tool");
    command.args(["--module", &module, "--token-label", "ceremony"]);
    if login {
        command.args(["--login", "--pin", crate::appliance::PIN]);
    }
    let out = command.args(args).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn another_cas_journal_and_a_broken_one_are_not_taken() {
    let (a, other) = (used(), Appliance::with_root("p256"));
    restore(&a, &other.path("home/journal"), &[]).fails(4, "restore.broken");
    let edited = exported(&a, "export-west").join("journal.jsonl");
    let text = std::fs::read_to_string(&edited).unwrap().replacen("east", "eest", 1);
    std::fs::write(&edited, text).unwrap();
    restore(&a, edited.parent().unwrap(), &[]).fails(4, "restore.broken");
}

#[test]
fn an_older_copy_of_the_whole_home_is_noticed_by_the_token() {
    let a = used();
    std::fs::remove_dir_all(a.path("home")).unwrap();
    copy(&a.path("older"), &a.path("home"));
    a.request("north");
    a.empty_out();
    a.sign(&["--policy", "istio"]).fails(4, "journal.behind");
    let pin = a.path("pin");
    let list = ["token", "list", "--login", "--pin-file", pin.to_str().unwrap()];
    a.run(&list).fails(4, "journal.behind");
}

/// Somebody who can write the file, but has no key, adds a line.
fn add_line(a: &Appliance, event: impl FnOnce() -> Event) {
    let journal = a.journal();
    let ledger = replay(journal.as_bytes(), |_, _| Ok(())).unwrap().ledger;
    let entry =
        Entry { seq: ledger.count(), time: ledger.last_time().unwrap(), prev: ledger.head(), event: event() };
    a.write(JOURNAL, format!("{journal}{}\n", entry.to_line().unwrap()));
}

#[test]
fn what_is_added_without_the_key_is_shown_and_puts_nothing_in_force() {
    let a = Appliance::with_root("p256");
    a.request("east");
    let policy = a.path("home/policies/istio.toml");
    let before = std::fs::read_to_string(&policy).unwrap();
    let edited = format!("{before}\n# laxer\n");
    let pinned = || {
        let ledger = replay(a.journal().as_bytes(), |_, _| Ok(())).unwrap().ledger;
        let mut files = ledger.files().clone();
        files.insert("policies/istio.toml".into(), Digest::of(edited.as_bytes()));
        Event::Pinned { files }
    };
    add_line(&a, pinned);
    let open = a.audit(&[]).code(1).json();
    assert!(open["open"].to_string().contains("line 14: pinned"), "{open}");
    std::fs::write(&policy, &edited).unwrap();
    a.sign(&["--policy", "istio"]).fails(4, "home.edited");
    // A session that goes on with the documents in force puts the line out of force for good.
    std::fs::write(&policy, &before).unwrap();
    let signed = a.sign(&["--policy", "istio"]).code(0);
    assert!(
        signed.stderr.contains("the last line is not sealed") && signed.stderr.contains("pinned"),
        "{}",
        signed.stderr
    );
    std::fs::write(&policy, &edited).unwrap();
    a.sign(&["--policy", "istio"]).fails(4, "home.edited");
}

#[test]
fn a_seal_that_was_not_made_with_the_key_seals_nothing() {
    let a = Appliance::with_root("p256");
    let journal = a.journal();
    let mut last: Vec<&str> = journal.lines().collect();
    let line = last.pop().unwrap();
    let seq = u64::try_from(last.len()).unwrap();
    let mut entry = Entry::from_line(seq, line.as_bytes()).unwrap();
    let Event::Signed { signature, .. } = &mut entry.event else { panic!("{line}") };
    let end = signature.0.len() - 1;
    signature.0[end] ^= 1;
    let forged = entry.to_line().unwrap();
    a.write(JOURNAL, format!("{}\n{forged}\n", last.join("\n")));
    let head = format!("{{\"count\":{},\"hash\":\"{}\"}}\n", seq + 1, Digest::of(forged.as_bytes()));
    a.write("home/state/head", head);
    a.request("east");
    a.sign(&["--policy", "istio"]).fails(4, "journal.seal");
    a.audit(&[]).code(4);
}
