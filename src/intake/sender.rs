//! Who sent a file: the SSH signature beside it.

use serde::{Deserialize, Serialize};

use super::{Arrival, pem};
use crate::finding::{Finding, Outcome};
use crate::sshsig::{self, PublicKey};

/// What `ssh-keygen -Y sign -n` is told, so that no signature made for another purpose counts.
pub const NAMESPACE: &str = "anchorite-request";
/// What the signature of a file is called after the file's own name.
pub const SUFFIX: &str = ".sig";

const LABEL: &str = "SSH SIGNATURE";

/// The key that signed the file a request came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// As it stands in the signature; whose it is, the register knows.
    pub key: PublicKey,
    /// The signature's file, fit for a terminal.
    pub file: String,
}

impl Sender {
    /// The key as people compare it.
    pub fn who(&self) -> String {
        format!("{} {}", self.key.kind(), self.key.fingerprint())
    }
}

/// Whether these bytes are an SSH signature, and nothing else.
pub fn is_signature(bytes: &[u8]) -> bool {
    let blocks = pem::blocks(bytes).unwrap_or_default();
    matches!(blocks.as_slice(), [only] if only.label == LABEL)
}

/// Attributes what a file held to the sender whose signature `signature` is, in a file of the
/// name `file`. One that does not hold is a refusing finding of each request.
pub fn attribute(arrivals: &mut [Arrival], file: &str, signature: &[u8], message: &[u8]) {
    let verified = armoured(signature).and_then(|blob| sshsig::verify(&blob, NAMESPACE, message));
    for arrival in arrivals {
        let Arrival::Request(request) = arrival else { continue };
        match &verified {
            Ok(key) => request.sender = Some(Sender { key: key.clone(), file: file.into() }),
            Err(why) => request.findings.push(bad(file, why)),
        }
    }
}

fn armoured(signature: &[u8]) -> Result<Vec<u8>, String> {
    let blocks = pem::blocks(signature).unwrap_or_default();
    match blocks.into_iter().next() {
        Some(block) if block.label == LABEL => block.body,
        _ => Err("it is none".into()),
    }
}

/// Rule `sender.signature`: a signature beside a request holds.
fn bad(file: &str, why: &str) -> Finding {
    Finding::new(
        "sender.signature",
        Outcome::Refused,
        "OpenSSH PROTOCOL.sshsig",
        format!(
            "the signature {file} cannot be relied on: {why}; have the sender sign the file as it lies here: \
             `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`"
        ),
        why,
        "an SSH signature over the file's bytes, made for this purpose",
    )
}
