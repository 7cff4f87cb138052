//! Building certificate revocation lists (RFC 5280 §5) by hand, and reading the ones
//! that were built so.

use const_oid::db::rfc5280;
use der::asn1::{Any, GeneralizedTime};
use der::{Decode as _, Encode as _, Sequence};
use serde::{Deserialize, Serialize};
use x509_cert::crl::RevokedCert;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::ext::pkix::crl::{CrlNumber, CrlReason};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time as X509Time;

use super::certificate::{authority_key_id, extension};
use super::{Name, Serial, SignatureAlgorithm, Tbs, Time};
use crate::error::{Error, Result};

/// Why a certificate is revoked: the reason codes of RFC 5280 §5.3.1 that a CA's
/// certificate can have on a complete CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// 0: said by leaving the extension out, as the RFC asks.
    Unspecified,
    /// 1
    KeyCompromise,
    /// 2
    #[serde(rename = "cACompromise")]
    CaCompromise,
    /// 3
    AffiliationChanged,
    /// 4
    Superseded,
    /// 5
    CessationOfOperation,
    /// 9
    PrivilegeWithdrawn,
}

/// One entry of a CRL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The certificate's serial number.
    pub serial: Serial,
    /// revocationDate
    pub date: Time,
    /// reasonCode
    pub reason: Reason,
    /// invalidityDate (RFC 5280 §5.3.2): since when the key is suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidity_date: Option<Time>,
}

/// Everything a CRL says. It is complete, direct and of version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlSpec {
    /// The algorithm the issuer will sign with.
    pub signature: SignatureAlgorithm,
    /// The issuer's subject, byte for byte.
    pub issuer: Name,
    /// The issuer's own key identifier.
    pub key_id: Vec<u8>,
    /// thisUpdate
    pub this_update: Time,
    /// nextUpdate
    pub next_update: Time,
    /// cRLNumber
    pub number: u64,
    /// revokedCertificates
    pub entries: Vec<Revocation>,
}

/// TBSCertList with the issuer as it came (RFC 5280 §5.1.2).
#[derive(Sequence)]
struct TbsCertList {
    version: u8,
    signature: spki::AlgorithmIdentifierOwned,
    issuer: Any,
    this_update: X509Time,
    next_update: X509Time,
    revoked: Option<Vec<RevokedCert>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

impl Reason {
    const ALL: [(Self, &'static str, Option<CrlReason>); 7] = [
        (Self::Unspecified, "unspecified", None),
        (Self::KeyCompromise, "keyCompromise", Some(CrlReason::KeyCompromise)),
        (Self::CaCompromise, "cACompromise", Some(CrlReason::CaCompromise)),
        (Self::AffiliationChanged, "affiliationChanged", Some(CrlReason::AffiliationChanged)),
        (Self::Superseded, "superseded", Some(CrlReason::Superseded)),
        (Self::CessationOfOperation, "cessationOfOperation", Some(CrlReason::CessationOfOperation)),
        (Self::PrivilegeWithdrawn, "privilegeWithdrawn", Some(CrlReason::PrivilegeWithdrawn)),
    ];

    /// Reads the RFC's name, in any case; says why where it is none for a CA here.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(reason, ..)| *reason).ok_or_else(|| match text.to_ascii_lowercase().as_str() {
            "certificatehold" => "certificateHold can be taken back, a CA's revocation cannot: every relying party would have to believe it again".into(),
            "removefromcrl" => "removeFromCRL stands on delta CRLs alone (RFC 5280 §5.3.1), of which there are none".into(),
            "aacompromise" => "aACompromise is for attribute authorities (RFC 5280 §5.3.1), which a CA is not".into(),
            _ => {
                let names: Vec<&str> = Self::ALL.iter().map(|(_, name, _)| *name).collect();
                format!("wanted one of {}", names.join(", "))
            }
        })
    }

    /// Its name in RFC 5280.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, name, _)| name)
    }

    fn code(self) -> Option<CrlReason> {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).and_then(|(.., code)| *code)
    }

    fn of_code(code: CrlReason) -> Option<Self> {
        Self::ALL.iter().find(|(.., it)| *it == Some(code)).map(|(reason, ..)| *reason)
    }
}

impl CrlSpec {
    /// The to-be-signed bytes; the same specification always gives the same bytes.
    pub fn to_tbs(&self) -> Result<Tbs> {
        let failed = |e| Error::usage("crl.encode", format!("CRL {} cannot be encoded: {e}", self.number));
        let number = CrlNumber::try_from(self.number).map_err(failed)?;
        let extensions =
            vec![authority_key_id(&self.key_id)?, extension(rfc5280::ID_CE_CRL_NUMBER, false, &number)?];
        let entries = self.entries.iter().map(entry).collect::<Result<Vec<_>>>()?;
        let encode = || -> der::Result<Vec<u8>> {
            TbsCertList {
                version: 1, // v2
                signature: self.signature.identifier(),
                issuer: Any::from_der(self.issuer.as_der())?,
                this_update: self.this_update.to_x509()?,
                next_update: self.next_update.to_x509()?,
                // An empty list is forbidden (RFC 5280 §5.1.2.6): it is left out.
                revoked: (!entries.is_empty()).then_some(entries),
                extensions,
            }
            .to_der()
        };
        Ok(Tbs::recorded(encode().map_err(failed)?, self.signature))
    }

    /// Reads the to-be-signed bytes of a CRL that was built here; any other is refused.
    pub fn from_tbs(tbs: &[u8]) -> Result<Self> {
        let bad = |what: String| {
            Error::integrity("crl.tbs", format!("not a TBSCertList as it is built here ({what})"))
        };
        let asn1 = |e: der::Error| bad(e.to_string());
        let list = TbsCertList::from_der(tbs).map_err(asn1)?;
        let value = |oid| {
            let found = list.extensions.iter().find(|extension| extension.extn_id == oid);
            found
                .map(|extension| extension.extn_value.as_bytes())
                .ok_or_else(|| bad(format!("no extension {oid}")))
        };
        let aki = AuthorityKeyIdentifier::from_der(value(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER)?)
            .map_err(asn1)?;
        let number = u64::from_der(value(rfc5280::ID_CE_CRL_NUMBER)?).map_err(asn1)?;
        let read = Self {
            signature: SignatureAlgorithm::of_identifier(&list.signature)
                .ok_or_else(|| bad("signature algorithm".into()))?,
            issuer: Name::from_der(&list.issuer.to_der().map_err(asn1)?).map_err(asn1)?,
            key_id: aki.key_identifier.map(|id| id.as_bytes().to_vec()).unwrap_or_default(),
            this_update: time(list.this_update),
            next_update: time(list.next_update),
            number,
            entries: list.revoked.unwrap_or_default().iter().map(read_entry).collect::<Result<_>>()?,
        };
        // Whatever it says beyond this is not said by us.
        if read.to_tbs()?.as_der() != tbs {
            return Err(bad("it says more".into()));
        }
        Ok(read)
    }
}

fn entry(revocation: &Revocation) -> Result<RevokedCert> {
    let failed = |e| {
        Error::usage(
            "crl.encode",
            format!("the entry of serial {} cannot be encoded: {e}", revocation.serial),
        )
    };
    let mut extensions = Vec::new();
    if let Some(code) = revocation.reason.code() {
        extensions.push(extension(rfc5280::ID_CE_CRL_REASONS, false, &code)?);
    }
    if let Some(date) = revocation.invalidity_date {
        let date = GeneralizedTime::from_unix_duration(std::time::Duration::from_secs(date.unix()));
        extensions.push(extension(rfc5280::ID_CE_INVALIDITY_DATE, false, &date.map_err(failed)?)?);
    }
    Ok(RevokedCert {
        serial_number: SerialNumber::new(revocation.serial.as_bytes()).map_err(failed)?,
        revocation_date: revocation.date.to_x509().map_err(failed)?,
        crl_entry_extensions: (!extensions.is_empty()).then_some(extensions),
    })
}

fn read_entry(entry: &RevokedCert) -> Result<Revocation> {
    let bad = |what: &str| Error::integrity("crl.tbs", format!("an entry of the CRL has {what}"));
    let asn1 = |_: der::Error| bad("an extension that is not DER");
    let (mut reason, mut invalidity_date) = (Reason::Unspecified, None);
    for extension in entry.crl_entry_extensions.iter().flatten() {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            rfc5280::ID_CE_CRL_REASONS => {
                let code = CrlReason::from_der(value).map_err(asn1)?;
                reason = Reason::of_code(code).ok_or_else(|| bad("a reason that is not used here"))?;
            }
            rfc5280::ID_CE_INVALIDITY_DATE => {
                let date = GeneralizedTime::from_der(value).map_err(asn1)?;
                invalidity_date = Some(Time::from_unix(date.to_unix_duration().as_secs()));
            }
            _ => return Err(bad("an extension that is not used here")),
        }
    }
    Ok(Revocation {
        serial: Serial::from_bytes(entry.serial_number.as_bytes())
            .ok_or_else(|| bad("a serial number of zero, or too long"))?,
        date: time(entry.revocation_date),
        reason,
        invalidity_date,
    })
}

fn time(time: X509Time) -> Time {
    Time::from_unix(time.to_unix_duration().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(entries: Vec<Revocation>) -> CrlSpec {
        CrlSpec {
            signature: SignatureAlgorithm::EcdsaSha256,
            issuer: Name::parse("O=Example,CN=Root").unwrap(),
            key_id: vec![7; 20],
            this_update: Time::from_unix(1_795_305_601),
            next_update: Time::from_unix(2_800_000_000),
            number: 300,
            entries,
        }
    }

    fn revocation(serial: u8, reason: Reason, invalidity_date: Option<Time>) -> Revocation {
        Revocation {
            serial: Serial::from_bytes(&[0x80, serial]).unwrap(),
            date: Time::from_unix(1_795_305_000),
            reason,
            invalidity_date,
        }
    }

    #[test]
    fn what_is_built_reads_back() {
        let mut entries: Vec<Revocation> =
            (1..).zip(Reason::ALL).map(|(n, (reason, ..))| revocation(n, reason, None)).collect();
        entries.push(revocation(99, Reason::KeyCompromise, Some(Time::from_unix(1_700_000_000))));
        for spec in [spec(Vec::new()), spec(entries)] {
            let tbs = spec.to_tbs().unwrap();
            assert_eq!(CrlSpec::from_tbs(tbs.as_der()).unwrap(), spec);
        }
    }

    #[test]
    fn an_empty_list_is_left_out() {
        let tbs = spec(Vec::new()).to_tbs().unwrap();
        let list = TbsCertList::from_der(tbs.as_der()).unwrap();
        assert!(list.revoked.is_none());
    }

    #[test]
    fn a_list_that_says_more_is_not_ours() {
        let tbs = spec(vec![revocation(1, Reason::Superseded, None)]).to_tbs().unwrap();
        let mut list = TbsCertList::from_der(tbs.as_der()).unwrap();
        list.extensions.push(
            extension(rfc5280::ID_CE_DELTA_CRL_INDICATOR, true, &CrlNumber::try_from(1_u8).unwrap()).unwrap(),
        );
        assert_eq!(CrlSpec::from_tbs(&list.to_der().unwrap()).unwrap_err().id, "crl.tbs");
        assert_eq!(CrlSpec::from_tbs(b"").unwrap_err().id, "crl.tbs");
    }

    #[test]
    fn reasons_by_the_names_of_the_rfc() {
        for (reason, name, _) in Reason::ALL {
            assert_eq!(Reason::parse(name), Ok(reason));
            assert_eq!(Reason::parse(&name.to_uppercase()), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
        }
        for (bad, why) in [
            ("certificateHold", "taken back"),
            ("removeFromCRL", "delta"),
            ("aACompromise", "attribute"),
            ("stolen", "wanted one of"),
        ] {
            assert!(Reason::parse(bad).unwrap_err().contains(why), "{bad}");
        }
    }
}
