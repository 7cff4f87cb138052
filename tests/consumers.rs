//! Every consumer × every judge: one fleet under one root, signed in one session, each bundle
//! loaded as its consumer loads it, each chain judged by all who have to; and each refuses
//! what it must. The table in the README is what came of it.

mod fleet;
mod judges;

use std::sync::LazyLock;

use fleet::{Cluster, Fleet};
use judges::{JUDGES, Verdict};

use crate::mesh::{Identity, Mesh, Trust};

/// A consumer's profile, what loads its bundle as it does (`main.go`), and from which files.
/// `out/` is what `assemble` made, `bundle/` the folder in the release, `status/` what an
/// object came to; `key` and `csr` the cluster's own.
struct Row {
    profile: &'static str,
    loader: &'static str,
    files: &'static [&'static str],
    /// The same with one thing that is not as it should be, what that is, and words of the refusal.
    wrong: (&'static [&'static str], &'static str, &'static str),
    /// Where the roots are that peers trust.
    roots: &'static str,
    /// It signs CAs, not workloads.
    above: bool,
}

const ISTIO: &[&str] = &["out/ca-cert.pem", "out/ca-key.pem", "out/cert-chain.pem", "out/root-cert.pem"];
/// The chain's file where the roots' belongs: istiod takes it, and then no peer is believed.
const NO_ROOT: &[&str] = &["out/ca-cert.pem", "out/ca-key.pem", "out/cert-chain.pem", "other/root.pem"];
const UNKNOWN: &str = "unknown authority";
const STATUS: &[&str] = &["status/certificate.pem", "key", "status/ca.pem", "csr"];

const ROWS: &[Row] = &[
    Row {
        profile: "istio",
        loader: "istiod",
        files: ISTIO,
        wrong: (NO_ROOT, "another root in root-cert.pem", UNKNOWN),
        roots: "out/root-cert.pem",
        above: false,
    },
    Row {
        profile: "istio-tls",
        loader: "istiod-tls",
        files: &["out/tls.crt", "out/tls.key", "out/ca.crt"],
        wrong: (&["out/tls.crt", "out/tls.key", "other/root.pem"], "another root in ca.crt", UNKNOWN),
        roots: "out/ca.crt",
        above: false,
    },
    Row {
        profile: "cert-manager-request",
        loader: "request",
        files: STATUS,
        wrong: (
            &["bundle/cert-chain.pem", "key", "status/ca.pem", "csr"],
            "the root in status.certificate",
            "the chain holds the root",
        ),
        roots: "status/ca.pem",
        above: false,
    },
    Row {
        profile: "kubernetes-csr",
        loader: "request",
        files: &["status/certificate.pem", "key", "bundle/root-cert.pem", "csr"],
        wrong: (
            &["status/certificate.pem", "other/key", "bundle/root-cert.pem", "csr"],
            "another's key",
            "does not match",
        ),
        roots: "bundle/root-cert.pem",
        above: false,
    },
    Row {
        profile: "cert-manager-issuer",
        loader: "cert-manager-issuer",
        files: &["out/tls.crt", "out/tls.key", "out/ca.crt"],
        wrong: (&["out/tls.crt", "out/tls.key", "out/tls.crt"], "the intermediate in ca.crt", "not a root"),
        roots: "out/ca.crt",
        above: true,
    },
    Row {
        profile: "gloo-mesh",
        loader: "gloo-mesh",
        files: ISTIO,
        wrong: (NO_ROOT, "another root in root-cert.pem", UNKNOWN),
        roots: "out/root-cert.pem",
        above: true,
    },
    Row {
        profile: "ccm-pca",
        loader: "ccm-pca",
        files: &["bundle/certificate-body.pem", "key", "bundle/certificate-chain.pem"],
        wrong: (
            &["bundle/certificate-chain.pem", "key", "bundle/certificate-chain.pem"],
            "the root as certificate body",
            "does not match",
        ),
        roots: "bundle/certificate-chain.pem",
        above: true,
    },
    Row {
        profile: "spire",
        loader: "spire",
        files: &["out/upstream.pem", "out/upstream.key", "out/bundle.pem"],
        wrong: (
            &["other/low.pem", "other/low.key", "out/bundle.pem"],
            "a path length of 0",
            "too many intermediates",
        ),
        roots: "out/bundle.pem",
        above: true,
    },
    Row {
        profile: "linkerd",
        loader: "linkerd",
        files: &["out/tls.crt", "out/tls.key", "out/ca.crt"],
        wrong: (&["other/low.pem", "other/low.key", "other/p384.pem"], "a P-384 root", "trust anchor"),
        roots: "out/ca.crt",
        above: false,
    },
    Row {
        profile: "vault",
        loader: "vault",
        files: &["bundle/cert-chain.pem", "key"],
        wrong: (&["bundle/ca-cert.pem", "key"], "no root in the chain", "not a root"),
        roots: "bundle/root-cert.pem",
        above: false,
    },
    Row {
        profile: "ingress",
        loader: "istiod",
        files: &["out/ca-cert.pem", "out/ca-key.pem", "out/cert-chain.pem", "out/clients-root.pem"],
        wrong: (NO_ROOT, "another root for the clients", UNKNOWN),
        roots: "out/clients-root.pem",
        above: false,
    },
    Row {
        profile: "step-ca",
        loader: "step-ca",
        files: &["out/intermediate_ca.crt", "out/intermediate_ca_key", "out/root_ca.crt"],
        wrong: (
            &["out/intermediate_ca.crt", "out/intermediate_ca_key", "other/root.pem"],
            "another root in root_ca.crt",
            UNKNOWN,
        ),
        roots: "out/root_ca.crt",
        above: false,
    },
    Row {
        profile: "issuing-ca",
        loader: "gloo-mesh",
        files: ISTIO,
        wrong: (NO_ROOT, "another root in root-cert.pem", UNKNOWN),
        roots: "out/root-cert.pem",
        above: true,
    },
];

impl Row {
    /// What a workload of this name beneath the cluster shows, and what its peers trust.
    fn shown(&self, cluster: &Cluster, workload: &str) -> (Identity, Trust) {
        let mut ca = cluster.authority();
        if self.above {
            ca = ca.intermediate("below");
        }
        (ca.workload(workload), Trust::new(&cluster.read(self.roots), &[]))
    }
}

/// One for all tests: what is signed does not change.
fn fleet() -> &'static Fleet {
    static FLEET: LazyLock<Fleet> =
        LazyLock::new(|| Fleet::new(&ROWS.iter().map(|row| row.profile).collect::<Vec<_>>()));
    &FLEET
}

#[test]
fn every_consumer_loads_its_bundle_and_every_judge_believes_its_chains() {
    let fleet = fleet();
    let stranger = Trust::new(&fleet.read("other/root.pem"), &[]);
    let [(subject, trust), (judge, _)] =
        ["subject", "judge"].map(|name| ROWS[0].shown(&fleet.cluster("istio"), name));
    let mut mesh = Mesh::new(&[("subject", &subject, &trust), ("judge", &judge, &trust)]);
    let judges = JUDGES.map(|judge| judge.name).join(" | ");
    let mut table = format!("| profile | its consumer loads it | {judges} | its consumer refuses |\n");
    table.push_str(&format!("|---{}|\n", "|---".repeat(2 + JUDGES.len())));
    for row in ROWS {
        let cluster = fleet.cluster(row.profile);
        assert_eq!(cluster.load(row.loader, row.files), Ok(()), "{}", row.profile);
        let refusal = cluster.load(row.loader, row.wrong.0).expect_err(row.profile);
        assert!(refusal.contains(row.wrong.2), "{}: {refusal}", row.profile);
        table.push_str(&format!("| {} | yes |", row.profile));
        let (identity, trust) = row.shown(&cluster, "subject");
        for judge in JUDGES {
            let mut judge_by = |trust: &Trust| -> Verdict { (judge.judge)(&mut mesh, &identity, trust) };
            assert_eq!(judge_by(&trust), Ok(()), "{} of {}", judge.name, row.profile);
            judge_by(&stranger).expect_err(judge.name);
            table.push_str(" yes |");
        }
        table.push_str(&format!(" {} |\n", row.wrong.1));
    }
    let readme = include_str!("../README.md");
    assert!(readme.contains(&table), "the README's table of consumers is to be:\n{table}");
}

/// What the linter finds at the level of a notice or above, and why it stays.
const EXPLAINED: &[(&str, &str)] = &[];

#[test]
fn a_linter_finds_nothing_but_what_is_explained() {
    let fleet = fleet();
    for row in ROWS {
        for finding in judges::pkilint(&fleet.cluster(row.profile).path("bundle/ca-cert.pem")) {
            assert!(EXPLAINED.iter().any(|(known, _)| *known == finding), "{}: {finding}", row.profile);
        }
    }
    // It does find what is wrong.
    assert!(!judges::pkilint(&fleet.path("other/bare.pem")).is_empty());
}
