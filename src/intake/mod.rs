//! Every form a request arrives in, and the proof that its sender holds the key.
//!
//! Pure: bytes in, [`Request`]s out. What the request *wishes* is kept apart as
//! [`Claims`]; nothing of it is granted here.

mod request;

pub use request::{BasicConstraintsClaim, Claims, Request};
