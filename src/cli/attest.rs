//! `token attest`: what a YubiKey says of its keys, verified.

use anchorite::journal::KeyRole;
use anchorite::perform::check_attestation;
use anchorite::policy::Config;
use anchorite::token::uri::TokenUri;
use anchorite::token::{Evidence, Token};
use anchorite::verify::Attested;
use anchorite::x509::{PublicKey, pem};
use anchorite::{Error, Result};

use super::args::{Globals, Pin, TokenAttest};
use super::output::{GOOD, styled};
use super::{check, output, process, unlock};

pub fn run(globals: &Globals, args: &TokenAttest) -> Result<u8> {
    let pin = Pin::default();
    let (home, mut token, ids) = match &args.uri {
        None => {
            let home = unlock::home(globals)?;
            let token = unlock::token(&home, &pin)?;
            let roles = [KeyRole::Root, KeyRole::Journal].into_iter();
            let keys = roles.filter_map(|role| home.journal.ledger().key(role));
            let ids: Vec<_> = keys.map(|key| (key.id.clone(), key.public_key.clone())).collect();
            if ids.is_empty() {
                return Err(Error::usage("home.no-root", "this home has no root yet")
                    .next("name a slot, as piv:9c?serial=…; or make the root first"));
            }
            (Some(home), token, ids)
        }
        Some(text) => {
            let uri = TokenUri::parse(text)?;
            let TokenUri::Piv(named) = &uri else { return Err(not_a_yubikey()) };
            let (home, token) = check::of_uri(globals, unlock::given(None, None), &uri, &pin)?;
            (home, token, vec![(vec![named.root_slot().number()], None)])
        }
    };
    let config = home.as_ref().map(|home| &home.config);
    let (mut shown, mut told) = (String::new(), Vec::new());
    for (id, recorded) in ids {
        let (evidence, attested) = verified(token.as_mut(), config, &id)?.ok_or_else(not_a_yubikey)?;
        if let Some(recorded) = recorded.filter(|recorded| *recorded != attested.public_key) {
            return Err(other_key(&id, &attested, &recorded));
        }
        shown.push_str(&render(&id, &attested));
        told.push(json(&id, &evidence, &attested));
    }
    if globals.json {
        output::json(&serde_json::json!({ "token": token.info(), "attested": told }))?;
    } else {
        output::text(&shown)?;
    }
    Ok(0)
}

/// What came of it, for a list of findings.
pub fn of(token: &mut dyn Token, config: Option<&Config>, id: &[u8]) -> Result<Option<Attested>> {
    verified(token, config, id).map(|found| found.map(|(_, attested)| attested))
}

fn verified(
    token: &mut dyn Token,
    config: Option<&Config>,
    id: &[u8],
) -> Result<Option<(Evidence, Attested)>> {
    let key = token.find_key(id)?.ok_or_else(|| {
        Error::token(
            "token.no-such-key",
            format!("{}: slot {} is empty", token.info().uri, anchorite::text::hex(id)),
        )
        .next("`anchorite token list --piv` shows what is there")
    })?;
    let Some(evidence) = token.attest(&key)? else { return Ok(None) };
    let config = config.map(|config| &config.token);
    let attested = check_attestation(&evidence, config, token.info(), &key, process::now())?;
    Ok(Some((evidence, attested)))
}

fn other_key(id: &[u8], attested: &Attested, recorded: &PublicKey) -> Error {
    let (slot, found, wanted) = (anchorite::text::hex(id), attested.public_key.digest(), recorded.digest());
    Error::integrity(
        "token.key-mismatch",
        format!("slot {slot}: holds the key {found}, the home's record says {wanted}"),
    )
    .next("stop: the slot was made anew, or this is another YubiKey")
}

fn not_a_yubikey() -> Error {
    Error::refused(
        "attest.none",
        "the key is not attested: YubiKeys alone do that, of keys that were generated in them",
    )
    .next("`anchorite token check` says what else is known of the key")
}

fn render(id: &[u8], attested: &Attested) -> String {
    let line = |name: &str, value: &str| format!("  {name:<14} {value}\n");
    let serial = attested.serial.map_or_else(|| "not told".into(), |serial| serial.to_string());
    [
        format!("{} slot {}\n", styled(GOOD, "attested"), anchorite::text::hex(id)),
        line("by", &attested.voucher),
        line("key", &format!("{} {}", attested.public_key.algorithm(), attested.public_key.digest())),
        line("serial", &serial),
        line("firmware", &attested.firmware.to_string()),
        line("PIN policy", &attested.pin_policy),
        line("touch policy", &attested.touch_policy),
        line("form factor", &attested.form_factor),
    ]
    .concat()
}

fn json(id: &[u8], evidence: &Evidence, attested: &Attested) -> serde_json::Value {
    serde_json::json!({
        "slot": anchorite::text::hex(id),
        "voucher": attested.voucher,
        "key": attested.public_key.algorithm(),
        "key_sha256": attested.public_key.digest(),
        "serial": attested.serial,
        "firmware": attested.firmware.to_string(),
        "pin_policy": attested.pin_policy,
        "touch_policy": attested.touch_policy,
        "form_factor": attested.form_factor,
        "certificates": [pem::certificate(&evidence.certificate), pem::certificate(&evidence.device)],
    })
}
