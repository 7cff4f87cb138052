//! `crl`, and what other verbs tell of CRLs.

use std::path::{Path, PathBuf};

use anchorite::home::Home;
use anchorite::journal::Stage;
use anchorite::perform::Outcome;
use anchorite::plan::{self, Beside, Crl as When, Later, LaterCrl, Plan, Revoking, falls_short, review};
use anchorite::policy::Context;
use anchorite::release::ClusterList;
use anchorite::x509::Serial;
use anchorite::{Error, Result};

use super::args::{Crl as Args, Globals, Named};
use super::plan::{Planned, frame};
use super::{intake, output, pin, process, shown_path, sign, unlock};

/// About what a cluster's CRL takes in a file.
const A_CRL: u64 = 1024;

pub fn run(globals: &Globals, args: &Args) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    home.root()?;
    unlock::check_clock(&home, &args.pin)?;
    let later = args.from.as_deref().map(|from| arrived(&home, from, &args.to)).transpose()?;
    let beside = Beside { listed: home.listed()?, later: later.unwrap_or_default(), ..Beside::default() };
    if args.dry_run {
        return dry_run(globals, &make(&home, beside, When::Now, true)?);
    }
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let out = sign::release_place(&home, &args.to)?;
    let planned = make(&home, beside, When::Now, false)?;
    sign::perform_planned(globals, &args.pin, "crl", &mut home, token.as_mut(), planned, out)
}

/// The CRLs of clusters on a stick, for certificates that are signed already.
fn arrived(home: &Home, from: &Path, to: &Path) -> Result<Vec<LaterCrl>> {
    sign::apart(from, to)?;
    let paths = [PathBuf::from(from)];
    let incoming = intake::read(&paths, &home.config)?;
    let later =
        Later::sort(home.journal.ledger(), &|serial| home.issued(serial), incoming.crls, process::now())?;
    for finding in intake::unclaimed(&later.strange) {
        output::note(&format!("{}: {} [{}]", finding.file, finding.message, finding.rule));
    }
    for request in &incoming.requests {
        output::note(&format!(
            "{}: is a request; `anchorite sign` takes it, and its CRL with it",
            request.file
        ));
    }
    let unusable = incoming.unusable.iter().filter_map(|it| Some((&it.file, it.by.first()?)));
    if let Some((file, by)) = later.refused.iter().map(|(file, by)| (file, by)).chain(unusable).next() {
        // Most say the file themselves.
        let place = if by.message.starts_with(file.as_str()) { String::new() } else { format!("{file}: ") };
        let message = format!("{place}{} [{}]", by.message, by.rule);
        return Err(Error::refused("crl.refused", message).next("nothing was signed; take it off the stick, or have the cluster make it again: `anchorite request --crl-for`"));
    }
    if later.taken.is_empty() {
        return Err(Error::usage("media.no-crl", format!("{}: holds no cluster's CRL that is not on record yet", shown_path(from)))
            .next("is this the right stick? `anchorite request --crl-for` makes them in the cluster; without --from the root's CRL is signed alone"));
    }
    Ok(later.taken)
}

/// A plan that signs nothing for clusters, with its review.
pub fn make(home: &Home, beside: Beside, when: When, dry_run: bool) -> Result<Planned> {
    let history = home.journal.ledger().settled()?;
    let root = home.root()?;
    let context = Context {
        policies: &home.policies,
        forced: None,
        issuer: root,
        history: history.as_ref(),
        now: process::now(),
    };
    let plan = plan::empty(&context, frame(home, dry_run));
    let plan = plan.with_revocations(root, history.as_ref(), beside, when, &home.config.crl)?;
    let mut review = review::render(&plan, root, plan.created, history.as_ref(), &|_| Vec::new())?;
    review.push_str(&warned(home, &plan)?);
    Ok(Planned { plan, review, made: None })
}

/// Shows a plan that is not performed.
pub fn dry_run(globals: &Globals, planned: &Planned) -> Result<u8> {
    if globals.json {
        output::json(&planned.plan)?;
    } else {
        output::text(&planned.review)?;
        output::text("\ndry run: the token was not touched, nothing was recorded\n")?;
    }
    Ok(0)
}

impl Named {
    /// As the plan wants it.
    pub fn revoking(&self) -> Revoking {
        let (serial, reason) = (self.serial.clone(), self.reason);
        Revoking { serial, reason, date: None, invalidity_date: None, asked_by: None }
    }
}

/// What a plan's CRL leaves to be done.
pub fn warned(home: &Home, plan: &Plan) -> Result<String> {
    let mut out = String::new();
    let mut warn = |text: &str| out.push_str(&format!("\n!! {text}\n"));
    let ledger = home.journal.ledger();
    if plan.crl.is_some() {
        if let Some(short) = falls_short(&home.config.crl) {
            warn(&short);
        }
    } else if !home.root()?.crl_sign {
        warn("the root's keyUsage lacks cRLSign: there is no CRL, and no revocation that anybody would see");
    }
    if ledger.crl().is_some_and(|last| last.this_update > plan.created) {
        let last = ledger
            .crl()
            .map(|last| format!("CRL {} is dated {}", last.number, last.this_update))
            .unwrap_or_default();
        warn(&format!(
            "{last}, ahead of this clock: wherever it was loaded every peer is refused until then; take it out of every cluster, and load the next one"
        ));
    }
    let course = plan.course.as_ref().unwrap_or(ledger.course());
    if course.rollover.as_ref().is_some_and(|rollover| rollover.stage == Stage::Both) {
        warn(
            "a rollover is at stage both: clusters load this home's set together with that of the other root, `anchorite assemble … --crl=ONE --crl=OTHER`; one alone cuts the peers under the other root off",
        );
    }
    // As it will be: with the CRLs that this plan brings, and the certificates that bring none.
    let brought = |serial: &Serial| plan.later_crls.iter().any(|later| later.certificate == *serial);
    let new: Vec<String> = plan.items.iter().filter(|i| i.crl.is_none()).map(|i| i.cluster.clone()).collect();
    let most = ClusterList::named_of(ledger.lacking_count(plan.created) + new.len() as u64);
    let (lacking, count) = ledger.without_crl(plan.created, most + plan.later_crls.len())?;
    let healed = lacking.iter().filter(|c| brought(&c.serial)).count() as u64;
    let mut named: Vec<String> =
        lacking.iter().filter(|c| !brought(&c.serial)).filter_map(|c| c.cluster.clone()).collect();
    let count = count.saturating_sub(healed) + new.len() as u64;
    named.extend(new);
    named.truncate(most);
    if count > 0 {
        warn(&no_set(&ClusterList { named, count }));
    } else if plan.crl.is_some() || ledger.crl().is_some() {
        let alive = ledger.alive(plan.created)?.len() + plan.items.len();
        out.push_str(&format!("\nfleet's CRL set: whole, of the root and {}\n", intermediates(alive)));
    }
    Ok(out)
}

/// So many of them.
fn intermediates(count: usize) -> String {
    if count == 1 { "1 intermediate".into() } else { format!("{count} intermediates") }
}

fn no_set(lacking: &ClusterList) -> String {
    format!(
        "no CRL set for the fleet (ca-crl.pem): the own CRLs of {} intermediates are missing, and under CRL checking their clusters would be cut off: {}",
        lacking.count,
        lacking.told()
    )
}

/// The room that a release's CRLs take. Those of the clusters are read once before the token
/// is touched: one that is not as it was recorded ends it here.
pub fn size(home: &Home, plan: &Plan) -> Result<u64> {
    let ledger = home.journal.ledger();
    if ledger.without_crl(plan.created, 1)?.1 == 0 {
        for certificate in ledger.alive(plan.created)? {
            home.cluster_crl(&certificate)?;
        }
    }
    let root = plan.crl.as_ref().map_or(0, |tbs| tbs.0.len() as u64);
    let root = home.root_crl()?.map_or(0, |der| der.len() as u64).max(root) + A_CRL;
    let alive = home.journal.ledger().alive_count(plan.created) + plan.items.len() as u64;
    // PEM takes four bytes for three; the root's is there twice.
    Ok(root * 3 + alive * A_CRL)
}

/// What came of the CRLs, for people.
pub fn told(outcome: &Outcome<'_>) -> String {
    let mut out = String::new();
    if let Some(crl) = &outcome.crl {
        out.push_str(&format!(
            "root-crl.pem: CRL {}, {} revoked, until {}\n",
            crl.number, crl.entries, crl.next_update
        ));
    }
    if outcome.crl_burnt {
        out.push_str("the plan's own CRL was burnt by a crash: `anchorite crl` signs the next\n");
    }
    match outcome.set {
        Some(count) => out.push_str(&format!(
            "ca-crl.pem: the fleet's set, of the root and {}; it goes to every cluster first\n",
            intermediates(count)
        )),
        None if outcome.lacking.count > 0 => {
            out.push_str(&format!("{}\n", no_set(&outcome.lacking)));
        }
        None => {}
    }
    out
}

/// The same for machines.
pub fn to_json(outcome: &Outcome<'_>) -> serde_json::Value {
    let Some(crl) = &outcome.crl else { return serde_json::Value::Null };
    serde_json::json!({
        "number": crl.number, "this_update": crl.this_update, "next_update": crl.next_update,
        "entries": crl.entries, "sha256": crl.digest, "burnt": outcome.crl_burnt, "set": outcome.set,
        "lacking": outcome.lacking.count, "lacking_named": outcome.lacking.named,
    })
}
