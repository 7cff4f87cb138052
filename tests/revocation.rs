//! Revocations and CRLs through the binary; each CRL is judged by OpenSSL.

mod clock;
mod entries;
mod fleet;
mod lost;
mod plans;
mod touched;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::appliance::{Appliance, Ran, ran};
use crate::faults::copy;
use crate::mesh::Authority;
use crate::support::run;

/// Clusters whose intermediates are released, with their own CRLs.
fn scene() -> Appliance {
    static SCENE: LazyLock<Appliance> = LazyLock::new(|| {
        let a = Appliance::with_root("p256");
        ["east", "west"].iter().for_each(|cluster| a.request(cluster));
        a.sign(&["--policy", "istio"]).code(0);
        a
    });
    copy(&SCENE)
}

const REASON: [&str; 2] = ["--reason", "keyCompromise"];

impl Appliance {
    /// A verb with what all of them want.
    fn verb(&self, words: &[&str]) -> Ran {
        self.run(&[words, &["--yes", "--pin-file", self.place("pin").as_str()]].concat())
    }

    /// The same with the clock so far ahead.
    fn verb_in(&self, ahead: &str, words: &[&str]) -> Ran {
        let mut command = self.command("faketime");
        command.args([ahead, env!("CARGO_BIN_EXE_anchorite")]).args(words);
        ran(command.args(["--yes", "--pin-file", self.place("pin").as_str()]).output().unwrap())
    }

    fn revoke(&self, serial: &str) {
        self.verb(&[&["revoke", serial], &REASON[..]].concat()).code(0);
    }

    fn crl(&self) -> Ran {
        self.verb(&["crl", "--to", &self.place("out")])
    }

    fn place(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().into()
    }

    /// A file of the newest release.
    fn released(&self, name: &str) -> PathBuf {
        self.release().join(name)
    }

    /// The CA of a cluster in the newest release that has it.
    fn authority(&self, cluster: &str) -> Authority {
        let mut folders: Vec<PathBuf> = self.releases();
        folders.retain(|folder| folder.join(cluster).exists());
        let folder = folders.pop().unwrap().join(cluster);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let key = std::fs::read_to_string(self.path(&format!("keys/{cluster}.key"))).unwrap();
        Authority::existing(&read("ca-cert.pem"), &key, &read("cert-chain.pem"))
    }

    fn releases(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(self.path("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    fn serial(&self, cluster: &str) -> String {
        self.authority(cluster).serial().to_lowercase()
    }

    /// The root's CRL of the newest release as OpenSSL reads it, once it has verified it.
    fn listed(&self) -> String {
        let root = self.place("home/root.pem");
        let crl = self.released("root-crl.pem");
        let arguments = ["crl", "-noout", "-text", "-CAfile", &root, "-in", crl.to_str().unwrap()];
        let Output { stdout, stderr, .. } = run(self.dir.path(), "openssl", &arguments);
        assert!(String::from_utf8_lossy(&stderr).contains("verify OK"));
        String::from_utf8(stdout).unwrap()
    }

    /// The serial numbers on it.
    pub fn listed_serials(&self) -> Vec<String> {
        self.listed()
            .lines()
            .filter_map(|l| l.trim().strip_prefix("Serial Number: "))
            .map(str::to_lowercase)
            .collect()
    }

    pub fn listed_number(&self) -> u64 {
        let text = self.listed();
        let (_, rest) = text.split_once("X509v3 CRL Number:").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// A workload of this cluster, to OpenSSL with the newest release's set: accepted, or why not.
    fn judged(&self, cluster: &str) -> Result<(), String> {
        self.write("leaf.pem", self.authority(cluster).workload(cluster).chain);
        let release = self.release();
        let output = Command::new("openssl")
            .args([
                "verify",
                "-x509_strict",
                "-crl_check_all",
                "-CAfile",
                "root-cert.pem",
                "-CRLfile",
                "ca-crl.pem",
            ])
            .args(["-untrusted", &self.place("leaf.pem"), &self.place("leaf.pem")])
            .current_dir(release)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    }

    /// The newest release, by the verifier; and the home.
    fn all_is_well(&self) {
        let release = self.release();
        self.run(&["verify", release.to_str().unwrap(), "--root-sha256", &self.root_sha256]).code(0);
        assert_eq!(self.audit(&[]).code(0).json()["state"], "ok");
    }
}
