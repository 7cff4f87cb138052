//! kubectl without a cluster: what it reads, and what its patches come to.

use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::tool;

pub struct Kubectl(tempfile::TempDir);

/// The one that tests/run fetches.
pub fn program() -> PathBuf {
    tool("kubectl-1.37.1/kubectl")
}

impl Kubectl {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run(&self, args: &[&str]) -> Result<Value, String> {
        let kubectl = program();
        let mut command = Command::new(&kubectl);
        command.args(args).args(["-o", "json"]).env("HOME", self.0.path()).env("KUBECONFIG", "/dev/null");
        let out = command
            .output()
            .unwrap_or_else(|e| panic!("{} cannot be run ({e}): tests/run installs it", kubectl.display()));
        if out.status.success() {
            return Ok(serde_json::from_slice(&out.stdout).unwrap());
        }
        Err(String::from_utf8_lossy(&out.stderr).into_owned())
    }

    /// A manifest as kubectl reads it.
    pub fn read(&self, manifest: &Path) -> Value {
        let nothing = self.write("nothing.json", &json!({}));
        self.patch(manifest, "merge", &nothing).unwrap_or_else(|e| panic!("{}: {e}", manifest.display()))
    }

    /// An object with a patch applied.
    pub fn patch(&self, object: &Path, how: &str, patch: &Path) -> Result<Value, String> {
        let (object, patch, how) =
            (object.to_str().unwrap(), patch.to_str().unwrap(), format!("--type={how}"));
        self.run(&["patch", "--local", "-f", object, &how, "--patch-file", patch])
    }

    /// The Secret that kubectl makes of these files.
    pub fn secret(&self, folder: &Path, namespace: &str, name: &str, kind: &str, entries: &[&str]) -> Value {
        let from = entries.iter().map(|entry| format!("--from-file={}", folder.join(entry).display()));
        let from: Vec<String> = from.collect();
        let kind = format!("--type={kind}");
        let create = ["create", "secret", "generic", name, "-n", namespace, &kind, "--dry-run=client"];
        let from: Vec<&str> = from.iter().map(String::as_str).collect();
        self.run(&[&create[..], &from].concat()).unwrap()
    }

    /// An object that waits for its certificate, with this patch of its status.
    pub fn answer(
        &self,
        version: &str,
        kind: &str,
        name: &str,
        namespace: Option<&str>,
        approved: bool,
        patch: &Path,
    ) -> Result<Value, String> {
        let mut object = json!({
            "apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {"request": "aXQ=", "usages": ["cert sign"]},
        });
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = namespace.into();
        }
        if approved {
            let approval =
                json!({"type": "Approved", "status": "True", "reason": "Reviewed", "message": "by hand"});
            object["status"] = json!({"conditions": [approval]});
        }
        self.answer_to(&object, patch)
    }

    /// The same of an object as it stands.
    pub fn answer_to(&self, object: &Value, patch: &Path) -> Result<Value, String> {
        self.patch(&self.write("object.json", object), "json", patch)
    }

    fn write(&self, name: &str, value: &Value) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    }
}

/// The bytes of a field in base64.
pub fn data(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap().as_bytes()).unwrap()
}
