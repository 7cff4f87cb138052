//! Whether a public key is a sound one of its kind.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ParsedPublicKey,
    VerificationAlgorithm,
};

use super::rsa;
use crate::finding::{Finding, Outcome};
use crate::x509::{KeyAlgorithm, PublicKey};

/// All checks that this kind of key has.
pub fn check(key: &PublicKey) -> Vec<Finding> {
    let bits = key.key_bits();
    match key.algorithm() {
        KeyAlgorithm::Rsa(_) => key.rsa().map(|key| rsa::check(&key)).unwrap_or_default(),
        KeyAlgorithm::P256 => vec![ec_point("P-256", 32, &ECDSA_P256_SHA256_ASN1, bits)],
        KeyAlgorithm::P384 => vec![ec_point("P-384", 48, &ECDSA_P384_SHA384_ASN1, bits)],
        KeyAlgorithm::P521 => vec![ec_point("P-521", 66, &ECDSA_P521_SHA512_ASN1, bits)],
        KeyAlgorithm::Ed25519 => vec![ed25519_order(bits)],
        // Any bytes of its length are a key (FIPS 204, algorithm 23).
        KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87 => Vec::new(),
    }
}

/// Rule `key.ec-point`: uncompressed, of the right length, both coordinates in the
/// field, on the curve. These curves have cofactor 1, so that any such point but
/// infinity, which has no uncompressed form, is in the right group.
fn ec_point(
    curve: &str,
    coordinate: usize,
    algorithm: &'static dyn VerificationAlgorithm,
    point: &[u8],
) -> Finding {
    let found = match point.first() {
        None => "no point at all",
        Some(0) => "the point at infinity",
        Some(2 | 3) => "a compressed point",
        Some(4) if point.len() != 1 + 2 * coordinate => "a point of the wrong length",
        Some(4) if ParsedPublicKey::new(algorithm, point).is_err() => "a point that is not on the curve",
        Some(4) => "an uncompressed point on the curve",
        Some(_) => "a point in no known form",
    };
    let wanted = "an uncompressed point on the curve";
    let (outcome, message) = if found == wanted {
        (Outcome::Pass, format!("the key is {found} {curve}"))
    } else {
        (
            Outcome::Refused,
            format!("the {curve} key is {found}; have the sender make a new key, or export it uncompressed"),
        )
    };
    Finding::new("key.ec-point", outcome, "RFC 5480 §2.2; NIST SP 800-56A §5.6.2.3.3", message, found, wanted)
}

/// The y-coordinates of the points of order 1, 2, 4 and 8 (little-endian, sign of x
/// left out), in canonical form, then p and p+1, which some decoders take for 0 and 1.
/// Under such a key, signatures can be made without any private key. (Chalkias,
/// Garillot, Nikolaenko: Taming the Many EdDSAs, SSR 2020, Table 1.)
const SMALL_ORDER: [&str; 7] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Rule `key.ed25519-order`: not one of the points of small order.
fn ed25519_order(bits: &[u8]) -> Finding {
    let mut y = bits.to_vec();
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    let y = crate::text::hex(&y);
    let (outcome, message, found) = if SMALL_ORDER.contains(&y.as_str()) {
        (
            Outcome::Refused,
            "the Ed25519 key is a point of small order, under which anyone can sign; have the sender make a new key",
            "a point of small order",
        )
    } else {
        (Outcome::Pass, "the Ed25519 key is not a point of small order", "no point of small order")
    };
    Finding::new("key.ed25519-order", outcome, "RFC 8032 §5.1", message, found, "no point of small order")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::sample;
    use crate::text::unhex;

    fn point(change: impl FnOnce(&mut Vec<u8>)) -> Finding {
        let mut point = sample::p256_point();
        change(&mut point);
        ec_point("P-256", 32, &ECDSA_P256_SHA256_ASN1, &point)
    }

    #[test]
    fn only_uncompressed_points_on_the_curve_pass() {
        assert_eq!(point(|_| ()).outcome, Outcome::Pass);
        let cases = [
            (point(|p| p[64] ^= 1), "a point that is not on the curve"),
            (point(|p| p[1..].fill(0)), "a point that is not on the curve"),
            (point(|p| p[1..].fill(0xff)), "a point that is not on the curve"),
            (point(|p| p.truncate(64)), "a point of the wrong length"),
            (point(|p| p.push(0)), "a point of the wrong length"),
            (point(|p| *p = vec![0]), "the point at infinity"),
            (point(Vec::clear), "no point at all"),
            (point(|p| p[0] = 6 | p[64] & 1), "a point in no known form"),
            (
                point(|p| {
                    p[0] = 2 | p[64] & 1;
                    p.truncate(33);
                }),
                "a compressed point",
            ),
        ];
        for (finding, found) in cases {
            assert_eq!((finding.outcome, finding.found.as_str()), (Outcome::Refused, found));
            assert_eq!(finding.rule, "key.ec-point");
        }
    }

    /// (0, y) is on P-256 for y² = b; with x = p in place of 0 it is the same point, badly encoded.
    #[test]
    fn coordinates_lie_in_the_field() {
        let y = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
        let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
        let judge = |x: &str| {
            let point = unhex(&format!("04{x}{y}")).unwrap();
            ec_point("P-256", 32, &ECDSA_P256_SHA256_ASN1, &point).outcome
        };
        assert_eq!(judge(&"00".repeat(32)), Outcome::Pass);
        assert_eq!(judge(p), Outcome::Refused);
    }

    #[test]
    fn points_of_small_order_are_refused_with_either_sign() {
        for hex in SMALL_ORDER {
            let mut key = unhex(hex).unwrap();
            assert!(ed25519_order(&key).refuses(), "{hex}");
            key[31] |= 0x80;
            assert!(ed25519_order(&key).refuses(), "{hex} with the sign bit");
        }
        let finding = ed25519_order(&sample::ed25519_key());
        assert_eq!((finding.rule, finding.outcome), ("key.ed25519-order", Outcome::Pass));
    }
}
