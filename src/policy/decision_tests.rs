//! Decisions as a whole.

use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::sample::{World, dns, p256, request};
use super::{Consumer, KeyKind, Profile, SHIPPED, Span, Verdict};
use crate::finding::{Finding, Outcome};
use crate::intake::BasicConstraintsClaim;
use crate::x509::{Seconds, Serial, SignatureAlgorithm, Status};

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
fn only_what_would_be_granted_by_itself_is_a_copy() {
    let mut world = World::new();
    world.requests.push(world.requests[0].clone());
    world.requests[1].file = "2.csr".into();
    let seen = |world: &World| -> Vec<(Verdict, String)> {
        let message = |d: &super::Decision| {
            let finding = d.findings.iter().find(|f| f.rule == "batch.duplicate").unwrap();
            (d.verdict(), if finding.refuses() { finding.message.clone() } else { String::new() })
        };
        world.decide_all().iter().map(message).collect()
    };
    let all = seen(&world);
    assert_eq!(all[0], (Verdict::Grant, String::new()));
    assert!(all[1].0 == Verdict::Refuse && all[1].1.contains("1.csr once more"), "{}", all[1].1);
    // The first is refused for itself: it is no copy of the second.
    world.requests[0].findings.push(Finding::new("sender.signature", Outcome::Refused, "", "x", "", ""));
    assert_eq!(seen(&world), [(Verdict::Refuse, String::new()), (Verdict::Grant, String::new())]);
    // Both would be granted, in view of different things: nobody chooses between them.
    world.requests[0].findings.clear();
    world.within(|_| {});
    for (at, other) in seen(&world).iter().zip(["2.csr", "1.csr"]) {
        assert!(at.0 == Verdict::Refuse && at.1.contains(other), "{}", at.1);
    }
    world.requests[1].object = None;
    world.signed(7);
    assert!(seen(&world).iter().all(|at| at.0 == Verdict::Refuse));
    // The same sender signed both files.
    world.requests[0].sender = world.requests[1].sender.clone();
    world.requests[0].sender.as_mut().unwrap().file = "1.csr.sig".into();
    assert_eq!(seen(&world)[0].0, Verdict::Grant);
}

#[test]
fn no_order_decides_between_requests() {
    let mut world = World::new();
    let rule = |world: &World, wanted: &[&str]| {
        let all = world.decide_all();
        for (decision, rule) in all.iter().zip(wanted) {
            assert_eq!(decision.verdict(), Verdict::Refuse, "{}: {rule}", decision.file);
            let finding = decision.findings.iter().find(|f| f.rule == *rule && f.refuses()).unwrap();
            let mut others = all.iter().filter(|other| other.digest != decision.digest);
            assert!(others.all(|other| finding.message.contains(&other.file)), "{}", finding.message);
        }
        all.iter().map(super::Decision::verdict).collect::<Vec<_>>()
    };
    // Another key for the same cluster, in a file whose name comes first, or last.
    world.requests.insert(0, request("O=Istio,L=east,CN=other", 2));
    rule(&world, &["batch.cluster-twice"; 2]);
    world.requests.push(request("O=Istio,L=east,CN=third", 3));
    rule(&world, &["batch.cluster-twice"; 3]);
    // One key for two clusters; one subject with two keys.
    world.requests = vec![request("O=Istio,L=east,CN=root", 1), request("O=Istio,L=west,CN=root", 1)];
    world.requests[1].file = "9.csr".into();
    rule(&world, &["key.one-subject"; 2]);
    world.requests = vec![request("O=Istio,L=east,CN=root", 1), request("O=Istio,L=east,CN=root", 2)];
    rule(&world, &["renewal.same-subject"; 2]);
    // Whoever gets in nobody's way is granted all the same.
    world.requests.push(request("O=Istio,L=west,CN=west", 3));
    assert_eq!(rule(&world, &[])[2], Verdict::Grant);
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
    use super::Mode::{Narrow, Refuse};
    #[rustfmt::skip]
    let promised = [
        ("istio", 0, "60d", "300d", Consumer::Istio, Refuse),
        ("issuing-ca", 1, "365d", "900d", Consumer::Pem, Refuse),
        ("istio-tls", 0, "60d", "300d", Consumer::IstioTls, Refuse),
        ("cert-manager-request", 0, "60d", "300d", Consumer::CertManagerRequest, Narrow),
        ("kubernetes-csr", 0, "60d", "300d", Consumer::KubernetesCsr, Narrow),
        ("cert-manager-issuer", 1, "365d", "900d", Consumer::CertManagerIssuer, Refuse),
        ("gloo-mesh", 1, "365d", "730d", Consumer::GlooMesh, Refuse),
        ("ccm-pca", 1, "365d", "900d", Consumer::CcmPca, Refuse),
        ("spire", 1, "365d", "730d", Consumer::Spire, Refuse),
        ("linkerd", 0, "365d", "730d", Consumer::Linkerd, Refuse),
        ("vault", 0, "365d", "1825d", Consumer::Vault, Refuse),
        ("ingress", 0, "300d", "365d", Consumer::Ingress, Refuse),
        ("step-ca", 0, "365d", "730d", Consumer::StepCa, Refuse),
    ];
    assert_eq!(promised.len(), SHIPPED.len());
    let span = |text| Span(Seconds::parse(text).unwrap());
    for ((name, length, default, maximum, consumer, beyond), (file, text)) in
        promised.into_iter().zip(SHIPPED)
    {
        let profile = Profile::parse(file, text).unwrap();
        assert_eq!((profile.name(), *profile.path_length), (name, length));
        let validity = &profile.validity;
        assert_eq!((*validity.default, *validity.maximum), (span(default), span(maximum)), "{name}");
        assert_eq!((*profile.release.consumer, *profile.claims.validity), (consumer, beyond), "{name}");
        assert_eq!(*validity.backdate, span("5m"), "{name}");
        assert!(validity.minimum.0 >= consumer.terms().warns_below, "{name}");
        let kinds: &[KeyKind] = match consumer {
            Consumer::Linkerd => &[KeyKind::P256],
            _ => &[KeyKind::P256, KeyKind::P384, KeyKind::Rsa],
        };
        assert_eq!(*profile.key.algorithms, kinds, "{name}");
        assert_eq!(*profile.key.rsa_minimum, 2048, "{name}");
        assert!(profile.extensions.extended_key_usage.is_empty(), "{name}");
    }
}

/// What a cluster asks for by the policy's own name is granted, beneath a root that fits.
#[test]
fn each_shipped_policy_grants_a_plain_request() {
    for (file, _) in SHIPPED {
        let name = file.strip_prefix("policies/").unwrap().strip_suffix(".toml").unwrap();
        let mut world = World::new();
        world.forced = Some(name.into());
        let organisation = super::fixed_organisation(name).unwrap_or("Example".into());
        *world.request() = request(&format!("O={organisation},L=east,CN=east-1"), 1);
        assert_eq!(world.decide().verdict(), Verdict::Grant, "{name}");
        world.issuer.signature = SignatureAlgorithm::EcdsaSha384;
        let refused = world.decide().verdict() == Verdict::Refuse;
        assert_eq!(refused, name == "linkerd", "a P-384 root and {name}");
    }
}
