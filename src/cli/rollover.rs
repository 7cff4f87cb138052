//! `root rollover` and `root retire`.

use std::path::Path;

use anchorite::home::Home;
use anchorite::journal::{Bytes, Companion, KeyRole, Ledger, Rollover, RootCourse, Side, Stage};
use anchorite::media::durable;
use anchorite::perform::{Candidate, check_kind};
use anchorite::plan::{self, Beside, Crl, Plan, Revoking, Step, review};
use anchorite::policy::Context;
use anchorite::release::certificate::{facts, is_self_issued};
use anchorite::release::pem::trust_bundle;
use anchorite::text::is_shown;
use anchorite::token::Token;
use anchorite::verify::describe_trusted;
use anchorite::x509::{Digest, Issued, Issuer, Name, PublicKey, Reason};
use anchorite::{Error, Result};

use super::args::{Globals, Pin, RolloverBegin, RolloverStage, RolloverVerb, RootRetire, RootRollover};
use super::plan::{Planned, frame};
use super::{adopt, crl, output, pin, process, quoted, root, shown_path, sign, unlock};

pub fn run(globals: &Globals, args: &RootRollover) -> Result<u8> {
    match &args.verb {
        RolloverVerb::Begin(args) => begin(globals, args),
        RolloverVerb::Stage(args) => stage(globals, args),
        RolloverVerb::Cross(args) => release(globals, &args.pin, None, &args.to),
        RolloverVerb::Reached(args) => {
            record(globals, &args.pin, Step::Reached, "Does every cluster have it?")
        }
        RolloverVerb::Compromised(args) => {
            record(globals, &args.pin, Step::Compromised, "Is the old root's key in other hands?")
        }
        RolloverVerb::End(args) => record(globals, &args.pin, Step::End, "End the rollover?"),
        RolloverVerb::Show(_) => show(globals),
    }
}

/// Stage old is the old root's alone to release, and clusters may have its bundle still:
/// to the new root's home it is a line in the record.
fn stage(globals: &Globals, args: &RolloverStage) -> Result<u8> {
    let rollover = unlock::home(globals)?.journal.ledger().course().rollover.clone();
    let step = Step::Stage(args.stage);
    match (&args.to, rollover) {
        (_, Some(rollover)) if (rollover.own, args.stage) == (Side::New, Stage::Old) => {
            output::note(
                "nothing is released: clusters load the old root's trust bundle, as they had it before",
            );
            record(globals, &args.pin, step, "Back to stage old?")
        }
        (Some(to), _) => release(globals, &args.pin, Some(step), to),
        (None, _) => Err(Error::usage("rollover.to", "--to: is missing, wanted the stick for the release")
            .next("`anchorite root rollover stage STAGE --to DIR`")),
    }
}

fn begin(globals: &Globals, args: &RolloverBegin) -> Result<u8> {
    let home = unlock::home(globals)?;
    home.root()?;
    let until = process::now() + args.overlap;
    let (side, file) = match (&args.old, &args.new) {
        (Some(old), _) => (Side::New, old),
        (None, Some(new)) => (Side::Old, new),
        (None, None) => {
            return Err(Error::usage("rollover.other", "neither --old nor --new").next("name the other root"));
        }
    };
    let others = others(&home, side, file)?;
    let named = shown_path(file);
    let facts = |der: &[u8]| facts(&named, der).map(|facts| (facts.subject, facts.public_key));
    let ours = home.own_roots()?.iter().map(|der| facts(der)).collect::<Result<Vec<_>>>()?;
    for other in &others {
        let (name, key) = facts(&other.certificate.0)?;
        // As path validation compares names.
        let same = |our: &(Name, PublicKey)| {
            our.0.canonical() == name.canonical() || our.1.key_bits() == key.key_bits()
        };
        if ours.iter().any(same) {
            return Err(Error::refused(
                "rollover.same",
                format!("{named}: holds {name}, the name or the key of a root that this home trusts already"),
            )
            .next("give the other root; each has a name and a key of its own, or verifiers take one for the other"));
        }
    }
    let step = Step::Begin { own: side, others, until, compromised: args.compromised };
    drop(home);
    record(globals, &args.pin, step, "Begin this rollover?")
}

/// The other root and those trusted beside it. The one that goes is trusted already,
/// whatever it is; the one that comes has to be fit.
fn others(home: &Home, own: Side, file: &Path) -> Result<Vec<Companion>> {
    let bytes = durable::read_bounded(file, 1 << 20)?;
    let trusted = match bytes.first() {
        Some(0x30) => vec![bytes],
        _ => trust_bundle(&shown_path(file), &bytes)
            .or_else(|_| adopt::read_certificate(file, "rollover.file").map(|der| vec![der]))?,
    };
    let each = trusted.into_iter().map(|der| {
        if !is_self_issued(&der) {
            return Err(not_a_root(file, "a certificate that is no root: its issuer is another"));
        }
        if own == Side::New {
            let warned = Candidate::judge(&der, process::now())
                .map_or_else(|e| vec![e.id.into()], |c| c.companion.warned);
            let unreadable =
                |e: Error| not_a_root(file, &format!("a certificate that cannot be read: {}", e.message));
            describe_trusted(&der).map_err(unreadable)?;
            facts(&shown_path(file), &der).map_err(unreadable)?;
            return Ok(Companion { certificate: Bytes(der), warned });
        }
        let candidate = Candidate::judge(&der, process::now())?;
        check_kind(&home.config.root, candidate.root.public_key.algorithm())?;
        adopt::check_rehearsal(&candidate.root, home.journal.ledger().rehearsal(), "rollover.rehearsal")?;
        Ok(candidate.companion)
    });
    each.collect()
}

fn not_a_root(file: &Path, what: &str) -> Error {
    Error::refused("rollover.not-a-root", format!("{}: holds {what}", shown_path(file)))
        .next("give the roots alone: root-cert.pem, not cert-chain.pem")
}

/// A step that releases nothing.
fn record(globals: &Globals, args: &Pin, step: Step, question: &str) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    unlock::check_clock(&home, args)?;
    let planned = planned(&home, Some(step), None)?;
    pin::check_typed(&args.login, &home.config)?;
    let mut token = unlock::token(&home, args)?;
    let asked = ("root rollover", question);
    let head = sign::record_planned(globals, args, asked, &mut home, token.as_mut(), &planned, |_| Ok(()))?;
    let course = home.journal.ledger().course();
    if globals.json {
        output::json(&serde_json::json!({"course": course, "plan": planned.plan.digest()?, "head": head}))?;
    } else {
        let mut out = format!("{}\n", output::styled(output::GOOD, "on record"));
        if !planned.plan.revocations.is_empty() {
            out.push_str("its cross-certificate is revoked; no CRL lists that yet: `anchorite crl --to DIR` signs one\n");
        }
        out.push_str(&told(&home)?);
        out.push_str(&format!("journal head, for the sheet: {} lines, {}\n", head.count, head.hash));
        output::text(&out)?;
    }
    Ok(0)
}

/// A step that changes trust bundles, or the cross-certificate.
fn release(globals: &Globals, args: &Pin, step: Option<Step>, to: &Path) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    home.root()?;
    unlock::check_clock(&home, args)?;
    pin::check_typed(&args.login, &home.config)?;
    let mut token = unlock::token(&home, args)?;
    let out = sign::release_place(&home, to)?;
    let planned = planned(&home, step, Some(token.as_mut()))?;
    let code =
        sign::perform_planned(globals, args, "root rollover", &mut home, token.as_mut(), planned, out)?;
    if !globals.json {
        output::text(&told(&home)?)?;
    }
    Ok(code)
}

/// The plan of a step, or, with a token to lend its randomness, of a cross-certificate.
fn planned(home: &Home, step: Option<Step>, token: Option<&mut dyn Token>) -> Result<Planned> {
    let history = home.journal.ledger().settled()?;
    let ledger = history.as_ref();
    let issuer = home.root()?;
    let context =
        Context { policies: &home.policies, forced: None, issuer, history: ledger, now: process::now() };
    let mut plan: Plan = plan::empty(&context, frame(home, false));
    let releases = token.is_some();
    match (step, token) {
        (Some(step), _) => {
            if let Some(plan) = ledger.course_unreleased() {
                return Err(Error::refused(
                    "rollover.unreleased",
                    format!("plan {plan} changed the root's course, and its release is not out"),
                )
                .next(format!("`anchorite perform {} --to DIR` takes it up again", kept(home, &plan))));
            }
            let crl = match step {
                Step::Retire => Crl::Now,
                // Where CRLs are checked, both roots' go with both roots.
                Step::Stage(_) if releases => Crl::Due,
                _ => Crl::Later,
            };
            let revoking = if matches!(step, Step::Compromised) { crosses(ledger)? } else { Vec::new() };
            plan = plan.with_course(step.take(ledger.course(), &home.own_roots()?)?)?;
            let beside = Beside { revoking, listed: home.listed()?, ..Beside::default() };
            plan = plan.with_revocations(issuer, ledger, beside, crl, &home.config.crl)?;
        }
        (None, Some(token)) => plan = plan.with_cross(issuer, ledger.course(), root::new_serial(token)?)?,
        (None, None) => {}
    }
    let mut review = review::render(&plan, issuer, plan.created, ledger, &|_| Vec::new())?;
    if plan.retires() {
        let alive = ledger.alive(plan.created)?;
        let unrevoked = alive.iter().filter(|c| c.revoked.is_none()).count();
        if unrevoked > 0 {
            review.push_str(&format!(
                "\n!! {unrevoked} intermediates of this root are alive and not revoked; after this none of them can be\n"
            ));
        }
    }
    if let Some(after) = &plan.course {
        review.push_str(&left_behind(home, ledger, after)?);
        review.push_str(&unfit(home, ledger.course(), after)?);
    }
    if plan.crl.is_some() {
        review.push_str(&crl::warned(home, &plan)?);
    }
    Ok(Planned { plan, review, made: None })
}

/// Where a plan that is being performed is kept.
fn kept(home: &Home, plan: &Digest) -> String {
    quoted(&home.dir().join("plans").join(format!("{plan}.json")))
}

/// Cross-certificates that vouch for the old root: revoked once its key is in other hands.
fn crosses(ledger: &Ledger) -> Result<Vec<Revoking>> {
    let mut revoking = Vec::new();
    let rollover = ledger.course().rollover.iter().filter(|rollover| rollover.own == Side::New);
    for other in rollover.flat_map(|rollover| &rollover.others) {
        let Ok(other) = Issuer::from_der(&other.certificate.0) else { continue };
        let alive = |c: &Issued| c.cluster.is_none() && c.revoked.is_none() && c.not_after >= process::now();
        for issued in ledger.by_subject(&other.subject.canonical())?.into_iter().filter(alive) {
            let (serial, reason) = (issued.serial, Reason::CaCompromise);
            revoking.push(Revoking { serial, reason, date: None, invalidity_date: None, asked_by: None });
        }
    }
    Ok(revoking)
}

/// The registered clusters that a stage without the old root would cut off.
fn left_behind(home: &Home, ledger: &Ledger, after: &RootCourse) -> Result<String> {
    let to_new = after.rollover.as_ref().is_some_and(|r| r.own == Side::New && r.stage == Stage::New);
    let ends =
        after.rollover.is_none() && ledger.course().rollover.as_ref().is_some_and(|r| r.stage == Stage::New);
    if !to_new && !ends {
        return Ok(String::new());
    }
    let alive = ledger.alive(process::now())?;
    let has =
        |cluster: &&str| alive.iter().any(|c| c.cluster.as_deref() == Some(*cluster) && c.revoked.is_none());
    let registered = home.policies.register().clusters().keys().map(String::as_str);
    let without: Vec<&str> = registered.filter(|cluster| !has(cluster)).collect();
    if without.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "\n!! registered clusters without a certificate of this root: {}; where only the new root is trusted they are cut off\n",
        without.join(", ")
    ))
}

/// The registered clusters whose consumer does not take a root that comes: where the rollover
/// begins, of any of its stages; then of the stage that it goes to.
fn unfit(home: &Home, before: &RootCourse, after: &RootCourse) -> Result<String> {
    let own = home.own_roots()?;
    let roots = match (&before.rollover, &after.rollover) {
        (None, Some(begun)) => {
            own.into_iter().chain(begun.others.iter().map(|other| other.certificate.0.clone())).collect()
        }
        (Some(before), Some(now)) if before.stage != now.stage => after.trusted(own),
        _ => return Ok(String::new()),
    };
    let kind = |der: &Vec<u8>| facts("root-cert.pem", der).map(|facts| facts.public_key.algorithm());
    let kinds = roots.iter().map(kind).collect::<Result<Vec<_>>>()?;
    let unfit = home.policies.unfit_for(&kinds);
    if unfit.is_empty() {
        return Ok(String::new());
    }
    Ok(format!(
        "\n!! [issuer.consumer] registered clusters whose consumer does not take a root of this rollover: {}; they cannot load its trust bundle, and nothing is signed for them while it holds\n",
        unfit.join(", ")
    ))
}

pub fn retire(globals: &Globals, args: &RootRetire) -> Result<u8> {
    if let Some(to) = &args.to {
        return release(globals, &args.pin, Some(Step::Retire), to);
    }
    let how = args.destroyed.clone().unwrap_or_default();
    if how.trim().is_empty() || !is_shown(&how) {
        return Err(Error::usage(
            "retire.destroyed",
            "--destroyed: is empty or holds characters that cannot be shown",
        )
        .next("say in plain text on one line how it was destroyed, and who saw it"));
    }
    let mut home = unlock::home(globals)?;
    unlock::check_clock(&home, &args.pin)?;
    let planned = planned(&home, Some(Step::Destroyed(how)), None)?;
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let key = home.journal.ledger().key(KeyRole::Root).cloned();
    // After login: a private key hides from anybody else.
    let gone = |token: &mut dyn Token| {
        match key {
        Some(key) if token.find_key(&key.id)?.is_some() => {
            Err(Error::refused("retire.key-there", format!("{}: holds the root's key '{}' still", token.info().uri, key.label))
                .next("delete it with the token's own tool, such as `pkcs11-tool --delete-object --type privkey --label LABEL`, then record it"))
        }
        _ => Ok(()),
    }
    };
    let asked = ("root retire", "Is every copy of the key destroyed?");
    let head = sign::record_planned(globals, &args.pin, asked, &mut home, token.as_mut(), &planned, gone)?;
    if globals.json {
        output::json(&serde_json::json!({"course": home.journal.ledger().course(), "head": head}))?;
    } else {
        output::text(&format!(
            "{}\njournal head, for the sheet: {} lines, {}\n",
            output::styled(output::GOOD, "on record: the root's key is destroyed"),
            head.count,
            head.hash
        ))?;
    }
    Ok(0)
}

fn show(globals: &Globals) -> Result<u8> {
    let home = unlock::home(globals)?;
    home.root()?;
    if globals.json {
        output::json(&serde_json::json!({"course": home.journal.ledger().course()}))?;
    } else {
        output::text(&told(&home)?)?;
    }
    Ok(0)
}

/// Where the root stands, and what may follow.
fn told(home: &Home) -> Result<String> {
    let course = home.journal.ledger().course();
    let mut out = String::new();
    if let Some(plan) = home.journal.ledger().course_unreleased() {
        let perform = format!("next: `anchorite perform {} --to DIR`", kept(home, &plan));
        out.push_str(&format!(
            "what follows is on record and not released yet\n{perform}: it takes the release up again\n"
        ));
        return Ok(out);
    }
    if course.retired {
        out.push_str("the root is retired\n");
        out.push_str(match &course.destroyed {
            Some(_) => "its key is destroyed\n",
            None => "next: destroy its key and every copy, then `anchorite root retire --destroyed TEXT`\n",
        });
    }
    let Some(rollover) = &course.rollover else {
        if !course.retired {
            out.push_str("no rollover is under way\n");
        }
        return Ok(out);
    };
    let reached = if rollover.reached { "in every cluster" } else { "not known to be in every cluster" };
    out.push_str(&format!("rollover at stage {}: {reached}\n", rollover.stage.name()));
    for der in home.trusted()? {
        let fingerprint = Digest::of(&der);
        let name = Issuer::from_der(&der).map_or_else(|_| "a root".into(), |root| root.subject.to_string());
        out.push_str(&format!("  trusts {name}\n         SHA-256 {fingerprint}\n"));
    }
    out.push_str(&format!("  both until {} at the latest\n", rollover.until));
    if !course.retired {
        out.push_str(&next(rollover));
    }
    Ok(out)
}

fn next(rollover: &Rollover) -> String {
    let reached = "once every cluster has it, `anchorite root rollover reached`";
    let next = match (rollover.own, rollover.stage, rollover.reached) {
        (_, Stage::Old, true) => "next: `anchorite root rollover stage both --to DIR`; given up: `… end`",
        (_, Stage::Old, false) => {
            "given up: `anchorite root rollover end`; or again `… reached`, then `… stage both --to DIR`"
        }
        (_, Stage::Both | Stage::New, false) => {
            let back = if rollover.stage == Stage::Both { "old" } else { "both" };
            return format!("next: {reached}; a way back: `… stage {back} --to DIR`\n");
        }
        (Side::New, Stage::Both, true) => {
            "next: sign every cluster anew under the new root; once none uses the old one, `anchorite root rollover stage new --to DIR`"
        }
        (Side::Old, Stage::Both, true) => {
            "next: the new root's home signs every cluster anew, and releases stage new; then `anchorite root retire --to DIR` here"
        }
        (_, Stage::New, true) => {
            "next: `anchorite root rollover end`; the old root's home ends with `anchorite root retire`"
        }
    };
    format!("{next}\n")
}
