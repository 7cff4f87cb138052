//! `token check`: whether keys and token are fit, by what the token says.

use std::path::PathBuf;

use anchorite::finding::{Finding, Outcome};
use anchorite::home::Home;
use anchorite::journal::KeyRole;
use anchorite::token::pkcs11::Pkcs11;
use anchorite::token::rules::{judge_key, judge_token, name};
use anchorite::token::uri::Pkcs11Uri;
use anchorite::token::{KeyAttributes, KeyDescription, Token as _, TokenFlags};
use anchorite::x509::PublicKey;
use anchorite::{Error, Result};
use serde::Serialize;

use super::args::{Globals, TokenCheck};
use super::output::{BAD, GOOD, WARN, styled};
use super::{output, unlock};

/// A token or a key, and what the rules found.
#[derive(Serialize)]
struct Judged {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<TokenFlags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<KeyAttributes>,
    findings: Vec<Finding>,
}

pub fn run(globals: &Globals, args: &TokenCheck) -> Result<u8> {
    let judged = match &args.uri {
        Some(uri) => any(globals, args, &Pkcs11Uri::parse(uri)?)?,
        None => homes(globals, args)?,
    };
    let worst = judged.iter().flat_map(|j| &j.findings).map(|f| f.outcome).max().unwrap_or(Outcome::Pass);
    let refused = worst == Outcome::Refused || (args.strict && worst == Outcome::Warning);
    if globals.json {
        output::json(&serde_json::json!({
            "verdict": if refused { "refused" } else { word(worst).1 }, "strict": args.strict, "judged": judged,
        }))?;
    } else {
        output::text(&render(&judged, worst, refused))?;
    }
    Ok(u8::from(refused))
}

/// The keys that a URI names, with or without a home.
fn any(globals: &Globals, args: &TokenCheck, uri: &Pkcs11Uri) -> Result<Vec<Judged>> {
    let (home, module) = match args.module.clone().or_else(|| uri.module_path.clone()) {
        Some(module) => (None, module),
        None => {
            let home = unlock::home(globals)?;
            let module = home.config.token.module.clone().map(PathBuf::from);
            let module = module.map_or_else(|| unlock::module(uri, None), Ok)?;
            (Some(home), module)
        }
    };
    let digest = home.as_ref().and_then(|home| home.config.token.module_sha256.as_ref());
    let mut token = Pkcs11::open(&module, digest, uri)?;
    let mut judged = vec![judge(&token)];
    unlock::login_by(home.as_ref().map(|home| &home.config), &mut token, &args.pin)?;
    let keys = token.describe_keys(uri)?;
    if keys.is_empty() {
        return Err(none(&token, &uri.to_string()));
    }
    judged.extend(keys.iter().map(|key| judge_one(name(key), key, None)));
    Ok(judged)
}

/// The home's own keys, which must also be the ones on record.
fn homes(globals: &Globals, args: &TokenCheck) -> Result<Vec<Judged>> {
    let home: Home = unlock::home(globals)?;
    let mut token = unlock::token(&home, &args.pin)?;
    let mut judged = vec![judge(&token)];
    unlock::login(&home, &mut token, &args.pin)?;
    for (role, whose) in [(KeyRole::Root, "the root's"), (KeyRole::Journal, "the journal's")] {
        let Some(record) = home.journal.ledger().key(role) else { continue };
        let uri = Pkcs11Uri { id: Some(record.id.clone()), ..Pkcs11Uri::default() };
        let keys = token.describe_keys(&uri)?;
        if keys.is_empty() {
            return Err(none(&token, &uri.to_string()));
        }
        let recorded = record.public_key.as_ref();
        judged.extend(keys.iter().map(|key| judge_one(format!("{whose} {}", name(key)), key, recorded)));
    }
    Ok(judged)
}

fn judge(token: &Pkcs11) -> Judged {
    let flags = token.flags();
    let what = format!("token {}", token.info().uri);
    Judged { what, flags: Some(flags), attributes: None, findings: judge_token(&flags) }
}

fn judge_one(what: String, key: &KeyDescription, recorded: Option<&PublicKey>) -> Judged {
    let attributes = Some(key.attributes.clone());
    Judged { what, flags: None, attributes, findings: judge_key(key, recorded) }
}

fn none(token: &Pkcs11, uri: &str) -> Error {
    Error::token("token.no-such-key", format!("{}: holds no private key that {uri} names", token.info().uri))
        .next("`anchorite token list --login` shows what is there")
}

fn word(outcome: Outcome) -> (anstyle::Style, &'static str) {
    match outcome {
        Outcome::Refused => (BAD, "refuse"),
        Outcome::Warning => (WARN, "warn"),
        _ => (GOOD, "ok"),
    }
}

fn render(judged: &[Judged], worst: Outcome, refused: bool) -> String {
    let mut out = String::new();
    for Judged { what, findings, .. } in judged {
        out.push_str(&format!("{what}\n"));
        for finding in findings {
            let (style, said) = word(finding.outcome);
            let said = styled(style, &format!("{said:<7}"));
            out.push_str(&format!("  {said} {:<28} {}\n", finding.rule, finding.message));
            if finding.outcome != Outcome::Pass {
                out.push_str(&format!("          wanted {}; {}\n", finding.wanted, finding.reference));
            }
        }
    }
    if judged.len() == 1 {
        out.push_str("this home has no keys yet\n");
    }
    out.push_str(&match (refused, worst) {
        (true, Outcome::Refused) => format!("{}: not fit for a root\n", styled(BAD, "refused")),
        (true, _) => format!("{}: --strict takes no warning\n", styled(BAD, "refused")),
        (false, Outcome::Warning) => format!("{}: fit, but look at each warning\n", styled(WARN, "warned")),
        (false, _) => format!("{}\n", styled(GOOD, "fit for a root")),
    });
    out
}
