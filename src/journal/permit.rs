//! Permission to touch a key: made only by the journal once the intent is on
//! disk, consumed by the token. Neither can be cloned, so none can be used twice.

use crate::x509::{KeyAlgorithm, SignatureAlgorithm};

/// Which of the two keys of a CA home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// The root's key.
    Root,
    /// The key that seals the journal and signs releases.
    Journal,
}

/// Permission for one signature over exactly these bytes.
///
/// ```compile_fail,E0451
/// # use anchorite::journal::{KeyRole, Permit};
/// # use anchorite::x509::SignatureAlgorithm::EcdsaSha256;
/// Permit { intent: 0, role: KeyRole::Root, algorithm: EcdsaSha256, message: vec![] };
/// ```
///
/// ```compile_fail,E0599
/// # use anchorite::journal::Permit;
/// fn twice(permit: Permit) -> (Permit, Permit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    pub(in crate::journal) intent: u64,
    pub(in crate::journal) role: KeyRole,
    pub(in crate::journal) algorithm: SignatureAlgorithm,
    pub(in crate::journal) message: Vec<u8>,
}

impl Permit {
    /// The intent's number in the journal.
    pub fn intent(&self) -> u64 {
        self.intent
    }
    /// The key to sign with.
    pub fn role(&self) -> KeyRole {
        self.role
    }
    /// The algorithm to sign with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
    /// The bytes to sign (before hashing).
    pub fn message(&self) -> &[u8] {
        &self.message
    }
}

/// Permission to generate one key pair with this label and CKA_ID.
///
/// ```compile_fail,E0451
/// # use anchorite::journal::{KeyPermit, KeyRole};
/// # use anchorite::x509::KeyAlgorithm::P256;
/// KeyPermit { intent: 0, role: KeyRole::Root, algorithm: P256, label: String::new(), id: vec![] };
/// ```
///
/// ```compile_fail,E0599
/// # use anchorite::journal::KeyPermit;
/// fn twice(permit: KeyPermit) -> (KeyPermit, KeyPermit) {
///     (permit.clone(), permit)
/// }
/// ```
#[derive(Debug)]
pub struct KeyPermit {
    pub(in crate::journal) intent: u64,
    pub(in crate::journal) role: KeyRole,
    pub(in crate::journal) algorithm: KeyAlgorithm,
    pub(in crate::journal) label: String,
    pub(in crate::journal) id: Vec<u8>,
    pub(in crate::journal) again: bool,
}

impl KeyPermit {
    /// The intent's number in the journal.
    pub fn intent(&self) -> u64 {
        self.intent
    }
    /// Which key of the home it is to be.
    pub fn role(&self) -> KeyRole {
        self.role
    }
    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }
    /// CKA_LABEL
    pub fn label(&self) -> &str {
        &self.label
    }
    /// CKA_ID
    pub fn id(&self) -> &[u8] {
        &self.id
    }
    /// Whether an earlier run was broken off while it generated this very pair:
    /// half of it may be in the token.
    pub fn again(&self) -> bool {
        self.again
    }
}

/// Permits without a journal, for the tests of what takes them.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Permission to sign `message`.
    pub(crate) fn permit(role: KeyRole, algorithm: SignatureAlgorithm, message: &[u8]) -> Permit {
        Permit { intent: 0, role, algorithm, message: message.to_vec() }
    }

    /// Permission to generate a key pair.
    pub(crate) fn key_permit(role: KeyRole, algorithm: KeyAlgorithm, label: &str, id: &[u8]) -> KeyPermit {
        KeyPermit { intent: 0, role, algorithm, label: label.to_owned(), id: id.to_vec(), again: false }
    }
}
