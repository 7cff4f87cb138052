//! The cluster's own CRL: empty, signed in advance by the intermediate's key. Who checks
//! CRLs through the whole chain wants one from every CA in it, and this key signs nowhere else.

use rcgen::SigningKey as _;

use super::key::PrivateKey;
use crate::error::{Error, Result};
use crate::x509::{CrlSpec, Name, Seconds, SignatureAlgorithm, Time, pem};

/// For clocks that run behind.
const BACKDATED: Seconds = Seconds(300);

/// Makes it, in PEM: for the CA of this subject and subject key identifier, good for so
/// long from now. Its number is the time in seconds, so that one made later is higher
/// without a record of the last.
pub fn make_crl(key: &PrivateKey, subject: &Name, key_id: &[u8], now: Time, ttl: Seconds) -> Result<Vec<u8>> {
    let algorithm = key.public_key().algorithm();
    let signature = SignatureAlgorithm::of_issuer(algorithm).ok_or_else(|| {
        Error::usage("request.key-algorithm", format!("a key of the kind {algorithm} signs no CRL here"))
            .next("make a key of another kind: the root would refuse this one")
    })?;
    let spec = CrlSpec {
        signature,
        issuer: subject.clone(),
        key_id: key_id.to_vec(),
        this_update: now.earlier(BACKDATED),
        next_update: now + ttl,
        number: now.unix(),
        entries: Vec::new(),
    };
    let tbs = spec.to_tbs()?;
    let signed = key.pair().sign(tbs.as_der()).map_err(super::request::failed)?;
    Ok(pem::encode("X509 CRL", &tbs.assemble(&signed)?).into_bytes())
}
