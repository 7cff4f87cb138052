//! Questions at the terminal: only the word yes goes on, an interrupt ends it, and
//! the terminal is as it was. Driven through a real pseudo-terminal.

use std::process::Command;

use super::{printable, refused, refused_without_trace, trace};
use crate::appliance::{Appliance, PIN, Ran, module};

/// Runs a command on a terminal of its own: waits for each prompt and types its
/// answer. Says for each whether what is typed is shown, then the exit code and
/// whether the terminal shows it afterwards.
const DRIVER: &str = r#"
import json, os, pty, select, sys, termios, time
steps, argv = json.loads(sys.argv[1]), sys.argv[2:]
# What is found afterwards is not told at the terminal: it drops what it still holds at ^C.
told, tell = os.pipe()
pid, fd = pty.fork()
if pid == 0:
    os.dup2(tell, 9)
    # The shell lives on, as the operator's would, and is asked how it finds its terminal.
    script = 'trap : INT; "$@" 9>&-; echo "exit=$?" >&9; stty -a | grep -q -- "-echo " && echo "after=hidden" >&9 || echo "after=shown" >&9'
    os.execvp("sh", ["sh", "-c", script, "sh"] + argv)
os.close(tell)
out, end = b"", time.monotonic() + 60
def more():
    global out
    if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
        sys.exit("no answer in time; so far:\n" + out.decode("utf-8", "replace"))
    try:
        read = os.read(fd, 65536)
    except OSError:
        read = b""
    out += read
    return bool(read)
seen, shown = 0, []
for prompt, answer in steps:
    while out.find(prompt.encode(), seen) < 0:
        if not more():
            sys.exit("never asked " + prompt + "; so far:\n" + out.decode("utf-8", "replace"))
    seen = out.find(prompt.encode(), seen) + len(prompt)
    shown.append("shown" if termios.tcgetattr(fd)[3] & termios.ECHO else "hidden")
    os.write(fd, answer.encode())
while more():
    pass
os.waitpid(pid, 0)
found = os.fdopen(told).read()
sys.stdout.write(out.decode("utf-8", "replace").replace("\r", "") + "\n" + found + "typed=" + ",".join(shown) + "\n")
"#;

pub const QUESTION: &str = "anything else to stop: ";
pub const ASKS_PIN: &str = "PIN of ceremony: ";

/// What a run at the terminal gave.
pub struct Session {
    pub text: String,
}

impl Session {
    pub fn value(&self, key: &str) -> &str {
        let key = format!("{key}=");
        self.text.lines().rev().find_map(|line| line.split_once(&key)).map_or("", |(_, value)| value)
    }

    pub fn ran(&self) -> Ran {
        let code = self.value("exit").parse().unwrap_or(-1);
        Ran { code, stdout: String::new(), stderr: self.text.clone() }
    }
}

pub fn at_terminal(a: &Appliance, steps: &[(&str, &str)], args: &[&str]) -> Session {
    session(&mut driver(a, steps, args))
}

/// The command that runs another at a terminal.
pub fn driver(a: &Appliance, steps: &[(&str, &str)], args: &[&str]) -> Command {
    let steps = serde_json::to_string(steps).unwrap();
    let mut command = a.command("python3");
    command.args(["-c", DRIVER, &steps, env!("CARGO_BIN_EXE_anchorite")]).args(args).env("NO_COLOR", "1");
    command
}

pub fn session(driver: &mut Command) -> Session {
    let ran = crate::appliance::ran(driver.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    Session { text: ran.stdout }
}

/// A home where only a person at the terminal can answer, with its root.
pub(super) fn attended() -> Appliance {
    attended_through(&module())
}

pub(super) fn attended_through(module: &str) -> Appliance {
    let a = Appliance::bare();
    let home = a.arg("home");
    a.write("hsm/module", crate::appliance::module());
    a.run(&["init", &home, "--token", "pkcs11:token=ceremony", "--module", module]).code(0);
    let create = ["root", "create", "--subject", "O=Example,CN=Root", "--key", "p256", "--ttl", "20y"];
    let made = at_terminal(&a, &[(QUESTION, "yes\n"), (ASKS_PIN, &format!("{PIN}\n"))], &create);
    assert_eq!(made.value("exit"), "0", "{}", made.text);
    a.request("east");
    a
}

pub(super) fn sign_args(a: &Appliance) -> Vec<String> {
    ["sign", "--from", &a.arg("in"), "--to", &a.arg("out"), "--policy", "istio"].map(String::from).into()
}

fn sign_at(a: &Appliance, steps: &[(&str, &str)]) -> Session {
    let args = sign_args(a);
    at_terminal(a, steps, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn yes_and_the_typed_pin_sign_and_the_pin_is_never_shown() {
    let a = attended();
    let session = sign_at(&a, &[(QUESTION, "yes\n"), (ASKS_PIN, &format!("{PIN}\n"))]);
    assert_eq!(session.value("exit"), "0", "{}", session.text);
    assert_eq!((session.value("typed"), session.value("after")), ("shown,hidden", "shown"));
    assert!(!session.text.contains(PIN), "{}", session.text);
    assert!(session.text.contains("SIGN for cluster east"), "the review comes before the question");
    assert!(!a.journal().contains(PIN));
    assert!(a.release().join("east/ca-cert.pem").exists());
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

/// What was typed while the plan was being made answers no question about it.
#[test]
fn a_yes_typed_beforehand_is_not_taken() {
    let a = attended();
    let session = sign_at(&a, &[("", "yes\nyes\n"), (QUESTION, "no\n")]);
    session.ran().fails(1, "consent.declined");
    assert!(std::fs::read_dir(a.path("out")).unwrap().next().is_none());
}

#[test]
fn anything_but_yes_stops_and_leaves_no_trace() {
    let a = attended();
    for answer in ["no\n", "y\n", "YES\n", " yes\n", "yes \n", "yess\n", "\n", "\u{1b}[Ayes\n"] {
        let before = trace(&a);
        let session = sign_at(&a, &[(QUESTION, answer)]);
        session.ran().fails(1, "consent.declined");
        assert_eq!((session.value("after"), trace(&a)), ("shown", before), "{answer:?}");
    }
    let before = trace(&a);
    // End of file (^D) is no answer either.
    sign_at(&a, &[(QUESTION, "\u{4}")]).ran().fails(130, "interrupted");
    assert_eq!(trace(&a), before);
}

#[test]
fn an_interrupt_at_a_question_ends_it_with_130_and_the_terminal_as_it_was() {
    let a = attended();
    let half_typed = format!("{}\u{3}", &PIN[..4]);
    for steps in [
        vec![(QUESTION, "\u{3}")],
        vec![(QUESTION, "ye\u{3}")],
        vec![(QUESTION, "yes\n"), (ASKS_PIN, "\u{3}")],
        vec![(QUESTION, "yes\n"), (ASKS_PIN, &half_typed)],
    ] {
        let before = trace(&a);
        let session = sign_at(&a, &steps);
        session.ran().fails(130, "interrupted");
        assert_eq!(session.value("after"), "shown", "echo is on again: {}", session.text);
        assert_eq!(trace(&a), before, "nothing is recorded");
    }
    assert_eq!(a.audit(&[]).code(0).json()["state"], "ok");
}

#[test]
fn a_wrong_pin_at_the_terminal_shows_the_terminal_again() {
    let a = attended();
    let before = trace(&a);
    let session = sign_at(&a, &[(QUESTION, "yes\n"), (ASKS_PIN, "wrong-pin\n")]);
    session.ran().fails(3, "token.pin-incorrect");
    assert_eq!((session.value("after"), trace(&a)), ("shown", before));
    assert!(!session.text.contains("wrong-pin"));
}

#[test]
fn nothing_from_the_stick_steers_the_terminal() {
    let a = attended();
    a.openssl(&[
        "req",
        "-new",
        "-utf8",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "k",
        "-out",
        "in/evil\u{1b}[2J\u{202e}.csr",
        "-subj",
        "/O=Istio/L=west/CN=\u{1b}]0;x\u{7}\u{202e}tsew",
    ]);
    let session = at_terminal(&a, &[], &["inspect", &a.arg("in"), "--policy", "istio"]);
    assert_eq!(session.value("exit"), "1");
    assert!(
        session.text.contains("subject.characters") && session.text.contains("evil\\u{1b}[2J"),
        "{}",
        session.text
    );
    printable(&session.ran());
}

#[test]
fn yes_on_the_command_line_is_refused_by_every_verb_of_an_attended_home() {
    let a = attended();
    let (from, to, pin, plan) = (a.arg("in"), a.arg("out"), a.arg("pin"), a.arg("plan.json"));
    a.run(&["plan", "--from", &from, "--out", &plan, "--policy", "istio"]).code(0);
    let verbs: [&[&str]; 10] = [
        &["root", "create", "--subject", "CN=x", "--key", "p256", "--ttl", "1y"],
        &["inspect", &from],
        &["sign", "--from", &from, "--to", &to, "--policy", "istio", "--pin-file", &pin],
        &["sign", "--from", &from, "--to", &to, "--policy", "istio", "--dry-run"],
        &["plan", "--from", &from, "--out", &plan],
        &["perform", &plan, "--to", &to, "--pin-file", &pin],
        &["policy", "check"],
        &["policy", "pin", "--pin-file", &pin],
        &["audit", "show"],
        &["token", "list"],
    ];
    for verb in verbs {
        let run = || a.run(&[verb, &["--yes"]].concat());
        refused_without_trace(&a, run, (1, "consent.yes", &["--unattended"]));
    }
    let other = a.arg("other");
    let init = ["init", &other, "--token", "pkcs11:token=ceremony", "--module", &module(), "--yes"];
    refused(a.run(&init), (1, "consent.yes", &["--unattended"]));
    assert!(!a.path("other").exists());
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let a = Appliance::with_root("p256");
    a.request("east");
    // A session of its own has no controlling terminal; stdin is not one either.
    let sign = || {
        let mut command = a.command("setsid");
        command
            .args(["-w", env!("CARGO_BIN_EXE_anchorite")])
            .args(sign_args(&a))
            .args(["--pin-file", &a.arg("pin")]);
        crate::appliance::ran(command.output().unwrap())
    };
    refused_without_trace(&a, sign, (2, "terminal.missing", &["no terminal to ask on", "--yes"]));
}
