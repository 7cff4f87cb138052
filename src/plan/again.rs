//! The requests of a plan, read again from what the plan holds. Where a sender signed the file
//! that one came in, the plan holds that file and the signature: both are read as they were
//! on the stick, so that nobody's name is taken from the plan.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::{Item, Plan, SignedFile};
use crate::error::{Error, Result};
use crate::intake::{self, Arrival, Request, SUFFIX};

/// What each signed file holds, by the name of its signature.
type BySignature = HashMap<String, Vec<Request>>;

/// The requests of these items of a plan, in the same order.
pub fn read(plan: &Plan, items: &[&Item]) -> Result<Vec<Request>> {
    let signed = signed(plan)?;
    items.par_iter().map(|item| read_one(item, &signed)).collect()
}

fn altered(file: &str, what: &str) -> Error {
    Error::integrity("plan.request", format!("{file}: {what}"))
        .next("the plan file was altered: stop the ceremony")
}

fn read_one(item: &Item, signed: &BySignature) -> Result<Request> {
    let mut request = match &item.sender {
        None => plain(item)?,
        Some(sender) => {
            let requests = signed.get(&sender.file).map(Vec::as_slice).unwrap_or_default();
            let request = requests.iter().find(|request| is(request, item));
            request.cloned().ok_or_else(|| {
                altered(&item.file, "no signed file in the plan holds this very request, from this sender")
            })?
        }
    };
    if let Some(crl) = &item.crl {
        intake::attach(&mut request, &item.file, &crl.der.0)
            .map_err(|_| altered(&item.file, "the request's CRL in the plan cannot be read"))?;
    }
    Ok(request)
}

fn is(request: &Request, item: &Item) -> bool {
    request.file == item.file
        && request.der == item.request.0
        && request.object == item.object
        && request.sender == item.sender
}

fn plain(item: &Item) -> Result<Request> {
    match intake::read(&item.file, &item.request.0).into_iter().next() {
        // A DER request reads as exactly one.
        Some(Arrival::Request(mut request)) => {
            if let Some(object) = &item.object {
                intake::within(&mut request, object.clone());
            }
            Ok(*request)
        }
        _ => Err(altered(&item.file, "the request in the plan cannot be read")),
    }
}

fn signed(plan: &Plan) -> Result<BySignature> {
    let senders: HashSet<&str> = plan
        .items
        .iter()
        .filter_map(|item| item.sender.as_ref())
        .map(|sender| sender.file.as_str())
        .collect();
    let read: Vec<(String, Vec<Request>)> = plan.signed.par_iter().map(requests).collect();
    let mut all = BySignature::new();
    for ((signature, requests), file) in read.into_iter().zip(&plan.signed) {
        if !senders.contains(signature.as_str()) {
            return Err(altered(&file.file, "the plan holds this signed file, and no request of it"));
        }
        if all.insert(signature, requests).is_some() {
            return Err(altered(&file.file, "the plan holds this signed file twice"));
        }
    }
    Ok(all)
}

fn requests(signed: &SignedFile) -> (String, Vec<Request>) {
    let mut arrivals = intake::read(&signed.file, &signed.content.0);
    intake::attribute(&mut arrivals, &signed.file, &signed.signature.0, &signed.content.0);
    let requests = arrivals.into_iter().filter_map(|arrival| match arrival {
        Arrival::Request(request) => Some(*request),
        _ => None,
    });
    (format!("{}{SUFFIX}", signed.file), requests.collect())
}
