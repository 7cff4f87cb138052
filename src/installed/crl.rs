//! The CRLs beside a chain. Envoy wants one of every CA in it, in force, and so does istiod.

use super::SeenCrl;
use super::certificates::Certificate;
use super::chain::Chain;
use super::fault::{
    CRL, CRL_EXPIRED, CRL_EXPIRES, CRL_LACKING, CRL_NOT_YET, CRL_ROOT, Faults, NEWLINE, REVOKED,
};
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
    for certificate in chain.path.iter().chain(&chain.root).filter(|needed| !covers(&crls, needed)) {
        faults.put(&CRL_LACKING, name, lacking(&crls, certificate));
    }
    trusted(name, chain, &crls, faults);
    revoked(name, chain, &crls, faults);
    chain.crls = Some(crls);
    chain.crl_key = name;
    seen
}

/// The roots that no chain here ends at, and those of a bundle that has no chain at all.
fn trusted(name: &str, chain: &Chain, crls: &[Vec<u8>], faults: &mut Faults<'_>) {
    let others = || chain.trusted.iter().filter(|root| chain.root.as_ref() != Some(*root));
    let alone = chain.path.is_empty();
    let none = alone && !others().any(|root| covers(crls, root));
    for root in others().filter(|root| root.says.is_self_issued() && !covers(crls, root)) {
        faults.put(if none { &CRL_LACKING } else { &CRL_ROOT }, name, lacking(crls, root));
    }
    let of_a_root = |der: &Vec<u8>| others().any(|root| covers(std::slice::from_ref(der), root));
    if alone && !none && crls.iter().all(of_a_root) {
        faults.put(&CRL_LACKING, name, "those of roots alone, and none of an intermediate beneath them");
    }
}

/// Why none of them is this CA's.
pub(super) fn lacking(crls: &[Vec<u8>], certificate: &Certificate) -> String {
    let subject = &certificate.says.subject;
    if certificate.says.signs.is_some_and(|(_, signs_crls)| !signs_crls) {
        return format!("none that {subject} could have signed: its keyUsage lacks cRLSign");
    }
    let issuer = match Issuer::from_der(&certificate.der) {
        Ok(issuer) => issuer,
        Err(error) => return format!("none of {subject}, whose certificate is not fit: {}", error.message),
    };
    let named = |der: &&Vec<u8>| parse_crl(der).is_ok_and(|crl| crl.issuer == issuer.subject);
    match crls.iter().find(named).map(|der| read_crl(der, &issuer)) {
        Some(Err(error)) => format!("one in the name of {subject} that is not its own: {}", error.message),
        _ => format!("none of {subject}"),
    }
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
