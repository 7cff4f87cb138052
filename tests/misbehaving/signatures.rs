//! C_Sign, and signatures that are not what was asked for.

use cryptoki_sys::*;

use crate::answers::length;
use crate::deed::Deed;
use crate::orders::{obey, unknown};
use crate::real;

/// Room for signatures that are too long: a token may want more than it needs.
const ROOM: CK_ULONG = 64;

/// Asked for the length alone, a token makes no signature; that is not counted.
///
/// # Safety
/// As PKCS#11 2.40 §5.11 has it.
pub unsafe extern "C" fn C_Sign(
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_length: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_length: CK_ULONG_PTR,
) -> CK_RV {
    let sign = || {
        // SAFETY: the arguments are passed on as the caller gave them.
        unsafe { real().C_Sign.expect("a function")(session, data, data_length, signature, signature_length) }
    };
    if signature.is_null() {
        let code = sign();
        // SAFETY: the caller's place for the length.
        unsafe { *signature_length += ROOM };
        return code;
    }
    obey("C_Sign", sign, |deed| {
        // SAFETY: the caller's buffer, which is `ROOM` larger than the signature in it,
        // and the bytes to be signed, as the real call was given them.
        unsafe {
            let made = &mut *signature_length;
            let buffer = std::slice::from_raw_parts_mut(signature, length(*made + ROOM));
            let message = std::slice::from_raw_parts_mut(data, length(data_length));
            spoilt(deed, session, message, buffer, made)
        }
    })
}

/// `flip` (one bit), `zero` (all of it), `cut N` and `grow N` (bytes at its end), `empty`,
/// and `other-key` (a good signature by a key made for it; ECDSA alone).
fn spoilt(
    deed: &Deed,
    session: CK_SESSION_HANDLE,
    message: &mut [u8],
    signature: &mut [u8],
    made: &mut CK_ULONG,
) -> CK_RV {
    match deed.word.as_str() {
        "flip" => signature[length(*made) / 2] ^= 1,
        "zero" => signature.fill(0),
        "cut" => *made -= deed.number(0),
        "grow" => *made += deed.number(0),
        "empty" => *made = 0,
        "other-key" => *made = ecdsa(session, new_key(session), message, signature),
        _ => return unknown(deed),
    }
    CKR_OK
}

fn ecdsa(
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
    message: &mut [u8],
    signature: &mut [u8],
) -> CK_ULONG {
    let mut mechanism =
        CK_MECHANISM { mechanism: CKM_ECDSA, pParameter: std::ptr::null_mut(), ulParameterLen: 0 };
    let mut made = signature.len() as CK_ULONG;
    // SAFETY: all of it is ours and outlives the calls; the session's last signature is done.
    unsafe {
        let code = real().C_SignInit.expect("a function")(session, &mut mechanism, key);
        assert_eq!(code, CKR_OK, "C_SignInit with another key");
        let (data, into) = (message.as_mut_ptr(), signature.as_mut_ptr());
        let code =
            real().C_Sign.expect("a function")(session, data, message.len() as CK_ULONG, into, &mut made);
        assert_eq!(code, CKR_OK, "C_Sign with another key");
    }
    made
}

/// A P-256 key that goes with the session.
fn new_key(session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let mut p256 = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let mut no = [CK_FALSE];
    let attribute = |type_, value: &mut [u8]| CK_ATTRIBUTE {
        type_,
        pValue: value.as_mut_ptr().cast(),
        ulValueLen: value.len() as CK_ULONG,
    };
    let mut public = [attribute(CKA_EC_PARAMS, &mut p256), attribute(CKA_TOKEN, &mut no)];
    let mut private = [attribute(CKA_TOKEN, &mut no)];
    let mut mechanism =
        CK_MECHANISM { mechanism: CKM_EC_KEY_PAIR_GEN, pParameter: std::ptr::null_mut(), ulParameterLen: 0 };
    let (mut public_key, mut private_key) = (0, 0);
    // SAFETY: templates and handles are ours and outlive the call.
    let code = unsafe {
        real().C_GenerateKeyPair.expect("a function")(
            session,
            &mut mechanism,
            public.as_mut_ptr(),
            public.len() as CK_ULONG,
            private.as_mut_ptr(),
            private.len() as CK_ULONG,
            &mut public_key,
            &mut private_key,
        )
    };
    assert_eq!(code, CKR_OK, "another key");
    private_key
}
