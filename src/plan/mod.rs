//! The plan: the unit of consent.
//!
//! A plan file carries everything that is to be signed, down to the exact
//! to-be-signed bytes, and the requests that these answer. What people read is
//! rendered from those bytes ([`review`]); what they approve is the file's
//! digest; what the token signs is those bytes. Pure.

mod again;
mod course;
mod file;
mod later;
mod make;
mod repeat;
pub mod review;
mod revocation;
#[cfg(test)]
mod tests;

pub use course::{Step, bundle_digest, check_bundle, check_roots_stay, prepare_cross};
pub use file::{Cross, Item, LaterCrl, Measured, Plan, Refused, RefusedBy, SignedFile};
pub use later::Later;
pub use make::{Frame, Prepared, decide, empty, make, prepare, prepare_made};
pub use repeat::Repeat;
pub use revocation::{Beside, Crl, Revoking, falls_short, prepare_revocations};
