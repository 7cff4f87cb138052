//! ROCA (CVE-2017-15361): RSA keys made by Infineon's RSALib, as in many smart
//! cards and TPMs, can be factored. Such a key's primes are `k·M + (65537^a mod M)`,
//! M the product of the first primes, so that its modulus is a power of 65537
//! modulo each of them. (Nemec, Sýs, Švenda, Klinec, Matyáš: The Return of
//! Coppersmith's Attack, ACM CCS 2017, §3.)

use num_bigint::BigUint;

/// The primes of the authors' published detector. A key made elsewhere passes
/// for such a one with a probability of about 2^-27.
const PRIMES: [u64; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const GENERATOR: u64 = 65537;

/// Whether the modulus has the fingerprint.
pub fn has_fingerprint(modulus: &BigUint) -> bool {
    PRIMES.iter().all(|prime| {
        u64::try_from(modulus % *prime).is_ok_and(|residue| is_power_of_generator(residue, *prime))
    })
}

fn is_power_of_generator(residue: u64, prime: u64) -> bool {
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * GENERATOR % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published detector's bit masks of residues, for the primes where not every residue is a power.
    const MASKS: [(u64, u128); 16] = [
        (11, 1026),
        (13, 5658),
        (17, 107_286),
        (19, 199_410),
        (37, 67_109_890),
        (53, 5_310_023_542_746_834),
        (61, 1_455_791_217_086_302_986),
        (71, 20_052_041_432_995_567_486),
        (73, 6_041_388_139_249_378_920_330),
        (79, 207_530_445_072_488_465_666),
        (97, 79_228_162_521_181_866_724_264_247_298),
        (103, 1_760_368_345_969_468_176_824_550_810_518),
        (107, 50_079_290_986_288_516_948_354_744_811_034),
        (109, 473_022_961_816_146_413_042_658_758_988_474),
        (113, 10_384_593_717_069_655_257_060_992_658_440_190),
        (127, 144_390_480_366_845_522_447_407_333_004_847_678_774),
    ];

    #[test]
    fn the_groups_are_those_of_the_published_detector() {
        for (prime, mask) in MASKS {
            for residue in 0..prime {
                let wanted = mask >> residue & 1 == 1;
                assert_eq!(is_power_of_generator(residue, prime), wanted, "{residue} modulo {prime}");
            }
        }
    }

    #[test]
    fn the_construction_is_recognised() {
        let primorial: BigUint = PRIMES.iter().fold(BigUint::from(2u8), |m, p| m * *p);
        let prime_like = |k: u32, a: u32| {
            (BigUint::from(k) << 700) * &primorial + BigUint::from(GENERATOR).modpow(&a.into(), &primorial)
        };
        let modulus = prime_like(12_345, 99) * prime_like(54_321, 1_234_567);
        assert!(has_fingerprint(&modulus));
        assert!(!has_fingerprint(&(modulus + 2u8)));
        assert!(!has_fingerprint(&BigUint::ZERO));
    }
}
