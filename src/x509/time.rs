//! Points in time and spans, in whole seconds, as certificates have them.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use der::DateTime;
use der::asn1::{GeneralizedTime, UtcTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use x509_cert::time::Time as X509Time;

/// Seconds since 1970-01-01T00:00:00Z (leap seconds not counted). Shown and
/// stored as RFC 3339 in UTC. Bounded to the years 1970 to 9999, which is what
/// RFC 5280 §4.1.2.5 can say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A span in seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Seconds(pub u64);

/// 9999-12-31T23:59:59Z, "no well-defined expiration" in RFC 5280 §4.1.2.5.
const LAST: u64 = 253_402_300_799;

impl Time {
    /// From seconds since the epoch; later than the year 9999 is held there.
    pub fn from_unix(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// Reads RFC 3339 in UTC: `2026-11-22T10:00:00Z`.
    pub fn parse(text: &str) -> Option<Self> {
        let date: DateTime = text.parse().ok()?;
        Some(Self::from_unix(date.unix_duration().as_secs()))
    }

    /// The day alone: `2026-11-22`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// As an X.509 `Time`: UTCTime up to 2049, GeneralizedTime after (RFC 5280 §4.1.2.5).
    pub fn to_x509(self) -> der::Result<X509Time> {
        let date = self.to_date_time()?;
        Ok(if date.year() <= 2049 {
            X509Time::UtcTime(UtcTime::from_date_time(date)?)
        } else {
            X509Time::GeneralTime(GeneralizedTime::from_date_time(date))
        })
    }

    fn to_date_time(self) -> der::Result<DateTime> {
        DateTime::from_unix_duration(Duration::from_secs(self.0))
    }

    /// Earlier by a span, not before the epoch.
    pub fn earlier(self, span: Seconds) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add<Seconds> for Time {
    type Output = Time;
    fn add(self, span: Seconds) -> Time {
        Time::from_unix(self.0.saturating_add(span.0))
    }
}

impl Sub for Time {
    type Output = Seconds;
    /// Zero where `other` is later.
    fn sub(self, other: Time) -> Seconds {
        Seconds(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_date_time() {
            Ok(date) => write!(f, "{date}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("want a time like 2026-11-22T10:00:00Z"))
    }
}

impl Seconds {
    /// A day.
    pub const DAY: Seconds = Seconds(86_400);

    /// Reads a span as people write it: a whole number and one of `s`, `m`, `h`,
    /// `d`, `w`, `y` (a year is 365 days), e.g. `60d`, `1440h`, `20y`.
    pub fn parse(text: &str) -> Option<Self> {
        let unit = text.chars().last()?;
        let number = text.strip_suffix(unit)?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            'y' => 365 * 86_400,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(seconds).map(Seconds)
    }
}

impl Seconds {
    /// As [`fmt::Display`], but whole years as years, as they were typed.
    pub fn in_years(self) -> String {
        match Self::DAY.0 * 365 {
            year if self.0 >= year && self.0.is_multiple_of(year) => format!("{}y", self.0 / year),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Seconds {
    /// Whole days as days, else hours, minutes or seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
            if self.0 >= unit && self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        write!(f, "{}s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_people_write_them() {
        assert_eq!(Seconds::parse("60d"), Seconds::parse("1440h"));
        assert_eq!(Seconds::parse("20y"), Some(Seconds(20 * 365 * 86_400)));
        for bad in
            ["", "d", "60", "6 0d", "-1d", "60D", "1.5h", "99999999999999999999d", "18446744073709551615y"]
        {
            assert_eq!(Seconds::parse(bad), None, "{bad}");
        }
        assert_eq!(Seconds(5_184_000).to_string(), "60d");
        assert_eq!(Seconds(5_400).to_string(), "90m");
        assert_eq!(Seconds::parse("9999y").unwrap().in_years(), "9999y");
        assert_eq!(Seconds::parse("366d").unwrap().in_years(), "366d");
    }

    #[test]
    fn times_read_back() {
        let t = Time::from_unix(1_795_305_601);
        assert_eq!(Time::parse(&t.to_string()), Some(t));
        assert_eq!(Time::from_unix(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
