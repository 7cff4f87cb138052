//! Documents: policies, register, configuration.

use super::Scene::Root;
use super::{Row, Run, audit, here, inspect, sign};
use crate::appliance::Appliance;

/// The register with this at its top.
fn registered(a: &Appliance, text: &str) -> Run {
    a.edit("home/clusters.toml", "", text);
    inspect(a)
}

fn edited(a: &Appliance, file: &str, from: &str, to: &str) -> Run {
    a.edit(&format!("home/{file}"), from, to);
    inspect(a)
}

const ISTIO: &str = "policies/istio.toml";

pub fn rows() -> Vec<Row> {
    vec![
        here(
            "a policy edited and not pinned",
            Root,
            |a| edited(a, ISTIO, "default = \"60d\"", "default = \"30d\""),
            4,
            "home.edited",
            "policies/istio.toml was edited",
        )
        .told(
            "a document differs from the pinned one, is new, or is gone",
            "undo the edit; or, if it is meant, `policy pin`",
        ),
        here(
            "the register edited and not pinned",
            Root,
            |a| registered(a, "[clusters.east]\npolicy = \"istio\"\n"),
            4,
            "home.edited",
            "clusters.toml was edited",
        ),
        here(
            "the configuration edited and not pinned",
            Root,
            |a| edited(a, "anchorite.toml", "files = 2000", "files = 20"),
            4,
            "home.edited",
            "anchorite.toml was edited",
        ),
        here(
            "a document edited, and signed with",
            Root,
            |a| {
                edited(a, "anchorite.toml", "files = 2000", "files = 20");
                sign(a)
            },
            4,
            "home.edited",
            "policy pin",
        ),
        here(
            "a document edited, and audited",
            Root,
            |a| {
                edited(a, ISTIO, "default = \"60d\"", "default = \"30d\"");
                audit()
            },
            4,
            "home.edited",
            "journal whole, the home's files BROKEN",
        ),
        here(
            "a policy added",
            Root,
            |a| {
                std::fs::copy(a.path("home/policies/istio.toml"), a.path("home/policies/lax.toml")).unwrap();
                inspect(a)
            },
            4,
            "home.edited",
            "policies/lax.toml is new",
        ),
        here(
            "a policy taken away",
            Root,
            |a| {
                std::fs::remove_file(a.path("home/policies/issuing-ca.toml")).unwrap();
                inspect(a)
            },
            4,
            "home.edited",
            "policies/issuing-ca.toml is gone",
        ),
        here(
            "the register taken away",
            Root,
            |a| {
                std::fs::remove_file(a.path("home/clusters.toml")).unwrap();
                inspect(a)
            },
            4,
            "home.edited",
            "clusters.toml",
        ),
        here(
            "all policies taken away",
            Root,
            |a| {
                std::fs::remove_dir_all(a.path("home/policies")).unwrap();
                inspect(a)
            },
            2,
            "home.policies",
            "policies: cannot be read",
        )
        .told(
            "`policies/` is gone or cannot be read, or a file in it has an odd name",
            "put it back from a backup or an export; letters, digits and hyphens, `.toml` at the end",
        ),
        here(
            "a policy's name that steers",
            Root,
            |a| {
                a.write("home/policies/\u{1b}[2J.toml", "");
                inspect(a)
            },
            2,
            "home.policies",
            "\\u{1b}[2J.toml",
        ),
        here(
            "no TOML",
            Root,
            |a| edited(a, ISTIO, "path-length = 0", "path-length = "),
            2,
            "policy.parse",
            "istio.toml:18:",
        )
        .also(&["policy.unknown-key", "policy.missing-key", "policy.value", "register.unknown-policy", "config.unknown-key", "config.missing-key"])
        .told(
            "a document cannot be read: no TOML, a key unknown or missing, a value out of bounds; at that line and column",
            "correct it; `anchorite policy check` after each edit",
        ),
        here(
            "no TOML in the register",
            Root,
            |a| registered(a, "[clusters"),
            2,
            "register.parse",
            "clusters.toml:1:",
        ),
        here(
            "no TOML in the configuration",
            Root,
            |a| edited(a, "anchorite.toml", "[token]", "[token"),
            2,
            "config.parse",
            "anchorite.toml:",
        ),
        here(
            "a key mistyped",
            Root,
            |a| edited(a, ISTIO, "path-length", "path-lenght"),
            2,
            "policy.unknown-key",
            "did you mean 'path-length'?",
        ),
        here(
            "a key mistyped in the configuration",
            Root,
            |a| edited(a, "anchorite.toml", "[token]", "[tokne]"),
            2,
            "config.unknown-key",
            "did you mean 'token'?",
        ),
        here(
            "a key mistyped in the register",
            Root,
            |a| registered(a, "[clusters.east]\npolice = \"istio\"\n"),
            2,
            "register.unknown-key",
            "did you mean 'policy'?",
        ),
        here(
            "a value that cannot be",
            Root,
            |a| edited(a, ISTIO, "\"60d\"", "\"sixty days\""),
            2,
            "policy.value",
            "sixty days",
        ),
        here(
            "a value that cannot be, in the configuration",
            Root,
            |a| edited(a, "anchorite.toml", "files = 2000", "files = \"many\""),
            2,
            "config.value",
            "files",
        ),
        here(
            "a value that cannot be, in the register",
            Root,
            |a| registered(a, "[clusters.east]\npolicy = 7\n"),
            2,
            "register.value",
            "policy",
        ),
        here(
            "a value missing",
            Root,
            |a| edited(a, ISTIO, "path-length = 0\n", ""),
            2,
            "policy.missing-key",
            "path-length",
        ),
        here(
            "a value missing in the configuration",
            Root,
            |a| edited(a, "anchorite.toml", "uri = ", "# uri = "),
            2,
            "config.missing-key",
            "uri",
        ),
        here(
            "a value missing in the register",
            Root,
            |a| registered(a, "[clusters.east]\n"),
            2,
            "register.missing-key",
            "policy",
        ),
        here(
            "a default above its maximum",
            Root,
            |a| edited(a, ISTIO, "\"60d\"", "\"301d\""),
            2,
            "policy.default-above-maximum",
            "301d",
        ),
        here(
            "a policy that is not UTF-8",
            Root,
            |a| {
                a.write("home/policies/istio.toml", b"# caf\xe9\n");
                inspect(a)
            },
            2,
            "file.not-utf8",
            "istio.toml",
        ),
        here(
            "a policy of a megabyte and more",
            Root,
            |a| {
                a.write("home/policies/istio.toml", "#".repeat(5 << 20));
                inspect(a)
            },
            2,
            "file.too-large",
            "istio.toml",
        ),
        here(
            "a folder for a policy",
            Root,
            |a| {
                std::fs::remove_file(a.path("home/policies/istio.toml")).unwrap();
                std::fs::create_dir(a.path("home/policies/istio.toml")).unwrap();
                inspect(a)
            },
            2,
            "file.not-regular",
            "istio.toml",
        ),
        here(
            "a cluster with a policy that does not exist",
            Root,
            |a| registered(a, "[clusters.east]\npolicy = \"isti\"\n"),
            2,
            "register.unknown-policy",
            "did you mean 'istio'?",
        ),
        here(
            "a cluster that is no DNS label",
            Root,
            |a| registered(a, "[clusters.East_1]\npolicy = \"istio\"\n"),
            2,
            "register.cluster-id",
            "DNS label",
        ),
        here(
            "a cluster with another's subject",
            Root,
            |a| registered(a, "[clusters.east]\npolicy = \"istio\"\nsubject = \"O=Istio,L=west,CN=x\"\n"),
            2,
            "register.subject-cluster",
            "west",
        ),
        here(
            "two clusters with one subject",
            Root,
            |a| {
                let subject = "subject = \"O=Istio,OU=x,CN=x\"\n";
                registered(
                    a,
                    &format!(
                        "[clusters.a]\npolicy = \"istio\"\n{subject}[clusters.b]\npolicy = \"istio\"\n{subject}"
                    ),
                )
            },
            2,
            "register.duplicate-subject",
            "clusters.toml",
        ),
        here(
            "a home made attended by an edit",
            Root,
            |a| edited(a, "anchorite.toml", "unattended = true", "unattended = false"),
            2,
            "config.ceremony",
            "unattended = false",
        ),
    ]
}
