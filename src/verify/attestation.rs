//! A YubiKey's word for a key: that it was generated in this device, and under which
//! policies it can be used. Bytes in, a verdict out.
//!
//! The certificates are Yubico's own profile and not RFC 5280's (no key identifiers,
//! raw extension values), so that [`super::validate_path`] does not fit them:
//! <https://docs.yubico.com/hardware/oid/oid-piv-arc.html> and
//! <https://developers.yubico.com/PIV/Introduction/PIV_attestation.html>.

use std::fmt;

use x509_parser::oid_registry::Oid;

use super::parsed::Parsed;
use super::signature::verify_signature;
use crate::error::{Error, Result};
use crate::lint::{algorithm, asn1};
use crate::text::hex;
use crate::x509::{PublicKey, Time};

/// Yubico's PIV issuers as published: the root of keys up to firmware 5.7.3; from 5.7.4
/// on the newer root and what lies between it and a device.
const YUBICO: [&str; 6] = [
    include_str!("yubico/piv-root-263751.pem"),
    include_str!("yubico/attestation-root-1.pem"),
    include_str!("yubico/attestation-intermediate-a-1.pem"),
    include_str!("yubico/attestation-intermediate-b-1.pem"),
    include_str!("yubico/piv-attestation-a-1.pem"),
    include_str!("yubico/piv-attestation-b-1.pem"),
];
/// Device, PIV issuer, intermediate, root: nobody needs more.
const LONGEST: u32 = 6;

const FORM: &str = "attest.form";

/// Who may vouch for devices.
#[derive(Debug, Clone, Default)]
pub struct Vouchers {
    /// Trusted as they are, whoever issued them.
    anchors: Vec<Vec<u8>>,
    /// Only as good as an anchor above them.
    between: Vec<Vec<u8>>,
}

/// Firmware: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u8, pub u8, pub u8);

/// An attestation that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// The key that was generated in the device.
    pub public_key: PublicKey,
    /// Subject of the certificate that the chain ends at.
    pub voucher: String,
    /// The device's serial number; a device may be made not to tell it.
    pub serial: Option<u32>,
    /// Its firmware.
    pub firmware: Version,
    /// `never`, `once`, `always`, …
    pub pin_policy: String,
    /// `never`, `always`, `cached`
    pub touch_policy: String,
    /// What it looks like, e.g. `USB-C keychain`.
    pub form_factor: String,
}

impl Vouchers {
    /// Yubico's, and further certificates that the configuration trusts, be they roots
    /// or issuers beneath one.
    pub fn with(configured: &[Vec<u8>]) -> Result<Self> {
        let mut vouchers = Self { anchors: configured.to_vec(), between: Vec::new() };
        for text in YUBICO {
            let der = der_of(text)?;
            let certificate = Parsed::from_der(&der, FORM)?;
            let itself = certificate.view.issuer == certificate.view.subject;
            if itself { &mut vouchers.anchors } else { &mut vouchers.between }.push(der);
        }
        Ok(vouchers)
    }

    /// Whether one of this name is trusted as it is.
    pub fn know(&self, subject: &str) -> Result<bool> {
        Ok(read(&self.anchors)?.iter().any(|anchor| anchor.subject() == subject))
    }

    #[cfg(test)]
    pub(super) fn anchors(&self) -> impl Iterator<Item = &[u8]> {
        self.anchors.iter().map(Vec::as_slice)
    }

    /// Who each issuer that is not trusted itself is trusted by.
    #[cfg(test)]
    pub(super) fn beneath(&self, at: Time) -> Result<Vec<(String, String)>> {
        let climbed = |der: &Vec<u8>| {
            let certificate = Parsed::from_der(der, FORM)?;
            Ok((certificate.subject(), climb(certificate, self, at)?))
        };
        self.between.iter().map(climbed).collect()
    }
}

fn der_of(pem: &str) -> Result<Vec<u8>> {
    let read = x509_parser::pem::parse_x509_pem(pem.as_bytes());
    read.map(|(_, pem)| pem.contents)
        .map_err(|e| Error::integrity(FORM, format!("not a certificate in PEM ({e})")))
}

/// Verifies the attestation of a key, which was made when it was asked for, by the
/// certificate of the device's key that attests (slot f9), and reads it.
pub fn verify_attestation(
    attestation: &[u8],
    device: &[u8],
    vouchers: &Vouchers,
    at: Time,
) -> Result<Attested> {
    let (key, device) = linked(attestation, device, at)?;
    statement(&key, climb(device, vouchers, at)?)
}

/// Verifies and reads no more than what the device's key signed: who vouches for the
/// device, `voucher`, is taken on trust.
pub fn verify_statement(attestation: &[u8], device: &[u8], voucher: &str, at: Time) -> Result<Attested> {
    let (key, _) = linked(attestation, device, at)?;
    statement(&key, voucher.into())
}

fn linked<'a>(attestation: &'a [u8], device: &'a [u8], at: Time) -> Result<(Parsed<'a>, Parsed<'a>)> {
    let key = Parsed::from_der(attestation, FORM).map_err(|e| e.at("attestation"))?;
    let device = Parsed::from_der(device, FORM).map_err(|e| e.at("certificate in slot f9"))?;
    check_link(&key, &device, 0, at)?;
    Ok((key, device))
}

fn statement(key: &Parsed<'_>, voucher: String) -> Result<Attested> {
    let pin_and_touch = raw(key, 8)?;
    let &[pin, touch] = pin_and_touch else {
        return Err(unlike("policies", pin_and_touch));
    };
    let &[major, minor, patch] = raw(key, 3)? else {
        return Err(unlike("firmware", raw(key, 3)?));
    };
    Ok(Attested {
        public_key: key.public_key(FORM)?,
        voucher,
        serial: serial(key)?,
        firmware: Version(major, minor, patch),
        pin_policy: name(pin, &["default", "never", "once", "always", "match-once", "match-always"]),
        touch_policy: name(touch, &["default", "never", "always", "cached"]),
        form_factor: value(key, 9).map_or_else(|| "not told".into(), form_factor),
    })
}

/// From the device's certificate to one that is trusted.
fn climb(device: Parsed<'_>, vouchers: &Vouchers, at: Time) -> Result<String> {
    let (anchors, between) = (read(&vouchers.anchors)?, read(&vouchers.between)?);
    let mut current = &device;
    for beneath in 1..LONGEST {
        let named = |c: &&Parsed<'_>| c.view.subject == current.view.issuer;
        // Two issuers may bear one name: that one of them did not sign says nothing yet.
        let mut why = unknown(current);
        for anchor in anchors.iter().filter(named) {
            match check_link(current, anchor, beneath, at) {
                Ok(()) => return Ok(anchor.subject()),
                Err(e) => why = e,
            }
        }
        let mut next = None;
        for issuer in between.iter().filter(named) {
            match check_link(current, issuer, beneath, at) {
                Ok(()) => next = Some(issuer),
                Err(e) => why = e,
            }
        }
        current = next.ok_or(why)?;
    }
    Err(unknown(current))
}

fn read(ders: &[Vec<u8>]) -> Result<Vec<Parsed<'_>>> {
    ders.iter().map(|der| Parsed::from_der(der, FORM)).collect()
}

fn unknown(certificate: &Parsed<'_>) -> Error {
    let issuer = super::parsed::show_name(certificate.view.issuer);
    Error::integrity(
        "attest.chain",
        format!("{}: issued by {issuer}, which is not trusted here", certificate.subject()),
    )
    .next("a Yubico issuer that is newer than this build goes into attestation-roots of anchorite.toml, once its fingerprint is checked; any other cannot vouch for a YubiKey")
}

/// One certificate beneath another: name, time, the right to sign, the signature.
fn check_link(certificate: &Parsed<'_>, issuer: &Parsed<'_>, beneath: u32, at: Time) -> Result<()> {
    let fail = |id, what: String| Err(Error::integrity(id, what).at(certificate.subject()).next(FORGED));
    if certificate.view.issuer != issuer.view.subject {
        return fail("attest.chain", format!("not issued by {}", issuer.subject()));
    }
    let (from, to) = (certificate.view.not_before.1, certificate.view.not_after.1);
    if !(from..=to).contains(&at) {
        return fail("attest.chain", format!("valid from {from} to {to}, not at {at}"));
    }
    let constraints = issuer.view.basic_constraints().filter(|c| c.ca);
    let room = constraints.map(|c| c.path_len_constraint.is_none_or(|most| beneath <= most));
    let may_sign = issuer.view.key_usage().is_none_or(|usage| usage.key_cert_sign());
    if room != Some(true) || !may_sign {
        return fail("attest.chain", format!("{} is no CA that may have issued it", issuer.subject()));
    }
    let algorithm = algorithm::from_der(certificate.algorithm)
        .filter(|_| certificate.algorithm == certificate.view.signature);
    let Some(algorithm) = algorithm else {
        return fail("attest.signature", "its signature's algorithm is not known here".into());
    };
    let key = issuer.public_key(FORM)?;
    verify_signature(&key, algorithm, certificate.tbs, certificate.signature)
        .or_else(|e| fail("attest.signature", e.message))
}

const FORGED: &str = "do not trust this device: its attestation is forged or was damaged on the way";

/// 1.3.6.1.4.1.41482.3: Yubico's arc of PIV attestation.
fn value<'a>(certificate: &Parsed<'a>, arc: u64) -> Option<&'a [u8]> {
    let oid = Oid::from(&[1, 3, 6, 1, 4, 1, 41482, 3, arc]).ok()?;
    certificate.view.extension(&oid).map(|extension| extension.value)
}

fn raw<'a>(certificate: &Parsed<'a>, arc: u64) -> Result<&'a [u8]> {
    value(certificate, arc).ok_or_else(|| {
        Error::integrity(FORM, format!("attestation: has no extension 1.3.6.1.4.1.41482.3.{arc}"))
            .next(FORGED)
    })
}

fn unlike(what: &str, found: &[u8]) -> Error {
    Error::integrity(FORM, format!("attestation: its {what} cannot be read: {}", hex(found))).next(FORGED)
}

/// An INTEGER, unlike the others.
fn serial(certificate: &Parsed<'_>) -> Result<Option<u32>> {
    let Some(value) = value(certificate, 7) else { return Ok(None) };
    let number = asn1::only(value).ok().filter(|e| e.tag == 0x02 && (1..=5).contains(&e.content.len()));
    let number = number.map(|e| e.content.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)));
    let serial = number.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| unlike("serial", value))?;
    Ok(Some(serial))
}

fn name(number: u8, names: &[&str]) -> String {
    names.get(usize::from(number)).map_or_else(|| format!("unknown ({number})"), ToString::to_string)
}

/// The upper bits say FIPS series (0x80) and Security Key series (0x40).
fn form_factor(value: &[u8]) -> String {
    let &[byte] = value else { return "not told".into() };
    let shapes = [
        "not told",
        "USB-A keychain",
        "USB-A nano",
        "USB-C keychain",
        "USB-C nano",
        "USB-C and Lightning",
        "USB-A with fingerprint reader",
        "USB-C with fingerprint reader",
    ];
    let fips = if byte & 0x80 == 0 { "" } else { ", FIPS series" };
    format!("{}{fips}", name(byte & 0x3f, &shapes))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}
