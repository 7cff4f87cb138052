//! Which CRL belongs to which request.

use std::collections::HashMap;

use super::{ReceivedCrl, parse};
use crate::finding::{Finding, Outcome};
use crate::intake::Request;
use crate::x509::Digest;

/// Gives each CRL to the request whose subject is its issuer; among several of that
/// subject, and where there is none, to the one whose key it names. Gives back those that
/// belong to no request. Copies of a request all get it: none takes it from the one that is
/// granted. Whether they fit is judged with the request.
pub fn pair(requests: &mut [Request], crls: Vec<ReceivedCrl>) -> Vec<ReceivedCrl> {
    let (mut by_subject, mut by_key) = (HashMap::<Vec<u8>, usize>::new(), HashMap::<Vec<u8>, usize>::new());
    let mut by_both = HashMap::<(Vec<u8>, Vec<u8>), usize>::new();
    let mut copies = HashMap::<Digest, Vec<usize>>::new();
    for (at, request) in requests.iter().enumerate() {
        let subject = request.subject.as_der().to_vec();
        for id in [request.key.key_id(), request.key.key_id_sha1()] {
            by_key.entry(id.clone()).or_insert(at);
            by_both.entry((subject.clone(), id)).or_insert(at);
        }
        by_subject.entry(subject).or_insert(at);
        copies.entry(request.digest).or_default().push(at);
    }
    let mut left = Vec::new();
    for crl in crls {
        let issuer = crl.issuer.as_der().to_vec();
        let key_id = crl.key_id.clone().unwrap_or_default();
        let of_key = by_key.get(&key_id);
        let at = by_both.get(&(issuer.clone(), key_id)).or_else(|| by_subject.get(&issuer)).or(of_key);
        let Some(digest) = at.and_then(|at| requests.get(*at)).map(|request| request.digest) else {
            left.push(crl);
            continue;
        };
        for at in copies.get(&digest).into_iter().flatten() {
            if let Some(request) = requests.get_mut(*at) {
                give(request, crl.clone());
            }
        }
    }
    left
}

/// Attaches a CRL whose DER was kept with the request, as in a plan.
pub fn attach(request: &mut Request, file: &str, der: &[u8]) -> Result<(), Box<Finding>> {
    let crl = parse(file, der).map_err(|error| Box::new(super::unreadable(&error)))?;
    give(request, crl);
    Ok(())
}

fn give(request: &mut Request, crl: ReceivedCrl) {
    match &request.crl {
        None => request.crl = Some(crl),
        // The same once more says nothing new.
        Some(first) if first.digest == crl.digest => {}
        Some(first) => request.findings.push(several(&first.file, &crl.file)),
    }
}

/// Rule `crl.several`: no file's name decides which of two CRLs goes out.
fn several(first: &str, second: &str) -> Finding {
    Finding::new(
        "crl.several",
        Outcome::Refused,
        "RFC 5280 §5.2.3",
        format!(
            "two CRLs came for this request, {first} and {second}; leave the right one of them on the stick"
        ),
        format!("{first} and {second}"),
        "one CRL",
    )
}
