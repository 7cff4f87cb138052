//! What is refused to a consumer, early and with a reason.

use super::{ALL, Fleet, files};
use crate::appliance::Appliance;

/// Where CRLs have a place they are put there, elsewhere `--crl` is refused.
#[test]
fn crls_go_where_there_is_a_place_for_them() {
    let fleet = Fleet::released("p256");
    let set = std::fs::read(fleet.0.release().join("ca-crl.pem")).unwrap();
    for (name, _, made) in ALL.iter().filter(|(_, _, made)| !made.is_empty()) {
        let ran = fleet.assemble(name, &format!("made-{name}"), &["--crl"]);
        let file = match *name {
            "istio" | "issuing-ca" => "ca-crl.pem",
            "ingress" => "ca.crl",
            _ => {
                let ran = ran.fails(1, "assemble.crl-no-place");
                assert!(ran.stderr.contains("has no place for CRLs: "), "{}", ran.stderr);
                assert!(!fleet.0.path(&format!("made-{name}")).exists(), "{name}");
                continue;
            }
        };
        assert!(ran.code(0).stdout.contains("the fleet's set: CRL 1 of "), "{name}");
        let all = files(&fleet.0.path(&format!("made-{name}")));
        assert_eq!((all.len(), &all[file]), (made.len() + 1, &set), "{name}");
        let manifests = all.iter().filter(|(name, _)| name.ends_with(".yaml"));
        for (_, yaml) in manifests {
            assert!(String::from_utf8_lossy(yaml).contains(&format!("\n  {file}: ")), "{name}");
        }
    }
}

#[test]
fn a_secret_goes_where_its_consumer_finds_it() {
    let fleet = Fleet::released("p256");
    let head = |folder: &str, file: &str| {
        let text = std::fs::read_to_string(fleet.0.path(folder).join(file)).unwrap();
        text.split("\ntype:").next().unwrap().to_string()
    };
    for (name, file, place) in [
        ("cert-manager-issuer", "secret.yaml", "shop/root.issuer"),
        ("istio", "cacerts.yaml", "istio-east/cacerts"),
        ("gloo-mesh", "secret.yaml", "gloo/east.gloo"),
    ] {
        fleet.assemble(name, &format!("as-{name}"), &["--secret", place]).code(0);
        let (namespace, called) = place.split_once('/').unwrap();
        let wanted = format!("  name: \"{called}\"\n  namespace: \"{namespace}\"");
        assert!(head(&format!("as-{name}"), file).ends_with(&wanted), "{name}");
    }
    for (name, place, words) in [
        ("istio", "istio-system/mesh-ca", "a Secret called cacerts"),
        ("linkerd", "linkerd-east/linkerd-identity-issuer", "looks for linkerd/linkerd-identity-issuer"),
        ("gloo-mesh", "gloo-mesh/mesh-ca", "a dot in the name"),
        ("spire", "spire/upstream", "reads files, not a Secret"),
        ("cert-manager-issuer", "Shop/mesh-ca", "no namespace and name"),
        ("cert-manager-issuer", "shop/mesh ca", "no namespace and name"),
    ] {
        let ran = fleet.assemble(name, "never", &["--secret", place]).fails(2, "assemble.secret");
        assert!(ran.stderr.contains(words), "{name}: {}", ran.stderr);
    }
    fleet.assemble("istio", "never", &["--secret", "cacerts"]).fails(2, "command-line.usage");
    assert!(!fleet.0.path("never").exists());
}

/// `linkerd check` takes neither root; the vault's door stays shut for nothing.
#[test]
fn a_root_that_linkerd_would_not_take_is_refused_before_the_ceremony() {
    for (kind, rules) in
        [("p384", &["issuer.signature", "issuer.consumer"][..]), ("rsa3072", &["issuer.consumer"])]
    {
        let a = Appliance::with_root(kind);
        a.request_for("mesh", "linkerd");
        let stick = a.path("in");
        let inspect = ["inspect", "--policy", "linkerd", stick.to_str().unwrap(), "--json"];
        let seen = a.run(&inspect).code(1).json();
        let findings = seen["requests"][0]["findings"].as_array().unwrap();
        let refused: Vec<_> = findings
            .iter()
            .filter(|f| f["outcome"] == "refused")
            .map(|f| f["rule"].as_str().unwrap())
            .collect();
        assert_eq!(refused, rules, "{kind}");
    }
    // As early is a key that it does not take.
    let a = Appliance::with_root("p256");
    let (key, stick) = (a.path("mesh.key"), a.path("in"));
    let request = |profile: &str| {
        let of = ["request", "--cluster", "mesh", "--profile", profile, "--key", key.to_str().unwrap()];
        a.run(&[&of[..], &["--to", stick.to_str().unwrap(), "--algorithm", "p384"]].concat())
    };
    request("linkerd").fails(2, "request.key-algorithm");
    assert!(!key.exists(), "no key is made for it");
    request("ours").code(0);
    a.sign(&["--policy", "linkerd"]).fails(1, "plan.refusals").stderr.contains("key.algorithm");
}
