//! The cases of what comes around a request: object and sender.

use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::{Case, nothing, registered};
use crate::finding::Outcome;
use crate::intake::{BasicConstraintsClaim, ObjectKind, Usage};
use crate::policy::sample::{World, rsa, ssh_key};

/// Registers the cluster with this line, and puts its request into an object.
fn fixed(world: &mut World, line: &str) {
    registered(world, line);
    world.within(|_| ());
}

fn usages(names: &[&str]) -> Vec<Usage> {
    names.iter().map(|name| Usage::parse(name).unwrap()).collect()
}

fn asking(world: &mut World, names: &[&str]) {
    let usages = usages(names);
    world.within(|object| object.usages = usages);
}

fn sender(world: &mut World, seed: u8) {
    registered(world, &format!("sender = [\"{} ops\"]", ssh_key(seed)));
}

fn key_usage(world: &mut World, usage: impl Into<der::flagset::FlagSet<KeyUsages>>) {
    world.claims().key_usage = Some(KeyUsage(usage.into()));
}

pub(super) const CASES: &[Case] = &[
    (
        "register.namespace",
        |w| fixed(w, "namespace = \"istio-system\""),
        |w| fixed(w, "namespace = \"other\""),
        Outcome::Refused,
    ),
    // A plain request has no namespace.
    ("register.namespace", nothing, |w| registered(w, "namespace = \"istio-system\""), Outcome::Refused),
    (
        "register.name",
        |w| fixed(w, "name = \"mesh-ca-*\""),
        |w| fixed(w, "name = \"mesh-ca\""),
        Outcome::Refused,
    ),
    (
        "register.issuer",
        |w| fixed(w, "issuer = \"ClusterIssuer.cert-manager.io/anchorite\""),
        |w| fixed(w, "issuer = \"Issuer.cert-manager.io/anchorite\""),
        Outcome::Refused,
    ),
    (
        "register.signer-name",
        |w| {
            registered(w, "signer-name = \"example.org/root\"");
            w.within(|o| o.signer = Some("example.org/root".into()));
        },
        |w| fixed(w, "signer-name = \"example.org/root\""),
        Outcome::Refused,
    ),
    (
        "register.sender",
        |w| {
            sender(w, 1);
            w.signed(1);
        },
        |w| {
            sender(w, 1);
            w.signed(2);
        },
        Outcome::Refused,
    ),
    ("register.sender", nothing, |w| sender(w, 1), Outcome::Refused),
    ("register.sender", nothing, |w| w.signed(1), Outcome::Warning),
    ("register.sender", nothing, |w| w.set("request.sender", "\"warn\""), Outcome::Warning),
    (
        "register.sender",
        |w| {
            w.set("request.sender", "\"require\"");
            sender(w, 1);
            w.signed(1);
        },
        |w| {
            w.set("request.sender", "\"require\"");
            w.signed(1);
        },
        Outcome::Refused,
    ),
    ("object.is-ca", |w| w.within(|_| ()), |w| w.within(|o| o.is_ca = Some(false)), Outcome::Refused),
    (
        "object.contradiction",
        |w| {
            w.within(|_| ());
            w.claims().basic_constraints = Some(BasicConstraintsClaim { ca: true, path_len: None });
        },
        |w| {
            w.within(|_| ());
            w.claims().basic_constraints = Some(BasicConstraintsClaim { ca: false, path_len: None });
        },
        Outcome::Refused,
    ),
    // Every CA may sign certificates and CRLs, whoever lists it.
    (
        "object.contradiction",
        |w| {
            asking(w, &["digital signature", "cert sign"]);
            key_usage(w, KeyUsages::DigitalSignature | KeyUsages::CRLSign);
        },
        |w| {
            asking(w, &["cert sign"]);
            key_usage(w, KeyUsages::DigitalSignature | KeyUsages::KeyCertSign);
        },
        Outcome::Refused,
    ),
    (
        "object.contradiction",
        |w| {
            asking(w, &["server auth", "client auth"]);
            w.claims().extended_key_usage =
                usages(&["client auth", "server auth"]).iter().filter_map(|u| u.purpose()).collect();
        },
        |w| {
            asking(w, &["server auth"]);
            w.claims().extended_key_usage = usages(&["any"]).iter().filter_map(|u| u.purpose()).collect();
        },
        Outcome::Refused,
    ),
    (
        "object.consumer",
        |w| {
            w.set("release.consumer", "\"cert-manager-request\"");
            w.within(|_| ());
        },
        |w| {
            w.set("release.consumer", "\"kubernetes-csr\"");
            w.within(|_| ());
        },
        Outcome::Refused,
    ),
    (
        "object.consumer",
        |w| w.set("release.consumer", "\"cert-manager-request\""),
        |w| {
            w.set("release.consumer", "\"cert-manager-request\"");
            w.within(|o| o.namespace = None);
        },
        Outcome::Refused,
    ),
    (
        "claim.usages",
        |w| asking(w, &["signing", "cert sign", "crl sign"]),
        |w| asking(w, &["cert sign", "code signing"]),
        Outcome::Narrowed,
    ),
    (
        "claim.usages",
        |w| {
            w.set("claims.usages", "\"refuse\"");
            w.set("extensions.extended-key-usage", "[\"serverAuth\", \"clientAuth\"]");
            asking(w, &["digital signature", "server auth"]);
        },
        |w| {
            w.set("claims.usages", "\"refuse\"");
            asking(w, &["key encipherment"]);
        },
        Outcome::Refused,
    ),
    // What nobody asked for is dropped, never refused; with an RSA key it can be granted.
    (
        "claim.usages",
        |w| {
            w.set_all([
                ("claims.usages", "\"refuse\""),
                ("key-usage.if-asked", "[\"digitalSignature\", \"keyEncipherment\"]"),
            ]);
            w.request().key = rsa(2048);
            w.within(|_| ());
        },
        |w| {
            w.set("claims.usages", "\"refuse\"");
            w.within(|_| ());
        },
        Outcome::Narrowed,
    ),
    (
        "claim.key-usage",
        nothing,
        |w| {
            w.set("claims.key-usage", "\"refuse\"");
            w.within(|_| ());
            key_usage(w, KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment | KeyUsages::KeyCertSign);
        },
        Outcome::Narrowed,
    ),
    (
        "claim.key-usage",
        nothing,
        |w| {
            w.set("claims.key-usage", "\"refuse\"");
            w.within(|o| o.kind = ObjectKind::CertificateSigningRequest);
            key_usage(w, KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment);
        },
        Outcome::Refused,
    ),
];

/// Each key that binds a cluster changes the decision on a request that came without it.
#[test]
fn no_key_of_the_register_decides_nothing() {
    let mut world = World::new();
    world.forced = None;
    registered(&mut world, "");
    let decided = |world: &World| world.decide().grant.map(|grant| grant.policy().to_owned());
    let before = decided(&world);
    assert!(before.is_some());
    let keys = [
        "policy = \"issuing-ca\"".to_owned(),
        "subject = \"O=Istio,L=east,CN=other\"".into(),
        "namespace = \"a\"".into(),
        "name = \"a\"".into(),
        "issuer = \"Issuer.cert-manager.io/a\"".into(),
        "signer-name = \"a.example/b\"".into(),
        format!("sender = [\"{}\"]", ssh_key(1)),
    ];
    for line in &keys {
        let policy = if line.starts_with("policy") { "" } else { "policy = \"istio\"\n" };
        world.register = format!("[clusters.east]\n{policy}{line}\n");
        assert_ne!(decided(&world), before, "{line}");
    }
    let unknown = crate::policy::Register::parse(
        "clusters.toml",
        "[clusters.east]\npolicy = \"istio\"\nno-such-key = 1",
    );
    let known = unknown.unwrap_err().next;
    let known: Vec<&str> = known.strip_prefix("known here: ").unwrap().split(", ").collect();
    let tried: Vec<&str> = keys.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(known, tried);
}
