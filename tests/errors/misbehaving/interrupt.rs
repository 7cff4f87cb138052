//! An interrupt at any point: the module holds a call, so that the signal comes while
//! it is being made. A signature that was begun is finished and goes on record.

use std::fs::File;
use std::process::Child;

use super::*;
use crate::errors::trace;
use crate::faults::copy;

const ANCHORITE: &str = env!("CARGO_BIN_EXE_anchorite");
const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

/// Starts a program and waits until it is held at this call.
pub(super) fn held_at(a: &Appliance, call: &str, program: &str, args: &[&str]) -> Child {
    a.order(&format!("{call} wait"));
    let before = a.calls().len();
    let mut command = a.command(program);
    // Into files: a pipe that nobody reads yet would hold it as well.
    let file = |name: &str| File::create(a.path(name)).unwrap();
    let mut child = command.args(args).stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
    while !a.calls()[before..].lines().any(|line| line == format!("begin {call}")) {
        if child.try_wait().unwrap().is_some() {
            panic!("ended before {call}: {}", ended(a, child).stderr);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child
}

/// Sends a signal and waits until it was taken note of: it is pending no more, and the
/// main thread, which gets it, waits again for what it waited for.
fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    let taken = |status: &str| {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        field("ShdPnd:").trim().chars().all(|c| c == '0') && !field("State:").trim().starts_with('R')
    };
    // A process that ended has taken note as well.
    while !std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| taken(&status)) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

pub(super) fn ended(a: &Appliance, mut child: Child) -> Ran {
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let read = |name: &str| std::fs::read_to_string(a.path(name)).unwrap();
    Ran { code, stdout: read("stdout"), stderr: read("stderr") }
}

/// Sends the signal while the call is being made, lets the call go on, and gives what came of it.
fn interrupted_at(a: &Appliance, call: &str, signal: &str, args: &[&str]) -> Ran {
    let child = held_at(a, call, ANCHORITE, args);
    send(signal, &child);
    a.write("hsm/go", "");
    let ran = ended(a, child);
    std::fs::remove_file(a.path("hsm/go")).unwrap();
    a.order("");
    ran
}

pub(super) fn sign_args(a: &Appliance) -> Vec<String> {
    let paths = ["--from", &a.arg("in"), "--to", &a.arg("out"), "--pin-file", &a.arg("pin")];
    [&["sign", "--policy", "istio", "--yes"], &paths[..]].concat().into_iter().map(Into::into).collect()
}

pub(super) fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn a_signal_during_any_signature_of_a_session() {
    let of = with_requests(3);
    for nth in 1..=6 {
        let a = copy(&of);
        let (signal, args) = (SIGNALS[nth % 3], sign_args(&a));
        let ran = interrupted_at(&a, &format!("C_Sign {nth}"), signal, &strs(&args));
        accounted_for(&a);
        if nth > 3 {
            // Everything is signed; sealing and releasing it is one step, which is finished.
            assert_eq!(ran.code, 0, "{nth}: {}", ran.stderr);
        } else {
            refused(ran, (130, "interrupted", &["on record", "anchorite perform"]));
            assert_eq!(nothing_released(&a), "open", "{nth}");
            let record = record(&a);
            assert_eq!((record.serials.len(), record.withdrawn), (nth, 3 - nth), "{nth}");
            taken_up(&a, 3, 0);
        }
        verified(&a);
        settled(&a);
    }
}

#[test]
fn a_signal_at_the_borders_of_a_batchs_groups() {
    let of = with_requests(40);
    for nth in [1, 32, 33, 39] {
        let a = copy(&of);
        let (signal, args) = (SIGNALS[nth % 3], sign_args(&a));
        let ran = interrupted_at(&a, &format!("C_Sign {nth}"), signal, &strs(&args));
        refused(ran, (130, "interrupted", &["anchorite perform"]));
        assert_eq!(nothing_released(&a), "open", "{nth}");
        // Others may be made beside the one that was held.
        assert!(record(&a).serials.len() >= nth, "{nth}");
        accounted_for(&a);
        taken_up(&a, 40, 0);
    }
}

#[test]
fn a_signal_before_the_session_ends_it_at_once_and_leaves_no_trace() {
    let a = with_requests(1);
    let args = sign_args(&a);
    for call in ["C_GetSlotList 1", "C_OpenSession 1", "C_GenerateRandom 1"] {
        for signal in SIGNALS {
            let before = trace(&a);
            let child = held_at(&a, call, ANCHORITE, &strs(&args));
            send(signal, &child);
            // Nobody lets the call go on: a module that hangs does not hold the operator.
            let ran = ended(&a, child);
            assert_eq!(ran.code, 130, "{call} {signal}: {}", ran.stderr);
            a.order("");
            let lists = |name: &String| !name.ends_with("/hsm/calls") && !name.ends_with("/hsm/orders");
            let seen: Vec<_> = before.into_iter().filter(|(name, _)| lists(name)).collect();
            assert_eq!(trace(&a).into_iter().filter(|(name, _)| lists(name)).collect::<Vec<_>>(), seen);
        }
    }
    assert_eq!(nothing_released(&a), "ok");
    a.sign(&SIGN).code(0);
    settled(&a);
}

/// SoftHSM writes its token's file anew at each login: a process that ended meanwhile
/// would leave it empty, and the root's key with it.
#[test]
fn a_signal_during_the_login_waits_for_the_token() {
    let a = with_requests(1);
    let args = sign_args(&a);
    for signal in SIGNALS {
        let before = a.calls().len();
        let ran = interrupted_at(&a, "C_Login 1", signal, &strs(&args));
        refused(ran, (130, "interrupted", &[]));
        let calls = a.calls()[before..].to_string();
        assert!(calls.contains("end C_Login"), "{calls}");
        assert!(!calls.contains("C_SignInit"), "{calls}");
    }
    assert_eq!(nothing_released(&a), "ok");
    a.sign(&SIGN).code(0);
    settled(&a);
}

#[test]
fn a_signal_between_the_signatures_of_a_session() {
    let of = with_requests(2);
    // The head in the token, made and the older one removed, before the first and after both seals.
    for call in [
        "C_SignInit 1",
        "C_SignInit 3",
        "C_SignInit 5",
        "C_CreateObject 1",
        "C_CreateObject 2",
        "C_CreateObject 3",
        "C_DestroyObject 1",
        "C_DestroyObject 3",
    ] {
        let a = copy(&of);
        let args = sign_args(&a);
        let ran = interrupted_at(&a, call, "INT", &strs(&args));
        accounted_for(&a);
        if ran.code == 130 {
            let nothing = record(&a).serials.is_empty();
            assert_eq!(nothing_released(&a), if nothing { "ok" } else { "open" }, "{call}");
            taken_up(&a, 2, 0);
        } else {
            assert_eq!(ran.code, 0, "{call}: {}", ran.stderr);
        }
        verified(&a);
        settled(&a);
    }
}

#[test]
fn a_signal_while_the_root_is_made_leaves_it_whole_or_to_be_taken_up() {
    let of = with_home();
    for call in ["C_GenerateKeyPair 1", "C_GenerateKeyPair 2", "C_Sign 1", "C_Sign 2", "C_Sign 3"] {
        let a = copy(&of);
        let ran = interrupted_at(&a, call, "INT", &strs(&root_args(&a)));
        state(&a);
        if ran.code == 130 {
            a.make_root().code(0);
        } else {
            assert_eq!(ran.code, 0, "{call}: {}", ran.stderr);
        }
        assert!(a.path("home/root.pem").exists());
        assert_eq!(a.made("C_GenerateKeyPair"), 2, "{call}");
        settled(&a);
    }
}

#[test]
fn the_home_is_held_by_the_run_that_signs_and_its_number_is_named() {
    let a = with_requests(1);
    let args = sign_args(&a);
    let child = held_at(&a, "C_Sign 1", ANCHORITE, &strs(&args));
    let holder = format!("/home/lock: held by process {}", child.id());
    for verb in [&strs(&args)[..], &["audit", "verify"], &["policy", "check"]] {
        refused(a.run(verb), (2, "home.locked", &[&holder, "wait until it has ended"]));
    }
    a.write("hsm/go", "");
    assert_eq!(ended(&a, child).code, 0);
    // A run that was killed holds nothing.
    std::fs::remove_file(a.path("hsm/go")).unwrap();
    a.request("west");
    std::fs::remove_file(a.path("in/c000.csr")).unwrap();
    let mut child = held_at(&a, "C_Sign 1", ANCHORITE, &strs(&args));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    a.order("");
    assert_eq!(state(&a), "open");
    a.sign(&SIGN).code(0);
    settled(&a);
}
