//! Sessions with a token of the test's own, which can be made to misbehave.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use secrecy::{ExposeSecret as _, SecretString};

use super::*;
use crate::audit::State;
use crate::cluster::{PrivateKey, make_key, make_request};
use crate::finding::Finding;
use crate::home::{NewHome, examine};
use crate::intake::{self, Arrival, Request};
use crate::journal::{JOURNAL_FILE, KeyPermit};
use crate::lint::fixtures::{NOW, key, time};
use crate::media::{Output, check_output};
use crate::plan::Frame;
use crate::policy::{Keep, decide_all};
use crate::token::{KeyDescription, ObjectInfo, Signer, TokenInfo, Wanted};
use crate::x509::{KeyAlgorithm, Name, Seconds, Serial};

/// P-256 keys in memory.
struct Soft {
    info: TokenInfo,
    keys: BTreeMap<Vec<u8>, (String, KeyPair)>,
    data: BTreeMap<String, Vec<u8>>,
    /// Signatures until one is made over something else.
    good: usize,
}

impl Soft {
    fn new() -> Self {
        let text = String::new;
        let info = TokenInfo {
            uri: "pkcs11:token=t".into(),
            label: text(),
            manufacturer: text(),
            model: text(),
            serial: text(),
            firmware: text(),
            pin_state: text(),
        };
        Self { info, keys: BTreeMap::new(), data: BTreeMap::new(), good: usize::MAX }
    }
}

impl Signer for Soft {
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Vec<u8>> {
        let message = if self.good == 0 { b"something else" } else { permit.message() };
        self.good = self.good.saturating_sub(1);
        Ok(self.keys[&key.id].1.sign(message).unwrap())
    }
}

impl Token for Soft {
    fn signers(&mut self, _: usize) -> Result<Vec<Box<dyn Signer + '_>>> {
        Ok(vec![Box::new(self)])
    }
    fn info(&self) -> &TokenInfo {
        &self.info
    }
    fn random(&mut self, _: usize) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn supports(&mut self, _: KeyAlgorithm) -> Result<()> {
        Ok(())
    }
    fn pin_at_token(&self) -> bool {
        false
    }
    fn login(&mut self, _: &SecretString) -> Result<()> {
        Ok(())
    }
    fn objects(&mut self) -> Result<Vec<ObjectInfo>> {
        Ok(vec![])
    }
    fn label_in_use(&mut self, label: &str) -> Result<bool> {
        Ok(self.keys.values().any(|(l, _)| l == label))
    }
    fn find_key(&mut self, id: &[u8]) -> Result<Option<Key>> {
        Ok(self.keys.get(id).map(|(label, pair)| Key {
            handle: 0,
            label: label.clone(),
            id: id.to_vec(),
            public_key: PublicKey::from_der(&pair.subject_public_key_info()).unwrap(),
            always_authenticate: false,
        }))
    }
    fn generate(&mut self, permit: KeyPermit) -> Result<Key> {
        self.keys.insert(permit.id().to_vec(), (permit.label().into(), key()));
        Ok(self.find_key(permit.id())?.unwrap())
    }
    fn store_data(&mut self, label: &str, value: &[u8]) -> Result<bool> {
        self.data.insert(label.into(), value.into());
        Ok(true)
    }
    fn load_data(&mut self, label: &str) -> Result<Vec<Vec<u8>>> {
        Ok(self.data.get(label).cloned().into_iter().collect())
    }
    fn describe_keys(&mut self, _: &Wanted<'_>) -> Result<Vec<KeyDescription>> {
        Ok(vec![])
    }
    fn judge(&mut self) -> Result<Vec<Finding>> {
        Ok(vec![])
    }
    fn judge_key(&mut self, _: &KeyDescription, _: Option<&PublicKey>) -> Result<Vec<Finding>> {
        Ok(vec![])
    }
}

/// A folder with a home and a stick, and the world around a session.
struct Scene {
    dir: tempfile::TempDir,
    token: Soft,
    clock: Cell<Time>,
    /// Seconds that the clock goes at each look.
    step: Cell<i64>,
    /// Looks until the operator asks to stop.
    patience: AtomicUsize,
    drawn: Cell<u8>,
}

impl Scene {
    /// A home with its root.
    fn new() -> Self {
        let mut scene = Self {
            dir: tempfile::tempdir().unwrap(),
            token: Soft::new(),
            clock: Cell::new(time(NOW)),
            step: Cell::new(0),
            patience: AtomicUsize::new(usize::MAX),
            drawn: Cell::new(0),
        };
        let new = NewHome {
            token: "pkcs11:token=t",
            module: Some("/m.so"),
            module_args: None,
            unattended: false,
            rehearsal: false,
            name: [7; 16],
        };
        drop(Home::init(&scene.home(), &new, time(NOW)).unwrap());
        std::fs::create_dir(scene.dir.path().join("out")).unwrap();
        let decision = spec("20y").decide(time(NOW), (serial(201), serial(202)), false).unwrap();
        scene.session(consent(), |s| s.create_root(decision, Vec::new())).unwrap();
        scene
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    fn open(&self) -> Home {
        Home::open(&self.home()).unwrap()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.home().join("journal").join(JOURNAL_FILE)).unwrap()
    }

    fn output(&self) -> Output {
        let name = format!("anchorite-2030-01-01-{:04}", self.open().journal.ledger().releases() + 1);
        check_output(&self.dir.path().join("out"), &name).unwrap()
    }

    fn session<T>(
        &mut self,
        consent: Consent,
        work: impl FnOnce(&mut Session<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut home = self.open();
        let clock = || {
            let now = self.clock.get();
            let step = Seconds(self.step.get().unsigned_abs());
            self.clock.set(if self.step.get() < 0 { now.earlier(step) } else { now + step });
            now
        };
        let entropy = || {
            self.drawn.set(self.drawn.get() + 1);
            Ok([self.drawn.get(); 32])
        };
        let patience = &self.patience;
        let stop = || {
            let less = |left: usize| Some(left.saturating_sub(1));
            patience.fetch_update(Relaxed, Relaxed, less).is_ok_and(|left| left == 0)
        };
        let progress = |p: super::Progress| assert!(p.done <= p.total, "{p:?}");
        let retype = |_: &mut dyn Token, _: &Key, _: &Upcoming| panic!("nobody demands it");
        let world = World {
            clock: &clock,
            entropy: &entropy,
            stop: &stop,
            progress: &progress,
            retype: &retype,
            lanes: 2,
        };
        work(&mut Session::begin(&mut home, &mut self.token, world, consent)?)
    }

    fn plan(&self, clusters: &[&str]) -> Plan {
        let home = self.open();
        let requests: Vec<Request> = clusters.iter().map(|c| request(c)).collect();
        let context = Context {
            policies: &home.policies,
            forced: Some("istio"),
            issuer: home.root().unwrap(),
            history: home.journal.ledger(),
            now: self.clock.get(),
        };
        let frame = Frame {
            home: home.journal.ledger().home().into(),
            head: home.journal.head(),
            rehearsal: false,
            dry_run: false,
        };
        let drawn = self.drawn.get();
        let serials = (drawn..).map(serial).take(requests.len()).collect();
        self.drawn.set(drawn + 10);
        plan::make(
            &context,
            frame,
            &requests,
            &decide_all(&context, &requests, Keep::All).unwrap(),
            serials,
            vec![],
        )
        .unwrap()
        .0
    }

    /// From a confirmed plan to its release.
    fn perform<'p>(&mut self, plan: &'p Plan) -> Result<Outcome<'p>> {
        let consent = Consent { plan: Some(plan.digest()?), ..consent() };
        self.perform_as(plan, consent)
    }

    fn perform_as<'p>(&mut self, plan: &'p Plan, consent: Consent) -> Result<Outcome<'p>> {
        let (output, today) = (self.output(), self.clock.get());
        self.session(consent, |session| {
            let remaining = Remaining::of(plan, plan.digest()?, session.ledger())?;
            let fresh = session.prepare(plan, &remaining, today)?;
            session.perform(plan, fresh, output)
        })
    }

    fn state(&self) -> State {
        let report = examine(&self.home(), Default::default()).unwrap();
        assert_eq!(report.errors, vec![]);
        report.state
    }
}

fn consent() -> Consent {
    Consent {
        verb: "sign",
        operator: "uid 0".into(),
        confirmed: "operator",
        correct_clock: false,
        accept_loss: false,
        plan: None,
    }
}

fn spec(ttl: &str) -> RootSpec {
    RootSpec {
        subject: Name::parse("O=Example,CN=Root").unwrap(),
        algorithm: KeyAlgorithm::P256,
        ttl: Seconds::parse(ttl).unwrap(),
        label: "root".into(),
        path_len: None,
    }
}

fn serial(n: u8) -> Serial {
    Serial::from_entropy(&[n; 32], b"test")
}

fn request(cluster: &str) -> Request {
    let pem = make_key(KeyAlgorithm::P256).unwrap();
    let key = PrivateKey::from_pem(pem.expose_secret().as_bytes()).unwrap();
    let pem = make_request(&key, cluster, Some("Istio")).unwrap();
    match intake::read(&format!("{cluster}.csr"), &pem).remove(0) {
        Arrival::Request(request) => *request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plan_is_performed_and_spent() {
    let mut scene = Scene::new();
    let plan = scene.plan(&["east", "west"]);
    let outcome = scene.perform(&plan).unwrap();
    assert_eq!((outcome.released.len(), outcome.burnt.len(), scene.state()), (2, 0, State::Ok));
    assert!(outcome.folder.join("east/ca-cert.pem").exists());
    assert_eq!(scene.perform(&plan).unwrap_err().id, "plan.spent");
}

#[test]
fn only_the_plan_that_was_shown_is_performed() {
    let mut scene = Scene::new();
    let (shown, other) = (scene.plan(&["east"]), scene.plan(&["west"]));
    let before = scene.open().journal.ledger().signatures();
    for plan in [None, Some(shown.digest().unwrap())] {
        let error = scene.perform_as(&other, Consent { plan, ..consent() }).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("plan.not-confirmed", 4));
    }
    assert_eq!(scene.open().journal.ledger().signatures(), before);
}

#[test]
fn yes_is_taken_only_where_the_home_was_made_for_it() {
    let mut scene = Scene::new();
    let before = scene.journal();
    let error = scene.session(Consent { confirmed: "--yes", ..consent() }, |_| Ok(())).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("consent.yes", 1));
    assert_eq!(scene.journal(), before);
}

#[test]
fn a_clock_that_is_set_back_meanwhile_loses_no_signature() {
    let mut scene = Scene::new();
    let plan = scene.plan(&["east", "west"]);
    scene.clock.set(time(NOW) + Seconds(600));
    scene.step.set(-1);
    assert_eq!(scene.perform(&plan).unwrap().released.len(), 2);
    scene.step.set(0);
    assert_eq!(scene.state(), State::Ok);
    // The next session sees it.
    let error = scene.session(consent(), |_| Ok(())).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("clock.behind", 1));
}

#[test]
fn a_torn_line_and_a_wrong_clock_are_settled_together_on_record() {
    let mut scene = Scene::new();
    let path = scene.home().join("journal").join(JOURNAL_FILE);
    std::fs::write(&path, scene.journal() + "{\"seq\":").unwrap();
    scene.clock.set(time(NOW).earlier(Seconds(60)));
    assert_eq!(scene.session(consent(), |_| Ok(())).unwrap_err().id, "clock.behind");
    assert!(scene.journal().ends_with("{\"seq\":"), "nothing is cut before it is settled");
    let corrected = Consent { correct_clock: true, ..consent() };
    scene.session(corrected, |s| s.seal()).unwrap();
    let journal = scene.journal();
    assert!(
        journal.contains("\"event\":\"clock-corrected\"")
            && journal.contains("\"event\":\"torn\",\"bytes\":7")
    );
    assert_eq!(scene.state(), State::Ok);
}

#[test]
fn a_signature_that_does_not_verify_is_on_record_and_ends_it() {
    let mut scene = Scene::new();
    let plan = scene.plan(&["east", "north", "west"]);
    scene.token.good = 1;
    let error = scene.perform(&plan).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("token.wrong-signature", 4));
    scene.token.good = usize::MAX;
    let left = |home: Home| {
        (home.journal.ledger().open_intents().count(), home.journal.ledger().unreleased().count())
    };
    assert_eq!(left(scene.open()), (0, 1));
    for word in ["rejected", "withdrawn"] {
        assert!(scene.journal().contains(&format!("\"event\":\"{word}\"")), "{word}");
    }
    // What was signed is released, what was given back is signed now, the rejected one is burnt.
    let outcome = scene.perform(&plan).unwrap();
    assert_eq!((outcome.released.len(), outcome.burnt.len()), (2, 1));
    assert_eq!(scene.state(), State::Ok);
}

/// A group's certificates are finished while the next one is signed: what that comes to stays
/// on record whatever became of them, and what is not fit to be released is kept apart.
#[test]
fn a_certificate_that_is_not_fit_ends_it_and_every_signature_is_on_record() {
    let mut scene = Scene::new();
    let clusters: Vec<String> = (0..80).map(|number| format!("c{number}")).collect();
    let plan = scene.plan(&clusters.iter().map(String::as_str).collect::<Vec<_>>());
    // Years go by while the token signs: the first group is expired when it is finished.
    scene.step.set(400 * 86_400);
    let error = scene.perform(&plan).unwrap_err();
    scene.step.set(0);
    assert_eq!((error.id, error.kind.exit_code()), ("verify.path.validity", 4), "{error}");
    let home = scene.open();
    let ledger = home.journal.ledger();
    assert_eq!((ledger.open_intents().count(), ledger.unreleased().count()), (0, 64));
    assert!(scene.journal().contains("\"event\":\"withdrawn\""), "what was not signed is given back");
    assert!(std::fs::read_dir(scene.home().join("quarantine")).unwrap().count() > 0);
    drop(home);
    assert_eq!(scene.state(), State::Open);
}

#[test]
fn an_interrupt_comes_between_signatures_and_leaves_nothing_open() {
    let mut scene = Scene::new();
    let plan = scene.plan(&["east", "north", "west"]);
    scene.patience.store(2, Relaxed);
    let error = scene.perform(&plan).unwrap_err();
    assert_eq!(error.kind.exit_code(), 130);
    scene.patience.store(usize::MAX, Relaxed);
    assert_eq!(scene.open().journal.ledger().open_intents().count(), 0);
    let outcome = scene.perform(&plan).unwrap();
    assert_eq!((outcome.released.len(), outcome.burnt.len()), (3, 0));
}

#[test]
fn an_older_copy_of_the_whole_home_is_noticed_by_the_token_and_by_the_plan() {
    let mut scene = Scene::new();
    let keep = |scene: &Scene| {
        let read = |name: &str| std::fs::read(scene.home().join(name)).unwrap();
        (read("journal/journal.jsonl"), read("state/head"))
    };
    let put = |scene: &Scene, (journal, head): &(Vec<u8>, Vec<u8>)| {
        std::fs::write(scene.home().join("journal/journal.jsonl"), journal).unwrap();
        std::fs::write(scene.home().join("state/head"), head).unwrap();
    };
    let older = keep(&scene);
    let east = scene.plan(&["east"]);
    scene.perform(&east).unwrap();
    let west = scene.plan(&["west"]);
    check_token_head(&scene.open(), &mut scene.token).unwrap();
    put(&scene, &older);
    let error = check_token_head(&scene.open(), &mut scene.token).unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), ("journal.behind", 4));
    let home = scene.open();
    let remaining = Remaining::of(&west, west.digest().unwrap(), home.journal.ledger()).unwrap();
    let error = prepare(&home, &west, &remaining, time(NOW)).unwrap_err();
    drop(home);
    assert_eq!((error.id, error.kind.exit_code()), ("journal.behind", 4));
    scene.token.data.values_mut().for_each(|value| *value = b"{\"\x1b\":1}".to_vec());
    let error = check_token_head(&scene.open(), &mut scene.token).unwrap_err();
    assert!(error.id == "journal.head-unreadable" && !error.message.contains('\x1b'));
}

#[test]
fn what_cannot_be_released_is_not_signed() {
    let mut scene = Scene::new();
    let plan = scene.plan(&["east"]);
    let before = scene.open().journal.ledger().signatures();
    let digest = plan.digest().unwrap();
    let consent = Consent { plan: Some(digest), ..consent() };
    // A name that tells of a rehearsal, where there is none.
    let output = check_output(Path::new(scene.dir.path()), "anchorite-REHEARSAL-1").unwrap();
    let error = scene
        .session(consent, |session| {
            let remaining = Remaining::of(&plan, plan.digest()?, session.ledger())?;
            let fresh = session.prepare(&plan, &remaining, time(NOW))?;
            session.perform(&plan, fresh, output)
        })
        .unwrap_err();
    assert_eq!(error.id, "release.name");
    let home = scene.open();
    assert_eq!(
        (home.journal.ledger().signatures(), home.journal.ledger().plan(&digest).unwrap()),
        (before, None)
    );
}

#[test]
fn a_root_ends_before_the_year_10000_and_outlives_its_making() {
    let decide = |ttl| spec(ttl).decide(time(NOW), (serial(1), serial(2)), false);
    for bad in ["8000y", "18446744073709551615s", "59m"] {
        let error = decide(bad).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), ("root.ttl", 2), "{bad}");
    }
    assert!(decide("60m").is_ok() && decide("7000y").is_ok());
}

#[test]
fn an_interrupted_root_is_taken_up_by_the_same_command_alone() {
    let recorded = spec("20y").decide(time(NOW), (serial(1), serial(2)), false).unwrap();
    assert!(spec("20y").agrees(&recorded, false).unwrap());
    assert!(!spec("21y").agrees(&recorded, false).unwrap());
    assert!(!spec("20y").agrees(&recorded, true).unwrap());
    assert!(!RootSpec { label: "other".into(), ..spec("20y") }.agrees(&recorded, false).unwrap());
}
