//! Loading a PKCS#11 module: a shared object with C_GetFunctionList.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11 as Cryptoki};
use cryptoki::error::{Error as CryptokiError, RvError};

use super::ModuleUse;
use super::errors::explained;
use crate::error::{Error, Result};
use crate::text::shown;
use crate::x509::Digest;

/// A loaded and initialised module. C_Initialize holds for a whole process, so
/// all users of one file share it, and the last one to go calls C_Finalize.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) cryptoki: Cryptoki,
    pub(super) file: PathBuf,
}

struct Loaded {
    file: PathBuf,
    cryptoki: Cryptoki,
    users: usize,
    /// Whether C_Initialize was ours; who did not initialise does not finalise.
    ours: bool,
}

static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

fn loaded() -> MutexGuard<'static, Vec<Loaded>> {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Module {
    /// Loads the module, whose file must have the digest where one is given.
    pub(super) fn load(how: &ModuleUse) -> Result<Self> {
        let file = existing(&how.file)?;
        if let Some(wanted) = &how.sha256 {
            compare_digest(&file, wanted)?;
        }
        let mut loaded = loaded();
        if let Some(known) = loaded.iter_mut().find(|known| known.file == file) {
            known.users += 1;
            return Ok(Self { cryptoki: known.cryptoki.clone(), file });
        }
        // absolute, or the dynamic linker would look for a bare name elsewhere
        let cryptoki = Cryptoki::new(&file).map_err(|e| not_a_module(&file, e))?;
        let ours = match initialize(&cryptoki, how.args.as_deref()) {
            Ok(()) => true,
            Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => false,
            Err(CryptokiError::Pkcs11(RvError::ArgumentsBad, _)) => return Err(other_args(&file, how)),
            Err(e) => return Err(cannot_start(&file, e)),
        };
        loaded.push(Loaded { file: file.clone(), cryptoki: cryptoki.clone(), users: 1, ours });
        Ok(Self { cryptoki, file })
    }
}

/// C_Initialize. Its reserved field is where some modules want to be told, as a string
/// that ends with NUL, where their keys are.
#[expect(unsafe_code, reason = "a pointer to a string, see the block")]
fn initialize(cryptoki: &Cryptoki, args: Option<&str>) -> cryptoki::error::Result<()> {
    let flags = CInitializeFlags::OS_LOCKING_OK;
    let Some(args) = args else { return cryptoki.initialize(CInitializeArgs::new(flags)) };
    let text = CString::new(args).map_err(|_| CryptokiError::InvalidValue)?;
    let pointer = NonNull::from(text.as_c_str()).cast();
    // SAFETY: the string is ours, ends with NUL, and outlives the call.
    cryptoki.initialize(unsafe { CInitializeArgs::new_with_reserved(flags, pointer) })
}

/// A module that stays loaded while this is there: who opens a token of it does not wait.
#[derive(Debug)]
pub struct Ready(#[expect(dead_code, reason = "it is there to be there")] Module);

impl Ready {
    /// Loads it.
    pub fn load(how: &ModuleUse) -> Result<Self> {
        Module::load(how).map(Self)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let mut loaded = loaded();
        let Some(place) = loaded.iter().position(|known| known.file == self.file) else { return };
        if let Some(known) = loaded.get_mut(place).filter(|known| known.users > 1) {
            known.users -= 1;
            return;
        }
        let last = loaded.swap_remove(place);
        if last.ours {
            // nothing is left to be done about a failure at this point
            let _ = last.cryptoki.finalize();
        }
    }
}

fn existing(path: &Path) -> Result<PathBuf> {
    let missing = |e: std::io::Error| {
        Error::token("token.module-missing", format!("PKCS#11 module {}: {e}", display(path)))
            .next("give the path with --module or in anchorite.toml; SoftHSM's is printed by softhsm/module")
    };
    let file = path.canonicalize().map_err(missing)?;
    if file.metadata().map_err(missing)?.is_file() {
        Ok(file)
    } else {
        Err(invalid(path, "not a regular file"))
    }
}

fn compare_digest(file: &Path, wanted: &Digest) -> Result<()> {
    let bytes = std::fs::read(file).map_err(|e| invalid(file, &e.to_string()))?;
    let found = Digest::of(&bytes);
    if found == *wanted {
        return Ok(());
    }
    let message =
        format!("PKCS#11 module {}: its SHA-256 is {found}, the configuration wants {wanted}", display(file));
    Err(Error::token("token.module-hash", message)
        .next("find out who changed the module; pin the new digest only if the update was meant"))
}

fn not_a_module(file: &Path, error: CryptokiError) -> Error {
    match error {
        CryptokiError::LibraryLoading(e) => invalid(file, &format!("it cannot be loaded: {e}")),
        CryptokiError::MissingSymbol(name) => invalid(file, &format!("a library, but without {name}")),
        other => cannot_start(file, other),
    }
}

fn invalid(path: &Path, why: &str) -> Error {
    Error::token("token.module-invalid", format!("PKCS#11 module {}: {}", display(path), shown(why)))
        .next("give the path of a PKCS#11 module built for this machine")
}

fn other_args(file: &Path, how: &ModuleUse) -> Error {
    let found = if how.args.is_some() { "does not take its module-args" } else { "wants module-args" };
    Error::token("token.module-args", format!("PKCS#11 module {}: {found}", display(file))).next(
        "its handbook says what it wants to be told; set module-args beside module, or give --module-args",
    )
}

fn cannot_start(file: &Path, error: CryptokiError) -> Error {
    let error = explained(error).at(format!("PKCS#11 module {} does not start", display(file)));
    match error.id {
        "token.device" => error.next(
            "see that its own configuration and its environment are right (SoftHSM: SOFTHSM2_CONF), and its device plugged in; then run again",
        ),
        _ => error,
    }
}

fn display(path: &Path) -> String {
    shown(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> Error {
        Module::load(&ModuleUse::of(path)).unwrap_err()
    }

    #[test]
    fn what_is_not_a_module_is_named_so() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("module.so");
        std::fs::write(&text, "not a module\n").unwrap();
        assert_eq!(refused(&folder.path().join("none.so")).id, "token.module-missing");
        assert_eq!(refused(folder.path()).id, "token.module-invalid");
        let error = refused(&text);
        assert_eq!(error.id, "token.module-invalid");
        assert!(error.message.contains("cannot be loaded"), "{error}");
    }

    #[test]
    fn a_library_without_the_entry_point_is_refused() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let libc = maps.split_whitespace().find(|word| word.contains("/libc.so.6")).unwrap();
        let error = refused(Path::new(libc));
        assert_eq!(error.id, "token.module-invalid");
        assert!(error.message.contains("C_GetFunctionList"), "{error}");
    }

    #[test]
    fn a_module_with_another_digest_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("module.so");
        std::fs::write(&file, "bytes").unwrap();
        let load = |digest| Module::load(&ModuleUse { sha256: Some(digest), ..ModuleUse::of(&file) });
        let error = load(Digest::of(b"other")).unwrap_err();
        assert_eq!(error.id, "token.module-hash");
        // the right digest lets it through to the next check
        let error = load(Digest::of(b"bytes")).unwrap_err();
        assert_eq!(error.id, "token.module-invalid");
    }
}
