//! The runbooks say what works: their commands are run as they stand, ours for real. What is
//! a cluster's is not here; what would be loaded there is looked at closely.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::appliance::{Appliance, Ran, copy, ran};
use crate::bundles;

mod root;

/// A root and two clusters that have each its key and the release it came with.
pub struct Fleet(pub Appliance);

/// As people run it, but that `--yes` and a file answer, and that clusters only look at
/// what they are given: whole PEM files, and a key that belongs to its certificate.
const PREAMBLE: &str = r#"set -eu
    anchorite() {
        case "$1 ${2-} ${3-}" in
            init*) command anchorite "$@" --unattended ;;
            sign* | revoke* | crl* | root* | 'policy pin'*) command anchorite "$@" --yes --pin-file "$PIN" ;;
            *) command anchorite "$@" ;;
        esac
    }
    pkcs11-tool() { command pkcs11-tool "$@" --pin "$(cat "$PIN")"; }
    whole() { [ -s "$1" ] && [ -z "$(tail -c 1 "$1")" ] && grep -q -e '-----BEGIN ' "$1"; }
    belongs() { [ "$(openssl x509 -in "$1" -noout -pubkey)" = "$(openssl pkey -in "$2" -pubout)" ]; }
    loads() {
        certificate= key=
        for argument in "$@"; do
            file=${argument##*=}
            case "$argument" in
                --from-file=*tls.crt=* | --cert=* | --from-file=*/ca-cert.pem | --from-file=ca-cert.pem=* | certificate=@*) certificate=${file#@} ;;
                --from-file=*tls.key=* | --from-file=ca-key.pem=* | --key=*) key=$file ;;
                --from-file=*) ;;
                *) continue ;;
            esac
            whole "${file#@}" || { echo "not a whole file: $argument"; exit 9; }
        done
        [ -z "$certificate$key" ] || belongs "$certificate" "${key:-${KEY:-$DIR/east/new.key}}" || { echo "no pair: $*"; exit 9; }
    }
    kubectl() {
        echo "kubectl $*" >>"$DIR/called"
        loads "$@"
        case "$*" in
            *' apply -f -') grep -q '^loaded' ;;
            *' apply -f '"${MADE:-none}"/*) "$KUBECTL" patch --local -f "${@: -1}" --type=merge -p '{}' -o name ;;
            *' patch '*) "$KUBECTL" patch --local -f "$DIR/$4.json" --type=json --patch-file "${@: -1}" -o name ;;
            *' apply -f '*/cacerts/*) grep -q 'ca-key.pem:' "${@: -1}" && grep -q 'ca-crl.pem:' "${@: -1}" ;;
            *' apply -f '*) grep -q 'ca-key.pem:' "$5" && cp "${5%/*}"/root-cert.pem "$DIR/$2/loaded.pem" ;;
            *' get configmap istio-ca-root-cert '*) cat "$DIR/$2/loaded.pem" ;;
            *' get secret istio-ca-secret '*ca-cert*) base64 "$DIR/istio/ca-cert.pem" ;;
            *' get secret istio-ca-secret '*ca-key*) base64 "$DIR/istio/ca-key.pem" ;;
            *' set env '*) ;;
            *' create secret '*--from-file=root-cert.pem=*) cp "$BOTH/root-cert.pem" "$DIR/$2/loaded.pem" && echo "loaded $*" ;;
            *' create secret '*) echo "loaded $*" ;;
            *' logs '*) echo 'Istiod has detected the newly added intermediate CA'; echo 'Istiod has detected the newly added CRL file'; echo 'Updating new ROOT-CA' ;;
            *' get csr '*) base64 "$BUNDLE/ca-cert.pem" ;;
            *' rollout restart '* | *' get events '* | *' wait '*) ;;
            *) echo "what is $*?"; exit 9 ;;
        esac
    }
    vault() { echo "vault $*" >>"$DIR/called"; loads "$@"; }
    linkerd() { echo "linkerd $*" >>"$DIR/called"; }
    systemctl() { echo "systemctl $*" >>"$DIR/called"; }
    cmctl() { echo "cmctl $*" >>"$DIR/called"; }
"#;

impl Fleet {
    pub fn new() -> Self {
        let a = Appliance::with_root("p256");
        a.write(
            "home/clusters.toml",
            "[clusters.east]\npolicy = \"istio\"\n\n[clusters.west]\npolicy = \"istio\"\n",
        );
        a.run(&["policy", "pin", "--yes", "--pin-file", a.path("pin").to_str().unwrap()]).code(0);
        for cluster in ["east", "west"] {
            std::fs::create_dir(a.path(cluster)).unwrap();
            let (key, stick) = (a.path(cluster).join("key"), a.path("in"));
            let made =
                ["request", "--cluster", cluster, "--profile", "istio", "--key", key.to_str().unwrap()];
            a.run(&[&made[..], &["--to", stick.to_str().unwrap()]].concat()).code(0);
        }
        a.sign(&[]).code(0);
        std::fs::create_dir(a.path("exports")).unwrap();
        a.run(&["policy", "export", "--to", a.path("exports").to_str().unwrap()]).code(0);
        let export = std::fs::read_dir(a.path("exports")).unwrap().next().unwrap().unwrap().path();
        copy(&export, &a.path("east/policies"));
        for cluster in ["east", "west"] {
            copy(&a.release(), &a.path(cluster).join("release"));
        }
        for folder in ["in", "out"] {
            std::fs::remove_dir_all(a.path(folder)).unwrap();
        }
        for folder in ["in", "out", "archive", "spire"] {
            std::fs::create_dir(a.path(folder)).unwrap();
        }
        Self(a)
    }

    /// The blocks of a runbook, in order.
    pub fn blocks(file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        text.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_string()).collect()
    }

    /// Runs a block, with its places for real.
    pub fn run(&self, block: &str, more: &[(&str, &str)]) -> Ran {
        let dir = self.0.dir.path();
        let block = block.replace("/srv/ca", "\"$DIR\"/home");
        let block = block.replace("/srv/", "\"$DIR\"/").replace("/media/", "\"$DIR\"/");
        let bin = Path::new(env!("CARGO_BIN_EXE_anchorite")).parent().unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{PREAMBLE}{block}")]).current_dir(dir);
        command.env("DIR", dir).env("PIN", dir.join("pin")).env("ROOT", &self.0.root_sha256);
        command.env("RELEASE", self.newest().unwrap_or_default()).envs(more.iter().copied());
        command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
        command.env("SOFTHSM2_CONF", dir.join("hsm/softhsm2.conf")).env_remove("ANCHORITE_HOME");
        ran(command.output().unwrap())
    }

    /// The release that was made last, where there is one.
    pub fn newest(&self) -> Option<PathBuf> {
        std::fs::read_dir(self.0.path("out")).unwrap().map(|entry| entry.unwrap().path()).max()
    }

    /// What `status` says of a cluster's certificates.
    pub fn of(&self, cluster: &str) -> Vec<Value> {
        let report = self.0.run(&["status", "--json"]).json();
        let all = report["intermediates"].as_array().unwrap().iter();
        all.filter(|it| it["cluster"] == cluster).cloned().collect()
    }

    /// A text that `status` says of the one certificate of a cluster that this is true of.
    pub fn serial(&self, cluster: &str, is: impl Fn(&Value) -> bool) -> String {
        let all = self.of(cluster);
        let found: Vec<_> = all.iter().filter(|it| is(it)).collect();
        assert_eq!(found.len(), 1, "{all:?}");
        found[0]["serial"].as_str().unwrap().to_string()
    }
}

#[test]
fn an_intermediate_is_renewed_as_the_runbook_says() {
    let fleet = Fleet::new();
    let blocks = Fleet::blocks("ceremony/rotate-intermediate.md");
    let (before, revoke) = blocks[..5].split_at(4);
    for block in before {
        fleet.run(block, &[]).code(0);
    }
    let old = fleet.serial("east", |it| it["replaced_by"].is_string());
    fleet.run(&revoke[0], &[("OLD", &old)]).code(0);
    assert_eq!(fleet.serial("east", |it| it["revoked"]["reason"] == "superseded"), old);
    assert!(!fleet.0.path("east/key").exists());
}

/// Each consumer's section, with what `assemble` made for it and its folder in the release.
#[test]
fn each_consumer_loads_its_bundle_as_the_runbook_says() {
    let everyone = bundles::Fleet::released("p256");
    let text = std::fs::read_to_string("ceremony/rotate-intermediate.md").unwrap();
    let sections: Vec<&str> = text.split("\n## ").filter(|section| section.contains("\nPolicy `")).collect();
    let policy =
        |section: &str| section.split("\nPolicy `").nth(1).unwrap().split('`').next().unwrap().to_string();
    let mut told: Vec<String> = sections.iter().map(|section| policy(section)).collect();
    let mut shipped: Vec<&str> =
        bundles::ALL.iter().map(|(name, ..)| *name).filter(|name| *name != "issuing-ca").collect();
    told.sort();
    shipped.sort_unstable();
    assert_eq!(told, shipped, "a section for each consumer");
    let fleet = Fleet(everyone.0);
    let dir = &fleet.0;
    for folder in ["spire", "east", "step/secrets", "step/certs"] {
        std::fs::create_dir_all(dir.path(folder)).unwrap();
    }
    for (name, version, kind) in [
        ("certificaterequest", "cert-manager.io/v1", "CertificateRequest"),
        ("certificatesigningrequest", "certificates.k8s.io/v1", "CertificateSigningRequest"),
    ] {
        let approved = serde_json::json!({"conditions": [{"type": "Approved", "status": "True"}]});
        let object = serde_json::json!({"apiVersion": version, "kind": kind, "metadata": {"name": "mesh-ca-2"}, "status": approved});
        dir.write(&format!("{name}.json"), object.to_string());
    }
    let kubectl = bundles::kubectl::program();
    for section in sections {
        let name = policy(section);
        let Some(block) = section.split("```bash\n").nth(1).map(|rest| rest.split("```").next().unwrap())
        else {
            assert_eq!(name, "ccm-pca");
            continue;
        };
        let (made, bundle, key) = (
            dir.path(&format!("made-{name}")),
            dir.release().join(&name),
            dir.path(&format!("keys/{name}.key")),
        );
        let [made, bundle, key] = [made, bundle, key].map(|path| path.display().to_string());
        if block.contains("$MADE") {
            let args = [
                "assemble",
                "--bundle",
                &bundle,
                "--key",
                &key,
                "--out",
                &made,
                "--root-sha256",
                &dir.root_sha256,
            ];
            dir.run(&args).code(0);
        }
        let places =
            [("MADE", &made[..]), ("BUNDLE", &bundle), ("KEY", &key), ("KUBECTL", kubectl.to_str().unwrap())];
        fleet.run(block, &places).code(0);
        // With another's folder, whatever is not there is noticed.
        let nobody = [("MADE", "/nobody"), ("BUNDLE", "/nobody"), places[2], places[3]];
        assert_ne!(fleet.run(block, &nobody).code, 0, "{name}");
    }
    let called = std::fs::read_to_string(dir.path("called")).unwrap();
    for program in ["kubectl ", "vault ", "linkerd ", "cmctl ", "systemctl "] {
        assert!(called.lines().any(|line| line.starts_with(program)), "{program} in {called}");
    }
}

/// A reader finds every file that a runbook names, and every runbook is in the package.
#[test]
fn runbooks_are_known_and_packed() {
    let package = std::fs::read_to_string(".ci/package").unwrap();
    assert!(package.contains("ceremony/*.md"));
    let readme = std::fs::read_to_string("README.md").unwrap();
    for entry in std::fs::read_dir("ceremony").unwrap() {
        let path = entry.unwrap().path().display().to_string();
        assert!(readme.contains(&path), "the README does not name {path}");
    }
}
