//! ML-DSA (RFC 9881): what another implementation made of it verifies here, and nothing else does.

use ml_dsa::signature::{Keypair as _, SignatureEncoding as _};
use ml_dsa::{KeyExport as _, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, SigningKey};

use super::super::{check_journal_certificate, judge_adopted, validate_path, verify};
use crate::lint::CertificateKind::{self, Intermediate, Journal, Root};
use crate::lint::asn1::write;
use crate::lint::findings;
use crate::lint::fixtures::{KU, NOW, Raw, assemble, key, public, tbs, time};
use crate::x509::{Issuer, Name, PublicKey, SignatureAlgorithm};

const ML_DSA_65: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12";
const ML_DSA_87: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13";
const HASH_ML_DSA_65: &[u8] = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x21";
const WITH_NULL: &[u8] = b"\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x05\x00";

/// The message and the context.
type Sign = Box<dyn Fn(&[u8], &[u8]) -> Vec<u8>>;

/// A key pair of RustCrypto's `ml-dsa`.
struct Foreign {
    bits: Vec<u8>,
    sign: Sign,
}

fn foreign<P: MlDsaParams + 'static>(seed: u8) -> Foreign {
    let key = SigningKey::<P>::from_seed(&[seed; 32].into());
    Foreign {
        bits: key.verifying_key().to_bytes().to_vec(),
        sign: Box::new(move |message, context| {
            key.expanded_key().sign_deterministic(message, context).unwrap().to_vec()
        }),
    }
}

impl Foreign {
    fn public(&self) -> PublicKey {
        PublicKey::from_ml_dsa(&self.bits).unwrap()
    }

    /// Signs what is bent as it is.
    fn certificate(&self, raw: &Raw) -> Vec<u8> {
        assemble(&raw.der(), &raw.signature, &(self.sign)(&raw.der(), b""))
    }
}

fn name(subject: &str) -> Name {
    Name::parse(subject).unwrap()
}

fn raw(kind: CertificateKind, subject: &str, key: &PublicKey, above: Option<&Foreign>) -> Raw {
    let above = above.map(|above| (name("CN=Root"), above.public()));
    Raw::of(tbs(kind, subject, key, above.as_ref().map(|(name, key)| (name.clone(), key))).as_der())
}

fn root_of(key: &Foreign) -> Vec<u8> {
    key.certificate(&raw(Root, "CN=Root", &key.public(), None))
}

#[test]
fn a_chain_that_another_implementation_signed() {
    for (root, beneath) in
        [(foreign::<MlDsa87>(1), foreign::<MlDsa65>(2)), (foreign::<MlDsa65>(1), foreign::<MlDsa87>(2))]
    {
        let der = root_of(&root);
        assert!(judge_adopted(&der, time(NOW)).iter().all(|finding| !finding.refuses()));
        let issuer = Issuer::from_der(&der).unwrap();
        assert_eq!(issuer.public_key, root.public());

        let (key, above) = (beneath.public(), root.public());
        let planned = tbs(Intermediate, "CN=east", &key, Some((name("CN=Root"), &above)));
        let intermediate = planned.assemble(&(root.sign)(planned.as_der(), b"")).unwrap();
        assert_eq!(validate_path(&[&intermediate], &der, time(NOW)), Ok(()));
        verify(&planned, &intermediate, Intermediate, &issuer, time(NOW)).unwrap();

        let journal = raw(Journal, "CN=journal", &public(&self::key()), Some(&root));
        assert_eq!(check_journal_certificate(&root.certificate(&journal), &der), Ok(()));
    }
}

/// What is wrong with one certificate beneath a sound root of ML-DSA-65.
#[track_caller]
fn refused(id: &str, make: impl FnOnce(Raw, &Foreign) -> Vec<u8>) {
    let root = foreign::<MlDsa65>(1);
    let beneath = raw(Intermediate, "CN=east", &foreign::<MlDsa65>(2).public(), Some(&root));
    let error = validate_path(&[&make(beneath, &root)], &root_of(&root), time(NOW)).unwrap_err();
    assert_eq!(error.id, id, "{error}");
}

#[test]
fn a_signature_that_was_altered_or_is_another_keys() {
    refused("verify.path.signature", |raw, root| {
        let mut der = root.certificate(&raw);
        *der.last_mut().unwrap() ^= 1;
        der
    });
    refused("verify.path.signature", |raw, _| foreign::<MlDsa65>(3).certificate(&raw));
    refused("verify.path.signature", |raw, _| assemble(&raw.der(), &raw.signature, &[]));
}

#[test]
fn a_signature_with_a_context() {
    refused("verify.path.signature", |raw, root| {
        assemble(&raw.der(), &raw.signature, &(root.sign)(&raw.der(), b"context"))
    });
}

#[test]
fn another_parameter_set_than_the_keys() {
    refused("verify.path.signature", |mut raw, _| {
        raw.signature = ML_DSA_87.to_vec();
        foreign::<MlDsa87>(1).certificate(&raw)
    });
    // The other set's signature under the right set's name.
    refused("verify.path.signature", |raw, _| foreign::<MlDsa87>(1).certificate(&raw));
}

#[test]
fn identifiers_with_parameters_or_of_a_hash() {
    for identifier in [WITH_NULL, HASH_ML_DSA_65] {
        refused("verify.path.algorithm", |mut raw, root| {
            raw.signature = identifier.to_vec();
            root.certificate(&raw)
        });
    }
}

#[test]
fn a_key_with_parameters_or_of_another_length_is_none() {
    let key = foreign::<MlDsa65>(2);
    let spki = |identifier: &[u8], bits: &[u8]| {
        let bits = write(0x03, &[&[0], bits].concat());
        PublicKey::from_der(&write(0x30, &[identifier, &bits].concat()))
    };
    assert_eq!(spki(ML_DSA_65, &key.bits).unwrap(), key.public());
    let short = key.bits.split_last().unwrap().1;
    let id_44 = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";
    let ml_dsa_44 = foreign::<MlDsa44>(2).bits;
    for (identifier, bits) in
        [(WITH_NULL, &key.bits[..]), (ML_DSA_87, &key.bits), (ML_DSA_65, short), (id_44, &ml_dsa_44)]
    {
        assert_eq!(spki(identifier, bits).unwrap_err().id, "key.encoding");
    }
    assert_eq!(PublicKey::from_ml_dsa(&ml_dsa_44).unwrap_err().id, "key.encoding");
}

#[test]
fn a_root_of_ml_dsa_44_is_not_taken_over() {
    let key = foreign::<MlDsa44>(1);
    let mut root = raw(Root, "CN=Root", &foreign::<MlDsa65>(1).public(), None);
    let identifier = b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11";
    root.signature = identifier.to_vec();
    root.set_key(&write(0x30, &[&identifier[..], &write(0x03, &[&[0], &key.bits[..]].concat())].concat()));
    let findings = judge_adopted(&key.certificate(&root), time(NOW));
    let refused: Vec<&str> = findings.iter().filter(|f| f.refuses()).map(|f| f.rule).collect();
    for rule in ["adopt.signature-algorithm", "adopt.signature", "adopt.key"] {
        assert!(refused.contains(&rule), "{refused:?}");
    }
}

#[test]
fn an_ml_dsa_key_enciphers_nothing() {
    let (root, beneath) = (foreign::<MlDsa65>(1), foreign::<MlDsa65>(2));
    let issuer = Issuer::from_der(&root_of(&root)).unwrap();
    let mut raw = raw(Intermediate, "CN=east", &beneath.public(), Some(&root));
    raw.set(KU, true, b"\x03\x02\x01\x26");
    let findings = findings(&raw.der(), SignatureAlgorithm::MlDsa65, Intermediate, Some(&issuer));
    assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["lint.key-usage.encipherment"]);
}
