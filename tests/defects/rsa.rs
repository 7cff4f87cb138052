//! RSA keys that no sound generator makes. Each signs its request as far as
//! arithmetic allows, so that the key is the only reason.

use num_bigint::BigUint;

use super::Vectors;
use super::csr::*;
use anchorite::x509::Digest;

/// Primes made for this test, the most significant two bits set. CLOSE is the next
/// prime after P that will do; the ROCA ones are `k·M + 65537^a mod M`.
const P: &str = "c92c41d9304330c72b35699a4dbc2a75019aeb80c257ebee8e9c00a00d424c9d1867e49a57dbd07fa2e9d20d8eeee049bfc3cde52a1679d580a48d9c4a416f12fafa5565bd93ab1cd9ad5cab3a30b8e09ef8d39c9465fbfc0f0feeaef42c4e06b9fbd81fdaf73ff5fd19ada472bdecfaf5fe06b6e3c0e72fbff966de1079de23";
const CLOSE: u32 = 3198;
const Q: &str = "cb60d89ef6effa01393554b82e2a88fe1c29a0db2a18fcc397f860883121854492e3cffe85a8f5db847f2f13bf58ee0db63974c694e6137a456209835339e61d43981fc9e7bed75af4c37d064a6c63c4b56811d14b759768369e66f7d3aa897eb9414de5054bcb9699cb85950010d2644ce795623e767bb70722a81bec261b93";
const ROCA_P: &str = "c7be5dd433da2de891f70fa8bda392e354fc9cb58ffb1641dd5c2b064bf20e4109e8a33ae732bdaf14ceeadace7fbceb7d02d98146180dae70b88b02d4d542bb3d01e944ad449ef4ba70eceb8c5c96718468925c0de3a581e6cbcd84fdd711cd43a370690dc5a16bda6f9736e0b8147409d04098cb13daaf4e49511c878b2893";
const ROCA_Q: &str = "df78e26e19efd7cba59fcddc7afb1abeed7d7dd32078cb67715e024e33b7b97257e2f8f83f78507256eb75afb88cbfa05bc81e6d2d6bb64222633e5c402bf811ca71e0b96dd000c8f977d301f106658c4d4b0cd8558c0bb68ff9b8e2736fb98a3f2c4350cec8715b23a2d9ac266c25923feadc81d2f1704a41a435ad54ded2f3";
const P_256: &str = "d63a6555b2079abf4d10ddadd6d104d4779efe15d9607d39b0b160765102fddb";
const Q_256: &str = "f8b50b0effe270ecdd3314de5d33d6b79df244954e8eed9cd7cb9280ca552b93";
const P_512: &str = "d7674f8ec92b070686dd96fa1755cabd69eb058adf4df2a62b6a9fd155c0cb6733d896f82ec622867ec772993d06db9b1d293fd78784730ca4acfdc85961b985";
const Q_512: &str = "ee578afd46f694704fe0701072e3ff98ff51cac5db35c896a59c679a9352561415147f2b6311e3572e7180f29d4889e5cebc5742b30f19c2fe260b0a75113c21";
const Q_1023: &str = "713957d99b1727f009f07134e4235e1f3b2a5ac439f569ed1ff36ac5e62d37511b35abc691798810ebcd9326d5520c9ad9a359449e66add851f9e4b7436119e515b7eea1bc745b5b115d9adf7e8fe13ac03af272cb1b348d3271ad207652cd62fcf6fcb67cb5e4d10c5ea7e0031df81951ed3df74404c4434e17ac28a2c95bcd";

fn hex(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 16).unwrap()
}

fn small(n: u32) -> BigUint {
    BigUint::from(n)
}

/// A key of these primes and this exponent.
struct Rsa {
    modulus: BigUint,
    exponent: BigUint,
    /// Where there is one.
    private: Option<BigUint>,
}

impl Rsa {
    fn new(primes: &[BigUint], exponent: BigUint) -> Self {
        let modulus: BigUint = primes.iter().product();
        let phi: BigUint = primes.iter().map(|p| p - 1u8).product();
        let private = exponent.modinv(&phi);
        Self { modulus, exponent, private }
    }

    fn spki(&self) -> Vec<u8> {
        numbers(&signed(&self.modulus), &signed(&self.exponent))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.1).
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let length = self.modulus.bits().div_ceil(8) as usize;
        let Some(private) = &self.private else { return vec![1; length] };
        let digest = seq(&[&algorithm("2.16.840.1.101.3.4.2.1", NULL), &tlv(4, &[&Digest::of(message).0])]);
        let mut block = vec![0, 1];
        block.resize(length - digest.len() - 1, 0xff);
        block.push(0);
        block.extend(digest);
        let number = BigUint::from_bytes_be(&block).modpow(private, &self.modulus).to_bytes_be();
        [vec![0; length - number.len()], number].concat()
    }

    fn request(&self, mut c: Csr) -> Vec<u8> {
        c.spki = self.spki();
        c.algorithm = algorithm("1.2.840.113549.1.1.11", NULL);
        c.signed_as(&self.sign(&c.info()))
    }
}

/// The contents of an INTEGER.
fn signed(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    if bytes[0] < 0x80 { bytes } else { [vec![0], bytes].concat() }
}

/// SubjectPublicKeyInfo of an RSA key whose INTEGERs have these contents.
fn numbers(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    spki(&algorithm(RSA, NULL), &seq(&[&tlv(2, &[modulus]), &tlv(2, &[exponent])]))
}

const RSA: &str = "1.2.840.113549.1.1.1";

pub fn vectors(all: &mut Vectors) {
    let e = || small(65537);
    let mut key =
        |defect: &str, rules: &[&'static str], word: &'static str, primes: &[BigUint], e: BigUint| {
            let key = Rsa::new(primes, e);
            all.refused(defect, rules, word, |c| key.request(c));
        };
    let [p, q] = [P, Q].map(hex);
    let unverified = ["key.rsa-modulus", "key.rsa-size", "possession.signature"];
    key("RSA of 512 bits", &unverified, "too small: 512 bits", &[P_256, Q_256].map(hex), e());
    key("RSA of 1024 bits", &unverified[..2], "too small: 1024 bits", &[P_512, Q_512].map(hex), e());
    key("RSA of 2047 bits", &unverified[..2], "too small: 2047 bits", &[P, Q_1023].map(hex), e());
    let long = |times: usize| Rsa { modulus: hex(P).pow(times as u32), exponent: e(), private: None };
    let even = ["key.rsa-odd", "key.rsa-small-factor", "possession.signature"];
    key("RSA even", &even, "even", &[small(2), p.clone(), q.clone()], e());
    key(
        "RSA divisible by 3",
        &["key.rsa-small-factor"],
        "divisible by 3",
        &[small(3), p.clone(), q.clone()],
        e(),
    );
    let largest = [small(65521), p.clone(), q.clone()];
    key("RSA divisible by 65521", &["key.rsa-small-factor"], "divisible by 65521", &largest, e());
    let close = [p.clone(), &p + CLOSE];
    key("RSA of close primes", &["key.rsa-close-primes"], "Fermat", &close, e());
    key("RSA of Infineon's chips", &["key.rsa-roca"], "ROCA", &[ROCA_P, ROCA_Q].map(hex), e());
    let pq = [p.clone(), q.clone()];
    let exponent = ["key.rsa-exponent", "possession.signature"];
    key("RSA exponent 0", &exponent, "exponent is 0", &pq, small(0));
    key("RSA exponent 1", &exponent, "exponent is 1", &pq, small(1));
    key("RSA exponent 2", &exponent, "exponent is 2", &pq, small(2));
    key("RSA exponent 3", &exponent[..1], "exponent is 3", &pq, small(3));
    key("RSA exponent 65536", &exponent, "65536", &pq, small(65536));
    key("RSA exponent of 257 bits", &exponent, "a number of 257 bits", &pq, (small(1) << 256) + 1u8);
    key("RSA exponent as long as the modulus", &exponent, "2000 bits", &pq, (small(1) << 1999) + 1u8);

    all.refused("RSA of 8193 bits", &unverified, "too large", |c| {
        let mut key = long(8);
        key.modulus = (key.modulus << 8) + 1u8;
        key.request(c)
    });
    all.refused("RSA of 16384 bits", &unverified, "too large", |c| long(16).request(c));
    all.narrowed("RSA as it should be", &[], "", |c| Rsa::new(&pq, e()).request(c));
    encodings(all, &Rsa::new(&pq, e()));
}

fn encodings(all: &mut Vectors, good: &Rsa) {
    let encoding = &["key.encoding"];
    let exponent = [1, 0, 1];
    let mut with = |defect: &str, rules: &[&'static str], word: &'static str, spki: Vec<u8>| {
        all.refused(defect, rules, word, |mut c| {
            c.spki = spki;
            c.algorithm = algorithm("1.2.840.113549.1.1.11", NULL);
            c.signed_as(&good.sign(&c.info()))
        });
    };
    let modulus = signed(&good.modulus);
    let negative = &modulus[1..];
    with("RSA modulus negative", encoding, "cannot be read", numbers(negative, &exponent));
    with("RSA exponent negative", encoding, "cannot be read", numbers(&modulus, &[0xff]));
    with(
        "RSA modulus padded",
        encoding,
        "cannot be read",
        numbers(&[&[0], &modulus[..]].concat(), &exponent),
    );
    with("RSA exponent padded", encoding, "cannot be read", numbers(&modulus, &[0, 1, 0, 1]));
    with("RSA modulus empty", encoding, "cannot be read", numbers(&[], &exponent));
    let both = seq(&[&tlv(2, &[&modulus]), &tlv(2, &[&exponent])]);
    let rsa = algorithm(RSA, NULL);
    with("RSA with a byte behind it", encoding, "cannot be read", spki(&rsa, &[&both[..], &[0]].concat()));
    let three = seq(&[&tlv(2, &[&modulus]), &tlv(2, &[&exponent]), &[2, 1, 7]]);
    with("RSA of three numbers", encoding, "cannot be read", spki(&rsa, &three));
    with("RSA of one number", encoding, "cannot be read", spki(&rsa, &seq(&[&tlv(2, &[&modulus])])));
    with("RSA without NULL", encoding, "NULL", spki(&algorithm(RSA, &[]), &both));
    with("RSA with a curve", encoding, "NULL", spki(&algorithm(RSA, &oid(P256)), &both));
}
