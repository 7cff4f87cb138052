//! The tokens that a module shows, and the one that a URI means.

use cryptoki::context::Pkcs11 as Cryptoki;
use cryptoki::slot::{Slot, TokenInfo as RawInfo};

use super::errors::explained;
use crate::error::{Error, Result};
use crate::text::shown;
use crate::token::uri::Pkcs11Uri;
use crate::token::{FINAL_TRY, TokenFlags, TokenInfo};

/// Every slot with a token in it. A token that cannot be read is left out: a
/// broken card in a second reader is no reason not to use the first.
pub(super) fn tokens(cryptoki: &Cryptoki) -> Result<Vec<(Slot, RawInfo)>> {
    let slots = cryptoki.get_slots_with_token().map_err(explained)?;
    Ok(slots.into_iter().filter_map(|slot| Some((slot, cryptoki.get_token_info(slot).ok()?))).collect())
}

/// The one token that the URI means.
pub(super) fn select(tokens: Vec<(Slot, RawInfo)>, uri: &Pkcs11Uri) -> Result<(Slot, RawInfo)> {
    let there = described(&tokens);
    let (ready, blank): (Vec<_>, Vec<_>) = tokens
        .into_iter()
        .filter(|(slot, raw)| matches(uri, *slot, raw))
        .partition(|(_, raw)| raw.token_initialized());
    let wish = without_object(uri);
    let mut ready = ready.into_iter();
    match (ready.next(), ready.next()) {
        (Some(token), None) => Ok(token),
        (Some(_), Some(_)) => {
            Err(Error::token("token.ambiguous", format!("several tokens match `{wish}`; there are {there}"))
                .next("add `serial=…` to the URI; `anchorite token list` prints it"))
        }
        (None, _) if !blank.is_empty() => Err(Error::token(
            "token.uninitialised",
            format!("the token that matches `{wish}` is not initialised"),
        )
        .next("initialise it with its own tool: a label, a security officer's PIN and a user PIN")),
        (None, _) => {
            Err(Error::token("token.absent", format!("no token matches `{wish}`; there are {there}"))
                .next("plug the token in, or correct the URI; `anchorite token list` prints what is there"))
        }
    }
}

/// What a token says of itself.
pub(super) fn info(raw: &RawInfo) -> TokenInfo {
    TokenInfo {
        uri: token_uri(raw).to_string(),
        label: shown(trimmed(raw.label())),
        manufacturer: shown(trimmed(raw.manufacturer_id())),
        model: shown(trimmed(raw.model())),
        serial: shown(trimmed(raw.serial_number())),
        firmware: raw.firmware_version().to_string(),
        pin_state: pin_state(raw).to_owned(),
    }
}

/// What the initialised tokens say of themselves. Where two say the same, the slot's
/// number tells them apart for the moment.
pub(super) fn listed(tokens: &[(Slot, RawInfo)]) -> Vec<TokenInfo> {
    let ready = || tokens.iter().filter(|(_, raw)| raw.token_initialized());
    let alike = |raw: &RawInfo| ready().filter(|(_, other)| token_uri(other) == token_uri(raw)).count() > 1;
    let info = |(slot, raw): &(Slot, RawInfo)| {
        let slot_id = alike(raw).then(|| slot.id());
        TokenInfo { uri: Pkcs11Uri { slot_id, ..token_uri(raw) }.to_string(), ..info(raw) }
    };
    ready().map(info).collect()
}

/// What it says of its PINs.
pub(super) fn flags(raw: &RawInfo) -> TokenFlags {
    TokenFlags {
        rng: raw.rng(),
        login_required: raw.login_required(),
        user_pin_initialised: raw.user_pin_initialized(),
        user_pin_to_be_changed: raw.user_pin_to_be_changed(),
        user_pin_count_low: raw.user_pin_count_low(),
        user_pin_final_try: raw.user_pin_final_try(),
        user_pin_locked: raw.user_pin_locked(),
        so_pin_to_be_changed: raw.so_pin_to_be_changed(),
        so_pin_count_low: raw.so_pin_count_low(),
        so_pin_final_try: raw.so_pin_final_try(),
        so_pin_locked: raw.so_pin_locked(),
    }
}

/// `pkcs11:token=…;serial=…`
pub(super) fn token_uri(raw: &RawInfo) -> Pkcs11Uri {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Pkcs11Uri {
        token: given(trimmed(raw.label())),
        serial: given(trimmed(raw.serial_number())),
        ..Pkcs11Uri::default()
    }
}

fn pin_state(raw: &RawInfo) -> &'static str {
    if raw.user_pin_locked() {
        "locked"
    } else if raw.user_pin_final_try() {
        FINAL_TRY
    } else if raw.user_pin_count_low() {
        "low"
    } else {
        ""
    }
}

fn matches(uri: &Pkcs11Uri, slot: Slot, raw: &RawInfo) -> bool {
    let fits =
        |wish: &Option<String>, found: &str| wish.as_deref().is_none_or(|w| trimmed(w) == trimmed(found));
    fits(&uri.token, raw.label())
        && fits(&uri.serial, raw.serial_number())
        && fits(&uri.manufacturer, raw.manufacturer_id())
        && fits(&uri.model, raw.model())
        && uri.slot_id.is_none_or(|id| id == slot.id())
}

/// CK_TOKEN_INFO's fields are padded with blanks; some modules pad with NULs.
fn trimmed(field: &str) -> &str {
    field.trim_end_matches([' ', '\0'])
}

fn without_object(uri: &Pkcs11Uri) -> Pkcs11Uri {
    Pkcs11Uri {
        object: None,
        object_type: None,
        id: None,
        module_path: None,
        module_name: None,
        ..uri.clone()
    }
}

fn described(tokens: &[(Slot, RawInfo)]) -> String {
    let ready: Vec<String> = tokens
        .iter()
        .filter(|(_, raw)| raw.token_initialized())
        .map(|(_, raw)| format!("`{}`", token_uri(raw)))
        .collect();
    if ready.is_empty() { "no initialised tokens".to_owned() } else { ready.join(", ") }
}
