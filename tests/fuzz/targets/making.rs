//! Makes the world: what the appliance would have written, with keys that everybody knows.

use std::collections::BTreeMap;
use std::path::Path;

use anchorite::journal::{
    Bytes, Entry, Event, Head, KeyRole, Ledger, Purpose, RootDecision, commitment, seal_message,
};
use anchorite::plan::{Frame, decide, make};
use anchorite::policy::{Context, Keep};
use anchorite::release::{self, ClusterFolder, Consumer, Member, Origin, ReleaseInput, cms};
use anchorite::x509::{Digest, Seconds, Serial, SignatureAlgorithm, Tbs, Time};

use super::policy::ask;
use super::world::{self, JOURNAL_KEY, root};
use super::{files, request};

/// The journal as it grows, with every line as the appliance would write it.
struct Session {
    ledger: Ledger,
    bytes: Vec<u8>,
    now: Time,
}

impl Session {
    fn add(&mut self, event: Event) -> u64 {
        let entry = Entry { seq: self.ledger.count(), time: self.now, prev: self.ledger.head(), event };
        let line = entry.to_line().unwrap();
        self.ledger.apply(&entry, line.as_bytes()).unwrap();
        self.bytes.extend(line.bytes().chain([b'\n']));
        entry.seq
    }

    fn sign(&mut self, intent: Event) -> Vec<u8> {
        let Event::Intent { role, message, .. } = &intent else { unreachable!() };
        let signature = match role {
            KeyRole::Root => world::sign_as_root(&message.0),
            KeyRole::Journal => JOURNAL_KEY.sign(&message.0),
        };
        let intent = self.add(intent);
        self.add(Event::Signed { intent, signature: Bytes(signature.clone()) });
        signature
    }

    fn seal(&mut self) {
        let message = seal_message(self.ledger.count(), self.ledger.head(), self.now, None);
        self.sign(by_journal(Purpose::Seal, None, message));
    }

    fn certify(&mut self, purpose: Purpose, tbs: &Tbs) {
        self.sign(by_root(purpose, tbs.as_der().to_vec()));
    }
}

/// What only the session knows.
const NUMBER: Digest = Digest([7; 32]);

fn by_root(purpose: Purpose, message: Vec<u8>) -> Event {
    Event::Intent {
        purpose,
        role: KeyRole::Root,
        algorithm: SignatureAlgorithm::Ed25519,
        plan: None,
        request: None,
        cluster: None,
        policy: None,
        crl: None,
        commitment: Some(commitment(&NUMBER)),
        message: Bytes(message),
    }
}

fn by_journal(purpose: Purpose, plan: Option<Digest>, message: Vec<u8>) -> Event {
    Event::Intent {
        purpose,
        role: KeyRole::Journal,
        algorithm: SignatureAlgorithm::EcdsaSha256,
        plan,
        request: None,
        cluster: None,
        policy: None,
        crl: None,
        commitment: Some(commitment(&NUMBER)),
        message: Bytes(message),
    }
}

/// A journal, the plan performed in it and its release, signed with the world's keys.
pub fn make_world(folder: &Path) {
    let mut session =
        Session { ledger: Ledger::default(), bytes: Vec::new(), now: world::now().earlier(Seconds(3600)) };
    make_root(&mut session);
    assert_eq!(session.ledger.count(), world::ROOT_SEALED as u64);
    session.now = world::now();

    let der = [ask("O=Istio,L=east,CN=root", 3, false), ask("O=Istio,L=west,CN=root", 4, true)];
    let requests: Vec<_> = der.iter().flat_map(|der| request(der)).collect();
    let history = session.ledger.clone();
    let context = Context {
        policies: world::policies(),
        forced: Some("istio"),
        issuer: root(),
        history: &history,
        now: session.now,
    };
    let decisions = decide(&context, &requests, Keep::All).unwrap();
    let frame = Frame {
        home: "0011".into(),
        head: Head { count: session.ledger.count(), hash: session.ledger.head() },
        rehearsal: false,
        dry_run: false,
    };
    let serials = [5, 6].map(|n| Serial::from_entropy(&[n; 32], b"world")).to_vec();
    let (plan, _) = make(&context, frame, &requests, &decisions, serials, vec![]).unwrap();
    assert_eq!(plan.items.len(), 2);
    let digest = plan.digest().unwrap();
    session.add(Event::Session {
        verb: "sign".into(),
        operator: "uid 0".into(),
        confirmed: "operator".into(),
    });
    session.add(Event::Plan { digest, grants: 2, refused: vec![] });
    let mut certificates = Vec::new();
    for (item, decision) in plan.items.iter().zip(&decisions) {
        let mut intent = by_root(Purpose::Intermediate, item.tbs.0.clone());
        if let Event::Intent { plan, request, cluster, policy, .. } = &mut intent {
            *plan = Some(digest);
            *request = Some(Digest::of(&item.request.0));
            *cluster = Some(item.cluster.clone());
            *policy = Some(item.policy.clone());
        }
        let signature = session.sign(intent);
        let grant = decision.grant.as_ref().unwrap();
        let tbs = grant.specification(item.serial.clone(), root()).unwrap().to_tbs().unwrap();
        assert_eq!(tbs.as_der(), item.tbs.0);
        certificates.push((item, tbs.assemble(&signature).unwrap()));
    }
    session.seal();

    let name = "anchorite-2030-01-01-0001";
    let origin = Origin {
        name: name.into(),
        rehearsal: false,
        plan: digest,
        root: root().der.clone(),
        trusted: vec![root().der.clone()],
    };
    let members = certificates.iter().map(|(item, der)| Member {
        cluster: item.cluster.clone(),
        consumer: Consumer::Istio,
        certificate: der,
        policy: item.policy.clone(),
        request: Digest::of(&item.request.0),
        object: None,
    });
    let folders: Vec<_> = members.map(|member| origin.lay_out(&member).unwrap()).collect();
    let input = ReleaseInput {
        origin: &origin,
        created: session.now,
        journal_certificate: world::journal_certificate(),
        journal: vec![("journal.jsonl".into(), session.bytes.clone())],
        crls: &release::Crls::default(),
        cross: None,
        stage: None,
        repeats: None,
    };
    let prepared =
        release::prepare(input, folders.iter().map(|folder| folder.laid.clone()).collect()).unwrap();
    let attributes = cms::attributes(prepared.sums(), &digest, &commitment(&NUMBER), session.now).unwrap();
    let signature = session.sign(by_journal(Purpose::Release, Some(digest), attributes.clone()));
    let sums = Digest::of(prepared.sums());
    let p7s = cms::assemble(&attributes, &signature, world::journal_certificate()).unwrap();
    let beneath = folders.into_iter().flat_map(ClusterFolder::into_files);
    let files: Vec<_> = prepared.finish(p7s).top.into_iter().chain(beneath).collect();
    session.add(Event::Released { plan: digest, folder: name.into(), sums, number: NUMBER });
    session.seal();

    let files = files::pack(files.iter().map(|(name, bytes)| (name.as_bytes(), bytes.as_slice())));
    std::fs::write(folder.join("journal.jsonl"), &session.bytes).unwrap();
    std::fs::write(folder.join("plan.json"), plan.to_bytes().unwrap()).unwrap();
    std::fs::write(folder.join("release.files"), files).unwrap();
}

fn make_root(session: &mut Session) {
    let files: BTreeMap<_, _> = [("anchorite.toml".to_string(), Digest::of(b"configuration"))].into();
    session.add(Event::Opened {
        home: "0011".into(),
        version: "0.1.0".into(),
        token: "pkcs11:token=t".into(),
        unattended: false,
        rehearsal: false,
        files,
    });
    session.add(Event::RootDecided(RootDecision {
        subject: Bytes(root().subject.as_der().to_vec()),
        algorithm: "ed25519".into(),
        label: "root".into(),
        not_before: root().not_before,
        not_after: root().not_after,
        path_len: None,
        serial: root().serial.clone(),
        journal_serial: Serial::from_entropy(&[2; 32], b"world"),
    }));
    for (role, algorithm, label, key) in [
        (KeyRole::Root, "ed25519", "root", world::root_public()),
        (KeyRole::Journal, "p256", "root journal", JOURNAL_KEY.public()),
    ] {
        let (algorithm, label) = (algorithm.to_string(), label.to_string());
        let intent = session.add(Event::KeyIntent { role, algorithm, label, id: "01".into() });
        session.add(Event::KeyMade { intent, public_key: Bytes(key.as_der().to_vec()) });
    }
    session.certify(Purpose::RootCertificate, &world::root_tbs());
    session.certify(Purpose::JournalCertificate, &world::journal_tbs());
    session.seal();
}
