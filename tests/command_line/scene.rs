//! Where the examples of the help texts are run.

use std::path::Path;

use crate::appliance::{Appliance, PIN, module, ran};
use crate::piv::desk::Desk;

/// Those that ask, beside `root rollover`'s; a test answers with `--yes`, in a home made for it.
#[rustfmt::skip]
const ASKING: [&str; 10] = [
    "root create", "root adopt", "root renew", "root companion", "root retire", "policy pin", "sign", "perform",
    "revoke", "crl",
];

/// In a home of its own, on a host of its own.
fn at_a_yubikey(example: &str, json: bool) {
    let desk = Desk::with_root("5.7.4", "p256");
    desk.trust_card();
    let line = example.replace("/srv/ca", desk.appliance.path("home").to_str().unwrap());
    let line = line.replacen("anchorite", env!("CARGO_BIN_EXE_anchorite"), 1);
    let ran = desk.host.run("sh", &["-c", &format!("{line}{}", if json { " --json" } else { "" })]);
    assert_eq!(ran.code, 0, "{line}\n{}{}", ran.stdout, ran.stderr);
    if json {
        ran.json();
    }
}

/// The places that the examples name, for real.
pub struct Scene(Appliance);

impl Scene {
    pub fn new() -> Self {
        let this = Self(Appliance::bare());
        std::fs::create_dir(this.0.path("audit")).unwrap();
        this
    }

    /// What has happened between one example and the next.
    pub fn prepare(&self, verb: &str) {
        match verb {
            "policy pin" => {
                let register = self.0.path("home/clusters.toml");
                let mut text = std::fs::read_to_string(&register).unwrap();
                text.push_str(
                    "\n[clusters.east]\npolicy = \"istio\"\n\n[clusters.west]\npolicy = \"istio\"\n",
                );
                std::fs::write(register, text).unwrap();
            }
            "plan" => {
                std::fs::remove_file(self.0.path("in/east.csr")).unwrap();
                self.0.request("west");
            }
            "root adopt" => {
                std::fs::rename(self.0.path("home"), self.0.path("first-home")).unwrap();
                let (home, module) = (self.0.path("home"), module());
                let token = ["--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"];
                self.0.run(&[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
                self.0.make_old_root();
                std::fs::rename(self.0.path("old.pem"), self.0.path("in/old-root.pem")).unwrap();
            }
            "root companion" => {
                self.0.tool("openssl", &["genpkey", "-algorithm", "ED25519", "-out", "second-root.key"]);
                self.0.old_root("second-root", "CN = Second Root", crate::adopt::COMMON, &[]);
                std::fs::rename(self.0.path("second-root.pem"), self.0.path("in/second-root.pem")).unwrap();
            }
            "root rollover begin" => {
                let (home, module) = (self.0.path("new-ca"), module());
                let token = ["--token", "pkcs11:token=ceremony", "--module", &module, "--unattended"];
                self.0.run(&[&["init", home.to_str().unwrap()], &token[..]].concat()).code(0);
                let root = ["--subject", "O=Example,CN=Example Root G2", "--key", "p256", "--ttl", "20y"];
                self.new_ca(&[&["root", "create", "--label", "root G2"], &root[..]].concat());
                std::fs::copy(self.0.path("home/root.pem"), self.0.path("in/root-cert.pem")).unwrap();
            }
            "root rollover end" => {
                let out = self.0.path("out").display().to_string();
                self.new_ca(&["root", "rollover", "stage", "new", "--to", &out]);
                self.new_ca(&["root", "rollover", "reached"]);
            }
            "audit restore" => std::fs::remove_file(self.0.path("home/journal/journal.jsonl")).unwrap(),
            _ => {}
        }
    }

    pub fn run(&self, verb: &str, example: &str, json: bool) {
        if verb == "token attest" {
            return at_a_yubikey(example, json);
        }
        if example.contains("--destroyed") {
            self.delete_root_key();
        }
        let mut line = self.placed(example);
        if verb == "init" {
            line.push_str(" --unattended");
        }
        let asks = ASKING.contains(&verb) || verb.starts_with("root rollover ") && !verb.ends_with(" show");
        if asks {
            line.push_str(" --yes");
        }
        if asks || verb == "token check" {
            line.push_str(&format!(" --pin-file {}", self.0.path("pin").display()));
        }
        // A completion script is the result; it has no other form.
        let json = json && verb != "completions";
        if json {
            line.push_str(" --json");
        }
        // By the shell, as people do, and with nothing but what the example says.
        let folder = Path::new(env!("CARGO_BIN_EXE_anchorite")).parent().unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut command = self.0.command("sh");
        command.current_dir(self.0.dir.path()).env_remove("ANCHORITE_HOME").env("PATH", path);
        let ran = ran(command.args(["-c", &line]).output().unwrap());
        assert_eq!(ran.code, 0, "{line}\n{}{}", ran.stdout, ran.stderr);
        if json {
            ran.json();
        }
    }

    /// In the home of the root that comes.
    fn new_ca(&self, args: &[&str]) {
        let (home, pin) = (self.0.path("new-ca"), self.0.path("pin"));
        let always = ["--yes", "--pin-file", pin.to_str().unwrap(), "--home", home.to_str().unwrap()];
        let ran = self.0.run(&[args, &always[..]].concat());
        assert_eq!(ran.code, 0, "{args:?}\n{}{}", ran.stdout, ran.stderr);
    }

    /// What the operator does before the key's destruction is recorded.
    fn delete_root_key(&self) {
        let module = module();
        let login = ["--module", &module, "--login", "--pin", PIN, "--token-label", "ceremony"];
        let key = ["--delete-object", "--type", "privkey", "--label", "anchorite root"];
        self.0.tool("pkcs11-tool", &[&login[..], &key[..]].concat());
    }

    fn placed(&self, example: &str) -> String {
        let path = |name: &str| self.0.path(name).display().to_string();
        let mut line = example.to_string();
        let mut put = |word: &str, value: &dyn Fn() -> String| {
            if line.contains(word) {
                line = line.replace(word, &value());
            }
        };
        put("HEX", &|| self.fingerprint());
        put("5c0ffee0", &|| self.serial());
        put("RELEASE", &|| self.first("out"));
        put("/media/out/anchorite-2026-11-22-0001", &|| self.first("out"));
        put("/media/audit/anchorite-export-000042", &|| self.first("audit"));
        put("/media/audit/anchorite-policies-000042", &|| self.begins("audit", "anchorite-policies-"));
        put("/usr/lib/softhsm/libsofthsm2.so", &module);
        put("/media/out", &|| path("out"));
        put("/media/audit", &|| path("audit"));
        put("/media/in", &|| path("in"));
        put("/media/stick", &|| path("in"));
        put("/srv/plan.json", &|| path("plan.json"));
        put("/srv/new-ca", &|| path("new-ca"));
        put("/srv/old-ca", &|| path("home"));
        put("/srv/ca", &|| path("home"));
        assert!(!line.contains("/srv/") && !line.contains("/media/"), "an unknown place: {line}");
        line
    }

    /// The root's fingerprint as OpenSSL writes it: upper case, with colons.
    fn fingerprint(&self) -> String {
        let mut openssl = self.0.command("openssl");
        openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(self.0.path("home/root.pem"));
        let ran = ran(openssl.output().unwrap()).code(0);
        ran.stdout.trim().rsplit('=').next().unwrap().to_string()
    }

    /// Of a cluster's certificate.
    fn serial(&self) -> String {
        let receipt =
            std::fs::read_to_string(Path::new(&self.first("out")).join("east/receipt.toml")).unwrap();
        let line = receipt.lines().find_map(|line| line.strip_prefix("serial = "));
        line.unwrap().trim_matches('"').to_string()
    }

    fn first(&self, folder: &str) -> String {
        self.begins(folder, "")
    }

    fn begins(&self, folder: &str, name: &str) -> String {
        let entries = std::fs::read_dir(self.0.path(folder)).unwrap().map(Result::unwrap);
        let fitting = entries.filter(|e| e.file_name().to_str().unwrap().starts_with(name));
        fitting.map(|e| e.path().display().to_string()).min().unwrap()
    }
}
