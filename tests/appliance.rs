//! An appliance for a test: a folder, a fresh SoftHSM token, a home, two sticks.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub const PIN: &str = "2468-testing";

pub struct Appliance {
    pub dir: tempfile::TempDir,
    pub root_sha256: String,
}

/// What a run of the binary gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, wanted, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Demands an exit code and an error's ID.
    #[track_caller]
    pub fn fails(self, wanted: i32, id: &str) -> Self {
        let ran = self.code(wanted);
        let in_json = format!("\"id\":\"{id}\"");
        assert!(
            ran.stderr.contains(&format!("[{id}]")) || ran.stderr.contains(&in_json),
            "wanted [{id}]; stdout:\n{}\nstderr:\n{}",
            ran.stdout,
            ran.stderr
        );
        ran
    }
}

pub fn module() -> String {
    let out = Command::new("softhsm/module").output().unwrap();
    assert!(out.status.success(), "SoftHSM is missing: tests/run installs it");
    String::from_utf8(out.stdout).unwrap().trim().to_string()
}

impl Appliance {
    /// A folder with an initialised token, sticks, and the PIN in a file; no home yet.
    pub fn bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let this = Self { dir, root_sha256: String::new() };
        for folder in ["in", "out", "hsm/tokens"] {
            std::fs::create_dir_all(this.path(folder)).unwrap();
        }
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            this.path("hsm/tokens").display()
        );
        std::fs::write(this.path("hsm/softhsm2.conf"), conf).unwrap();
        std::fs::write(this.path("pin"), format!("{PIN}\n")).unwrap();
        this.init_token("ceremony");
        this
    }

    /// A folder with sticks and the PIN in a file, for a token of another kind.
    pub fn empty(pin: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let this = Self { dir, root_sha256: String::new() };
        for folder in ["in", "out"] {
            std::fs::create_dir_all(this.path(folder)).unwrap();
        }
        std::fs::write(this.path("pin"), format!("{pin}\n")).unwrap();
        this
    }

    /// With a home, unattended.
    pub fn with_home() -> Self {
        let this = Self::bare();
        this.run(&[
            "init",
            this.path("home").to_str().unwrap(),
            "--token",
            "pkcs11:token=ceremony",
            "--module",
            &module(),
            "--unattended",
        ])
        .code(0);
        this
    }

    /// With a home and a root of this kind.
    pub fn with_root(kind: &str) -> Self {
        let mut this = Self::with_home();
        let made = this.create_root(kind, &[]).code(0).json();
        this.root_sha256 = made["sha256"].as_str().unwrap().to_string();
        this
    }

    pub fn init_token(&self, label: &str) {
        let out = self
            .command("softhsm2-util")
            .args(["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "13572468"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    pub fn create_root(&self, kind: &str, more: &[&str]) -> Ran {
        let pin = self.path("pin");
        let mut args = vec![
            "root",
            "create",
            "--subject",
            "O=Example,CN=Example Root G1",
            "--key",
            kind,
            "--ttl",
            "20y",
            "--yes",
            "--json",
            "--pin-file",
            pin.to_str().unwrap(),
        ];
        args.extend(more);
        self.run(&args)
    }

    /// `sign` from `in` to `out`, answered by `--yes`.
    pub fn sign(&self, more: &[&str]) -> Ran {
        let (from, to, pin) = (self.path("in"), self.path("out"), self.path("pin"));
        let mut args = vec![
            "sign",
            "--from",
            from.to_str().unwrap(),
            "--to",
            to.to_str().unwrap(),
            "--yes",
            "--pin-file",
            pin.to_str().unwrap(),
        ];
        args.extend(more);
        self.run(&args)
    }

    /// A cluster's request on the stick, its key in `keys/`.
    pub fn request(&self, cluster: &str) {
        self.request_for(cluster, "istio");
    }

    pub fn request_for(&self, cluster: &str, profile: &str) {
        std::fs::create_dir_all(self.path("keys")).unwrap();
        let (key, stick) = (self.path(&format!("keys/{cluster}.key")), self.path("in"));
        self.run(&[
            "request",
            "--cluster",
            cluster,
            "--profile",
            profile,
            "--key",
            key.to_str().unwrap(),
            "--to",
            stick.to_str().unwrap(),
            "--organisation",
            if profile.starts_with("istio") { "Istio" } else { "Example" },
        ])
        .code(0);
    }

    /// The newest release on the outgoing stick.
    pub fn release(&self) -> PathBuf {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(self.path("out")).unwrap().map(|e| e.unwrap().path()).collect();
        found.sort();
        found.pop().expect("a release on the stick")
    }

    /// Another stick for what goes out.
    pub fn empty_out(&self) {
        std::fs::remove_dir_all(self.path("out")).unwrap();
        std::fs::create_dir(self.path("out")).unwrap();
    }

    pub fn audit(&self, more: &[&str]) -> Ran {
        let mut args = vec!["audit", "verify", "--json"];
        args.extend(more);
        self.run(&args)
    }

    pub fn journal(&self) -> String {
        std::fs::read_to_string(self.path("home/journal/journal.jsonl")).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let out = self.command(env!("CARGO_BIN_EXE_anchorite")).args(args).output().unwrap();
        ran(out)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("SOFTHSM2_CONF", self.path("hsm/softhsm2.conf"))
            .env("ANCHORITE_HOME", self.path("home"))
            .env("MISBEHAVING", self.path("hsm"))
            .env_remove("NO_COLOR")
            .stdin(Stdio::null());
        command
    }
}

pub fn ran(out: Output) -> Ran {
    Ran {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
