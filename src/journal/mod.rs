//! The tamper-evident journal: on record before it exists.

mod permit;

#[cfg(test)]
pub(crate) use permit::testing;
pub use permit::{KeyPermit, KeyRole, Permit};
