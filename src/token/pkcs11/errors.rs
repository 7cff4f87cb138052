//! What a module's return values mean to the operator (PKCS#11 2.40 §5.1).

use cryptoki::context::Function;
use cryptoki::error::{Error as CryptokiError, RvError};

use crate::error::Error;

/// Says which function failed, how, what that means and what to do next.
pub(super) fn explained(error: CryptokiError) -> Error {
    match error {
        CryptokiError::Pkcs11(code, function) => {
            let (id, meaning, next) = meaning(code);
            Error::token(id, format!("{}: {} ({meaning})", function_name(function), code_name(code)))
                .next(next)
        }
        CryptokiError::NullFunctionPointer => {
            Error::token("token.function", "the module lacks a function that every module must have")
                .next("use another module, or another version of it")
        }
        other => Error::token(
            "token.answer",
            format!("the module answered what cannot be read: {}", crate::text::shown(&other.to_string())),
        )
        .next("look for a newer version of the module"),
    }
}

/// `C_Sign` and its like.
fn function_name(function: Function) -> String {
    format!("C_{function:?}")
}

/// The code as the standard spells it: `CKR_PIN_INCORRECT`.
fn code_name(code: RvError) -> String {
    match code {
        RvError::VendorDefined(number) | RvError::UnknownErrorCode(number) => {
            newer(number).map_or_else(|| format!("0x{number:08x}"), |(_, name, _)| name.to_owned())
        }
        named => format!("{named:?}").chars().fold(String::from("CKR"), |mut name, c| {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_uppercase());
            name
        }),
    }
}

/// Codes of PKCS#11 3.0 to 3.2 that cryptoki has no name for, and what they come to here.
const NEWER: [(u64, &str, RvError); 9] = [
    (0x0000_0200, "CKR_FUNCTION_REJECTED", RvError::FunctionRejected),
    (0x0000_0201, "CKR_TOKEN_RESOURCE_EXCEEDED", RvError::SessionCount),
    (0x0000_0202, "CKR_OPERATION_CANCEL_FAILED", RvError::OperationActive),
    (0x0000_0203, "CKR_KEY_EXHAUSTED", RvError::KeyFunctionNotPermitted),
    (0x0000_0204, "CKR_PENDING", RvError::OperationActive),
    (0x0000_0205, "CKR_SESSION_ASYNC_NOT_SUPPORTED", RvError::FunctionNotSupported),
    (0x0000_0207, "CKR_OPERATION_NOT_VALIDATED", RvError::MechanismInvalid),
    (0x0000_0208, "CKR_TOKEN_NOT_INITIALIZED", RvError::UserPinNotInitialized),
    (0x0000_0209, "CKR_PARAMETER_SET_NOT_SUPPORTED", RvError::MechanismParamInvalid),
];

#[allow(clippy::useless_conversion)] // CK_RV has 32 bits on some machines
fn newer(number: impl Into<u64>) -> Option<(u64, &'static str, RvError)> {
    let number = number.into();
    NEWER.into_iter().find(|(code, ..)| *code == number)
}

fn meaning(code: RvError) -> (&'static str, &'static str, &'static str) {
    match code {
        RvError::UnknownErrorCode(number) if newer(number).is_some() => {
            meaning(newer(number).map_or(RvError::GeneralError, |(.., like)| like))
        }
        RvError::DeviceRemoved
        | RvError::TokenNotPresent
        | RvError::SessionClosed
        | RvError::SessionHandleInvalid
        | RvError::SlotIdInvalid => (
            "token.removed",
            "the token is gone, or was taken out and put back",
            "put the token back and run again; the journal knows what was begun",
        ),
        RvError::TokenNotRecognized => (
            "token.unrecognised",
            "the module does not know this kind of token",
            "use the module that was made for this token",
        ),
        RvError::DeviceError | RvError::FunctionFailed | RvError::GeneralError => (
            "token.device",
            "the token or its module failed and does not say why",
            "check cable, reader and the module's own log, then run again; the journal knows what was begun",
        ),
        RvError::DeviceMemory => {
            ("token.full", "there is no room left on the token", "free room on the token, or use another one")
        }
        RvError::HostMemory => (
            "token.memory",
            "this computer has too little memory for the module",
            "free memory and run again",
        ),
        RvError::PinIncorrect => {
            ("token.pin-incorrect", "wrong PIN", "check which PIN belongs to this token")
        }
        RvError::PinLocked => (
            "token.pin-locked",
            "the PIN is locked after too many wrong tries",
            "have the security officer set a new PIN",
        ),
        RvError::PinExpired | RvError::NewPinMode | RvError::NextOtp | RvError::PinTooWeak => (
            "token.pin-expired",
            "the PIN has expired, or has to be another one first",
            "change the PIN with the token's own tool, then run again",
        ),
        RvError::PinLenRange | RvError::PinInvalid => {
            ("token.pin-length", "the token cannot have such a PIN", "check which PIN belongs to this token")
        }
        RvError::UserPinNotInitialized => (
            "token.pin-unset",
            "no user PIN was ever set on this token",
            "finish the token's initialisation with its own tool, then run again",
        ),
        RvError::UserNotLoggedIn => ("token.not-logged-in", "this needs a login", "run again with the PIN"),
        RvError::UserAnotherAlreadyLoggedIn
        | RvError::UserTooManyTypes
        | RvError::SessionReadWriteSoExists => (
            "token.other-user",
            "another kind of user, such as the security officer, is logged in",
            "end the other program that uses this token, then run again",
        ),
        RvError::SessionCount => (
            "token.sessions",
            "the token has no session left to give",
            "end other programs that use this token, then run again",
        ),
        RvError::TokenWriteProtected | RvError::SessionReadOnly | RvError::ActionProhibited => (
            "token.write-protected",
            "the token does not let this be written",
            "take off the write protection with the token's own tool",
        ),
        RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid => (
            "token.object-gone",
            "the key or object is no longer there",
            "see `anchorite token list`; has someone else changed the token?",
        ),
        RvError::KeyFunctionNotPermitted => (
            "token.not-permitted",
            "the key's attributes do not permit this use",
            "check the key with `anchorite token check`; a signing key needs CKA_SIGN",
        ),
        RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::CurveNotSupported
        | RvError::DomainParamsInvalid
        | RvError::KeySizeRange
        | RvError::KeyTypeInconsistent => (
            "token.mechanism",
            "the token cannot do this with such a key",
            "choose a kind of key that the token has",
        ),
        RvError::TemplateIncomplete
        | RvError::TemplateInconsistent
        | RvError::AttributeTypeInvalid
        | RvError::AttributeValueInvalid
        | RvError::AttributeReadOnly => (
            "token.template",
            "the token does not take these attributes together",
            "look for a newer version of the module",
        ),
        RvError::Cancel | RvError::FunctionCanceled | RvError::FunctionRejected => (
            "token.cancelled",
            "it was refused or cancelled at the token",
            "run again and confirm at the token",
        ),
        RvError::FunctionNotSupported => (
            "token.function",
            "the module does not have this function",
            "use another module, or another version of it",
        ),
        RvError::CryptokiNotInitialized | RvError::OperationActive | RvError::OperationNotInitialized => {
            ("token.state", "the module lost track of what is being done", "run again")
        }
        RvError::LibraryLoadFailed => (
            "token.module-invalid",
            "the module could not load a library of its own",
            "install what its handbook asks for",
        ),
        RvError::NeedToCreateThreads | RvError::CantLock | RvError::MutexBad | RvError::MutexNotLocked => (
            "token.failed",
            "the module does not work in a program with threads",
            "look for a newer version of the module; `sessions = 1` in anchorite.toml may help",
        ),
        RvError::ArgumentsBad
        | RvError::BufferTooSmall
        | RvError::DataInvalid
        | RvError::DataLenRange
        | RvError::FunctionNotParallel
        | RvError::SessionParallelNotSupported
        | RvError::UserTypeInvalid => (
            "token.failed",
            "the module does not take what it was asked, as the standard says that it may be asked",
            "look for a newer version of the module, and report it with the module's name and version",
        ),
        RvError::AttributeSensitive | RvError::InformationSensitive | RvError::KeyUnextractable => {
            ("token.failed", "the token keeps that to itself", "check the key with `anchorite token check`")
        }
        RvError::FipsSelfTestFailed => {
            ("token.self-test", "the token failed its own test", "do not use this token")
        }
        RvError::VendorDefined(_) | RvError::UnknownErrorCode(_) => {
            ("token.vendor", "a code of the vendor's own", "look it up in the token's handbook")
        }
        _ => ("token.failed", "the token refused", "look into the module's own log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: RvError) -> Error {
        explained(CryptokiError::Pkcs11(code, Function::SignInit))
    }

    #[test]
    fn the_function_and_the_code_are_named_as_the_standard_does() {
        let error = of(RvError::KeyFunctionNotPermitted);
        assert!(error.message.starts_with("C_SignInit: CKR_KEY_FUNCTION_NOT_PERMITTED ("), "{error}");
        assert_eq!((error.id, error.kind), ("token.not-permitted", crate::Kind::Token));
        assert!(of(RvError::VendorDefined(0x8000_0001)).message.contains("0x80000001"));
        assert_eq!(code_name(RvError::CantLock), "CKR_CANT_LOCK");
        let error = of(RvError::UnknownErrorCode(0x203));
        assert!(error.message.starts_with("C_SignInit: CKR_KEY_EXHAUSTED ("), "{error}");
        assert_eq!(error.id, "token.not-permitted");
        assert_eq!(of(RvError::UnknownErrorCode(0x7fff)).id, "token.vendor");
    }

    #[test]
    fn what_means_the_same_to_the_operator_has_one_id() {
        for code in [RvError::DeviceRemoved, RvError::SessionHandleInvalid, RvError::TokenNotPresent] {
            assert_eq!(of(code).id, "token.removed");
        }
        assert_eq!(of(RvError::DeviceMemory).id, "token.full");
        assert_eq!(of(RvError::PinExpired).id, "token.pin-expired");
        assert_eq!(of(RvError::CurveNotSupported).id, "token.mechanism");
        assert_eq!(of(RvError::DataInvalid).id, "token.failed");
    }

    #[test]
    fn every_error_says_what_to_do_next() {
        for code in [RvError::GeneralError, RvError::HostMemory, RvError::MutexBad, RvError::PinLocked] {
            assert!(!of(code).next.is_empty());
        }
        assert!(!explained(CryptokiError::NullFunctionPointer).next.is_empty());
        assert!(!explained(CryptokiError::InvalidValue).next.is_empty());
    }
}
