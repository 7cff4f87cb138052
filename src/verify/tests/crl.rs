//! A CRL that is not to the letter what was planned does not leave.

use rcgen::{KeyPair, SigningKey as _};

use crate::lint::crl::fixtures::{RawCrl, crl, entries, root};
use crate::lint::fixtures::{assemble, key};
use crate::verify::{read_crl, verify_crl};
use crate::x509::{Issuer, Reason, Revocation, Tbs, Time};

struct Scene {
    key: KeyPair,
    root: Issuer,
    planned: Tbs,
    entries: Vec<Revocation>,
}

fn scene(count: u32) -> Scene {
    let (key, root) = root();
    let entries = entries(count);
    let planned = crl(&root, entries.clone());
    Scene { key, root, planned, entries }
}

impl Scene {
    fn signed(&self) -> Vec<u8> {
        self.planned.assemble(&self.key.sign(self.planned.as_der()).unwrap()).unwrap()
    }

    #[track_caller]
    fn refused(&self, id: &str, der: &[u8]) {
        let error = verify_crl(&self.planned, der, &self.root, &self.entries).unwrap_err();
        assert_eq!((error.id, error.kind.exit_code()), (id, 4), "{error}");
        assert!(error.message.len() > 20 && error.next.contains("must not leave"), "{error}");
    }
}

#[test]
fn what_was_planned_is_verified_and_read() {
    for count in [0, 1, 50] {
        let scene = scene(count);
        let der = scene.signed();
        let verified = verify_crl(&scene.planned, &der, &scene.root, &scene.entries).unwrap();
        assert_eq!((verified.get().number, &verified.get().entries), (7, &scene.entries));
        assert_eq!(verified.get().this_update.to_string(), "2030-01-01T00:00:00Z");
        assert_eq!(verified.get().next_update.to_string(), "2031-01-01T00:00:00Z");
        assert_eq!(read_crl(&der, &scene.root), Ok(verified.into_inner()));
    }
}

#[test]
fn a_signature_of_another_key() {
    let scene = scene(2);
    let other = key().sign(scene.planned.as_der()).unwrap();
    let der = scene.planned.assemble(&other).unwrap();
    scene.refused("verify.signature", &der);
    assert_eq!(read_crl(&der, &scene.root).unwrap_err().id, "verify.signature");
}

#[test]
fn signed_bytes_that_are_not_the_planned() {
    let scene = scene(2);
    let mut raw = RawCrl::of(scene.planned.as_der());
    raw.entries.as_mut().unwrap().pop();
    scene.refused("verify.crl.tbs", &raw.sign(&scene.key));
}

#[test]
fn an_algorithm_outside_that_is_not_the_one_inside() {
    let scene = scene(2);
    let signature = scene.key.sign(scene.planned.as_der()).unwrap();
    let sha384 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    let der = assemble(scene.planned.as_der(), sha384, &signature);
    scene.refused("verify.crl.algorithm", &der);
    assert_eq!(read_crl(&der, &scene.root).unwrap_err().id, "verify.crl.algorithm");
}

#[test]
fn entries_that_are_not_the_wanted() {
    let defects: [fn(&mut Vec<Revocation>); 6] = [
        |e| e.truncate(7),
        |e| e.swap(0, 1),
        |e| e[1].reason = Reason::CaCompromise,
        |e| e[2].date = Time::from_unix(1_800_000_003),
        |e| e[1].invalidity_date = None,
        |e| e[3].serial = e[4].serial.clone(),
    ];
    for (n, defect) in defects.into_iter().enumerate() {
        let mut scene = scene(8);
        defect(&mut scene.entries);
        let error = verify_crl(&scene.planned, &scene.signed(), &scene.root, &scene.entries).unwrap_err();
        assert_eq!(error.id, "verify.crl.entries", "defect {n}: {error}");
    }
}

#[test]
fn a_crl_that_fails_its_lints() {
    let mut scene = scene(2);
    scene.root.crl_sign = false;
    scene.refused("verify.crl.lint", &scene.signed());
    scene.root.crl_sign = true;
    let mut raw = RawCrl::of(scene.planned.as_der());
    raw.entries = Some(Vec::new());
    assert_eq!(read_crl(&raw.sign(&scene.key), &scene.root).unwrap_err().id, "verify.crl.lint");
}

#[test]
fn a_number_that_is_too_large_for_a_record_is_told_of() {
    let scene = scene(2);
    let mut raw = RawCrl::of(scene.planned.as_der());
    raw.extensions[1].2 = b"\x02\x09\x01\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    assert_eq!(read_crl(&raw.sign(&scene.key), &scene.root).unwrap_err().id, "verify.crl.number");
}

#[test]
fn trailing_bytes() {
    let scene = scene(2);
    let mut der = scene.signed();
    der.push(0);
    scene.refused("verify.crl.parse", &der);
    assert_eq!(read_crl(&der, &scene.root).unwrap_err().id, "verify.crl.parse");
}

#[test]
fn no_bent_byte_is_ever_verified() {
    let scene = scene(3);
    let der = scene.signed();
    for n in 0..der.len() {
        let mut bent = der.clone();
        bent[n] ^= 0x01;
        assert!(verify_crl(&scene.planned, &bent, &scene.root, &scene.entries).is_err(), "byte {n}");
        assert!(read_crl(&bent, &scene.root).is_err(), "byte {n}");
    }
}
