//! The private key beside its certificate. Nothing of it is ever shown.

use super::certificates::Certificate;
use super::fault::{Faults, KEY_ENCRYPTED, KEY_MISMATCH, KEY_PARAMETERS};
use super::form::Form;
use super::object::Object;
use crate::cluster::PrivateKey;
use crate::release::Consumer;
use crate::text::hex;

const BEGIN: &[u8] = b"-----BEGIN ";

/// Whether it is there and belongs to the certificate.
pub(super) fn check(
    object: &Object,
    form: &Form,
    own: Option<&Certificate>,
    faults: &mut Faults<'_>,
) -> bool {
    let entry = form.key.and_then(|name| object.entries.get(name).map(|bytes| (name, bytes)));
    let Some((name, bytes)) = entry else { return false };
    if !first_block_is_a_key(bytes) {
        faults.put(&KEY_PARAMETERS, name, "another block before it");
    }
    let key = match PrivateKey::from_pem(bytes) {
        Ok(key) => key,
        Err(error) if error.id == "key.encrypted" && form.consumer == Some(Consumer::StepCa) => {
            faults.put(&KEY_ENCRYPTED, name, "an encrypted one");
            return false;
        }
        Err(error) => {
            let next = error.next.clone();
            faults.error(name, error, &next);
            return false;
        }
    };
    let Some(own) = own else { return false };
    let certified = own.says.public_key.as_ref();
    if certified == Some(key.public_key()) {
        return true;
    }
    let found = format!("{}, key id {}", key.public_key().algorithm(), hex(&key.public_key().key_id()));
    let wanted = certified.map_or_else(
        || "of another kind".into(),
        |key| format!("{}, key id {}", key.algorithm(), hex(&key.key_id())),
    );
    faults.put(&KEY_MISMATCH, name, format!("{found}; the certificate's is {wanted}"));
    false
}

/// Go's decoder takes the first block, whatever it is (`openssl ecparam -genkey` writes
/// `EC PARAMETERS` before the key).
fn first_block_is_a_key(bytes: &[u8]) -> bool {
    let at = bytes.windows(BEGIN.len()).position(|window| window == BEGIN);
    let label = at.and_then(|at| bytes.get(at + BEGIN.len()..)).unwrap_or_default();
    let label = label.split(|byte| *byte == b'-').next().unwrap_or_default();
    at.is_none() || label.ends_with(b"PRIVATE KEY")
}
