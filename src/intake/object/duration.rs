//! Durations as Go writes them: `1440h`, `2160h0m0s`, `1.5h`.

/// Go's own bound: 2^63 nanoseconds.
const MAXIMUM: u128 = i64::MAX as u128;
/// Nanoseconds.
const SECOND: u128 = 1_000_000_000;
/// Nanoseconds of each unit; those that begin another's name come after it.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
];
/// More digits than a duration can have.
const DIGITS: usize = 19;

/// Whole seconds, more than none; nothing else can be asked for.
pub fn seconds(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut sum = 0u128;
    while !rest.is_empty() {
        let (whole, after) = digits(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        let (unit, after) = UNITS.iter().find_map(|(name, unit)| Some((*unit, after.strip_prefix(name)?)))?;
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        sum = sum.checked_add(value(whole)?.checked_mul(unit)?)?;
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = value(fraction)?.checked_mul(unit)?;
        // What is finer than a nanosecond is no whole second either.
        if !part.is_multiple_of(scale) {
            return None;
        }
        sum = sum.checked_add(part / scale)?;
        rest = after;
    }
    (sum > 0 && sum <= MAXIMUM && sum.is_multiple_of(SECOND)).then(|| u64::try_from(sum / SECOND).ok())?
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end > DIGITS { None } else { text.split_at_checked(end) }
}

fn value(digits: &str) -> Option<u128> {
    if digits.is_empty() { Some(0) } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn as_go_reads_them() {
        for (text, wanted) in [
            ("1440h", 5_184_000),
            ("2160h0m0s", 7_776_000),
            ("1.5h", 5_400),
            ("+.5m", 30),
            ("1h30m", 5_400),
            ("5.s", 5),
            ("1000ms", 1),
            ("999999999ns1ns", 1),
            ("1000000us", 1),
            ("1000000\u{b5}s", 1),
            ("2562047h", 9_223_369_200),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_duration() {
        for text in [
            "",
            "0",
            "0s",
            "-1h",
            "1",
            "h",
            ".h",
            "1d",
            "60d",
            "1y",
            "1 h",
            "1h ",
            "1,5h",
            "1e3s",
            "1.2345s",
            "1ms",
            "2562048h",
            "99999999999999999999h",
            "1h-1m",
            "++1h",
            "P60D",
            "1.00000000000000000001h",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
