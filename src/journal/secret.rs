//! What only the running session knows.
//!
//! An intent carries a commitment: the SHA-256 of a number. The line that gives the intent
//! back unsigned, or that says that its release went out, reveals the number, which a crash
//! takes along: so nobody can add such a line to what is left behind. The commitment itself
//! holds once a seal covers the intent; a release's at once, for it is among what is signed.

use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest as _, Sha256};

use crate::x509::Digest;

/// The secret from which the numbers of one session come.
#[derive(Debug)]
pub(super) struct SessionSecret(SecretBox<[u8; 32]>);

impl SessionSecret {
    pub fn new(entropy: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(entropy)))
    }

    /// The number behind an intent's commitment.
    pub fn number(&self, intent: u64) -> Digest {
        let hash = Sha256::new_with_prefix(self.0.expose_secret()).chain_update(intent.to_be_bytes());
        Digest(hash.finalize().into())
    }
}

/// What an intent carries of its number.
pub fn commitment(number: &Digest) -> Digest {
    Digest::of(&number.0)
}
