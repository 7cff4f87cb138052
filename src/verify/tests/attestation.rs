//! Attestations made here, by a device and an issuer that are made here too.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};

use crate::error::Error;
use crate::verify::{Attested, Version, Vouchers, verify_attestation};
use crate::x509::{KeyAlgorithm, PublicKey, Time};

const ARC: [u64; 8] = [1, 3, 6, 1, 4, 1, 41482, 3];

fn at() -> Time {
    Time::parse("2026-11-22T10:00:00Z").unwrap()
}

fn params(name: &str, is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params
}

fn ca(path_len: u8) -> IsCa {
    IsCa::Ca(BasicConstraints::Constrained(path_len))
}

type Ca = CertifiedIssuer<'static, KeyPair>;

/// What a maker has: its root, and a device's certificate beneath it.
pub(crate) struct Maker {
    pub(crate) root: Ca,
    pub(crate) device: Ca,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self::with(params("Maker Root", ca(1)), params("Maker PIV Attestation", ca(0)))
    }

    fn with(root: CertificateParams, device: CertificateParams) -> Self {
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let device = CertifiedIssuer::signed_by(device, KeyPair::generate().unwrap(), &root).unwrap();
        Self { root, device }
    }

    fn vouchers(&self) -> Vouchers {
        Vouchers::with(&[self.root.der().to_vec()]).unwrap()
    }

    fn attest(&self, extensions: &[(u64, &[u8])]) -> Vec<u8> {
        attest_by(&self.device, extensions)
    }

    /// Of this P-256 key, as usual.
    pub(crate) fn attest_key(&self, key: &PublicKey) -> Vec<u8> {
        let key = Point(key.as_der().last_chunk().copied().unwrap());
        attestation(USUAL).signed_by(&key, &self.device).unwrap().der().to_vec()
    }
}

/// Of P-256: the last that a SubjectPublicKeyInfo says.
struct Point([u8; 65]);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn attest_by(device: &Issuer<'_, KeyPair>, extensions: &[(u64, &[u8])]) -> Vec<u8> {
    attestation(extensions).signed_by(&KeyPair::generate().unwrap(), device).unwrap().der().to_vec()
}

fn attestation(extensions: &[(u64, &[u8])]) -> CertificateParams {
    let mut attestation = params("YubiKey PIV Attestation 9c", IsCa::NoCa);
    attestation.custom_extensions = extensions
        .iter()
        .map(|(number, value)| {
            let oid = [&ARC[..], &[*number]].concat();
            CustomExtension::from_oid_content(&oid, value.to_vec())
        })
        .collect();
    attestation
}

const USUAL: &[(u64, &[u8])] =
    &[(3, &[5, 7, 1]), (7, &[2, 4, 1, 0x6d, 0x3b, 0x8e]), (8, &[3, 2]), (9, &[0x83])];

fn verified(maker: &Maker, attestation: &[u8]) -> Result<Attested, Error> {
    verify_attestation(attestation, maker.device.der(), &maker.vouchers(), at())
}

#[track_caller]
fn refused(maker: &Maker, attestation: &[u8], id: &str, why: &str) {
    let error = verified(maker, attestation).unwrap_err();
    assert_eq!(error.id, id, "{error}");
    assert!(error.message.contains(why) && !error.next.is_empty(), "{error}");
}

#[test]
fn what_a_device_says_of_its_key_is_read() {
    let maker = Maker::new();
    let attested = verified(&maker, &maker.attest(USUAL)).unwrap();
    assert_eq!(attested.public_key.algorithm(), KeyAlgorithm::P256);
    assert_eq!((attested.serial, attested.firmware), (Some(23_935_886), Version(5, 7, 1)));
    assert_eq!((attested.pin_policy.as_str(), attested.touch_policy.as_str()), ("always", "always"));
    assert_eq!(attested.form_factor, "USB-C keychain, FIPS series");
    assert_eq!(
        (attested.voucher.as_str(), attested.firmware.to_string().as_str()),
        ("CN=Maker Root", "5.7.1")
    );
    let without_serial = maker.attest(&[(3, &[4, 3, 5]), (8, &[2, 9])]);
    let attested = verified(&maker, &without_serial).unwrap();
    assert_eq!((attested.serial, attested.form_factor.as_str()), (None, "not told"));
    assert_eq!((attested.pin_policy.as_str(), attested.touch_policy.as_str()), ("once", "unknown (9)"));
}

#[test]
fn what_is_not_told_as_published_is_refused() {
    let maker = Maker::new();
    for (extensions, why) in [
        (&[(8_u64, &[3_u8, 2][..])][..], "41482.3.3"),
        (&[(3, &[5, 7, 1])], "41482.3.8"),
        (&[(3, &[5, 7]), (8, &[3, 2])], "its firmware"),
        (&[(3, &[5, 7, 1]), (8, &[3])], "its policies"),
        (&[(3, &[5, 7, 1]), (8, &[3, 2]), (7, &[2, 5, 1, 0, 0, 0, 0])], "its serial"),
        (&[(3, &[5, 7, 1]), (8, &[3, 2]), (7, &[4, 1, 1])], "its serial"),
    ] {
        refused(&maker, &maker.attest(extensions), "attest.form", why);
    }
    refused(&maker, b"\x30\x00", "attest.form", "attestation: not a DER certificate");
    let error = verify_attestation(&maker.attest(USUAL), b"", &maker.vouchers(), at()).unwrap_err();
    assert!(error.id == "attest.form" && error.message.contains("slot f9"), "{error}");
}

#[test]
fn no_chain_but_to_a_trusted_issuer_counts() {
    let maker = Maker::new();
    let attestation = maker.attest(USUAL);
    let yubico_alone = Vouchers::with(&[]).unwrap();
    let error = verify_attestation(&attestation, maker.device.der(), &yubico_alone, at()).unwrap_err();
    assert!(error.id == "attest.chain" && error.message.contains("not trusted here"), "{error}");
    assert!(error.next.contains("attestation-roots"), "{error:?}");
    let itself = Vouchers::with(&[maker.device.der().to_vec()]).unwrap();
    let error = verify_attestation(&attestation, maker.device.der(), &itself, at()).unwrap_err();
    assert_eq!(error.id, "attest.chain", "a device does not vouch for itself");
    let later = Time::parse("5000-01-01T00:00:00Z").unwrap();
    let error = verify_attestation(&attestation, maker.device.der(), &maker.vouchers(), later).unwrap_err();
    assert!(error.id == "attest.chain" && error.message.contains("valid from"), "{error}");
}

#[test]
fn a_forged_attestation_is_found() {
    let maker = Maker::new();
    let attestation = maker.attest(USUAL);
    // Another device of the same name, and a certificate of the device's own that is no CA.
    refused(&Maker::new(), &attestation, "attest.signature", "does not verify");
    let plain = Maker::with(params("Maker Root", ca(1)), params("Maker PIV Attestation", IsCa::NoCa));
    refused(&plain, &plain.attest(USUAL), "attest.chain", "no CA");
    let mut unable = params("Maker PIV Attestation", ca(0));
    unable.key_usages = vec![KeyUsagePurpose::CrlSign];
    let unable = Maker::with(params("Maker Root", ca(1)), unable);
    refused(&unable, &unable.attest(USUAL), "attest.chain", "no CA");
    let too_deep = Maker::with(params("Maker Root", ca(0)), params("Maker PIV Attestation", ca(0)));
    refused(&too_deep, &too_deep.attest(USUAL), "attest.chain", "no CA");
    // A root that only bears the trusted one's name.
    let namesake = Maker::new();
    let error = verify_attestation(&namesake.attest(USUAL), namesake.device.der(), &maker.vouchers(), at())
        .unwrap_err();
    assert_eq!(error.id, "attest.signature", "{error}");
    // One made by a key that the device attested: a chain that goes one further.
    let stranger = params("Stranger", ca(0));
    let stranger = CertifiedIssuer::signed_by(stranger, KeyPair::generate().unwrap(), &maker.device).unwrap();
    let forged = attest_by(&stranger, USUAL);
    refused(&maker, &forged, "attest.chain", "not issued by");
    let mut changed = attestation.clone();
    let at = attestation.windows(3).position(|w| w == [5, 7, 1]).unwrap();
    changed[at + 1] = 8;
    refused(&maker, &changed, "attest.signature", "does not verify");
}

#[test]
fn yubicos_issuers_are_the_published_ones_and_hold_together() {
    use crate::x509::Digest;
    let vouchers = Vouchers::with(&[]).unwrap();
    let mut digests: Vec<String> = vouchers.anchors().map(|der| Digest::of(der).to_string()).collect();
    digests.sort();
    assert_eq!(
        digests,
        [
            "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8",
            "63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546",
        ]
    );
    let beneath = vouchers.beneath(at()).unwrap();
    assert_eq!(beneath.len(), 4);
    assert!(beneath.iter().all(|(_, root)| root == "CN=Yubico Attestation Root 1"), "{beneath:?}");
}

#[test]
fn an_issuer_that_is_trusted_needs_no_root_above_it() {
    let root = CertifiedIssuer::self_signed(params("Root", ca(2)), KeyPair::generate().unwrap()).unwrap();
    let between =
        CertifiedIssuer::signed_by(params("Issuer", ca(1)), KeyPair::generate().unwrap(), &root).unwrap();
    let device =
        CertifiedIssuer::signed_by(params("Device", ca(0)), KeyPair::generate().unwrap(), &between).unwrap();
    let vouchers = Vouchers::with(&[between.der().to_vec()]).unwrap();
    let attested = verify_attestation(&attest_by(&device, USUAL), device.der(), &vouchers, at()).unwrap();
    assert_eq!(attested.voucher, "CN=Issuer");
}
