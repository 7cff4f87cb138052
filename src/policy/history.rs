//! What the rules may know of the past.

use crate::error::Result;
use crate::x509::{Digest, Issued, Issuer, Serial};

/// Questions that the rules ask of the journal and of the requests decided
/// before this one in the same run. Answers are in the order of issue.
pub trait History {
    /// Everything ever certified for this key (SHA-256 of the SubjectPublicKeyInfo).
    fn by_key(&self, key: &Digest) -> Result<Vec<Issued>>;
    /// Everything ever certified under this subject (the Name's canonical form).
    fn by_subject(&self, subject: &[u8]) -> Result<Vec<Issued>>;
    /// Everything ever certified for this cluster.
    fn by_cluster(&self, cluster: &str) -> Result<Vec<Issued>>;
    /// Other roots that are trusted beside this CA's.
    fn companions(&self) -> Result<Vec<Issuer>>;
    /// Why the root may sign no certificate now, if it may not.
    fn forbids_signing(&self) -> Option<&'static str>;
    /// Whether this serial was ever used, burnt ones included.
    fn has_serial(&self, serial: &Serial) -> Result<bool>;
}
