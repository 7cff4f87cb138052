//! anchorite: an offline root CA.
//!
//! The way of the data, each arrow a type that the next step demands:
//!
//! ```text
//! stick -> media -> intake -> policy -> plan -> lint -> perform -> verify -> release -> stick
//!          bytes    Request   Grant     Tbs     Linted  Permit     Verified  files
//! ```
//!
//! Everything but `media`, `home`, `token` and the journal's file is pure:
//! clock, randomness and bytes are arguments.

pub mod error;
pub mod finding;
pub mod intake;
pub mod journal;
pub mod media;
pub mod policy;
pub mod text;
pub mod token;
pub mod x509;

pub use error::{Error, Kind, Result};
