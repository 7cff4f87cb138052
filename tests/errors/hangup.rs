//! The terminal closed, and signals sent, at each question: the run ends with 130,
//! nothing is recorded, and the next run asks again.

use super::terminal::{ASKS_PIN, QUESTION, attended, sign_args};
use super::trace;
use crate::appliance::{Appliance, PIN, Ran, ran};

/// Runs a command as the leader of a terminal's session. Each step waits for a prompt
/// and types something, sends a signal, or closes the terminal, which is the end.
/// What it says on stderr goes on, as into a log. Exits as the command did.
const DRIVER: &str = r#"
import json, os, pty, select, signal, sys, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
log = os.dup(2)
pid, fd = pty.fork()
if pid == 0:
    os.dup2(log, 2)
    os.execv(argv[0], argv)
out, seen, end = b"", 0, time.monotonic() + 60
for prompt, kind, value in steps:
    while out.find(prompt.encode(), seen) < 0:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit("never asked " + prompt + "; so far:\n" + out.decode("utf-8", "replace"))
        try:
            out += os.read(fd, 65536)
        except OSError:
            sys.exit("ended before " + prompt + "; so far:\n" + out.decode("utf-8", "replace"))
    seen = out.find(prompt.encode(), seen) + len(prompt)
    if kind == "type":
        os.write(fd, value.encode())
    elif kind == "signal":
        os.kill(pid, getattr(signal, "SIG" + value))
    else:
        os.write(fd, value.encode())
        os.close(fd)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"#;

/// Prompt, what is done, with what.
type Step<'a> = (&'a str, &'a str, &'a str);

fn driven(a: &Appliance, steps: &[Step<'_>], args: &[&str]) -> Ran {
    let steps = serde_json::to_string(steps).unwrap();
    let mut command = a.command("python3");
    command.args(["-c", DRIVER, &steps, env!("CARGO_BIN_EXE_anchorite")]).args(args);
    ran(command.env("NO_COLOR", "1").output().unwrap())
}

/// Whichever way a step ends it.
const ENDS: [(&str, &str); 6] = [
    ("close", ""),
    ("close", "ye"),
    ("signal", "INT"),
    ("signal", "TERM"),
    ("signal", "HUP"),
    ("type", "\u{3}"),
];

#[track_caller]
fn nothing_was_done(a: &Appliance, steps: &[Step<'_>], args: &[&str]) {
    let before = trace(a);
    let ran = driven(a, steps, args);
    assert_eq!(ran.code, 130, "{steps:?}: {}", ran.stderr);
    assert_eq!(trace(a), before, "{steps:?}");
    assert!(!ran.stderr.contains(&PIN[..4]) && !ran.stdout.contains(&PIN[..4]), "{}", ran.stderr);
}

#[test]
fn a_terminal_that_closes_or_a_signal_at_each_question_of_sign() {
    let a = attended();
    let args = sign_args(&a);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    for (kind, value) in ENDS {
        nothing_was_done(&a, &[(QUESTION, kind, value)], &args);
        nothing_was_done(&a, &[(QUESTION, "type", "yes\n"), (ASKS_PIN, kind, value)], &args);
    }
    // A PIN that is half typed when the terminal goes is no PIN.
    let half = [(QUESTION, "type", "yes\n"), (ASKS_PIN, "close", &PIN[..4])];
    nothing_was_done(&a, &half, &args);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
    let listed = a.run(&["token", "list", "--json"]).code(0).json();
    assert_eq!(listed["tokens"][0]["pin_state"], "", "no try was spent");
}

#[test]
fn a_terminal_that_closes_at_each_question_of_the_other_verbs() {
    let a = attended();
    a.edit("home/policies/istio.toml", "default = \"60d\"", "default = \"30d\"");
    for (kind, value) in ENDS {
        nothing_was_done(&a, &[(QUESTION, kind, value)], &["policy", "pin"]);
        nothing_was_done(&a, &[(QUESTION, "type", "yes\n"), (ASKS_PIN, kind, value)], &["policy", "pin"]);
    }
    let a = Appliance::bare();
    let home = a.arg("home");
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &crate::appliance::module()])
        .code(0);
    let create = ["root", "create", "--subject", "O=Example,CN=Root", "--key", "p256", "--ttl", "20y"];
    for (kind, value) in ENDS {
        nothing_was_done(&a, &[(QUESTION, kind, value)], &create);
        nothing_was_done(&a, &[(QUESTION, "type", "yes\n"), (ASKS_PIN, kind, value)], &create);
    }
    let plan = [(QUESTION, "type", "yes\n"), (ASKS_PIN, "type", "2468-testing\n")];
    assert_eq!(driven(&a, &plan, &create).code, 0);
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn each_part_of_a_pin_can_be_broken_off() {
    let a = Appliance::bare();
    let home = a.arg("home");
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", &crate::appliance::module()])
        .code(0);
    a.edit("home/anchorite.toml", "pin-parts = 1", "pin-parts = 2");
    let pinned = driven(&a, &[(QUESTION, "type", "yes\n")], &["policy", "pin"]);
    assert_eq!(pinned.code, 0, "{}", pinned.stderr);
    let create = ["root", "create", "--subject", "O=Example,CN=Root", "--key", "p256", "--ttl", "20y"];
    let (first, second) = ("PIN of ceremony, part 1 of 2: ", "PIN of ceremony, part 2 of 2: ");
    for (kind, value) in ENDS {
        let yes = (QUESTION, "type", "yes\n");
        nothing_was_done(&a, &[yes, (first, kind, value)], &create);
        nothing_was_done(&a, &[yes, (first, "type", "2468\n"), (second, kind, value)], &create);
    }
    let all = [(QUESTION, "type", "yes\n"), (first, "type", "2468\n"), (second, "type", "-testing\n")];
    assert_eq!(driven(&a, &all, &create).code, 0);
}

#[test]
fn a_terminal_that_closes_right_after_the_pin_stops_before_anything_is_signed() {
    let a = attended();
    let args = sign_args(&a);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let pin = format!("{PIN}\n");
    let before = a.audit(&[]).code(0).json();
    let ran = driven(&a, &[(QUESTION, "type", "yes\n"), (ASKS_PIN, "close", &pin)], &args);
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    // Whether the line came through before the hangup did is the kernel's business; if
    // it did, there is a session on record, which signed nothing.
    let after = a.run(&["audit", "verify", "--json"]).json();
    assert_ne!(after["state"], "broken", "{after}");
    assert_eq!(after["signatures"], before["signatures"]);
    let yes = [(QUESTION, "type", "yes\n"), (ASKS_PIN, "type", pin.as_str())];
    assert_eq!(driven(&a, &yes, &args).code, 0);
}
