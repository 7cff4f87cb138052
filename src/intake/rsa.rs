//! Whether an RSA public key is one that a sound generator makes.

use std::sync::LazyLock;

use num_bigint::BigUint;

use super::roca;
use crate::finding::{Finding, Outcome};
use crate::x509::key::RsaPublicKey;

/// 112 bits of strength; a policy can ask for more.
const MIN_BITS: u64 = 2048;
/// What verifiers still take, and a bound on the work of the checks.
const MAX_BITS: u64 = 8192;
/// As many as the public CAs try; a sound generator's primes lie some 2^1000 rounds apart.
const FERMAT_ROUNDS: u32 = 100;
const SMALL_PRIMES_BELOW: usize = 1 << 16;

/// All checks. Those that compute with the modulus are left out where it is too long.
pub fn check(key: &RsaPublicKey) -> Vec<Finding> {
    let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
    let exponent = BigUint::from_bytes_be(key.exponent.as_bytes());
    let mut findings = vec![size(&modulus), public_exponent(&exponent)];
    if modulus.bits() <= MAX_BITS {
        findings.extend([odd(&modulus), small_factor(&modulus), close_primes(&modulus), infineon(&modulus)]);
    }
    findings
}

fn verdict(bad: bool) -> Outcome {
    if bad { Outcome::Refused } else { Outcome::Pass }
}

/// Rule `key.rsa-modulus`.
fn size(modulus: &BigUint) -> Finding {
    let bits = modulus.bits();
    let small = bits < MIN_BITS;
    let bad = small || bits > MAX_BITS;
    let message = match (bad, small) {
        (false, _) => format!("the RSA modulus has {bits} bits"),
        (_, true) => format!("the RSA modulus is too small: {bits} bits; have the sender make a longer key"),
        _ => format!("the RSA modulus is too large: {bits} bits; have the sender make a shorter key"),
    };
    let wanted = format!("{MIN_BITS} to {MAX_BITS} bits");
    Finding::new("key.rsa-modulus", verdict(bad), "FIPS 186-5 §5.1", message, format!("{bits} bits"), wanted)
}

/// Rule `key.rsa-exponent`: odd, and between 2^16 and 2^256.
fn public_exponent(exponent: &BigUint) -> Finding {
    let low = BigUint::from(1u8) << 16;
    let high = BigUint::from(1u8) << 256;
    let bad = !exponent.bit(0) || *exponent <= low || *exponent >= high;
    let found = if exponent.bits() > 256 {
        format!("a number of {} bits", exponent.bits())
    } else {
        exponent.to_string()
    };
    let message = if bad {
        format!("the RSA public exponent is {found}; have the sender make a key with 65537")
    } else {
        format!("the RSA public exponent is {found}")
    };
    let wanted = "odd, from 65537 to below 2^256";
    Finding::new("key.rsa-exponent", verdict(bad), "FIPS 186-5 §A.1.1", message, found, wanted)
}

/// Rule `key.rsa-odd`.
fn odd(modulus: &BigUint) -> Finding {
    let bad = !modulus.bit(0);
    let (message, found) = if bad {
        ("the RSA modulus is even: the key is broken or damaged; have the sender make a new one", "even")
    } else {
        ("the RSA modulus is odd", "odd")
    };
    Finding::new("key.rsa-odd", verdict(bad), "NIST SP 800-89 §5.3.3", message, found, "odd")
}

/// Rule `key.rsa-small-factor`.
fn small_factor(modulus: &BigUint) -> Finding {
    let factor = smallest_factor(modulus);
    let message = match factor {
        Some(p) => format!(
            "the RSA modulus is divisible by {p}: anyone can factor it; have the sender make a new key"
        ),
        None => format!("the RSA modulus has no prime factor below {SMALL_PRIMES_BELOW}"),
    };
    let found = factor.map_or("none".into(), |p| p.to_string());
    let wanted = format!("no prime factor below {SMALL_PRIMES_BELOW}");
    let reference = "NIST SP 800-89 §5.3.3";
    Finding::new("key.rsa-small-factor", verdict(factor.is_some()), reference, message, found, wanted)
}

/// Rule `key.rsa-close-primes`: Fermat's factorisation finds nothing in a few rounds.
fn close_primes(modulus: &BigUint) -> Finding {
    let round = fermat(modulus);
    let message = match round {
        Some(r) => format!(
            "the RSA key's primes lie so close together that Fermat's method finds them in round {r}; \
             have the sender make a new key with another tool"
        ),
        None => format!("Fermat's method finds no factor of the RSA modulus in {FERMAT_ROUNDS} rounds"),
    };
    let found = round.map_or("none found".into(), |r| format!("found in round {r}"));
    let wanted = format!("no factor in {FERMAT_ROUNDS} rounds");
    let reference = "CVE-2022-26320";
    Finding::new("key.rsa-close-primes", verdict(round.is_some()), reference, message, found, wanted)
}

/// Rule `key.rsa-roca`.
fn infineon(modulus: &BigUint) -> Finding {
    let bad = roca::has_fingerprint(modulus);
    let (message, found) = if bad {
        (
            "the RSA key has the ROCA fingerprint of Infineon's RSALib: it can be factored; \
             have the sender make a new key outside that chip, or update its firmware first",
            "ROCA fingerprint",
        )
    } else {
        ("the RSA modulus does not have the ROCA fingerprint", "no ROCA fingerprint")
    };
    Finding::new("key.rsa-roca", verdict(bad), "CVE-2017-15361", message, found, "no ROCA fingerprint")
}

/// Small primes with their product, as many as fit in 64 bits: one long division serves several.
static SMALL_PRIMES: LazyLock<Vec<(u64, Vec<u64>)>> = LazyLock::new(|| {
    let mut batches: Vec<(u64, Vec<u64>)> = Vec::new();
    for prime in primes_below(SMALL_PRIMES_BELOW) {
        match batches.last_mut().and_then(|batch| Some((batch.0.checked_mul(prime)?, batch))) {
            Some((product, batch)) => {
                batch.0 = product;
                batch.1.push(prime);
            }
            None => batches.push((prime, vec![prime])),
        }
    }
    batches
});

/// The sieve of Eratosthenes.
fn primes_below(limit: usize) -> Vec<u64> {
    let mut composite = vec![false; limit];
    let mut primes = Vec::new();
    for n in 2..limit {
        if composite.get(n) == Some(&false) {
            primes.push(n as u64);
            composite.iter_mut().skip(n * n).step_by(n).for_each(|c| *c = true);
        }
    }
    primes
}

fn smallest_factor(modulus: &BigUint) -> Option<u64> {
    SMALL_PRIMES.iter().find_map(|(product, primes)| {
        let remainder = u64::try_from(modulus % *product).ok()?;
        primes.iter().copied().find(|p| remainder.is_multiple_of(*p))
    })
}

/// The round in which n = a² - b² is found, a beginning at the root of n.
fn fermat(modulus: &BigUint) -> Option<u32> {
    let mut a = modulus.sqrt();
    if &a * &a < *modulus {
        a += 1u8;
    }
    let mut square = &a * &a - modulus;
    for round in 1..=FERMAT_ROUNDS {
        let b = square.sqrt();
        if &b * &b == square {
            return Some(round);
        }
        square += (&a << 1) + 1u8;
        a += 1u8;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sound RSA-2048 modulus, of a key made for this test and thrown away.
    const SOUND: &str = "\
        b12abf5c3afa63ddcc7faff467f151787e65f9350ae5e8dc0eee1eefc91f45cd3ced0d75522407e64f437f23\
        ca947aa149734703060399a23110f187d7e2379d29e0546c6b6e57dec50083a49101b395f2c56ddb360294dc\
        811de6470dc9d9a174b7bc2c0ab5dacfaa774db8ff2105989994067905ccee267d25ea14460edf903159b28b\
        9767a6e125a5c859060aa5a02f74caed21e90dcf19e6bf2775ab313c0260df68c9485d782fbab2b31011d230\
        66b2edb24022091ffa3b7ed48e92974b5080aefca1d6498008ffacf672b00fbf4631ffa91db80a72ccc2d19b\
        a6e3d7809bd7d913ba41ff4967dc78733417f494436add2c85056b42c9715fefb40485b3";

    fn sound() -> BigUint {
        BigUint::parse_bytes(SOUND.as_bytes(), 16).unwrap()
    }
    fn one() -> BigUint {
        BigUint::from(1u8)
    }
    fn refused(finding: Finding, rule: &str) -> bool {
        assert_eq!(finding.rule, rule);
        finding.refuses()
    }

    #[test]
    fn size_has_both_bounds() {
        for (bits, bad) in
            [(0, true), (1, true), (512, true), (2047, true), (2048, false), (8192, false), (8193, true)]
        {
            let modulus = if bits == 0 { BigUint::ZERO } else { one() << (bits - 1) };
            assert_eq!(refused(size(&modulus), "key.rsa-modulus"), bad, "{bits}");
        }
    }

    #[test]
    fn exponent_is_odd_and_in_range() {
        for good in [one() << 16 | one(), (one() << 256) - 1u8, BigUint::from(65_539u32)] {
            assert!(!refused(public_exponent(&good), "key.rsa-exponent"), "{good}");
        }
        for bad in [
            BigUint::ZERO,
            one(),
            BigUint::from(3u8),
            BigUint::from(65_535u32),
            one() << 16,
            BigUint::from(65_538u32),
            (one() << 256) + 1u8,
            (one() << 4096) + 1u8,
        ] {
            assert!(refused(public_exponent(&bad), "key.rsa-exponent"), "{bad}");
        }
    }

    #[test]
    fn even_moduli_are_refused() {
        assert!(!refused(odd(&sound()), "key.rsa-odd"));
        assert!(refused(odd(&(sound() + 1u8)), "key.rsa-odd"));
    }

    #[test]
    fn small_factors_are_found() {
        assert!(!refused(small_factor(&sound()), "key.rsa-small-factor"));
        for prime in [2u32, 3, 751, 65_521] {
            let finding = small_factor(&(sound() * prime));
            assert_eq!(finding.found, prime.to_string());
            assert!(refused(finding, "key.rsa-small-factor"));
        }
        assert!(!refused(small_factor(&(sound() * 65_537u32)), "key.rsa-small-factor"), "the next prime");
        assert!(refused(small_factor(&BigUint::ZERO), "key.rsa-small-factor"));
        assert_eq!(primes_below(30), [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }

    #[test]
    fn close_primes_are_found() {
        assert!(!refused(close_primes(&sound()), "key.rsa-close-primes"));
        // Oddness is all that Fermat's method needs of the factors.
        let p = (one() << 1024) + 643u32;
        assert!(refused(close_primes(&(&p * &p)), "key.rsa-close-primes"), "a square");
        assert!(refused(close_primes(&(&p * (&p + 1_000u32))), "key.rsa-close-primes"));
        let near = &p + (one() << 515);
        assert!(refused(close_primes(&(&p * near)), "key.rsa-close-primes"));
        let far = &p + (one() << 600);
        assert!(!refused(close_primes(&(&p * far)), "key.rsa-close-primes"));
    }

    #[test]
    fn roca_is_found() {
        assert!(!refused(infineon(&sound()), "key.rsa-roca"));
        let power = BigUint::from(65_537u32).pow(120);
        assert!(refused(infineon(&power), "key.rsa-roca"));
    }

    #[test]
    fn huge_moduli_cost_nothing() {
        let key = RsaPublicKey {
            modulus: der::asn1::Uint::new(&[0xff; 60_000]).unwrap(),
            exponent: der::asn1::Uint::new(&[1, 0, 1]).unwrap(),
        };
        let rules: Vec<_> = check(&key).iter().map(|f| (f.rule, f.refuses())).collect();
        assert_eq!(rules, [("key.rsa-modulus", true), ("key.rsa-exponent", false)]);
    }
}
