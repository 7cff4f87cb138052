//! CRLs that come with requests: a cluster signs one, empty, with its own key, since a
//! relying party that checks CRLs wants one of every CA in the chain.
//!
//! Read strictly, attached to its request, and judged against what that request is granted.

mod judge;
mod pair;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use const_oid::{AssociatedOid as _, ObjectIdentifier};
use der::asn1::BitString;
use der::{Decode as _, Encode as _, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::crl::RevokedCert;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};
use x509_cert::time::Time as X509Time;

use super::{Arrival, strict};
use crate::finding::{Finding, Outcome};
use crate::x509::{Digest, Name, Time};

pub use judge::{CRL_RULES, CrlOf, CrlRule, judge_crl};
pub use pair::{attach, pair};

/// A certificate revocation list (RFC 5280 §5) as it came; nothing of it is believed yet.
#[derive(Debug, Clone)]
pub struct ReceivedCrl {
    /// As in [`super::Request::file`].
    pub file: String,
    /// Its DER, as it came.
    pub der: Vec<u8>,
    /// SHA-256 over `der`.
    pub digest: Digest,
    /// Whose it says it is, byte for byte.
    pub issuer: Name,
    /// The key that it says signed it: keyIdentifier of the authority key identifier.
    pub key_id: Option<Vec<u8>>,
    /// cRLNumber, where there is one below 2^64.
    pub number: Option<u64>,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate, where there is one.
    pub next_update: Option<Time>,
    list: CertificateList,
}

/// CertificateList (RFC 5280 §5.1).
#[derive(Debug, Clone, Sequence)]
struct CertificateList {
    tbs: TbsCertList,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// TBSCertList (§5.1.2), of either version.
#[derive(Debug, Clone, Sequence)]
struct TbsCertList {
    version: Option<u8>,
    signature: AlgorithmIdentifierOwned,
    issuer: x509_cert::name::Name,
    this_update: X509Time,
    next_update: Option<X509Time>,
    revoked: Option<Vec<RevokedCert>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

/// Reads what should be one CRL's DER.
pub(super) fn read(file: String, der: &[u8]) -> Arrival {
    match parse(&file, der) {
        Ok(crl) => Arrival::Crl(Box::new(crl)),
        Err(error) => Arrival::Unusable { file, digest: Digest::of(der), finding: unreadable(&error) },
    }
}

fn parse(file: &str, der: &[u8]) -> Result<ReceivedCrl, String> {
    let list: CertificateList = strict::decode(der)?;
    let tbs = &list.tbs;
    let issuer = tbs.issuer.to_der().and_then(|der| Name::from_der(&der)).map_err(|e| e.to_string())?;
    let this_update = time("thisUpdate", tbs.this_update)?;
    let next_update = tbs.next_update.map(|t| time("nextUpdate", t)).transpose()?;
    let key_id = AuthorityKeyIdentifier::from_der(list.extension(AuthorityKeyIdentifier::OID))
        .ok()
        .and_then(|aki| aki.key_identifier)
        .map(|id| id.as_bytes().to_vec());
    Ok(ReceivedCrl {
        file: file.into(),
        der: der.to_vec(),
        digest: Digest::of(der),
        issuer,
        key_id,
        number: u64::from_der(list.extension(CrlNumber::OID)).ok(),
        this_update,
        next_update,
        list,
    })
}

/// A time in the one form that its year asks for (RFC 5280 §5.1.2.4).
fn time(field: &str, found: X509Time) -> Result<Time, String> {
    let time = Time::from_unix(found.to_unix_duration().as_secs());
    match time.to_x509() {
        Ok(wanted) if wanted == found => Ok(time),
        _ => Err(format!("{field} is not UTCTime up to 2049 and GeneralizedTime after")),
    }
}

impl CertificateList {
    /// The value of the first extension of this type; empty where there is none.
    fn extension(&self, oid: ObjectIdentifier) -> &[u8] {
        let found = self.tbs.extensions.iter().flatten().find(|e| e.extn_id == oid);
        found.map_or(&[], |e| e.extn_value.as_bytes())
    }
}

/// Rule `crl.der`: a CRL is whole.
pub(super) fn unreadable(error: &str) -> Finding {
    Finding::new(
        "crl.der",
        Outcome::Refused,
        "RFC 5280 §5.1",
        format!("this is no CRL in strict DER: {error}; have the cluster make it again: {AGAIN}"),
        error,
        "a CertificateList in DER, with nothing behind it",
    )
}

/// What the cluster does where its CRL is not as it must be.
const AGAIN: &str = "`anchorite request --crl-for`";
