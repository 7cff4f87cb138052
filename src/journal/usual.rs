//! The two lines that nearly all of a journal consists of, read straight into their fields.
//! An [`Entry`] of any other kind is first read as a map, since its fields depend on its name.

use serde::Deserialize;

use super::{Bytes, ClusterCrl, Entry, Event, KeyRole, Purpose};
use crate::x509::{Digest, SignatureAlgorithm, Time};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Intent {
    seq: u64,
    time: Time,
    prev: Digest,
    #[serde(rename = "event")]
    _event: IntentName,
    purpose: Purpose,
    role: KeyRole,
    algorithm: SignatureAlgorithm,
    plan: Option<Digest>,
    request: Option<Digest>,
    cluster: Option<String>,
    policy: Option<String>,
    crl: Option<ClusterCrl>,
    commitment: Option<Digest>,
    message: Bytes,
}

#[derive(Deserialize)]
enum IntentName {
    #[serde(rename = "intent")]
    Intent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    seq: u64,
    time: Time,
    prev: Digest,
    #[serde(rename = "event")]
    _event: SignedName,
    intent: u64,
    signature: Bytes,
}

#[derive(Deserialize)]
enum SignedName {
    #[serde(rename = "signed")]
    Signed,
}

/// Reads a line of one of the two; nothing where it is another or cannot be read, which
/// the one who reads all of them explains. Whether it is canonical is not looked at.
pub(super) fn read(line: &[u8]) -> Option<Entry> {
    match name(line)? {
        b"intent" => serde_json::from_slice::<Intent>(line).ok().map(Entry::from),
        b"signed" => serde_json::from_slice::<Signed>(line).ok().map(Entry::from),
        _ => None,
    }
}

/// The name of the event where it stands in a line's canonical form.
fn name(line: &[u8]) -> Option<&[u8]> {
    const BEFORE: &[u8] = br#","event":""#;
    // Number, time and hash take less.
    let start = line.get(..256.min(line.len()))?;
    let at = start.windows(BEFORE.len()).position(|found| found == BEFORE)?;
    start.get(at + BEFORE.len()..)?.split(|b| *b == b'"').next()
}

impl From<Intent> for Entry {
    fn from(it: Intent) -> Self {
        let event = Event::Intent {
            purpose: it.purpose,
            role: it.role,
            algorithm: it.algorithm,
            plan: it.plan,
            request: it.request,
            cluster: it.cluster,
            policy: it.policy,
            crl: it.crl,
            commitment: it.commitment,
            message: it.message,
        };
        Self { seq: it.seq, time: it.time, prev: it.prev, event }
    }
}

impl From<Signed> for Entry {
    fn from(it: Signed) -> Self {
        let event = Event::Signed { intent: it.intent, signature: it.signature };
        Self { seq: it.seq, time: it.time, prev: it.prev, event }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sample::Script;

    #[test]
    fn what_is_read_straight_is_what_is_read_as_a_map() {
        let (mut straight, mut script) = (0, Script::with_root());
        script.session("plan", &["east", "west"]);
        for line in script.bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let as_map: Entry = serde_json::from_slice(line).unwrap();
            let usual = matches!(as_map.event, Event::Intent { .. } | Event::Signed { .. });
            assert_eq!(read(line), usual.then_some(as_map));
            straight += usize::from(usual);
            // Nor is anything read with another field in it, or one twice.
            let text = String::from_utf8(line.to_vec()).unwrap();
            for more in [r#","more":1}"#, r#","seq":0}"#] {
                assert_eq!(read(text.replacen('}', more, 1).as_bytes()), None);
            }
        }
        assert!(straight > 2);
    }
}
