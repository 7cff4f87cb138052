//! A host with a card reader of its own: pcscd with two slots, and virtual YubiKeys to
//! plug in. It lives in private namespaces, so that no other run sees it, and all of it
//! ends with the test, even if that is killed.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::appliance::{Ran, ran};

/// What ykcs11 and people know a YubiKey by. Both slots have this name and a number.
const READER: &str = "Yubico YubiKey OTP+FIDO+CCID 00 0";
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// vpcd's port for slot 0; slot 1 has the next. The network is the host's own.
const PORT: u16 = 35963;

/// For what happens by itself, only later: pcscd looks at its readers every 400 ms.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Host {
    dir: tempfile::TempDir,
    /// The first process in the namespaces; with its end, or the end of its input, they end.
    leader: Child,
    _alive: ChildStdin,
    pcscd: Option<Child>,
}

impl Host {
    /// With pcscd running and both slots empty.
    pub fn new() -> Self {
        Self::with_readers(true)
    }

    /// With pcscd running, and no reader that it knows of.
    pub fn without_reader() -> Self {
        Self::with_readers(false)
    }

    fn with_readers(there: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let conf = format!(
            "FRIENDLYNAME \"{}\"\nDEVICENAME /dev/null:{PORT:#x}\nLIBPATH {DRIVER}\nCHANNELID {PORT:#x}\n",
            READER.trim_end_matches(" 00 0")
        );
        std::fs::create_dir(dir.path().join("readers")).unwrap();
        if there {
            std::fs::write(dir.path().join("readers/vpcd"), conf).unwrap();
        }
        let setup = "ip link set lo up && mount -t tmpfs tmpfs /run && mkdir /run/pcscd \
                     && touch \"$0/ready\" && exec cat >/dev/null";
        let mut leader = Command::new("unshare")
            .args(if root() { &[][..] } else { &["--user", "--map-root-user"] })
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", setup])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stderr(std::fs::File::create(dir.path().join("leader.log")).unwrap())
            .spawn()
            .unwrap_or_else(|e| panic!("unshare cannot be run ({e}): it is in util-linux"));
        wait_until(&dir.path().join("leader.log"), || {
            if leader.try_wait().unwrap().is_some() {
                let log = std::fs::read_to_string(dir.path().join("leader.log")).unwrap();
                panic!("no namespaces for pcscd, which take root or unprivileged user namespaces: {log}");
            }
            dir.path().join("ready").exists()
        });
        let alive = leader.stdin.take().unwrap();
        let mut host = Self { dir, leader, _alive: alive, pcscd: None };
        host.start();
        host
    }

    /// A new card: not plugged in yet.
    pub fn card(&self, serial: u32, firmware: &str) -> Card {
        let folder = self.dir.path().join(format!("card-{serial}"));
        std::fs::create_dir(&folder).unwrap();
        Card { folder, serial, firmware: firmware.into(), plugged: None }
    }

    /// A new card in slot 0.
    pub fn with_card(serial: u32, firmware: &str) -> (Self, Card) {
        let host = Self::new();
        let mut card = host.card(serial, firmware);
        host.plug(&mut card, 0);
        (host, card)
    }

    /// Plugs a card into slot 0 or 1, and waits until pcscd, if it runs, sees it.
    pub fn plug(&self, card: &mut Card, slot: u16) {
        let (powered, removed) = (self.seen(POWERED), self.seen(&removal(slot)));
        let mut process = self
            .daemon(&card_program())
            .args(["--serial", &card.serial.to_string(), "--firmware", &card.firmware])
            .args(["--port", &(PORT + slot).to_string(), "--folder"])
            .arg(&card.folder)
            .stderr(std::fs::File::create(card.folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        wait_until(&self.log_file(), || {
            card.alive();
            assert_eq!(process.try_wait().unwrap(), None, "the card's process ended by itself");
            self.pcscd.is_none() || self.seen(POWERED) > powered
        });
        card.plugged = Some(Plugged { process, slot, removed });
    }

    /// Takes a card out, if it did not go by itself, and waits until pcscd sees that.
    pub fn unplug(&self, card: &mut Card) {
        let mut was = card.plugged.take().expect("a card that was plugged in");
        end(&mut was.process);
        wait_until(&self.log_file(), || self.pcscd.is_none() || self.seen(&removal(was.slot)) > was.removed);
    }

    /// Stops pcscd, which clears up after itself; cards stay plugged in.
    pub fn stop(&mut self) {
        let mut process = self.pcscd.take().expect("pcscd runs");
        tell(&process, Signal::TERM);
        process.wait().unwrap();
    }

    /// Starts pcscd.
    pub fn start(&mut self) {
        let before = self.seen(READY);
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = self.daemon(Path::new("/usr/sbin/pcscd"));
        command.args(["--foreground", "--info", "--config"]).arg(self.dir.path().join("readers"));
        self.pcscd = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        wait_until(&self.log_file(), || {
            let ended = self.pcscd.as_mut().is_some_and(|p| p.try_wait().unwrap().is_some());
            assert!(
                !ended,
                "pcscd does not start (tests/run installs it and vsmartcard-vpcd):\n{}",
                self.log()
            );
            self.seen(READY) > before
        });
    }

    /// Waits until pcscd, started again, sees the one card that stayed plugged in.
    pub fn seen_again(&self, card: &Card) {
        assert!(card.plugged.is_some());
        wait_until(&self.log_file(), || {
            self.log().rsplit(READY).next().is_some_and(|since| since.contains(POWERED))
        });
    }

    /// A program that talks to this host's pcscd.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.inside();
        command.arg("--").arg(program).current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// The same command, but there: with its arguments, variables and folder.
    pub fn enter(&self, command: &Command) -> Command {
        let mut there = self.command("sh");
        let folder = command.get_current_dir().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
        there.args(["-c", "cd \"$0\" && exec \"$@\""]).arg(folder).arg(command.get_program());
        there.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }

    /// Runs a program there.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        ran(self.command(program).args(arguments).output().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A process that ends with the namespaces.
    fn daemon(&self, program: &Path) -> Command {
        let mut command = self.inside();
        command.arg(format!("--pid=/proc/{}/ns/pid_for_children", self.leader.id())).arg("--").arg(program);
        command
    }

    fn inside(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args([&format!("--target={}", self.leader.id()), "--mount", "--net"]);
        command.args(if root() { &[][..] } else { &["--user", "--preserve-credentials"] });
        command.stdin(Stdio::null());
        command
    }

    fn log_file(&self) -> PathBuf {
        self.path("pcscd.log")
    }

    /// What pcscd said since it was started first.
    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn seen(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }
}

/// What pcscd says when it can be asked, and, in whichever slot, when a card answers: of
/// one that was there before it started, it says no more.
const READY: &str = "daemon ready";
const POWERED: &str = "Card ATR: ";

fn removal(slot: u16) -> String {
    format!("Card Removed From {READER}{slot}")
}

impl Drop for Host {
    fn drop(&mut self) {
        end(&mut self.leader);
        self.pcscd.iter_mut().for_each(|process| drop(process.wait()));
    }
}

/// A virtual YubiKey: see `tests/card/main.rs`.
pub struct Card {
    pub folder: PathBuf,
    serial: u32,
    firmware: String,
    plugged: Option<Plugged>,
}

struct Plugged {
    process: Child,
    slot: u16,
    /// How often pcscd had seen a card go from that slot.
    removed: usize,
}

impl Card {
    /// What it is to do from now on; see `tests/card/orders.rs`.
    pub fn order(&self, orders: &str) {
        std::fs::write(self.folder.join("orders"), orders).unwrap();
    }

    /// Every command that it wrote down.
    pub fn calls(&self) -> String {
        std::fs::read_to_string(self.folder.join("calls")).unwrap_or_default()
    }

    /// How often it really did this: `SIGN`, `GENERATE`.
    pub fn made(&self, command: &str) -> usize {
        self.calls().lines().filter(|line| line.starts_with(&format!("made {command} "))).count()
    }

    /// Touches it: felt by what waits for it now, or will next.
    pub fn touch(&self) {
        std::fs::write(self.folder.join("touch"), "").unwrap();
    }

    /// Panics if its process fell over; one that was ordered to go is not one.
    pub fn alive(&self) {
        let said = std::fs::read_to_string(self.folder.join("stderr")).unwrap_or_default();
        assert!(said.is_empty(), "the card fell over: {said}");
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.alive();
        }
        self.plugged.iter_mut().for_each(|plugged| end(&mut plugged.process));
    }
}

/// `cargo test` builds it; `cargo test --test suite` does not.
fn card_program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_anchorite")).with_file_name("examples/card");
    let built = program.metadata().and_then(|m| m.modified());
    let folders = ["tests/card", "tests/card/piv"].map(|folder| std::fs::read_dir(folder).unwrap());
    let sources = folders.into_iter().flatten().map(|e| e.unwrap().path());
    let newest = sources.map(|path| path.metadata().unwrap().modified().unwrap()).max().unwrap();
    assert!(built.is_ok_and(|at| at >= newest), "{}: run `cargo build --examples`", program.display());
    program
}

/// Others become root in a namespace of users, where that is allowed.
fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Ends a process that may have ended; and what it started in the namespaces, which
/// `nsenter` waits for.
fn end(process: &mut Child) {
    tell(process, Signal::KILL);
    let _ = process.kill();
    let _ = process.wait();
}

/// Sends a signal to what a process started.
fn tell(process: &Child, signal: Signal) {
    let id = process.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)) {
        let _ = kill_process(child, signal);
    }
}

#[track_caller]
fn wait_until(log: &Path, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(start.elapsed() < PATIENCE, "waited for {PATIENCE:?} in vain:\n{}", said());
        std::thread::sleep(Duration::from_millis(10));
    }
}
