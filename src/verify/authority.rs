//! What a CA's certificate says, however bad it is: for certificates that others made or
//! loaded. Nothing is judged here.

use x509_parser::extensions::GeneralName;

use super::parsed::{Parsed, show_name};
use crate::error::Result;
use crate::lint::{algorithm, usage};
use crate::text::hex;
use crate::x509::{Digest, PublicKey, SignatureAlgorithm, Time};

/// A certificate as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// SHA-256 of its DER.
    pub sha256: Digest,
    /// The subject, fit for a terminal.
    pub subject: String,
    /// The issuer, fit for a terminal.
    pub issuer: String,
    /// The serial number's octets in hexadecimal, whatever they are.
    pub serial: String,
    /// Whether it is of version 3, the only one that can say that it is a CA's.
    pub version_3: bool,
    /// First second of validity.
    pub not_before: Time,
    /// Last second of validity.
    pub not_after: Time,
    /// Whether it says that it is a CA's.
    pub ca: bool,
    /// How many CAs may stand beneath it, where it says so.
    pub path_length: Option<u32>,
    /// Whether it may sign certificates, and CRLs, where it says so.
    pub signs: Option<(bool, bool)>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: Digest,
    /// Its public key, where it is of a kind that is known here.
    pub public_key: Option<PublicKey>,
    /// What it is signed with, where that is known here.
    pub signature: Option<SignatureAlgorithm>,
    /// Whether it is for servers and for clients of TLS, where it says so at all.
    pub tls: Option<(bool, bool)>,
    /// Whether it constrains URIs.
    pub uri_constraints: bool,
    names: (Vec<u8>, Vec<u8>),
    key_ids: (Option<Vec<u8>>, Option<Vec<u8>>),
}

/// Reads one in strict DER.
pub fn read_authority(der: &[u8]) -> Result<Authority> {
    let parsed = Parsed::from_der(der, "verify.path.parse")?;
    let view = &parsed.view;
    let constraints = view.name_constraints();
    let subtrees = constraints.into_iter().flat_map(|c| [&c.permitted_subtrees, &c.excluded_subtrees]);
    let authority_key_id = view.authority_key_id().and_then(|id| id.key_identifier.as_ref());
    Ok(Authority {
        sha256: Digest::of(der),
        subject: show_name(view.subject),
        issuer: show_name(view.issuer),
        serial: hex(view.serial),
        version_3: view.is_v3(),
        not_before: view.not_before.1,
        not_after: view.not_after.1,
        ca: view.basic_constraints().is_some_and(|constraints| constraints.ca),
        path_length: view.path_length(),
        signs: view.key_usage().map(|usage| (usage.key_cert_sign(), usage.crl_sign())),
        key: Digest::of(view.key),
        public_key: view.public_key(),
        signature: algorithm::from_der(view.signature),
        tls: view.extended_key_usage().map(|purposes| usage::tls(&purposes)),
        uri_constraints: subtrees
            .flatten()
            .flatten()
            .any(|subtree| matches!(subtree.base, GeneralName::URI(_))),
        names: (view.issuer.to_vec(), view.subject.to_vec()),
        key_ids: (authority_key_id.map(|id| id.0.to_vec()), view.subject_key_id().map(<[u8]>::to_vec)),
    })
}

impl Authority {
    /// Whether issuer and subject are the same (RFC 5280 §3.2).
    pub fn is_self_issued(&self) -> bool {
        self.names.0 == self.names.1
    }

    /// Whether its issuer is named like that one, and its key identifier is that one's where
    /// both say it. The signature is not looked at.
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        let ids = self.key_ids.0.as_ref().zip(other.key_ids.1.as_ref());
        self.names.0 == other.names.1 && ids.is_none_or(|(wanted, found)| wanted == found)
    }

    /// Whether both have the same subject, byte for byte.
    pub fn shares_subject(&self, other: &Self) -> bool {
        self.names.1 == other.names.1
    }
}
