//! A small world with keys that everybody knows, so that a fuzzer can sign what it
//! made up and get past the signatures. The root's is Ed25519: its certificate comes
//! out the same each time, and what was signed beneath it stays good.

use std::sync::LazyLock;

use anchorite::journal::{Ledger, replay};
use anchorite::policy::{DEFAULT_REGISTER, PolicySet, SHIPPED};
use anchorite::x509::certificate::extension;
use anchorite::x509::{
    CertificateSpec, Issuer, KeyAlgorithm, Name, PublicKey, Serial, SignatureAlgorithm, Tbs, Time,
};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;
use der::asn1::OctetString;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};

/// A whole journal, the plan that was performed in it, and the release that came of
/// it: made once by `seeds --world`, since ECDSA signs differently each time.
pub const JOURNAL: &[u8] = include_bytes!("../world/journal.jsonl");
pub const PLAN: &[u8] = include_bytes!("../world/plan.json");
pub const RELEASE: &[u8] = include_bytes!("../world/release.files");

/// The line of the journal at which the plan was made: its first seal.
pub const ROOT_SEALED: usize = 12;

pub fn now() -> Time {
    time("2030-01-01T00:00:00Z")
}

pub fn time(text: &str) -> Time {
    Time::parse(text).unwrap()
}

static ROOT_KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap());

pub fn root_public() -> PublicKey {
    PublicKey::from_ed25519(ROOT_KEY.public_key().as_ref()).unwrap()
}

pub fn sign_as_root(message: &[u8]) -> Vec<u8> {
    ROOT_KEY.sign(message).as_ref().to_vec()
}

/// A P-256 key by its number: 2 is the journal's, 3 and on are subjects'.
pub struct Key(EcdsaKeyPair);

pub static JOURNAL_KEY: LazyLock<Key> = LazyLock::new(|| Key::number(2));
pub static SUBJECT_KEY: LazyLock<Key> = LazyLock::new(|| Key::number(3));

impl Key {
    pub fn number(number: u8) -> Self {
        let secret = [number; 32];
        let public = PrivateKey::from_private_key(&ECDH_P256, &secret).unwrap().compute_public_key().unwrap();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        Self(EcdsaKeyPair::from_private_key_and_public_key(algorithm, &secret, public.as_ref()).unwrap())
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_ec_point(KeyAlgorithm::P256, self.0.public_key().as_ref()).unwrap()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

static ROOT: LazyLock<Issuer> = LazyLock::new(|| {
    let tbs = root_tbs();
    Issuer::from_der(&tbs.assemble(&sign_as_root(tbs.as_der())).unwrap()).unwrap()
});

/// The root; it sets no bound to its path, so that every policy fits beneath it.
pub fn root() -> &'static Issuer {
    &ROOT
}

pub fn root_tbs() -> Tbs {
    let usage = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    let key = root_public();
    let mut extensions = common(true, KeyUsage(usage), &key);
    extensions.remove(3);
    own("O=Example,CN=Example Root G1", 1, key, extensions)
}

static JOURNAL_CERTIFICATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let tbs = journal_tbs();
    tbs.assemble(&sign_as_root(tbs.as_der())).unwrap()
});

pub fn journal_certificate() -> &'static [u8] {
    &JOURNAL_CERTIFICATE
}

pub fn journal_tbs() -> Tbs {
    let key = JOURNAL_KEY.public();
    let mut extensions = common(false, KeyUsage(KeyUsages::DigitalSignature.into()), &key);
    let document_signing = ExtendedKeyUsage(vec![ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36")]);
    extensions.push(extension(rfc5280::ID_CE_EXT_KEY_USAGE, true, &document_signing).unwrap());
    own("O=Example,CN=Example Root G1 journal", 2, key, extensions)
}

fn common(ca: bool, usage: KeyUsage, key: &PublicKey) -> Vec<Extension> {
    let id = |key: &PublicKey| OctetString::new(key.key_id()).unwrap();
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(id(&root_public())),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let basic = BasicConstraints { ca, path_len_constraint: None };
    vec![
        extension(rfc5280::ID_CE_BASIC_CONSTRAINTS, true, &basic).unwrap(),
        extension(rfc5280::ID_CE_KEY_USAGE, true, &usage).unwrap(),
        extension(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(id(key))).unwrap(),
        extension(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority).unwrap(),
    ]
}

fn own(subject: &str, serial: u8, public_key: PublicKey, extensions: Vec<Extension>) -> Tbs {
    let spec = CertificateSpec {
        serial: Serial::from_entropy(&[serial; 32], b"world"),
        signature: SignatureAlgorithm::Ed25519,
        issuer: Name::parse("O=Example,CN=Example Root G1").unwrap(),
        not_before: time("2029-01-01T00:00:00Z"),
        not_after: time("2049-01-01T00:00:00Z"),
        subject: Name::parse(subject).unwrap(),
        public_key,
        extensions,
    };
    spec.to_tbs().unwrap()
}

/// The shipped policies and an empty register.
pub fn policies() -> &'static PolicySet {
    static SET: LazyLock<PolicySet> = LazyLock::new(|| {
        PolicySet::parse(SHIPPED.iter().copied(), ("clusters.toml", DEFAULT_REGISTER)).unwrap()
    });
    &SET
}

/// The journal as it stood when the plan was made.
pub fn ledger() -> &'static Ledger {
    static LEDGER: LazyLock<Ledger> = LazyLock::new(|| replay(sealed(), |_, _| Ok(())).unwrap().ledger);
    &LEDGER
}

/// The journal up to its first seal.
pub fn sealed() -> &'static [u8] {
    let lines: usize = JOURNAL.split_inclusive(|b| *b == b'\n').take(ROOT_SEALED).map(<[u8]>::len).sum();
    &JOURNAL[..lines]
}
