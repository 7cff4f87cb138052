//! Who judges a workload's chain: each by its own code, all by the same files.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::agree::judges;
use crate::mesh::{Identity, Mesh, Trust};
use crate::support::{run, tool};

/// Accepted, or why not in the judge's words.
pub type Verdict = Result<(), String>;

/// One of them.
#[derive(Clone, Copy)]
pub struct Judge {
    pub name: &'static str,
    pub judge: fn(&mut Mesh, &Identity, &Trust) -> Verdict,
}

pub const JUDGES: [Judge; 5] = [
    Judge { name: "OpenSSL", judge: |_, identity, trust| openssl(identity, trust) },
    Judge { name: "GnuTLS", judge: |_, identity, trust| gnutls(identity, trust) },
    Judge { name: "NSS", judge: |_, identity, trust| nss(identity, trust) },
    Judge { name: "ztunnel (rustls-webpki)", judge: |_, identity, trust| judges::ztunnel(identity, trust) },
    Judge { name: "Envoy", judge: |mesh, identity, trust| judges::envoy(mesh, identity, trust) },
];

fn openssl(identity: &Identity, trust: &Trust) -> Verdict {
    let dir = laid_out(identity, trust);
    let usual = "verify -x509_strict -CAfile roots.pem -untrusted chain.pem";
    for purpose in ["sslserver", "sslclient"] {
        let args = format!("{usual} -purpose {purpose} chain.pem");
        said(Command::new("openssl").args(args.split(' ')).current_dir(dir.path()))?;
    }
    Ok(())
}

fn gnutls(identity: &Identity, trust: &Trust) -> Verdict {
    let dir = laid_out(identity, trust);
    let args = "--verify --load-ca-certificate roots.pem --infile chain.pem";
    said(Command::new("certtool").args(args.split(' ')).current_dir(dir.path()))
}

/// A database of its own with the roots trusted and the rest of the chain known.
fn nss(identity: &Identity, trust: &Trust) -> Verdict {
    let dir = laid_out(identity, trust);
    let certutil = |args: &str| {
        let mut command = Command::new("certutil");
        said(command.args(["-d", "sql:."]).args(args.split(' ')).current_dir(dir.path()))
    };
    certutil("-N --empty-password")?;
    for (text, name, flags) in [(&trust.bundle, "root", "CT,,"), (&identity.chain, "chain", ",,")] {
        for (number, pem) in text.split_inclusive("-----END CERTIFICATE-----\n").enumerate() {
            // A root at the chain's end would take its trust back.
            if name == "root" || !trust.bundle.contains(pem) {
                fs::write(dir.path().join("one.pem"), pem).unwrap();
                certutil(&format!("-A -n {name}-{number} -t {flags} -i one.pem"))?;
            }
        }
    }
    certutil("-V -n chain-0 -u V")?;
    certutil("-V -n chain-0 -u C")
}

/// The codes of its findings from a notice upwards.
pub fn pkilint(certificate: &Path) -> Vec<String> {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tool("pkilint-0.13.3"));
    command.args(["-m", "pkilint.bin.lint_pkix_cert", "lint", "-s", "NOTICE", "-f", "JSON"]);
    // Its exit code counts the findings.
    let output = command.arg(certificate).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&words);
    let results = report["results"].as_array().expect(&words).iter();
    let found = results.flat_map(|result| result["finding_descriptions"].as_array().unwrap().clone());
    found.map(|finding| finding["code"].as_str().unwrap().to_string()).collect()
}

fn laid_out(identity: &Identity, trust: &Trust) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("chain.pem"), &identity.chain).unwrap();
    fs::write(dir.path().join("roots.pem"), &trust.bundle).unwrap();
    dir
}

fn said(command: &mut Command) -> Verdict {
    let output =
        command.output().unwrap_or_else(|e| panic!("{command:?} cannot be run ({e}): tests/run installs it"));
    let words = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&words).into_owned()) }
}

/// The loaders, built once.
pub fn go() -> &'static Path {
    static BUILT: std::sync::OnceLock<TempDir> = std::sync::OnceLock::new();
    static PATH: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();
    PATH.get_or_init(|| {
        let dir = BUILT.get_or_init(|| tempfile::tempdir().unwrap());
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/consumers/main.go");
        run(dir.path(), "go", &["build", "-o", "load", program]);
        dir.path().join("load")
    })
}
