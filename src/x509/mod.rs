//! Names, serials, keys, time, certificates, CRLs: what RFC 5280 calls things.
//!
//! Pure: bytes and numbers in, bytes and values out. Depends on nothing else
//! of the house but the error and text helpers.

pub mod certificate;
pub mod crl;
pub mod digest;
pub mod issued;
pub mod issuer;
pub mod key;
pub mod name;
pub mod pem;
pub mod remembered;
pub mod serial;
pub mod signature;
pub mod time;

pub use certificate::{CertificateSpec, Tbs};
pub use crl::{CrlSpec, Reason, Revocation};
pub use digest::Digest;
pub use issued::{Issued, OwnCrl, Status};
pub use issuer::Issuer;
pub use key::{KeyAlgorithm, PublicKey};
pub use name::Name;
pub use remembered::Remembered;
pub use serial::Serial;
pub use signature::SignatureAlgorithm;
pub use time::{Seconds, Time};
