//! Making the root: everything about it is decided, linted and on record before
//! its key exists, so that no key is ever orphaned, and a crash at any point is
//! taken up again by running the same command.

use super::Session;
use super::attest::check_demands;
use super::own::{journal_tbs, root_extensions, shortened};
use crate::error::{Error, Result};
use crate::journal::{Bytes, Companion, Event, Head, KeyRole, Purpose, RootDecision};
use crate::lint::{CertificateKind, Linted, lint};
use crate::policy::RootConfig;
use crate::text;
use crate::token::Key;
use crate::x509::{
    CertificateSpec, Digest, Issuer, KeyAlgorithm, Name, PublicKey, Seconds, Serial, SignatureAlgorithm, Tbs,
    Time,
};

/// notBefore lies a little back, for clocks that lag.
pub(super) const BACKDATE: Seconds = Seconds(300);
/// A root must outlive the session that makes it, or its key is orphaned.
const SHORTEST: Seconds = Seconds(3600);
/// The longest CKA_LABEL that is given.
const LABEL_MAXIMUM: usize = 64;

/// What is asked for on the command line.
#[derive(Debug, Clone)]
pub struct RootSpec {
    /// The subject.
    pub subject: Name,
    /// The kind of key.
    pub algorithm: KeyAlgorithm,
    /// How long it is valid.
    pub ttl: Seconds,
    /// CKA_LABEL of its key.
    pub label: String,
    /// pathLenConstraint, where one is wanted.
    pub path_len: Option<u8>,
}

impl RootSpec {
    /// Decides everything, with a placeholder for the key that does not exist yet,
    /// and lints both certificates. `rehearsal` marks the subject.
    pub fn decide(&self, now: Time, serials: (Serial, Serial), rehearsal: bool) -> Result<RootDecision> {
        check_ttl(now, self.ttl)?;
        let not_after = now + self.ttl;
        let subject = if rehearsal { rehearsal_name(&self.subject)? } else { self.subject.clone() };
        let (serial, journal_serial) = serials;
        check_label("--label", &self.label)?;
        let decision = RootDecision {
            subject: Bytes(subject.as_der().to_vec()),
            algorithm: self.algorithm.to_string(),
            label: self.label.clone(),
            not_before: now.earlier(BACKDATE),
            not_after,
            path_len: self.path_len,
            serial,
            journal_serial,
        };
        let placeholder = placeholder(self.algorithm)?;
        root_tbs(&decision, &placeholder).map_err(unfit)?;
        let issuer = preview_issuer(&decision, &placeholder)?;
        journal_tbs(&issuer, decision.journal_serial.clone(), issuer.not_before, &journal_placeholder()?)
            .map_err(unfit)?;
        Ok(decision)
    }

    /// Whether a decision on record, which a crash interrupted, is what is asked for again.
    pub fn agrees(&self, recorded: &RootDecision, rehearsal: bool) -> Result<bool> {
        let serials = (recorded.serial.clone(), recorded.journal_serial.clone());
        Ok(self.decide(recorded.not_before + BACKDATE, serials, rehearsal)? == *recorded)
    }
}

/// Whether a root, this home's or a companion, may have a key of this kind.
pub fn check_kind(config: &RootConfig, algorithm: KeyAlgorithm) -> Result<()> {
    if config.post_quantum || !algorithm.is_post_quantum() {
        return Ok(());
    }
    let message =
        format!("anchorite.toml: root.post-quantum is false, a root with an {algorithm} key is not wanted");
    Err(Error::refused("root.post-quantum", message).next(
        "few programs load such a root as yet (README, \"Tokens\"); where all of yours do, set post-quantum = true \
         under [root] and run `anchorite policy pin`",
    ))
}

/// What a lint finds here was asked for on the command line; nothing is broken.
fn unfit(error: Error) -> Error {
    match error.id {
        "lint.failed" => {
            Error::usage("root.unfit", error.message).next("ask for another --subject, --ttl or --path-len")
        }
        _ => error,
    }
}

/// PKCS#11 takes any label; people and other tools take fewer.
pub fn check_label(option: &str, label: &str) -> Result<()> {
    let found = text::shown(label);
    if found == label && !label.trim().is_empty() && label.chars().count() <= LABEL_MAXIMUM {
        return Ok(());
    }
    Err(Error::usage("root.label", format!("{option} '{found}': cannot be a key's label"))
        .next("use 1 to 64 printable Latin characters without a backslash"))
}

/// A certificate cannot end later than the year 9999 (RFC 5280 §4.1.2.5).
pub(super) fn check_ttl(now: Time, ttl: Seconds) -> Result<()> {
    let longest = Time::from_unix(u64::MAX) - now;
    if (SHORTEST..=longest).contains(&ttl) {
        return Ok(());
    }
    let (ttl, years) = (ttl.in_years(), longest.0 / Seconds::DAY.0 / 365);
    Err(Error::usage(
        "root.ttl",
        format!(
            "--ttl {ttl}: want at least {SHORTEST} and at most {years}y, or it would end after the year 9999"
        ),
    )
    .next("20y is usual for a root"))
}

/// The root's bytes as they will be but for the key, for the review.
pub fn preview(decision: &RootDecision) -> Result<Vec<u8>> {
    Ok(root_tbs(decision, &placeholder(decision.algorithm()?)?)?.into_inner().as_der().to_vec())
}

impl Session<'_> {
    /// Makes the root, or takes up where a crash left it. `companions` are the other
    /// roots that are trusted beside it from the start.
    pub fn create_root(
        &mut self,
        decision: RootDecision,
        companions: Vec<Companion>,
    ) -> Result<(Issuer, Head)> {
        check_kind(&self.home.config.root, decision.algorithm()?)?;
        check_demands(&self.home.config.token, self.token.info(), decision.algorithm()?)?;
        check_demands(&self.home.config.token, self.token.info(), KeyAlgorithm::P256)?;
        let ledger = self.ledger();
        let decided =
            (ledger.root_decision() != Some(&decision)).then(|| Event::RootDecided(decision.clone()));
        // On record already where a crash came between; what warned of it may differ by now.
        let fingerprints =
            |roots: &[Companion]| -> Vec<Digest> { roots.iter().map(Companion::fingerprint).collect() };
        let companions = (fingerprints(ledger.companions()) != fingerprints(&companions))
            .then_some(Event::Companions { roots: companions });
        let events: Vec<Event> = decided.into_iter().chain(companions).collect();
        if !events.is_empty() {
            self.home.journal.append(self.now(), events)?;
        }
        let root_key = self.make_key(KeyRole::Root, decision.algorithm()?, &decision.label)?;
        self.attest(KeyRole::Root, &root_key)?;
        let journal_label = journal_label(&decision.label);
        let journal_key = self.make_key(KeyRole::Journal, KeyAlgorithm::P256, &journal_label)?;
        self.attest(KeyRole::Journal, &journal_key)?;

        let tbs = root_tbs(&decision, &root_key.public_key)?;
        let der =
            self.own_certificate(Purpose::RootCertificate, CertificateKind::Root, tbs, None, &root_key)?;
        let root = Issuer::from_der(&der)?;
        self.home.write_certificate("root.pem", &der)?;
        self.token.store_certificate(&root_key, &der)?;

        let serial = decision.journal_serial.clone();
        let tbs = journal_tbs(&root, serial, root.not_before, &journal_key.public_key)?;
        let der = self.own_certificate(
            Purpose::JournalCertificate,
            CertificateKind::Journal,
            tbs,
            Some(&root),
            &root_key,
        )?;
        self.home.write_certificate("journal-cert.pem", &der)?;
        self.token.store_certificate(&journal_key, &der)?;
        let head = self.close(&journal_key)?;
        Ok((root, head))
    }

    /// On record, then generated; or found again after a crash.
    pub(super) fn make_key(&mut self, role: KeyRole, algorithm: KeyAlgorithm, label: &str) -> Result<Key> {
        if self.home.journal.ledger().key(role).is_some_and(|k| k.public_key.is_some()) {
            let key = self.key(role)?;
            // Made by the run before, perhaps asked for otherwise.
            self.token.check_made(role, &key)?;
            return Ok(key);
        }
        let permit = match self.home.journal.ledger().key(role) {
            None => {
                self.token.check_free(role)?;
                let id = self.token.key_id(role).map_or_else(|| self.new_id(), Ok)?;
                self.home.journal.intend_key(self.now(), role, algorithm, label, &id)?
            }
            Some(_) => self
                .home
                .journal
                .resume_key(role)
                .ok_or_else(|| Error::integrity("journal.key", "the key intent is not open"))?,
        };
        let intent = permit.intent();
        let key = self.token.generate(permit)?;
        self.append(Event::KeyMade { intent, public_key: Bytes(key.public_key.as_der().to_vec()) })?;
        Ok(key)
    }

    /// As [`Session::make_key`] with a key that is there already: the same on record, where
    /// what was taken over tells the two apart.
    pub(super) fn take_key(
        &mut self,
        role: KeyRole,
        label: &str,
        id: &[u8],
        public_key: Option<&PublicKey>,
    ) -> Result<Key> {
        if self.home.journal.ledger().key(role).is_some_and(|k| k.public_key.is_some()) {
            return self.key(role);
        }
        let key = self.found_key(id, label, public_key)?;
        let algorithm = key.public_key.algorithm();
        let permit = match self.home.journal.resume_key(role) {
            Some(permit) => permit,
            None => self.home.journal.intend_key(self.now(), role, algorithm, label, id)?,
        };
        let public_key = Bytes(key.public_key.as_der().to_vec());
        self.append(Event::KeyMade { intent: permit.intent(), public_key })?;
        Ok(key)
    }

    fn new_id(&mut self) -> Result<Vec<u8>> {
        let own = self.token.random(20)?.unwrap_or_default();
        let system = (self.world.entropy)()?;
        Ok(Serial::from_entropy(&system, &own).as_bytes().to_vec())
    }
}

/// The label of the journal's key beside a root's label.
pub fn journal_label(root: &str) -> String {
    format!("{root} journal")
}

fn rehearsal_name(subject: &Name) -> Result<Name> {
    let common_name = subject.common_name().unwrap_or("Root");
    if common_name.contains("REHEARSAL") {
        return Ok(subject.clone());
    }
    subject.with_common_name(&shortened(common_name, " REHEARSAL"))
}

fn root_tbs(decision: &RootDecision, key: &PublicKey) -> Result<Linted<Tbs>> {
    let subject = decision.subject()?;
    let spec = CertificateSpec {
        serial: decision.serial.clone(),
        signature: signature_of(key)?,
        issuer: subject.clone(),
        not_before: decision.not_before,
        not_after: decision.not_after,
        subject,
        public_key: key.clone(),
        extensions: root_extensions(decision.path_len, &key.key_id())?,
    };
    Ok(lint(spec.to_tbs()?, CertificateKind::Root, None)?)
}

fn signature_of(key: &PublicKey) -> Result<SignatureAlgorithm> {
    SignatureAlgorithm::of_issuer(key.algorithm()).ok_or_else(|| {
        Error::usage("root.algorithm", format!("{} is not offered for a root", key.algorithm()))
            .next("p256, p384, rsa3072, rsa4096, ed25519, ml-dsa-65 or ml-dsa-87")
    })
}

/// The issuer as the root will be, so that what it signs can be linted before it exists.
fn preview_issuer(decision: &RootDecision, key: &PublicKey) -> Result<Issuer> {
    Ok(Issuer {
        der: Vec::new(),
        subject: decision.subject()?,
        serial: decision.serial.clone(),
        public_key: key.clone(),
        key_id: key.key_id(),
        not_before: decision.not_before,
        not_after: decision.not_after,
        path_len: decision.path_len,
        crl_sign: true,
        signature: signature_of(key)?,
    })
}

/// As [`placeholder`], for the journal's key: twice the base point of P-256.
pub(super) fn journal_placeholder() -> Result<PublicKey> {
    const P256: &str = "047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc4766997807775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1";
    PublicKey::from_ec_point(KeyAlgorithm::P256, &crate::text::unhex(P256).unwrap_or_default())
}

/// A well-formed public key of this kind that nobody holds knowingly: it stands in
/// the draft that is linted before the real key is generated, and nowhere else.
fn placeholder(algorithm: KeyAlgorithm) -> Result<PublicKey> {
    /// Base points of P-256 and P-384 (SP 800-186 §3.2.1) and of Ed25519 (RFC 8032 §5.1).
    const P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    const P384: &str = "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
    const ED25519: &str = "5866666666666666666666666666666666666666666666666666666666666666";
    let point = |hex: &str| crate::text::unhex(hex).unwrap_or_default();
    match algorithm {
        KeyAlgorithm::P256 | KeyAlgorithm::P521 => PublicKey::from_ec_point(KeyAlgorithm::P256, &point(P256)),
        KeyAlgorithm::P384 => PublicKey::from_ec_point(algorithm, &point(P384)),
        KeyAlgorithm::Ed25519 => PublicKey::from_ed25519(&point(ED25519)),
        // Any bytes of the right length are a key: seed and coefficients, all of them zero.
        KeyAlgorithm::MlDsa65 => PublicKey::from_ml_dsa(&[0; 1952]),
        KeyAlgorithm::MlDsa87 => PublicKey::from_ml_dsa(&[0; 2592]),
        KeyAlgorithm::Rsa(bits) => {
            let modulus = vec![0xff; usize::try_from(bits / 8).unwrap_or(512)];
            PublicKey::from_rsa(&modulus, &[1, 0, 1])
        }
    }
}
