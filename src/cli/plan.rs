//! `plan`, and the planning that `sign` shares with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anchorite::home::Home;
use anchorite::journal::Ledger;
use anchorite::lint::Linted;
use anchorite::media::durable;
use anchorite::media::read::MediaFinding;
use anchorite::plan::{self, Beside, Crl, Frame, Later, Plan, Revoking, review};
use anchorite::policy::{Context, Decision, Keep, decide_all};
use anchorite::token::Token;
use anchorite::x509::{Digest, Serial, Tbs};
use anchorite::{Error, Result};

use super::args::{Globals, Named, Plan as Args};
use super::intake::{self, Incoming};
use super::{crl, inspect, output, process, shown_path, unlock};

/// How a plan is to be made.
pub struct Wishes<'a> {
    pub from: &'a Path,
    pub policy: Option<&'a str>,
    pub dry_run: bool,
    pub revoking: Vec<Revoking>,
}

/// A plan with its review.
pub struct Planned {
    pub plan: Plan,
    pub review: String,
    /// Its items' bytes as they were linted, where the plan was made just now.
    pub made: Option<Vec<Linted<Tbs>>>,
}

/// Reads the stick.
pub fn read(home: &Home, wishes: &Wishes<'_>) -> Result<Incoming> {
    home.policies.check_named(wishes.policy)?;
    let paths = [PathBuf::from(wishes.from)];
    intake::read(&paths, &home.config)
}

/// A stick without a request is the wrong one, or was pulled.
pub fn demand_requests(wishes: &Wishes<'_>, incoming: &Incoming) -> Result<()> {
    if incoming.requests.is_empty() && incoming.unusable.is_empty() {
        // A stick that was pulled looks empty as well; what cannot be read says why.
        return Err(refused_media(&incoming.media)
            .unwrap_or_else(|| intake::nothing_found(&[PathBuf::from(wishes.from)], &incoming.crls)));
    }
    Ok(())
}

/// Decides on what came in, in view of what is on record, and makes the plan. A token lends
/// its randomness.
pub fn make(
    home: &Home,
    history: &Ledger,
    wishes: &Wishes<'_>,
    incoming: Incoming,
    token: Option<&mut dyn Token>,
) -> Result<Planned> {
    demand_requests(wishes, &incoming)?;
    let root = home.root()?;
    let context = Context {
        policies: &home.policies,
        forced: wishes.policy,
        issuer: root,
        history,
        now: process::now(),
    };
    let decisions = decide_all(&context, &incoming.requests, Keep::Remarks)?;
    let serials = serials(wishes.dry_run, incoming.requests.iter().map(|r| r.digest), token)?;
    let frame = frame(home, wishes.dry_run);
    let (plan, made) =
        plan::make(&context, frame, &incoming.requests, &decisions, serials, incoming.unusable)?;
    // What the plan holds of a great many requests is enough from here on.
    let noted = noted(&decisions);
    drop((incoming.requests, decisions));
    let later = Later::sort(history, &|serial| home.issued(serial), incoming.crls, plan.created)?;
    let left: Vec<MediaFinding> = intake::left(&later).collect();
    let (revoking, listed) = (wishes.revoking.clone(), home.listed()?);
    let beside = Beside { revoking, later: later.taken, listed, repeat: None };
    let plan = plan.with_revocations(root, history, beside, Crl::Due, &home.config.crl)?;
    let notes = |digest: &Digest| noted.get(digest).cloned().unwrap_or_default();
    let mut review = review::render(&plan, root, plan.created, history, &notes)?;
    review.push_str(&crl::warned(home, &plan)?);
    for finding in incoming.media.iter().cloned().chain(left) {
        review.push_str(&format!(
            "\n{} {}: {} [{}]\n",
            if finding.refused { "!!" } else { "--" },
            finding.file,
            finding.message,
            finding.rule
        ));
    }
    if let Some(refused) = refused_media(&incoming.media) {
        output::note(&review);
        return Err(refused);
    }
    Ok(Planned { plan, review, made: Some(made) })
}

/// What a plan of this home is made of, beside what is asked for.
pub fn frame(home: &Home, dry_run: bool) -> Frame {
    Frame {
        home: home.journal.ledger().home().into(),
        head: home.journal.head(),
        rehearsal: home.journal.ledger().rehearsal(),
        dry_run,
    }
}

/// What on the stick, beside the requests, ends the session.
fn refused_media(media: &[MediaFinding]) -> Option<Error> {
    let finding = media.iter().find(|m| m.refused)?;
    let error = Error::refused(finding.rule, format!("{}: {}", finding.file, finding.message));
    Some(
        error.next("nothing was signed; have the stick looked at, or copy what belongs on it to a clean one"),
    )
}

/// What stands between a plan and its performance: refusals without `--partial`, and nothing to sign.
pub fn require_complete(planned: &Planned, partial: bool) -> Result<()> {
    let (items, no) = (planned.plan.items.len(), planned.plan.refused.len());
    if no > 0 && !partial {
        return Err(Error::refused(
            "plan.refusals",
            format!("{no} of {} requests are refused; nothing was signed", items + no),
        )
        .next("have them corrected, or give --partial to sign the others"));
    }
    if items == 0 {
        return Err(Error::refused("plan.nothing", "every request is refused; there is nothing to sign")
            .next("have them corrected: `anchorite inspect` says what is wrong with each"));
    }
    Ok(())
}

pub fn run(globals: &Globals, args: &Args) -> Result<u8> {
    let home = unlock::home(globals)?;
    home.check_clock(process::now())?;
    let revoking = args.revoke.iter().map(Named::revoking).collect();
    let wishes = Wishes { from: &args.from, policy: args.policy.as_deref(), dry_run: false, revoking };
    let planned = make(&home, home.journal.ledger(), &wishes, read(&home, &wishes)?, None)?;
    output::note(&planned.review);
    require_complete(&planned, args.partial)?;
    let (folder, name) = (args.out.parent(), args.out.file_name().and_then(|n| n.to_str()));
    let (Some(folder), Some(name)) = (folder, name) else {
        return Err(Error::usage("plan.out", format!("{}: is not a file's path", shown_path(&args.out)))
            .next("name the plan file to be written"));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    durable::write_new(folder, name, &planned.plan.to_bytes()?, 0o644)?;
    let digest = planned.plan.digest()?;
    if globals.json {
        output::json(
            &serde_json::json!({"plan": shown_path(&args.out), "digest": digest, "words": digest.words()}),
        )?;
    } else {
        output::text(&format!("{}\n  SHA-256 {digest}\n", shown_path(&args.out)))?;
    }
    Ok(0)
}

/// What is to be said of each request that is granted.
fn noted(decisions: &[Decision]) -> HashMap<Digest, Vec<String>> {
    let mut noted: HashMap<Digest, Vec<String>> = HashMap::new();
    for decision in decisions.iter().filter(|decision| decision.grant.is_some()) {
        noted.entry(decision.digest).or_default().extend(inspect::notes(&decision.findings));
    }
    noted
}

/// One serial a request; in a dry run placeholders that only tell them apart.
fn serials(
    dry_run: bool,
    requests: impl Iterator<Item = Digest>,
    mut token: Option<&mut dyn Token>,
) -> Result<Vec<Serial>> {
    requests
        .map(|request| {
            if dry_run {
                return Ok(Serial::from_entropy(&request.0, b"dry run"));
            }
            let own = token.as_mut().map(|t| t.random(32)).transpose()?.flatten();
            Ok(Serial::from_entropy(&process::entropy()?, &own.unwrap_or_default()))
        })
        .collect()
}
