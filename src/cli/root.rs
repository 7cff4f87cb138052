//! `root create`, and what it shares with `adopt` and `renew`.

use anchorite::home::Home;
use anchorite::journal::{Head, KeyAttested, KeyRole, RootDecision};
use anchorite::perform::{RootSpec, check_demands, check_elsewhere, check_kind, journal_label, preview};
use anchorite::plan::review;
use anchorite::policy::TokenConfig;
use anchorite::token::Token;
use anchorite::verify::describe::describe_tbs;
use anchorite::x509::{Issuer, KeyAlgorithm, Name, Serial, Status};
use anchorite::{Error, Result};

use super::args::{Globals, Root, RootCreate, RootVerb};
use super::{adopt, companion, output, pin, process, renew, rollover, shown_path, unlock};

pub fn run(globals: &Globals, args: &Root) -> Result<u8> {
    match &args.verb {
        RootVerb::Create(args) => create(globals, args),
        RootVerb::Adopt(args) => adopt::run(globals, args),
        RootVerb::Renew(args) => renew::run(globals, args),
        RootVerb::Companion(args) => companion::run(globals, args),
        RootVerb::Rollover(args) => rollover::run(globals, args),
        RootVerb::Retire(args) => rollover::retire(globals, args),
    }
}

fn create(globals: &Globals, args: &RootCreate) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    refuse_existing(&home)?;
    if home.journal.ledger().root_adoption().is_some() {
        return Err(Error::usage(
            "root.resume",
            "an unfinished `root adopt` is on record, no root can be made",
        )
        .next("run `anchorite root adopt` as before, or begin anew in another home"));
    }
    if args.path_len == Some(0) {
        return Err(Error::usage(
            "root.path-len",
            "--path-len 0: a root that may have no CA beneath it signs no intermediate, wanted at least 1",
        )
        .next("leave it away, or give how many CAs may stand between the root and a workload"));
    }
    let spec = RootSpec {
        subject: Name::parse(&args.subject)?,
        algorithm: args.key,
        ttl: args.ttl,
        label: args.label.clone(),
        path_len: args.path_len,
    };
    check_kind(&home.config.root, args.key)?;
    let first = args.second_device.as_deref().map(|file| companion::read(file, &home)).transpose()?;
    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token_for(&home, &args.pin, args.pin_policy, args.touch_policy)?;
    token.supports(args.key)?;
    token.supports(KeyAlgorithm::P256)?;
    for key in [args.key, KeyAlgorithm::P256] {
        check_demands(&home.config.token, token.info(), key)?;
    }
    let (decision, resumed) = decide(&home, &spec, token.as_mut())?;
    companion::check_resumed(&home, first.as_ref())?;
    let mut review = render(&decision, resumed, token.as_ref())?
        + &asked(args, &home.config.token, token.as_ref())
        + &given_up(&home.config.token);
    if let Some(first) = &first {
        first.check_apart("the root to be made", &decision.subject()?, None)?;
        review.push_str(&companion::render(first)?);
        review.push_str(&companion::order(&[decision.subject()?, first.root.subject.clone()]));
    }
    let consent = unlock::consent(globals, &args.pin, &home, "root create", &review, "Make this root?")?;
    unlock::login(&home, token.as_mut(), &args.pin)?;
    if !resumed {
        refuse_labels(token.as_mut(), &args.label)?;
    }
    if let Some(first) = &first {
        check_elsewhere(token.as_mut(), &first.root)?;
    }
    let companions = first.map(|first| first.companion).into_iter().collect();
    let (root, head, attested) = unlock::session(&mut home, token.as_mut(), consent, &args.pin, |session| {
        let (root, head) = session.create_root(decision, companions)?;
        Ok((root, head, session.attested().to_vec()))
    })?;
    report(globals, &home, "made root", &root, head, &attested)
}

/// What a YubiKey's root key will ask for at each signature, and what is demanded of the keys.
fn asked(args: &RootCreate, config: &TokenConfig, token: &dyn Token) -> String {
    let mut out = String::new();
    if token.info().uri.starts_with("piv:") {
        let pin = args.pin_policy.unwrap_or(unlock::PIN_POLICY);
        let touch = args.touch_policy.unwrap_or(unlock::TOUCH_POLICY);
        out.push_str(&format!("   {:<22} PIN {pin}, touch {touch}\n", "asks for"));
    }
    if config.require_attestation {
        out.push_str(&format!("   {:<22} demanded: without it nothing is signed\n", "attestation"));
    }
    out
}

/// What the configuration does not demand of the keys.
fn given_up(config: &TokenConfig) -> String {
    config
        .accept
        .iter()
        .map(|rule| format!("   ACCEPTED keys that do not fulfil {rule}, by anchorite.toml\n"))
        .collect()
}

/// One home, one root.
pub fn refuse_existing(home: &Home) -> Result<()> {
    if let Ok(root) = home.root()
        && !home.root_unfinished()
    {
        let (place, name, sha256) = (shown_path(home.dir()), &root.subject, root.fingerprint());
        return Err(Error::usage(
            "root.exists",
            format!("{place}: has its root already: {name}, SHA-256 {sha256}"),
        )
        .next("one home, one root: make another home with `anchorite init`"));
    }
    Ok(())
}

/// What is noted on paper.
pub fn report(
    globals: &Globals,
    home: &Home,
    done: &str,
    root: &Issuer,
    head: Head,
    attested: &[KeyAttested],
) -> Result<u8> {
    let fingerprint = root.fingerprint();
    let companions = home.companions()?;
    if globals.json {
        output::json(&serde_json::json!({
            "subject": root.subject.to_string(), "serial": root.serial, "sha256": fingerprint,
            "words": fingerprint.words(), "certificate": shown_path(&home.dir().join("root.pem")), "head": head,
            "attested": attested, "companions_sha256": companions.iter().map(Issuer::fingerprint).collect::<Vec<_>>(),
        }))?;
        return Ok(0);
    }
    let words: String =
        review::wrapped_words(&fingerprint).iter().map(|w| format!("          {w}\n")).collect();
    let vouched: String = attested.iter().map(vouched).collect();
    let beside: String = companions
        .iter()
        .map(|c| format!("  beside  {}, SHA-256 {}\n", c.subject, c.fingerprint()))
        .collect();
    output::text(&format!(
        "{} {}\n  SHA-256 {fingerprint}\n{words}  file    {}\n{vouched}{beside}journal head, for the sheet: {} lines, {}\nnote the SHA-256 on paper: everything else can be checked with it\n",
        output::styled(output::GOOD, done),
        root.subject,
        shown_path(&home.dir().join("root.pem")),
        head.count,
        head.hash,
    ))?;
    Ok(0)
}

/// What the token's maker says of a key.
fn vouched(attested: &KeyAttested) -> String {
    let whose = match attested.role {
        KeyRole::Root => "root's key",
        KeyRole::Journal => "journal's key",
    };
    let Some(facts) = &attested.facts else {
        let why = attested.problem.as_deref().unwrap_or_default();
        return format!(
            "  {} the {whose} is NOT attested: {why}\n",
            output::styled(output::WARN, "warning:")
        );
    };
    let serial = facts.serial.map_or_else(String::new, |serial| format!(" {serial}"));
    format!(
        "  attested: the {whose} was generated in YubiKey{serial} ({}, firmware {}), PIN {}, touch {}; by {}\n",
        facts.form_factor, facts.firmware, facts.pin_policy, facts.touch_policy, facts.voucher
    )
}

/// A new decision, or the one that a crash interrupted; then the wishes must agree.
fn decide(home: &Home, spec: &RootSpec, token: &mut dyn Token) -> Result<(RootDecision, bool)> {
    let rehearsal = home.journal.ledger().rehearsal();
    if let Some(recorded) = home.journal.ledger().root_decision() {
        if !spec.agrees(recorded, rehearsal)? {
            return Err(Error::usage(
                "root.resume",
                format!(
                    "an unfinished root is on record: {}, {}, until {}, label '{}'; the command line asks for another",
                    recorded.subject()?,
                    recorded.algorithm()?,
                    recorded.not_after,
                    anchorite::text::shown(&recorded.label)
                ),
            )
            .next("run the same command as before to take it up again, or begin anew in another home"));
        }
        let mut decision = recorded.clone();
        for serial in [&mut decision.serial, &mut decision.journal_serial] {
            let status = home.journal.ledger().by_serial(serial)?.map(|c| c.status);
            if matches!(status, Some(Status::Open | Status::Burnt)) {
                *serial = new_serial(token)?;
            }
        }
        return Ok((decision, true));
    }
    refuse_labels(token, &spec.label)?;
    let serials = (new_serial(token)?, new_serial(token)?);
    Ok((spec.decide(process::now(), serials, rehearsal)?, false))
}

pub fn new_serial(token: &mut dyn Token) -> Result<Serial> {
    Ok(Serial::from_entropy(&process::entropy()?, &token.random(32)?.unwrap_or_default()))
}

fn refuse_labels(token: &mut dyn Token, label: &str) -> Result<()> {
    [KeyRole::Root, KeyRole::Journal].into_iter().try_for_each(|role| token.check_free(role))?;
    [label, &journal_label(label)].into_iter().try_for_each(|label| refuse_label(token, "--label", label))
}

/// A new key's label must be free.
pub fn refuse_label(token: &mut dyn Token, option: &str, label: &str) -> Result<()> {
    if !token.label_in_use(label)? {
        return Ok(());
    }
    let label = anchorite::text::shown(label);
    Err(Error::usage(
        "root.label-in-use",
        format!("{}: holds a key labelled '{label}' already", token.info().uri),
    )
    .next(format!("give another {option}; existing keys are never touched")))
}

fn render(decision: &RootDecision, resumed: bool, token: &dyn Token) -> Result<String> {
    let mut out = String::from(if resumed {
        "ROOT, taken up again after an interruption\n"
    } else {
        "ROOT to be made\n"
    });
    let mut description = describe_tbs(&preview(decision)?)?;
    // The key does not exist yet; what stands for it in the draft is not shown.
    description.extensions.retain(|e| e.name != "subjectKeyIdentifier");
    let key = format!("{}, to be generated in the token", decision.algorithm);
    review::certificate_with_key(&mut out, &description, &key);
    if decision.algorithm()?.is_post_quantum() {
        out.push_str(&format!("   {:<22} few programs load such a root as yet\n", "post-quantum"));
    }
    let places = [KeyRole::Root, KeyRole::Journal].map(|role| token.key_id(role));
    out.push_str(&match places {
        [Some(root), Some(journal)] => {
            format!(
                "   {:<22} {} and {}\n",
                "slots",
                anchorite::text::hex(&root),
                anchorite::text::hex(&journal)
            )
        }
        _ => format!(
            "   {:<22} '{}' and '{}'\n",
            "labels",
            anchorite::text::shown(&decision.label),
            anchorite::text::shown(&journal_label(&decision.label))
        ),
    });
    out.push_str("   with a P-256 key beside it that seals the journal and signs releases\n");
    Ok(out)
}
