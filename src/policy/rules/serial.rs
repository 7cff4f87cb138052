//! Serial numbers, which the plan draws once a request is granted.

use super::{Check, RuleInfo};
use crate::error::Result;
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
pub fn serial_unique(history: &dyn History, serial: &Serial) -> Result<Finding> {
    let used = history.has_serial(serial)?;
    Ok(UNIQUE.demand(!used, serial.to_string(), "a number never used"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Outcome;
    use crate::policy::sample::{Past, World};
    use crate::x509::Status;

    #[test]
    fn serials_are_used_once() {
        let mut world = World::new();
        world.issued(1, "CN=x", Status::Burnt);
        let (used, fresh) = (world.past[0].serial.clone(), world.issuer.serial.clone());
        assert_eq!(serial_unique(&Past(&world.past, &[], None), &used).unwrap().outcome, Outcome::Refused);
        assert_eq!(serial_unique(&Past(&world.past, &[], None), &fresh).unwrap().outcome, Outcome::Pass);
    }
}
