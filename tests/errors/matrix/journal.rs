//! The journal, the files it accounts for, and the heads that others know of it.

use anchorite::audit::{Expectation, State, audit as check};
use anchorite::journal::Head;

use super::Scene::{Released, Root};
use super::Seen::{Id, Words};
use super::{Row, Run, audit, by, here, sign};
use crate::appliance::Appliance;

const JOURNAL: &str = "home/journal/journal.jsonl";

/// The journal's lines changed.
fn lines(a: &Appliance, change: impl FnOnce(&mut Vec<String>)) -> Run {
    let mut lines: Vec<String> = a.journal().lines().map(String::from).collect();
    change(&mut lines);
    a.write(JOURNAL, lines.iter().map(|l| format!("{l}\n")).collect::<String>());
    audit()
}

fn restore(a: &Appliance, from: &std::path::Path) -> Run {
    Run::of(&["audit", "restore", "--from", from.to_str().unwrap(), "--root-sha256", &a.root_sha256])
}

/// The one certificate in `issued/`.
fn issued(a: &Appliance) -> std::path::PathBuf {
    std::fs::read_dir(a.path("home/issued")).unwrap().next().unwrap().unwrap().path()
}

const UNSEALED: &str = "restore.rs::what_is_added_without_the_key_is_shown_and_puts_nothing_in_force";
const STOP: &str = "stop; compare with an older release's `journal/`; `audit restore`";

pub fn rows() -> Vec<Row> {
    vec![
        by(UNSEALED, "a journal that goes on after its seal", 1, Words("journal `open`"))
            .told("unfinished, not broken", "the next session settles and seals it"),
        here("a byte changed", Released, |a| lines(a, |l| l[3] = l[3].replacen("20", "21", 1)), 4, "journal.chain", "BROKEN")
            .also(&["journal.sequence", "journal.line", "journal.empty", "journal.missing", "journal.changed"])
            .told("the journal was edited, perhaps while a command ran: a line is changed, gone, doubled, moved, or all of it is gone, or it is no file", STOP),
        here("a line dropped", Released, |a| lines(a, |l| drop(l.remove(5))), 4, "journal.sequence", "BROKEN"),
        here("a line doubled", Released, |a| lines(a, |l| l.insert(5, l[5].clone())), 4, "journal.sequence", "BROKEN"),
        here("two lines swapped", Released, |a| lines(a, |l| l.swap(5, 6)), 4, "journal.sequence", "BROKEN"),
        here("a line that is none", Released, |a| lines(a, |l| l[5] = "noise".into()), 4, "journal.line", "BROKEN"),
        here("a line that steers", Released, |a| lines(a, |l| l[5] = l[5].replacen('{', "{\"\u{1b}[2J\":1,", 1)), 4, "journal.line", "BROKEN"),
        here("an empty journal", Released, |a| lines(a, Vec::clear), 4, "journal.empty", "BROKEN"),
        here("no journal", Released, |a| {
            std::fs::remove_file(a.path(JOURNAL)).unwrap();
            audit()
        }, 4, "journal.missing", "BROKEN"),
        here("a journal cut short", Released, |a| lines(a, |l| l.truncate(l.len() / 2)), 4, "journal.behind", "state/head")
            .told(
                "this journal, home or copy is older than what `state/head`, the token, a plan or the sheet knows",
                "find the newer one; where none exists, `--accept-loss` on `audit restore` and on the next session goes on from this one, on record",
            ),
        by("revocation/lost.rs::what_was_signed_on_lines_that_are_lost_is_on_record_again", "a copy that knows nothing of what lies in the home, signed", 4, Id("journal.behind")),
        here("a journal cut short, signed on", Released, |a| {
            lines(a, |l| l.truncate(l.len() - 1));
            sign(a)
        }, 4, "journal.behind", "state/head"),
        by("errors/token.rs::an_older_copy_of_the_home_is_noticed_by_the_token", "an older copy of the home", 4, Id("journal.behind")),
        by("long_journal.rs::what_lies_beneath_the_index_shows_in_the_audit", "a part of a long journal's index gone or edited", 4, Id("journal.index"))
            .told(
                "a part of the index in `state/` is not what the seal vouches for",
                "`audit verify` reads the journal whole; where only the index is wrong, remove `state/index.json`, and the next run makes it anew",
            ),
        by("restore.rs::a_head_that_was_removed_from_the_token_is_missed", "the token's knowledge of the journal removed", 4, Id("journal.head-removed"))
            .told(
                "the token kept this journal's head and keeps none any more: somebody with the PIN removed it, or this is another token",
                "`audit verify --expect-head` with the head from the last sheet; where that is this journal's, `--accept-loss` goes on, on record",
            ),
        here("an older copy of the home, without the token", Released, |a| {
            let head = a.audit(&[]).code(0).json()["head"].as_str().unwrap().to_string();
            std::fs::remove_dir_all(a.path("home")).unwrap();
            crate::appliance::copy(&Root.fresh().path("home"), &a.path("home"));
            a.audit(&[]).code(0);
            audit().and(&["--expect-head", &head])
        }, 4, "journal.behind", "nowhere in this journal"),
        here("an older copy of the journal", Released, |a| {
            std::fs::copy(a.release().join("journal/journal.jsonl"), a.path(JOURNAL)).unwrap();
            sign(a)
        }, 4, "journal.behind", "state/head"),
        here("a head that is not on the sheet", Released, |_| audit().and(&["--expect-head", &"0".repeat(64)]), 4, "journal.behind", "nowhere in this journal"),
        here("state/head removed", Released, |a| {
            std::fs::remove_file(a.path("home/state/head")).unwrap();
            audit()
        }, 4, "journal.head-missing", "BROKEN")
        .also(&["journal.head-unreadable", "journal.unlike"])
        .told(
            "`state/head` is gone, or tells of another journal than this",
            "stop; `audit restore` with the head from the sheet",
        ),
        here("state/head removed, signed on", Released, |a| {
            std::fs::remove_file(a.path("home/state/head")).unwrap();
            sign(a)
        }, 4, "journal.head-missing", "state/head"),
        here("state/head emptied", Released, |a| {
            a.write("home/state/head", "");
            audit()
        }, 4, "journal.head-unreadable", "state/head"),
        here("state/head of another journal", Released, |a| {
            a.write("home/state/head", format!("{{\"count\":3,\"hash\":\"{}\"}}\n", "0".repeat(64)));
            audit()
        }, 4, "journal.unlike", "state/head"),
        by("restore.rs::a_seal_that_was_not_made_with_the_key_seals_nothing", "lines sealed by another key", 4, Id("journal.seal"))
            .told("a signature since the last seal does not verify: something else wrote to the journal", STOP),
        by("main_path.rs::a_forged_release_after_the_last_seal_stops_every_verb", "a release on record that nothing signed", 4, Id("audit.release"))
            .told("a release is on record, and no signature over its SHA256SUMS, or one for another plan", STOP),
        by("piv/attestation.rs::a_tampered_attestation_is_named_by_the_audit", "an attestation edited", 4, Id("audit.attestation"))
            .also(&["attest.chain", "attest.signature"])
            .told(
                "an attestation on record does not verify, or says other than what is on record",
                "stop; where its issuer was taken out of `attestation-roots`, put it back and pin it",
            ),
        by(UNSEALED, "lines added without the key", 1, Words("\"the last N lines are not sealed\""))
            .told(
                "a run broke off, or somebody without the key added lines",
                "read the list; the next session seals them, and `anchorite policy pin` does nothing else. What is pinned there is not in force",
            ),
        here("an issued certificate edited", Released, |a| {
            let bytes = std::fs::read(issued(a)).unwrap();
            std::fs::write(issued(a), [&bytes[..], b"\n"].concat()).unwrap();
            audit()
        }, 4, "home.issued", "it was edited")
        .also(&["home.plan", "home.certificate"])
        .told(
            "a file in `issued/` or `plans/`, or a certificate of the home's own, is not what is on record",
            "stop; find out who edited it; `audit restore` writes certificates again, and with `--accept-loss` puts on record what the root signed on lines that are lost",
        ),
        here("an issued certificate removed", Released, |a| {
            std::fs::remove_file(issued(a)).unwrap();
            audit()
        }, 4, "home.issued", "is missing"),
        here("a certificate added", Released, |a| {
            std::fs::copy(a.path("home/root.pem"), a.path("home/issued/ff.pem")).unwrap();
            audit()
        }, 4, "home.issued", "is not on record"),
        here("a plan edited", Released, |a| {
            let plan = std::fs::read_dir(a.path("home/plans")).unwrap().next().unwrap().unwrap().path();
            std::fs::write(plan, "{}").unwrap();
            audit()
        }, 4, "home.plan", "is not the plan of that digest"),
        here("the plans removed", Released, |a| {
            std::fs::remove_dir_all(a.path("home/plans")).unwrap();
            audit()
        }, 4, "home.folder", "plans: is missing"),
        here("a file for a folder, seen by the audit", Released, |a| {
            std::fs::remove_dir_all(a.path("home/quarantine")).unwrap();
            a.write("home/quarantine", "");
            audit()
        }, 4, "home.folder", "quarantine: is no folder"),
        here("a pipe for the certificates' folder", Released, |a| {
            std::fs::remove_dir_all(a.path("home/issued")).unwrap();
            crate::support::run(&a.path("home"), "mkfifo", &["issued"]);
            audit()
        }, 4, "home.folder", "issued: is no folder"),
        here("a file for a folder, before a restore", Released, |a| {
            std::fs::remove_dir_all(a.path("home/crl")).unwrap();
            a.write("home/crl", "");
            restore(a, &a.path("home/journal"))
        }, 4, "home.folder", "crl: is no folder"),
        here("a file for a folder", Released, |a| {
            std::fs::remove_dir_all(a.path("home/quarantine")).unwrap();
            a.write("home/quarantine", "");
            sign(a)
        }, 4, "home.folder", "quarantine: is no folder")
        .told(
            "one of the home's folders is missing with what it held, or something else lies in its place",
            "stop; find out who did it; put it back from a backup; `audit restore` writes certificates and CRLs again",
        ),
        here("a link to nowhere for a folder", Released, |a| {
            std::fs::remove_dir_all(a.path("home/quarantine")).unwrap();
            std::os::unix::fs::symlink("/nonexistent/x", a.path("home/quarantine")).unwrap();
            sign(a)
        }, 4, "home.folder", "quarantine: is no folder"),
        here("the certificates removed with their folder", Released, |a| {
            std::fs::remove_dir_all(a.path("home/issued")).unwrap();
            sign(a)
        }, 4, "home.folder", "issued: is missing"),
        here("the plans removed before signing", Released, |a| {
            std::fs::remove_dir_all(a.path("home/plans")).unwrap();
            sign(a)
        }, 4, "home.folder", "plans: is missing"),
        here("the root's certificate replaced", Released, |a| {
            std::fs::copy(a.path("home/journal-cert.pem"), a.path("home/root.pem")).unwrap();
            sign(a)
        }, 4, "home.certificate", "root.pem"),
        here("the journal's certificate removed", Released, |a| {
            std::fs::remove_file(a.path("home/journal-cert.pem")).unwrap();
            audit()
        }, 4, "home.certificate", "journal-cert.pem"),
        here("another root", Root, |_| audit().and(&["--root-sha256", &"0".repeat(64)]), 4, "audit.root", "BROKEN"),
        here("a certificate that is none", Root, |a| {
            audit().and(&["--journal", &a.arg("home/journal"), "--root", &a.arg("pin")])
        }, 2, "audit.root-file", "/pin"),
        by("errors/record.rs::a_restore_never_goes_back_and_never_takes_a_broken_copy", "a broken copy restored", 4, Id("restore.broken"))
            .also(&["restore.head"])
            .told("the copy does not pass the audit, or nothing here says how far the journal had come", "another copy, such as the last export; a release's copy ends before the head of its own session"),
        here("a restore from nowhere", Released, |a| restore(a, &a.path("in")), 2, "file.missing", "journal.jsonl"),
        here("a restore of an older copy", Released, |a| restore(a, &a.release().join("journal")), 4, "journal.behind", "the copy"),
        here("a restore of an edited copy", Released, |a| {
            let copy = a.path("copy");
            std::fs::create_dir(&copy).unwrap();
            std::fs::write(copy.join("journal.jsonl"), a.journal().replacen("east", "eest", 1)).unwrap();
            restore(a, &copy)
        }, 4, "restore.broken", "does not pass the audit"),
    ]
}

/// A real journal, sealed at its end and known by its head: whichever line is changed,
/// dropped, doubled or swapped, and whichever byte of it, the audit says broken.
#[test]
fn every_line_of_a_real_journal_counts() {
    let a = Released.fresh();
    let (text, head) = (a.journal(), std::fs::read(a.path("home/state/head")).unwrap());
    let head = Head::from_json("head", &head).unwrap();
    let state = |text: &[u8]| {
        let heads = vec![("state/head".into(), head)];
        check(text, &Expectation { heads, ..Expectation::default() }).0.state
    };
    assert_eq!(state(text.as_bytes()), State::Ok);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() > 20, "{} lines", lines.len());
    let joined = |lines: &[&str]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    for n in 0..lines.len() {
        let dropped = [&lines[..n], &lines[n + 1..]].concat();
        let doubled = [&lines[..=n], &lines[n..]].concat();
        let mut swapped = lines.clone();
        swapped.swap(n, (n + 1) % lines.len());
        for changed in [dropped, doubled, swapped, lines[..n].to_vec()] {
            assert_eq!(state(joined(&changed).as_bytes()), State::Broken, "line {n}: {changed:?}");
        }
    }
    // Every eleventh byte, in each line at another place; the last newline alone is no content.
    for at in (0..text.len() - 1).step_by(11) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert_eq!(state(&bytes), State::Broken, "byte {at}");
    }
}
