//! Revocations, and the root's CRL that lists them.

use std::collections::HashSet;

use super::{LaterCrl, Plan, Repeat};
use crate::error::{Error, Result};
use crate::journal::{Bytes, CrlRecord, Ledger, RevokedCertificate};
use crate::lint::{Linted, lint_crl};
use crate::policy::CrlConfig;
use crate::text::is_shown;
use crate::x509::{CrlSpec, Issuer, Reason, Revocation, Seconds, Serial, Tbs, Time};

/// thisUpdate lies a little back, for clocks that lag.
const BACKDATE: Seconds = Seconds(300);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Revoking {
    /// The certificate's serial number.
    pub serial: Serial,
    /// Why.
    pub reason: Reason,
    /// revocationDate, where it is not the plan's own time.
    pub date: Option<Time>,
    /// invalidityDate: since when the key is suspected.
    pub invalidity_date: Option<Time>,
    /// Who asks for it, in their own words.
    pub asked_by: Option<String>,
}

/// Decides on a revocation: it is of a certificate on record, once, at a time that can be.
fn judge_revocation(ledger: &Ledger, wanted: &Revoking, now: Time) -> Result<RevokedCertificate> {
    let serial = &wanted.serial;
    if ledger.course().retired {
        return Err(Error::refused(
            "revoke.retired",
            "the root is retired: its last CRL is signed, no other would list this",
        )
        .next("take the root out of every trust bundle, where that is not done yet"));
    }
    let Some(issued) = ledger.by_serial(serial)? else {
        return Err(Error::refused(
            "revoke.unknown-serial",
            format!("{serial}: no certificate of this serial number was ever on record here"),
        )
        .next("compare it with `anchorite status` or the cluster's receipt.toml; is it another CA's certificate?"));
    };
    if ledger.is_own(&issued) {
        return Err(Error::refused(
            "revoke.own",
            format!("{serial}: is the certificate of this home's own key ({})", issued.subject),
        )
        .next("a CA cannot revoke itself, nobody would look for that; take the root out of every trust bundle: `anchorite root rollover`"));
    }
    if let Some(before) = &issued.revoked {
        return Err(Error::refused(
            "revoke.twice",
            format!("{serial}: was revoked at {} already, for {}", before.date, before.reason.name()),
        )
        .next("`anchorite crl --to DIR` puts it on the next CRL, if it is on none yet"));
    }
    let date = wanted.date.unwrap_or(now);
    for (option, time) in [("--date", Some(date)), ("--invalidity-date", wanted.invalidity_date)] {
        let Some(time) = time else { continue };
        let wrong = |what: String| {
            let error = Error::refused("revoke.date", format!("{option} {time}: {what}"));
            error.next("give the time in UTC at which it happened")
        };
        if time > now {
            return Err(wrong(format!("lies ahead of the clock ({now})")));
        }
        if time < issued.not_before {
            return Err(wrong(format!("lies before the certificate's first second ({})", issued.not_before)));
        }
    }
    if wanted.asked_by.as_deref().is_some_and(|text| !is_shown(text)) {
        return Err(Error::usage("revoke.asked-by", "--asked-by: holds characters that cannot be shown")
            .next("use plain text on one line"));
    }
    Ok(RevokedCertificate {
        entry: Revocation {
            serial: serial.clone(),
            date,
            reason: wanted.reason,
            invalidity_date: wanted.invalidity_date,
        },
        asked_by: wanted.asked_by.clone(),
    })
}

/// Whether a session that signs has to sign the next CRL too: there is none, something
/// waits for it, or the last would run out before the one after the next ceremony.
fn crl_is_due(issuer: &Issuer, ledger: &Ledger, config: &CrlConfig, revoking: bool, now: Time) -> bool {
    let short = |last: &CrlRecord| last.next_update < now + config.needed();
    let waits = revoking || !ledger.unlisted().is_empty();
    issuer.crl_sign && (waits || config.along && ledger.crl().is_none_or(short))
}

/// What to warn of where CRLs do not hold until the next is everywhere.
pub fn falls_short(config: &CrlConfig) -> Option<String> {
    (config.validity < config.needed()).then(|| {
        format!(
            "the CRL holds for {}, but the next one may take {} of ceremony interval and {} of transport: in between every peer would be refused; raise validity in [crl] of anchorite.toml",
            config.validity, config.ceremony_interval, config.transport
        )
    })
}

/// The next CRL: the entries of the last (`listed`) less those outlived, and what was
/// revoked since, with the plan's own.
fn draft_crl(
    issuer: &Issuer,
    ledger: &Ledger,
    listed: Vec<Revocation>,
    revoking: &[RevokedCertificate],
    config: &CrlConfig,
    (now, last_of_all): (Time, bool),
) -> Result<Linted<Tbs>> {
    if ledger.course().retired {
        return Err(Error::refused("retire.signed", "the root is retired: its last CRL is signed")
            .next("nothing more is signed with its key"));
    }
    if !issuer.crl_sign {
        return Err(Error::refused(
            "crl.sign",
            "the root's keyUsage lacks cRLSign: whoever checks CRLs believes none of its own",
        )
        .next("it was made elsewhere so; `anchorite root renew` issues its certificate anew with cRLSign, for every trust bundle; or change the root: `anchorite root rollover`"));
    }
    let outlived: HashSet<Serial> = ledger.outlived(now)?.into_iter().collect();
    let mut entries = listed;
    entries.retain(|entry| !outlived.contains(&entry.serial));
    entries.extend(ledger.unlisted().iter().cloned());
    // A plan that is taken up again may have put its own on record already.
    let there: HashSet<&Serial> = ledger.unlisted().iter().map(|entry| &entry.serial).collect();
    let fresh = revoking.iter().map(|it| &it.entry).filter(|entry| !there.contains(&entry.serial));
    entries.extend(fresh.cloned());
    // The session that is about to begin may be the one that sets it right.
    if ledger.clock_corrected() || ledger.last_time().is_some_and(|last| now < last) {
        let there: HashSet<Serial> = entries.iter().map(|entry| entry.serial.clone()).collect();
        let lost = ledger.still_revoked(now)?.into_iter().filter(|entry| !there.contains(&entry.serial));
        entries.extend(lost);
    }
    // Of two CRLs of one time, some verifiers take the older. Where the last is dated ahead of
    // the clock, the next keeps to the clock: dated later still, nobody would believe it yet.
    let last = ledger.crl().map(|last| last.this_update + Seconds(1)).filter(|after| *after <= now);
    let this_update = now.earlier(BACKDATE).max(last.unwrap_or(issuer.not_before));
    let spec = CrlSpec {
        signature: issuer.signature,
        issuer: issuer.subject.clone(),
        key_id: issuer.key_id.clone(),
        this_update,
        // There is none after a retired root's last one: it holds as long as the root.
        next_update: if last_of_all { issuer.not_after } else { now + config.validity },
        number: ledger.next_crl_number(),
        entries,
    };
    Ok(lint_crl(spec.to_tbs()?, issuer)?)
}

/// What is asked of a plan beside certificates.
#[derive(Debug, Default)]
pub struct Beside {
    /// What is to be revoked.
    pub revoking: Vec<Revoking>,
    /// Clusters' CRLs for certificates that were signed before.
    pub later: Vec<LaterCrl>,
    /// What the last CRL lists.
    pub listed: Vec<Revocation>,
    /// What is released once more.
    pub repeat: Option<Repeat>,
}

/// Whether the root signs its next CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crl {
    /// It does.
    Now,
    /// Where one is due.
    Due,
    /// Not with this plan.
    Later,
}

impl Plan {
    /// Whether it is the root's last.
    pub fn retires(&self) -> bool {
        self.course.as_ref().is_some_and(|course| course.retired)
    }

    /// Puts revocations, clusters' CRLs, what is released once more and the root's next CRL
    /// into a plan.
    pub fn with_revocations(
        mut self,
        issuer: &Issuer,
        ledger: &Ledger,
        beside: Beside,
        crl: Crl,
        config: &CrlConfig,
    ) -> Result<Self> {
        let now = self.created;
        let mut named = HashSet::new();
        for wanted in &beside.revoking {
            if !named.insert(&wanted.serial) {
                return Err(Error::usage("revoke.named-twice", format!("{}: is named twice", wanted.serial))
                    .next("name each certificate once"));
            }
            self.revocations.push(judge_revocation(ledger, wanted, now)?);
        }
        let news = !self.revocations.is_empty() || !beside.later.is_empty();
        self.later_crls = beside.later;
        self.repeat = beside.repeat;
        let wanted = match crl {
            Crl::Now => true,
            Crl::Due => crl_is_due(issuer, ledger, config, news, now),
            Crl::Later => false,
        };
        if wanted {
            let when = (now, self.retires());
            let tbs = draft_crl(issuer, ledger, beside.listed, &self.revocations, config, when)?;
            self.crl = Some(Bytes(tbs.get().as_der().to_vec()));
        }
        self.check("plan")?;
        Ok(self)
    }
}

/// Makes sure again that today's journal gives the same revocations and, byte for byte,
/// the same CRL. `listed` are the last CRL's entries.
pub fn prepare_revocations(
    issuer: &Issuer,
    ledger: &Ledger,
    plan: &Plan,
    listed: Vec<Revocation>,
    config: &CrlConfig,
) -> Result<Option<Linted<Tbs>>> {
    for it in &plan.revocations {
        if ledger.is_revoked_so(&it.entry) {
            continue;
        }
        let Revocation { serial, date, reason, invalidity_date } = it.entry.clone();
        let wanted =
            Revoking { serial, reason, date: Some(date), invalidity_date, asked_by: it.asked_by.clone() };
        judge_revocation(ledger, &wanted, plan.created)?;
    }
    let Some(planned) = &plan.crl else { return Ok(None) };
    let when = (plan.created, plan.retires());
    let again = draft_crl(issuer, ledger, listed, &plan.revocations, config, when)?;
    if again.get().as_der() != planned.0 {
        return Err(Error::refused(
            "plan.differs",
            "CRL: today's journal and configuration give other bytes than the plan holds",
        )
        .next("make the plan anew and have it reviewed again; bytes are never changed in a plan"));
    }
    Ok(Some(again))
}
