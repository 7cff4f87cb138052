//! A certificate that is not to the letter what was planned does not leave.

use rcgen::{KeyPair, SigningKey as _};

use crate::lint::CertificateKind::{self, Intermediate, Journal, Root};
use crate::lint::fixtures::{NOW, Raw, assemble, key, public, tbs, time};
use crate::verify::{Certificate, verify};
use crate::x509::{Issuer, Tbs};

const LATER: &str = "2036-01-01T00:00:00Z";

struct Scene {
    key: KeyPair,
    root: Issuer,
    planned: Tbs,
}

fn scene(kind: CertificateKind) -> Scene {
    let root_key = key();
    let root_tbs = tbs(Root, "CN=Root", &public(&root_key), None);
    let root_der = root_tbs.assemble(&root_key.sign(root_tbs.as_der()).unwrap()).unwrap();
    let root = Issuer::from_der(&root_der).unwrap();
    let above = (root.subject.clone(), &root.public_key);
    let planned =
        if kind == Root { root_tbs } else { tbs(kind, "O=Example,CN=east", &public(&key()), Some(above)) };
    Scene { key: root_key, root, planned }
}

impl Scene {
    fn signed(&self) -> Vec<u8> {
        self.planned.assemble(&self.key.sign(self.planned.as_der()).unwrap()).unwrap()
    }

    #[track_caller]
    fn refused(&self, id: &str, der: &[u8], kind: CertificateKind, at: &str) {
        let error = verify(&self.planned, der, kind, &self.root, time(at)).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), (id, 4), "{error}");
        assert!(error.message.len() > 20, "evidence in {error}");
    }
}

#[test]
fn what_was_planned_is_verified_and_read() {
    for kind in [Intermediate, Journal] {
        let scene = scene(kind);
        let der = scene.signed();
        let verified = verify(&scene.planned, &der, kind, &scene.root, time(NOW)).unwrap();
        let Certificate { path_len, kind: found, subject, .. } = verified.get();
        assert_eq!((*path_len, *found), ((kind == Intermediate).then_some(0), kind));
        assert_eq!(subject.to_string(), "O=Example, CN=east");
        assert_eq!(verified.into_inner().der, der);
    }
}

#[test]
fn a_root_is_verified_by_itself() {
    let root = scene(Root);
    assert!(verify(&root.planned, &root.root.der.clone(), Root, &root.root, time(NOW)).is_ok());
    // ECDSA signs differently each time: the same root, but not the issuer's bytes.
    let again = root.signed();
    assert_ne!(again, root.root.der);
    // Nor does it renew itself.
    root.refused("verify.certificate.lint", &again, Root, NOW);
}

#[test]
fn a_signature_of_another_key() {
    let scene = scene(Intermediate);
    let other = key().sign(scene.planned.as_der()).unwrap();
    scene.refused("verify.signature", &scene.planned.assemble(&other).unwrap(), Intermediate, NOW);
}

#[test]
fn signed_bytes_that_are_not_the_planned() {
    let scene = scene(Intermediate);
    let mut raw = Raw::of(scene.planned.as_der());
    raw.set_validity("250101000000Z", "350102000000Z");
    scene.refused("verify.certificate.tbs", &raw.sign(&scene.key), Intermediate, NOW);
}

#[test]
fn an_algorithm_outside_that_is_not_the_one_inside() {
    let scene = scene(Intermediate);
    let signature = scene.key.sign(scene.planned.as_der()).unwrap();
    let sha384 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    let der = assemble(scene.planned.as_der(), sha384, &signature);
    scene.refused("verify.certificate.algorithm", &der, Intermediate, NOW);
}

#[test]
fn a_certificate_that_fails_its_lints() {
    let scene = scene(Intermediate);
    scene.refused("verify.certificate.lint", &scene.signed(), Journal, NOW);
}

#[test]
fn a_certificate_whose_path_does_not_hold_today() {
    let scene = scene(Intermediate);
    scene.refused("verify.path.validity", &scene.signed(), Intermediate, LATER);
}

#[test]
fn trailing_bytes() {
    let scene = scene(Intermediate);
    let mut der = scene.signed();
    der.push(0);
    scene.refused("verify.certificate.parse", &der, Intermediate, NOW);
}

#[test]
fn no_bent_byte_is_ever_verified() {
    let scene = scene(Intermediate);
    let der = scene.signed();
    for n in 0..der.len() {
        let mut bent = der.clone();
        bent[n] ^= 0x01;
        assert!(verify(&scene.planned, &bent, Intermediate, &scene.root, time(NOW)).is_err(), "byte {n}");
    }
}
