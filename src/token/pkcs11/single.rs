//! One signature by a key that wants its own login for each.
//!
//! CKA_ALWAYS_AUTHENTICATE means C_SignInit, C_Login as CKU_CONTEXT_SPECIFIC, C_Sign,
//! in this order (PKCS#11 2.40 §4.9 and §5.6). cryptoki's C_Sign brings a C_SignInit of
//! its own along, and C_SignUpdate, which it has apart, many tokens do not offer for
//! ECDSA. So C_Sign itself is taken from the module's list of functions: the only
//! unsafe code in this program.

use std::path::Path;

use cryptoki::context::Function;
use cryptoki::error::{Error as CryptokiError, Result, Rv, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki_sys::{CK_BYTE_PTR, CK_FUNCTION_LIST, CK_RV, CK_SESSION_HANDLE, CK_ULONG, CK_ULONG_PTR, CKR_OK};
use libloading::Library;
use secrecy::SecretString;

/// Room for any signature: ML-DSA-87's have 4,627 bytes. A call that only asks for
/// the length would be one call too many for some tokens after the login.
const LONGEST: usize = 8192;

type GetFunctionList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
type CSign =
    unsafe extern "C" fn(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR) -> CK_RV;

/// The C_Sign of a module that is in use.
#[derive(Debug)]
pub(super) struct SinglePart {
    c_sign: CSign,
    /// Keeps `c_sign` where it is.
    _library: Library,
}

impl SinglePart {
    /// From the file that the module was loaded from: the dynamic linker gives the
    /// library that is there already.
    #[expect(unsafe_code, reason = "FFI, see each block")]
    pub(super) fn of(file: &Path) -> Result<Self> {
        // SAFETY: cryptoki loaded this very file, whose constructors have run.
        let library = unsafe { Library::new(file) }.map_err(CryptokiError::LibraryLoading)?;
        let mut list = std::ptr::null_mut();
        // SAFETY: PKCS#11 2.40 §5.4 gives C_GetFunctionList this type; the pointer it
        // writes is the module's own and lives as long as the library.
        let list = unsafe {
            let get = library.get::<GetFunctionList>(b"C_GetFunctionList\0");
            let code = get.map_err(CryptokiError::LibraryLoading)?(&raw mut list);
            if code == CKR_OK { list.as_ref() } else { None }
        };
        let c_sign = list.and_then(|list| list.C_Sign).ok_or(CryptokiError::NullFunctionPointer)?;
        Ok(Self { c_sign, _library: library })
    }

    /// Signs with the PIN; without one where it is typed at the token.
    pub(super) fn sign(
        &self,
        session: &Session,
        pin: Option<&SecretString>,
        tell: fn(&str),
        mechanism: &Mechanism<'_>,
        key: ObjectHandle,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        session.sign_init(mechanism, key)?;
        if pin.is_none() {
            tell("enter the PIN at the token once more: the key wants it for each signature");
        }
        match session.login(UserType::ContextSpecific, pin) {
            // A token that does not keep its word: the key wants no login of its own.
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::OperationNotInitialized, _)) => {}
            Err(e) => return Err(e),
        }
        self.c_sign(session, data)
    }

    #[expect(unsafe_code, reason = "FFI, see the block")]
    fn c_sign(&self, session: &Session, data: &[u8]) -> Result<Vec<u8>> {
        let mut data = data.to_vec(); // the standard's pointer is not const
        let mut signature = vec![0; LONGEST];
        let mut length = CK_ULONG::try_from(signature.len())?;
        // SAFETY: both buffers are ours, with their lengths, and outlive the call; the
        // session is open, for it is borrowed.
        let code = unsafe {
            (self.c_sign)(
                session.handle(),
                data.as_mut_ptr(),
                CK_ULONG::try_from(data.len())?,
                signature.as_mut_ptr(),
                &raw mut length,
            )
        };
        Rv::from(code).into_result(Function::Sign)?;
        let length = usize::try_from(length)?;
        signature.truncate(length);
        Ok(signature)
    }
}
