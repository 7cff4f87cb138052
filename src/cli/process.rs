//! The process and the world outside: clock, randomness, signals, core dumps.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anchorite::x509::Time;
use anchorite::{Error, Result};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, getrlimit, set_dumpable_behavior, setrlimit,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

struct Signals {
    /// A signal came.
    stop: Arc<AtomicBool>,
    /// Whether a signal may end the process at once.
    exit_at_once: Arc<AtomicBool>,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();
/// How many [`Hold`]s there are.
static HOLDS: AtomicUsize = AtomicUsize::new(0);

/// No core dump may hold a PIN, no other process may read our memory, and a
/// signal ends the process with 130, or at the next safe place while held.
pub fn harden() -> Result<()> {
    let failed = |what: &str, e: std::io::Error| {
        Error::usage("process.harden", format!("{what}: {e}"))
            .next("run it where the system allows that; a PIN is not asked for otherwise")
    };
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|e| failed("core dumps cannot be switched off", e.into()))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| failed("the process cannot be made undumpable", e.into()))?;
    let signals =
        Signals { stop: Arc::new(AtomicBool::new(false)), exit_at_once: Arc::new(AtomicBool::new(true)) };
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, signals.exit_at_once.clone())
            .and_then(|_| signal_hook::flag::register(signal, signals.stop.clone()))
            .map_err(|e| failed("signals cannot be watched", e))?;
    }
    // Where files may not grow (RLIMIT_FSIZE), the write fails and says so.
    signal_hook::flag::register(SIGXFSZ, Arc::default())
        .map_err(|e| failed("signals cannot be watched", e))?;
    let _ = SIGNALS.set(signals);
    Ok(())
}

/// Keeps this process's memory out of swap from now on, if the system lets it. Where
/// only so much may be locked, locking all would make later allocations fail.
pub fn lock_memory() -> bool {
    let unlimited = getrlimit(Resource::Memlock).current.is_none() || geteuid().is_root();
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    unlimited && mlockall(all).is_ok()
}

/// Whether a signal came while held.
pub fn interrupted() -> bool {
    SIGNALS.get().is_some_and(|s| s.stop.load(Ordering::SeqCst))
}

/// While this lives, a signal only sets a flag.
pub struct Hold(());

/// Holds signals back until the result is dropped.
pub fn hold() -> Hold {
    HOLDS.fetch_add(1, Ordering::SeqCst);
    if let Some(signals) = SIGNALS.get() {
        signals.exit_at_once.store(false, Ordering::SeqCst);
    }
    Hold(())
}

/// A safe place: stops here if a signal came.
pub fn stop_if_interrupted() -> Result<()> {
    if interrupted() { Err(Error::interrupted()) } else { Ok(()) }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let last = HOLDS.fetch_sub(1, Ordering::SeqCst) == 1;
        if let Some(signals) = SIGNALS.get().filter(|_| last) {
            signals.exit_at_once.store(true, Ordering::SeqCst);
        }
    }
}

/// The system's clock.
pub fn now() -> Time {
    Time::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()))
}

/// How many things can be done at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// 32 bytes of the operating system's CSPRNG.
pub fn entropy() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::usage("process.entropy", format!("the system gives no randomness: {e}"))
            .next("do not use this machine")
    })?;
    Ok(bytes)
}

/// Who the operating system says is running this.
pub fn operator() -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|v| std::env::var(v).ok());
    match name {
        Some(name) => format!("{} (uid {uid})", anchorite::text::shown(&name)),
        None => format!("uid {uid}"),
    }
}

/// Whether `--json` stands on a command line that could not be parsed.
pub fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}
