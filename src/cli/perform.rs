//! `perform`: a plan file, shown again, confirmed, signed, released.

use std::ffi::OsStr;
use std::path::Path;

use anchorite::home::{Home, PLAN_MAXIMUM};
use anchorite::media::durable;
use anchorite::perform::{Came, Outcome, Remaining, check_again, prepare};
use anchorite::plan::{self, Beside, Crl, Plan, Prepared, Repeat, review};
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Globals, Perform};
use super::plan::Planned;
use super::{crl, inspect, output, pin, process, quoted, shown_path, sign, unlock};

pub fn run(globals: &Globals, args: &Perform) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    // The home's own are named as in its journal, wherever it is run.
    let path = home.dir().join(&args.plan);
    let path = if args.plan.exists() || !path.exists() { &args.plan } else { &path };
    let bytes = durable::read_bounded(path, PLAN_MAXIMUM).map_err(missing)?;
    check_name(&home, path)?;
    let plan = Plan::from_bytes(&shown_path(path), &bytes)?;
    same_plan(args, &plan)?;
    if args.again {
        return again(globals, args, home, &plan);
    }
    let digest = plan.digest()?;
    // The session settles what is open before it signs.
    let settled = home.journal.ledger().settled()?;
    let remaining = Remaining::of(&plan, digest, &settled)?;
    if let Some(repeat) = &plan.repeat {
        if settled.plan(&digest)?.is_none() {
            // It is made as it is performed. Of one that broke off before its first line, or
            // that somebody wrote, nothing is on record: a new one costs nothing.
            let message =
                format!("{}: repeats plan {}, and was never begun", shown_path(&args.plan), repeat.plan);
            return Err(Error::refused("plan.not-begun", message)
                .next("make one anew: `anchorite perform` with that plan and --again"));
        }
        as_it_was(&home, repeat)?;
    }
    let root = home.root()?;
    // Before the review: a plan that today's policy refuses is not even shown for consent.
    let now = process::now();
    let prepared = prepare(&home, &plan, &remaining, now)?;
    let notes = |digest: &Digest| {
        let of = |p: &&Prepared<'_>| p.request == *digest;
        prepared.items.iter().find(of).map_or_else(Vec::new, |p| inspect::notes(&p.findings))
    };
    let mut review = review::render(&plan, root, now, &settled, &notes)?;
    if !remaining.signed.is_empty() || !remaining.burnt.is_empty() {
        review.push_str(&format!(
            "\ntaken up again: {} signed before, {} to sign, {} burnt by a crash (need a new plan)\n",
            remaining.signed.len(),
            remaining.fresh.len(),
            remaining.burnt.len()
        ));
    }
    match remaining.crl {
        Came::Burnt => {
            review.push_str("\nthe number of its CRL was burnt by a crash: `anchorite crl` signs the next\n")
        }
        Came::Overtaken => review.push_str(
            "\nits CRL, or a later one, was signed for another release: the one in this plan is left out\n",
        ),
        Came::Absent | Came::Fresh | Came::Signed => {}
    }
    if remaining.is_nothing(&plan) {
        return Err(Error::refused(
            "plan.burnt",
            "nothing of this plan is left to be signed: a crash burnt it, or a later CRL overtook it",
        )
        .next("make a new plan; the requests are still good"));
    }
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let out = sign::release_place(&home, &args.to)?;
    if plan.repeat.is_some() {
        check_again(&home, &plan, out.name(), now)?;
    }
    let planned = Planned { plan, review, made: None };
    sign::perform_planned(globals, &args.pin, "perform", &mut home, token.as_mut(), planned, out)
}

/// Releases once more what a plan signed: a plan of its own, shown and confirmed like any.
fn again(globals: &Globals, args: &Perform, mut home: Home, before: &Plan) -> Result<u8> {
    unlock::check_clock(&home, &args.pin)?;
    let settled = home.journal.ledger().settled()?;
    let (repeat, left) = Repeat::of(before, &settled, process::now())?;
    home.check_kept(&repeat.plan)?;
    let beside = Beside { listed: home.listed()?, repeat: Some(repeat), ..Beside::default() };
    let when = if home.journal.ledger().course().retired { Crl::Later } else { Crl::Due };
    let Planned { plan, mut review, made } = crl::make(&home, beside, when, false)?;
    for (item, why) in left {
        review.push_str(&format!("\n-- LEFT OUT {} serial {}: it {why}\n", item.cluster, item.serial));
    }
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let out = sign::release_place(&home, &args.to)?;
    check_again(&home, &plan, out.name(), process::now())?;
    let planned = Planned { plan, review, made };
    sign::perform_planned(globals, &args.pin, "perform", &mut home, token.as_mut(), planned, out)
}

/// What is released once more is what stands in the plan that it was signed for: nobody's
/// word is taken for it.
fn as_it_was(home: &Home, repeat: &Repeat) -> Result<()> {
    let path = home.dir().join(format!("plans/{}.json", repeat.plan));
    let before = Plan::from_bytes(&shown_path(&path), &durable::read_bounded(&path, PLAN_MAXIMUM)?)?;
    if before.digest()? == repeat.plan
        && Repeat::of(&before, home.journal.ledger().settled()?.as_ref(), process::now())?.0 == *repeat
    {
        return Ok(());
    }
    let message = format!("plan: it is not what plan {} signed that may go out today", repeat.plan);
    Err(Error::refused("plan.differs", message)
        .next("make it anew: `anchorite perform PLAN --again --to DIR`"))
}

/// Where the home keeps its plans, each is the one that its name says.
fn check_name(home: &Home, plan: &Path) -> Result<()> {
    let folder = |of: Option<&Path>| of.and_then(|folder| folder.canonicalize().ok());
    let own = folder(plan.parent()).is_some_and(|it| Some(it) == folder(Some(&home.dir().join("plans"))));
    let name = plan.file_stem().and_then(OsStr::to_str).and_then(Digest::parse);
    name.filter(|_| own).map_or(Ok(()), |digest| home.check_kept(&digest))
}

fn missing(error: Error) -> Error {
    let next = "check the path; any copy of the plan will do, its SHA-256 is its name; of one that is lost and \
                was signed `anchorite audit verify` says what can be done";
    if error.id == "file.missing" { error.next(next) } else { error }
}

/// A plan is its bytes: another one is refused, however alike it reads.
fn same_plan(args: &Perform, plan: &Plan) -> Result<()> {
    let (found, wanted) = (plan.digest()?, args.plan_sha256);
    if wanted.is_none_or(|wanted| wanted == found) {
        return Ok(());
    }
    let wanted = wanted.map(|wanted| wanted.to_string()).unwrap_or_default();
    let message = format!("{}: its SHA-256 is {found}, wanted {wanted}", shown_path(&args.plan));
    Err(Error::integrity("plan.other", message)
        .next("stop: this is not the plan that was reviewed, or its digest was mistyped"))
}

/// Tells what came of it. What a crash burnt is still to be done: the exit code says so too.
pub fn report(globals: &Globals, home: &Home, plan: &Plan, outcome: &Outcome<'_>) -> Result<u8> {
    let code = u8::from(!outcome.burnt.is_empty());
    let head = home.journal.head();
    let root = home.root()?.fingerprint();
    let trusted = home.trusted()?;
    let companions: Vec<Digest> =
        trusted.iter().map(|der| Digest::of(der)).filter(|it| *it != root).collect();
    if globals.json {
        let list = |items: &[&plan::Item]| -> Vec<serde_json::Value> {
            items.iter().map(|i| serde_json::json!({"cluster": i.cluster, "serial": i.serial, "policy": i.policy, "file": i.file})).collect()
        };
        output::json(&serde_json::json!({
            "release": shown_path(&outcome.folder),
            "released": list(&outcome.released),
            "burnt": list(&outcome.burnt),
            "refused": plan.refused.iter().map(|r| &r.file).collect::<Vec<_>>(),
            "revoked": plan.revocations.iter().map(|it| &it.entry.serial).collect::<Vec<_>>(),
            "crl": crl::to_json(outcome),
            "plan": plan.digest()?,
            "repeats": plan.repeat.as_ref().map(|repeat| repeat.plan),
            "root_sha256": root,
            "companions_sha256": companions,
            "head": head,
        }))?;
        return Ok(code);
    }
    let mut out = format!("{} {}\n", output::styled(output::GOOD, "released"), shown_path(&outcome.folder));
    for item in &outcome.released {
        out.push_str(&format!("  {:<20} serial {}\n", item.cluster, item.serial));
    }
    for item in &outcome.burnt {
        out.push_str(&format!(
            "  {:<20} serial {} burnt by a crash, needs a new plan\n",
            item.cluster, item.serial
        ));
    }
    for refused in &plan.refused {
        out.push_str(&format!("  {} refused\n", refused.file));
    }
    for it in &plan.revocations {
        out.push_str(&format!("  {} revoked, {}\n", it.entry.serial, it.entry.reason.name()));
    }
    out.push_str(&crl::told(outcome));
    out.push_str(&format!("journal head, for the sheet: {} lines, {}\n", head.count, head.hash));
    out.push_str(&format!(
        "check it anywhere: anchorite verify {} --root-sha256 {root}{}{}\n",
        quoted(&outcome.folder),
        companions.iter().map(|c| format!(" --root-sha256 {c}")).collect::<String>(),
        if plan.rehearsal() { " --rehearsal" } else { "" }
    ));
    output::text(&out)?;
    Ok(code)
}
