//! What lies beneath a ledger that does not hold the whole journal in memory. Pure.

use std::collections::HashMap;

use crate::error::Result;
use crate::x509::Digest;

/// Finds what was on record when the index was made.
pub trait Past: std::fmt::Debug + Send + Sync {
    /// The value (JSON) under a [`key`].
    fn get(&self, key: &Digest) -> Result<Option<String>>;
    /// The values of many keys, of those that there are: what several lie in is read once.
    fn get_all(&self, keys: &[Digest]) -> Result<HashMap<Digest, String>>;
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A certificate by its serial number: an `Issued`.
    Serial,
    /// Certificates by the SHA-256 of their key: serials in order of issue.
    Key,
    /// Certificates by their subject's canonical form: as above.
    Subject,
    /// Certificates by their cluster: as above.
    Cluster,
    /// Clusters' certificates by the week in which they end, some at a time: as above.
    Week,
    /// A released plan by its SHA-256: `true`.
    Plan,
    /// A head that a seal left behind: the number of lines.
    Head,
}

/// Where it is found: all kinds lie in one table, spread evenly by this hash.
pub fn key(kind: Kind, what: &[u8]) -> Digest {
    let name = match kind {
        Kind::Serial => "serial",
        Kind::Key => "key",
        Kind::Subject => "subject",
        Kind::Cluster => "cluster",
        Kind::Week => "week",
        Kind::Plan => "plan",
        Kind::Head => "head",
    };
    Digest::of(&[name.as_bytes(), &[0], what].concat())
}
