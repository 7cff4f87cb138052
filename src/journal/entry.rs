//! One line of the journal: a JSON object that carries the SHA-256 of the line
//! before it.
//!
//! A line is canonical: reading and writing it again gives the same bytes, so
//! that nothing can hide in spaces, doubled keys or unknown fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{KeyAttested, KeyRole, RootCourse, base64, usual};
use crate::error::{Error, Result};
use crate::text::shown;
use crate::x509::{Digest, KeyAlgorithm, Name, Revocation, Serial, SignatureAlgorithm, Time};

/// The hash that the first line carries.
pub const GENESIS: Digest = Digest([0; 32]);

/// Bytes as base64 in a document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub Vec<u8>);

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was written.
    pub time: Time,
    /// SHA-256 of the line before it, without its newline.
    pub prev: Digest,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The root's own certificate.
    RootCertificate,
    /// The journal key's certificate.
    JournalCertificate,
    /// A cluster's intermediate CA certificate.
    Intermediate,
    /// The root's certificate revocation list.
    Crl,
    /// A certificate for another root's key and name: the old one's or the new one's.
    CrossCertificate,
    /// SHA256SUMS of a release (CMS signed attributes).
    Release,
    /// The journal itself.
    Seal,
}

impl Purpose {
    /// Whether what is signed is a certificate.
    pub fn is_certificate(self) -> bool {
        match self {
            Self::RootCertificate
            | Self::JournalCertificate
            | Self::Intermediate
            | Self::CrossCertificate => true,
            Self::Crl | Self::Release | Self::Seal => false,
        }
    }
}

/// A request that was not granted, as the plan showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedRequest {
    /// Where it lay on the stick, escaped.
    pub file: String,
    /// SHA-256 of the request's bytes.
    pub digest: Digest,
    /// The rules that refused it.
    pub rules: Vec<String>,
}

/// The root as it was decided before its key was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDecision {
    /// DER of the subject.
    pub subject: Bytes,
    /// The kind of key, e.g. `p256`.
    pub algorithm: String,
    /// CKA_LABEL of the root's key.
    pub label: String,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// pathLenConstraint, where one is wanted.
    pub path_len: Option<u8>,
    /// Serial of the root certificate.
    pub serial: Serial,
    /// Serial of the journal key's certificate.
    pub journal_serial: Serial,
}

/// A root that was made elsewhere, as it was taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootAdoption {
    /// DER of its certificate.
    pub certificate: Bytes,
    /// CKA_LABEL of its key, fit for a terminal.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// The rules that warned of certificate, key or token.
    pub warned: Vec<String>,
    /// The rules that refused the key, which the operator accepted all the same.
    pub accepted: Vec<String>,
    /// CKA_ID of the journal's key in hexadecimal, where it is one that was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub journal_key: Option<String>,
}

/// Another root that is trusted beside this CA's own. It signs nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// DER of its certificate.
    pub certificate: Bytes,
    /// The rules that warned of it.
    pub warned: Vec<String>,
}

/// A certificate that is revoked from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedCertificate {
    /// What CRLs say of it.
    pub entry: Revocation,
    /// Who asked for it, in their own words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked_by: Option<String>,
}

/// The empty CRL of an intermediate, signed by its own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterCrl {
    /// Its DER.
    pub der: Bytes,
    /// cRLNumber
    pub number: u64,
    /// nextUpdate
    pub next_update: Time,
}

/// A cluster's CRL with the certificate of the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedCrl {
    /// The certificate's DER.
    pub certificate: Bytes,
    /// The CRL.
    pub crl: ClusterCrl,
}

/// Everything that can stand on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// The home was made.
    Opened {
        /// Random name of the home, in hexadecimal.
        home: String,
        /// The version of anchorite that made it.
        version: String,
        /// The token's URI.
        token: String,
        /// Whether confirmations may be answered by `--yes`.
        unattended: bool,
        /// Whether everything in it is a rehearsal.
        rehearsal: bool,
        /// SHA-256 of each document in force.
        files: BTreeMap<String, Digest>,
    },
    /// A run began that may touch a key.
    Session {
        /// The command.
        verb: String,
        /// Who ran it, as the operating system says.
        operator: String,
        /// How the operator confirmed: `operator` or `--yes`.
        confirmed: String,
    },
    /// Edited documents were put in force.
    Pinned {
        /// SHA-256 of each document in force from now on.
        files: BTreeMap<String, Digest>,
    },
    /// The operator declared that the clock ran ahead before.
    ClockCorrected {
        /// The last time on record under the wrong clock.
        from: Time,
    },
    /// What the root is to be.
    RootDecided(RootDecision),
    /// A root that exists already is taken over.
    RootAdopted(RootAdoption),
    /// The other roots that are trusted from now on, all of them, in the order in
    /// which trust bundles hold them after this CA's own.
    Companions {
        /// Each with its certificate.
        roots: Vec<Companion>,
    },
    /// A key pair is about to be generated.
    KeyIntent {
        /// Which key of the home.
        role: KeyRole,
        /// The kind of key.
        algorithm: String,
        /// CKA_LABEL
        label: String,
        /// CKA_ID in hexadecimal.
        id: String,
    },
    /// The key pair exists in the token.
    KeyMade {
        /// The intent's number.
        intent: u64,
        /// DER of its SubjectPublicKeyInfo.
        public_key: Bytes,
    },
    /// The token's maker vouches for a key, or does not.
    KeyAttested(KeyAttested),
    /// A plan was confirmed and is being performed.
    Plan {
        /// SHA-256 of the plan file.
        digest: Digest,
        /// How many signatures of the root's it holds.
        grants: u64,
        /// What it refuses.
        refused: Vec<RefusedRequest>,
    },
    /// These bytes are about to be signed.
    Intent {
        /// What for.
        purpose: Purpose,
        /// By which key.
        role: KeyRole,
        /// With which algorithm.
        algorithm: SignatureAlgorithm,
        /// The plan it belongs to.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        plan: Option<Digest>,
        /// SHA-256 of the request it answers.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        request: Option<Digest>,
        /// The cluster it is for.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        cluster: Option<String>,
        /// The policy that granted it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        policy: Option<String>,
        /// The empty CRL that the cluster signed for this certificate beforehand.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        crl: Option<ClusterCrl>,
        /// SHA-256 of a number that only this session knows.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        commitment: Option<Digest>,
        /// The exact bytes to be signed.
        message: Bytes,
    },
    /// Certificates are revoked. The next CRL lists them.
    Revoked {
        /// SHA-256 of the plan file in which they stood.
        plan: Digest,
        /// Which, and why.
        certificates: Vec<RevokedCertificate>,
    },
    /// Revocations that nobody sealed are taken back: they count for nothing.
    Unrevoked {
        /// The certificates' serial numbers.
        certificates: Vec<Serial>,
    },
    /// Where the root stands in its life from now on.
    RootCourse {
        /// SHA-256 of the plan file in which it stood; none where what nobody sealed is taken back.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        plan: Option<Digest>,
        /// All of it.
        course: RootCourse,
    },
    /// A cluster's CRL came in for a certificate that was signed before.
    ClusterCrl {
        /// SHA-256 of the plan file in which it stood.
        plan: Digest,
        /// The certificate's DER.
        certificate: Bytes,
        /// The CRL.
        crl: ClusterCrl,
    },
    /// The token signed.
    Signed {
        /// The intent's number.
        intent: u64,
        /// The signature (ECDSA: DER).
        signature: Bytes,
    },
    /// The token gave something that does not verify. Its serial stays burnt.
    Rejected {
        /// The intent's number.
        intent: u64,
        /// What the token gave.
        signature: Bytes,
        /// Why it was rejected.
        reason: String,
    },
    /// Permits were given back unused: certainly not signed.
    Withdrawn {
        /// The intents' numbers.
        intents: Vec<u64>,
        /// What each of them committed to: the session that asked knows that it was not signed.
        numbers: Vec<Digest>,
    },
    /// Open intents that the operator settled: they count as issued for ever.
    Settled {
        /// The intents' numbers.
        intents: Vec<u64>,
    },
    /// A line that a crash left unfinished was cut off.
    Torn {
        /// How many bytes.
        bytes: u64,
        /// Their SHA-256.
        sha256: Digest,
    },
    /// A release was written and read back.
    Released {
        /// The plan it answers.
        plan: Digest,
        /// The folder's name.
        folder: String,
        /// SHA-256 of its SHA256SUMS.
        sums: Digest,
        /// What the intent to sign these committed to: the session that signed wrote it.
        number: Digest,
    },
    /// The journal was taken over from a copy.
    Restored {
        /// Where the copy ended.
        count: u64,
        /// The hash of its last line.
        head: Digest,
        /// Plans that were signed and are not released on this record, and whose files
        /// are lost.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        given_up: Vec<Digest>,
    },
    /// What stood on lines that are lost, where the files of that time prove it.
    Recovered {
        /// Certificates (DER) that the root's key signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        certificates: Vec<Bytes>,
        /// CRLs that clusters signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        cluster_crls: Vec<CertifiedCrl>,
        /// The root's CRLs (DER) in the order of their numbers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        crls: Vec<Bytes>,
    },
    /// The token keeps this journal's head from now on; that it has none will be noticed.
    HeadKept {},
    /// The operator accepted that lines known of elsewhere are lost for good.
    LossAccepted {
        /// Who knows of them.
        place: String,
        /// How many lines are known there.
        count: u64,
        /// The hash of the last of them.
        head: Digest,
    },
}

impl Purpose {
    /// Whether it is one of the signatures that a plan grants.
    pub fn is_granted(self) -> bool {
        matches!(self, Self::Intermediate | Self::Crl | Self::CrossCertificate)
    }
}

impl Event {
    /// The name it has in a line.
    pub fn kind(&self) -> &'static str {
        match self {
            Event::Opened { .. } => "opened",
            Event::Session { .. } => "session",
            Event::Pinned { .. } => "pinned",
            Event::ClockCorrected { .. } => "clock-corrected",
            Event::RootDecided(_) => "root-decided",
            Event::RootAdopted(_) => "root-adopted",
            Event::Companions { .. } => "companions",
            Event::KeyIntent { .. } => "key-intent",
            Event::KeyMade { .. } => "key-made",
            Event::KeyAttested(_) => "key-attested",
            Event::Plan { .. } => "plan",
            Event::Intent { .. } => "intent",
            Event::Revoked { .. } => "revoked",
            Event::Unrevoked { .. } => "unrevoked",
            Event::ClusterCrl { .. } => "cluster-crl",
            Event::RootCourse { .. } => "root-course",
            Event::Signed { .. } => "signed",
            Event::Rejected { .. } => "rejected",
            Event::Withdrawn { .. } => "withdrawn",
            Event::Settled { .. } => "settled",
            Event::Torn { .. } => "torn",
            Event::Released { .. } => "released",
            Event::Restored { .. } => "restored",
            Event::Recovered { .. } => "recovered",
            Event::HeadKept {} => "head-kept",
            Event::LossAccepted { .. } => "loss-accepted",
        }
    }
}

impl Entry {
    /// The line, without its newline.
    pub fn to_line(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| self.unwritten(&e))
    }

    fn unwritten(&self, error: &serde_json::Error) -> Error {
        Error::integrity("journal.encode", format!("journal entry {}: {error}", self.seq))
    }

    /// Reads a line; refuses one that is not canonical.
    pub fn from_line(number: u64, line: &[u8]) -> Result<Self> {
        let bad =
            |what: String| Error::integrity("journal.line", format!("journal line {}: {what}", number + 1));
        let entry = match usual::read(line) {
            Some(entry) => entry,
            None => serde_json::from_slice(line)
                .map_err(|e| bad(format!("cannot be read ({})", shown(&e.to_string()))))?,
        };
        let mut again = Vec::with_capacity(line.len());
        serde_json::to_writer(&mut again, &entry).map_err(|e| entry.unwritten(&e))?;
        if again != line {
            return Err(bad("not in canonical form; it was not written by anchorite".into()));
        }
        Ok(entry)
    }
}

impl Companion {
    /// SHA-256 of its certificate, which people note down.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.certificate.0)
    }
}

impl RootDecision {
    /// The subject, read.
    pub fn subject(&self) -> Result<Name> {
        Name::from_der(&self.subject.0).map_err(|e| unreadable("subject", e))
    }

    /// The kind of key, read.
    pub fn algorithm(&self) -> Result<KeyAlgorithm> {
        KeyAlgorithm::parse(&self.algorithm).ok_or_else(|| unreadable("algorithm", shown(&self.algorithm)))
    }
}

fn unreadable(field: &str, what: impl std::fmt::Display) -> Error {
    Error::integrity("journal.field", format!("journal: {field} cannot be read ({what})"))
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, SHA-256 {}", self.0.len(), Digest::of(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        base64::serialize(&self.0, s)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        base64::deserialize(d).map(Bytes)
    }
}
