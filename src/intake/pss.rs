//! RSASSA-PSS parameters (RFC 4055 §3.1), held to what verifiers agree on.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use der::asn1::Any;
use der::{Encode as _, Sequence};
use spki::AlgorithmIdentifierOwned;

use super::possession::Hash;
use super::strict;

const MGF1: ObjectIdentifier = rfc5912::ID_MGF_1;

/// The fields that have defaults are optional here, so that a default is told from its absence.
#[derive(Sequence)]
struct Parameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u32>,
}

/// The hash, where all of this holds: a SHA-2 hash, MGF1 with the same one, a salt
/// as long as the hash, trailer field 1 (its default, which DER leaves out).
pub fn hash(parameters: Option<&Any>) -> Result<Hash, String> {
    let parameters = parameters.ok_or("has no parameters, which stands for SHA-1")?;
    let parameters = parameters.to_der().map_err(|e| e.to_string())?;
    let parameters: Parameters =
        strict::decode(&parameters).map_err(|e| format!("has malformed parameters ({e})"))?;
    let identifier = parameters.hash.ok_or("names no hash, which stands for SHA-1")?;
    let (hash, length) = sha2(&identifier).ok_or_else(|| format!("uses the hash {}", identifier.oid))?;
    let mask =
        parameters.mask.ok_or("names no mask generation function, which stands for MGF1 with SHA-1")?;
    if mask.oid != MGF1
        || mask.parameters.and_then(|p| p.decode_as().ok()).and_then(|m| sha2(&m)) != Some((hash, length))
    {
        return Err("has another mask generation function than MGF1 with the signature's hash".into());
    }
    match (parameters.salt, parameters.trailer) {
        (Some(salt), None) if salt == length => Ok(hash),
        (salt, None) => Err(format!(
            "has a salt of {} bytes instead of {length} (OpenSSL: -sigopt rsa_pss_saltlen:digest)",
            salt.unwrap_or(20)
        )),
        (_, Some(_)) => Err("has a trailer field, which DER leaves out".into()),
    }
}

/// The hash and its length. Parameters may be NULL or absent (RFC 4055 §2.1).
fn sha2(identifier: &AlgorithmIdentifierOwned) -> Option<(Hash, u32)> {
    identifier.parameters.as_ref().is_none_or(Any::is_null).then_some(())?;
    match identifier.oid {
        rfc5912::ID_SHA_256 => Some((Hash::Sha256, 32)),
        rfc5912::ID_SHA_384 => Some((Hash::Sha384, 48)),
        rfc5912::ID_SHA_512 => Some((Hash::Sha512, 64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample::{pss, tlv};
    use der::Decode as _;

    fn judge(der: &[u8]) -> Result<Hash, String> {
        hash(Some(&Any::from_der(der).unwrap()))
    }

    #[test]
    fn the_three_hashes_with_their_salts_pass() {
        assert_eq!(judge(&pss(1, 1, 32)), Ok(Hash::Sha256));
        assert_eq!(judge(&pss(2, 2, 48)), Ok(Hash::Sha384));
        assert_eq!(judge(&pss(3, 3, 64)), Ok(Hash::Sha512));
    }

    #[test]
    fn everything_else_is_refused() {
        assert!(hash(None).unwrap_err().contains("SHA-1"));
        assert!(judge(b"\x05\x00").unwrap_err().contains("malformed"));
        assert!(judge(b"\x30\x00").unwrap_err().contains("SHA-1"));
        assert!(judge(&pss(4, 4, 28)).unwrap_err().contains("2.16.840.1.101.3.4.2.4"), "SHA-224");
        assert!(judge(&pss(1, 2, 32)).unwrap_err().contains("mask"));
        assert!(judge(&pss(1, 1, 20)).unwrap_err().contains("a salt of 20 bytes instead of 32"));
        let fields = |der: &[u8]| der[2..].to_vec();
        let trailer = tlv(0xa3, &[&tlv(2, &[&[1]])]);
        let with_trailer = tlv(0x30, &[&fields(&pss(1, 1, 32)), &trailer]);
        assert!(judge(&with_trailer).unwrap_err().contains("trailer"));
        let without_salt = pss(1, 1, 32);
        let without_salt = tlv(0x30, &[&without_salt[2..without_salt.len() - 5]]);
        assert!(judge(&without_salt).unwrap_err().contains("a salt of 20 bytes"));
        let unknown_field = tlv(0x30, &[&fields(&pss(1, 1, 32)), &tlv(0xa4, &[])]);
        assert!(judge(&unknown_field).unwrap_err().contains("malformed"));
    }
}
