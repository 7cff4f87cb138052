//! Path validation: one test a defect.

use rcgen::{KeyPair, SigningKey as _};

use crate::lint::CertificateKind::{Intermediate, Journal, Root};
use crate::lint::asn1::write;
use crate::lint::fixtures::{AKI, BC, CP, EKU, KU, NC, NOW, Raw, SAN, SKI, assemble, key, public, tbs, time};
use crate::verify::validate_path;
use crate::x509::PublicKey;

/// A root that limits nothing, a CA of path length 1 and one of 0 beneath it.
struct Chain {
    keys: [KeyPair; 3],
    raws: [Raw; 3],
}

const PATH_LEN_1: &[u8] = b"\x30\x06\x01\x01\xff\x02\x01\x01";
const PATH_LEN_0: &[u8] = b"\x30\x06\x01\x01\xff\x02\x01\x00";

fn chain() -> Chain {
    let keys = [key(), key(), key()];
    let root = Raw::new(Root, "O=Example,CN=Example Root", &keys[0], None);
    let mut middle = Raw::new(Intermediate, "O=Example,CN=region", &keys[1], Some(&root));
    middle.set(BC, true, PATH_LEN_1);
    let last = Raw::new(Intermediate, "O=Example,CN=east", &keys[2], Some(&middle));
    Chain { keys, raws: [root, middle, last] }
}

impl Chain {
    fn validate(&self) -> crate::Result<()> {
        let [root, middle, last] =
            [(0, 0), (1, 0), (2, 1)].map(|(n, signer)| self.raws[n].sign(&self.keys[signer]));
        validate_path(&[&last, &middle], &root, time(NOW))
    }
}

#[track_caller]
fn refused(id: &str, bend: impl FnOnce(&mut Chain)) {
    let mut chain = chain();
    assert_eq!(chain.validate(), Ok(()), "sound before it is bent");
    bend(&mut chain);
    let error = chain.validate().unwrap_err();
    assert_eq!((error.id, error.kind.exit_code()), (id, 4), "{error}");
}

#[test]
fn a_sound_chain_is_accepted() {
    assert_eq!(chain().validate(), Ok(()));
    let Chain { keys, raws } = chain();
    assert_eq!(validate_path(&[], &raws[0].sign(&keys[0]), time(NOW)), Ok(()));
    let mut journal = Raw::new(Journal, "CN=journal", &keys[1], Some(&raws[0]));
    assert_eq!(validate_path(&[&journal.sign(&keys[0])], &raws[0].sign(&keys[0]), time(NOW)), Ok(()));
    journal.set(SAN, false, &write(0x30, &write(0x82, b"a.example")));
    assert_eq!(validate_path(&[&journal.sign(&keys[0])], &raws[0].sign(&keys[0]), time(NOW)), Ok(()));
}

#[test]
fn a_signature_by_another_key() {
    refused("verify.path.signature", |c| c.keys[1] = key());
}

#[test]
fn a_root_that_did_not_sign_itself() {
    let Chain { keys, raws } = chain();
    let error = validate_path(&[], &raws[0].sign(&keys[1]), time(NOW)).unwrap_err();
    assert_eq!(error.id, "verify.path.signature");
}

#[test]
fn a_root_issued_by_another() {
    refused("verify.path.root", |c| c.raws[0].issuer = c.raws[1].subject.clone());
}

#[test]
fn a_name_that_does_not_chain_byte_for_byte() {
    // The same text as PrintableString: equal for RFC 5280 §7.1, unequal here.
    refused("verify.path.name-chaining", |c| {
        c.raws[1].issuer = crate::lint::fixtures::name(&[
            (&[0x55, 0x04, 0x0a], 0x13, b"Example"),
            (&[0x55, 0x04, 0x03], 0x13, b"Example Root"),
        ]);
    });
}

#[test]
fn a_certificate_not_yet_valid() {
    refused("verify.path.validity", |c| c.raws[2].set_validity("300101000001Z", "350101000000Z"));
}

#[test]
fn an_intermediate_that_expired() {
    refused("verify.path.validity", |c| {
        c.raws[1].set_validity("250101000000Z", "291231235959Z");
        c.raws[2].set_validity("250101000000Z", "291231235959Z");
    });
}

#[test]
fn a_root_that_expired() {
    let Chain { keys, raws } = chain();
    let root = raws[0].sign(&keys[0]);
    assert_eq!(validate_path(&[], &root, time("2044-01-01T00:00:00Z")), Ok(()));
    let error = validate_path(&[], &root, time("2044-01-01T00:00:01Z")).unwrap_err();
    assert_eq!(error.id, "verify.path.validity");
}

#[test]
fn a_certificate_that_outlives_its_issuer() {
    refused("verify.path.outlives-issuer", |c| c.raws[2].set_validity("250101000000Z", "350101000001Z"));
}

#[test]
fn a_certificate_that_outlives_its_root() {
    refused("verify.path.outlives-issuer", |c| c.raws[1].set_validity("250101000000Z", "440101000001Z"));
}

#[test]
fn a_new_ca_beneath_path_length_0() {
    refused("verify.path.path-length", |c| c.raws[1].set(BC, true, PATH_LEN_0));
}

#[test]
fn a_new_ca_beneath_a_root_of_path_length_0() {
    let Chain { keys, mut raws } = chain();
    raws[0].set(BC, true, PATH_LEN_0);
    let (root, ca) = (raws[0].sign(&keys[0]), raws[1].sign(&keys[0]));
    assert_eq!(validate_path(&[&ca], &root, time(NOW)).unwrap_err().id, "verify.path.path-length");
    let journal = Raw::new(Journal, "CN=journal", &keys[2], Some(&raws[0])).sign(&keys[0]);
    assert_eq!(validate_path(&[&journal], &root, time(NOW)), Ok(()), "an end entity is not counted");
}

#[test]
fn the_roots_own_path_length() {
    refused("verify.path.path-length", |c| c.raws[0].set(BC, true, PATH_LEN_1));
}

#[test]
fn an_issuer_that_is_no_ca() {
    refused("verify.path.not-a-ca", |c| c.raws[1].set(BC, true, &[0x30, 0]));
}

#[test]
fn an_issuer_without_basic_constraints() {
    refused("verify.path.not-a-ca", |c| c.raws[1].remove(BC));
}

#[test]
fn an_issuer_without_key_cert_sign() {
    refused("verify.path.key-usage", |c| c.raws[1].set(KU, true, b"\x03\x02\x01\x02"));
}

#[test]
fn a_root_without_key_usage() {
    refused("verify.path.key-usage", |c| c.raws[0].remove(KU));
}

#[test]
fn an_authority_key_id_of_another_key() {
    refused("verify.path.key-id", |c| c.raws[2].set(AKI, false, &write(0x30, &write(0x80, &[1; 20]))));
}

#[test]
fn no_authority_key_id() {
    refused("verify.path.key-id", |c| c.raws[2].remove(AKI));
}

#[test]
fn a_root_whose_key_ids_disagree() {
    refused("verify.path.key-id", |c| c.raws[0].set(AKI, false, &write(0x30, &write(0x80, &[1; 20]))));
}

#[test]
fn an_issuer_without_subject_key_id() {
    refused("verify.path.key-id", |c| c.raws[1].remove(SKI));
}

#[test]
fn a_critical_extension_nobody_knows() {
    refused("verify.path.critical", |c| c.raws[2].set(&[0x2a, 0x03, 0x04], true, &[5, 0]));
    let mut harmless = chain();
    harmless.raws[2].set(&[0x2a, 0x03, 0x04], false, &[5, 0]);
    assert_eq!(harmless.validate(), Ok(()));
}

#[test]
fn critical_policies_whose_tree_is_not_processed() {
    refused("verify.path.critical", |c| c.raws[2].set(CP, true, b"\x30\x06\x30\x04\x06\x02\x2a\x03"));
}

#[test]
fn an_extension_twice() {
    refused("verify.path.extension", |c| c.raws[2].extensions.push(c.raws[2].extensions[0].clone()));
}

#[test]
fn an_extension_that_is_not_understood_to_the_last_byte() {
    refused("verify.path.extension", |c| c.raws[2].set(EKU, false, b"\x30\x02\x05\x00"));
}

#[test]
fn version_1() {
    refused("verify.path.version", |c| c.raws[2].version.clear());
}

#[test]
fn algorithms_inside_and_outside_that_differ() {
    let Chain { keys, raws } = chain();
    let der = raws[1].der();
    let sha384 = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
    let certificate = assemble(&der, sha384, &keys[0].sign(&der).unwrap());
    let error = validate_path(&[&certificate], &raws[0].sign(&keys[0]), time(NOW)).unwrap_err();
    assert_eq!(error.id, "verify.path.algorithm");
}

#[test]
fn sha1_and_md5() {
    refused("verify.path.algorithm", |c| {
        c.raws[1].signature = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01".to_vec()
    });
    refused("verify.path.algorithm", |c| {
        c.raws[1].signature = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00".to_vec();
    });
}

#[test]
fn an_algorithm_of_another_kind_of_key() {
    refused("verify.path.signature", |c| {
        c.raws[1].signature = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00".to_vec();
    });
}

#[test]
fn a_key_of_no_known_kind() {
    let Chain { keys, mut raws } = chain();
    let last = raws[2].sign(&keys[1]);
    raws[1].key = b"\x30\x0a\x30\x05\x06\x03\x2b\x65\x71\x03\x01\x00".to_vec();
    let (middle, root) = (raws[1].sign(&keys[0]), raws[0].sign(&keys[0]));
    assert_eq!(validate_path(&[&last, &middle], &root, time(NOW)).unwrap_err().id, "verify.path.key");
}

#[test]
fn trailing_bytes_and_rubbish() {
    let Chain { keys, raws } = chain();
    let (root, mut ca) = (raws[0].sign(&keys[0]), raws[1].sign(&keys[0]));
    assert_eq!(validate_path(&[b"rubbish"], &root, time(NOW)).unwrap_err().id, "verify.path.parse");
    assert_eq!(validate_path(&[], b"", time(NOW)).unwrap_err().id, "verify.path.parse");
    ca.push(0);
    assert_eq!(validate_path(&[&ca], &root, time(NOW)).unwrap_err().id, "verify.path.parse");
}

#[test]
fn a_chain_without_end() {
    let Chain { keys, raws } = chain();
    let (root, ca) = (raws[0].sign(&keys[0]), raws[1].sign(&keys[0]));
    let error = validate_path(&[ca.as_slice(); 11], &root, time(NOW)).unwrap_err();
    assert_eq!(error.id, "verify.path.too-long");
}

fn constrain(chain: &mut Chain, above: usize, permitted: &[&[u8]], excluded: &[&[u8]]) {
    let list = |tag: u8, bases: &[&[u8]]| {
        let subtrees: Vec<u8> = bases.iter().flat_map(|b| write(0x30, b)).collect();
        if bases.is_empty() { Vec::new() } else { write(tag, &subtrees) }
    };
    let value = write(0x30, &[list(0xa0, permitted), list(0xa1, excluded)].concat());
    chain.raws[above].set(NC, true, &value);
}

fn names(chain: &mut Chain, names: &[&[u8]]) {
    chain.raws[2].set(SAN, false, &write(0x30, &names.concat()));
}

#[test]
fn dns_names_outside_what_is_permitted() {
    let dns = |name: &[u8]| write(0x82, name);
    let mut sound = chain();
    constrain(&mut sound, 1, &[&dns(b"mesh.example")], &[&dns(b"evil.mesh.example")]);
    names(&mut sound, &[&dns(b"east.mesh.example")]);
    assert_eq!(sound.validate(), Ok(()));
    for (above, name) in
        [(1, &b"mesh.example.net"[..]), (0, b"evil.mesh.example"), (0, b"a.EVIL.mesh.example")]
    {
        refused("verify.path.name-constraints", |c| {
            constrain(c, above, &[&dns(b"mesh.example")], &[&dns(b"evil.mesh.example")]);
            names(c, &[&dns(b"east.mesh.example"), &dns(name)]);
        });
    }
}

#[test]
fn constraints_that_matter_but_are_not_processed() {
    let uri = write(0x86, b"mesh.example");
    let mut idle = chain();
    constrain(&mut idle, 1, &[&uri], &[]);
    assert_eq!(idle.validate(), Ok(()), "no URI beneath it");
    refused("verify.path.name-constraints", |c| {
        constrain(c, 1, &[&uri], &[]);
        names(c, &[&write(0x86, b"spiffe://mesh.example/x")]);
    });
    refused("verify.path.name-constraints", |c| {
        let subject = c.raws[2].subject.clone();
        constrain(c, 1, &[], &[&write(0xa4, &subject)]);
    });
}

/// A root of each kind that can be made, signed and verified.
#[test]
fn roots_of_every_kind_verify() {
    use rcgen::{
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_ML_DSA_65, PKCS_ML_DSA_87,
        PKCS_RSA_SHA256, RsaKeySize,
    };
    let keys = [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        KeyPair::generate_for(&PKCS_ED25519),
        KeyPair::generate_for(&PKCS_ML_DSA_65),
        KeyPair::generate_for(&PKCS_ML_DSA_87),
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
    ];
    for key in keys.map(Result::unwrap) {
        let own: PublicKey = public(&key);
        let tbs = tbs(Root, "CN=Root", &own, None);
        let der = tbs.assemble(&key.sign(tbs.as_der()).unwrap()).unwrap();
        assert_eq!(validate_path(&[], &der, time(NOW)), Ok(()), "{}", own.algorithm());
        let issuer = crate::x509::Issuer::from_der(&der).unwrap();
        crate::verify::verify(&tbs, &der, Root, &issuer, time(NOW)).unwrap();
        let mut broken = der.clone();
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(validate_path(&[], &broken, time(NOW)).unwrap_err().id, "verify.path.signature");
    }
}
