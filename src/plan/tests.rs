//! A plan is performed as it was made, here and today, or not at all.

use super::{
    Frame, Item, Plan, Prepared, Refused, RefusedBy, SignedFile, make, prepare, prepare_made, review,
};
use crate::cluster::{PrivateKey, make_key, make_request};
use crate::intake::{self, Arrival, Request};
use crate::journal::Purpose;
use crate::journal::sample::Script;
use crate::journal::{Bytes, Event, Head, KeyRole};
use crate::lint::Linted;
use crate::perform::Remaining;
use crate::policy::{Context, DEFAULT_REGISTER, Keep, PolicySet, SHIPPED, decide_all};
use crate::sshsig;
use crate::x509::{Digest, Issuer, KeyAlgorithm, Seconds, Serial, Tbs, Time};
use secrecy::ExposeSecret as _;

struct Scene {
    script: Script,
    policies: PolicySet,
    issuer: Issuer,
    requests: Vec<Request>,
    forced: Option<String>,
    dry_run: bool,
    rehearsal: bool,
}

fn request(cluster: &str) -> Request {
    let key = PrivateKey::from_pem(make_key(KeyAlgorithm::P256).unwrap().expose_secret().as_bytes()).unwrap();
    let pem = make_request(&key, cluster, Some("Istio")).unwrap();
    match intake::read(&format!("{cluster}.csr"), &pem).remove(0) {
        Arrival::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}

fn serial(n: u8) -> Serial {
    Serial::from_entropy(&[n; 32], b"test")
}

impl Scene {
    fn new(clusters: &[&str]) -> Self {
        let script = Script::with_root();
        // A week, so that a plan can outlive what it grants.
        let week = |text: &str| {
            text.replace("default = \"60d\"", "default = \"7d\"")
                .replace("minimum = \"7d\"", "minimum = \"1d\"")
        };
        let texts = SHIPPED.iter().map(|(file, text)| (*file, week(text)));
        Self {
            policies: PolicySet::parse(texts, ("clusters.toml", DEFAULT_REGISTER)).unwrap(),
            issuer: Issuer::from_der(&script.root).unwrap(),
            requests: clusters.iter().map(|c| request(c)).collect(),
            forced: Some("istio".into()),
            dry_run: false,
            rehearsal: false,
            script,
        }
    }

    fn context<'a>(&'a self, forced: Option<&'a str>, now: Time) -> Context<'a> {
        let (policies, issuer, history) = (&self.policies, &self.issuer, &self.script.ledger);
        Context { policies, forced, issuer, history, now }
    }

    fn try_plan(&self, serials: Vec<Serial>, unusable: Vec<Refused>) -> crate::Result<Plan> {
        self.try_make(serials, unusable).map(|(plan, _)| plan)
    }

    fn try_make(
        &self,
        serials: Vec<Serial>,
        unusable: Vec<Refused>,
    ) -> crate::Result<(Plan, Vec<Linted<Tbs>>)> {
        let context = self.context(self.forced.as_deref(), self.script.now);
        let decisions = decide_all(&context, &self.requests, Keep::All)?;
        let frame = Frame {
            home: self.script.ledger.home().into(),
            head: Head { count: self.script.ledger.count(), hash: self.script.ledger.head() },
            rehearsal: self.rehearsal,
            dry_run: self.dry_run,
        };
        make(&context, frame, &self.requests, &decisions, serials, unusable)
    }

    fn plan(&self) -> Plan {
        self.try_plan((1..=9).map(serial).take(self.requests.len()).collect(), vec![]).unwrap()
    }

    fn prepare_at<'p>(&self, plan: &'p Plan, today: Time) -> crate::Result<Vec<Prepared<'p>>> {
        let context = self.context(plan.policy.as_deref(), plan.created);
        let items: Vec<_> = plan.items.iter().collect();
        prepare(&context, &self.script.ledger, plan, &items, today)
    }

    #[track_caller]
    fn refused(&self, plan: &Plan, id: &str) {
        let error = self.prepare_at(plan, self.script.now).unwrap_err();
        assert_eq!(error.id, id, "{error}");
    }

    /// Takes the plan's first items as far as a session would: begun, and these signed.
    fn sign(&mut self, plan: &Plan, signed: usize) {
        let digest = plan.digest().unwrap();
        self.script.add(Event::Plan { digest, grants: plan.items.len() as u64, refused: vec![] });
        for item in plan.items.iter().take(signed) {
            self.script.sign(intent(digest, item));
        }
    }
}

fn intent(plan: Digest, item: &Item) -> Event {
    use crate::journal::{Purpose, sample};
    let event = sample::intent(Purpose::Intermediate, KeyRole::Root, &item.tbs.0);
    sample::answering(event, plan, &item.cluster)
}

#[test]
fn what_is_made_is_read_back_and_prepared_byte_for_byte() {
    let scene = Scene::new(&["east", "west"]);
    let plan = scene.plan();
    let bytes = plan.to_bytes().unwrap();
    assert_eq!(Plan::from_bytes("plan", &bytes).unwrap(), plan);
    assert_eq!(plan.digest().unwrap(), Digest::of(&bytes));
    let prepared = scene.prepare_at(&plan, scene.script.now).unwrap();
    assert_eq!(prepared.iter().map(|p| p.item).collect::<Vec<_>>(), plan.items.iter().collect::<Vec<_>>());
    assert!(prepared.iter().all(|p| p.tbs.get().as_der() == p.item.tbs.0));
}

/// A way to bend an item.
type Bend = fn(&mut Item);

#[test]
fn no_field_of_an_item_can_be_edited() {
    let scene = Scene::new(&["east", "west"]);
    let bends: [(Bend, &str); 6] = [
        (|i| i.cluster = "west".into(), "plan.differs"),
        (|i| i.policy = "issuing-ca".into(), "plan.differs"),
        (|i| i.serial = serial(99), "plan.differs"),
        (|i| i.tbs.0[40] ^= 1, "plan.differs"),
        (|i| i.request = Bytes(request("east").der), "plan.differs"),
        (|i| i.request.0.truncate(20), "plan.request"),
    ];
    for (bend, id) in bends {
        let mut plan = scene.plan();
        bend(&mut plan.items[0]);
        scene.refused(&plan, id);
    }
}

#[test]
fn the_forced_policy_is_shown_and_decides() {
    let scene = Scene::new(&["east"]);
    let mut plan = scene.plan();
    let shown =
        review::render(&plan, &scene.issuer, plan.created, &scene.script.ledger, &|_| vec![]).unwrap();
    assert!(shown.contains("\npolicy    istio: "), "{shown}");
    plan.policy = None;
    scene.refused(&plan, "plan.differs");
    assert!(
        !review::render(&plan, &scene.issuer, plan.created, &scene.script.ledger, &|_| vec![])
            .unwrap()
            .contains("\npolicy    ")
    );
    plan.policy = Some("issuing-ca".into());
    scene.refused(&plan, "plan.differs");
}

/// What `sign` does with what it planned itself.
#[test]
fn a_plan_of_this_run_is_prepared_as_it_was_made() {
    let mut scene = Scene::new(&["east", "west"]);
    let (plan, again) = (scene.plan(), |scene: &Scene| {
        scene.try_make((1..=9).map(serial).take(2).collect(), vec![]).unwrap().1
    });
    fn prepare<'p>(
        scene: &Scene,
        plan: &'p Plan,
        made: Vec<Linted<Tbs>>,
        after: u64,
    ) -> std::result::Result<Vec<Prepared<'p>>, &'static str> {
        let context = scene.context(plan.policy.as_deref(), plan.created);
        let today = scene.script.now + Seconds(after);
        prepare_made(&context, &scene.script.ledger, plan, made, today).map_err(|e| e.id)
    }
    let (day, anew) = (86_400, scene.prepare_at(&plan, scene.script.now).unwrap());
    let kept = prepare(&scene, &plan, again(&scene), day).unwrap();
    assert_eq!(kept.len(), 2);
    for (kept, anew) in kept.iter().zip(&anew) {
        assert_eq!((&kept.item, kept.request), (&anew.item, anew.request));
        assert_eq!(kept.tbs.get().as_der(), anew.tbs.get().as_der());
    }
    assert_eq!(prepare(&scene, &plan, again(&scene), 8 * day).unwrap_err(), "plan.stale");
    assert_eq!(prepare(&scene, &plan, again(&scene), 31 * day).unwrap_err(), "plan.stale");
    let mut elsewhere = plan.clone();
    elsewhere.home = "0022".into();
    assert_eq!(prepare(&scene, &elsewhere, again(&scene), 0).unwrap_err(), "plan.home");
    // Other bytes than those that were shown: fewer, in another order, or of another plan.
    let bent: [fn(&mut Vec<Linted<Tbs>>); 2] = [|made| drop(made.pop()), |made| made.reverse()];
    for bend in bent {
        let mut made = again(&scene);
        bend(&mut made);
        assert_eq!(prepare(&scene, &plan, made, 0).unwrap_err(), "plan.items");
    }
    scene.requests = vec![request("east"), request("north")];
    let others = again(&scene);
    assert_eq!(prepare(&scene, &plan, others, 0).unwrap_err(), "plan.items");
}

#[test]
fn a_plan_is_for_its_home_its_root_and_its_time() {
    let mut scene = Scene::new(&["east"]);
    let plan = scene.plan();
    let with = |bend: fn(&mut Plan)| {
        let mut plan = plan.clone();
        bend(&mut plan);
        plan
    };
    scene.refused(&with(|p| p.home = "0022".into()), "plan.home");
    scene.refused(&with(|p| p.root = Digest::of(b"x")), "plan.home");
    scene.refused(&with(|p| p.mark = "REHEARSAL".into()), "plan.home");
    scene.refused(&with(|p| p.dry_run = true), "plan.stale");
    let at = |seconds| {
        scene.prepare_at(&plan, scene.script.now + Seconds(seconds)).map(|p| p.len()).map_err(|e| e.id)
    };
    assert_eq!(scene.prepare_at(&plan, scene.script.now.earlier(Seconds(1))).unwrap_err().id, "plan.stale");
    let day = 86_400;
    assert_eq!([at(0), at(6 * day)], [Ok(1), Ok(1)]);
    assert_eq!(at(8 * day), Err("plan.stale"), "its certificate would be signed expired");
    assert_eq!(at(31 * day), Err("plan.stale"));
    scene.rehearsal = true;
    assert!(scene.plan().rehearsal());
}

#[test]
fn text_in_a_plan_file_cannot_pose_as_its_review() {
    let scene = Scene::new(&["east"]);
    let refusal = |message: &str| Refused {
        file: "west.csr".into(),
        digest: Digest::of(b"x"),
        cluster: Some("west".into()),
        by: vec![RefusedBy { rule: "csr.der".into(), message: message.into() }],
    };
    let good = scene.try_plan(vec![serial(1)], vec![refusal("no")]).unwrap();
    let bends: [fn(&mut Plan); 8] = [
        |p| p.items[0].file = "a.csr\n2. SIGN for cluster x".into(),
        |p| p.items[0].cluster = "\u{202e}tsae".into(),
        |p| p.items[0].policy = "\u{1b}[2J".into(),
        |p| p.refused[0].file = "a\rb".into(),
        |p| p.refused[0].cluster = Some("\u{9b}".into()),
        |p| p.refused[0].by[0].message = "no\n-- REFUSED other".into(),
        |p| p.refused[0].by[0].rule = "\t".into(),
        |p| p.policy = Some("is\u{442}io".into()),
    ];
    for bend in bends {
        let mut plan = good.clone();
        bend(&mut plan);
        let error = Plan::from_bytes("plan", &plan.to_bytes().unwrap()).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("plan.unescaped", 4));
    }
    assert_eq!(scene.try_plan(vec![serial(1)], vec![refusal("\n")]).unwrap_err().id, "plan.unescaped");
}

#[test]
fn a_plan_file_has_one_form() {
    let scene = Scene::new(&["east"]);
    let text = String::from_utf8(scene.plan().to_bytes().unwrap()).unwrap();
    for bent in [
        text.replace("\"dry_run\": false", "\"dry_run\":  false"),
        text.replace("\"dry_run\": false", "\"dry_run\": true,\n  \"dry_run\": false"),
        text.replace("\"dry_run\": false", "\"note\": 1,\n  \"dry_run\": false"),
        text.replace("anchorite-plan-v1", "anchorite-plan-v2"),
        text.trim_end().into(),
        "\u{1b}".into(),
        text.replace("\"refused\"", "\"\u{1b}\""),
    ] {
        let error = Plan::from_bytes("plan", bent.as_bytes()).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("plan.unreadable", 2), "{error}");
        assert!(!error.message.contains('\u{1b}'));
    }
}

#[test]
fn a_serial_is_drawn_once() {
    let scene = Scene::new(&["east", "west"]);
    let error = scene.try_plan(vec![serial(1), serial(1)], vec![]).unwrap_err();
    assert_eq!(error.id, "plan.serial-twice");
    let used =
        scene.script.ledger.own_certificate(Purpose::RootCertificate).unwrap().certificate.clone().unwrap();
    assert_eq!(scene.try_plan(vec![used, serial(2)], vec![]).unwrap_err().id, "serial.unique");
}

#[test]
fn a_plan_is_resumed_by_how_far_it_came_and_spent_once() {
    let mut scene = Scene::new(&["east", "west", "north"]);
    let plan = scene.plan();
    let count = |scene: &Scene| {
        Remaining::of(&plan, plan.digest().unwrap(), &scene.script.ledger)
            .map(|r| (r.fresh.len(), r.signed.len(), r.burnt.len()))
            .map_err(|e| e.id)
    };
    assert_eq!(count(&scene), Ok((3, 0, 0)));
    scene.sign(&plan, 1);
    let digest = plan.digest().unwrap();
    let open = scene.script.add(intent(digest, &plan.items[1]));
    assert_eq!(count(&scene), Ok((1, 1, 1)));
    scene.script.add(Event::Settled { intents: vec![open] });
    assert_eq!(count(&scene), Ok((1, 1, 1)));
    let released = scene.script.release(digest, b"sums");
    scene.script.add(released);
    assert_eq!(count(&scene), Err("plan.spent"));
}

#[test]
fn what_one_plan_signed_cannot_leave_by_another() {
    let mut scene = Scene::new(&["east", "west"]);
    let plan = scene.plan();
    let mut forged = plan.clone();
    forged.items.truncate(1);
    forged.items[0].cluster = "elsewhere".into();
    scene.sign(&plan, 1);
    let id = |scene: &Scene| {
        Remaining::of(&forged, forged.digest().unwrap(), &scene.script.ledger).map(|_| ()).map_err(|e| e.id)
    };
    assert_eq!(id(&scene), Err("plan.serial-used"));
    // Not even where somebody put the forged plan on record as begun.
    let digest = forged.digest().unwrap();
    scene.script.add(Event::Plan { digest, grants: 1, refused: vec![] });
    assert_eq!(id(&scene), Err("plan.serial-used"));
    // Nor under bytes that were never signed.
    let mut bent = plan;
    bent.items[0].tbs.0[40] ^= 1;
    assert_eq!(
        Remaining::of(&bent, bent.digest().unwrap(), &scene.script.ledger).map(|_| ()).unwrap_err().id,
        "plan.serial-used"
    );
}

/// Both requests in one file that somebody signed.
fn signed_by(seed: u8) -> Scene {
    let mut scene = Scene::new(&["east", "west"]);
    let pem = |request: &Request| crate::x509::pem::encode("CERTIFICATE REQUEST", &request.der);
    let content: String = scene.requests.iter().map(pem).collect();
    let signature = sshsig::sample::armoured(seed, intake::NAMESPACE, content.as_bytes());
    let mut arrivals = intake::read("both.pem", content.as_bytes());
    intake::attribute(&mut arrivals, "both.pem", signature.as_bytes(), content.as_bytes());
    let requests = arrivals.into_iter().map(|arrival| match arrival {
        Arrival::Request(request) => *request,
        other => panic!("{other:?}"),
    });
    scene.requests = requests.collect();
    scene
}

#[test]
fn a_senders_signature_is_verified_again() {
    let scene = signed_by(7);
    let plan = scene.plan();
    assert_eq!((plan.items.len(), plan.signed.len()), (2, 1), "the file is there once");
    assert_eq!(Plan::from_bytes("plan", &plan.to_bytes().unwrap()).unwrap(), plan);
    let prepared = scene.prepare_at(&plan, scene.script.now).unwrap();
    assert!(prepared.iter().all(|p| p.item.sender == plan.items[0].sender));
    let context = scene.context(plan.policy.as_deref(), plan.created);
    let one = [&plan.items[1]];
    assert_eq!(prepare(&context, &scene.script.ledger, &plan, &one, scene.script.now).unwrap().len(), 1);
}

#[test]
fn no_sender_is_pasted_into_a_plan() {
    type Bend = fn(&mut Plan, &Plan);
    let (scene, other) = (signed_by(7), signed_by(8).plan());
    let bends: [Bend; 11] = [
        |plan, _| plan.signed.clear(),
        |plan, _| plan.signed[0].content.0.push(b'\n'),
        |plan, other| plan.signed[0].signature = other.signed[0].signature.clone(),
        |plan, _| plan.signed[0].signature.0.clear(),
        |plan, other| plan.signed[0] = other.signed[0].clone(),
        |plan, _| plan.signed.push(plan.signed[0].clone()),
        |plan, _| plan.signed.push(SignedFile { file: "more.pem".into(), ..plan.signed[0].clone() }),
        |plan, _| plan.signed[0].file = "other.pem".into(),
        |plan, other| plan.items[0].sender = other.items[0].sender.clone(),
        |plan, _| plan.items[0].file = "both.pem#2".into(),
        |plan, _| plan.items[0].request = plan.items[1].request.clone(),
    ];
    for (at, bend) in bends.iter().enumerate() {
        let mut plan = scene.plan();
        bend(&mut plan, &other);
        let error = scene.prepare_at(&plan, scene.script.now).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("plan.request", 4), "{at}: {error}");
    }
    let unsigned = Scene::new(&["east"]);
    let mut plan = unsigned.plan();
    plan.items[0].sender = other.items[0].sender.clone();
    unsigned.refused(&plan, "plan.request");
    // With a signed file that holds something else, too.
    plan.signed = other.signed;
    unsigned.refused(&plan, "plan.request");
}

#[test]
fn an_objects_name_is_one_before_anything_begins() {
    let object = |name: &str, namespace: &str| {
        let object = serde_json::json!({"kind": "CertificateRequest", "name": name, "namespace": namespace});
        Some(serde_json::from_value(object).unwrap())
    };
    let mut plan = Scene::new(&["east"]).plan();
    for (name, namespace, good) in
        [("east-1", "mesh", true), ("$(x)", "mesh", false), ("../x", "mesh", false), ("east-1", "a.b", false)]
    {
        plan.items[0].object = object(name, namespace);
        let read = Plan::from_bytes("plan", &plan.to_bytes().unwrap());
        assert_eq!(read.is_ok(), good, "{name} {namespace}");
        if let Err(error) = read {
            assert_eq!((error.id, error.kind.exit_code()), ("plan.request", 4), "{error}");
        }
    }
}
