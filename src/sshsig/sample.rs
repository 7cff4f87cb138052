//! A signature for tests.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha512};

use super::MAGIC;
use super::wire::string;
use crate::text;

/// As `ssh-keygen -Y sign` writes it, by a key of this seed.
pub fn armoured(seed: u8, namespace: &str, message: &[u8]) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let kind = string(b"ssh-ed25519");
    let key = [kind.clone(), string(pair.public_key().as_ref())].concat();
    let head = [string(namespace.as_bytes()), string(b""), string(b"sha512")].concat();
    let signed = [MAGIC, &head, &string(&Sha512::digest(message))].concat();
    let value = [kind, string(pair.sign(&signed).as_ref())].concat();
    let blob = [MAGIC, &1u32.to_be_bytes(), &string(&key), &head, &string(&value)].concat();
    let base64 = text::base64(&blob);
    format!("-----BEGIN SSH SIGNATURE-----\n{base64}\n-----END SSH SIGNATURE-----\n")
}
