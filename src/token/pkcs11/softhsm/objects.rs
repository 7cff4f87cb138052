//! Other people's objects, keys that are not as they should be, and data.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{CertificateType, KeyType, ObjectClass};

use super::*;
use crate::finding::Outcome;
use crate::token::rules;
use crate::token::uri::TokenUri;
use crate::verify::verify_signature;
use crate::x509::SignatureAlgorithm;

const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const SECP256K1: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 10];

fn key_pair(token: &mut Pkcs11, curve: &[u8], id: &[u8], label: &[u8], more: &[Attribute]) {
    let named = [Attribute::Token(true), Attribute::Id(id.to_vec()), Attribute::Label(label.to_vec())];
    let public = [&named[..], &[Attribute::EcParams(curve.to_vec()), Attribute::Private(false)]].concat();
    let private = [&named[..], &[Attribute::Sign(true)], more].concat();
    token.writable().unwrap().generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).unwrap();
}

pub(super) fn other_objects_do_not_disturb() {
    let mut token = logged_in("others");
    let weird = b"\x1b[31mred\xff".to_vec();
    foreign(
        &mut token,
        &[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Id(b"root".to_vec()),
            Attribute::Label(weird.clone()),
            Attribute::Value(vec![1; 16]),
        ],
    );
    foreign(
        &mut token,
        &[
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Id(b"root".to_vec()),
            Attribute::Subject(vec![0x30, 0]),
            Attribute::Value(vec![0x30, 0]),
        ],
    );
    foreign(
        &mut token,
        &[
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Label("\u{202e}txt".into()),
            Attribute::Value(vec![]),
        ],
    );
    key_pair(&mut token, &SECP256K1, b"bitcoin", b"root", &[]);
    let ed25519 = key_permit(KeyRole::Root, KeyAlgorithm::Ed25519, "edwards", b"edwards");
    token.generate(ed25519).unwrap();

    // the certificate and the AES key have the same CKA_ID, which is no matter
    let permit = key_permit(KeyRole::Root, KeyAlgorithm::P256, "mine", b"mine");
    let made = token.generate(permit).unwrap();
    assert!(token.find_key(b"root").unwrap().is_none());
    assert_eq!(token.find_key(b"mine").unwrap().unwrap().public_key, made.public_key);
    assert!(token.label_in_use("root").unwrap());
    assert_eq!(token.find_key(b"bitcoin").unwrap_err().id, "token.public-key-missing");

    let listed = token.objects().unwrap();
    assert_eq!(listed.len(), 9, "{listed:?}");
    let with = |class: &str, algorithm: &str| {
        listed.iter().filter(|o| o.class == class && o.algorithm == algorithm).collect::<Vec<_>>()
    };
    for (class, algorithm) in [
        ("private key", "p256"),
        ("public key", "p256"),
        ("private key", "ed25519"),
        ("public key", "ed25519"),
        ("private key", ""), // secp256k1 is not known here
        ("certificate", ""),
    ] {
        assert_eq!(with(class, algorithm).len(), 1, "{class} {algorithm}");
    }
    assert_eq!(with("secret key", "")[0].label, "\\u{1b}[31mred\\xff");
    assert_eq!(with("data", "")[0].label, "\\u{202e}txt");
    let mine = with("private key", "p256")[0];
    assert_eq!((mine.label.as_str(), mine.id.as_str()), ("mine", "6d696e65"));
    assert_eq!(Pkcs11Uri::parse(&mine.uri).unwrap().id.unwrap(), b"mine");
    assert!(listed.iter().all(|object| Pkcs11Uri::parse(&object.uri).is_ok()));
}

pub(super) fn an_id_that_names_two_keys_names_none() {
    let mut token = logged_in("twins");
    key_pair(&mut token, &P256, b"two", b"first", &[]);
    key_pair(&mut token, &P256, b"two", b"second", &[]);
    let error = token.find_key(b"two").unwrap_err();
    assert_eq!(error.id, "token.key-ambiguous");
    assert!(error.message.contains("2 private keys") && error.message.contains("74776f"), "{error}");

    // one private key beside two public ones: which is its own cannot be told
    let first = Attribute::Label(b"first".to_vec());
    let extra = token.find(ObjectClass::PRIVATE_KEY, first).unwrap();
    token.writable().unwrap().destroy_object(extra[0]).unwrap();
    let error = token.find_key(b"two").unwrap_err();
    assert_eq!(error.id, "token.key-ambiguous");
    assert!(error.message.contains("2 different public keys"), "{error}");

    // and none at all
    for public in token.find(ObjectClass::PUBLIC_KEY, Attribute::Id(b"two".to_vec())).unwrap() {
        token.writable().unwrap().destroy_object(public).unwrap();
    }
    assert_eq!(token.find_key(b"two").unwrap_err().id, "token.public-key-missing");
}

pub(super) fn a_key_that_is_not_fit_is_told_as_it_is() {
    let mut token = logged_in("twins");
    let open_key = [Attribute::Extractable(true), Attribute::Sensitive(false), Attribute::Derive(true)];
    key_pair(&mut token, &P256, b"open", b"open", &open_key);
    let key = token.described_keys(&Wanted::Id(b"open")).unwrap()[0].attributes.clone();
    assert_eq!((key.extractable, key.sensitive, key.derive), (Some(true), Some(false), Some(true)));
    assert_eq!((key.never_extractable, key.always_sensitive), (Some(false), Some(false)));

    key_pair(
        &mut token,
        &P256,
        b"always",
        b"always",
        &[Attribute::AlwaysAuthenticate(true), Attribute::Private(true)],
    );
    let key = token.find_key(b"always").unwrap().unwrap();
    assert!(key.always_authenticate);
    // What cryptoki's own C_Sign comes to, and what becomes of it with the PIN again.
    let handle = token.find(ObjectClass::PRIVATE_KEY, Attribute::Id(b"always".to_vec())).unwrap()[0];
    token.session.sign(&Mechanism::Ecdsa, handle, &[7; 32]).unwrap_err();
    for message in [&b"one"[..], b"another"] {
        let permit = permit(KeyRole::Root, SignatureAlgorithm::EcdsaSha256, message);
        let signature = token.sign(&key, permit).unwrap();
        verify_signature(&key.public_key, SignatureAlgorithm::EcdsaSha256, message, &signature).unwrap();
    }
    let mut lanes = token.signers(4).unwrap();
    assert_eq!(lanes.len(), 1);
    let permit = permit(KeyRole::Root, SignatureAlgorithm::EcdsaSha256, b"third");
    lanes[0].sign(&key, permit).unwrap();
}

/// What a key says of itself, judged: each attribute that SoftHSM lets be weak is.
pub(super) fn a_key_is_judged_by_what_its_token_says() {
    let mut token = logged_in("judged");
    let fit = key_permit(KeyRole::Root, KeyAlgorithm::P256, "fit", b"fit");
    token.generate(fit).unwrap();
    let judged = |token: &Pkcs11, label: &str| {
        let uri = Pkcs11Uri { object: Some(label.into()), ..Pkcs11Uri::default() };
        let found = token.described_keys(&Wanted::Uri(&TokenUri::Pkcs11(uri))).unwrap();
        let [key] = found.as_slice() else { panic!("{label}: {found:?}") };
        let all = rules::judge_key(key, None);
        all.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| f.rule).collect::<Vec<_>>()
    };
    assert_eq!(judged(&token, "fit"), [""; 0]);
    let sound = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ];
    let cases: [(&str, &[Attribute], &[&str]); 8] = [
        (
            "extractable",
            &[Attribute::Extractable(true)],
            &["token.key.extractable", "token.key.never-extractable"],
        ),
        ("sensitive", &[Attribute::Sensitive(false)], &["token.key.sensitive", "token.key.always-sensitive"]),
        ("private", &[Attribute::Private(false)], &["token.key.private"]),
        ("sign-recover", &[Attribute::SignRecover(true)], &["token.key.sign-recover"]),
        ("decrypt", &[Attribute::Decrypt(true)], &["token.key.decrypt"]),
        ("unwrap", &[Attribute::Unwrap(true)], &["token.key.unwrap"]),
        ("derive", &[Attribute::Derive(true)], &["token.key.derive"]),
        (
            "mechanisms",
            &[Attribute::AllowedMechanisms(vec![MechanismType::ECDSA, MechanismType::ECDH1_DERIVE])],
            &["token.key.mechanisms"],
        ),
    ];
    for (name, weak, wanted) in cases {
        let unlike = |a: &&Attribute| weak.iter().all(|w| w.attribute_type() != a.attribute_type());
        let template: Vec<_> = sound.iter().filter(unlike).chain(weak).cloned().collect();
        key_pair(&mut token, &P256, name.as_bytes(), name.as_bytes(), &template);
        assert_eq!(judged(&token, name), wanted);
    }
    // One private key that came from elsewhere, beside another's public key.
    key_pair(&mut token, &P256, b"pair", b"pair", &sound);
    let private = token.find(ObjectClass::PRIVATE_KEY, Attribute::Id(b"pair".to_vec())).unwrap();
    token.writable().unwrap().destroy_object(private[0]).unwrap();
    foreign(
        &mut token,
        &[
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::RSA),
            Attribute::Token(true),
            Attribute::Id(b"pair".to_vec()),
            Attribute::Label(b"pair".to_vec()),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::SignRecover(false),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Modulus(vec![0xc1; 256]),
            Attribute::PublicExponent(vec![1, 0, 1]),
            Attribute::PrivateExponent(vec![1; 256]),
        ],
    );
    assert_eq!(
        judged(&token, "pair"),
        [
            "token.key.never-extractable",
            "token.key.always-sensitive",
            "token.key.local",
            "token.key.kind",
            "token.key.pair"
        ]
    );
}

/// A wrong PIN leaves its mark until the next login; it is read before that.
pub(super) fn a_token_is_judged_by_its_flags() {
    let amiss = |token: &Pkcs11| {
        let all = rules::judge_token(&token.flags().unwrap());
        all.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| f.rule).collect::<Vec<_>>()
    };
    assert_eq!(amiss(&open("pkcs11:token=judged").unwrap()), [""; 0]);
    let mut token = open("pkcs11:token=pins").unwrap();
    token.login(&pin("nonsense")).unwrap_err();
    assert_eq!(amiss(&open("pkcs11:token=pins").unwrap()), ["token.pin.tries"]);
    token.login(&pin(PIN)).unwrap();
    assert_eq!(amiss(&open("pkcs11:token=pins").unwrap()), [""; 0]);
}

pub(super) fn data_is_replaced_and_survives_a_crash_in_between() {
    let mut token = logged_in("data");
    assert!(token.load_data("head").unwrap().is_empty());
    assert!(token.store_data("head", b"one").unwrap());
    assert!(token.store_data("other", b"untouched").unwrap());
    assert!(token.store_data("head", b"two").unwrap());
    assert_eq!(token.load_data("head").unwrap(), [b"two"]);

    // as a crash leaves it: the newer is there, the older not yet gone
    let mut newer = data::named("head").to_vec();
    newer.extend([Attribute::Private(true), Attribute::Value(b"three".to_vec())]);
    foreign(&mut token, &newer);
    let mut both = logged_in("data").load_data("head").unwrap();
    both.sort_unstable();
    assert_eq!(both, [&b"three"[..], b"two"]);

    assert!(token.store_data("head", b"four").unwrap());
    assert_eq!(token.load_data("head").unwrap(), [b"four"]);
    assert_eq!(token.load_data("other").unwrap(), [b"untouched"]);
}
