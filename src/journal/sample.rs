//! Journals for tests: written as a session would, signed by keys of the test's own.

use std::collections::BTreeMap;

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use super::{
    Bytes, Companion, Entry, Event, KeyRole, Ledger, Purpose, RevokedCertificate, RootAdoption, RootDecision,
    commitment, seal_message,
};
use crate::Result;
use crate::lint::CertificateKind;
use crate::lint::fixtures::{NOW, Raw, key, public, tbs, time};
use crate::release::cms;
use crate::x509::{
    CrlSpec, Digest, Name, PublicKey, Reason, Revocation, Seconds, Serial, SignatureAlgorithm, Tbs, Time,
};

/// A journal as it grows.
pub(crate) struct Script {
    pub ledger: Ledger,
    pub bytes: Vec<u8>,
    pub now: Time,
    pub root: Vec<u8>,
    root_key: KeyPair,
    journal_key: KeyPair,
}

impl Script {
    /// The first line alone.
    pub fn opened() -> Self {
        let mut script = Self {
            ledger: Ledger::default(),
            bytes: Vec::new(),
            now: time(NOW),
            root: Vec::new(),
            root_key: key(),
            journal_key: key(),
        };
        script.add(opened());
        script
    }

    /// With a root, its journal's certificate and the first seal.
    pub fn with_root() -> Self {
        let mut script = Self::with_keys();
        script.certify(Purpose::RootCertificate);
        script.certify(Purpose::JournalCertificate);
        script.seal();
        script
    }

    /// With both keys, before anything is signed.
    pub fn with_keys() -> Self {
        let mut script = Self::opened();
        script.add(decided());
        for role in [KeyRole::Root, KeyRole::Journal] {
            let intent = script.add(key_intent(role));
            script.add(script.key_made(intent, role));
        }
        script
    }

    /// With a root that was made elsewhere and the journal's key, nothing signed yet.
    pub fn adopted() -> Self {
        let mut script = Self::opened();
        let adoption = script.adoption();
        script.add(adoption);
        let intent = script.add(key_intent(KeyRole::Journal));
        script.add(script.key_made(intent, KeyRole::Journal));
        script
    }

    /// Another CA's root.
    pub fn other_root(name: &str) -> Companion {
        Companion { certificate: Bytes(Self::opened().root_named(name)), warned: vec![] }
    }

    /// A root of this script's key, by this name.
    pub fn root_named(&self, name: &str) -> Vec<u8> {
        let tbs = tbs(CertificateKind::Root, name, &public(&self.root_key), None);
        tbs.assemble(&self.signature(KeyRole::Root, tbs.as_der()).0).unwrap()
    }

    /// The line that takes the root over.
    pub fn adoption(&mut self) -> Event {
        let tbs = self.own(Purpose::RootCertificate);
        self.root = tbs.assemble(&self.signature(KeyRole::Root, tbs.as_der()).0).unwrap();
        Event::RootAdopted(RootAdoption {
            certificate: Bytes(self.root.clone()),
            label: "old root".into(),
            id: "07".into(),
            warned: vec!["adopt.crl-sign".into()],
            accepted: vec![],
            journal_key: None,
        })
    }

    /// As [`Script::own`], once more: another serial, a later end.
    pub fn renewal(&self, purpose: Purpose, serial: u8, end: &str) -> Event {
        let mut raw = Raw::of(self.own(purpose).as_der());
        raw.serial = [&[2, 16][..], &[serial; 16]].concat();
        raw.set_validity("240101000000Z", end);
        intent(purpose, KeyRole::Root, &raw.der())
    }

    /// The line that this event would be.
    pub fn entry(&self, event: Event) -> Entry {
        Entry { seq: self.ledger.count(), time: self.now, prev: self.ledger.head(), event }
    }

    /// Appends; the number of the line.
    pub fn add(&mut self, event: Event) -> u64 {
        let entry = self.entry(event);
        let line = entry.to_line().unwrap();
        self.ledger.apply(&entry, line.as_bytes()).unwrap();
        self.bytes.extend(line.bytes().chain([b'\n']));
        entry.seq
    }

    /// What the ledger says to such a line, without taking it in.
    pub fn attempt(&self, event: Event) -> Result<()> {
        self.attempt_entry(&self.entry(event))
    }

    pub fn attempt_entry(&self, entry: &Entry) -> Result<()> {
        self.ledger.clone().apply(entry, entry.to_line().unwrap().as_bytes())
    }

    pub fn key_made(&self, intent: u64, role: KeyRole) -> Event {
        Event::KeyMade { intent, public_key: Bytes(self.key(role).subject_public_key_info()) }
    }

    /// A signature by a key of the home.
    pub fn signature(&self, role: KeyRole, message: &[u8]) -> Bytes {
        Bytes(self.key(role).sign(message).unwrap())
    }

    fn key(&self, role: KeyRole) -> &KeyPair {
        match role {
            KeyRole::Root => &self.root_key,
            KeyRole::Journal => &self.journal_key,
        }
    }

    /// Puts an intent on record and signs it.
    pub fn sign(&mut self, intent: Event) -> u64 {
        let Event::Intent { role, message, .. } = &intent else { panic!("no intent") };
        let signature = self.signature(*role, &message.0);
        let intent = self.add(intent);
        self.add(Event::Signed { intent, signature });
        intent
    }

    /// The bytes of one of the home's own certificates.
    pub fn own(&self, purpose: Purpose) -> Tbs {
        let root = public(&self.root_key);
        match purpose {
            Purpose::RootCertificate => tbs(CertificateKind::Root, "CN=Root", &root, None),
            _ => {
                let above = Some((Name::parse("CN=Root").unwrap(), &root));
                tbs(CertificateKind::Journal, "CN=Root journal", &public(&self.journal_key), above)
            }
        }
    }

    pub fn certify(&mut self, purpose: Purpose) {
        let tbs = self.own(purpose);
        let intent = intent(purpose, KeyRole::Root, tbs.as_der());
        if purpose == Purpose::RootCertificate {
            let intent = self.sign(intent);
            let signature = self.ledger.intent_at(intent).unwrap().signature.clone().unwrap();
            self.root = tbs.assemble(&signature).unwrap();
        } else {
            self.sign(intent);
        }
    }

    pub fn seal_intent(&self) -> Event {
        let message = seal_message(self.ledger.count(), self.ledger.head(), self.now, None);
        intent(Purpose::Seal, KeyRole::Journal, &message)
    }

    pub fn seal(&mut self) {
        self.sign(self.seal_intent());
    }

    /// The intent of an intermediate with a key of its own.
    pub fn intermediate(&self, plan: Digest, cluster: &str) -> Event {
        let above = Some((Name::parse("CN=Root").unwrap(), &public(&self.root_key)));
        let subject = format!("L={cluster},CN=ca");
        let tbs = tbs(CertificateKind::Intermediate, &subject, &public(&key()), above);
        answering(intent(Purpose::Intermediate, KeyRole::Root, tbs.as_der()), plan, cluster)
    }

    /// The same with another end.
    pub fn until(&self, mut event: Event, end: &str) -> Event {
        if let Event::Intent { message, .. } = &mut event {
            let mut raw = Raw::of(&message.0);
            raw.set_validity("250101000000Z", end);
            message.0 = raw.der();
        }
        event
    }

    /// The root's CRL of this number.
    pub fn crl_spec(&self, number: u64, entries: &[Revocation]) -> CrlSpec {
        CrlSpec {
            signature: SignatureAlgorithm::EcdsaSha256,
            issuer: Name::parse("CN=Root").unwrap(),
            key_id: public(&self.root_key).key_id(),
            this_update: self.now,
            next_update: self.now + Seconds(400 * 86_400),
            number,
            entries: entries.to_vec(),
        }
    }

    /// The intent of a CRL, in a plan of its own.
    pub fn crl(&mut self, spec: &CrlSpec) -> Event {
        let plan = self.begin(&format!("CRL at line {}", self.ledger.count()), 1);
        of_plan(intent(Purpose::Crl, KeyRole::Root, spec.to_tbs().unwrap().as_der()), plan)
    }

    /// An intermediate (DER) of which no line tells.
    pub fn unrecorded(&self, cluster: &str) -> Vec<u8> {
        self.unrecorded_for(&format!("L={cluster},CN=ca"), &public(&key()))
    }

    /// The same for this key.
    pub fn unrecorded_for(&self, subject: &str, key: &PublicKey) -> Vec<u8> {
        let above = Some((Name::parse("CN=Root").unwrap(), &public(&self.root_key)));
        let tbs = tbs(CertificateKind::Intermediate, subject, key, above);
        tbs.assemble(&self.signature(KeyRole::Root, tbs.as_der()).0).unwrap()
    }

    /// A CRL of the root's (DER) of which no line tells.
    pub fn unrecorded_crl(&self, number: u64, entries: &[Revocation]) -> Vec<u8> {
        let tbs = self.crl_spec(number, entries).to_tbs().unwrap();
        tbs.assemble(&self.signature(KeyRole::Root, tbs.as_der()).0).unwrap()
    }

    /// Puts a revocation on record and seals it.
    pub fn revoke(&mut self, serial: &Serial) -> Revocation {
        let entry = revocation(serial, self.now);
        self.add(revoked(&format!("revoked at line {}", self.ledger.count()), std::slice::from_ref(&entry)));
        self.seal();
        entry
    }

    /// Begins a plan of so many certificates.
    pub fn begin(&mut self, name: &str, grants: u64) -> Digest {
        let digest = Digest::of(name.as_bytes());
        self.add(Event::Plan { digest, grants, refused: vec![] });
        digest
    }

    /// The same intent with another serial in its certificate.
    pub fn with_serial(&self, mut event: Event, serial: &Serial) -> Event {
        if let Event::Intent { message, .. } = &mut event {
            let facts = crate::x509::certificate::Facts::from_tbs(&message.0).unwrap();
            let (old, new) = (facts.serial.as_bytes(), serial.as_bytes());
            assert_eq!(old.len(), new.len());
            let at = message.0.windows(old.len()).position(|w| w == old).unwrap();
            message.0[at..at + old.len()].copy_from_slice(new);
        }
        event
    }

    /// The signature over a release's sums, and the line that says it went out.
    pub fn release(&mut self, plan: Digest, sums: &[u8]) -> Event {
        let attributes = cms::attributes(sums, &plan, &commitment(&NUMBER), self.now).unwrap();
        self.sign(of_plan(intent(Purpose::Release, KeyRole::Journal, &attributes), plan));
        Event::Released {
            plan,
            folder: "anchorite-2030-01-01-0001".into(),
            sums: Digest::of(sums),
            number: NUMBER,
        }
    }

    /// A whole session: plan, certificates, seal, release, seal.
    pub fn session(&mut self, name: &str, clusters: &[&str]) -> Digest {
        self.now = self.now + Seconds(60);
        self.add(session());
        let plan = self.begin(name, clusters.len() as u64);
        for cluster in clusters {
            self.sign(self.intermediate(plan, cluster));
        }
        self.seal();
        let released = self.release(plan, name.as_bytes());
        self.add(released);
        self.seal();
        plan
    }
}

pub(crate) fn revocation(serial: &Serial, date: Time) -> Revocation {
    Revocation { serial: serial.clone(), date, reason: Reason::Superseded, invalidity_date: None }
}

pub(crate) fn revoked(plan: &str, entries: &[Revocation]) -> Event {
    let certificates =
        entries.iter().map(|entry| RevokedCertificate { entry: entry.clone(), asked_by: None });
    Event::Revoked { plan: Digest::of(plan.as_bytes()), certificates: certificates.collect() }
}

pub(crate) fn opened() -> Event {
    Event::Opened {
        home: "0011".into(),
        version: "0.1.0".into(),
        token: "pkcs11:token=t".into(),
        unattended: false,
        rehearsal: false,
        files: files("first"),
    }
}

pub(crate) fn files(text: &str) -> BTreeMap<String, Digest> {
    BTreeMap::from([("anchorite.toml".into(), Digest::of(text.as_bytes()))])
}

pub(crate) fn session() -> Event {
    Event::Session { verb: "sign".into(), operator: "uid 0".into(), confirmed: "operator".into() }
}

pub(crate) fn decided() -> Event {
    let serial = |n| Serial::from_bytes(&[n]).unwrap();
    Event::RootDecided(RootDecision {
        subject: Bytes(Name::parse("CN=Root").unwrap().as_der().to_vec()),
        algorithm: "p256".into(),
        label: "root".into(),
        not_before: time(NOW),
        not_after: time(NOW) + Seconds(1),
        path_len: None,
        serial: serial(1),
        journal_serial: serial(2),
    })
}

pub(crate) fn key_intent(role: KeyRole) -> Event {
    let label = if role == KeyRole::Root { "root" } else { "root journal" };
    Event::KeyIntent { role, algorithm: "p256".into(), label: label.into(), id: "01".into() }
}

/// What only the session knows, in all of them.
pub(crate) const NUMBER: Digest = Digest([7; 32]);

/// What was signed on lines that are lost.
pub(crate) fn recovered(certificates: &[Vec<u8>], crls: &[Vec<u8>]) -> Event {
    let bytes = |all: &[Vec<u8>]| all.iter().map(|der| Bytes(der.clone())).collect();
    Event::Recovered { certificates: bytes(certificates), cluster_crls: vec![], crls: bytes(crls) }
}

/// An intent that answers nothing.
pub(crate) fn intent(purpose: Purpose, role: KeyRole, message: &[u8]) -> Event {
    Event::Intent {
        purpose,
        role,
        algorithm: SignatureAlgorithm::EcdsaSha256,
        plan: None,
        request: None,
        cluster: None,
        policy: None,
        crl: None,
        commitment: Some(commitment(&NUMBER)),
        message: Bytes(message.to_vec()),
    }
}

pub(crate) fn of_plan(mut event: Event, digest: Digest) -> Event {
    if let Event::Intent { plan, .. } = &mut event {
        *plan = Some(digest);
    }
    event
}

pub(crate) fn answering(event: Event, digest: Digest, name: &str) -> Event {
    let mut event = of_plan(event, digest);
    if let Event::Intent { request, cluster, policy, .. } = &mut event {
        *request = Some(Digest::of(name.as_bytes()));
        *cluster = Some(name.into());
        *policy = Some("istio".into());
    }
    event
}
