//! Serial numbers, which the plan draws once a request is granted.

use super::{Check, RuleInfo};
use crate::finding::Finding;
use crate::policy::history::History;
use crate::x509::Serial;

pub(super) const UNIQUE: RuleInfo = RuleInfo::new(
    "serial.unique",
    "a serial number is used once, burnt ones included",
    "RFC 5280 §4.1.2.2",
    Check::Serial,
);

/// Judges a serial number drawn for a new certificate.
pub fn serial_unique(history: &dyn History, serial: &Serial) -> Finding {
    UNIQUE.demand(!history.has_serial(serial), serial.to_string(), "a number never used")
}
