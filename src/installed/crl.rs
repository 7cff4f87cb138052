//! The CRLs beside a chain. Envoy wants one of every CA in it, in force, and so does istiod.

use super::SeenCrl;
use super::certificates::Certificate;
use super::chain::Chain;
use super::fault::{CRL, CRL_EXPIRED, CRL_EXPIRES, CRL_LACKING, CRL_NOT_YET, Faults, NEWLINE, REVOKED};
use super::form::Form;
use super::object::Object;
use crate::intake::pem::{Block, blocks};
use crate::verify::{parse_crl, read_crl};
use crate::x509::Issuer;

/// Reads them into the chain, and tells what they say.
pub(super) fn check(
    object: &Object,
    form: &Form,
    chain: &mut Chain,
    faults: &mut Faults<'_>,
) -> Vec<SeenCrl> {
    let entry = form.crl.and_then(|name| object.entries.get(name).map(|bytes| (name, bytes)));
    let Some((name, bytes)) = entry else { return Vec::new() };
    let (mut seen, mut crls) = (Vec::new(), Vec::new());
    if !bytes.ends_with(b"\n") {
        faults.put(&NEWLINE, name, "none");
    }
    let found = blocks(bytes).unwrap_or_default();
    if found.is_empty() {
        faults.put(&CRL, name, "no PEM block, or more than a thousand");
    }
    for Block { label, body } in found {
        let crl = match (label.as_str(), body) {
            ("X509 CRL", Ok(der)) => parse_crl(&der).map_err(|e| e.message),
            ("X509 CRL", Err(why)) => Err(why),
            (label, _) => Err(format!("a block '{label}'")),
        };
        match crl {
            Ok(crl) => {
                let what = format!("CRL {} of {}", crl.number, crl.issuer);
                let holds = (crl.this_update, crl.next_update);
                faults.validity(name, &what, holds, [&CRL_NOT_YET, &CRL_EXPIRED, &CRL_EXPIRES]);
                let (issuer, number, next_update) = (crl.issuer.to_string(), crl.number, crl.next_update);
                seen.push(SeenCrl { issuer, number, next_update });
                crls.push(crl.der);
            }
            Err(why) => faults.put(&CRL, name, format!("one that cannot be read: {why}")),
        }
    }
    for certificate in chain.path.iter().chain(&chain.root) {
        if !covers(&crls, certificate) {
            faults.put(&CRL_LACKING, name, format!("none of {}", certificate.says.subject));
        }
    }
    revoked(name, chain, &crls, faults);
    chain.crls = Some(crls);
    seen
}

/// Whether one of them is this CA's, by its signature.
pub(super) fn covers(crls: &[Vec<u8>], certificate: &Certificate) -> bool {
    let issuer = Issuer::from_der(&certificate.der);
    issuer.is_ok_and(|issuer| crls.iter().any(|der| read_crl(der, &issuer).is_ok()))
}

/// Each certificate of the chain against the CRLs of the one above it.
fn revoked(name: &str, chain: &Chain, crls: &[Vec<u8>], faults: &mut Faults<'_>) {
    let above = chain.path.iter().skip(1).chain(&chain.root);
    for (certificate, issuer) in chain.path.iter().zip(above) {
        let (Ok(issuer), Ok(own)) = (Issuer::from_der(&issuer.der), Issuer::from_der(&certificate.der))
        else {
            continue;
        };
        let lists = crls.iter().filter_map(|der| read_crl(der, &issuer).ok());
        let entry = lists.flat_map(|crl| crl.entries).find(|entry| entry.serial == own.serial);
        if let Some(entry) = entry {
            let found =
                format!("{}, revoked {} for {}", certificate.says.subject, entry.date, entry.reason.name());
            faults.put(&REVOKED, name, found);
        }
    }
}
