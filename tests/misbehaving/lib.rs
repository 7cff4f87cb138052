//! A PKCS#11 module that misbehaves on order. It stands before a real one, passes
//! every call on to it, and spoils those that it was told to spoil.
//!
//! `MISBEHAVING` names a folder, where lie
//!
//! ```text
//! module   the real module's path
//! orders   what to do at which call: see `orders`; read anew at every call
//! calls    written here: each call that begins and ends, each signature made
//! go       lets those go on that were ordered to wait
//! pad      the PIN, which is then typed at the token
//! child    written here: the number of a process that was left behind
//! ```
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // as in the tests
#![allow(non_snake_case, clippy::too_many_arguments)] // PKCS#11's names and signatures
#![allow(clippy::disallowed_methods)] // a test's tool: it lives by files and sleeps
#![allow(unsafe_code)] // the other side of a C interface: each block says by what right

mod answers;
mod deed;
mod orders;
mod signatures;

use std::path::PathBuf;
use std::sync::OnceLock;

use cryptoki_sys::{CK_C_GetFunctionList, CK_FUNCTION_LIST, CK_FUNCTION_LIST_PTR_PTR, CK_RV};
use libloading::Library;

/// The real module, loaded once and never closed.
struct Real {
    _library: Library,
    functions: CK_FUNCTION_LIST,
}

fn folder() -> PathBuf {
    std::env::var_os("MISBEHAVING").expect("MISBEHAVING names a folder").into()
}

/// The real module's functions.
fn real() -> &'static CK_FUNCTION_LIST {
    static REAL: OnceLock<Real> = OnceLock::new();
    &REAL.get_or_init(load).functions
}

fn load() -> Real {
    let path = std::fs::read_to_string(folder().join("module")).expect("`module` names the real module");
    let mut list = std::ptr::null_mut();
    // SAFETY: the file is a PKCS#11 module, whose entry point has this type and gives
    // a list that stays as long as the library, which is never closed.
    unsafe {
        let library = Library::new(path.trim()).expect("the real module can be loaded");
        let entry: CK_C_GetFunctionList = *library.get(b"C_GetFunctionList").expect("it has its entry point");
        let code = entry.expect("a function")(&mut list);
        assert_eq!(code, cryptoki_sys::CKR_OK, "the real module's C_GetFunctionList");
        Real { _library: library, functions: *list }
    }
}

/// The entry point: the real module's functions, ours in place of some.
///
/// # Safety
/// As PKCS#11 2.40 §5.4 has it: `list` takes a pointer.
// SAFETY: no other C_GetFunctionList is linked into this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) -> CK_RV {
    static OURS: OnceLock<CK_FUNCTION_LIST> = OnceLock::new();
    let ours = OURS.get_or_init(|| {
        let mut functions = *real();
        functions.C_GetFunctionList = Some(C_GetFunctionList);
        functions.C_Sign = Some(signatures::C_Sign);
        functions.C_Login = Some(answers::C_Login);
        answers::replace(&mut functions);
        functions
    });
    // SAFETY: the caller gives a place for the pointer; nobody writes through it.
    unsafe { *list = std::ptr::from_ref(ours).cast_mut() };
    cryptoki_sys::CKR_OK
}
