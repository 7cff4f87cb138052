//! Who sent a file: the SSH signature beside it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Arrival;
use crate::finding::{Finding, Outcome};
use crate::sshsig::{self, PublicKey};
use crate::text::unbase64;

/// What `ssh-keygen -Y sign -n` is told, so that no signature made for another purpose counts.
pub const NAMESPACE: &str = "anchorite-request";
/// What the signature of a file is called after the file's own name.
pub const SUFFIX: &str = ".sig";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The key that signed the file a request came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// As it stands in the signature; whose it is, the register knows.
    pub key: PublicKey,
    /// The signature's file, fit for a terminal.
    pub file: String,
}

/// A file and the signature beside it, so that the one can be held against the other again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The signed file, fit for a terminal.
    pub file: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// The bytes of the signature's file.
    pub signature: Vec<u8>,
}

impl Sender {
    /// The key as people compare it.
    pub fn who(&self) -> String {
        format!("{} {}", self.key.kind(), self.key.fingerprint())
    }
}

/// Whether these bytes are an SSH signature, and nothing else.
pub fn is_signature(bytes: &[u8]) -> bool {
    armoured(bytes).is_some()
}

/// Attributes what the file of the name `file` held to the sender whose signature lies beside
/// it. Whatever lies there and does not hold is a refusing finding of each request.
pub fn attribute(arrivals: &mut [Arrival], file: &str, signature: &[u8], content: &[u8]) {
    let blob = armoured(signature).ok_or_else(|| "it is not one SSH signature and nothing else".into());
    let verified = blob.and_then(|blob| sshsig::verify(&blob, NAMESPACE, content));
    let beside = format!("{file}{SUFFIX}");
    let signed = verified.is_ok().then(|| {
        Arc::new(Signed { file: file.into(), content: content.into(), signature: signature.into() })
    });
    for arrival in arrivals {
        let Arrival::Request(request) = arrival else { continue };
        match &verified {
            Ok(key) => {
                request.sender = Some(Sender { key: key.clone(), file: beside.clone() });
                request.signed.clone_from(&signed);
            }
            Err(why) => request.findings.push(bad(&beside, why)),
        }
    }
}

/// What one block of armour holds that stands alone, as `ssh-keygen` writes it.
fn armoured(signature: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(signature).ok()?.trim_ascii();
    let base64 = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    unbase64(&base64).filter(|blob| !blob.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{read, sample};

    #[test]
    fn armour_stands_alone() {
        let one = format!("{BEGIN}\nU1NI\nU0lH\n{END}\n");
        for good in [one.clone(), one.replace('\n', "\r\n"), format!("\n{one}\n"), one.trim().to_owned()] {
            assert!(is_signature(good.as_bytes()), "{good}");
        }
        let two = one.repeat(2);
        let text = [format!("x\n{one}"), format!("{one}x\n"), one.replace("U0lH", "U0l*"), two];
        let cut = [String::new(), "hello".into(), one.replace(END, ""), format!("{BEGIN}\n{END}")];
        for bad in text.iter().chain(&cut) {
            assert!(!is_signature(bad.as_bytes()), "{bad}");
        }
        assert!(!is_signature(&[0, 255]));
    }

    #[test]
    fn whatever_lies_beside_a_request_and_is_no_signature_refuses_it() {
        let der = sample::ed25519(&[]);
        let empty = format!("{BEGIN}\n{END}\n");
        for beside in [&b""[..], b"nonsense", &[0, 255], &der, empty.as_bytes()] {
            let mut arrivals = read("a.csr", &der);
            attribute(&mut arrivals, "a.csr", beside, &der);
            let [Arrival::Request(request)] = arrivals.as_slice() else { panic!("{arrivals:?}") };
            assert_eq!(request.sender, None);
            let refusing: Vec<_> = request.findings.iter().filter(|f| f.refuses()).map(|f| f.rule).collect();
            assert_eq!(refusing, ["sender.signature"]);
        }
    }
}
