//! Data objects: SP 800-73-4 part 1, 3, and part 2, 3.1.2 and 3.3.2.

use super::Piv;
use crate::apdu::{Answer, Command, status};
use crate::attestation;
use crate::deed::Deed;
use crate::orders::take;
use crate::tlv::{parse, tlv};

/// The discovery object: the application's identifier, and that its own PIN is in use.
const DISCOVERY: &[u8] = &[0x4f, 0x0b, 0xa0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0, 0x5f, 0x2f, 2, 0x40, 0];

/// Fingerprints, printed information, facial image, iris images: read with the PIN alone.
const PRIVATE: [&str; 4] = ["5fc103", "5fc109", "5fc108", "5fc121"];

impl Piv {
    /// Order `other-root`: slot F9's certificate is the forger's, as in ATTEST.
    pub fn get(&mut self, command: &Command, deeds: &mut Vec<Deed>) -> Answer {
        let objects = parse(&command.data).ok_or(status::BAD_DATA)?;
        let [(0x5c, tag)] = objects[..] else { return Err(status::BAD_DATA) };
        let tag = hex(tag);
        if tag == "7e" {
            return Ok(tlv(0x7e, DISCOVERY));
        }
        if take(deeds, "other-root").is_some() && tag == attestation::CERTIFICATE {
            return Ok(tlv(0x53, &self.forged().1));
        }
        if PRIVATE.contains(&tag.as_str()) && !self.session.verified {
            return Err(status::SECURITY);
        }
        Ok(tlv(0x53, self.state.objects.get(&tag).ok_or(status::NOT_FOUND)?))
    }

    /// What is empty is gone.
    pub fn put(&mut self, command: &Command) -> Answer {
        self.managed()?;
        let objects = parse(&command.data).ok_or(status::BAD_DATA)?;
        let [(0x5c, tag), (0x53, content)] = objects[..] else { return Err(status::BAD_DATA) };
        match content {
            [] => self.state.objects.remove(&hex(tag)),
            _ => self.state.objects.insert(hex(tag), content.to_vec()),
        };
        self.state.save();
        Ok(Vec::new())
    }
}

fn hex(tag: &[u8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}
