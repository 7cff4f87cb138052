//! The functions that can be made to fail, and answers that are not true.

use cryptoki_sys::*;

use crate::deed::Deed;
use crate::orders::{obey, unknown};
use crate::{folder, real};

/// Functions of ours that pass on to the real ones. What spoils an answer gets the
/// deed and the call's arguments.
macro_rules! replaced {
    ($($name:ident($($argument:ident: $type:ty),*) $(spoilt by $spoils:ident)?;)*) => {
        $(unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            // SAFETY: the arguments are passed on as the caller gave them.
            let real = || unsafe { real().$name.map_or(CKR_FUNCTION_NOT_SUPPORTED, |f| f($($argument),*)) };
            obey(stringify!($name), real, |deed| replaced!(@ deed ($($argument),*) $($spoils)?))
        })*

        pub fn replace(functions: &mut CK_FUNCTION_LIST) {
            $(functions.$name = Some($name);)*
        }
    };
    (@ $deed:ident ($($argument:ident),*)) => { unknown($deed) };
    (@ $deed:ident ($($argument:ident),*) $spoils:ident) => { $spoils($deed, $($argument),*) };
}

#[rustfmt::skip]
replaced! {
    C_Initialize(arguments: CK_VOID_PTR);
    C_GetSlotList(present: CK_BBOOL, slots: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) spoilt by no_slots;
    C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) spoilt by other_token;
    C_OpenSession(
        slot: CK_SLOT_ID, flags: CK_FLAGS, application: CK_VOID_PTR, notify: CK_NOTIFY,
        session: CK_SESSION_HANDLE_PTR
    );
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG);
    C_GetAttributeValue(
        session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG
    ) spoilt by untrue_attribute;
    C_CreateObject(
        session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, object: CK_OBJECT_HANDLE_PTR
    );
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE);
    C_GenerateKeyPair(
        session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
        public: CK_ATTRIBUTE_PTR, publics: CK_ULONG, private: CK_ATTRIBUTE_PTR, privates: CK_ULONG,
        public_key: CK_OBJECT_HANDLE_PTR, private_key: CK_OBJECT_HANDLE_PTR
    ) spoilt by another_public_key;
    C_GenerateRandom(session: CK_SESSION_HANDLE, bytes: CK_BYTE_PTR, length: CK_ULONG) spoilt by the_same_bytes;
}

/// `none`: no reader holds a token.
fn no_slots(deed: &Deed, _: CK_BBOOL, _: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) -> CK_RV {
    match deed.word.as_str() {
        // SAFETY: the real call was given the same place for the number.
        "none" => unsafe { *count = 0 },
        _ => return unknown(deed),
    }
    CKR_OK
}

/// `flags N`: these are set as well. `label B…` and `serial B…`: these bytes, and NULs
/// where the standard wants blanks.
fn other_token(deed: &Deed, _: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) -> CK_RV {
    // SAFETY: the real call has just filled it in.
    let info = unsafe { &mut *info };
    match deed.word.as_str() {
        "flags" => info.flags |= deed.number(0),
        "label" => fill(&mut info.label, deed),
        "serial" => fill(&mut info.serialNumber, deed),
        _ => return unknown(deed),
    }
    CKR_OK
}

fn fill(field: &mut [u8], deed: &Deed) {
    field.fill(0);
    let bytes = deed.bytes().into_iter();
    field.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
}

/// Where a file `pad` holds the PIN, it is typed at a PIN pad: the caller gives none.
///
/// # Safety
/// As PKCS#11 2.40 §5.6 has it.
pub unsafe extern "C" fn C_Login(
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: CK_UTF8CHAR_PTR,
    length: CK_ULONG,
) -> CK_RV {
    let login = || {
        let login = real().C_Login.expect("a function");
        match std::fs::read(folder().join("pad")) {
            // SAFETY: the buffer is ours and outlives the call.
            Ok(mut typed) if pin.is_null() => unsafe {
                login(session, user, typed.as_mut_ptr(), typed.len() as CK_ULONG)
            },
            Ok(_) => CKR_ARGUMENTS_BAD,
            // SAFETY: the arguments are passed on as the caller gave them.
            Err(_) => unsafe { login(session, user, pin, length) },
        }
    };
    obey("C_Login", login, unknown)
}

/// `attribute TYPE VALUE`: this truth value, of whichever object; `untold TYPE`: it is not given.
fn untrue_attribute(
    deed: &Deed,
    _: CK_SESSION_HANDLE,
    _: CK_OBJECT_HANDLE,
    template: CK_ATTRIBUTE_PTR,
    count: CK_ULONG,
) -> CK_RV {
    // SAFETY: the caller's template, which the real call has just filled in.
    let template = unsafe { std::slice::from_raw_parts_mut(template, length(count)) };
    for attribute in template.iter_mut().filter(|a| a.type_ == deed.number(0)) {
        match deed.word.as_str() {
            "attribute" if attribute.ulValueLen == 1 && !attribute.pValue.is_null() => {
                // SAFETY: one byte was just written there.
                unsafe { *attribute.pValue.cast() = u8::try_from(deed.number(1)).expect("0 or 1") }
            }
            "untold" => attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION,
            _ => return unknown(deed),
        }
    }
    CKR_OK
}

/// `mismatch`: a second pair is made the same way, and its public key takes the place
/// of the first one's, under the same label and CKA_ID.
fn another_public_key(
    deed: &Deed,
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    public: CK_ATTRIBUTE_PTR,
    publics: CK_ULONG,
    private: CK_ATTRIBUTE_PTR,
    privates: CK_ULONG,
    public_key: CK_OBJECT_HANDLE_PTR,
    _: CK_OBJECT_HANDLE_PTR,
) -> CK_RV {
    if deed.word != "mismatch" {
        return unknown(deed);
    }
    let mut other = 0;
    let (generate, destroy) = (real().C_GenerateKeyPair, real().C_DestroyObject);
    // SAFETY: the arguments of the call that has just gone well, and handles it gave.
    unsafe {
        let first = *public_key;
        let code = generate.expect("as before")(
            session, mechanism, public, publics, private, privates, public_key, &mut other,
        );
        assert_eq!(code, CKR_OK, "the second pair");
        for gone in [first, other] {
            assert_eq!(destroy.expect("a function")(session, gone), CKR_OK, "half a pair");
        }
    }
    CKR_OK
}

/// `constant`: zeros are all the randomness there is.
fn the_same_bytes(deed: &Deed, _: CK_SESSION_HANDLE, bytes: CK_BYTE_PTR, count: CK_ULONG) -> CK_RV {
    match deed.word.as_str() {
        // SAFETY: the real call has just filled as many bytes.
        "constant" => unsafe { std::slice::from_raw_parts_mut(bytes, length(count)).fill(0) },
        _ => return unknown(deed),
    }
    CKR_OK
}

pub fn length(count: CK_ULONG) -> usize {
    usize::try_from(count).expect("it fits into memory")
}
