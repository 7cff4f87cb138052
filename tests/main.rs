//! One binary, grouped by capability: each module tries one promise for real.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cluster;
mod foreign_cms;
mod foreign_path;
mod generators;
mod pki;
mod release;
mod support;
