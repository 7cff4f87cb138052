//! The machine that it runs on, and what must be there.

use std::path::Path;
use std::process::Command;

use anchorite::x509::Digest;

/// A program and its arguments that succeed where a Debian package is installed.
const NEEDS: [(&str, &[&str], &str); 6] = [
    ("softhsm2-util", &["--version"], "softhsm2"),
    ("certtool", &["--version"], "gnutls-bin"),
    ("openssl", &["version"], "openssl"),
    ("openssl", &["engine", "pkcs11"], "libengine-pkcs11-openssl"),
    ("/usr/bin/time", &["true"], "time"),
    ("sha256sum", &["--version"], "coreutils"),
];

/// Says which packages are missing.
pub fn needs() -> Result<(), String> {
    let there = |program: &str, args: &[&str]| {
        Command::new(program).args(args).output().is_ok_and(|out| out.status.success())
    };
    let missing = NEEDS.iter().filter(|(program, args, _)| !there(program, args));
    let packages: Vec<&str> = missing.map(|(.., package)| *package).collect();
    if packages.is_empty() { Ok(()) } else { Err(format!("bench: missing: {}", packages.join(" "))) }
}

/// In one line: what the figures were taken on, when and of what.
pub fn describe(work: &Path) -> String {
    let line = |program: &str, args: &[&str]| {
        let out = Command::new(program).args(args).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        text.lines().last().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let file_system = line("df", &["--output=fstype", work.to_str().unwrap()]);
    format!(
        "Measured on {}, {} ({cores} cores), {}, work folder on {file_system}, SoftHSM {}, {}.",
        line("date", &["-u", "+%F"]),
        model.trim_start_matches([' ', '\t', ':']),
        line("uname", &["-sm"]),
        line("softhsm2-util", &["--version"]),
        line("openssl", &["version"]).split(" (").next().unwrap_or_default(),
    )
}

/// A folder's name for kept homes: another where what writes a home is another.
pub fn form_of_homes() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut bytes = Vec::new();
    for folder in ["src/journal", "src/home", "src/x509", "policies"] {
        collect(&root.join(folder), &mut bytes);
    }
    format!("homes-{}", &Digest::of(&bytes).to_string()[..16])
}

fn collect(path: &Path, bytes: &mut Vec<u8>) {
    if path.is_dir() {
        let mut entries: Vec<_> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| collect(entry, bytes));
    } else {
        bytes.extend(std::fs::read(path).unwrap());
    }
}
