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

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod audit;
pub mod calendar;
pub mod cluster;
mod cores;
pub mod document;
pub mod error;
pub mod exported;
pub mod finding;
#[expect(clippy::disallowed_methods, reason = "the folder that holds a CA")]
pub mod home;
pub mod installed;
pub mod intake;
pub mod journal;
pub mod lint;
#[expect(clippy::disallowed_methods, reason = "the sticks")]
pub mod media;
pub mod perform;
pub mod plan;
pub mod policy;
pub mod release;
pub mod sshsig;
pub mod text;
pub mod token;
pub mod verify;
pub mod x509;

pub use error::{Error, Kind, Result};
