//! The plan file: JSON, one object, read and written in one form only.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Frame, Repeat};
use crate::error::{Error, Result};
use crate::intake::{Object, Sender};
use crate::journal::{Bytes, ClusterCrl, Head, RevokedCertificate, RootCourse};
use crate::text::{is_shown, shown};
use crate::x509::{Digest, Seconds, Serial, Time};

/// The only format there is so far.
const FORMAT: &str = "anchorite-plan-v1";
/// A plan older than this is made anew: its dates were computed too long ago.
pub const MAXIMUM_AGE: Seconds = Seconds(30 * 86_400);

/// Everything one run will sign, and what it refuses to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    format: String,
    /// `REHEARSAL` where it comes from a rehearsal's home, else empty.
    pub mark: String,
    /// A dry run's serials are placeholders; it can never be performed.
    pub dry_run: bool,
    /// The home it was made in.
    pub home: String,
    /// Where that home's journal stood.
    pub head: Head,
    /// SHA-256 of the root certificate that is to sign.
    pub root: Digest,
    /// The clock from which all dates were computed.
    pub created: Time,
    /// The policy forced by `--policy`, if any.
    pub policy: Option<String>,
    /// What is to be signed, in order.
    pub items: Vec<Item>,
    /// The files that senders signed, each once, of the requests that came in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<SignedFile>,
    /// What is refused.
    pub refused: Vec<Refused>,
    /// Certificates that are revoked with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<RevokedCertificate>,
    /// Clusters' CRLs for certificates that were signed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later_crls: Vec<LaterCrl>,
    /// The root's CRL to be signed: its exact bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<Bytes>,
    /// A certificate for another root's key and name to be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross: Option<Cross>,
    /// Certificates of an earlier plan that are released once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Where the root stands in its life once the plan is performed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<RootCourse>,
}

/// A cross-certificate (RFC 5280 §3.2): another root's key and name, signed by this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cross {
    /// The serial drawn for it.
    pub serial: Serial,
    /// The exact bytes to be signed.
    pub tbs: Bytes,
}

/// A cluster's CRL for a certificate that was signed before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterCrl {
    /// Where it lay, escaped.
    pub file: String,
    /// The certificate's serial number.
    pub certificate: Serial,
    /// The CRL.
    pub crl: ClusterCrl,
}

/// One certificate to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Where the request lay, escaped.
    pub file: String,
    /// The cluster it is for.
    pub cluster: String,
    /// The policy that grants it.
    pub policy: String,
    /// The serial drawn for it.
    pub serial: Serial,
    /// The request's DER.
    pub request: Bytes,
    /// The object that the request came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
    /// Who signed the file that it came in, which the plan holds among its signed files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<Sender>,
    /// The empty CRL that the cluster signed for this certificate beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<ClusterCrl>,
    /// The exact bytes to be signed.
    pub tbs: Bytes,
}

/// A file and its sender's signature, which are held against each other when the plan is performed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedFile {
    /// Where it lay, escaped; the signature lay beside it.
    pub file: String,
    /// The file's bytes.
    pub content: Bytes,
    /// The bytes of the signature's file.
    pub signature: Bytes,
}

/// A request that is not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Where the request lay, escaped.
    pub file: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// The cluster it named, if any.
    pub cluster: Option<String>,
    /// The rules that refused it, and why.
    pub by: Vec<RefusedBy>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedBy {
    /// The rule's ID.
    pub rule: String,
    /// The full sentence.
    pub message: String,
}

impl Plan {
    /// A plan of nothing yet.
    pub(super) fn new(frame: Frame, root: Digest, created: Time, policy: Option<String>) -> Self {
        let mark = if frame.rehearsal { "REHEARSAL".into() } else { String::new() };
        Self {
            format: FORMAT.into(),
            mark,
            dry_run: frame.dry_run,
            home: frame.home,
            head: frame.head,
            root,
            created,
            policy,
            items: Vec::new(),
            signed: Vec::new(),
            refused: Vec::new(),
            revocations: Vec::new(),
            later_crls: Vec::new(),
            crl: None,
            cross: None,
            repeat: None,
            course: None,
        }
    }

    /// How many signatures of the root's key it holds.
    pub fn signatures(&self) -> usize {
        self.items.len() + usize::from(self.crl.is_some()) + usize::from(self.cross.is_some())
    }

    /// What has a folder in the release: what is signed, and what is released once more.
    pub fn folders(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().chain(self.repeat.iter().flat_map(|repeat| &repeat.items))
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.measured()?.length);
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    /// What people compare, and how long the file is; its bytes are not kept meanwhile.
    pub fn measured(&self) -> Result<Measured> {
        let mut measuring = BufWriter::with_capacity(64 << 10, Measuring::default());
        self.write(&mut measuring)?;
        let Measuring { sha256, length } = measuring.into_inner().map_err(unwritten)?;
        Ok(Measured { digest: Digest(sha256.finalize().into()), length })
    }

    fn write(&self, mut to: impl Write) -> Result<()> {
        serde_json::to_writer_pretty(&mut to, self).map_err(unwritten)?;
        to.write_all(b"\n").map_err(unwritten)
    }

    /// Reads a plan file; refuses one that was not written in this very form.
    pub fn from_bytes(place: &str, bytes: &[u8]) -> Result<Self> {
        let bad = |what: String| {
            Error::usage("plan.unreadable", format!("{place}: {what}"))
                .next("make the plan anew with `anchorite plan`")
        };
        let plan: Self = serde_json::from_slice(bytes)
            .map_err(|e| bad(format!("not a plan file ({})", shown(&e.to_string()))))?;
        if plan.format != FORMAT {
            return Err(bad(format!("format '{}', wanted '{FORMAT}'", shown(&plan.format))));
        }
        if plan.to_bytes()? != bytes {
            return Err(bad("was changed after it was written (not in canonical form)".into()));
        }
        plan.check(place)?;
        Ok(plan)
    }

    /// Its text poses as nothing else in the review, and each serial stands once.
    pub(super) fn check(&self, place: &str) -> Result<()> {
        let altered = |id, what: &str| {
            Err(Error::integrity(id, format!("{place}: {what}"))
                .next("the plan file was altered: stop the ceremony"))
        };
        if !self.texts().all(is_shown) {
            return altered("plan.unescaped", "holds text that was not escaped");
        }
        if !self.folders().filter_map(|item| item.object.as_ref()).all(Object::is_named) {
            return altered("plan.request", "holds an object with a name that Kubernetes gives to none");
        }
        let mut serials = BTreeSet::new();
        let cross = self.cross.iter().map(|cross| &cross.serial);
        if !self.folders().map(|item| &item.serial).chain(cross).all(|serial| serials.insert(serial)) {
            return altered("plan.serial-twice", "gives one serial number to two certificates");
        }
        Ok(())
    }

    /// Every text in it that is nothing but text.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let items = self.folders().flat_map(|i| {
            let object = i.object.iter().flat_map(Object::texts);
            let sender = i.sender.iter().map(|sender| &sender.file);
            [&i.file, &i.cluster, &i.policy].into_iter().chain(object).chain(sender)
        });
        let refused = self.refused.iter().flat_map(|r| {
            let by = r.by.iter().flat_map(|b| [&b.rule, &b.message]);
            by.chain(r.cluster.as_ref()).chain([&r.file])
        });
        let own = [&self.mark, &self.home].into_iter().chain(&self.policy);
        let own = own.chain(self.revocations.iter().flat_map(|r| &r.asked_by));
        let own = own.chain(self.course.iter().flat_map(|course| &course.destroyed));
        let own = own.chain(self.signed.iter().map(|signed| &signed.file));
        let own = own.chain(self.later_crls.iter().map(|later| &later.file));
        own.chain(items).chain(refused).map(String::as_str)
    }

    /// What people compare: SHA-256 of the file.
    pub fn digest(&self) -> Result<Digest> {
        Ok(self.measured()?.digest)
    }

    /// Whether it belongs to a rehearsal.
    pub fn rehearsal(&self) -> bool {
        self.mark == "REHEARSAL"
    }
}

/// A plan file's SHA-256 and its length in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Bytes.
    pub length: usize,
}

/// Takes what is written to it, and keeps nothing of it.
#[derive(Default)]
struct Measuring {
    sha256: Sha256,
    length: usize,
}

impl Write for Measuring {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha256.update(bytes);
        self.length = self.length.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unwritten(error: impl fmt::Display) -> Error {
    Error::usage("plan.encode", format!("plan cannot be written: {error}"))
}
