//! The only caller of `Token::sign`.
//!
//! intent, fsync → the token signs → signature recorded, fsync → verified by
//! another implementation → released. A [`Session`] is one run with the keys
//! unlocked.

mod adopt;
mod attest;
mod batch;
mod companion;
mod crl;
mod lanes;
mod own;
mod release;
mod renew;
mod root;
mod typed;

pub use adopt::{Takeover, judge_certificate};
pub use attest::{check_attestation, check_demands, judge_attestation};
pub use batch::{Came, Fresh, Outcome, Remaining};
pub use companion::{Candidate, check_elsewhere};
pub use release::check_again;
pub use renew::{Renewal, journal_lags};
pub use root::{RootSpec, check_kind, check_label, journal_label, preview};
pub use typed::{Retype, Upcoming};

use crate::error::{Error, Result};
use crate::home::Home;
use crate::journal::{Consent, Event, Head, KeyAttested, KeyRole, Ledger, Permit, Purpose};
use crate::lint::Linted;
use crate::plan::{self, Plan, Prepared};
use crate::policy::Context;
use crate::token::{Key, Token, TokenInfo};
use crate::x509::{Digest, PublicKey, Tbs, Time};

/// What a session tells while it works.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Certificates signed so far.
    pub done: usize,
    /// Certificates to sign.
    pub total: usize,
}

/// What a session needs from the world outside: time, interruption, a witness.
pub struct World<'a> {
    /// The clock.
    pub clock: &'a dyn Fn() -> Time,
    /// 32 bytes of the operating system's randomness.
    pub entropy: &'a dyn Fn() -> Result<[u8; 32]>,
    /// Whether the operator asked to stop.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// How many signatures to make at a time.
    pub lanes: usize,
    /// Told of each certificate signed.
    pub progress: &'a dyn Fn(Progress),
    /// Has the PIN typed anew, where the configuration demands that.
    pub retype: &'a Retype<'a>,
}

/// A home and its unlocked token.
pub struct Session<'a> {
    home: &'a mut Home,
    token: &'a mut dyn Token,
    world: World<'a>,
    /// The plan that was shown and confirmed.
    confirmed: Option<Digest>,
    /// What the token said of the home's keys as they were made.
    attested: Vec<KeyAttested>,
    /// The keys found so far.
    keys: Vec<Key>,
    /// Whether the root was made, and that run came to its end.
    whole: bool,
    /// How many lines there were as it began,
    began: u64,
    /// and as the head was noted last.
    told: u64,
}

/// What became of a session that an error ended.
#[derive(Debug)]
pub struct Ended {
    /// The journal's head, sealed and noted.
    pub head: Result<Head>,
    /// What it put in force besides signatures, a sentence each.
    pub decided: Vec<String>,
}

/// Errors after which the token is not asked for a seal.
const GONE: [&str; 2] = ["token.removed", "token.pin-locked"];

impl<'a> Session<'a> {
    /// Begins a session on record. Whatever a crash left open is settled here; the
    /// caller has shown it to the operator ([`Home::open_matters`]) and asked.
    pub fn begin(
        home: &'a mut Home,
        token: &'a mut dyn Token,
        world: World<'a>,
        consent: Consent,
    ) -> Result<Self> {
        let now = (world.clock)();
        let known = token_head(home, token)?;
        if !consent.accept_loss {
            check_head(home, token.info(), known)?;
        }
        let lost = known.filter(|head| home.journal.compare("the token", *head).is_err());
        let whole = home.root().is_ok() && !home.root_unfinished();
        let (attested, keys) = (Vec::new(), Vec::new());
        let mut session =
            Self { home, token, world, confirmed: consent.plan, attested, keys, whole, began: 0, told: 0 };
        session.check_keys()?;
        session.check_attested()?;
        let secret = (session.world.entropy)()?;
        let home = &mut *session.home;
        home.journal.know(secret);
        home.begin(now, &consent)?;
        if let Some(Head { count, hash }) = lost {
            let event = Event::LossAccepted { place: "the token".into(), count, head: hash };
            home.journal.append(now, vec![event])?;
        }
        if known.is_some() && !home.journal.ledger().head_kept() {
            home.journal.append(now, vec![Event::HeadKept {}])?;
        }
        session.began = session.home.journal.head().count;
        session.told = session.began;
        Ok(session)
    }

    /// The wrong token is found before anything is on record. While the root is
    /// still being made there may be keys to come.
    fn check_keys(&mut self) -> Result<()> {
        if self.home.root().is_ok() {
            // A retired root's key is destroyed, sooner or later.
            if !self.home.journal.ledger().course().retired {
                self.key(KeyRole::Root)?;
            }
            self.key(KeyRole::Journal)?;
        }
        Ok(())
    }

    /// The clock, which never goes back within a session: a signature must not be
    /// lost because the system's clock was set meanwhile.
    fn now(&self) -> Time {
        not_before_last(self.home, (self.world.clock)())
    }

    /// What is on record by now.
    pub fn ledger(&self) -> &Ledger {
        self.home.journal.ledger()
    }

    /// Decides again on today's policy and journal: see [`plan::prepare`].
    pub fn prepare<'p>(&self, plan: &'p Plan, remaining: &Remaining<'p>, today: Time) -> Result<Fresh<'p>> {
        prepare(self.home, plan, remaining, today)
    }

    /// The same of a plan that was made in this process: see [`plan::prepare_made`].
    pub fn prepare_made<'p>(
        &self,
        plan: &'p Plan,
        remaining: &Remaining<'p>,
        made: Vec<Linted<Tbs>>,
        today: Time,
    ) -> Result<Fresh<'p>> {
        let items =
            |context: &Context<'_>, ledger: &Ledger| plan::prepare_made(context, ledger, plan, made, today);
        prepare_with(self.home, plan, remaining, items)
    }

    /// Puts edited documents in force.
    pub fn pin(&mut self) -> Result<()> {
        let files = self.home.digests();
        self.home.journal.append(self.now(), vec![Event::Pinned { files }]).map(drop)
    }

    /// Seals the journal and notes its head in the home and, where it can, in the token.
    pub fn seal(&mut self) -> Result<Head> {
        let key = self.key(KeyRole::Journal)?;
        self.close(&key)
    }

    /// The seal that ends a session: it vouches for the index of a long journal too.
    fn close(&mut self, key: &Key) -> Result<Head> {
        let index = self.home.journal.index()?;
        self.seal_noted(key, index)
    }

    /// Seals, and notes the head in the token and in the home.
    fn seal_noted(&mut self, key: &Key, index: Option<Digest>) -> Result<Head> {
        self.seal_lines(key, index)?;
        self.note_head()
    }

    fn note_head(&mut self) -> Result<Head> {
        let head = self.home.journal.head();
        note(self.home, self.token)?;
        // Last: where this is there, the session came this far.
        self.home.keep_head()?;
        self.told = head.count;
        Ok(head)
    }

    /// Seals what a session put on record before an error ended it, and notes the head: what
    /// was signed cannot be hidden. `None` where that is nothing, where the journal cannot be
    /// written or the token is gone, and where a run of the same command takes up a root that
    /// is half made or half renewed.
    pub fn seal_after(&mut self, error: &Error) -> Option<Ended> {
        let told = self.home.journal.head().count <= self.told;
        let able = self.home.journal.check_written().is_ok() && !GONE.contains(&error.id);
        let halfway = !self.whole || self.home.half_renewed();
        (!halfway && able && !told).then(|| {
            let head = self.seal_rest();
            let sealed = self.ledger().unsealed().is_empty();
            let decided = if sealed { self.decided().unwrap_or_default() } else { Vec::new() };
            Ended { head, decided }
        })
    }

    fn decided(&self) -> Result<Vec<String>> {
        let mut decided = Vec::new();
        self.home.journal.each(|entry, _| {
            match &entry.event {
                _ if entry.seq < self.began => {}
                Event::Revoked { certificates, .. } => {
                    decided.extend(certificates.iter().map(|it| format!("{} is revoked", it.entry.serial)));
                }
                Event::Companions { .. } => decided.push("the other roots are trusted as was decided".into()),
                Event::RootCourse { .. } => decided.push("the root's course is changed".into()),
                Event::Pinned { .. } => decided.push("the edited documents are pinned".into()),
                Event::Intent { purpose: Purpose::RootCertificate, .. } => {
                    decided.push("the root's certificate is renewed".into());
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(decided)
    }

    fn seal_rest(&mut self) -> Result<Head> {
        self.home.file_unsealed()?;
        if self.ledger().unsealed().is_empty() {
            return self.note_head();
        }
        let key = self.key(KeyRole::Journal)?;
        self.seal_noted(&key, None)
    }

    fn seal_lines(&mut self, key: &Key, index: Option<Digest>) -> Result<()> {
        // One time for both lines: the seal covers it.
        let now = self.now();
        let permit = self.home.journal.intend_seal(now, index)?;
        let signed = self.sign(key, permit)?;
        self.home.journal.append(now, vec![signed]).map(drop)
    }

    /// A key of the home; it must be the one on record.
    fn key(&mut self, role: KeyRole) -> Result<Key> {
        let record = self.home.journal.ledger().key(role).cloned();
        let record = record.ok_or_else(|| Error::usage("home.no-root", "this home has no root yet"))?;
        self.found_key(&record.id, &record.label, record.public_key.as_ref())
    }

    fn found_key(&mut self, id: &[u8], label: &str, recorded: Option<&PublicKey>) -> Result<Key> {
        if let Some(key) = self.keys.iter().find(|key| key.id == id) {
            check_key(key, recorded)?;
            return Ok(key.clone());
        }
        let key = self.token.find_key(id)?.ok_or_else(|| {
            Error::token(
                "token.no-such-key",
                format!(
                    "{}: holds no private key with label '{}' and CKA_ID {}",
                    self.token.info().uri,
                    crate::text::shown(label),
                    crate::text::hex(id)
                ),
            )
            .next("is this the token the root was made in? `anchorite token list` shows what is there")
        })?;
        check_key(&key, recorded)?;
        self.keys.push(key.clone());
        Ok(key)
    }

    /// One signature against one permit. A wrong one goes on record as rejected and
    /// ends the session.
    fn sign(&mut self, key: &Key, permit: Permit) -> Result<Event> {
        let place = typed::place(self.home.journal.ledger(), &permit);
        // A seal is noted once it is there. Of a root that is being made there is nothing yet
        // that could be forgotten.
        let purpose = self.home.journal.ledger().intent_at(permit.intent()).map(|intent| intent.purpose);
        let noted = match self.whole && purpose != Some(Purpose::Seal) {
            true => note(self.home, self.token),
            false => Ok(()),
        };
        let mut signer = typed::signer(self.home, self.token, &self.world, place);
        if let Err(error) = noted.and_then(|()| signer.ready(key, &permit)) {
            drop(signer);
            self.home.journal.withdraw(self.now(), vec![permit])?;
            return Err(error);
        }
        let signed = lanes::sign_one(signer.as_mut(), key, permit);
        let given_back = signed.as_ref().err().and_then(|_| signer.given_back());
        drop(signer);
        self.home.journal.withdraw(self.now(), given_back.into_iter().collect())?;
        let (event, verdict) = signed?;
        match verdict {
            Ok(()) => Ok(event),
            Err(wrong) => {
                self.home.journal.append(self.now(), vec![event])?;
                Err(wrong.at(&self.token.info().uri))
            }
        }
    }
}

/// The token keeps the head, where it can: before the root's key signs, and before a release
/// is signed and leaves, so that neither can be forgotten; and with the last seal.
fn note(home: &Home, token: &mut dyn Token) -> Result<()> {
    home.journal.check_written()?;
    token.store_data(&head_label(home), &home.journal.head().to_json()).map(drop)
}

fn not_before_last(home: &Home, now: Time) -> Time {
    home.journal.ledger().last_time().map_or(now, |last| last.max(now))
}

/// Decides a plan's items again on today's policy and journal: see [`plan::prepare`].
/// A journal that does not hold the head the plan was made on was set back since.
pub fn prepare<'p>(home: &Home, plan: &'p Plan, remaining: &Remaining<'p>, today: Time) -> Result<Fresh<'p>> {
    let items = |context: &Context<'_>, ledger: &Ledger| {
        plan::prepare(context, ledger, plan, &remaining.fresh, today)
    };
    prepare_with(home, plan, remaining, items)
}

fn prepare_with<'p>(
    home: &Home,
    plan: &Plan,
    remaining: &Remaining<'p>,
    items: impl FnOnce(&Context<'_>, &Ledger) -> Result<Vec<Prepared<'p>>>,
) -> Result<Fresh<'p>> {
    // The session settles what is open before it signs.
    let history = home.journal.ledger().settled()?;
    let context = Context {
        policies: &home.policies,
        forced: plan.policy.as_deref(),
        issuer: home.root()?,
        history: history.as_ref(),
        now: plan.created,
    };
    let items = items(&context, history.as_ref())?;
    let crl = if remaining.crl == Came::Fresh { prepare_revocations(home, plan)? } else { None };
    // A CRL that is still to be signed was just held against all that is revoked; any other is older.
    if plan.repeat.is_some() && crl.is_none() && !history.unlisted().is_empty() {
        return Err(Error::refused(
            "plan.differs",
            "plan: a revocation waits for the next CRL, which this plan does not have",
        )
        .next("make it anew: `anchorite perform PLAN --again --to DIR`"));
    }
    let cross = match remaining.cross {
        Came::Fresh => plan::prepare_cross(home.root()?, home.journal.ledger().course(), plan)?,
        _ => None,
    };
    if let Some(course) = plan.course.as_ref().filter(|course| *course != home.journal.ledger().course()) {
        let follows = course.may_follow(home.journal.ledger().course());
        follows.map_err(|what| {
            Error::refused("plan.differs", format!("plan: today it {what}")).next("make the plan anew")
        })?;
    }
    home.journal.compare("the plan", plan.head)?;
    Ok(Fresh { items, crl, cross })
}

/// Decides a plan's revocations and CRL again: see [`plan::prepare_revocations`].
fn prepare_revocations(home: &Home, plan: &Plan) -> Result<Option<Linted<Tbs>>> {
    let ledger = home.journal.ledger().settled()?;
    plan::prepare_revocations(home.root()?, ledger.as_ref(), plan, home.listed()?, &home.config.crl)
}

fn check_key(key: &Key, recorded: Option<&PublicKey>) -> Result<()> {
    if recorded != Some(&key.public_key) {
        return Err(Error::integrity(
            "token.key-mismatch",
            format!(
                "the key '{}' in the token is {}, the root's record says {}",
                crate::text::shown(&key.label),
                key.public_key.digest(),
                recorded.map_or_else(|| "none".into(), |k| k.digest().to_string())
            ),
        )
        .next("stop the ceremony: this is another key under the same CKA_ID"));
    }
    Ok(())
}

/// The label of the data object that keeps a home's head in the token.
pub fn head_label(home: &Home) -> String {
    let name: String = home.journal.ledger().home().chars().take(16).collect();
    format!("anchorite head {name}")
}

/// The newest head that the token keeps, if it keeps one. Seen after login, on most.
pub fn token_head(home: &Home, token: &mut dyn Token) -> Result<Option<Head>> {
    let values = token.load_data(&head_label(home))?;
    let heads = values.iter().map(|value| Head::from_json("the token", value));
    Ok(heads.collect::<Result<Vec<_>>>()?.into_iter().max_by_key(|head| head.count))
}

/// Compares the journal with the head that the token keeps: an older copy of the
/// whole home is noticed here.
pub fn check_token_head(home: &Home, token: &mut dyn Token) -> Result<()> {
    let known = token_head(home, token)?;
    check_head(home, token.info(), known)
}

/// A token that kept the head and has none was made to forget it, or is another one.
fn check_kept(home: &Home, token: &TokenInfo) -> Result<()> {
    if !home.journal.ledger().head_kept() {
        return Ok(());
    }
    let message = format!(
        "{}: keeps no head of this journal, though it did: it was removed, and this journal may be an older copy",
        token.uri
    );
    Err(Error::integrity("journal.head-removed", message).next(
        "compare the journal's head with the last printed sheet (`anchorite audit verify --expect-head HEX`); where it is that one, --accept-loss goes on, on record",
    ))
}

fn check_head(home: &Home, token: &TokenInfo, known: Option<Head>) -> Result<()> {
    let Some(head) = known else { return check_kept(home, token) };
    home.journal.compare("the token", head).map(drop).map_err(|e| {
        let next = format!(
            "{}. Where no newer copy exists any more, --accept-loss goes on from this one, on record",
            e.next
        );
        e.next(next)
    })
}

#[cfg(test)]
mod tests;
