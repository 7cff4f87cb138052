//! What a run does to the disks, call by call, from strace's log; and one of these
//! calls made to fail, or to be the last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::command;
use crate::appliance::{self, Appliance, Ran};

/// The calls that change what is on a disk or wait until it is there. (That these
/// are all of ours is shown by `power`: they explain every byte.)
const CHANGES: [&str; 28] = [
    "open",
    "openat",
    "creat",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "copy_file_range",
    "sendfile",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "syncfs",
    "sync_file_range",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "symlinkat",
];

/// One system call.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    /// The how manieth of its name it is, from 1.
    pub nth: usize,
    /// What it is about, beneath the appliance's folder; empty where it lies elsewhere.
    pub path: String,
    pub what: What,
    pub succeeded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Opened; whether for writing.
    Open(bool),
    Write(Vec<u8>),
    /// From this place in the file on.
    Rewrite(usize, Vec<u8>),
    Truncate(usize),
    /// Until this file or folder is on the disk.
    Flush,
    /// Until everything of this filesystem is.
    FlushAll,
    Rename(String),
    Folder,
    Remove,
    /// Read so many bytes.
    Read(usize),
    /// Told the kernel to forget what it holds of the file.
    Forget,
    Other,
}

impl Call {
    /// Whether it can leave its mark on a disk beneath one of these places.
    pub fn marks(&self, places: &[&str]) -> bool {
        let place = self.path.split('/').next().unwrap_or_default();
        places.contains(&place) && !matches!(self.what, What::Open(false) | What::Read(_) | What::Forget)
    }

    /// The same place in the code, in another run: numbers and names differ.
    fn resembles(&self, other: &Self) -> bool {
        let bare = |path: &str| path.replace(|c: char| c.is_ascii_hexdigit(), "");
        self.name == other.name && bare(&self.path) == bare(&other.path)
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.name, self.nth, self.path)
    }
}

/// Runs the binary; with `also` traced beyond the changes.
pub fn traced(a: &Appliance, also: &[&str], args: &[String]) -> (Ran, Vec<Call>) {
    strace(a, &FAST, also, "", args)
}

/// Runs the binary and kills it as it comes to this call.
pub fn killed_at(a: &Appliance, call: &Call, args: &[String]) -> Vec<Call> {
    let (ran, mut calls) = strace(a, &[], &[], &inject(call, "signal=SIGKILL"), args);
    assert_eq!(ran.code, -1, "{call}: {}", ran.stderr);
    met(&calls, call);
    calls.pop();
    calls
}

/// Runs the binary with this call failing, or otherwise disturbed (strace's words).
/// Returns all calls, and which of them it was.
pub fn disturbed_at(a: &Appliance, call: &Call, how: &str, args: &[String]) -> (Ran, Vec<Call>, usize) {
    // seccomp's stops, which are faster, take no signal.
    let fast: &[&str] = if how.starts_with("signal") { &[] } else { &FAST };
    let (ran, calls) = strace(a, fast, &[&call.name], &inject(call, how), args);
    let at = met(&calls, call);
    (ran, calls, at)
}

/// Where it was met: the same run came to the same place.
fn met(calls: &[Call], wanted: &Call) -> usize {
    let at = calls.iter().position(|c| c.name == wanted.name && c.nth == wanted.nth);
    assert!(
        at.is_some_and(|at| calls[at].resembles(wanted)),
        "{wanted}: met {:?}",
        at.map(|at| &calls[at].path)
    );
    at.unwrap()
}

const FAST: [&str; 2] = ["-f", "--seccomp-bpf"];

/// Runs the binary with the `when`th call of this name disturbed, wherever that is.
pub fn run_with(a: &Appliance, name: &str, how: &str, when: usize, args: &[String]) -> Ran {
    strace(a, &[], &[], &format!("inject={name}:{how}:when={when}"), args).0
}

/// Runs the binary and kills it at a thread's `when`th call of this name, whichever thread's.
pub fn killed_in_any_thread(a: &Appliance, name: &str, when: usize, args: &[String]) {
    let mut strace = command(a, "strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={name}")]);
    strace.args(["-e", &format!("inject={name}:signal=SIGKILL:when={when}")]);
    strace.arg(env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap();
}

fn inject(call: &Call, how: &str) -> String {
    format!("inject={}:{how}:when={}", call.name, call.nth)
}

fn strace(a: &Appliance, how: &[&str], also: &[&str], inject: &str, args: &[String]) -> (Ran, Vec<Call>) {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = CHANGES.iter().chain(also).map(|name| format!("?{name}")).collect();
    let mut strace = command(a, "strace");
    strace.args(how).args(["-qq", "-xx", "-a", "1", "-s", "16777216", "-o"]).arg(folder.path().join("log"));
    // A file for each thread, so that no line is broken by another's.
    if !how.is_empty() {
        strace.arg("-ff");
    }
    strace.args(["-e", &format!("trace=execve,{}", names.join(","))]);
    if !inject.is_empty() {
        strace.args(["-e", inject]);
    }
    let ran = appliance::ran(strace.arg(env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap());
    let logs = std::fs::read_dir(folder.path()).unwrap();
    let logs = logs.map(|log| std::fs::read_to_string(log.unwrap().path()).unwrap());
    let (main, others): (Vec<_>, Vec<_>) = logs.partition(|log| log.starts_with("execve("));
    let calls = |log: &String| Reader::default().calls(log, a.dir.path());
    let others = others.iter().flat_map(calls).find(|call| call.marks(&["home", "out"]));
    assert!(others.is_none(), "another thread's: {others:?}");
    assert_eq!(main.len(), 1, "strace cannot run: {}", ran.stderr);
    (ran, calls(&main[0]))
}

/// Follows which file each descriptor stands for.
#[derive(Default)]
struct Reader {
    files: BTreeMap<String, PathBuf>,
    counts: BTreeMap<String, usize>,
}

impl Reader {
    fn calls(mut self, log: &str, root: &Path) -> Vec<Call> {
        log.lines().filter_map(|line| self.call(line, root)).collect()
    }

    fn call(&mut self, line: &str, root: &Path) -> Option<Call> {
        let (name, rest) = line.split_once('(').filter(|(name, _)| *name != "execve")?;
        let (args, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
        let args: Vec<&str> = args.trim_end_matches(')').split(", ").collect();
        let succeeded = !result.starts_with(['-', '?']);
        let of_name = self.counts.entry(name.to_string()).or_default();
        *of_name += 1;
        let nth = *of_name;
        let (path, more) = match name {
            "openat" | "mkdirat" | "unlinkat" | "renameat" | "renameat2" | "linkat" => {
                (self.at(args[0], args[1]), &args[2..])
            }
            "open" | "creat" | "mkdir" | "rmdir" | "unlink" | "rename" | "link" | "truncate" => {
                (self.at("AT_FDCWD", args[0]), &args[1..])
            }
            _ => (self.files.get(args[0]).cloned().unwrap_or_default(), &args[1..]),
        };
        let what = match name {
            "open" | "openat" => {
                What::Open(["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|f| more[0].contains(f)))
            }
            "write" => What::Write(unquoted(more[0])),
            "pwrite64" => What::Rewrite(more[2].parse().unwrap(), unquoted(more[0])),
            "ftruncate" => What::Truncate(more[0].parse().unwrap()),
            "fsync" | "fdatasync" => What::Flush,
            "syncfs" => What::FlushAll,
            "rename" => What::Rename(below(root, &self.at("AT_FDCWD", more[0]))),
            "renameat" | "renameat2" => What::Rename(below(root, &self.at(more[0], more[1]))),
            "mkdir" | "mkdirat" => What::Folder,
            "rmdir" | "unlink" | "unlinkat" => What::Remove,
            "read" | "pread64" => What::Read(result.parse().unwrap_or_default()),
            "fadvise64" => What::Forget,
            _ => What::Other,
        };
        match &what {
            What::Open(_) if succeeded => drop(self.files.insert(result.to_string(), path.clone())),
            What::Rename(to) if succeeded => self.moved(&path, &root.join(to)),
            _ => {}
        }
        Some(Call { name: name.into(), nth, path: below(root, &path), what, succeeded })
    }

    fn at(&self, folder: &str, name: &str) -> PathBuf {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let folder = self.files.get(folder).cloned().unwrap_or(here);
        folder.join(String::from_utf8(unquoted(name)).unwrap())
    }

    /// A descriptor goes with its file.
    fn moved(&mut self, from: &Path, to: &Path) {
        for path in self.files.values_mut() {
            if let Ok(rest) = path.strip_prefix(from) {
                *path = if rest.as_os_str().is_empty() { to.into() } else { to.join(rest) };
            }
        }
    }
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).map(|p| p.to_str().unwrap().to_string()).unwrap_or_default()
}

/// `"\x61\x62"`, as strace writes a string.
fn unquoted(text: &str) -> Vec<u8> {
    let digits = text.trim_matches('"').split("\\x").skip(1);
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
