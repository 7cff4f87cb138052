//! Calls into the crate `yubikey`, which indexes a card's answers without looking at
//! their length: a card that answers too little makes it panic. Here that is an error
//! like any other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// Why a call came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The crate's own word for it.
    Told(yubikey::Error),
    /// An answer that the crate fell over.
    Unreadable,
}

/// What became of a call.
pub(super) type Answer<T> = Result<T, Fault>;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}
static HOOK: Once = Once::new();

/// Makes a call. What it leaves behind is asked for anew by the next one, so that a
/// call that was unwound leaves nothing half done here.
pub(super) fn guarded<T>(call: impl FnOnce() -> yubikey::Result<T>) -> Answer<T> {
    // A panic that is caught here is told as an error, and by nobody else.
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(false);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Fault::Told(error)),
        Err(_) => Err(Fault::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_fault_and_the_next_call_goes_on() {
        let answer: Vec<u8> = Vec::new();
        assert_eq!(guarded(|| Ok(answer[0])), Err(Fault::Unreadable));
        assert_eq!(
            guarded(|| Err::<(), _>(yubikey::Error::NotFound)),
            Err(Fault::Told(yubikey::Error::NotFound))
        );
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
