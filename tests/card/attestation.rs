//! Attestation, as Yubico's page on PIV attestation describes it. Its key in slot F9 and
//! the certificates above it are made when the card is: those above lie in its folder,
//! `root.pem` and, from firmware 5.7.4 on, `issuers.pem`, like the published ones.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use crate::keys::{self, Algorithm};
use crate::state::{Key, State, Version};
use crate::tlv::tlv;

pub const SLOT: u8 = 0xf9;
/// The object that holds the certificate of slot F9.
pub const CERTIFICATE: &str = "5fff01";

/// Whom the certificate of slot F9 names, on every YubiKey.
const NAME: &str = "Yubico PIV Attestation";

/// What an attestation certificate says.
pub struct Statement {
    pub slot: u8,
    pub key: Key,
    pub serial: u32,
    pub version: Version,
}

/// A name, and a key that signs under it.
type Authority = Issuer<'static, KeyPair>;

/// Gives a new card its attestation key and certificate.
pub fn install(state: &mut State, folder: &Path) {
    let (issuer, above) = chain(state.version);
    let write = |name: &str, pem: &str| {
        std::fs::write(folder.join(name), pem).expect("the card's folder can be written");
    };
    write("root.pem", &above[0]);
    if above.len() > 1 {
        write("issuers.pem", &above[1..].concat());
    }
    let (key, certificate) = attestation_key(state.version, &issuer);
    state.keys.insert(SLOT, key);
    state.objects.insert(CERTIFICATE.into(), certificate);
}

/// The same under a root of the same name, with another key.
pub fn forged(version: Version) -> (Key, Vec<u8>) {
    attestation_key(version, &chain(version).0)
}

/// A key for slot F9, and what lies in its object.
fn attestation_key(version: Version, issuer: &Authority) -> (Key, Vec<u8>) {
    let algorithm = if old(version) { Algorithm::Rsa2048 } else { Algorithm::P384 };
    let pkcs8 = keys::generate(algorithm);
    let mut params = params(NAME, Some(0));
    params.key_usages.clear();
    params.custom_extensions.push(extension(3, version.to_vec()));
    let made = params.signed_by(&keys::pair(algorithm, &pkcs8), issuer).expect("a certificate");
    let object = [tlv(0x70, made.der()), tlv(0x71, &[0]), tlv(0xfe, &[])].concat();
    (Key { algorithm: algorithm as u8, pkcs8, pin_policy: 1, touch_policy: 1, imported: false }, object)
}

/// The certificate that says where a key was made.
pub fn attest(by: &Key, statement: &Statement) -> Vec<u8> {
    let issuer = Issuer::new(params(NAME, Some(0)), pair(by));
    let Statement { slot, key, serial, version } = statement;
    let mut params = params(&format!("YubiKey PIV Attestation {slot:02x}"), None);
    params.custom_extensions = vec![
        extension(3, version.to_vec()),
        extension(7, integer(*serial)),
        extension(8, vec![key.pin_policy, key.touch_policy]),
        extension(9, vec![USB_C]),
    ];
    params.signed_by(&pair(key), &issuer).expect("a certificate").der().to_vec()
}

fn pair(key: &Key) -> KeyPair {
    let algorithm = Algorithm::known(key.algorithm, NEWEST).expect("a key that we made");
    keys::pair(algorithm, &key.pkcs8)
}

const NEWEST: Version = [0xff; 3];

/// The form factor: a keychain with USB C.
pub const USB_C: u8 = 3;

/// Up to firmware 5.7.3.
fn old(version: Version) -> bool {
    version < [5, 7, 4]
}

/// Who signs the certificate of slot F9, and what is above: the root alone, or from 5.7.4
/// on the root, an intermediate, and the issuer for PIV.
fn chain(version: Version) -> (Authority, Vec<String>) {
    if old(version) {
        let (root, pem) = root("Test PIV Root CA Serial 1", 1);
        return (root, vec![pem]);
    }
    let (root, first) = root("Test Attestation Root 1", 3);
    let (intermediate, second) = below(&root, "Test Attestation Intermediate A 1", 2);
    let (issuer, third) = below(&intermediate, "Test PIV Attestation A 1", 1);
    (issuer, vec![first, second, third])
}

fn root(name: &str, path_length: u8) -> (Authority, String) {
    let (params, pair) = (params(name, Some(path_length)), rsa());
    let pem = params.self_signed(&pair).expect("a root").pem();
    (Issuer::new(params, pair), pem)
}

fn below(issuer: &Authority, name: &str, path_length: u8) -> (Authority, String) {
    let (mut params, pair) = (params(name, Some(path_length)), rsa());
    params.use_authority_key_identifier_extension = true;
    let pem = params.signed_by(&pair, issuer).expect("a certificate").pem();
    (Issuer::new(params, pair), pem)
}

fn rsa() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key pair")
}

/// Valid as the published ones are; a CA if it has a path length.
fn params(name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2024, 12, 1), date_time_ymd(9999, 12, 31));
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).expect("randomness");
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    if let Some(length) = path_length {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    }
    params
}

/// An extension below Yubico's arc for PIV.
fn extension(number: u64, content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 41482, 3, number], content)
}

/// A DER INTEGER.
fn integer(number: u32) -> Vec<u8> {
    der::Encode::to_der(&number).expect("a number")
}
