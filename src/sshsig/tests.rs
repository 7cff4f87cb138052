//! Real ones are made in tests/senders.rs; here are those that no tool at hand makes.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;
use crate::text::base64;

const NAMESPACE: &str = "anchorite-request";
const APPLICATION: &[u8] = b"ssh:";

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// What is signed for a file.
fn signed(hash: &str, message: &[u8]) -> Vec<u8> {
    let digest =
        if hash == "sha256" { Sha256::digest(message).to_vec() } else { Sha512::digest(message).to_vec() };
    [MAGIC, &string(NAMESPACE.as_bytes()), &string(b""), &string(hash.as_bytes()), &string(&digest)].concat()
}

fn assembled(version: u32, key: &[u8], hash: &str, signature: &[u8]) -> Vec<u8> {
    let strings = [key, NAMESPACE.as_bytes(), b"", hash.as_bytes(), signature].map(string).concat();
    [MAGIC, &version.to_be_bytes(), &strings].concat()
}

fn plain() -> Vec<u8> {
    let pair = ed25519();
    let key = [string(b"ssh-ed25519"), string(pair.public_key().as_ref())].concat();
    let value = pair.sign(&signed("sha512", b"file"));
    assembled(1, &key, "sha512", &[string(b"ssh-ed25519"), string(value.as_ref())].concat())
}

/// By a security key whose flags are these.
fn touched(flags: u8) -> Vec<u8> {
    let pair = ed25519();
    let kind = b"sk-ssh-ed25519@openssh.com";
    let key = [string(kind), string(pair.public_key().as_ref()), string(APPLICATION)].concat();
    let tail = [&[flags][..], &7u32.to_be_bytes()].concat();
    let message = Sha256::digest(signed("sha256", b"file"));
    let value = pair.sign(&[&Sha256::digest(APPLICATION)[..], &tail, &message[..]].concat());
    assembled(1, &key, "sha256", &[string(kind), string(value.as_ref()), tail].concat())
}

fn touched_p256() -> Vec<u8> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let kind = b"sk-ecdsa-sha2-nistp256@openssh.com";
    let key =
        [string(kind), string(b"nistp256"), string(pair.public_key().as_ref()), string(APPLICATION)].concat();
    let tail = [&[1][..], &7u32.to_be_bytes()].concat();
    let message = Sha256::digest(signed("sha512", b"file"));
    let message = [&Sha256::digest(APPLICATION)[..], &tail, &message[..]].concat();
    let value = pair.sign(&SystemRandom::new(), &message).unwrap();
    let number = |digits: &[u8]| {
        let digits: Vec<u8> = digits.iter().copied().skip_while(|b| *b == 0).collect();
        string(&if digits[0] < 0x80 { digits } else { [&[0], &digits[..]].concat() })
    };
    let (r, s) = value.as_ref().split_at(32);
    let value = [number(r), number(s)].concat();
    assembled(1, &key, "sha512", &[string(kind), string(&value), tail].concat())
}

#[test]
fn the_key_that_signed_is_named() {
    let key = verify(&plain(), NAMESPACE, b"file").unwrap();
    assert_eq!(key.kind(), "ssh-ed25519");
    assert_eq!(PublicKey::parse(&format!("{key} who@where")), Some(key.clone()));
    assert!(key.fingerprint().starts_with("SHA256:") && key.fingerprint().len() == 50);
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    for (signature, kind) in
        [(touched(1), "sk-ssh-ed25519@openssh.com"), (touched_p256(), "sk-ecdsa-sha2-nistp256@openssh.com")]
    {
        assert_eq!(verify(&signature, NAMESPACE, b"file").unwrap().kind(), kind);
    }
}

#[test]
fn what_does_not_hold_is_told_apart() {
    let told = |signature: &[u8], namespace, message| verify(signature, namespace, message).unwrap_err();
    assert!(told(&plain(), NAMESPACE, b"other").contains("does not fit"));
    assert!(told(&plain(), "file", b"file").contains("made for 'anchorite-request'"));
    assert!(told(&touched(0), NAMESPACE, b"file").contains("damaged"), "nobody touched the key");
    assert!(told(b"", NAMESPACE, b"file").contains("damaged"));
    assert!(told(&[plain(), vec![0]].concat(), NAMESPACE, b"file").contains("damaged"));
    let dsa = [string(b"ssh-dss"), string(b"x")].concat();
    assert!(told(&assembled(1, &dsa, "sha512", b""), NAMESPACE, b"file").contains("kind"));
    assert!(told(&assembled(2, &dsa, "sha512", b""), NAMESPACE, b"file").contains("version"));
    let key = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    assert!(told(&assembled(1, &key, "md5", b""), NAMESPACE, b"file").contains("SHA-256"));
    let wrong_kind = [string(b"ssh-rsa"), string(&[7; 64])].concat();
    assert!(told(&assembled(1, &key, "sha512", &wrong_kind), NAMESPACE, b"file").contains("kind"));
}

#[test]
fn what_is_reserved_is_empty() {
    let pair = ed25519();
    let key = [string(b"ssh-ed25519"), string(pair.public_key().as_ref())].concat();
    let made = |reserved: &[u8]| {
        let head = [string(NAMESPACE.as_bytes()), string(reserved), string(b"sha512")].concat();
        let digest = Sha512::digest(b"file");
        let value = pair.sign(&[MAGIC, &head, &string(&digest)].concat());
        let value = [string(b"ssh-ed25519"), string(value.as_ref())].concat();
        [MAGIC, &1u32.to_be_bytes(), &string(&key), &head, &string(&value)].concat()
    };
    assert!(verify(&made(b""), NAMESPACE, b"file").is_ok());
    assert!(verify(&made(b"x"), NAMESPACE, b"file").unwrap_err().contains("reserved"));
}

#[test]
fn no_changed_byte_leaves_a_signature() {
    for whole in [plain(), touched(1), touched_p256()] {
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            // Flags other than the touch, and the counter, are signed too.
            assert!(verify(&changed, NAMESPACE, b"file").is_err(), "byte {at}");
            assert!(verify(&whole[..at], NAMESPACE, b"file").is_err(), "cut at {at}");
        }
    }
}

#[test]
fn keys_are_sound_ones_of_their_kind() {
    let line = |kind: &str, parts: &[&[u8]]| {
        let blob =
            [string(kind.as_bytes()), parts.iter().map(|p| string(p)).collect::<Vec<_>>().concat()].concat();
        format!("{kind} {}", base64(&blob))
    };
    let point = [&[4][..], &[7; 64]].concat();
    let modulus = [&[0][..], &[0x80; 256]].concat();
    for good in [
        line("ssh-ed25519", &[&[7; 32]]),
        line("ecdsa-sha2-nistp256", &[b"nistp256", &point]),
        line("ssh-rsa", &[&[1, 0, 1], &modulus]),
    ] {
        assert!(PublicKey::parse(&good).is_some(), "{good}");
    }
    for bad in [
        line("ssh-ed25519", &[&[7; 31]]),
        line("ssh-ed25519", &[&[7; 32], b""]),
        line("ecdsa-sha2-nistp256", &[b"nistp384", &point]),
        line("ecdsa-sha2-nistp256", &[b"nistp256", &point[..33]]),
        line("ssh-rsa", &[&[1, 0, 1], &modulus[..200]]),
        line("ssh-rsa", &[&[1, 0, 1], &modulus[1..]]),
        line("ssh-dss", &[&[7; 32]]),
        line("ssh-ed25519", &[&[7; 32]]).replacen("ssh-ed25519", "ssh-rsa", 1),
        "ssh-ed25519".into(),
        "ssh-ed25519 *".into(),
        String::new(),
    ] {
        assert!(PublicKey::parse(&bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = verify(&bytes, NAMESPACE, b"");
        let _ = verify(&[MAGIC, &[0, 0, 0, 1], &bytes].concat(), NAMESPACE, b"");
    }
}
