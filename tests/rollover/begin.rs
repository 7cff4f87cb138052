//! What a rollover cannot begin with.

use super::{Change, answered};
use crate::adopt::COMMON;
use crate::appliance::{Appliance, copy};

fn journals(a: &Appliance) -> [Vec<u8>; 2] {
    ["home", "new"].map(|home| std::fs::read(a.path(home).join("journal/journal.jsonl")).unwrap())
}

#[test]
fn what_cannot_be_the_other_root_is_refused() {
    let change = Change::on_one_token();
    let a = &change.0;
    let release = change.sign("home", "east");
    for (name, from) in [("ca.pem", "east/ca-cert.pem"), ("chain.pem", "east/cert-chain.pem")] {
        copy(&release.join(from), &a.path(name));
    }
    a.make_old_root();
    let root = |name: &str, dn: &str, extensions: &str| a.old_root_by("old", name, dn, extensions, &[]);
    root("same-name", "O = EXAMPLE\nCN = example  root G2", COMMON);
    root("no-ca", "CN = Old Root", &COMMON.replace("CA:TRUE", "CA:FALSE"));
    root("rehearsal", "CN = Old Root REHEARSAL", COMMON);
    let pem = |name: &str| super::read(&a.path(name));
    a.write("twice.pem", pem("old.pem") + &pem("old.pem"));
    a.write("with-own.pem", pem("old.pem") + &pem("new/root.pem"));
    a.write("text.pem", format!("Our root:\n{}", pem("old.pem")));
    a.write("crlf.pem", pem("old.pem").replace('\n', "\r\n"));
    a.write("half.pem", &pem("old.pem")[..300]);
    a.write("empty.pem", "");
    a.write("der.pem", [0x30, 0x03, 0x02, 0x01, 0x01]);
    let before = journals(a);
    for (home, option, file, code, id) in [
        // One's own root, its name, its key.
        ("new", "--old", "new/root.pem", 1, "rollover.same"),
        ("new", "--old", "same-name.pem", 1, "rollover.same"),
        ("new", "--old", "with-own.pem", 1, "rollover.same"),
        ("home", "--new", "home/root.pem", 1, "rollover.same"),
        // No root.
        ("new", "--old", "ca.pem", 1, "rollover.not-a-root"),
        ("new", "--old", "chain.pem", 1, "rollover.not-a-root"),
        ("home", "--new", "ca.pem", 1, "rollover.not-a-root"),
        ("new", "--old", "der.pem", 1, "rollover.not-a-root"),
        // No file that could be released.
        ("new", "--old", "twice.pem", 2, "rollover.file"),
        ("new", "--old", "text.pem", 2, "rollover.file"),
        ("new", "--old", "crlf.pem", 2, "rollover.file"),
        ("new", "--old", "half.pem", 2, "rollover.file"),
        ("new", "--old", "empty.pem", 2, "rollover.file"),
        ("new", "--old", "pin", 2, "rollover.file"),
        ("new", "--old", "none.pem", 2, "file.missing"),
        // The root that comes has to be fit to be one here.
        ("home", "--new", "no-ca.pem", 1, "companion.unfit"),
        ("home", "--new", "rehearsal.pem", 2, "rollover.rehearsal"),
    ] {
        let ran = change.begin(home, option, file);
        assert!(ran.code == code, "{file}: {} {}", ran.code, ran.stderr);
        ran.fails(code, id);
    }
    change.step("new", &["begin", "--overlap", "90d"]).fails(2, "command-line.usage");
    change.step("new", &["stage", "both"]).fails(2, "rollover.to");
    for step in ["reached", "end", "compromised"] {
        change.step("new", &[step]).fails(1, "rollover.step");
    }
    change.refuses_stage("new", "both", "has not begun");
    change.refuses("new", &["root", "rollover", "cross"], "rollover.step");
    assert!(journals(a) == before, "something is on record");
    change.begin_both();
    for (home, option, file) in [("new", "--old", "old.pem"), ("home", "--new", "new/root.pem")] {
        change.begin(home, option, file).fails(1, "rollover.step");
    }
    change.audits_ok();
}

/// A home without a root has nothing to change.
#[test]
fn a_home_without_a_root_has_no_rollover() {
    let a = Appliance::with_home();
    a.make_old_root();
    let old = a.path("old.pem");
    let begin = ["root", "rollover", "begin", "--overlap", "90d", "--old", old.to_str().unwrap()];
    answered(&a, "home", &begin).fails(2, "home.no-root");
    answered(&a, "home", &["root", "retire", "--destroyed", "x"]).fails(2, "home.no-root");
}
