//! One binary, grouped by capability: each module tries one promise for real.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod generators;
mod support;
