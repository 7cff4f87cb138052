//! A CRL: one that came with a request, and one that the root is said to have signed.

use anchorite::intake::{self, Arrival, CRL_RULES, CrlOf, ReceivedCrl, judge_crl};
use anchorite::verify::read_crl;
use anchorite::x509::{CrlSpec, Digest, Issuer, Seconds, SignatureAlgorithm};
use der::asn1::{Any, BitString};
use der::{Decode as _, Encode as _, Sequence};
use spki::AlgorithmIdentifierOwned;

use super::world::{self, SUBJECT_KEY, now, root};
use super::{fit, fit_finding, good};

/// A list of whatever (RFC 5280 §5.1).
#[derive(Sequence)]
struct CertificateList {
    tbs: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

pub fn crl(data: &[u8]) {
    assert!(good(read_crl(data, root())).is_none(), "the fuzzer has no key");
    received(data);
    let Ok(list) = CertificateList::from_der(data) else { return };
    let Ok(tbs) = list.tbs.to_der() else { return };
    received(&signed(&tbs, SignatureAlgorithm::EcdsaSha256, &SUBJECT_KEY.sign(&tbs)));
    let by_root = signed(&tbs, SignatureAlgorithm::Ed25519, &world::sign_as_root(&tbs));
    let Some(read) = good(read_crl(&by_root, root())) else { return };
    // What the verifier takes, the builder would have made, to the byte.
    let spec = CrlSpec::from_tbs(&tbs).unwrap();
    assert_eq!((spec.number, &spec.entries), (read.number, &read.entries));
    assert_eq!((spec.this_update, spec.next_update), (read.this_update, read.next_update));
}

fn signed(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    let (tbs, algorithm) = (Any::from_der(tbs).unwrap(), algorithm.identifier());
    CertificateList { tbs, algorithm, signature: BitString::from_bytes(signature).unwrap() }.to_der().unwrap()
}

fn received(data: &[u8]) {
    for arrival in intake::read("in/a.crl", data) {
        if let Arrival::Crl(crl) = arrival {
            arrived(&crl);
        }
    }
}

/// One that could be read, with what is demanded of each.
pub(super) fn arrived(crl: &ReceivedCrl) {
    fit(&crl.file);
    fit(&crl.issuer.to_string());
    assert_eq!(crl.digest, Digest::of(&crl.der));
    let (public_key, not_after) = (SUBJECT_KEY.public(), now() + Seconds(60 * 86_400));
    let key_id = public_key.key_id();
    let of = CrlOf { subject: &crl.issuer, public_key: &public_key, key_id: &key_id, not_after, now: now() };
    let findings = judge_crl(crl, &of);
    findings.iter().for_each(fit_finding);
    assert_eq!(findings.len(), CRL_RULES.len());
    if findings.iter().any(|finding| finding.refuses()) {
        return;
    }
    // What intake takes, the verifier of releases takes.
    let issuer = Issuer {
        subject: crl.issuer.clone(),
        signature: SignatureAlgorithm::EcdsaSha256,
        key_id,
        public_key,
        ..root().clone()
    };
    let read = read_crl(&crl.der, &issuer).unwrap();
    assert_eq!((Some(read.number), read.entries.len()), (crl.number, 0));
    assert_eq!((read.this_update, Some(read.next_update)), (crl.this_update, crl.next_update));
}
