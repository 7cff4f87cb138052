//! The certificates of a PEM file, as a consumer finds them, and what is odd about the file.

use zeroize::Zeroize as _;

use super::SeenCertificate;
use super::fault::{Faults, NEWLINE, PEM, PRIVATE_KEY};
use crate::intake::pem::{Block, blocks};
use crate::verify::{Authority, read_authority};

/// A certificate and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub der: Vec<u8>,
    pub says: Authority,
}

impl Certificate {
    pub fn told(&self) -> SeenCertificate {
        SeenCertificate {
            subject: self.says.subject.clone(),
            serial: self.says.serial.clone(),
            not_after: self.says.not_after,
            sha256: self.says.sha256,
        }
    }
}

/// All that can be read, in order.
pub(super) fn read(key: &str, bytes: &[u8], faults: &mut Faults<'_>) -> Vec<Certificate> {
    if !bytes.ends_with(b"\n") {
        faults.put(&NEWLINE, key, "none");
    }
    let found = blocks(bytes).unwrap_or_default();
    if found.is_empty() {
        faults.put(&PEM, key, "no PEM block, or more than a thousand");
    }
    let mut all = Vec::new();
    for Block { label, body } in found {
        match (label.as_str(), body) {
            ("CERTIFICATE", Ok(der)) => match read_authority(&der) {
                Ok(says) => all.push(Certificate { der, says }),
                Err(error) => {
                    faults.put(&PEM, key, format!("a certificate that cannot be read: {}", error.message))
                }
            },
            ("CERTIFICATE", Err(why)) => faults.put(&PEM, key, format!("a damaged certificate: {why}")),
            (label, body) => {
                // Its bytes are nobody's to keep.
                body.into_iter().for_each(|mut bytes| bytes.zeroize());
                let rule = if label.ends_with("PRIVATE KEY") { &PRIVATE_KEY } else { &PEM };
                faults.put(rule, key, format!("a block '{label}'"));
            }
        }
    }
    all
}
