//! What a token's maker said of a key, verified again: as of the time when it was put on
//! record, for a device's certificates may have ended since.

use crate::error::{Error, Result};
use crate::journal::{AttestedFacts, KeyAttested, Ledger};
use crate::verify::{Attested, Vouchers, verify_attestation, verify_statement};
use crate::x509::Time;

/// Verifies an attestation on record, and says how far. Where no configuration is at hand
/// (`vouchers` is none) an issuer that is not Yubico's is taken on trust, and named.
pub(super) fn check(
    it: &KeyAttested,
    at: Time,
    vouchers: Option<&[Vec<u8>]>,
    ledger: &Ledger,
) -> Result<String> {
    let whose = format!("{:?}", it.role).to_lowercase();
    let Some(facts) = &it.facts else {
        let why = it.problem.as_deref().unwrap_or("it does not say why");
        return Ok(format!(
            "the {whose} key's attestation did not verify when it was made: {}",
            crate::text::shown(why)
        ));
    };
    let known = Vouchers::with(vouchers.unwrap_or_default())?;
    let voucher = crate::text::shown(&facts.voucher);
    let trusted = known.know(&facts.voucher)?;
    let [certificate, device] = it.certificates.as_slice() else {
        return Err(wrong(&whose, "has not two certificates"));
    };
    let found = match trusted || vouchers.is_some() {
        true => verify_attestation(&certificate.0, &device.0, &known, at),
        false => verify_statement(&certificate.0, &device.0, &facts.voucher, at),
    };
    let found = found.map_err(|e| {
        let back = if trusted { "" } else { "; it goes back into attestation-roots, if it is still trusted" };
        Error { message: format!("the {whose} key's attestation by {voucher}: {}{back}", e.message), ..e }
    })?;
    let recorded = ledger.key(it.role).and_then(|key| key.public_key.as_ref());
    if recorded != Some(&found.public_key) {
        return Err(wrong(&whose, "is of another key than the one on record"));
    }
    if let Some(name) = differs(&found, facts) {
        return Err(wrong(&whose, &format!("says another {name} than what is on record as read from it")));
    }
    let serial = found.serial.map_or_else(|| "not told".into(), |serial| serial.to_string());
    let verified = match trusted || vouchers.is_some() {
        true => format!("verifies as of {at}"),
        false => {
            "is trusted by attestation-roots of the home, which are not at hand: its issuer was not verified"
                .into()
        }
    };
    Ok(format!(
        "the {whose} key's attestation by {voucher} (serial {serial}, firmware {}, PIN {}, touch {}) {verified}",
        found.firmware, found.pin_policy, found.touch_policy
    ))
}

/// The first thing that was put on record otherwise than it is said.
fn differs(found: &Attested, facts: &AttestedFacts) -> Option<&'static str> {
    [
        (found.voucher != facts.voucher, "issuer"),
        (found.serial != facts.serial, "serial number"),
        (found.firmware.to_string() != facts.firmware, "firmware"),
        (found.pin_policy != facts.pin_policy, "PIN policy"),
        (found.touch_policy != facts.touch_policy, "touch policy"),
        (found.form_factor != facts.form_factor, "form factor"),
    ]
    .into_iter()
    .find_map(|(differs, name)| differs.then_some(name))
}

fn wrong(whose: &str, what: &str) -> Error {
    Error::integrity("audit.attestation", format!("the {whose} key's attestation {what}"))
}
