//! Decisions as a whole.

use proptest::prelude::*;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::sample::{World, dns, p256, request};
use super::{Consumer, KeyKind, Profile, SHIPPED, Span, Verdict};
use crate::finding::{Finding, Outcome};
use crate::intake::BasicConstraintsClaim;
use crate::x509::{Seconds, Serial, Status};

fn days(n: u64) -> Seconds {
    Seconds(n * 86_400)
}

#[test]
fn a_plain_request_gets_what_the_policy_says() {
    let world = World::new();
    let decision = world.decide();
    assert_eq!(decision.verdict(), Verdict::Grant);
    assert_eq!((decision.cluster.as_deref(), decision.policy.as_deref()), (Some("east"), Some("istio")));
    let grant = decision.grant.unwrap();
    assert_eq!((grant.cluster(), grant.policy(), grant.consumer()), ("east", "istio", Consumer::Istio));
    assert_eq!(grant.not_before(), world.now.earlier(Seconds(300)));
    assert_eq!(grant.not_after(), world.now + days(60));
    assert_eq!(grant.path_len(), 0);
    assert_eq!(*grant.key_usage(), KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign));
    assert_eq!(grant.subject().as_der(), world.requests[0].subject.as_der());
}

/// As Istio's `tools/certs/Makefile.selfsigned.mk` has OpenSSL ask.
#[test]
fn the_request_of_istios_makefile_is_granted_and_narrowed() {
    let mut world = World::new();
    world.claims().basic_constraints = Some(BasicConstraintsClaim { ca: true, path_len: Some(0) });
    let asked = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    world.claims().key_usage = Some(KeyUsage(asked | KeyUsages::KeyEncipherment | KeyUsages::KeyCertSign));
    world.claims().subject_alt_name = Some(vec![dns("istiod.istio-system.svc")]);
    let decision = world.decide();
    let of = |outcome| -> Vec<_> {
        decision.findings.iter().filter(|f| f.outcome == outcome).map(|f| f.rule).collect()
    };
    assert_eq!(of(Outcome::Granted), ["claim.basic-constraints"]);
    assert_eq!(of(Outcome::Narrowed), ["claim.key-usage", "claim.subject-alt-name"]);
    let usage = decision.grant.as_ref().unwrap().key_usage().0;
    assert_eq!(usage, KeyUsages::DigitalSignature | KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let serial = Serial::from_bytes(&[9]).unwrap();
    let specification = decision.grant.unwrap().specification(serial, &world.issuer).unwrap();
    assert_eq!(specification.extensions.len(), 4, "no alternative name");
}

#[test]
fn every_rule_speaks_not_just_the_first_that_refuses() {
    let mut world = World::new();
    *world.request() = request("O=Other,OU=x,L=east_1,CN=x", 200);
    let refused: Vec<_> =
        world.decide().findings.into_iter().filter(Finding::refuses).map(|f| f.rule).collect();
    assert_eq!(refused, ["cluster.id", "subject.allowed", "subject.fixed", "key.issuer"]);
}

#[test]
fn what_intake_refused_is_never_granted() {
    let mut world = World::new();
    let refusal = Finding::new("csr.signature", Outcome::Refused, "RFC 2986 §4.2", "forged", "", "");
    world.request().findings.push(refusal.clone());
    let decision = world.decide();
    assert_eq!((decision.verdict(), decision.findings.first()), (Verdict::Refuse, Some(&refusal)));
}

#[test]
fn the_register_decides_without_an_operator_and_against_one() {
    let mut world = World::new();
    world.register = "[clusters.east]\npolicy = \"issuing-ca\"".into();
    assert_eq!(world.decide().verdict(), Verdict::Refuse, "--policy istio disagrees");
    world.forced = None;
    let grant = world.decide().grant.unwrap();
    assert_eq!((grant.policy(), grant.path_len()), ("issuing-ca", 1));
}

#[test]
fn without_a_policy_nothing_is_granted() {
    let mut world = World::new();
    world.forced = None;
    let decision = world.decide();
    assert_eq!((decision.verdict(), decision.policy), (Verdict::Refuse, None));
    world.claims().profile = Some("istio".into());
    assert_eq!(world.decide().verdict(), Verdict::Refuse, "a wish is no policy");
}

#[test]
fn a_refused_request_takes_nothing_from_the_next() {
    let mut world = World::new();
    world.requests = vec![request("O=Other,L=east,CN=root", 1), request("O=Istio,L=east,CN=root", 1)];
    let verdicts: Vec<_> = world.decide_all().iter().map(super::Decision::verdict).collect();
    assert_eq!(verdicts, [Verdict::Refuse, Verdict::Grant]);
}

#[test]
fn one_at_a_time_decides_as_all_at_once() {
    let mut world = World::new();
    world.requests.push(request("O=Istio,L=east,CN=other", 2));
    world.requests.push(request("O=Istio,L=west,CN=root", 1));
    let all = world.decide_all();
    let policies = world.try_policies().unwrap();
    let past = super::sample::Past(&world.past);
    let context = super::Context {
        policies: &policies,
        forced: Some("istio"),
        issuer: &world.issuer,
        history: &past,
        now: world.now,
    };
    for (i, request) in world.requests.iter().enumerate() {
        assert_eq!(super::decide(&context, request, &all[..i]).unwrap().findings, all[i].findings);
    }
    assert_eq!(all.iter().map(super::Decision::verdict).collect::<Vec<_>>()[1..], [Verdict::Refuse; 2]);
}

#[test]
fn a_burnt_serial_does_not_stop_the_same_request() {
    let mut world = World::new();
    world.issued(1, "O=Istio,L=east,CN=root", Status::Burnt);
    assert_eq!(world.decide().verdict(), Verdict::Grant);
    world.past[0].status = Status::Released;
    assert_eq!(world.decide().verdict(), Verdict::Refuse);
}

#[test]
fn not_before_is_never_before_the_roots() {
    let mut world = World::new();
    world.issuer.not_before = world.now;
    assert_eq!(world.decide().grant.unwrap().not_before(), world.now);
}

#[test]
fn a_default_is_cut_to_the_roots_end_while_enough_is_left() {
    let mut world = World::new();
    world.issuer.not_after = world.now + days(7);
    assert_eq!(world.decide().grant.unwrap().not_after(), world.issuer.not_after);
    world.issuer.not_after = world.now + days(6);
    assert_eq!(world.decide().verdict(), Verdict::Refuse);
}

#[test]
fn a_grant_is_for_the_root_it_was_decided_for() {
    let world = World::new();
    let mut other = world.issuer.clone();
    other.der = b"another root".to_vec();
    let serial = Serial::from_bytes(&[9]).unwrap();
    let e = world.decide().grant.unwrap().specification(serial, &other).unwrap_err();
    assert_eq!(e.id, "grant.issuer");
}

#[test]
fn a_key_identifier_of_either_method_is_granted() {
    let key_id = |world: &World| {
        let specification =
            world.decide().grant.unwrap().specification(Serial::from_bytes(&[9]).unwrap(), &world.issuer);
        specification.unwrap().extensions[2].extn_value.as_bytes()[2..].to_vec()
    };
    let mut world = World::new();
    assert_eq!(key_id(&world), p256(1).key_id());
    world.claims().subject_key_id = Some(p256(1).key_id_sha1());
    assert_eq!(key_id(&world), p256(1).key_id_sha1());
    world.claims().subject_key_id = Some(vec![7; 20]);
    assert_eq!(key_id(&world), p256(1).key_id());
}

#[test]
fn policies_warn_of_what_some_verifiers_choke_on() {
    let mut world = World::new();
    assert!(world.try_policies().unwrap().warnings().is_empty());
    world.set("extensions.permitted-names", "[\"uri:cluster.local\"]");
    let warnings = world.try_policies().unwrap().warnings();
    assert_eq!(warnings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["name-constraints.uri"]);
    assert!(warnings[0].source.as_deref().unwrap().starts_with("policies/istio.toml:"));
}

#[test]
fn shipped_policies_say_what_they_promise() {
    let profile = |i: usize| Profile::parse(SHIPPED[i].0, SHIPPED[i].1).unwrap();
    let span = |text| Span(Seconds::parse(text).unwrap());
    let (istio, issuing) = (profile(0), profile(1));
    assert_eq!((istio.name(), *istio.path_length), ("istio", 0));
    assert_eq!((*istio.validity.default, *istio.validity.maximum), (span("60d"), span("300d")));
    assert_eq!((issuing.name(), *issuing.path_length), ("issuing-ca", 1));
    assert_eq!((*issuing.validity.default, *issuing.validity.maximum), (span("365d"), span("900d")));
    for profile in [istio, issuing] {
        assert_eq!(*profile.validity.backdate, span("5m"));
        assert_eq!(*profile.key.algorithms, [KeyKind::P256, KeyKind::P384, KeyKind::Rsa]);
        assert_eq!(*profile.key.rsa_minimum, 2048);
        assert!(profile.extensions.extended_key_usage.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked for and however long the root lives, a narrower policy
    /// never grants more than a wider one.
    #[test]
    fn a_narrower_policy_never_grants_more(
        default in 2_u64..400, more_default in 0_u64..100,
        spare in 0_u64..400, more_spare in 0_u64..100,
        path_length in 0_u8..4, more_path in 0_u8..4,
        asked in proptest::option::of(0_u64..1200), root in 0_u64..1200,
        root_path in proptest::option::of(0_u8..6), mode in 0_usize..3,
    ) {
        let decide = |default: u64, maximum: u64, path_length: u8| {
            let mut world = World::new();
            world.set("validity.minimum", "\"1d\"");
            world.set("validity.default", &format!("\"{default}d\""));
            world.set("validity.maximum", &format!("\"{maximum}d\""));
            world.set("path-length", &path_length.to_string());
            world.set("claims.validity", ["\"tolerate\"", "\"narrow\"", "\"refuse\""][mode]);
            world.claims().not_after = asked.map(|d| world.now + days(d));
            world.issuer.not_after = world.now + days(root);
            world.issuer.path_len = root_path;
            let grant = world.decide().grant;
            if let Some(grant) = &grant {
                prop_assert!(grant.not_after() <= world.issuer.not_after);
                prop_assert!(grant.not_after() <= world.now + days(maximum));
                prop_assert!(grant.not_after() > world.now && grant.not_before() >= world.issuer.not_before);
                prop_assert!(world.issuer.path_len.is_none_or(|bound| grant.path_len() < bound));
            }
            Ok(grant)
        };
        let (wide_default, maximum) = (default + more_default, default + more_default + spare);
        let narrow = decide(default, maximum, path_length)?;
        let wide = decide(wide_default, maximum + more_spare, path_length + more_path)?;
        if let (Some(narrow), Some(wide)) = (&narrow, &wide) {
            prop_assert!(narrow.not_after() <= wide.not_after());
            prop_assert!(narrow.path_len() <= wide.path_len());
        }
        let same_path = decide(wide_default, maximum + more_spare, path_length)?;
        prop_assert!(narrow.is_none() || same_path.is_some(), "only the wider policy refused");
    }
}
