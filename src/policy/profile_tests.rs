//! What makes a policy file unfit, each fault under its name and at its place.

use super::sample::World;
use super::{Profile, SHIPPED};
use crate::error::Error;

/// The error that a changed istio policy brings.
fn error(key: &str, value: &str) -> Error {
    let mut world = World::new();
    world.set(key, value);
    world.try_policies().unwrap_err()
}

/// Linkerd takes P-256 alone: what a policy grants beside it could never be loaded.
#[test]
fn a_consumer_of_one_kind_of_key_has_no_other_granted() {
    let mut world = World::new();
    world.set("release.consumer", "\"linkerd\"");
    let e = world.try_policies().unwrap_err();
    assert_eq!(e.id, "policy.value");
    assert!(
        e.message.contains("key.algorithms: found ") && e.message.contains("the consumer linkerd"),
        "{e}"
    );
    world.set("key.algorithms", "[\"p256\"]");
    world.try_policies().unwrap();
    world.set("key.algorithms", "[\"p256\", \"p384\"]");
    assert!(world.try_policies().unwrap_err().message.contains("key.algorithms: found p384, want"));
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (key, value) in [
        ("path-length", "-1"),
        ("path-length", "256"),
        ("path-length", "\"0\""),
        ("validity.default", "\"60 days\""),
        ("validity.default", "60"),
        ("validity.minimum", "\"0s\""),
        ("validity.minimum", "\"61d\""),
        ("validity.backdate", "\"25h\""),
        ("key.algorithms", "[]"),
        ("key.algorithms", "[\"p521\"]"),
        ("key.rsa-minimum", "1024"),
        ("key.rsa-maximum", "2047"),
        ("key.rsa-maximum", "32768"),
        ("signature.algorithms", "[]"),
        ("signature.algorithms", "[\"ecdsa-sha1\"]"),
        ("subject.required", "[\"OU\"]"),
        ("subject.required", "[\"XY\"]"),
        ("subject.cluster-id", "\"OU\""),
        ("subject.fixed", "{ L = \"east\" }"),
        ("subject.fixed", "{ OU = \"x\" }"),
        ("subject.fixed", "{ O = \"\" }"),
        ("subject.max-length", "{ CN = 65 }"),
        ("subject.max-length", "{ CN = 0 }"),
        ("key-usage.if-asked", "[\"keyCertSign\"]"),
        ("extensions.extended-key-usage", "[\"none\"]"),
        ("extensions.permitted-names", "[\"dns:.example.org\"]"),
        ("extensions.excluded-names", "[\"uri:spiffe://cluster.local\"]"),
        ("extensions.certificate-policies", "[\"cps\"]"),
        ("extensions.crl-distribution-points", "[\"https://example.org/crl\"]"),
        ("extensions.ca-issuers", "[\"http://\"]"),
        ("subject-alt-name.dns-suffixes", "[\"*.example.org\"]"),
        ("subject-alt-name.uri-prefixes", "[\"spiffe://example.org\"]"),
        ("claims.key-usage", "\"grant\""),
        ("renewal.same-key", "true"),
        ("renewal.spacing", "\"soon\""),
        ("release.consumer", "\"linkerd2\""),
    ] {
        let e = error(key, value);
        assert_eq!(e.id, "policy.value", "{key} = {value}: {e}");
        let section = key.split('.').next().unwrap();
        assert!(e.message.starts_with("policies/istio.toml:") && e.message.contains(section), "{e}");
        assert!(!e.next.is_empty(), "{e}");
    }
}

/// With a path length of 0 it would be signed and loaded, and nothing below it verify.
#[test]
fn a_consumer_that_makes_cas_has_room_for_them() {
    for consumer in ["gloo-mesh", "ccm-pca", "spire"] {
        let mut world = World::new();
        world.set("release.consumer", &format!("\"{consumer}\""));
        let e = world.try_policies().unwrap_err();
        assert_eq!(e.id, "policy.value", "{e}");
        assert!(e.message.contains("path-length: found 0, want 1 or more"), "{e}");
        world.set("path-length", "1");
        world.try_policies().unwrap();
    }
}

#[test]
fn a_default_above_its_maximum_is_named_with_its_line() {
    let text = "path-length = 0\n[validity]\nmaximum = \"60d\"\ndefault = \"1441h\"\n";
    let e = Profile::parse("policies/x.toml", text).unwrap_err();
    assert_eq!(e.id, "policy.default-above-maximum");
    let wanted = "policies/x.toml:4:11: validity.default: found 1441h (5187600s), want at most validity.maximum, 60d (1440h)";
    assert_eq!(e.message, wanted);
}

#[test]
fn unknown_keys_are_fatal_and_near_ones_suggested() {
    let e = error("validity.defualt", "\"60d\"");
    assert_eq!((e.id, e.next.as_str()), ("policy.unknown-key", "did you mean 'default'?"));
    let e = error("rsa_minimum", "2048");
    assert!(
        e.id == "policy.unknown-key" && e.next.starts_with("known here: path-length, validity, "),
        "{e:?}"
    );
    let e = error("subject.fixed", "{ Organisation = \"x\" }");
    assert_eq!(e.id, "policy.value", "{e}");
}

#[test]
fn missing_keys_and_broken_files_have_their_names() {
    let id = |file: &str, text: &str| Profile::parse(file, text).unwrap_err().id;
    assert_eq!(id("x.toml", "path-length = 0"), "policy.missing-key");
    assert_eq!(id("x.toml", "path-length = 0\n[validity]\ndefault = \"1d\""), "policy.missing-key");
    assert_eq!(id("x.toml", "path-length = 0\npath-length = 1"), "policy.parse");
    assert_eq!(id("x.toml", "\0"), "policy.parse");
    assert_eq!(id("policies/My Policy.toml", SHIPPED[0].1), "policy.name");
}

#[test]
fn two_policies_of_one_name_are_refused() {
    let mut world = World::new();
    let twin = ("other/istio.toml".to_owned(), world.policies[0].1.clone());
    world.policies.push(twin);
    assert_eq!(world.try_policies().unwrap_err().id, "policy.name");
}

#[test]
fn what_is_left_out_is_strict() {
    let text = "path-length = 0\n[validity]\ndefault = \"60d\"\nmaximum = \"60d\"\n";
    let profile = Profile::parse("x.toml", text).unwrap();
    assert!(profile.key_usage.if_asked.is_empty());
    assert_eq!(*profile.claims.basic_constraints, super::Mode::Refuse);
    assert_eq!(*profile.renewal.same_subject, super::Permission::Refuse);
    assert_eq!(profile.source(&profile.renewal.same_key), "x.toml (default)");
}
