//! The cluster's side: a key, its request and its empty CRL on the way out, the signed bundle
//! joined with the key on the way back. The key never leaves the cluster.
//!
//! Pure but for the randomness that a new key and a signature take.

pub mod assemble;
mod crl;
pub mod fleet;
pub mod key;
mod pair;
pub mod request;
mod secret;

pub use assemble::{AssembleOptions, Joined, OutFile, assemble};
pub use crl::make_crl;
pub use key::{KeyForm, PrivateKey};
pub use request::{make_key, make_request};
