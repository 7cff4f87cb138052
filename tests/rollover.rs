//! From one root to another: what the two homes release at each stage, what is refused
//! before its time, the way back, and the end of the old root.

mod begin;
mod cross;
mod fleet;
mod foreign;
mod record;
mod retire;
mod stages;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anchorite::x509::Digest;
use serde_json::Value;

use crate::appliance::{Appliance, Ran, module};
use crate::faults;

/// A home `home` with the old root and a home `new` with the new one.
pub struct Change(pub Appliance);

impl Change {
    /// Both keys in one token, or in one each.
    fn made(tokens: &[&str; 2]) -> Appliance {
        let mut a = Appliance::with_root("p256");
        if tokens[0] != tokens[1] {
            a.init_token(tokens[1]);
        }
        let (home, token) = (a.path("new"), format!("pkcs11:token={}", tokens[1]));
        let args = ["init", home.to_str().unwrap(), "--token", &token, "--module"];
        a.run(&[&args[..], &[&module(), "--unattended"]].concat()).code(0);
        let label = ["--label", "root G2", "--subject", "O=Example,CN=Example Root G2"];
        let create = ["root", "create", "--key", "p384", "--ttl", "20y"];
        answered(&a, "new", &[&create[..], &label].concat()).code(0);
        a.root_sha256 = fingerprint(&a.path("home/root.pem"));
        a
    }

    pub fn on_one_token() -> Self {
        static MADE: LazyLock<Appliance> = LazyLock::new(|| Change::made(&["ceremony", "ceremony"]));
        Self(faults::copy(&MADE))
    }

    fn on_two_tokens() -> Self {
        Self(Self::made(&["ceremony", "second"]))
    }

    /// Begun in both homes.
    pub fn begun() -> Self {
        static BEGUN: LazyLock<Appliance> = LazyLock::new(|| {
            let change = Change::on_one_token();
            change.begin_both();
            change.0
        });
        Self(faults::copy(&BEGUN))
    }

    /// At stage both, which has reached every cluster.
    pub fn trusted() -> Self {
        static TRUSTED: LazyLock<Appliance> = LazyLock::new(|| {
            let change = Change::begun();
            for home in ["home", "new"] {
                change.stage(home, "both");
                change.step(home, &["reached"]).code(0);
            }
            change.0
        });
        Self(faults::copy(&TRUSTED))
    }

    fn begin_both(&self) {
        self.begin("new", "--old", "home/root.pem").code(0);
        self.begin("home", "--new", "new/root.pem").code(0);
    }

    pub fn begin(&self, home: &str, option: &str, file: &str) -> Ran {
        let file = self.0.path(file);
        self.step(home, &["begin", option, file.to_str().unwrap(), "--overlap", "90d"])
    }

    pub fn step(&self, home: &str, words: &[&str]) -> Ran {
        answered(&self.0, home, &[&["root", "rollover"], words].concat())
    }

    /// A step that releases, to a stick of its own.
    pub fn released(&self, home: &str, words: &[&str]) -> PathBuf {
        let (ran, release) = self.try_release(home, words);
        ran.code(0);
        release.expect("a release")
    }

    /// The same where it may be refused.
    pub fn try_release(&self, home: &str, words: &[&str]) -> (Ran, Option<PathBuf>) {
        let count = std::fs::read_dir(self.0.dir.path()).unwrap().count();
        let to = self.0.path(&format!("out-{count}"));
        std::fs::create_dir(&to).unwrap();
        let ran = answered(&self.0, home, &[words, &["--to", to.to_str().unwrap()]].concat());
        let release = std::fs::read_dir(to).unwrap().next().map(|entry| entry.unwrap().path());
        (ran, release)
    }

    pub fn stage(&self, home: &str, stage: &str) -> PathBuf {
        self.released(home, &["root", "rollover", "stage", stage])
    }

    /// Refused, with nothing on the stick.
    #[track_caller]
    fn refuses(&self, home: &str, words: &[&str], id: &str) -> Ran {
        let (ran, release) = self.try_release(home, words);
        assert_eq!(release, None, "something was released");
        ran.fails(1, id)
    }

    #[track_caller]
    fn refuses_stage(&self, home: &str, stage: &str, word: &str) {
        let ran = self.refuses(home, &["root", "rollover", "stage", stage], "rollover.step");
        assert!(ran.stderr.contains(word), "wanted '{word}': {}", ran.stderr);
    }

    /// A new intermediate for a cluster, from one of the homes.
    pub fn try_sign(&self, home: &str, cluster: &str) -> (Ran, Option<PathBuf>) {
        let stick = self.0.path("in");
        std::fs::remove_dir_all(&stick).unwrap();
        std::fs::create_dir(&stick).unwrap();
        let _ = std::fs::remove_file(self.0.path(&format!("keys/{cluster}.key")));
        self.0.request(cluster);
        self.try_release(home, &["sign", "--policy", "istio", "--from", stick.to_str().unwrap()])
    }

    pub fn sign(&self, home: &str, cluster: &str) -> PathBuf {
        let (ran, release) = self.try_sign(home, cluster);
        ran.code(0);
        release.expect("a release")
    }

    fn show(&self, home: &str) -> Value {
        let home = self.0.path(home);
        let args = ["root", "rollover", "show", "--json", "--home", home.to_str().unwrap()];
        self.0.run(&args).code(0).json()["course"].clone()
    }

    fn pem(&self, home: &str) -> String {
        read(&self.0.path(home).join("root.pem"))
    }

    /// What clusters trust at stage both.
    fn both(&self) -> String {
        self.pem("home") + &self.pem("new")
    }

    fn verify(&self, bundle: &Path, homes: &[&str]) -> Ran {
        let noted: Vec<String> =
            homes.iter().map(|h| fingerprint(&self.0.path(h).join("root.pem"))).collect();
        let noted = noted.iter().flat_map(|root| ["--root-sha256", root]);
        self.0
            .run(&["verify", bundle.to_str().unwrap(), "--json"].into_iter().chain(noted).collect::<Vec<_>>())
    }

    fn audit(&self, home: &str) -> Ran {
        let home = self.0.path(home);
        self.0.run(&["audit", "verify", "--json", "--home", home.to_str().unwrap()])
    }

    #[track_caller]
    fn audits_ok(&self) {
        for home in ["home", "new"] {
            assert_eq!(self.audit(home).code(0).json()["state"], "ok", "{home}");
        }
    }
}

/// What a check told, in JSON.
pub trait Reported {
    fn fails_in_report(self, id: &str);
    fn fails_with(self, code: i32, id: &str) -> String;
}

impl Reported for Ran {
    #[track_caller]
    fn fails_in_report(self, id: &str) {
        let ran = self.code(4);
        assert!(ran.stdout.contains(&format!("\"{id}\"")), "wanted {id}: {}", ran.stdout);
    }

    #[track_caller]
    fn fails_with(self, code: i32, id: &str) -> String {
        self.fails(code, id).stderr
    }
}

/// A command in one of the homes, answered by `--yes`.
pub fn answered(a: &Appliance, home: &str, args: &[&str]) -> Ran {
    let (home, pin) = (a.path(home), a.path("pin"));
    let rest = ["--yes", "--pin-file", pin.to_str().unwrap(), "--home", home.to_str().unwrap()];
    a.run(&[args, &rest].concat())
}

pub fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// root-cert.pem of a release, which is the same in each of its folders.
pub fn bundle(release: &Path) -> String {
    let bundle = read(&release.join("root-cert.pem"));
    for entry in std::fs::read_dir(release).unwrap() {
        let own = entry.unwrap().path().join("root-cert.pem");
        assert!(!own.exists() || read(&own) == bundle, "{}", own.display());
    }
    bundle
}

/// SHA-256 of the first certificate in a PEM file.
pub fn fingerprint(file: &Path) -> String {
    use data_encoding::BASE64;
    let text = read(file);
    let body = text.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap();
    let body: String = body.split("-----END").next().unwrap().split_whitespace().collect();
    Digest::of(&BASE64.decode(body.as_bytes()).unwrap()).to_string()
}
