//! Private keys where everybody may read them: a ConfigMap, whatever else it holds.

use zeroize::Zeroize as _;

use super::fault::{Faults, PRIVATE_KEY};
use super::object::{Kind, Object};
use crate::intake::pem::blocks;

/// Whether there is one.
pub(super) fn check(object: &Object, faults: &mut Faults<'_>) -> bool {
    if object.kind != Kind::ConfigMap {
        return false;
    }
    let mut found = false;
    for (name, bytes) in &object.entries {
        for block in blocks(bytes).unwrap_or_default() {
            // Its bytes are nobody's to keep.
            block.body.into_iter().for_each(|mut bytes| bytes.zeroize());
            if block.label.ends_with("PRIVATE KEY") {
                faults.put(&PRIVATE_KEY, name, format!("a block '{}'", block.label));
                found = true;
            }
        }
    }
    found
}
