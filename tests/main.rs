//! One binary, grouped by capability: each module tries one promise for real.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod appliance;
mod cluster;
mod crash;
mod faults;
mod foreign_cms;
mod foreign_path;
mod generators;
mod main_path;
mod pki;
mod release;
mod restore;
mod support;
