//! Opening the home and its token, the same way for every verb.

use std::borrow::Cow;
use std::path::PathBuf;

use anchorite::home::Home;
use anchorite::journal::Consent;
use anchorite::perform::{Ended, Progress, Session, Upcoming, World, check_token_head};
use anchorite::policy::{Config, TokenConfig};
use anchorite::token::piv::policy::{PinPolicy, TouchPolicy};
use anchorite::token::pkcs11::{ModuleUse, Pkcs11, Ready};
use anchorite::token::uri::{Pkcs11Uri, TokenUri};
use anchorite::token::{Key, Token, TokenInfo, piv};
use anchorite::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;

use super::args::{Globals, Pin};
use super::terminal::Terminal;
use super::{output, pin, process, tries};

/// When a YubiKey asks for the PIN, and for a touch, where nobody says otherwise.
pub const PIN_POLICY: PinPolicy = PinPolicy::Always;
pub const TOUCH_POLICY: TouchPolicy = TouchPolicy::Always;

/// Opens the home with its documents as pinned; `--yes` only where it may be.
pub fn home(globals: &Globals) -> Result<Home> {
    let home = Home::open(&globals.home)?;
    check_yes(globals, &home)?;
    Ok(home)
}

/// As [`home`], for a verb that takes the token: a PKCS#11 module starts while the policies
/// are read. What that fails with is the caller's to tell, where the token is wanted.
pub fn home_for_token(globals: &Globals) -> Result<(Home, Option<Result<Ready>>)> {
    let (home, ready) = Home::open_and(&globals.home, |config| {
        let TokenUri::Pkcs11(uri) = TokenUri::parse(&config.token.uri).ok()? else { return None };
        Some(named(&uri, configured(&config.token)).and_then(|module| Ready::load(&module)))
    })?;
    check_yes(globals, &home)?;
    Ok((home, ready))
}

/// Opens the home even where its documents were edited.
pub fn edited_home(globals: &Globals) -> Result<Home> {
    let home = Home::open_edited(&globals.home)?;
    check_yes(globals, &home)?;
    Ok(home)
}

/// `--yes` is for homes that were made for it.
pub fn check_yes(globals: &Globals, home: &Home) -> Result<()> {
    if globals.yes && !home.journal.ledger().unattended() {
        return Err(yes_refused());
    }
    Ok(())
}

/// The refusal of `--yes`.
pub fn yes_refused() -> Error {
    Error::refused("consent.yes", "--yes is not accepted: this home was not made with --unattended")
        .next("answer at the terminal; --unattended is for CI and rehearsals and is decided at init for good")
}

/// Opens the home's token, without login.
pub fn token(home: &Home, args: &Pin) -> Result<Box<dyn Token>> {
    token_for(home, args, None, None)
}

/// As [`token`], for a root that is to be made with these policies of a YubiKey's.
pub fn token_for(
    home: &Home,
    args: &Pin,
    pin: Option<PinPolicy>,
    touch: Option<TouchPolicy>,
) -> Result<Box<dyn Token>> {
    let config = &home.config.token;
    let uri = TokenUri::parse(&config.uri)?;
    if matches!(uri, TokenUri::Pkcs11(_)) && (pin.is_some() || touch.is_some()) {
        return Err(Error::usage(
            "token.policy-unused",
            format!("--pin-policy, --touch-policy: are a YubiKey's, the home's token is {}", config.uri),
        )
        .next("leave them out: what a PKCS#11 token asks before it signs is set with its own tool"));
    }
    let (pin, touch) = (pin.unwrap_or(PIN_POLICY), touch.unwrap_or(TOUCH_POLICY));
    open(&uri, configured(config), options(args, pin, touch)?)
}

/// Opens whatever the URI means. The module is for PKCS#11, the options are for PIV.
pub fn open(uri: &TokenUri, module: ModuleUse, options: piv::Options) -> Result<Box<dyn Token>> {
    match uri {
        TokenUri::Pkcs11(_) if options.management_key.is_some() => Err(management_key_unused()),
        TokenUri::Pkcs11(uri) => Ok(Box::new(Pkcs11::open(&named(uri, module)?, uri)?)),
        TokenUri::Piv(uri) => piv::open(uri, options),
    }
}

/// The refusal of `--mgm-key-file` with a PKCS#11 token.
pub fn management_key_unused() -> Error {
    Error::usage(
        "token.mgm-key-unused",
        "--mgm-key-file: a PKCS#11 token has no management key, a YubiKey named by a piv: URI has",
    )
    .next("leave it out; a YubiKey that is used through a module shows it to its own tool")
}

/// How the configuration wants its module used, if it names one.
pub fn configured(config: &TokenConfig) -> ModuleUse {
    ModuleUse {
        sha256: config.module_sha256,
        args: config.module_args.clone(),
        accept: config.accept.clone(),
        ..given(config.module.as_ref().map(PathBuf::from), None)
    }
}

/// A module of the command line's, if it names one.
pub fn given(file: Option<PathBuf>, args: Option<String>) -> ModuleUse {
    ModuleUse { args, tell: output::note, ..ModuleUse::of(file.unwrap_or_default()) }
}

/// How a YubiKey is used, as the command line says.
pub fn options(args: &Pin, pin_policy: PinPolicy, touch_policy: TouchPolicy) -> Result<piv::Options> {
    Ok(piv::Options {
        management_key: args.login.mgm_key_file.as_deref().map(pin::management_key).transpose()?,
        pin_policy,
        touch_policy,
        tell: Box::new(output::note),
    })
}

/// As [`options`], where no key is made.
pub fn reading(args: &Pin) -> Result<piv::Options> {
    options(args, PinPolicy::Always, TouchPolicy::Always)
}

/// The module of the configuration, or the one that the URI names.
fn named(uri: &Pkcs11Uri, module: ModuleUse) -> Result<ModuleUse> {
    let file = Some(module.file.clone()).filter(|file| !file.as_os_str().is_empty());
    let file = file.or_else(|| uri.module_path.clone()).ok_or_else(|| {
        Error::usage("token.no-module", "no PKCS#11 module is configured").next(
            "set module in anchorite.toml (and `policy pin`), or put ?module-path= into the token's URI",
        )
    })?;
    Ok(ModuleUse { file, ..module })
}

/// Refuses a clock behind the journal, unless that is to be corrected on record.
pub fn check_clock(home: &Home, args: &Pin) -> Result<()> {
    if args.correct_clock { Ok(()) } else { home.check_clock(process::now()) }
}

/// Asks for consent, or takes `--yes` for it. What was open is shown first.
pub fn consent(
    globals: &Globals,
    args: &Pin,
    home: &Home,
    verb: &'static str,
    shown: &str,
    question: &str,
) -> Result<Consent> {
    check_clock(home, args)?;
    let open = home.open_matters();
    let mut text = Cow::Borrowed(shown);
    if !open.is_empty() {
        let text = text.to_mut();
        text.push_str("\nan earlier run left this open; going on settles it on record: an intent without an outcome\ncounts as issued for ever, its serial is burnt\n");
        open.iter().for_each(|matter| text.push_str(&format!("  - {matter}\n")));
    }
    let confirmed = if globals.yes {
        output::note(&text);
        "--yes"
    } else {
        let mut terminal = Terminal::open()?;
        terminal.show(&text)?;
        terminal.show("\n")?;
        if !terminal.confirm(question)? {
            return Err(Error::refused(
                "consent.declined",
                "the answer was not the word yes; nothing was done",
            )
            .next("run the command again to be asked again"));
        }
        "operator"
    };
    Ok(Consent {
        verb,
        operator: process::operator(),
        confirmed,
        correct_clock: args.correct_clock,
        accept_loss: args.accept_loss,
        plan: None,
    })
}

/// Logs in with the PIN of wherever it comes from, and compares the head that the token
/// keeps: an older copy of the home ends here.
pub fn login(home: &Home, token: &mut dyn Token, args: &Pin) -> Result<()> {
    login_by(Some(&home.config), token, args)?;
    match check_token_head(home, token) {
        Err(lost) if args.accept_loss => {
            output::note(&format!(
                "{} {lost}\n  --accept-loss: what was signed in the lost lines, and no restore found again, is unknown to this home from now on",
                output::styled(output::BAD, "accepted:")
            ));
            Ok(())
        }
        result => result,
    }
}

/// As [`login`], where there may be no home to say where the PIN comes from.
pub fn login_by(config: Option<&Config>, token: &mut dyn Token, args: &Pin) -> Result<()> {
    let pin = tries::knowingly(token, config, &args.login, |token| {
        if token.pin_at_token() {
            output::note("enter the PIN at the token");
            return Ok(SecretString::default());
        }
        let TokenInfo { label, uri, .. } = token.info();
        // A YubiKey is shown the PIN anew for each signature: it stays in memory until the end.
        if !process::lock_memory() && uri.starts_with("piv:") {
            output::note(
                "note: this memory cannot be locked: where swap is in use, the PIN may end up on the disk; \
                 run it as root, after `ulimit -l unlimited`, or without swap",
            );
        }
        pin::read(args, config, label)
    })?;
    log_in(token, &pin)
}

/// A signal waits until the token is done: it counts tries, and SoftHSM for one empties
/// the token's own file to write it anew, which the end of the process would leave empty.
fn log_in(token: &mut dyn Token, pin: &SecretString) -> Result<()> {
    let _hold = process::hold();
    process::stop_if_interrupted()?;
    token.login(pin)?;
    process::stop_if_interrupted()
}

/// Runs `work` in a session. Signals wait for the next safe place meanwhile.
pub fn session<T>(
    home: &mut Home,
    token: &mut dyn Token,
    consent: Consent,
    args: &Pin,
    work: impl FnOnce(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    let _hold = process::hold();
    let lanes = home.config.token.sessions.map_or_else(process::cores, usize::from);
    let bar = ProgressBar::hidden();
    let progress = |p: Progress| {
        // A handful needs no bar; a batch does.
        if p.total >= 20 && bar.is_hidden() {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("signing {pos}/{len} [{bar:40}] {per_sec}, {eta} left")
            {
                bar.set_style(style);
            }
        }
        bar.set_length(p.total as u64);
        bar.set_position(p.done as u64);
    };
    let config = home.config.clone();
    let retype = |token: &mut dyn Token, key: &Key, next: &Upcoming| {
        bar.suspend(|| tries::type_anew(token, &config, &args.login, key, next))
    };
    let world = World {
        clock: &process::now,
        entropy: &process::entropy,
        stop: &process::interrupted,
        lanes,
        progress: &progress,
        retype: &retype,
    };
    let result = Session::begin(home, token, world, consent).and_then(|mut session| {
        let result = work(&mut session);
        if let Err(error) = &result {
            let ended = session.seal_after(error);
            bar.suspend(|| tell_end(ended));
        }
        result
    });
    bar.finish_and_clear();
    result
}

/// How far the journal came in a session that ended with an error.
fn tell_end(ended: Option<Ended>) {
    let Some(Ended { head, decided }) = ended else { return };
    for decided in decided {
        output::note(&format!("in force, whatever the error: {decided}"));
    }
    output::note(&match head {
        Ok(head) => format!("journal head, for the sheet: {} lines, {}", head.count, head.hash),
        Err(error) => format!(
            "{} the journal is not sealed, or its head not noted: {error}",
            output::styled(output::WARN, "note:")
        ),
    });
}
