//! Signatures over files as `ssh-keygen -Y sign` makes them (OpenSSH's PROTOCOL.sshsig).
//!
//! The format is a handful of strings, read here in few lines; a crate for it brings
//! AES-GCM, ChaCha20 and Poly1305 along. The cryptography is aws-lc's.

mod key;
#[cfg(test)]
pub(crate) mod sample;
mod wire;

use aws_lc_rs::signature::{self as lc, RsaPublicKeyComponents, UnparsedPublicKey};
use sha2::{Digest as _, Sha256, Sha512};

pub use key::PublicKey;
use key::{Curve, Key};
use wire::{Reader, positive, string};

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
/// A security key's flag: someone touched it (FIDO CTAP2 §6.2, "up").
const USER_PRESENT: u8 = 1;

/// The key that signed `message` for this purpose, by the signature's bytes (without armour).
///
/// # Errors
/// What is wrong with the signature, as the end of a sentence.
pub fn verify(signature: &[u8], namespace: &str, message: &[u8]) -> Result<PublicKey, String> {
    let parts = parse(signature).ok_or("it is damaged, or of another version")?;
    if parts.namespace != namespace.as_bytes() {
        let made_for = crate::text::shown_bytes(parts.namespace);
        return Err(format!("it was made for '{made_for}', not for '{namespace}'"));
    }
    if !parts.reserved.is_empty() {
        return Err("its reserved field says something that is not understood here".into());
    }
    let key = PublicKey::from_blob(parts.key).ok_or("its key is of a kind that is not taken here")?;
    let hash = match parts.hash {
        b"sha256" => Sha256::digest(message).to_vec(),
        b"sha512" => Sha512::digest(message).to_vec(),
        _ => return Err("it hashes by neither SHA-256 nor SHA-512".into()),
    };
    let signed =
        [MAGIC, &string(parts.namespace), &string(b""), &string(parts.hash), &string(&hash)].concat();
    match holds(&key.parts().ok_or("its key is damaged")?, parts.signature, &signed) {
        Some(true) => Ok(key),
        Some(false) => {
            Err("it does not fit the file: one of the two was changed, or belongs elsewhere".into())
        }
        None => Err("it is damaged, or of a kind that is not taken here".into()),
    }
}

/// As they stand in the signature.
struct Parts<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    reserved: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

fn parse(bytes: &[u8]) -> Option<Parts<'_>> {
    let mut reader = Reader(bytes.strip_prefix(MAGIC)?);
    (reader.u32()? == VERSION).then_some(())?;
    let parts = Parts {
        key: reader.string()?,
        namespace: reader.string()?,
        reserved: reader.string()?,
        hash: reader.string()?,
        signature: reader.string()?,
    };
    reader.end()?;
    Some(parts)
}

/// Whether the signature holds; `None` where it is no signature of this key's kind.
fn holds(key: &Key<'_>, signature: &[u8], signed: &[u8]) -> Option<bool> {
    let mut reader = Reader(signature);
    let algorithm = reader.string()?;
    let value = reader.string()?;
    let application = match key {
        Key::Ed25519 { application, .. } | Key::Ecdsa { application, .. } => *application,
        Key::Rsa { .. } => None,
    };
    let signed = match application {
        None => signed.to_vec(),
        Some(application) => by_security_key(application, &mut reader, signed)?,
    };
    reader.end()?;
    Some(match key {
        Key::Ed25519 { name, point, .. } => {
            (algorithm == name.as_bytes()).then_some(())?;
            UnparsedPublicKey::new(&lc::ED25519, point).verify(&signed, value).is_ok()
        }
        Key::Ecdsa { name, curve, point, .. } => {
            (algorithm == name.as_bytes()).then_some(())?;
            let value = fixed(value, curve.coordinate())?;
            let algorithm = match curve {
                Curve::P256 => &lc::ECDSA_P256_SHA256_FIXED,
                Curve::P384 => &lc::ECDSA_P384_SHA384_FIXED,
                Curve::P521 => &lc::ECDSA_P521_SHA512_FIXED,
            };
            UnparsedPublicKey::new(algorithm, point).verify(&signed, &value).is_ok()
        }
        Key::Rsa { e, n } => {
            let algorithm = match algorithm {
                b"rsa-sha2-256" => &lc::RSA_PKCS1_2048_8192_SHA256,
                b"rsa-sha2-512" => &lc::RSA_PKCS1_2048_8192_SHA512,
                _ => return None,
            };
            RsaPublicKeyComponents { n, e }.verify(algorithm, &signed, value).is_ok()
        }
    })
}

/// What a security key signs in the place of the bytes (PROTOCOL.u2f): only with a touch.
fn by_security_key(application: &[u8], reader: &mut Reader<'_>, signed: &[u8]) -> Option<Vec<u8>> {
    let flags = reader.u8()?;
    let counter = reader.u32()?;
    (flags & USER_PRESENT != 0).then_some(())?;
    let (application, signed) = (Sha256::digest(application), Sha256::digest(signed));
    Some([&application[..], &[flags], &counter.to_be_bytes(), &signed[..]].concat())
}

/// r and s side by side, each as long as a coordinate.
fn fixed(value: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut reader = Reader(value);
    let mut out = Vec::with_capacity(2 * length);
    for _ in 0..2 {
        let number = positive(reader.string()?)?;
        out.resize(out.len() + length.checked_sub(number.len())?, 0);
        out.extend_from_slice(number);
    }
    reader.end()?;
    Some(out)
}

#[cfg(test)]
mod tests;
