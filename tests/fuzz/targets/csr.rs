//! A request, from the bytes of a file to the certificate that it would get.

use anchorite::finding::Outcome;
use anchorite::intake::{self, Arrival, Request};
use anchorite::journal::{Head, Ledger};
use anchorite::lint::CertificateKind;
use anchorite::media::check_names;
use anchorite::plan::{self, Frame, Plan, review};
use anchorite::policy::{Context, Decision, Grant, Keep, KeyKind, PolicySet, Profile};
use anchorite::release::{Consumer, Member, Origin};
use anchorite::verify::{describe_tbs, verify};
use anchorite::x509::{Digest, Serial, SignatureAlgorithm};
use der::asn1::BitString;
use der::{Decode as _, Encode as _};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::ext::pkix::KeyUsages;
use x509_cert::request::CertReq;

use super::world::{self, SUBJECT_KEY};
use super::{fit, fit_finding};

pub fn csr(data: &[u8]) {
    decide(&request(data));
    if let Some(der) = signed_anew(data) {
        decide(&request(&der));
    }
}

/// The requests in a file.
pub fn request(bytes: &[u8]) -> Vec<Request> {
    intake::read("in/a.csr", bytes).into_iter().filter_map(arrived).collect()
}

/// One arrival, with what is demanded of each.
pub(super) fn arrived(arrival: Arrival) -> Option<Request> {
    match arrival {
        Arrival::Nothing { file } => fit(&file),
        Arrival::Unusable { file, finding, .. } => {
            fit(&file);
            fit_finding(&finding);
            assert!(finding.refuses());
        }
        Arrival::Crl(crl) => super::crl::arrived(&crl),
        Arrival::Request(request) => {
            fit(&request.file);
            fit(&request.subject.to_string());
            request.findings.iter().for_each(fit_finding);
            assert_eq!(request.digest, Digest::of(&request.der));
            // What a plan holds is read again when it is performed: the request, and what came around it.
            let mut again = intake::read(&request.file, &request.der);
            let [Arrival::Request(same)] = again.as_mut_slice() else { panic!("{again:?}") };
            if let Some(object) = &request.object {
                intake::within(same, object.clone());
            }
            same.sender = request.sender.clone();
            same.signed = request.signed.clone();
            let around = |rule: &str| matches!(rule, "object.approval" | "sender.signature");
            let around = request.findings.iter().filter(|finding| around(finding.rule));
            same.findings.extend(around.cloned());
            assert_eq!(format!("{same:?}"), format!("{request:?}"));
            return Some(*request);
        }
    }
    None
}

/// The same request for a key of ours and signed by it: every field but the key is the fuzzer's.
fn signed_anew(data: &[u8]) -> Option<Vec<u8>> {
    let mut csr = CertReq::from_der(data).ok()?;
    csr.info.public_key = SubjectPublicKeyInfoOwned::from_der(SUBJECT_KEY.public().as_der()).ok()?;
    csr.algorithm = SignatureAlgorithm::EcdsaSha256.identifier();
    csr.signature = BitString::from_bytes(&SUBJECT_KEY.sign(&csr.info.to_der().ok()?)).ok()?;
    csr.to_der().ok()
}

fn decide(requests: &[Request]) {
    if requests.is_empty() {
        return;
    }
    for policy in ["istio", "issuing-ca"] {
        decide_by(world::policies(), policy, requests);
    }
}

/// Decides under one policy, and goes all the way with what is granted.
pub(super) fn decide_by(policies: &PolicySet, policy: &str, requests: &[Request]) {
    let ledger = Ledger::default();
    let context = Context {
        policies,
        forced: Some(policy),
        issuer: world::root(),
        history: &ledger,
        now: world::now(),
    };
    let decisions = plan::decide(&context, requests, Keep::All).unwrap();
    assert_eq!(decisions.len(), requests.len());
    for (request, decision) in requests.iter().zip(&decisions) {
        decision.findings.iter().for_each(fit_finding);
        decision.cluster.iter().chain(&decision.policy).for_each(|text| fit(text));
        let refused = decision.findings.iter().any(|f| f.outcome == Outcome::Refused);
        assert_eq!(decision.grant.is_none(), refused, "a refusal and nothing else stops a grant");
        if let Some(grant) = &decision.grant {
            within(grant, &policies.profiles()[policy], request);
            signs(grant);
        }
    }
    if decisions.iter().any(|d| d.grant.is_some()) {
        planned(&context, requests, &decisions);
    }
}

/// Nothing is granted beyond the policy, whatever was asked for.
fn within(grant: &Grant, profile: &Profile, request: &Request) {
    let root = world::root();
    assert_eq!(grant.subject().as_der(), request.subject.as_der());
    assert_eq!(grant.public_key(), &request.key);
    assert_ne!(grant.public_key().digest(), root.public_key.digest());
    assert!(grant.not_before() >= root.not_before && grant.not_after() <= root.not_after);
    assert!(grant.not_after() <= world::now() + profile.validity.maximum.0);
    assert!(grant.not_after() > world::now() && grant.not_before() <= world::now());
    assert_eq!(grant.path_len(), *profile.path_length);
    let always = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    let bounds = profile.key_usage.if_asked.iter().fold(always, |all, usage| all | usage.0);
    assert!(grant.key_usage().0.contains(always) && bounds.contains(grant.key_usage().0));
    let kind = KeyKind::of(request.key.algorithm());
    assert!(kind.is_some_and(|kind| profile.key.algorithms.contains(&kind)));
    let names = request.subject.attributes();
    assert!(names.iter().all(|name| profile.subject.allowed.iter().any(|allowed| allowed.0 == name.oid)));
}

/// A grant never costs a signature for nothing: what would be signed is what verifies,
/// and it can leave.
fn signs(grant: &Grant) {
    let (root, now) = (world::root(), world::now());
    let tbs = grant.specification(Serial::from_entropy(&[9; 32], b""), root).unwrap().to_tbs().unwrap();
    let described = describe_tbs(tbs.as_der()).unwrap();
    assert_eq!(described.subject, grant.subject().to_string());
    assert_eq!((described.not_before, described.not_after), (grant.not_before(), grant.not_after()));
    let der = tbs.assemble(&world::sign_as_root(tbs.as_der())).unwrap();
    verify(&tbs, &der, CertificateKind::Intermediate, root, now).unwrap();
    let origin = Origin {
        name: "anchorite-2030-01-01-0001".into(),
        rehearsal: false,
        plan: Digest::of(b"plan"),
        root: root.der.clone(),
        trusted: vec![root.der.clone()],
    };
    origin.check().unwrap();
    let member = Member {
        cluster: grant.cluster().into(),
        consumer: Consumer::Istio,
        certificate: &der,
        policy: grant.policy().into(),
        request: Digest::of(b"request"),
        object: None,
    };
    let mut paths: Vec<_> = origin.lay_out(&member).unwrap().into_files().map(|(path, _)| path).collect();
    check_names(paths.iter().map(String::as_str)).unwrap();
    let mut foretold = origin.paths(&member).unwrap();
    paths.sort();
    foretold.sort();
    assert_eq!(paths, foretold);
}

/// The plan reads back as it was written, and its review can be read.
fn planned(context: &Context<'_>, requests: &[Request], decisions: &[Decision]) {
    let frame = Frame {
        home: "0011".into(),
        head: Head { count: 0, hash: Digest::of(b"") },
        rehearsal: false,
        dry_run: false,
    };
    let serials = (0..=u8::MAX).cycle().zip(0_u64..);
    let serials = serials.map(|(n, m)| Serial::from_entropy(&[n; 32], &m.to_be_bytes()));
    let (plan, _) =
        plan::make(context, frame, requests, decisions, serials.take(requests.len()).collect(), vec![])
            .unwrap();
    assert_eq!(Plan::from_bytes("plan", &plan.to_bytes().unwrap()), Ok(plan.clone()));
    readable(&review::render(&plan, context.issuer, plan.created, &Ledger::default(), &|_| vec![]).unwrap());
}

/// Lines that can be read.
pub(super) fn readable(review: &str) {
    review.lines().for_each(fit);
    assert!(!review.contains('\r'));
}
