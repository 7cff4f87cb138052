//! `sign`: plan, confirm, perform, release, in one go.

use std::path::Path;

use anchorite::home::Home;
use anchorite::journal::Head;
use anchorite::media::durable;
use anchorite::media::write::{Output, check_output, same_place};
use anchorite::perform::Remaining;
use anchorite::plan::{Measured, Plan};
use anchorite::release::{MANIFEST, Manifest};
use anchorite::token::Token;
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::args::{Globals, Named, Pin, Sign};
use super::plan::{Planned, Wishes, demand_requests, make, read, require_complete};
use super::{companion, crl, output, perform, pin, process, shown_path, unlock};

pub fn run(globals: &Globals, args: &Sign) -> Result<u8> {
    let (mut home, ready) = match args.dry_run {
        true => (unlock::home(globals)?, None),
        false => unlock::home_for_token(globals)?,
    };
    home.root()?;
    apart(&args.from, &args.to)?;
    let revoking = args.revoke.iter().map(Named::revoking).collect();
    let wishes = Wishes { from: &args.from, policy: args.policy.as_deref(), dry_run: args.dry_run, revoking };
    if args.dry_run {
        return dry_run(globals, &home, &wishes, args.partial);
    }
    unlock::check_clock(&home, &args.pin)?;
    pin::check_typed(&args.pin.login, &home.config)?;
    // What can be wrong with the sticks shows before the token is asked for.
    let incoming = read(&home, &wishes)?;
    let out = release_place(&home, &args.to)?;
    demand_requests(&wishes, &incoming)?;
    let _ready = ready.transpose()?;
    let mut token = unlock::token(&home, &args.pin)?;
    // The session settles what is open before it signs; the plan is made in view of that.
    let settled = home.journal.ledger().settled()?;
    let planned = make(&home, settled.as_ref(), &wishes, incoming, Some(token.as_mut()))?;
    if let Err(error) = require_complete(&planned, args.partial) {
        output::note(&planned.review);
        for matter in home.open_matters() {
            output::note(&format!("{} {matter}", output::styled(output::WARN, "open:")));
        }
        return Err(error);
    }
    perform_planned(globals, &args.pin, "sign", &mut home, token.as_mut(), planned, out)
}

/// What is read from and what is written to are two sticks.
pub fn apart(from: &Path, to: &Path) -> Result<()> {
    if same_place(from, to)? {
        return Err(Error::usage(
            "output.same-stick",
            format!("{}: is the stick that is read from", shown_path(to)),
        )
        .next("use another stick for what goes out"));
    }
    Ok(())
}

/// Everything from the review to the release, for `sign` and `perform`.
pub fn perform_planned(
    globals: &Globals,
    pin: &Pin,
    verb: &'static str,
    home: &mut Home,
    token: &mut dyn Token,
    planned: Planned,
    out: Output,
) -> Result<u8> {
    let Planned { plan, review, made } = planned;
    let plan = &plan;
    let question = question(plan);
    // At most six files in each cluster's folder, and the journal's copy, which still grows.
    let files = plan.folders().count() as u64 * 7 + 16;
    let crls = crl::size(home, plan)?;
    let Measured { digest, length } = plan.measured()?;
    out.room(files, home.journal.size() + length as u64 * 4 + crls)?;
    let shown = review + &companion::beside(home, plan)?;
    let mut consent = unlock::consent(globals, pin, home, verb, &shown, &question)?;
    consent.plan = Some(digest);
    drop(shown);
    unlock::login(home, token, pin)?;
    let outcome = unlock::session(home, token, consent, pin, |session| {
        // What a crash left open was settled as the session began: look again.
        let remaining = Remaining::of(plan, digest, session.ledger())?;
        let fresh = match made {
            Some(made) => session.prepare_made(plan, &remaining, made, process::now())?,
            None => session.prepare(plan, &remaining, process::now())?,
        };
        session.perform(plan, fresh, out)
    })?;
    perform::report(globals, home, plan, &outcome)
}

/// Puts a plan on record that takes no signature of the root's: asked, logged in, sealed.
/// `seen` looks at the token once it is logged in.
pub fn record_planned(
    globals: &Globals,
    pin: &Pin,
    (verb, question): (&'static str, &str),
    home: &mut Home,
    token: &mut dyn Token,
    planned: &Planned,
    seen: impl FnOnce(&mut dyn Token) -> Result<()>,
) -> Result<Head> {
    let mut consent = unlock::consent(globals, pin, home, verb, &planned.review, question)?;
    consent.plan = Some(planned.plan.digest()?);
    unlock::login(home, token, pin)?;
    seen(token)?;
    unlock::session(home, token, consent, pin, |session| session.record(&planned.plan))
}

/// What is agreed to.
pub fn question(plan: &Plan) -> String {
    let mut wanted = Vec::new();
    match plan.revocations.len() {
        0 => {}
        1 => wanted.push("revoke this certificate".into()),
        several => wanted.push(format!("revoke these {several} certificates")),
    }
    match plan.items.len() {
        0 => {}
        1 => wanted.push("sign this certificate".into()),
        several => wanted.push(format!("sign these {several} certificates")),
    }
    match plan.repeat.as_ref().map_or(0, |repeat| repeat.items.len()) {
        0 => {}
        1 => wanted.push("release this certificate again".into()),
        several => wanted.push(format!("release these {several} certificates again")),
    }
    if plan.crl.is_some() {
        wanted.push(if plan.items.is_empty() { "sign this CRL".into() } else { "the CRL".into() });
    }
    if plan.cross.is_some() {
        wanted.push("sign this cross-certificate".into());
    }
    if plan.retires() {
        wanted.insert(0, "retire the root".into());
    } else if plan.course.is_some() {
        wanted.push("release this trust bundle".into());
    }
    let mut question = wanted.join(" and ");
    if let Some(first) = question.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    question + "?"
}

/// Whether another home released under this name today, as in a rollover: two homes count
/// for themselves.
fn is_of_another_root(folder: &Path, root: Digest) -> bool {
    let manifest = durable::read_bounded(&folder.join(MANIFEST), 8 << 20);
    let manifest = manifest.and_then(|bytes| Manifest::read(&bytes));
    manifest.is_ok_and(|manifest| manifest.root_sha256 != root)
}

/// Checks the outgoing stick before anything else happens.
pub fn release_place(home: &Home, to: &Path) -> Result<Output> {
    if same_place(home.dir(), to)? {
        return Err(Error::usage(
            "output.home",
            format!("{}: is the CA home, lies in it or holds it", shown_path(to)),
        )
        .next("release to a stick of its own"));
    }
    let ledger = home.journal.ledger();
    let mark = if ledger.rehearsal() { "REHEARSAL-" } else { "" };
    let mut name = format!("anchorite-{mark}{}-{:04}", process::now().date(), ledger.releases() + 1);
    let root = home.root()?.fingerprint();
    if is_of_another_root(&to.join(&name), root) {
        let own: String = root.to_string().chars().take(8).collect();
        name = format!("{name}-{own}");
    }
    check_output(to, &name)
}

fn dry_run(globals: &Globals, home: &Home, wishes: &Wishes<'_>, partial: bool) -> Result<u8> {
    let incoming = read(home, wishes)?;
    let planned = make(home, home.journal.ledger().settled()?.as_ref(), wishes, incoming, None)?;
    if globals.json {
        output::json(&planned.plan)?;
    } else {
        output::text(&planned.review)?;
        output::text(
            "\ndry run: serials are placeholders, the token was not touched, nothing was recorded\n",
        )?;
    }
    require_complete(&planned, partial)?;
    Ok(0)
}
