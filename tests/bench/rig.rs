//! What is measured: a SoftHSM token, a home with a root, two sticks, in one folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anchorite::cluster::{PrivateKey, make_key, make_request};
use anchorite::x509::KeyAlgorithm;
use secrecy::ExposeSecret as _;

/// A kind of root key.
pub struct Root {
    pub name: &'static str,
    /// As `root create --key` spells it.
    pub key: &'static str,
    /// The digest its signatures take, as OpenSSL and certtool spell it.
    pub hash: &'static str,
}

pub const ROOTS: [Root; 3] = [
    Root { name: "P-256", key: "p256", hash: "sha256" },
    Root { name: "P-384", key: "p384", hash: "sha384" },
    Root { name: "RSA-4096", key: "rsa4096", hash: "sha256" },
];

/// The token's label.
pub const TOKEN: &str = "bench";

pub struct Rig {
    pub dir: PathBuf,
}

impl Rig {
    /// A new one, instead of what an earlier run may have left there.
    pub fn new(dir: &Path, root: &Root) -> Self {
        Self::with_sessions(dir, root, None)
    }

    /// A new one that signs in so many sessions of the token, or in its usual number.
    pub fn with_sessions(dir: &Path, root: &Root, sessions: Option<usize>) -> Self {
        remove(dir);
        let rig = Self { dir: dir.to_path_buf() };
        for folder in ["in", "out"] {
            std::fs::create_dir_all(rig.path(folder)).unwrap();
        }
        run(rig.command("softhsm/provision").arg(rig.path("hsm")).arg(TOKEN));
        let token = format!("pkcs11:token={TOKEN}");
        run(rig
            .anchorite(&["init", "--unattended", "--token", &token, "--module", &module()])
            .arg(rig.path("home")));
        if let Some(sessions) = sessions {
            let file = rig.path("home/anchorite.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let edited = text.replacen("[token]\n", &format!("[token]\nsessions = {sessions}\n"), 1);
            std::fs::write(file, edited).unwrap();
            run(&mut rig.anchorite(&["policy", "pin", "--yes"]));
        }
        let subject = "O=Example,CN=Example Root G1";
        let made =
            ["root", "create", "--subject", subject, "--key", root.key, "--ttl", "20y", "--label", "root"];
        run(rig.with_pin(rig.anchorite(&made).arg("--yes")));
        rig
    }

    /// One that an earlier run made, or a new one.
    pub fn kept(dir: &Path, root: &Root) -> Self {
        let rig = Self { dir: dir.to_path_buf() };
        if rig.path("home/root.pem").exists() { rig } else { Self::new(dir, root) }
    }

    /// `sign` of what is on the stick, everything included.
    pub fn sign(&self) -> Command {
        let mut command = self.anchorite(&["sign", "--policy", "istio", "--yes"]);
        command.arg("--from").arg(self.path("in")).arg("--to").arg(self.path("out"));
        self.with_pin(&mut command);
        command
    }

    /// Signs the root's CRL.
    pub fn sign_crl(&self) {
        run(self.with_pin(self.anchorite(&["crl", "--yes"]).arg("--to").arg(self.path("out"))));
    }

    /// Replaces what is on the sticks: these requests come in, nothing went out yet.
    pub fn load(&self, requests: &[Vec<u8>]) {
        for stick in ["in", "out"] {
            remove(&self.path(stick));
            std::fs::create_dir(self.path(stick)).unwrap();
        }
        for (number, request) in requests.iter().enumerate() {
            std::fs::write(self.path(&format!("in/{number:06}.csr")), request).unwrap();
        }
    }

    /// Puts token and home aside, for [`Rig::restore`].
    pub fn keep(&self) {
        std::fs::create_dir_all(self.path("kept")).unwrap();
        run(Command::new("cp").arg("-a").args([self.path("home"), self.path("hsm"), self.path("kept")]));
    }

    /// Token and home as they were kept.
    pub fn restore(&self) {
        for folder in ["home", "hsm"] {
            remove(&self.path(folder));
            run(Command::new("cp").arg("-a").arg(self.path("kept").join(folder)).arg(&self.dir));
        }
    }

    /// How many certificates are on record.
    pub fn issued(&self) -> usize {
        std::fs::read_dir(self.path("home/issued")).unwrap().count()
    }

    pub fn anchorite(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_anchorite"));
        command.args(args);
        command
    }

    pub fn with_pin<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.arg("--pin-file").arg(self.path("hsm/pin"))
    }

    pub fn pin(&self) -> String {
        std::fs::read_to_string(self.path("hsm/pin")).unwrap().trim().to_string()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("SOFTHSM2_CONF", self.path("hsm/softhsm2.conf"))
            .env("SOFTHSM2_MODULE", module())
            .env("ANCHORITE_HOME", self.path("home"));
        command
    }
}

/// SoftHSM's module.
pub fn module() -> String {
    let out = Command::new("softhsm/module").current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_string()
}

/// Requests of clusters with these numbers, P-256 keys, made on all cores.
pub fn requests(numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let numbers: Vec<usize> = numbers.collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = numbers.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = numbers
            .chunks(share)
            .map(|share| scope.spawn(|| share.iter().map(|number| request(*number)).collect::<Vec<_>>()))
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn request(number: usize) -> Vec<u8> {
    let key = make_key(KeyAlgorithm::P256).unwrap();
    let key = PrivateKey::from_pem(key.expose_secret().as_bytes()).unwrap();
    make_request(&key, &format!("cluster-{number:06}"), Some("Istio")).unwrap()
}

/// Runs a whole process and demands success; how long it took from start to exit.
pub fn run(command: &mut Command) -> Duration {
    let mut errors = tempfile::tempfile().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors.try_clone().unwrap());
    let start = Instant::now();
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let took = start.elapsed();
    if !status.success() {
        let mut told = String::new();
        std::io::Seek::rewind(&mut errors).unwrap();
        std::io::Read::read_to_string(&mut errors, &mut told).unwrap();
        panic!("{command:?}: {status}\n{told}");
    }
    took
}

/// As [`run`], under GNU time: the most memory it held, in bytes.
pub fn peak(command: &Command, dir: &Path) -> u64 {
    let report = dir.join("peak");
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%M", "-o"]).arg(&report).arg(command.get_program()).args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = command.get_current_dir() {
        timed.current_dir(dir);
    }
    run(&mut timed);
    let kibibytes: u64 = std::fs::read_to_string(report).unwrap().trim().parse().unwrap();
    kibibytes * 1024
}

/// Removes a folder and all beneath it, if it is there.
pub fn remove(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{}: {e}", dir.display()),
        _ => {}
    }
}

pub fn median(times: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    let half = seconds.len() / 2;
    if seconds.len() % 2 == 1 { seconds[half] } else { (seconds[half - 1] + seconds[half]) / 2.0 }
}
