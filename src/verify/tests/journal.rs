//! The profile of the journal's certificate.

use rcgen::{KeyPair, PublicKeyData as _};

use crate::lint::CertificateKind::{Intermediate, Journal, Root};
use crate::lint::asn1::write;
use crate::lint::fixtures::{BC, EKU, KU, Raw, SAN, key};
use crate::verify::check_journal_certificate;

const DOCUMENT_SIGNING: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x24";
const CODE_SIGNING: &[u8] = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03";

struct Scene {
    root_key: KeyPair,
    root: Raw,
    journal: Raw,
}

fn scene() -> Scene {
    let root_key = key();
    let root = Raw::new(Root, "CN=Root", &root_key, None);
    let journal = Raw::new(Journal, "CN=Root journal", &key(), Some(&root));
    Scene { root_key, root, journal }
}

impl Scene {
    fn check(&self) -> crate::Result<()> {
        check_journal_certificate(&self.journal.sign(&self.root_key), &self.root.sign(&self.root_key))
    }
}

#[track_caller]
fn refused(id: &str, bend: impl FnOnce(&mut Raw)) {
    let mut scene = scene();
    assert_eq!(scene.check(), Ok(()));
    bend(&mut scene.journal);
    let error = scene.check().unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), (id, 4), "{error}");
}

const PROFILE: &str = "verify.journal-certificate";

#[test]
fn a_ca() {
    refused(PROFILE, |r| r.set(BC, true, b"\x30\x03\x01\x01\xff"));
    refused(PROFILE, |r| r.remove(BC));
}

#[test]
fn another_key_usage() {
    refused(PROFILE, |r| r.set(KU, true, b"\x03\x02\x06\xc0"));
    refused(PROFILE, |r| r.set(KU, false, b"\x03\x02\x07\x80"));
    refused(PROFILE, |r| r.remove(KU));
}

#[test]
fn another_purpose() {
    refused(PROFILE, |r| r.set(EKU, false, &write(0x30, DOCUMENT_SIGNING)));
    refused(PROFILE, |r| r.set(EKU, true, &write(0x30, CODE_SIGNING)));
    refused(PROFILE, |r| r.set(EKU, true, &write(0x30, &[DOCUMENT_SIGNING, CODE_SIGNING].concat())));
    refused(PROFILE, |r| r.remove(EKU));
}

#[test]
fn an_alternative_name() {
    refused(PROFILE, |r| r.set(SAN, false, &write(0x30, &write(0x82, b"a.example"))));
}

#[test]
fn a_key_of_another_kind() {
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    refused(PROFILE, |r| r.set_key(&p384.subject_public_key_info()));
}

#[test]
fn one_that_outlives_the_root() {
    refused("verify.path.outlives-issuer", |r| r.set_validity("240101000000Z", "440101000001Z"));
}

#[test]
fn one_issued_by_an_intermediate() {
    let Scene { root_key, root, .. } = scene();
    let ca_key = key();
    let ca = Raw::new(Intermediate, "CN=east", &ca_key, Some(&root));
    let mut leaf = Raw::new(Journal, "CN=Root journal", &key(), Some(&ca));
    leaf.set_validity("250101000000Z", "350101000000Z");
    let root = root.sign(&root_key);
    let error = check_journal_certificate(&leaf.sign(&ca_key), &root).unwrap_err();
    assert_eq!(error.id, "verify.path.name-chaining");
    // Posing as issued by the root.
    let scene = scene();
    let error = check_journal_certificate(&scene.journal.sign(&ca_key), &scene.root.sign(&scene.root_key));
    assert_eq!(error.unwrap_err().id, "verify.path.signature");
}

#[test]
fn age_is_not_asked() {
    let mut scene = scene();
    scene.journal.set_validity("240101000000Z", "240102000000Z");
    assert_eq!(scene.check(), Ok(()));
}
