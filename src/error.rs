//! One error type for the whole house.
//!
//! An error says what was found and what was wanted (`message`), under a stable
//! `id`, and what to do next (`next`). The kind decides the exit code, so that
//! no caller chooses one by hand.

use std::fmt;

/// What went wrong, in the terms of the exit code it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Refused by policy or by a person, or something is open: exit 1.
    Refused,
    /// Usage, configuration, unreadable input or unwritable output: exit 2.
    Usage,
    /// The token, its module or its PIN: exit 3.
    Token,
    /// Journal or verification: stop the ceremony. Exit 4.
    Integrity,
    /// The operator interrupted: exit 130.
    Interrupted,
}

impl Kind {
    /// The process's exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Refused => 1,
            Kind::Usage => 2,
            Kind::Token => 3,
            Kind::Integrity => 4,
            Kind::Interrupted => 130,
        }
    }
}

/// An error with its evidence. Text from outside must go through
/// [`crate::text::shown`] before it is put in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// Stable, greppable, e.g. `media.private-key`.
    pub id: &'static str,
    /// File, field, what was found and what was wanted.
    pub message: String,
    /// What to do next; [`Error::next`] says better than the kind alone can.
    pub next: String,
}

/// Next steps where nothing better is known.
const LOOK_AT_TOKEN: &str = "`anchorite token list` shows what is there; look into the module's own log";
const STOP: &str = "stop the ceremony: find out what was changed, by whom, before anything is signed";

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(kind: Kind, id: &'static str, message: impl Into<String>) -> Self {
        let next = match kind {
            Kind::Token => LOOK_AT_TOKEN,
            Kind::Integrity => STOP,
            Kind::Interrupted => "run it again when ready; what was begun is on record",
            Kind::Refused | Kind::Usage => "",
        };
        Self { kind, id, message: message.into(), next: next.into() }
    }
    /// Exit 1.
    pub fn refused(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, id, message)
    }
    /// Exit 2.
    pub fn usage(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, id, message)
    }
    /// Exit 3.
    pub fn token(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Token, id, message)
    }
    /// Exit 4.
    pub fn integrity(id: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Integrity, id, message)
    }
    /// Exit 130.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted", "interrupted by the operator")
    }
    /// Adds the next step for the operator.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }
    /// Says where it happened: `place: message`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.id)
    }
}

impl std::error::Error for Error {}
