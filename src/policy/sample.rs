//! A small world for tests: a root, the shipped policies, a request, a past.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::Encode as _;
use der::asn1::{Any, Null, SetOfVec};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::name::GeneralName;

use super::{Context, DEFAULT_REGISTER, Decision, History, Keep, PolicySet, SHIPPED, decide_all};
use crate::error::Result;
use crate::finding::Finding;
use crate::intake::crl::sample as crl;
use crate::intake::{Claims, Object, ObjectKind, Request, Sender, attach, within};
use crate::sshsig::PublicKey as SshKey;
use crate::text::base64;
use crate::x509::{
    CrlSpec, Digest, Issued, Issuer, KeyAlgorithm, Name, PublicKey, Seconds, Serial, SignatureAlgorithm,
    Status, Time,
};

/// Everything a decision depends on, to be changed before [`World::decide`].
#[derive(Debug, Clone)]
pub(super) struct World {
    pub policies: Vec<(String, String)>,
    pub register: String,
    pub forced: Option<String>,
    pub issuer: Issuer,
    pub past: Vec<Issued>,
    pub companions: Vec<Issuer>,
    pub forbidden: Option<&'static str>,
    pub now: Time,
    pub requests: Vec<Request>,
}

impl World {
    /// One plain request of the cluster `east`, which the shipped `istio` policy grants.
    pub fn new() -> Self {
        let now = Time::parse("2026-11-22T10:00:00Z").unwrap();
        Self {
            policies: SHIPPED.iter().map(|(file, text)| ((*file).into(), (*text).into())).collect(),
            register: DEFAULT_REGISTER.into(),
            forced: Some("istio".into()),
            issuer: issuer(now),
            past: vec![],
            companions: vec![],
            forbidden: None,
            now,
            requests: vec![request("O=Istio,L=east,CN=root", 1)],
        }
    }

    /// The request that is judged last, the only one to begin with.
    pub fn request(&mut self) -> &mut Request {
        self.requests.last_mut().unwrap()
    }

    pub fn claims(&mut self) -> &mut Claims {
        &mut self.request().claims
    }

    /// Gives the request a key of its own, and the CRL that a cluster would sign with it.
    pub fn with_crl(&mut self, change: impl FnOnce(&mut CrlSpec)) {
        self.request().key = crl::public_key();
        let mut spec = crl::spec(&self.request().subject.clone(), self.now);
        change(&mut spec);
        attach(self.request(), "east.crl", &crl::signed(&spec)).unwrap();
    }

    /// Puts the request into an object that agrees with everything.
    pub fn within(&mut self, change: impl FnOnce(&mut Object)) {
        let mut object = Object {
            kind: ObjectKind::CertificateRequest,
            namespace: Some("istio-system".into()),
            name: "mesh-ca-1".into(),
            issuer: Some("ClusterIssuer.cert-manager.io/anchorite".into()),
            signer: None,
            is_ca: Some(true),
            duration: None,
            usages: vec![],
            request: None,
            ready: None,
        };
        change(&mut object);
        within(self.request(), object);
    }

    /// Has the request's file signed by [`ssh_key`].
    pub fn signed(&mut self, seed: u8) {
        self.request().sender = Some(Sender { key: ssh_key(seed), file: "1.csr.sig".into() });
    }

    /// Sets a key of the istio policy, e.g. `validity.maximum`, to a TOML value.
    pub fn set(&mut self, key: &str, value: &str) {
        self.set_all([(key, value)]);
    }

    /// Sets several.
    pub fn set_all<'a>(&mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let text = &mut self.policies[0].1;
        let mut table: toml::Table = text.parse().unwrap();
        for (key, value) in settings {
            let value: toml::Table = format!("v = {value}").parse().unwrap();
            let (last, parents) =
                key.split('.').collect::<Vec<_>>().split_last().map(|(l, p)| (*l, p.to_vec())).unwrap();
            let inner = parents.iter().fold(&mut table, |t, name| {
                t.entry(*name).or_insert_with(|| toml::Table::new().into()).as_table_mut().unwrap()
            });
            inner.insert(last.into(), value["v"].clone());
        }
        *text = table.to_string();
    }

    /// Puts a certificate in the past: of a key, under a subject, 30 days ago.
    pub fn issued(&mut self, key: u8, subject: &str, status: Status) {
        let not_before = self.now.earlier(Seconds(30 * 86_400));
        self.past.push(Issued {
            serial: Serial::from_bytes(&[0x70, key]).unwrap(),
            subject: Name::parse(subject).unwrap(),
            key: p256(key).digest(),
            cluster: Some("east".into()),
            not_before,
            not_after: not_before + Seconds(60 * 86_400),
            status,
            crl: None,
            revoked: None,
        });
    }

    pub fn try_policies(&self) -> crate::Result<PolicySet> {
        PolicySet::parse(self.policies.iter().map(|(f, t)| (f, t)), ("clusters.toml", &self.register))
    }

    pub fn decide_all(&self) -> Vec<Decision> {
        let policies = self.try_policies().unwrap();
        let past = Past(&self.past, &self.companions, self.forbidden);
        let (issuer, now) = (&self.issuer, self.now);
        let context =
            Context { policies: &policies, forced: self.forced.as_deref(), issuer, history: &past, now };
        decide_all(&context, &self.requests, Keep::All).unwrap()
    }

    /// The decision on the last request.
    pub fn decide(&self) -> Decision {
        self.decide_all().pop().unwrap()
    }

    /// What one rule found on the last request.
    pub fn finding(&self, rule: &str) -> Finding {
        let findings = self.decide().findings;
        findings.into_iter().find(|f| f.rule == rule).unwrap_or_else(|| panic!("{rule} was not evaluated"))
    }
}

/// The past as a plain list.
pub(super) struct Past<'a>(pub &'a [Issued], pub &'a [Issuer], pub Option<&'static str>);

impl Past<'_> {
    fn all(&self, keep: impl Fn(&Issued) -> bool) -> Vec<Issued> {
        self.0.iter().filter(|issued| keep(issued)).cloned().collect()
    }
}

impl History for Past<'_> {
    fn by_key(&self, key: &Digest) -> Result<Vec<Issued>> {
        Ok(self.all(|i| i.key == *key))
    }
    fn by_subject(&self, subject: &[u8]) -> Result<Vec<Issued>> {
        Ok(self.all(|i| i.subject.canonical() == subject))
    }
    fn by_cluster(&self, cluster: &str) -> Result<Vec<Issued>> {
        Ok(self.all(|i| i.cluster.as_deref() == Some(cluster)))
    }
    fn companions(&self) -> Result<Vec<Issuer>> {
        Ok(self.1.to_vec())
    }
    fn forbids_signing(&self) -> Option<&'static str> {
        self.2
    }
    fn has_serial(&self, serial: &Serial) -> Result<bool> {
        Ok(self.0.iter().any(|i| i.serial == *serial))
    }
}

/// An SSH key.
pub(super) fn ssh_key(seed: u8) -> SshKey {
    let blob = [&[0, 0, 0, 11], &b"ssh-ed25519"[..], &[0, 0, 0, 32], &[seed; 32]].concat();
    SshKey::parse(&format!("ssh-ed25519 {}", base64(&blob))).unwrap()
}

pub(super) fn p256(seed: u8) -> PublicKey {
    let mut point = [seed; 65];
    point[0] = 4;
    PublicKey::from_ec_point(KeyAlgorithm::P256, &point).unwrap()
}

pub(super) fn p521() -> PublicKey {
    let mut point = [1; 133];
    point[0] = 4;
    PublicKey::from_ec_point(KeyAlgorithm::P521, &point).unwrap()
}

pub(super) fn rsa(bits: usize) -> PublicKey {
    PublicKey::from_rsa(&vec![0xff; bits / 8], &[1, 0, 1]).unwrap()
}

fn issuer(now: Time) -> Issuer {
    let public_key = p256(200);
    Issuer {
        der: b"a root".to_vec(),
        subject: Name::parse("O=Example,CN=Example Root G1").unwrap(),
        serial: Serial::from_bytes(&[1]).unwrap(),
        key_id: vec![0xaa; 20],
        not_before: now.earlier(Seconds(86_400)),
        not_after: now + Seconds::parse("20y").unwrap(),
        path_len: None,
        crl_sign: true,
        signature: SignatureAlgorithm::of_issuer(public_key.algorithm()).unwrap(),
        public_key,
    }
}

pub(super) fn request(subject: &str, key: u8) -> Request {
    request_named(Name::parse(subject).unwrap(), key)
}

pub(super) fn request_named(subject: Name, key: u8) -> Request {
    let der = format!("{subject} {key}").into_bytes();
    Request {
        file: format!("{key}.csr"),
        digest: Digest::of(&der),
        der,
        subject,
        key: p256(key),
        claims: Claims::default(),
        crl: None,
        object: None,
        sender: None,
        signed: None,
        findings: vec![],
    }
}

pub(super) fn dns(name: &str) -> GeneralName {
    GeneralName::DnsName(der::asn1::Ia5String::new(name).unwrap())
}

/// An extension that no policy knows.
pub(super) const UNKNOWN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.7");

/// A subject whose L is no string at all.
pub(super) fn l_as_null() -> Name {
    let value = Any::encode_from(&Null).unwrap();
    let attribute = AttributeTypeAndValue { oid: rfc4519::L, value };
    Name::from_der(&vec![SetOfVec::try_from(vec![attribute]).unwrap()].to_der().unwrap()).unwrap()
}
