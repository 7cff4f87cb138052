//! The PIN's tries: shown before one is spent, and the last never spent unasked.

use anchorite::policy::Config;
use anchorite::token::{FINAL_TRY, Token, TokenInfo};
use anchorite::{Error, Result};

use super::args::Login;
use super::terminal::Terminal;
use super::{output, pin};

/// Shows what the token says of its PIN, where it says something.
pub fn show(token: &TokenInfo) {
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

/// Where one try of the PIN is left, has somebody say that it may be spent: by the option,
/// or at the terminal. Says whether that was said.
pub fn before_the_last(token: &mut dyn Token, config: Option<&Config>, args: &Login) -> Result<bool> {
    token.look_at_pin()?;
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
