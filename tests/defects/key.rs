//! The key: its algorithm, curve and point.

use aws_lc_rs::signature as sig;

use super::Vectors;
use super::csr::*;
use crate::post_quantum::foreign::{Foreign, ML_DSA_44, ML_DSA_65, ML_DSA_87};
use anchorite::text::unhex;

/// The point is not one that the signature can be verified with.
const POINT: &[&str] = &["key.ec-point", "possession.signature"];
const CURVE: &[&str] = &["key.curve"];
const OTHER: &[&str] = &["key.unsupported"];
const ENCODING: &[&str] = &["key.encoding"];

pub fn vectors(all: &mut Vectors) {
    points(all);
    curves(all);
    ed25519(all);
    ml_dsa(all);
    others(all);
    shapes(all);
}

/// A request whose point is changed.
fn pointed(c: Csr, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut point = c.key.public();
    change(&mut point);
    let spki = ec_spki(P256, &point);
    c.spki(spki)
}

fn points(all: &mut Vectors) {
    let off = "not on the curve";
    all.refused("point off the curve", POINT, off, |c| pointed(c, |p| p[64] ^= 1));
    all.refused("point of zeros", POINT, off, |c| pointed(c, |p| p[1..].fill(0)));
    all.refused("point beyond the field", POINT, off, |c| pointed(c, |p| p[1..].fill(0xff)));
    all.refused("point at infinity", POINT, "infinity", |c| pointed(c, |p| *p = vec![0]));
    all.refused("no point at all", POINT, "no point at all", |c| pointed(c, Vec::clear));
    all.refused("point too short", POINT, "wrong length", |c| pointed(c, |p| p.truncate(64)));
    all.refused("point too long", POINT, "wrong length", |c| pointed(c, |p| p.push(0)));
    all.refused("point in no known form", POINT, "no known form", |c| pointed(c, |p| p[0] = 5));
    // Both stand for the right point, and the signature verifies.
    all.refused("point compressed", &["key.ec-point"], "compressed", |c| {
        pointed(c, |p| {
            p[0] = 2 | p[64] & 1;
            p.truncate(33);
        })
    });
    all.refused("point hybrid", &["key.ec-point"], "no known form", |c| pointed(c, |p| p[0] = 6 | p[64] & 1));
    all.refused("point of another curve", POINT, "wrong length", |c| {
        let spki = ec_spki(P384, &c.key.public());
        c.spki(spki)
    });
    all.refused("point of another key", &["possession.signature"], "does not verify", |c| {
        c.spki(ec_spki(P256, &Key::p256().public()))
    });
}

fn curves(all: &mut Vectors) {
    for (oid, name) in [
        ("1.2.840.10045.3.1.1", "P-192"),
        ("1.3.132.0.33", "P-224"),
        ("1.3.132.0.10", "secp256k1"),
        ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
        ("1.2.156.10197.1.301", "SM2"),
        ("1.2.3.4", "1.2.3.4"),
    ] {
        all.refused(&format!("curve {name}"), CURVE, name, |c| {
            let spki = ec_spki(oid, &c.key.public());
            c.spki(spki)
        });
    }
    let with = |c: Csr, parameters: &[u8]| {
        let spki = spki(&algorithm(EC, parameters), &c.key.public());
        c.spki(spki)
    };
    // ECParameters of P-256, spelled out; CVE-2020-0601 lived on a generator of one's own.
    let number = |hex: &str| tlv(2, &[&unhex(hex).unwrap()]);
    let p = number("00ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let [a, b] = [
        "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
        "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    ]
    .map(|hex| tlv(4, &[&unhex(hex).unwrap()]));
    let n = number("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    all.refused("curve by explicit parameters", CURVE, "explicit parameters", |c| {
        // The sender's own point as generator: its private key is 1 then.
        let base = tlv(4, &[&c.key.public()]);
        let field = seq(&[&oid("1.2.840.10045.1.1"), &p]);
        with(c, &seq(&[&[2, 1, 1], &field, &seq(&[&a, &b]), &base, &n, &[2, 1, 1]]))
    });
    all.refused("curve implicit", CURVE, "not at all", |c| with(c, NULL));
    all.refused("curve left out", CURVE, "not at all", |c| with(c, &[]));
    all.refused("curve by its name as text", CURVE, "not at all", |c| with(c, &tlv(PRINTABLE, &[b"P-256"])));
    all.refused("P-521", &["key.algorithm"], "P-521", |c| {
        let key = Key::ec(&sig::ECDSA_P521_SHA512_ASN1_SIGNING);
        let spki = ec_spki("1.3.132.0.35", &key.public());
        c.keyed(key, spki, algorithm("1.2.840.10045.4.3.4", &[]))
    });
}

fn ed25519(all: &mut Vectors) {
    // The shipped policies take none; what else is wrong is said as well.
    let with = |c: Csr, key: Key, public: &[u8]| {
        c.keyed(key, spki(&algorithm(ED25519, &[]), public), algorithm(ED25519, &[]))
    };
    all.refused("Ed25519 where the policy has none", &["key.algorithm"], "ed25519", |c| {
        let key = Key::ed25519();
        let public = key.public();
        with(c, key, &public)
    });
    for (length, defect) in [(0, "empty"), (31, "too short"), (33, "too long")] {
        all.refused(&format!("Ed25519 {defect}"), ENCODING, "32 bytes", |c| {
            with(c, Key::ed25519(), &vec![9; length])
        });
    }
    for (defect, hex) in [
        ("the neutral element", "01"),
        ("of order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        ("of order 4", "00"),
        ("of order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        (
            "the neutral element badly written",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ),
    ] {
        let mut public = unhex(hex).unwrap();
        public.resize(32, 0);
        // R = A and S = 0 verify for any message under the neutral element: a proof without a
        // private key, which the check of the key alone stops.
        let rules = ["key.algorithm", "key.ed25519-order", "possession.signature"];
        let proved = hex == "01";
        all.refused(
            &format!("Ed25519 {defect}"),
            &rules[..if proved { 2 } else { 3 }],
            "small order",
            |mut c| {
                c.spki = spki(&algorithm(ED25519, &[]), &public);
                c.algorithm = algorithm(ED25519, &[]);
                let signature = if proved { [&public[..], &[0; 32]].concat() } else { vec![7; 64] };
                c.signed_as(&signature)
            },
        );
    }
    all.refused("Ed25519 key with parameters", ENCODING, "no parameters", |c| {
        let key = Key::ed25519();
        let spki = spki(&algorithm(ED25519, NULL), &key.public());
        c.keyed(key, spki, algorithm(ED25519, &[]))
    });
}

/// The shipped policies take none; what else is wrong is said as well.
fn ml_dsa(all: &mut Vectors) {
    let sound = |key: &Foreign| algorithm(key.oid, &[]);
    for (oid, name) in [(ML_DSA_65, "ml-dsa-65"), (ML_DSA_87, "ml-dsa-87")] {
        all.refused(&format!("{name} where the policy has none"), &["key.algorithm"], name, |c| {
            let key = Foreign::new(oid);
            let (spki, algorithm) = (key.spki(), sound(&key));
            c.keyed(Key::MlDsa(key), spki, algorithm)
        });
    }
    type Bend = fn(&Foreign) -> (Vec<u8>, Vec<u8>);
    let bent: [(&str, &[&'static str], &'static str, Bend); 5] = [
        ("key with parameters", ENCODING, "no parameters", |k| {
            (spki(&algorithm(k.oid, NULL), &k.public), algorithm(k.oid, &[]))
        }),
        ("key named as another set's", ENCODING, "2592 bytes", |k| {
            (spki(&algorithm(ML_DSA_87, &[]), &k.public), algorithm(k.oid, &[]))
        }),
        ("signature with parameters", &["key.algorithm", "possession.algorithm"], "must not have", |k| {
            (k.spki(), algorithm(k.oid, NULL))
        }),
        (
            "signature named as another set's",
            &["key.algorithm", "possession.algorithm"],
            "fit the key",
            |k| (k.spki(), algorithm(ML_DSA_87, &[])),
        ),
        ("signature of a hash", &["key.algorithm", "possession.algorithm"], "HashML-DSA-65 is not", |k| {
            (k.spki(), algorithm("2.16.840.1.101.3.4.3.33", &[]))
        }),
    ];
    for (defect, rules, word, bend) in bent {
        all.refused(&format!("ML-DSA {defect}"), rules, word, |c| {
            let key = Foreign::new(ML_DSA_65);
            let (spki, algorithm) = bend(&key);
            c.keyed(Key::MlDsa(key), spki, algorithm)
        });
    }
    type Sign = fn(&Foreign, &[u8]) -> Vec<u8>;
    let signatures: [(&str, Sign); 3] = [
        ("altered", |key, info| {
            let mut signature = key.sign(info);
            signature[0] ^= 1;
            signature
        }),
        ("in a context", |key, info| key.sign_in_context(info)),
        ("by another key", |_, info| Foreign::new(ML_DSA_65).sign(info)),
    ];
    for (defect, sign) in signatures {
        let rules = ["key.algorithm", "possession.signature"];
        all.refused(&format!("ML-DSA signature {defect}"), &rules, "does not verify", |mut c| {
            let key = Foreign::new(ML_DSA_65);
            (c.spki, c.algorithm) = (key.spki(), sound(&key));
            let signature = sign(&key, &c.info());
            c.signed_as(&signature)
        });
    }
}

fn others(all: &mut Vectors) {
    let dss = seq(&[&[2, 1, 23], &[2, 1, 11], &[2, 1, 4]]);
    for (oid, parameters, key, name) in [
        ("1.2.840.10040.4.1", &dss[..], &[2, 1, 8][..], "DSA"),
        ("1.2.840.113549.1.3.1", &dss, &[2, 1, 8], "Diffie-Hellman"),
        ("1.2.840.10046.2.1", &dss, &[2, 1, 8], "1.2.840.10046.2.1"),
        ("1.3.132.1.12", &[], &[4; 65], "ECDH only"),
        ("1.3.101.110", &[], &[9; 32], "X25519, which cannot sign"),
        ("1.3.101.111", &[], &[9; 56], "X448, which cannot sign"),
        ("1.3.101.113", &[], &[9; 57], "Ed448"),
        ("1.2.840.113549.1.1.10", &[], &[0x30, 0], "restricted to PSS"),
        ("1.2.643.7.1.1.1.1", &[], &[9; 64], "GOST"),
        (ML_DSA_44, &[], &[9; 1312], "category 2"),
        ("2.16.840.1.101.3.4.3.33", &[], &[9; 1952], "HashML-DSA-65"),
        ("1.2.3.4", &[], &[1], "1.2.3.4"),
    ] {
        all.refused(&format!("key of {name}"), OTHER, name, |c| {
            c.spki(spki(&algorithm(oid, parameters), key))
        });
    }
}

fn shapes(all: &mut Vectors) {
    all.refused("key with unused bits", ENCODING, "does not end at a byte", |c| {
        let mut point = c.key.public();
        point[64] &= 0xfe;
        let spki = seq(&[&algorithm(EC, &oid(P256)), &tlv(3, &[&[1], &point])]);
        c.spki(spki)
    });
    all.refused("key with unused bits that are set", ENCODING, "does not end at a byte", |c| {
        let mut point = c.key.public();
        point[64] |= 1;
        let spki = seq(&[&algorithm(EC, &oid(P256)), &tlv(3, &[&[1], &point])]);
        c.spki(spki)
    });
    all.refused("key in an octet string", &["csr.der"], "DER", |c| {
        let spki = seq(&[&algorithm(EC, &oid(P256)), &tlv(4, &[&c.key.public()])]);
        c.spki(spki)
    });
    all.refused("key with a field more", &["csr.der"], "DER", |c| {
        let spki = seq(&[inside(&c.spki), NULL]);
        c.spki(spki)
    });
    all.refused("key algorithm with a field more", &["csr.der"], "DER", |c| {
        let algorithm = seq(&[&oid(EC), &oid(P256), NULL]);
        let spki = spki(&algorithm, &c.key.public());
        c.spki(spki)
    });
}
