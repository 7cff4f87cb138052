//! One binary, grouped by capability: each module tries one promise for real.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::type_complexity)]

mod adopt;
mod again;
mod agree;
mod appliance;
mod bundles;
mod card_host;
mod card_itself;
mod cluster;
mod command_line;
mod companion;
mod conformance;
mod consumers;
mod crash;
mod defects;
mod drill;
mod errors;
mod faults;
mod foreign_cms;
mod foreign_crl;
mod foreign_path;
mod fuzz;
mod generators;
mod installed;
mod long_journal;
mod main_path;
mod mesh;
mod objects;
mod piv;
mod pki;
mod post_quantum;
mod precheck;
mod presigned;
mod readme;
mod release;
mod restore;
mod revocation;
mod rollover;
mod runbooks;
mod status;
mod structure;
mod support;
