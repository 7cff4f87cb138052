//! The PIN's tries: shown before one is spent, the last never spent unasked; and
//! the PIN typed anew where each signature wants that.

use anchorite::perform::Upcoming;
use anchorite::policy::Config;
use anchorite::token::{FINAL_TRY, Key, Token, TokenInfo};
use anchorite::{Error, Result};
use secrecy::SecretString;

use super::args::Login;
use super::terminal::Terminal;
use super::{output, pin, process};

/// Reads the PIN by `read`, after what the token says of it was shown. Where one try is left,
/// somebody has to say that it may be spent; and again where it came to that meanwhile.
pub fn knowingly(
    token: &mut dyn Token,
    config: Option<&Config>,
    args: &Login,
    read: impl FnOnce(&dyn Token) -> Result<SecretString>,
) -> Result<SecretString> {
    token.look_at_pin()?;
    show(token.info());
    let agreed = before_the_last(token, config, args)?;
    let pin = read(token)?;
    if !agreed {
        token.look_at_pin()?;
        before_the_last(token, config, args)?;
    }
    Ok(pin)
}

fn show(token: &TokenInfo) {
    let more = match token.pin_state.as_str() {
        "" => return,
        "low" => ": a wrong PIN was entered since the last right one",
        _ => "",
    };
    output::note(&format!(
        "{} the token says of its PIN: {}{more}",
        output::styled(output::WARN, "note:"),
        token.pin_state
    ));
}

/// Whether the last try may be spent is said by the option, or at the terminal. Gives
/// whether it was said.
fn before_the_last(token: &dyn Token, config: Option<&Config>, args: &Login) -> Result<bool> {
    let TokenInfo { label, pin_state, .. } = token.info();
    if pin_state != FINAL_TRY {
        return Ok(false);
    }
    if args.spend_last_pin_try {
        return Ok(true);
    }
    let from = pin::untyped(args, config).filter(|_| !token.pin_at_token());
    let question =
        format!("{label}: ONE TRY OF THE PIN IS LEFT. A wrong PIN now locks the token. Spend the last try?");
    if from.is_none() && Terminal::open()?.confirm(&question)? {
        return Ok(true);
    }
    let asked = from.map_or_else(
        || "the answer was not the word yes".into(),
        |from| format!("the PIN comes from {from}, where nobody can be asked"),
    );
    let message =
        format!("{label}: one try of the PIN is left, a wrong one locks it: {asked}; it was not spent");
    Err(Error::token("token.pin-final-try", message).next(
        "make sure of the PIN, then type it at the terminal; or say by --spend-last-pin-try that the last try may be spent",
    ))
}

/// Shows what is to be signed and has the PIN typed for it. A wrong one is told, and asked
/// for again as long as the token is known to bear another.
pub fn type_anew(
    token: &mut dyn Token,
    config: &Config,
    args: &Login,
    key: &Key,
    next: &Upcoming,
) -> Result<()> {
    let Upcoming { number, of, what, sha256 } = next;
    output::note(&format!(
        "signature {number} of {of} by the root's key: {what}\n  SHA-256 of what is signed {sha256}"
    ));
    loop {
        let typed = knowingly(token, Some(config), args, |token| match token.pin_at_token() {
            // The token asks by itself where the key wants the PIN each time.
            true if key.always_authenticate => Ok(SecretString::default()),
            true => {
                output::note("enter the PIN at the token");
                Ok(SecretString::default())
            }
            false => pin::typed(Some(config), &token.info().label),
        });
        process::stop_if_interrupted()?;
        let wrong = match typed.and_then(|pin| token.reenter(key, &pin)) {
            Err(wrong) => wrong,
            Ok(()) => return Ok(()),
        };
        let again = match wrong.id {
            "token.pin-unfit" | "token.pin-length" => true,
            "token.pin-incorrect" => !token.info().pin_state.is_empty(),
            _ => false,
        };
        if !again {
            return Err(wrong);
        }
        output::note(&format!("{} {}", output::styled(output::BAD, "wrong:"), wrong.message));
    }
}
