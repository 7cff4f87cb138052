//! `root adopt`.

use std::path::Path;

use anchorite::home::Home;
use anchorite::journal::KeyRole;
use anchorite::media::durable;
use anchorite::perform::{Takeover, check_demands, check_kind, check_label, judge_certificate};
use anchorite::plan::review;
use anchorite::text::shown;
use anchorite::token::rules::name;
use anchorite::token::uri::{ObjectType, TokenUri};
use anchorite::token::{KeyDescription, Token, TokenInfo, Wanted};
use anchorite::verify::describe::describe_certificate;
use anchorite::x509::{Issuer, KeyAlgorithm};
use anchorite::{Error, Result};

use super::args::{Globals, RootAdopt};
use super::{pin, process, root, shown_path, unlock};

/// No root certificate is larger.
const MAXIMUM: u64 = 1 << 20;

pub fn run(globals: &Globals, args: &RootAdopt) -> Result<u8> {
    let mut home = unlock::home(globals)?;
    root::refuse_existing(&home)?;
    let ledger = home.journal.ledger();
    if ledger.root_decision().is_some() {
        return Err(Error::usage(
            "root.resume",
            "an unfinished `root create` is on record, no root can be adopted",
        )
        .next("run `anchorite root create` as before, or begin anew in another home"));
    }
    let resumed = ledger.root_adoption().is_some();
    let der = read_certificate(&args.certificate, "adopt.certificate-file")?;
    let (issuer, _) = judge_certificate(&der, process::now())?;
    check_kind(&home.config.root, issuer.public_key.algorithm())?;
    check_rehearsal(&issuer, ledger.rehearsal(), "adopt.rehearsal")?;

    pin::check_typed(&args.pin.login, &home.config)?;
    let mut token = unlock::token(&home, &args.pin)?;
    if args.journal_key.is_none() {
        token.supports(KeyAlgorithm::P256)?;
    }
    let wanted = key_uri("--key", &args.key, token.info())?;
    let journal = args.journal_key.as_deref();
    let journal = journal.map(|uri| key_uri("--journal-key", uri, token.info())).transpose()?;
    // Before the login, which resets a token's counters.
    let mut findings = token.judge()?;
    unlock::check_clock(&home, &args.pin)?;
    // A private key is seen after login alone; nothing is signed before the question.
    unlock::login(&home, token.as_mut(), &args.pin)?;
    let key = one_key(token.as_mut(), &wanted)?;
    check_demands(&home.config.token, token.info(), issuer.public_key.algorithm())?;
    findings.extend(token.judge_key(&key, Some(&issuer.public_key))?);
    let journal = journal.map(|uri| one_key(token.as_mut(), &uri)).transpose()?;
    if let Some(key) = &journal {
        findings.extend(token.judge_key(key, None)?.into_iter().map(|mut finding| {
            finding.message.insert_str(0, "the journal's key: ");
            finding
        }));
    }
    let takeover =
        Takeover::judge(&der, &key, journal.as_ref(), findings, args.accept_weak_key, process::now())?;
    if ledger.root_adoption().is_some_and(|recorded| !takeover.agrees(recorded)) {
        return Err(Error::usage(
            "root.resume",
            "an unfinished `root adopt` is on record, of another certificate or key",
        )
        .next("run the same command as before to take it up again, or begin anew in another home"));
    }
    let label = match &journal {
        Some(key) => key.label.clone(),
        None => journal_label(&home, args, &takeover, token.as_mut())?,
    };
    let shown = render(&takeover, &key, journal.as_ref(), &label, resumed)?;
    let consent = unlock::consent(globals, &args.pin, &home, "root adopt", &shown, "Take over this root?")?;
    let (adopted, head, attested) =
        unlock::session(&mut home, token.as_mut(), consent, &args.pin, |session| {
            let (adopted, head) = session.adopt_root(takeover, &label)?;
            Ok((adopted, head, session.attested().to_vec()))
        })?;
    root::report(globals, &home, "took over root", &adopted, head, &attested)
}

/// One certificate: DER, or PEM with nothing around it.
pub fn read_certificate(path: &Path, id: &'static str) -> Result<Vec<u8>> {
    let bytes = durable::read_bounded(path, MAXIMUM)?;
    if bytes.first() == Some(&0x30) {
        return Ok(bytes);
    }
    anchorite::release::pem::single(&shown_path(path), &bytes).map_err(|e| {
        Error::usage(id, e.message)
            .next("give the root's certificate alone; `openssl x509 -in FILE` writes it so")
    })
}

pub fn check_rehearsal(root: &Issuer, rehearsal: bool, id: &'static str) -> Result<()> {
    if root.subject.to_string().contains("REHEARSAL") == rehearsal {
        return Ok(());
    }
    let (home, root) = if rehearsal { ("a rehearsal's", "does not say") } else { ("for real use", "says") };
    Err(Error::usage(id, format!("this home is {home}, the root's name {root} REHEARSAL")).next(
        "take a root into a home of its own kind; `anchorite init --rehearsal` makes one for rehearsals",
    ))
}

/// The key's URI names one key; what it says of the token must be the home's.
fn key_uri(option: &str, text: &str, token: &TokenInfo) -> Result<TokenUri> {
    let uri = TokenUri::parse(text)?;
    let wrong = |what: &str| {
        Err(Error::usage("adopt.key-uri", format!("{option}: {what}"))
            .next("name the key as `anchorite token list --login` prints it, or as 'pkcs11:object=LABEL'"))
    };
    match (&uri, &TokenUri::parse(&token.uri)?) {
        (TokenUri::Pkcs11(uri), _) if uri.object.is_none() && uri.id.is_none() => {
            return wrong("names neither object nor id");
        }
        (TokenUri::Pkcs11(uri), _) if uri.object_type.is_some_and(|kind| kind != ObjectType::Private) => {
            return wrong("names an object that is no private key");
        }
        (TokenUri::Pkcs11(uri), TokenUri::Pkcs11(here)) => {
            let other = |wish: &Option<String>, found: &Option<String>| wish.is_some() && wish != found;
            if other(&uri.token, &here.token) || other(&uri.serial, &here.serial) {
                return wrong("names another token than the home's");
            }
        }
        (TokenUri::Piv(uri), _) if uri.slot.is_none() => return wrong("names no slot"),
        (TokenUri::Piv(uri), TokenUri::Piv(here)) if uri.serial.is_none() || uri.serial == here.serial => {}
        (TokenUri::Piv(_), _) | (_, TokenUri::Piv(_)) => return wrong("names another token than the home's"),
    }
    Ok(uri)
}

fn one_key(token: &mut dyn Token, uri: &TokenUri) -> Result<KeyDescription> {
    let mut found = token.describe_keys(&Wanted::Uri(uri))?;
    match (found.pop(), found.len()) {
        (Some(key), 0) => Ok(key),
        (None, _) => Err(Error::token(
            "token.no-such-key",
            format!("{}: holds no private key that {uri} names", token.info().uri),
        )
        .next("`anchorite token list --login` shows what is there")),
        (Some(_), others) => Err(Error::token(
            "token.key-ambiguous",
            format!("{}: {uri} names {} private keys, one was wanted", token.info().uri, others + 1),
        )
        .next("name it by its id as well; `anchorite token list --login` shows it")),
    }
}

fn journal_label(
    home: &Home,
    args: &RootAdopt,
    takeover: &Takeover,
    token: &mut dyn Token,
) -> Result<String> {
    if let Some(recorded) = home.journal.ledger().key(KeyRole::Journal) {
        return Ok(recorded.label.clone());
    }
    let label = args.journal_label.clone().unwrap_or_else(|| takeover.journal_label());
    check_label("--journal-label", &label)?;
    token.check_free(KeyRole::Journal)?;
    root::refuse_label(token, "--journal-label", &label)?;
    Ok(label)
}

fn render(
    takeover: &Takeover,
    key: &KeyDescription,
    journal: Option<&KeyDescription>,
    label: &str,
    resumed: bool,
) -> Result<String> {
    let mut out = String::from(if resumed {
        "ROOT to be taken over, taken up again after an interruption\n"
    } else {
        "ROOT to be taken over\n"
    });
    review::certificate(&mut out, &describe_certificate(&takeover.root.der)?);
    let fingerprint = takeover.root.fingerprint();
    out.push_str(&format!("   {:<22} {fingerprint}\n", "SHA-256"));
    out.push_str(&format!("   {:<22} {}\n", "in the token", name(key)));
    for finding in &takeover.findings {
        let word = if finding.refuses() { "ACCEPTED" } else { "warning " };
        out.push_str(&format!("   {word} {} [{}]\n", finding.message, finding.rule));
    }
    let beside = match journal {
        Some(key) => format!("the P-256 key that is there beside it, {},", name(key)),
        None => format!("a P-256 key beside it, '{}',", shown(label)),
    };
    out.push_str(&format!("   with {beside} that seals the journal and signs releases\n"));
    out.push_str("   what other software signed with this key, CRLs included, is not on record here\n");
    Ok(out)
}
