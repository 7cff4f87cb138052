//! `token check`: whether keys and token are fit, by what the token says.

use anchorite::finding::{Finding, Outcome};
use anchorite::home::Home;
use anchorite::journal::KeyRole;
use anchorite::perform::judge_attestation;
use anchorite::policy::Config;
use anchorite::text::hex;
use anchorite::token::pkcs11::ModuleUse;
use anchorite::token::rules::name;
use anchorite::token::uri::TokenUri;
use anchorite::token::{KeyAttributes, KeyDescription, Token, TokenFlags, Wanted};
use anchorite::x509::PublicKey;
use anchorite::{Error, Result};
use serde::Serialize;

use super::args::{Globals, Pin, TokenCheck};
use super::output::{BAD, GOOD, WARN, styled};
use super::{attest, output, unlock};

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
        Some(uri) => any(globals, args, &TokenUri::parse(uri)?)?,
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
fn any(globals: &Globals, args: &TokenCheck, uri: &TokenUri) -> Result<Vec<Judged>> {
    let module = unlock::given(args.module.clone(), args.module_args.clone());
    let (home, mut token) = of_uri(globals, module, uri, &args.login.pin())?;
    let config = home.as_ref().map(|home| &home.config);
    let mut judged = vec![judge(token.as_mut())?];
    unlock::login_by(config, token.as_mut(), &args.login.pin())?;
    let keys = token.describe_keys(&Wanted::Uri(uri))?;
    if keys.is_empty() {
        return Err(none(token.as_ref(), &uri.to_string()));
    }
    for key in &keys {
        judged.push(judge_one(token.as_mut(), config, name(key), key, None)?);
    }
    Ok(judged)
}

/// The token that a URI means. A YubiKey needs no home; a PKCS#11 token needs one where
/// no module is named.
pub fn of_uri(
    globals: &Globals,
    module: ModuleUse,
    uri: &TokenUri,
    pin: &Pin,
) -> Result<(Option<Home>, Box<dyn Token>)> {
    let named = match uri {
        TokenUri::Pkcs11(uri) => !module.file.as_os_str().is_empty() || uri.module_path.is_some(),
        TokenUri::Piv(_) => !globals.home.join("anchorite.toml").exists(),
    };
    let home = if named { None } else { Some(unlock::home(globals)?) };
    let module = home.as_ref().map_or(module, |home| unlock::configured(&home.config.token));
    let token = unlock::open(uri, module, unlock::reading(pin)?)?;
    Ok((home, token))
}

/// The home's own keys, which must also be the ones on record.
fn homes(globals: &Globals, args: &TokenCheck) -> Result<Vec<Judged>> {
    let home: Home = unlock::home(globals)?;
    let mut token = unlock::token(&home, &args.login.pin())?;
    let mut judged = vec![judge(token.as_mut())?];
    unlock::login(&home, token.as_mut(), &args.login.pin())?;
    for (role, whose) in [(KeyRole::Root, "the root's"), (KeyRole::Journal, "the journal's")] {
        let Some(record) = home.journal.ledger().key(role) else { continue };
        let keys = token.describe_keys(&Wanted::Id(&record.id))?;
        if keys.is_empty() {
            return Err(none(token.as_ref(), &format!("CKA_ID {}", hex(&record.id))));
        }
        let recorded = record.public_key.as_ref();
        for key in &keys {
            let what = format!("{whose} {}", name(key));
            judged.push(judge_one(token.as_mut(), Some(&home.config), what, key, recorded)?);
        }
        // However good a key looks: where signing would not know which to take, none is fit.
        if let (Err(error), Some(last)) = (token.find_key(&record.id), judged.last_mut()) {
            let (reference, wanted) = ("PKCS#11 2.40 §4.2", "one private key under the CKA_ID on record");
            let message = error.message;
            last.findings.push(Finding::new(error.id, Outcome::Refused, reference, message, "", wanted));
        }
    }
    Ok(judged)
}

fn judge(token: &mut dyn Token) -> Result<Judged> {
    let what = format!("token {}", token.info().uri);
    Ok(Judged { what, flags: token.flags(), attributes: None, findings: token.judge()? })
}

fn judge_one(
    token: &mut dyn Token,
    config: Option<&Config>,
    what: String,
    key: &KeyDescription,
    recorded: Option<&PublicKey>,
) -> Result<Judged> {
    let mut findings = token.judge_key(key, recorded)?;
    if token.info().uri.starts_with("piv:") {
        findings.push(judge_attestation(attest::of(token, config, &key.id)));
    }
    Ok(Judged { what, flags: None, attributes: Some(key.attributes.clone()), findings })
}

fn none(token: &dyn Token, what: &str) -> Error {
    Error::token("token.no-such-key", format!("{}: holds no private key that {what} names", token.info().uri))
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
