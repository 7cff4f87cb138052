//! The YubiKeys that are plugged in, and the one that a URI means.

use pcsc::{Disposition, Error as Pcsc};
use yubikey::{Context, Error as Yubikey, YubiKey};

use super::errors::explained;
use super::guard::{Fault, guarded};
use crate::error::{Error, Result};
use crate::text::shown;
use crate::token::piv::uri::PivUri;

const LOOKING: &str = "looking for YubiKeys";

/// What is in the readers.
pub(super) struct Found {
    pub keys: Vec<YubiKey>,
    /// Cards that are no YubiKeys, or cannot be spoken to: the reader, and why.
    others: Vec<(String, Fault)>,
}

/// Asks every reader. One that fails is no reason not to use the next.
pub(super) fn found() -> Result<Found> {
    let mut context = guarded(Context::open).map_err(|e| explained(e, LOOKING))?;
    let readers = guarded(|| context.iter()).map_err(|e| explained(e, LOOKING))?;
    // The crate takes none for an empty list. A YubiKey is its own reader.
    if readers.len() == 0 {
        let none = Yubikey::PcscError { inner: Some(Pcsc::NoReadersAvailable) };
        return Err(explained(Fault::Told(none), LOOKING));
    }
    let mut found = Found { keys: Vec::new(), others: Vec::new() };
    for reader in readers {
        match guarded(|| reader.open()) {
            Ok(key) => found.keys.push(key),
            Err(Fault::Told(Yubikey::PcscError { inner: Some(Pcsc::NoSmartcard | Pcsc::RemovedCard) })) => {}
            Err(fault) => found.others.push((shown(&reader.name()), fault)),
        }
    }
    Ok(found)
}

/// The one YubiKey that is meant. The others are left as they are: whoever uses them
/// keeps their session.
pub(super) fn select(found: Found, uri: &PivUri) -> Result<YubiKey> {
    let Found { keys, others } = found;
    let there = described(&keys);
    let serial = uri.serial;
    let (meant, rest): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|key| serial.is_none_or(|serial| key.serial().0 == serial));
    rest.into_iter().for_each(leave);
    let mut meant = meant.into_iter();
    match (meant.next(), meant.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(absent(uri, &there, others)),
        (Some(one), Some(other)) => {
            [one, other].into_iter().chain(meant).for_each(leave);
            Err(Error::token("token.ambiguous", format!("several YubiKeys are there: {there}"))
                .next("name one by its serial number, as `piv:9c?serial=…`"))
        }
    }
}

/// Without a reset, which would log other programs out.
pub(super) fn leave(key: YubiKey) {
    // nothing is left to be done about a failure at this point
    let _ = guarded(|| key.disconnect(Disposition::LeaveCard).map_err(|(_, e)| e));
}

fn absent(uri: &PivUri, there: &str, others: Vec<(String, Fault)>) -> Error {
    if there.is_empty()
        && let Some((reader, fault)) = others.into_iter().next()
    {
        return other(&reader, fault);
    }
    let message = match uri.serial {
        Some(serial) if !there.is_empty() => {
            format!("no YubiKey with serial number {serial} is there; there are {there}")
        }
        Some(serial) => format!("no YubiKey is there, wanted the one with serial number {serial}"),
        None => "no YubiKey is there".into(),
    };
    Error::token("token.absent", message)
        .next("plug the YubiKey in, or correct the URI; `anchorite token list --piv` prints what is there")
}

fn other(reader: &str, fault: Fault) -> Error {
    let fault = match fault {
        // What a card without PIV, without Yubico's commands, or of another generation says.
        Fault::Told(Yubikey::AppletNotFound { .. } | Yubikey::GenericError | Yubikey::NotSupported) => {
            return Error::token(
                "token.not-yubikey",
                format!("the card in reader {reader} is no YubiKey 4 or 5 with PIV"),
            )
            .next("plug the YubiKey in; its PIV application must be enabled (`ykman config usb`)");
        }
        fault => fault,
    };
    explained(fault, &format!("the card in reader {reader}"))
}

fn described(keys: &[YubiKey]) -> String {
    let uris: Vec<String> = keys.iter().map(|key| format!("`piv:?serial={}`", key.serial())).collect();
    uris.join(", ")
}
