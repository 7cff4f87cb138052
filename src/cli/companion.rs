//! `root companion`, and what it shares with `root create --second-device`: another
//! device's root, trusted beside this one's.

use std::path::Path;

use anchorite::home::Home;
use anchorite::perform::{Candidate, check_elsewhere, check_kind};
use anchorite::plan::{Plan, check_roots_stay, review};
use anchorite::verify::describe::{describe_certificate, describe_trusted};
use anchorite::x509::{Digest, Issuer, Name};
use anchorite::{Error, Result};

use super::args::{Globals, RootCompanion};
use super::{adopt, output, process, unlock};

pub fn run(globals: &Globals, args: &RootCompanion) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    let own = home.root()?.clone();
    check_roots_stay(home.journal.ledger().course(), "another device's root")?;
    let candidate = read(&args.certificate, &home)?;
    candidate.check_apart("this CA's own root", &own.subject, Some(&own.public_key))?;
    let (mut shown, root) = (render(&candidate)?, candidate.root.clone());
    let joined = candidate.join(home.journal.ledger().companions(), &home.companions()?)?;
    let names: Result<Vec<Name>> =
        joined.iter().map(|c| Issuer::from_der(&c.certificate.0).map(|root| root.subject)).collect();
    shown.push_str(&order(&[vec![own.subject], names?].concat()));

    let mut token = unlock::token(&home, &args.pin)?;
    let question = "Trust this root beside this CA's own?";
    let consent = unlock::consent(globals, &args.pin, &home, "root companion", &shown, question)?;
    unlock::login(&home, token.as_mut(), &args.pin)?;
    check_elsewhere(token.as_mut(), &root)?;
    let head =
        unlock::session(&mut home, token.as_mut(), consent, &args.pin, |session| session.trust(joined))?;
    let companions: Vec<_> = home.companions()?.iter().map(Issuer::fingerprint).collect();
    if globals.json {
        output::json(&serde_json::json!({
            "root_sha256": home.root()?.fingerprint(), "companions_sha256": companions, "head": head,
        }))?;
        return Ok(0);
    }
    output::text(&format!(
        "{} {}\n  SHA-256 {}\njournal head, for the sheet: {} lines, {}\n",
        output::styled(output::GOOD, "trusted beside this root:"),
        root.subject,
        root.fingerprint(),
        head.count,
        head.hash
    ))?;
    Ok(0)
}

/// Reads and judges the other root's certificate.
pub fn read(file: &Path, home: &Home) -> Result<Candidate> {
    let der = adopt::read_certificate(file, "companion.certificate-file")?;
    let candidate = Candidate::judge(&der, process::now())?;
    check_kind(&home.config.root, candidate.root.public_key.algorithm())?;
    adopt::check_rehearsal(&candidate.root, home.journal.ledger().rehearsal(), "companion.rehearsal")?;
    Ok(candidate)
}

/// A root half made has the companion that it was begun with, or none yet.
pub fn check_resumed(home: &Home, first: Option<&Candidate>) -> Result<()> {
    let ledger = home.journal.ledger();
    let begun = ledger.key(anchorite::journal::KeyRole::Root).is_some() || !ledger.companions().is_empty();
    let same = ledger.companions().iter().map(|c| &c.certificate).eq(first.map(|f| &f.companion.certificate));
    if !begun || same {
        return Ok(());
    }
    let recorded: Vec<String> = ledger.companions().iter().map(|c| c.fingerprint().to_string()).collect();
    let recorded = if recorded.is_empty() { "none".into() } else { recorded.join(", ") };
    Err(Error::usage(
        "root.resume",
        format!("an unfinished root is on record; beside it, --second-device: {recorded}; the command line asks for another"),
    )
    .next("run the same command as before to take it up again, or begin anew in another home"))
}

/// The other root, as people compare it with the sheet of its own ceremony.
pub fn render(candidate: &Candidate) -> Result<String> {
    let mut out = String::from(
        "\nCOMPANION: another device's root, trusted beside this CA's own; it signs nothing here\n",
    );
    review::certificate(&mut out, &describe_certificate(&candidate.root.der)?);
    let fingerprint = candidate.root.fingerprint();
    out.push_str(&format!("   {:<22} {fingerprint}\n", "SHA-256"));
    for words in review::wrapped_words(&fingerprint) {
        out.push_str(&format!("   {:<22} {words}\n", ""));
    }
    for finding in &candidate.findings {
        out.push_str(&format!("   warning  {} [{}]\n", finding.message, finding.rule));
    }
    out.push_str("   compare the SHA-256 with the sheet of its own ceremony: whoever holds this root is trusted by every cluster\n");
    Ok(out)
}

/// What trust bundles hold from then on.
pub fn order(names: &[Name]) -> String {
    let mut out = String::from("\nroot-cert.pem of each release from then on\n");
    for (number, name) in (1..).zip(names) {
        out.push_str(&format!("   {number}. {name}\n"));
    }
    out
}

/// Who else is trusted by what is about to be released: other devices' roots, and those
/// of a rollover's stage.
pub fn beside(home: &Home, plan: &Plan) -> Result<String> {
    let course = plan.course.as_ref().unwrap_or(home.journal.ledger().course());
    let own = &home.root()?.der;
    let mut out = String::new();
    for der in course.trusted(home.own_roots()?).iter().filter(|der| *der != own) {
        let subject = describe_trusted(der)?.subject;
        out.push_str(&format!(
            "\ntrusts   {subject} beside this root\n          SHA-256 {}\n",
            Digest::of(der)
        ));
    }
    Ok(out)
}
