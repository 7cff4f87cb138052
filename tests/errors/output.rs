//! What scripts see: JSON in either case, no colours in pipes, readers that go away, odd clocks.

use serde_json::Value;

use super::{printable, refused, refused_without_trace};
use crate::appliance::{Appliance, Ran, ran};

fn ready() -> Appliance {
    let a = Appliance::with_root("p256");
    a.request("east");
    a
}

#[test]
fn with_json_an_error_is_json_too() {
    let a = ready();
    let (from, to) = (a.arg("in"), a.arg("out"));
    let cases: [(&[&str], i32, &str); 6] = [
        (
            &[
                "sign",
                "--from",
                &from,
                "--to",
                &to,
                "--json",
                "--policy",
                "istio",
                "--yes",
                "--pin-file",
                "/none",
            ],
            2,
            "file.missing",
        ),
        (&["sign", "--from", "/none", "--to", &to, "--json", "--yes"], 2, "media.missing"),
        (&["audit", "verify", "--json", "--home", "/none"], 2, "home.missing"),
        (&["sign", "--json"], 2, "command-line.usage"),
        (&["nonsense", "--json"], 2, "command-line.usage"),
        (&["audit", "verify", "--json", "--root-sha256", "\u{1b}[31m"], 2, "command-line.usage"),
    ];
    for (args, code, id) in cases {
        let ran = a.run(args).code(code);
        printable(&ran);
        assert_eq!(ran.stdout, "");
        // The review stands before it where there is one; the last line is the error.
        let last = ran.stderr.lines().last().unwrap();
        let error =
            serde_json::from_str::<Value>(last).unwrap_or_else(|e| panic!("{e}: {last}"))["error"].clone();
        assert_eq!((error["id"].as_str(), error["exit"].as_i64()), (Some(id), Some(code.into())), "{error}");
        assert!(
            !error["message"].as_str().unwrap().is_empty() && !error["next"].as_str().unwrap().is_empty()
        );
    }
    let bare = a.run(&[]).code(2);
    assert!(bare.stderr.contains("Usage: anchorite"), "{}", bare.stderr);
}

#[test]
fn a_pipe_gets_no_colours_and_a_terminal_none_with_no_color() {
    let a = ready();
    for args in [
        &["inspect", &a.arg("in"), "--policy", "istio"][..],
        &["audit", "verify"],
        &["--help"],
        &["sign", "--nonsense"],
    ] {
        printable(&a.run(args));
    }
    let shell = |color: &str| {
        let script =
            format!("{color} script -qec '{} audit verify' /dev/null", env!("CARGO_BIN_EXE_anchorite"));
        ran(a.command("sh").args(["-c", &script]).env("TERM", "xterm").output().unwrap()).code(0).stdout
    };
    assert!(shell("").contains("\u{1b}[32mok"), "a terminal gets colours");
    assert!(!shell("NO_COLOR=1").contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let a = ready();
    let binary = env!("CARGO_BIN_EXE_anchorite");
    for verb in ["audit show", "--help", "completions bash", "audit show --json"] {
        // bash tells how the first of a pipe ended.
        let script = format!("{binary} {verb} | true; echo ${{PIPESTATUS[0]}}");
        let out = ran(a.command("bash").args(["-c", &script]).output().unwrap());
        assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("0\n", ""), "{verb}");
    }
    // A full disk behind stdout is one, after everything is done.
    let script = format!("{binary} audit show >/dev/full");
    refused(
        ran(a.command("sh").args(["-c", &script]).output().unwrap()),
        (2, "output.stdout", &["No space left"]),
    );
}

/// `sign` with the clock at this time.
fn sign_at(a: &Appliance, time: &str, more: &[&str]) -> Ran {
    let (from, to, pin) = (a.arg("in"), a.arg("out"), a.arg("pin"));
    let mut command = a.command("faketime");
    command.args([time, env!("CARGO_BIN_EXE_anchorite"), "sign", "--from", &from, "--to", &to]);
    command.args(["--policy", "istio", "--yes", "--pin-file", &pin]).args(more);
    ran(command.output().unwrap())
}

#[test]
fn a_clock_behind_the_journal_is_refused_before_anything_else() {
    let a = ready();
    for time in ["2 minutes ago", "1 year ago", "2001-01-01"] {
        let wanted = (
            1,
            "clock.behind",
            &["the clock says", "the journal's last entry was written at", "--correct-clock"][..],
        );
        refused_without_trace(&a, || sign_at(&a, time, &[]), wanted);
    }
    // A clock that ran ahead once is set right on record.
    sign_at(&a, "10 days", &[]).code(0);
    a.request("west");
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    refused_without_trace(&a, || a.sign(&["--policy", "istio"]), (1, "clock.behind", &["--correct-clock"]));
    a.sign(&["--policy", "istio", "--correct-clock"]).code(0);
    assert!(a.journal().contains("clock-corrected"), "it is on record");
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn a_root_that_ran_out_signs_nothing() {
    let a = ready();
    let ran = refused_without_trace(&a, || sign_at(&a, "21 years", &[]), (1, "plan.refusals", &["1 of 1"]));
    assert!(ran.stderr.contains("[validity.expired]"), "{}", ran.stderr);
}

#[test]
fn lines_to_be_copied_are_quoted_for_a_shell() {
    let a = Appliance::bare();
    let home = a.arg("the CA's home");
    let module = crate::appliance::module();
    let ran = a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &module]).code(0);
    let line = ran.stdout.lines().find(|line| line.contains("root create")).unwrap();
    let words = format!("set -- {}; printf %s \"$5\"", line.trim());
    let out = std::process::Command::new("sh").args(["-c", &words]).output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), home, "{line}");
}

#[test]
fn no_option_is_offered_where_it_does_nothing() {
    let a = Appliance::bare();
    for verb in ["list", "check"] {
        let help = a.run(&["token", verb, "--help"]).code(0).stdout;
        assert!(help.contains("--pin-file") && !help.contains("--correct-clock"), "{help}");
    }
}
