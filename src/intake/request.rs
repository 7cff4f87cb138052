//! A certification request, read and judged for form, key and possession.

use std::sync::Arc;

use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::KeyUsage;
use x509_cert::ext::pkix::name::GeneralNames;

use super::{Object, ReceivedCrl, Sender, Signed};
use crate::finding::Finding;
use crate::x509::{Digest, Name, PublicKey, Seconds};

/// A PKCS#10 request (RFC 2986).
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it came from, fit for a terminal: the path beneath the stick, with
    /// `#2` and so on behind it where one file holds several.
    pub file: String,
    /// The request's DER, as it came.
    pub der: Vec<u8>,
    /// SHA-256 over `der`.
    pub digest: Digest,
    /// The subject, byte for byte.
    pub subject: Name,
    /// The public key that was proved to be held.
    pub key: PublicKey,
    /// What the request asks for.
    pub claims: Claims,
    /// The CRL that the cluster signed for this certificate to be, where it came along.
    pub crl: Option<ReceivedCrl>,
    /// The object that it came in, where it came in one.
    pub object: Option<Object>,
    /// Who signed the file that it came in, where someone did.
    pub sender: Option<Sender>,
    /// That file with their signature.
    pub signed: Option<Arc<Signed>>,
    /// What was found wrong with form, key or proof of possession. A request with
    /// a refusing finding in here can never be granted anything.
    pub findings: Vec<Finding>,
}

impl Request {
    /// The subject key identifier that its certificate gets: RFC 7093 method 1, or RFC 5280
    /// method 1 where that is stated. No other is granted.
    pub fn key_id(&self) -> Vec<u8> {
        let sha1 = self.key.key_id_sha1();
        if self.claims.subject_key_id.as_ref() == Some(&sha1) { sha1 } else { self.key.key_id() }
    }
}

/// The wishes of a request: its extensionRequest attribute (RFC 2985 §5.4.2) and the like.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// basicConstraints, where asked for.
    pub basic_constraints: Option<BasicConstraintsClaim>,
    /// keyUsage, where asked for.
    pub key_usage: Option<KeyUsage>,
    /// extendedKeyUsage, in order; empty where not asked for.
    pub extended_key_usage: Vec<ObjectIdentifier>,
    /// subjectAltName, where asked for.
    pub subject_alt_name: Option<GeneralNames>,
    /// subjectKeyIdentifier, where stated.
    pub subject_key_id: Option<Vec<u8>>,
    /// Every other extension asked for: type and criticality.
    pub other_extensions: Vec<(ObjectIdentifier, bool)>,
    /// Attributes that are neither extensionRequest nor known to be harmless.
    pub other_attributes: Vec<ObjectIdentifier>,
    /// The profile wished for (a word beside the CSR).
    pub profile: Option<String>,
    /// The validity wished for, from now on (in an object beside the CSR).
    pub duration: Option<Seconds>,
}

/// basicConstraints as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraintsClaim {
    /// cA
    pub ca: bool,
    /// pathLenConstraint
    pub path_len: Option<u8>,
}
