//! Every rule accepts, and every rule refuses (or narrows, or warns, where it
//! cannot refuse).

mod crl;
mod origin;

use std::collections::BTreeSet;

use const_oid::db::rfc5280;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::{BY_RECORD, Check, RULES};
use crate::finding::Outcome;
use crate::intake::{BasicConstraintsClaim, CRL_RULES};
use crate::policy::sample::{UNKNOWN, World, dns, l_as_null, p256, p521, request, request_named, rsa};
use crate::x509::{Issuer, Name, Seconds, SignatureAlgorithm, Status};

type Change = fn(&mut World);
/// Rule, a world it accepts, a world it does not, and what it says of the latter.
type Case = (&'static str, Change, Change, Outcome);

fn nothing(_: &mut World) {}

fn subject(world: &mut World, text: &str) {
    *world.request() = request(text, 1);
}

/// Another root on record, with a key of its own.
fn companion(world: &mut World, name: &str) {
    let subject = Name::parse(name).unwrap();
    world.companions.push(Issuer { subject, public_key: p256(201), ..world.issuer.clone() });
}

fn ask_for(world: &mut World, span: &str) {
    world.claims().duration = Some(Seconds::parse(span).unwrap());
}

fn registered(world: &mut World, more: &str) {
    world.register = format!("[clusters.east]\npolicy = \"istio\"\n{more}");
}

fn outlived(world: &mut World, left: &str) {
    world.issuer.not_after = world.now + Seconds::parse(left).unwrap();
}

fn of_linkerd(world: &mut World, span: &str) {
    world.set("release.consumer", "\"linkerd\"");
    world.set("key.algorithms", "[\"p256\"]");
    ask_for(world, span);
}

const BASIC: BasicConstraintsClaim = BasicConstraintsClaim { ca: true, path_len: Some(0) };

const CASES: &[Case] = &[
    ("cluster.id", nothing, |w| subject(w, "O=Istio,L=east_1,CN=x"), Outcome::Refused),
    ("cluster.id", nothing, |w| subject(w, "O=Istio,L=east,L=west,CN=x"), Outcome::Refused),
    ("cluster.id", nothing, |w| subject(w, "O=Istio,CN=x"), Outcome::Refused),
    ("cluster.reserved", nothing, |w| subject(w, "O=Istio,L=journal,CN=x"), Outcome::Refused),
    ("cluster.reserved", nothing, |w| subject(w, "O=Istio,L=con,CN=x"), Outcome::Refused),
    ("subject.rehearsal", nothing, |w| subject(w, "O=Istio,L=east,CN=A REHEARSAL"), Outcome::Refused),
    (
        "subject.rehearsal",
        |w| {
            subject(w, "O=Istio,L=east,CN=A REHEARSAL");
            w.issuer.subject = Name::parse("CN=Root REHEARSAL").unwrap();
        },
        |w| subject(w, "O=Istio,L=east,CN=REHEARSAL"),
        Outcome::Refused,
    ),
    ("policy.unknown", nothing, |w| w.forced = Some("istoi".into()), Outcome::Refused),
    ("policy.unknown", nothing, |w| w.claims().profile = Some("\u{1b}".into()), Outcome::Refused),
    (
        "register.unknown-cluster",
        |w| {
            registered(w, "");
            w.forced = None;
        },
        |w| w.forced = None,
        Outcome::Refused,
    ),
    (
        "register.ambiguous",
        |w| registered(w, ""),
        |w| {
            w.register = "[clusters.a]\npolicy = \"istio\"\n[clusters.b]\npolicy = \"istio\"".into();
            subject(w, "O=Istio,L=a,L=b,CN=x");
        },
        Outcome::Refused,
    ),
    (
        "register.policy",
        |w| registered(w, ""),
        |w| {
            registered(w, "");
            w.forced = Some("issuing-ca".into());
        },
        Outcome::Refused,
    ),
    (
        "register.wish",
        |w| w.claims().profile = Some("istio".into()),
        |w| w.claims().profile = Some("issuing-ca".into()),
        Outcome::Refused,
    ),
    (
        "register.subject",
        |w| registered(w, "subject = \"O=Istio,L=east,CN=root\""),
        |w| registered(w, "subject = \"O=Istio,L=east,CN=other\""),
        Outcome::Refused,
    ),
    (
        "batch.duplicate",
        |w| w.requests.push(request("O=Istio,L=west,CN=root", 2)),
        |w| w.requests.push(request("O=Istio,L=east,CN=root", 1)),
        Outcome::Refused,
    ),
    (
        "batch.cluster-twice",
        |w| w.requests.push(request("O=Istio,L=west,CN=root", 2)),
        |w| w.requests.push(request("O=Istio,L=east,CN=two", 2)),
        Outcome::Refused,
    ),
    (
        "subject.empty",
        nothing,
        |w| *w.request() = request_named(Name::from_der(&[0x30, 0]).unwrap(), 1),
        Outcome::Refused,
    ),
    ("subject.encoding", nothing, |w| *w.request() = request_named(l_as_null(), 1), Outcome::Refused),
    ("subject.characters", nothing, |w| subject(w, "O=Istio,L=east,CN=a\u{202e}b"), Outcome::Refused),
    (
        "subject.characters",
        |w| subject(w, "O=Istio,L=east,CN=é 网"),
        |w| subject(w, "O=Istio,L=east,CN=a\u{a0}b"),
        Outcome::Refused,
    ),
    ("subject.issuer", nothing, |w| subject(w, "O=Example,CN=Example Root G1"), Outcome::Refused),
    ("subject.issuer", nothing, |w| subject(w, "O=EXAMPLE,CN=Example  root g1"), Outcome::Refused),
    (
        "subject.issuer",
        |w| companion(w, "CN=Root B"),
        |w| {
            companion(w, "CN=Root B");
            subject(w, "CN=root  B");
        },
        Outcome::Refused,
    ),
    ("subject.required", nothing, |w| subject(w, "L=east,CN=x"), Outcome::Refused),
    ("subject.allowed", nothing, |w| subject(w, "O=Istio,OU=x,L=east,CN=x"), Outcome::Refused),
    ("subject.fixed", nothing, |w| subject(w, "O=istio,L=east,CN=x"), Outcome::Refused),
    ("subject.fixed", nothing, |w| subject(w, "O=Istio,O=Other,L=east,CN=x"), Outcome::Refused),
    (
        "subject.length",
        |w| subject(w, &format!("O=Istio,L=east,CN={}", "é".repeat(64))),
        |w| subject(w, &format!("O=Istio,L=east,CN={}", "x".repeat(65))),
        Outcome::Refused,
    ),
    (
        "subject.length",
        |w| subject(w, &format!("O=Istio,L=east{}", ",CN=x".repeat(14))),
        |w| subject(w, &format!("O=Istio,L=east{}", ",CN=x".repeat(15))),
        Outcome::Refused,
    ),
    ("key.algorithm", nothing, |w| w.request().key = p521(), Outcome::Refused),
    ("key.rsa-size", |w| w.request().key = rsa(2048), |w| w.request().key = rsa(2040), Outcome::Refused),
    ("key.rsa-size", |w| w.request().key = rsa(4096), |w| w.request().key = rsa(4104), Outcome::Refused),
    ("key.issuer", nothing, |w| w.request().key = w.issuer.public_key.clone(), Outcome::Refused),
    (
        "key.issuer",
        |w| companion(w, "CN=Root B"),
        |w| {
            companion(w, "CN=Root B");
            w.request().key = w.companions[0].public_key.clone();
        },
        Outcome::Refused,
    ),
    (
        "key.one-subject",
        |w| w.issued(1, "O=Istio,L=east,CN=root", Status::Burnt),
        |w| w.issued(1, "O=Istio,L=east,CN=before", Status::Burnt),
        Outcome::Refused,
    ),
    (
        "key.one-subject",
        |w| w.requests.push(request("O=Istio,L=west,CN=root", 2)),
        |w| w.requests.push(request("O=Istio,L=west,CN=root", 1)),
        Outcome::Refused,
    ),
    (
        "renewal.same-key",
        |w| w.issued(1, "O=Istio,L=east,CN=root", Status::Burnt),
        |w| w.issued(1, "O=Istio,L=east,CN=root", Status::Open),
        Outcome::Refused,
    ),
    (
        "renewal.same-subject",
        |w| w.issued(2, "O=Istio,L=east,CN=before", Status::Released),
        |w| w.issued(2, "O=Istio,L=east,CN=root", Status::Burnt),
        Outcome::Refused,
    ),
    (
        "renewal.same-subject",
        nothing,
        |w| w.requests.push(request("O=Istio,L=east,CN=root", 2)),
        Outcome::Refused,
    ),
    (
        "renewal.spacing",
        |w| {
            w.set("renewal.spacing", "\"29d\"");
            w.issued(2, "O=Istio,L=east,CN=before", Status::Released);
        },
        |w| {
            w.set("renewal.spacing", "\"30d\"");
            w.issued(2, "O=Istio,L=east,CN=before", Status::Signed);
        },
        Outcome::Refused,
    ),
    (
        "renewal.spacing",
        |w| {
            w.set("renewal.spacing", "\"90d\"");
            w.issued(2, "O=Istio,L=east,CN=before", Status::Burnt);
        },
        |w| {
            w.set("renewal.spacing", "\"90d\"");
            w.issued(2, "O=Istio,L=east,CN=before", Status::Open);
        },
        Outcome::Refused,
    ),
    ("issuer.course", nothing, |w| w.forbidden = Some("the root is retired"), Outcome::Refused),
    (
        "issuer.consumer",
        |w| {
            w.set("release.consumer", "\"linkerd\"");
            w.set("key.algorithms", "[\"p256\"]");
            w.issuer.public_key = rsa(4096);
        },
        |w| {
            w.set("release.consumer", "\"linkerd\"");
            w.set("key.algorithms", "[\"p256\"]");
            w.issuer.public_key = rsa(3072);
        },
        Outcome::Refused,
    ),
    ("issuer.signature", nothing, |w| w.issuer.signature = SignatureAlgorithm::RsaSha512, Outcome::Refused),
    ("issuer.signature", nothing, |w| w.issuer.signature = SignatureAlgorithm::Ed25519, Outcome::Warning),
    (
        "path-length.issuer",
        |w| w.issuer.path_len = Some(1),
        |w| w.issuer.path_len = Some(0),
        Outcome::Refused,
    ),
    (
        "path-length.issuer",
        nothing,
        |w| {
            w.forced = Some("issuing-ca".into());
            w.issuer.path_len = Some(1);
        },
        Outcome::Refused,
    ),
    ("validity.maximum", |w| ask_for(w, "300d"), |w| ask_for(w, "301d"), Outcome::Refused),
    (
        "validity.maximum",
        nothing,
        |w| {
            w.set("claims.validity", "\"narrow\"");
            ask_for(w, "301d");
        },
        Outcome::Narrowed,
    ),
    ("validity.minimum", |w| ask_for(w, "7d"), |w| ask_for(w, "6d"), Outcome::Refused),
    ("validity.minimum", |w| outlived(w, "7d"), |w| outlived(w, "6d"), Outcome::Refused),
    ("validity.issuer", |w| outlived(w, "60d"), |w| outlived(w, "59d"), Outcome::Narrowed),
    (
        "validity.issuer",
        |w| ask_for(w, "90d"),
        |w| {
            outlived(w, "89d");
            ask_for(w, "90d");
        },
        Outcome::Refused,
    ),
    ("validity.issuer", nothing, |w| w.issuer.not_before = w.now + Seconds(1), Outcome::Refused),
    ("validity.expired", nothing, |w| w.issuer.not_after = w.now, Outcome::Refused),
    ("validity.expired", nothing, |w| w.claims().duration = Some(Seconds(0)), Outcome::Refused),
    ("validity.remaining", |w| outlived(w, "120d"), |w| outlived(w, "119d"), Outcome::Warning),
    ("validity.consumer", |w| of_linkerd(w, "60d"), |w| of_linkerd(w, "59d"), Outcome::Warning),
    (
        "claim.basic-constraints",
        |w| w.claims().basic_constraints = Some(BASIC),
        |w| w.claims().basic_constraints = Some(BasicConstraintsClaim { ca: false, path_len: None }),
        Outcome::Narrowed,
    ),
    (
        "claim.basic-constraints",
        nothing,
        |w| {
            w.set("claims.basic-constraints", "\"refuse\"");
            w.claims().basic_constraints = Some(BasicConstraintsClaim { path_len: Some(1), ..BASIC });
        },
        Outcome::Refused,
    ),
    (
        "claim.key-usage",
        |w| w.claims().key_usage = Some(KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign)),
        |w| w.claims().key_usage = Some(KeyUsage(KeyUsages::KeyEncipherment.into())),
        Outcome::Narrowed,
    ),
    (
        "claim.key-usage",
        |w| {
            w.set("key-usage.if-asked", "[\"keyEncipherment\"]");
            w.request().key = rsa(2048);
            w.claims().key_usage = Some(KeyUsage(KeyUsages::KeyEncipherment.into()));
        },
        |w| {
            w.set("key-usage.if-asked", "[\"keyEncipherment\"]");
            w.set("claims.key-usage", "\"refuse\"");
            w.claims().key_usage = Some(KeyUsage(KeyUsages::KeyEncipherment.into()));
        },
        Outcome::Refused,
    ),
    (
        "claim.extended-key-usage",
        |w| {
            w.set("extensions.extended-key-usage", "[\"serverAuth\", \"clientAuth\"]");
            w.claims().extended_key_usage = vec![rfc5280::ID_KP_SERVER_AUTH];
        },
        |w| w.claims().extended_key_usage = vec![rfc5280::ID_KP_SERVER_AUTH],
        Outcome::Narrowed,
    ),
    (
        "claim.extended-key-usage",
        nothing,
        |w| {
            w.set("claims.extended-key-usage", "\"refuse\"");
            w.claims().extended_key_usage = vec![rfc5280::ID_KP_SERVER_AUTH];
        },
        Outcome::Refused,
    ),
    (
        "claim.subject-alt-name",
        |w| {
            w.set("subject-alt-name.dns-suffixes", "[\"example.org\"]");
            w.claims().subject_alt_name = Some(vec![dns("ca.example.org")]);
        },
        |w| w.claims().subject_alt_name = Some(vec![dns("istiod.istio-system.svc")]),
        Outcome::Narrowed,
    ),
    (
        "claim.subject-alt-name",
        nothing,
        |w| {
            w.set("claims.subject-alt-name", "\"refuse\"");
            w.claims().subject_alt_name = Some(vec![dns("istiod.istio-system.svc")]);
        },
        Outcome::Refused,
    ),
    (
        "claim.subject-key-identifier",
        |w| w.claims().subject_key_id = Some(p256(1).key_id_sha1()),
        |w| w.claims().subject_key_id = Some(vec![1; 20]),
        Outcome::Narrowed,
    ),
    (
        "claim.subject-key-identifier",
        |w| w.claims().subject_key_id = Some(p256(1).key_id()),
        |w| {
            w.set("claims.subject-key-identifier", "\"refuse\"");
            w.claims().subject_key_id = Some(vec![1; 20]);
        },
        Outcome::Refused,
    ),
    (
        "extension.critical",
        |w| w.claims().other_extensions = vec![(UNKNOWN, false)],
        |w| w.claims().other_extensions = vec![(UNKNOWN, true)],
        Outcome::Refused,
    ),
    (
        "claim.other-extensions",
        nothing,
        |w| {
            w.set("claims.other-extensions", "\"refuse\"");
            w.claims().other_extensions = vec![(UNKNOWN, false)];
        },
        Outcome::Refused,
    ),
    (
        "claim.other-attributes",
        nothing,
        |w| {
            w.set("claims.other-attributes", "\"refuse\"");
            w.claims().other_attributes = vec![UNKNOWN];
        },
        Outcome::Refused,
    ),
    (
        "name-constraints.uri",
        |w| w.set("extensions.permitted-names", "[\"dns:example.org\"]"),
        |w| w.set("extensions.excluded-names", "[\"uri:example.org\"]"),
        Outcome::Warning,
    ),
    (
        "extended-key-usage.tls",
        |w| w.set("extensions.extended-key-usage", "[\"serverAuth\", \"clientAuth\"]"),
        |w| w.set("extensions.extended-key-usage", "[\"serverAuth\"]"),
        Outcome::Warning,
    ),
];

#[test]
fn each_rule_accepts_and_does_not() {
    for (rule, accept, other, outcome) in CASES.iter().chain(crl::CASES).chain(origin::CASES) {
        let mut world = World::new();
        accept(&mut world);
        let found = world.finding(rule);
        assert!(matches!(found.outcome, Outcome::Pass | Outcome::Granted), "{found:?}");
        let mut world = World::new();
        other(&mut world);
        let found = world.finding(rule);
        assert_eq!(found.outcome, *outcome, "{found:?}");
        assert!(!found.found.is_empty() && !found.wanted.is_empty(), "{found:?}");
        assert!(!found.message.contains('\u{1b}') && !found.message.contains('\u{202e}'), "{found:?}");
    }
}

#[test]
fn no_rule_is_without_its_cases() {
    for rule in RULES.iter().filter(|rule| !matches!(rule.check, Check::Serial)) {
        assert!(
            CASES.iter().chain(crl::CASES).chain(origin::CASES).any(|(id, ..)| *id == rule.id),
            "{}",
            rule.id
        );
    }
    let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len(), "an ID is given twice");
}

#[test]
fn each_evaluated_rule_finds_under_its_own_id_once() {
    let wanted: Vec<_> =
        RULES.iter().filter(|rule| !matches!(rule.check, Check::Serial)).map(|rule| rule.id).collect();
    for prepare in [nothing, crl::crl] {
        let mut world = World::new();
        prepare(&mut world);
        let ids: Vec<_> = world.decide().findings.iter().map(|f| f.rule).collect();
        assert_eq!(ids, wanted);
    }
    let of_crls = RULES.iter().filter(|rule| matches!(rule.check, Check::Crl)).map(|rule| rule.id);
    assert!(of_crls.eq(CRL_RULES.iter().map(|rule| rule.id)), "each of intake's is asked");
}

/// What is judged without the record, or by an older one, may differ in these rules alone.
#[test]
fn the_rules_that_ask_the_past_are_listed() {
    let mut differing = BTreeSet::from(["serial.unique"]);
    for (_, accept, other, _) in CASES.iter().chain(crl::CASES).chain(origin::CASES) {
        for change in [accept, other] {
            let mut world = World::new();
            change(&mut world);
            let knowing = world.decide().findings;
            (world.past, world.companions, world.forbidden) = Default::default();
            let both = knowing.into_iter().zip(world.decide().findings);
            differing.extend(both.filter(|(a, b)| a != b).map(|(a, _)| a.rule));
        }
    }
    assert_eq!(differing, BTreeSet::from(BY_RECORD));
}

#[test]
fn findings_name_the_line_that_set_the_bound() {
    let mut world = World::new();
    ask_for(&mut world, "301d");
    let found = world.finding("validity.maximum");
    let text = &world.policies[0].1;
    let line = 1 + text.lines().position(|line| line.starts_with("maximum = ")).unwrap();
    assert_eq!(found.source, Some(format!("policies/istio.toml:{line}")));
    assert_eq!(found.wanted, "at most 300d (7200h)");
    assert_eq!(found.reference, "RFC 5280 §4.1.2.5");

    world.policies[0].1 = "path-length = 0\nvalidity = { default = \"1d\", maximum = \"1d\" }".into();
    let found = world.finding("key.algorithm");
    assert_eq!(found.source.as_deref(), Some("policies/istio.toml (default)"));
}
