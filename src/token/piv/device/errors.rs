//! What went wrong, in the operator's terms.

use pcsc::Error as Pcsc;
use yubikey::Error as Yubikey;

use super::guard::Fault;
use crate::error::Error;
use crate::text::shown;

/// What a fault means where nothing better is known; `what` was being done.
pub(super) fn explained(fault: Fault, what: &str) -> Error {
    let told = match fault {
        Fault::Told(told) => told,
        Fault::Unreadable => return unreadable(what),
    };
    match told {
        Yubikey::PcscError { inner: Some(pcsc) } => of_pcsc(pcsc, what),
        Yubikey::WrongPin { tries: 0 } | Yubikey::PinLocked => locked(),
        Yubikey::WrongPin { tries } => wrong_pin(tries),
        Yubikey::ParseError | Yubikey::SizeError | Yubikey::InvalidObject | Yubikey::AlgorithmError => {
            unreadable(what)
        }
        Yubikey::NotSupported => {
            Error::token("token.function", format!("{what}: the YubiKey does not have this function"))
                .next("use a newer YubiKey")
        }
        Yubikey::AuthenticationError => {
            Error::token("token.not-permitted", format!("{what}: the YubiKey does not permit it"))
                .next("run again; has another program used the YubiKey meanwhile?")
        }
        other => Error::token("token.device", format!("{what}: {}", shown(&other.to_string())))
            .next("pull the YubiKey, plug it in again and run again; the journal knows what was begun"),
    }
}

fn unreadable(what: &str) -> Error {
    Error::token("token.answer", format!("{what}: the card answered what cannot be read"))
        .next("pull the YubiKey, plug it in again and run again; if it stays so, do not use it")
}

fn of_pcsc(error: Pcsc, what: &str) -> Error {
    match error {
        Pcsc::NoService | Pcsc::ServiceStopped => {
            Error::token("token.pcscd", format!("{what}: pcscd, which talks to card readers, does not run"))
                .next("`systemctl start pcscd` starts it; the Debian package is pcscd")
        }
        Pcsc::NoReadersAvailable => {
            Error::token("token.no-reader", "no card reader is there, and no YubiKey either")
                .next("plug the YubiKey in; its CCID interface must be enabled (`ykman config usb`)")
        }
        Pcsc::SharingViolation => {
            Error::token("token.busy", format!("{what}: another program has the YubiKey to itself"))
                .next("end it (GnuPG's: `gpgconf --kill scdaemon`), then run again")
        }
        Pcsc::NoSmartcard
        | Pcsc::RemovedCard
        | Pcsc::ResetCard
        | Pcsc::UnpoweredCard
        | Pcsc::UnresponsiveCard
        | Pcsc::ReaderUnavailable
        | Pcsc::UnknownReader
        | Pcsc::NotTransacted
        | Pcsc::CommError
        | Pcsc::CommDataLost => Error::token(
            "token.removed",
            format!("{what}: the YubiKey is gone, or was taken out and put back"),
        )
        .next("put the YubiKey back and run again; the journal knows what was begun"),
        other => Error::token("token.device", format!("{what}: PC/SC: {}", shown(&other.to_string())))
            .next("check cable and reader, restart pcscd, then run again; the journal knows what was begun"),
    }
}

/// A wrong PIN that was spent.
pub(super) fn wrong_pin(left: u8) -> Error {
    let left = match left {
        1 => "one try is left: the next wrong PIN locks it".to_string(),
        several => format!("{several} tries are left"),
    };
    Error::token("token.pin-incorrect", format!("wrong PIN; {left}"))
        .next("check which PIN belongs to this YubiKey before trying again")
}

/// No try is left.
pub(super) fn locked() -> Error {
    Error::token("token.pin-locked", "the PIN is locked after too many wrong tries")
        .next("set a new PIN with the PUK: `ykman piv access unblock-pin`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_has_to_do_has_a_name_of_its_own() {
        let of = |inner| explained(Fault::Told(Yubikey::PcscError { inner: Some(inner) }), "signing").id;
        assert_eq!(of(Pcsc::NoService), "token.pcscd");
        assert_eq!(of(Pcsc::NoReadersAvailable), "token.no-reader");
        assert_eq!(of(Pcsc::SharingViolation), "token.busy");
        assert_eq!(of(Pcsc::RemovedCard), "token.removed");
        assert_eq!(of(Pcsc::InternalError), "token.device");
        let told = |error| explained(Fault::Told(error), "signing");
        assert_eq!(told(Yubikey::WrongPin { tries: 0 }).id, "token.pin-locked");
        assert!(told(Yubikey::WrongPin { tries: 1 }).message.contains("locks"), "the last one");
        assert_eq!(told(Yubikey::ParseError).id, "token.answer");
        assert_eq!(told(Yubikey::NotSupported).id, "token.function");
        assert_eq!(told(Yubikey::AuthenticationError).id, "token.not-permitted");
        assert_eq!(told(Yubikey::GenericError).id, "token.device");
    }
}
