//! `precheck` and `verify --installed`: the policies away from the home, and what clusters
//! have loaded.

use super::Scene::Root;
use super::Seen::Id;
use super::{Row, Run, by, here};
use crate::appliance::Appliance;

/// An export of the home's policies, with something done to it, and requests judged by it.
fn precheck(a: &Appliance, change: impl FnOnce(&std::path::Path), more: &[&str]) -> Run {
    std::fs::create_dir(a.path("archive")).unwrap();
    a.run(&["policy", "export", "--to", &a.arg("archive")]).code(0);
    let export = std::fs::read_dir(a.path("archive")).unwrap().next().unwrap().unwrap().path();
    change(&export);
    let stick = a.arg("in");
    Run::of(&["precheck", "--policies", export.to_str().unwrap(), &stick]).and(more)
}

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a request that the exported register does not know",
            Root,
            |a| precheck(a, |_| (), &[]),
            1,
            "register.unknown-cluster",
            "not registered",
        ),
        here(
            "exported policies that somebody edited",
            Root,
            |a| {
                let edit = |export: &std::path::Path| {
                    let policy = export.join("policies/istio.toml");
                    let text = std::fs::read_to_string(&policy).unwrap();
                    std::fs::write(policy, text + "# longer, please\n").unwrap();
                };
                precheck(a, edit, &[])
            },
            4,
            "export.changed",
            "policies/istio.toml",
        )
        .also(&["export.unreadable"])
        .told("exported policies were changed, or not copied whole", "fetch the export again, or make it anew: `anchorite policy export`"),
        here(
            "a folder without an export",
            Root,
            |a| precheck(a, |export| std::fs::remove_file(export.join("export.json")).unwrap(), &[]),
            2,
            "export.missing",
            "export.json",
        ),
        here(
            "a ceremony before the record",
            Root,
            |a| precheck(a, |_| (), &["--at", "2020-01-01T00:00:00Z"]),
            2,
            "precheck.at",
            "2020-01-01",
        )
        .told("the ceremony would lie before what the export knows of", "`--at` with its day; else see to this host's clock"),
        by("installed.rs::each_defect_of_cacerts_is_named", "a chain that peers refuse", 4, Id("installed.chain-order"))
            .also(&[
                "installed.chain-incomplete", "installed.ca-cert", "installed.missing", "installed.pem",
                "installed.newline", "installed.base64", "installed.not-a-ca", "installed.key-purpose",
                "installed.linkerd-key",
            ])
            .told(
                "what a cluster loaded is not whole or not in order: its consumer may take it, peers or the next reload will not",
                "load what `anchorite assemble` makes, and nothing by hand",
            ),
        by("installed.rs::each_defect_of_cacerts_is_named", "an island", 4, Id("installed.not-a-root"))
            .also(&["installed.chain-root", "installed.root-first", "installed.island"])
            .told(
                "the cluster does not trust the root of its own chain, or of a peer's: an island",
                "the trust bundle of the stage that all of them are at: `ceremony/rotate-root.md`",
            ),
        by("installed.rs::each_defect_of_cacerts_is_named", "another trust bundle by its bytes", 4, Id("installed.multi-root"))
            .told(
                "root-cert.pem is not byte for byte what was released: Istio takes it for another, or for several roots",
                "load the release's file itself",
            ),
        by("installed.rs::each_defect_of_cacerts_is_named", "a stranger's root", 4, Id("installed.root"))
            .also(&["installed.v1-root"])
            .told("a root is trusted that nobody noted, or that is none", "stop: ask who loaded it, and who holds its key"),
        by("installed.rs::each_defect_of_cacerts_is_named", "a key that does not belong", 4, Id("installed.key-mismatch"))
            .also(&["installed.key-parameters", "installed.same-key", "installed.same-subject"])
            .told("key and certificate are not one pair, or one pair is in two clusters", "`anchorite request` for a new one, `anchorite assemble` to join it"),
        by("installed.rs::each_defect_of_cacerts_is_named", "a key among certificates", 4, Id("installed.private-key"))
            .told("a private key stands in a file that everybody may read", "a new key and request; the old certificate revoked"),
        by("installed.rs::each_defect_of_cacerts_is_named", "a Secret that is read otherwise", 4, Id("installed.tls-wins"))
            .also(&["installed.istio-generated"])
            .told("an entry of the Secret has istiod read or write something else", "remove that entry"),
        by("installed.rs::each_defect_of_cacerts_is_named", "CRLs that cut everybody off", 4, Id("installed.crl-lacking"))
            .also(&["installed.crl", "installed.crl-expired", "installed.crl-peer", "installed.revoked"])
            .told("with these CRLs Envoy refuses peers, or all of them", "the newest set in every cluster: `anchorite crl`, `assemble --crl`"),
        by("installed/signs.rs::a_ca_that_may_not_sign_is_named", "a CA that others do not accept", 4, Id("installed.key-usage"))
            .also(&["installed.path-length", "installed.key-kind"])
            .told("others refuse what this CA signs: its key usage, its path length, or the kind of a key", "a certificate under a policy that fits the consumer"),
        by("installed/given.rs::loose_files_of_linkerds_beneath_another_root_are_named", "a root that Linkerd refuses", 4, Id("installed.linkerd-root"))
            .told("Linkerd refuses a root whose key is neither P-256 nor RSA of 2048 or 4096 bits", "a change of roots to one that it takes"),
        by("installed/signs.rs::the_roots_own_key_in_a_cluster_is_named", "the root's own key", 4, Id("installed.root-key"))
            .told("the root itself, self-signed, is the cluster's CA", "an intermediate of an offline root, and a change of roots"),
        by("installed/given.rs::what_its_consumer_does_not_look_for_is_named", "a Secret in another place", 4, Id("installed.place"))
            .told("its consumer looks for another name, or in another namespace: exit 4 where nothing can read it, 1 where it may", "load it where `anchorite assemble` writes it"),
        by("installed/given.rs::what_cannot_be_read_does_not_silence_the_rest", "a file that cannot be read beside a CA's", 0, Id("installed.passed-over"))
            .also(&["installed.key-encrypted"])
            .told("a file that no consumer is known to read was passed over, or a key that step-ca alone can read", "nothing, unless it was meant"),
        by("installed/inside.rs::a_secret_without_a_name_is_refused", "a Secret without a name", 2, Id("installed.nameless"))
            .told("a Secret or ConfigMap whose metadata.name is no text: nothing tells who loads it", "print it with `kubectl get`"),
        by("installed/inside.rs::a_root_without_a_crl_is_told", "CRLs of one of two roots", 1, Id("installed.crl-root"))
            .told("of a root in the trust bundle there is no CRL: peers beneath it are refused", "the set of a release that holds both roots"),
        by("installed.rs::each_defect_of_cacerts_is_named", "something that ran out", 4, Id("installed.expired"))
            .also(&["installed.not-yet-valid", "installed.crl-not-yet-valid"])
            .told("a certificate or CRL is not in force now", "the next one; see to the clock"),
        by("installed.rs::each_defect_of_cacerts_is_named", "something that is due", 1, Id("installed.expires"))
            .also(&["installed.crl-expires", "installed.roots-differ", "installed.crl-unused", "installed.rehearsal"])
            .told("it works as yet: it ends soon, differs between clusters, or is not for real use", "as the line says"),
        by("installed.rs::each_defect_of_cacerts_is_named", "nothing of a CA's", 2, Id("installed.nothing"))
                .told("neither files nor a Secret that a CA's consumer loads", "the folder or the Secret with `ca-cert.pem`, `tls.crt` or a trust bundle in it"),
    ]
}
