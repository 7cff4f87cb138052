//! What is signed is taken apart again, and each defect is refused by its name.

mod adoption;
pub(crate) mod attestation;
mod certificate;
mod crl;
mod describe;
mod journal;
mod path;
mod post_quantum;
mod structure;
