//! What each consumer is given and what `assemble` makes of it: one fleet of every consumer,
//! released in one session, each manifest and patch accepted by kubectl.

mod defects;
pub mod kubectl;
mod refused;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anchorite::policy::{Mode, Profile, SHIPPED, Span};
use kubectl::{Kubectl, data};

use crate::appliance::{Appliance, Ran};
use crate::support::run;

const ISTIO: &[&str] = &["ca-cert.pem", "ca-key.pem", "cacerts.yaml", "cert-chain.pem", "root-cert.pem"];
const GLOO: &[&str] = &["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem", "secret.yaml"];
const INGRESS: &[&str] = &[
    "ca-cert.pem",
    "ca-key.pem",
    "cert-chain.pem",
    "clients-root.pem",
    "ingress-cacert.yaml",
    "root-cert.pem",
];
const LINKERD: &[&str] =
    &["ca.crt", "linkerd-identity-issuer.yaml", "linkerd-identity-trust-roots.yaml", "tls.crt", "tls.key"];
const PATCH: &[&str] = &["secret-patch.yaml"];
const STATUS: &[&str] = &["status-patch.json"];
const STEP: &[&str] = &["intermediate_ca.crt", "intermediate_ca_key", "root_ca.crt"];

/// A shipped policy, what stands in the folder beside the PEM files, and what `assemble`
/// makes; nothing where the key is elsewhere.
#[rustfmt::skip]
pub const ALL: [(&str, &[&str], &[&str]); 13] = [
    ("istio", PATCH, ISTIO),
    ("istio-tls", PATCH, &["ca.crt", "cacerts.yaml", "tls.crt", "tls.key"]),
    ("cert-manager-request", STATUS, &[]),
    ("kubernetes-csr", STATUS, &[]),
    ("cert-manager-issuer", PATCH, &["ca.crt", "secret.yaml", "tls.crt", "tls.key"]),
    ("gloo-mesh", PATCH, GLOO),
    ("ccm-pca", &["certificate-body.pem", "certificate-chain.pem"], &[]),
    ("spire", &["bundle.pem", "upstream.pem"], &["bundle.pem", "upstream.key", "upstream.pem"]),
    ("linkerd", &["linkerd-identity-trust-roots.yaml", "secret-patch.yaml"], LINKERD),
    ("vault", &[], &[]),
    ("ingress", &["clients-root.pem"], INGRESS),
    ("step-ca", &["intermediate_ca.crt", "root_ca.crt"], STEP),
    ("issuing-ca", &[], &["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]),
];

/// One cluster of each consumer, called like its policy, all of them registered.
pub struct Fleet(pub Appliance);

impl Fleet {
    fn requesting(kind: &str) -> Self {
        let a = Appliance::with_root(kind);
        let entry = |(name, ..): &(&str, _, _)| format!("[clusters.{name}]\npolicy = \"{name}\"\n\n");
        a.write("home/clusters.toml", ALL.iter().map(entry).collect::<String>());
        a.run(&["policy", "pin", "--yes", "--pin-file", a.path("pin").to_str().unwrap()]).code(0);
        std::fs::create_dir(a.path("keys")).unwrap();
        for (name, ..) in ALL {
            let (key, stick) = (a.path(&format!("keys/{name}.key")), a.path("in"));
            let request = ["request", "--cluster", name, "--profile", name, "--key", key.to_str().unwrap()];
            a.run(&[&request[..], &["--to", stick.to_str().unwrap()]].concat()).code(0);
        }
        Self(a)
    }

    pub fn released(kind: &str) -> Self {
        let fleet = Self::requesting(kind);
        fleet.0.sign(&[]).code(0);
        fleet
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.release().join(name)
    }

    fn assemble(&self, name: &str, out: &str, more: &[&str]) -> Ran {
        let (bundle, key) = (self.folder(name), self.0.path(&format!("keys/{name}.key")));
        let out = self.0.path(out);
        let args = ["assemble", "--bundle", bundle.to_str().unwrap(), "--key", key.to_str().unwrap()];
        let root = ["--out", out.to_str().unwrap(), "--root-sha256", &self.0.root_sha256];
        self.0.run(&[&args[..], &root, more].concat())
    }

    /// Assembles it, and gives the folder.
    fn assembled(&self, name: &str) -> PathBuf {
        self.assemble(name, &format!("made-{name}"), &[]).code(0);
        self.0.path(&format!("made-{name}"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    names(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn a_fleet_of_every_consumer_goes_out_in_one_session() {
    let fleet = Fleet::released("p256");
    let release = fleet.0.release();
    let verify = ["verify", release.to_str().unwrap(), "--root-sha256", &fleet.0.root_sha256, "--json"];
    assert_eq!(fleet.0.run(&verify).code(0).json()["clusters"].as_array().unwrap().len(), ALL.len());
    let readme = std::fs::read_to_string(release.join("README.txt")).unwrap();
    for (name, beside, made) in ALL {
        let folder = fleet.folder(name);
        let mut wanted = ["ca-cert.pem", "cert-chain.pem", "receipt.toml", "root-cert.pem"].to_vec();
        wanted.extend(beside);
        wanted.sort_unstable();
        assert_eq!(names(&folder), wanted, "{name}");
        run(&folder, "openssl", &["verify", "-x509_strict", "-CAfile", "root-cert.pem", "ca-cert.pem"]);
        let alone = ["verify", folder.to_str().unwrap(), "--root-sha256", &fleet.0.root_sha256];
        fleet.0.run(&alone).code(0);
        let consumer = if name == "issuing-ca" { "pem" } else { name };
        assert!(readme.contains(&format!("\nLoad it: {consumer} ({name})\n")), "{readme}");
        let ran = fleet.assemble(name, &format!("made-{name}"), &["--json"]);
        if made.is_empty() {
            let ran = ran.fails(1, "assemble.consumer");
            assert!(ran.stderr.contains("there is nothing to join"), "{}", ran.stderr);
            if name == "ccm-pca" {
                assert!(ran.stderr.contains("CLUSTER_DIR/certificate-chain.pem"), "{}", ran.stderr);
            }
            continue;
        }
        let said = ran.code(0).json();
        assert_eq!((said["consumer"].as_str(), said["warning"].is_null()), (Some(consumer), true), "{said}");
        assert_eq!(names(&fleet.0.path(&format!("made-{name}"))), made, "{name}");
        // Each line that loads it names files that are there, and stands in the release's text.
        let lines = said["load"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        for line in lines.filter(|line| !line.starts_with('#')) {
            let place = fleet.0.path(&format!("made-{name}")).display().to_string();
            let named = line.split(' ').filter(|word| word.starts_with(&place));
            named.for_each(|file| assert!(Path::new(file).is_file(), "{line}"));
            assert!(readme.contains(&line.replace(&place, "<folder>")), "{line} in {readme}");
        }
    }
}

#[test]
fn what_is_assembled_is_a_pair_in_whole_files() {
    let fleet = Fleet::released("p256");
    for (name, _, made) in ALL.iter().filter(|(_, _, made)| !made.is_empty()) {
        let folder = fleet.assembled(name);
        let key = made.iter().find(|name| name.ends_with("key") || name.ends_with("key.pem")).unwrap();
        let whose = made
            .iter()
            .find(|name| ["ca-cert.pem", "tls.crt", "upstream.pem", "intermediate_ca.crt"].contains(name));
        let openssl = |args: &[&str]| run(&folder, "openssl", args).stdout;
        assert_eq!(
            openssl(&["x509", "-in", whose.unwrap(), "-noout", "-pubkey"]),
            openssl(&["pkey", "-in", key, "-pubout"]),
            "{name}"
        );
        for (file, bytes) in files(&folder) {
            let private = bytes.windows(12).any(|w| w == b" PRIVATE KEY") || file.ends_with(".yaml");
            assert!(bytes.ends_with(b"\n") && !bytes.ends_with(b"\n\n"), "{name}/{file}");
            assert!(private || !file.contains("key"), "{name}/{file}");
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.join(&file)).unwrap().permissions().mode() & 0o777;
            let holds_key = file == *key
                || (file.ends_with(".yaml") && {
                    let text = String::from_utf8(bytes).unwrap();
                    text.contains("key.pem:") || text.contains("tls.key:")
                });
            assert_eq!(mode, if holds_key { 0o600 } else { 0o644 }, "{name}/{file}");
        }
    }
}

/// Secret by Secret, what kubectl itself would make of the same files.
#[test]
fn each_secret_is_the_one_that_kubectl_makes() {
    let fleet = Fleet::released("p256");
    let kubectl = Kubectl::new();
    #[rustfmt::skip]
    let secrets: [(&str, &str, &str, &str, &str, &[&str]); 6] = [
        ("istio", "cacerts.yaml", "istio-system", "cacerts", "Opaque", &["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]),
        ("istio-tls", "cacerts.yaml", "istio-system", "cacerts", "kubernetes.io/tls", &["tls.crt", "tls.key", "ca.crt"]),
        ("cert-manager-issuer", "secret.yaml", "cert-manager", "mesh-ca", "kubernetes.io/tls", &["tls.crt", "tls.key", "ca.crt"]),
        ("gloo-mesh", "secret.yaml", "gloo-mesh", "mesh-ca.gloo-mesh", "Opaque", &["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]),
        ("linkerd", "linkerd-identity-issuer.yaml", "linkerd", "linkerd-identity-issuer", "kubernetes.io/tls", &["tls.crt", "tls.key", "ca.crt"]),
        ("ingress", "ingress-cacert.yaml", "istio-system", "ingress-cacert", "Opaque", &["ca.crt"]),
    ];
    for (name, manifest, namespace, called, kind, entries) in secrets {
        let folder = fleet.assembled(name);
        if name == "ingress" {
            std::fs::copy(folder.join("clients-root.pem"), folder.join("ca.crt")).unwrap();
        }
        let made = kubectl.read(&folder.join(manifest));
        let wanted = kubectl.secret(&folder, namespace, called, kind, entries);
        assert_eq!(made["metadata"]["namespace"], namespace, "{name}");
        for field in ["apiVersion", "kind", "type", "data"] {
            assert_eq!(made[field], wanted[field], "{name}: {field}");
        }
        assert_eq!(made["metadata"]["name"], called, "{name}");
        assert!(made["data"].get("istio-generated").is_none());

        // In a Secret that has the key already, the release's patch makes the same of it.
        let Some(key) = entries.iter().find(|entry| entry.contains("key")) else { continue };
        let has_key = folder.join("has-key.json");
        let value = kubectl.secret(&folder, namespace, called, kind, &[key]);
        std::fs::write(&has_key, value.to_string()).unwrap();
        let patch = fleet.folder(name).join("secret-patch.yaml");
        for how in ["merge", "strategic"] {
            assert_eq!(
                kubectl.patch(&has_key, how, &patch).unwrap()["data"],
                wanted["data"],
                "{name}, {how}"
            );
        }
    }
}

/// Names that YAML would take for a number, a date, nothing or a truth.
#[test]
fn a_name_that_looks_like_something_else_is_a_name() {
    let fleet = Fleet::released("p256");
    let kubectl = Kubectl::new();
    let places = ["1234/cacerts", "null/cacerts", "on/cacerts", "2026-11-22/cacerts", "0x1f/cacerts"];
    let issuers = ["null/true", "on/yes", "2026-11-22/1.5", "1e3/0", "y/n", "0b1/1e3"];
    let wanted = places.map(|place| ("istio", "cacerts.yaml", place)).into_iter();
    let wanted = wanted.chain(issuers.map(|place| ("cert-manager-issuer", "secret.yaml", place)));
    for (at, (name, file, place)) in wanted.enumerate() {
        let out = format!("placed-{at}");
        fleet.assemble(name, &out, &["--secret", place]).code(0);
        let read = kubectl.read(&fleet.0.path(&out).join(file));
        let (namespace, called) = place.split_once('/').unwrap();
        assert_eq!(read["metadata"]["namespace"], namespace, "{place}");
        assert_eq!(read["metadata"]["name"], called, "{place}");
    }
}

/// Linkerd's roots are those of the release, whichever of the two copies is applied.
#[test]
fn linkerds_roots_are_a_config_map() {
    let fleet = Fleet::released("p256");
    let kubectl = Kubectl::new();
    let name = "linkerd-identity-trust-roots.yaml";
    let made = fleet.assembled("linkerd").join(name);
    let released = fleet.folder("linkerd").join(name);
    assert_eq!(std::fs::read(&made).unwrap(), std::fs::read(&released).unwrap());
    let read = kubectl.read(&made);
    let roots = std::fs::read_to_string(fleet.folder("linkerd").join("root-cert.pem")).unwrap();
    assert_eq!((&read["kind"], &read["data"]["ca-bundle.crt"]), (&"ConfigMap".into(), &roots.into()));
}

#[test]
fn each_status_patch_answers_its_object_and_keeps_its_approval() {
    let fleet = Fleet::released("p256");
    let kubectl = Kubectl::new();
    for (name, version, kind) in [
        ("cert-manager-request", "cert-manager.io/v1", "CertificateRequest"),
        ("kubernetes-csr", "certificates.k8s.io/v1", "CertificateSigningRequest"),
    ] {
        let folder = fleet.folder(name);
        let patch = folder.join("status-patch.json");
        let patched = kubectl.answer(version, kind, "east", Some("shop"), true, &patch).unwrap();
        let status = &patched["status"];
        let certificate = data(&status["certificate"]);
        assert_eq!(certificate, std::fs::read(folder.join("ca-cert.pem")).unwrap(), "{name}: no root in it");
        let conditions: Vec<&str> =
            status["conditions"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
        if kind == "CertificateRequest" {
            assert_eq!(data(&status["ca"]), std::fs::read(folder.join("root-cert.pem")).unwrap());
            assert_eq!(conditions, ["Approved", "Ready"], "{status}");
            let ready = &status["conditions"][1];
            assert_eq!((&ready["status"], &ready["reason"]), (&"True".into(), &"Issued".into()));
            let begins = run(
                &folder,
                "openssl",
                &["x509", "-in", "ca-cert.pem", "-noout", "-startdate", "-dateopt", "iso_8601"],
            );
            let begins = String::from_utf8(begins.stdout).unwrap();
            let begins = begins.trim().strip_prefix("notBefore=").unwrap().replace(' ', "T");
            assert_eq!(ready["lastTransitionTime"], begins);
        } else {
            assert_eq!(conditions, ["Approved"], "{status}");
        }
        // Nobody approved it: it cannot be answered.
        kubectl.answer(version, kind, "east", Some("shop"), false, &patch).unwrap_err();
    }
}

/// A root whose signatures are always the same bytes (RSASSA-PKCS1-v1_5): what differs then
/// would be the release's own doing.
#[test]
fn the_same_plan_gives_the_same_bytes() {
    let fleet = Fleet::requesting("rsa4096");
    let a = &fleet.0;
    let (plan, from, pin) = (a.path("plan.json"), a.path("in"), a.path("pin"));
    let plan = plan.to_str().unwrap();
    a.run(&["plan", "--from", from.to_str().unwrap(), "--out", plan]).code(0);
    for part in ["home", "hsm"] {
        crate::appliance::copy(&a.path(part), &a.path(&format!("kept-{part}")));
    }
    let perform = || {
        let to = a.path("out");
        let args =
            ["perform", plan, "--to", to.to_str().unwrap(), "--yes", "--pin-file", pin.to_str().unwrap()];
        a.run(&args).code(0);
        let all = ALL.map(|(name, ..)| (name, files(&fleet.folder(name))));
        (a.release().file_name().unwrap().to_owned(), all)
    };
    let (name, first) = perform();
    a.empty_out();
    for part in ["home", "hsm"] {
        std::fs::remove_dir_all(a.path(part)).unwrap();
        std::fs::rename(a.path(&format!("kept-{part}")), a.path(part)).unwrap();
    }
    assert_eq!(perform(), (name, first));
}

/// The README's table names each policy with its bounds, each file that is given and made, and
/// where CRLs go.
#[test]
fn the_readme_tells_of_each_consumer() {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let section = readme.split("\n## Consumers\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), SHIPPED.len());
    for (name, beside, made) in ALL {
        let begins = format!("| `{name}` |");
        let row = rows.iter().find(|row| row.starts_with(&begins)).unwrap_or_else(|| panic!("{name}"));
        let (file, text) = SHIPPED.iter().find(|(file, _)| *file == format!("policies/{name}.toml")).unwrap();
        let profile = Profile::parse(file, text).unwrap();
        let days = |span: Span| format!("{}d", span.0.0 / 86_400);
        let asked = *profile.claims.validity == Mode::Narrow;
        let default =
            if asked { "as asked up to ".into() } else { format!("{}, ", days(*profile.validity.default)) };
        let bounds = format!("| {}, {default}{} |", *profile.path_length, days(*profile.validity.maximum));
        assert!(row.contains(&bounds), "{bounds} in {row}");
        // The PEM files that everybody has are not named again, nor are Istio's four.
        let common = ["ca-cert.pem", "cert-chain.pem", "root-cert.pem"];
        let four = row.contains("four files");
        for file in beside.iter().chain(made).filter(|file| !common.contains(file)) {
            let these = row.contains("these and") && beside.contains(file);
            assert!(
                row.contains(&format!("`{file}`")) || these || (four && *file == "ca-key.pem"),
                "{file} in {row}"
            );
        }
        assert_eq!(row.contains("nothing: "), made.is_empty(), "{row}");
        let place = profile.release.consumer.terms().crl;
        let last = place.map_or("no".into(), |name| format!("`{name}`"));
        assert!(row.ends_with(&format!("| {last} |")), "{row}");
    }
}
