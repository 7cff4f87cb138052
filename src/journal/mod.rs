//! The tamper-evident journal: on record before it exists.

mod permit;

pub use permit::{KeyPermit, KeyRole, Permit};
