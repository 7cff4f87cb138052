//! `request` and `assemble`: the cluster's side.

use super::Scene::{Bare, Released, Root};
use super::Seen::Id;
use super::{Row, Run, by, here};
use crate::appliance::Appliance;

fn request(a: &Appliance, cluster: &str, key: &str) -> Run {
    let (key, to) = (a.arg(key), a.arg("in"));
    Run::of(&["request", "--cluster", cluster, "--profile", "istio", "--key", &key, "--to", &to])
}

fn assemble(a: &Appliance, key: &str) -> Run {
    let bundle = a.release().join("east");
    let (key, out) = (a.arg(key), a.arg("cacerts"));
    Run::of(&["assemble", "--bundle", bundle.to_str().unwrap(), "--key", &key, "--out", &out])
        .and(&["--root-sha256", &a.root_sha256])
}

/// The bundle of a cluster of another consumer.
fn of(a: &Appliance, policy: &str) -> Run {
    std::fs::remove_file(a.path("in/east.csr")).unwrap();
    a.request_for("zoo", policy);
    a.sign(&["--policy", policy]).code(0);
    let (bundle, key, out) = (a.release().join("zoo"), a.arg("keys/zoo.key"), a.arg("cacerts"));
    Run::of(&["assemble", "--bundle", bundle.to_str().unwrap(), "--key", &key, "--out", &out])
        .and(&["--root-sha256", &a.root_sha256])
}

/// A key by OpenSSL.
fn key(a: &Appliance, more: &[&str]) {
    a.openssl(&[&["genpkey", "-out", "some.key"], more].concat());
}

const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a cluster that is no DNS label",
            Bare,
            |a| request(a, "East_1", "new.key"),
            2,
            "release.cluster",
            "DNS label",
        ),
        here(
            "a cluster that steers",
            Bare,
            |a| request(a, "\u{1b}[2J", "new.key"),
            2,
            "release.cluster",
            "\\u{1b}[2J",
        ),
        here(
            "a key on the stick",
            Bare,
            |a| request(a, "east", "in/east.key"),
            1,
            "request.key-on-stick",
            "lies on the stick",
        )
        .also(&["assemble.key-on-stick"])
        .told("a key never goes on the stick", "`--key` and `--out` with a path on the cluster's own disk"),
        here(
            "a Secret on the stick",
            Released,
            |a| {
                let (mut run, bundle) = (assemble(a, "keys/east.key"), a.release().join("east/cacerts"));
                let out = a.arg("cacerts");
                run.args
                    .iter_mut()
                    .filter(|arg| **arg == out)
                    .for_each(|arg| *arg = bundle.display().to_string());
                run
            },
            1,
            "assemble.key-on-stick",
            "lies on the stick",
        ),
        here(
            "a request over a request",
            Released,
            |a| request(a, "west", "keys/west.key"),
            2,
            "request.exists",
            "west.csr",
        ),
        here(
            "an encrypted key",
            Released,
            |a| {
                key(a, &[&P256[..], &["-aes256", "-pass", "pass:secret"]].concat());
                assemble(a, "some.key")
            },
            2,
            "key.encrypted",
            "some.key",
        ),
        here("no key", Released, |a| assemble(a, "home/root.pem"), 2, "key.none", "root.pem"),
        here(
            "another cluster's key",
            Released,
            |a| assemble(a, "keys/west.key"),
            1,
            "assemble.key-mismatch",
            "the certificate in ca-cert.pem",
        )
        .told("key and certificate do not belong together", "the key that the request was made with"),
        here(
            "a folder that is taken",
            Released,
            |a| {
                let run = assemble(a, "keys/east.key");
                run.once(a, &[]).code(0);
                run
            },
            2,
            "assemble.exists",
            "cacerts",
        ),
        here(
            "a bundle of another root",
            Released,
            |a| {
                let root = a.root_sha256.clone();
                let mut run = assemble(a, "keys/east.key");
                run.args.iter_mut().filter(|arg| **arg == root).for_each(|arg| *arg = "0".repeat(64));
                run
            },
            4,
            "release.root",
            "root-cert.pem",
        ),
        here(
            "a bundle without the noted fingerprint",
            Released,
            |a| {
                let mut run = assemble(a, "keys/east.key");
                run.args.truncate(run.args.len() - 2);
                run
            },
            2,
            "command-line.usage",
            "--root-sha256",
        ),
        here(
            "a bundle whose key is elsewhere",
            Root,
            |a| of(a, "vault"),
            1,
            "assemble.consumer",
            "nothing to join",
        )
        .told(
            "the key lies in the service that made it (Vault, cert-manager, a PCA): there is nothing to join",
            "load what is in the cluster's folder; the message has the command",
        ),
        here(
            "CRLs for a consumer that takes none",
            Root,
            |a| of(a, "step-ca").and(&["--crl"]),
            1,
            "assemble.crl-no-place",
            "no place for CRLs",
        )
        .told("its consumer has no place for CRLs", "leave `--crl` out"),
        here(
            "a Secret where nobody looks for it",
            Released,
            |a| assemble(a, "keys/east.key").and(&["--secret", "istio-system/mesh-ca"]),
            2,
            "assemble.secret",
            "a Secret called cacerts",
        )
        .told("no Secret can be called so, or its consumer would not find it", "leave `--secret` out"),
        by(
            "bundles/defects.rs::linkerd_takes_one_kind_of_key",
            "a key that Linkerd does not take",
            1,
            Id("assemble.key-kind"),
        )
        .told(
            "its consumer takes keys of another kind",
            "a new key and request, by its consumer's own policy",
        ),
        here(
            "an edited bundle",
            Released,
            |a| {
                let file = a.release().join("east/cert-chain.pem");
                std::fs::copy(a.release().join("east/ca-cert.pem"), file).unwrap();
                assemble(a, "keys/east.key")
            },
            4,
            "release.chain",
            "cert-chain.pem",
        ),
    ]
}
