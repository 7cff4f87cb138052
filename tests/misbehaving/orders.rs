//! Orders, a line each: a function, which of its calls in this process, what to do.
//!
//! ```text
//! C_Sign 3 flip            the third call
//! C_Sign 3- fail 0x30      the third and all that follow
//! C_Login * slow 500       every call
//! ```
//!
//! Before the real call: `wait` (until the file `go` is there), `slow MS`, `noise` (on
//! stdout and stderr), `fork` (a child that lives on for a minute), `abort` (the process dies), `fail CKR`, `gone` (the device is taken
//! out: this call and all that follow fail). After it: `lose CKR` (it was done, and says
//! that it failed), `lose-abort`, `lose-gone`. What else there is spoils one function's
//! answer and is described where that is done.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::process::abort;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cryptoki_sys::{CK_RV, CKR_DEVICE_REMOVED, CKR_OK};

use crate::deed::{Deed, ordered};
use crate::folder;

/// Whether the device was taken out.
static GONE: AtomicBool = AtomicBool::new(false);

/// Makes the call, with what was ordered for it before and after. `spoil` does what
/// this function alone can do, and gives the code that the caller is told.
pub fn obey(function: &'static str, real: impl FnOnce() -> CK_RV, spoil: impl Fn(&Deed) -> CK_RV) -> CK_RV {
    let nth = count(function);
    note(&format!("begin {function} {nth}"));
    let code = obeyed(function, nth, real, spoil);
    note(&format!("end {function} {nth} 0x{code:x}"));
    code
}

fn obeyed(
    function: &'static str,
    nth: u64,
    real: impl FnOnce() -> CK_RV,
    spoil: impl Fn(&Deed) -> CK_RV,
) -> CK_RV {
    let mut after = Vec::new();
    for deed in ordered(&folder(), function, nth) {
        match deed.word.as_str() {
            "wait" => wait(),
            "slow" => std::thread::sleep(Duration::from_millis(deed.number(0))),
            "noise" => noise(),
            "fork" => leave_a_child(),
            "abort" => abort(),
            "fail" => return deed.number(0),
            "gone" => GONE.store(true, Ordering::SeqCst),
            _ => after.push(deed),
        }
    }
    if GONE.load(Ordering::SeqCst) {
        return CKR_DEVICE_REMOVED;
    }
    let mut code = real();
    if code != CKR_OK {
        return code;
    }
    note(&format!("made {function} {nth}"));
    for deed in after {
        code = match deed.word.as_str() {
            "lose" => deed.number(0),
            "lose-abort" => abort(),
            "lose-gone" => {
                GONE.store(true, Ordering::SeqCst);
                CKR_DEVICE_REMOVED
            }
            _ => spoil(&deed),
        };
    }
    code
}

/// For functions that have nothing of their own to spoil.
pub fn unknown(deed: &Deed) -> CK_RV {
    panic!("order: nothing is known of `{}` here", deed.word)
}

/// Counts a function's calls in this process, from 1.
fn count(function: &'static str) -> u64 {
    static CALLS: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());
    let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = calls.entry(function).or_default();
    *count += 1;
    *count
}

fn wait() {
    while !folder().join("go").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What some vendors' modules do, and worse.
fn noise() {
    const NOISE: &[u8] = b"\x1b[2J\x1b]0;hsm\x07DEBUG: \xff\xfe\x00 slot 0 OK\n{\"release\": \"/\"}\n";
    let _ = std::io::stdout().write_all(NOISE);
    let _ = std::io::stderr().write_all(NOISE);
}

/// A process with everything that this one has open, as some modules leave behind.
fn leave_a_child() {
    unsafe extern "C" {
        fn fork() -> i32;
        fn alarm(seconds: u32) -> u32;
        fn pause() -> i32;
    }
    // SAFETY: the child calls nothing but alarm and pause, which any child may; the
    // alarm ends it.
    let child = unsafe {
        let child = fork();
        if child == 0 {
            alarm(60);
            loop {
                pause();
            }
        }
        child
    };
    std::fs::write(folder().join("child"), child.to_string()).expect("`child` can be written");
}

/// One line, whole, whoever else writes.
fn note(line: &str) {
    let file = File::options().create(true).append(true).open(folder().join("calls"));
    file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())).expect("`calls` can be written");
}
