//! The index of a whole journal, of which nothing but the digests is made: a bucket at a
//! time, on all cores.

use super::table::{PER_PAGE, page_digest};
use super::{depth_for, json, number};
use crate::cores::{InOrder, beside};
use crate::error::Result;
use crate::journal::ledger::Recent;
use crate::journal::past::{Kind, key};
use crate::x509::{Digest, Issued, Serial};

/// A value that is not written yet.
enum Value<'r> {
    Certificate(&'r Issued),
    Group(&'r [Serial]),
    Plan,
    Head(u64),
}

impl Value<'_> {
    fn json(&self) -> Result<String> {
        match self {
            Self::Certificate(issued) => json(issued),
            Self::Group(serials) => json(serials),
            Self::Plan => json(&true),
            Self::Head(count) => json(count),
        }
    }
}

/// How many entries there are, and the digests of the pages: as [`update`](super::update)
/// makes them where nothing lies beneath.
pub(super) fn pages(recent: &Recent) -> Result<(u64, Vec<Digest>)> {
    let certificates = recent.certificates.iter();
    let certificates = certificates
        .map(|(serial, issued)| (key(Kind::Serial, serial.as_bytes()), Value::Certificate(issued)));
    let groups = recent.groups.iter().filter(|(_, serials)| !serials.is_empty());
    let groups = groups.map(|(group, serials)| (*group, Value::Group(serials)));
    let plans = recent.finished.iter().map(|plan| (key(Kind::Plan, &plan.0), Value::Plan));
    let heads = recent.heads.iter().map(|head| (key(Kind::Head, &head.hash.0), Value::Head(head.count)));
    let mut entries: Vec<_> = certificates.chain(groups).chain(plans).chain(heads).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    let depth = depth_for(entries.len() as u64);
    let buckets = 1_usize << depth;
    let pages = beside(|cores| {
        let (mut pages, mut made) = (InOrder::new(cores), Vec::new());
        let mut rest = entries.as_slice();
        for first in (0..buckets).step_by(PER_PAGE) {
            let numbers = first..buckets.min(first + PER_PAGE);
            let end = rest.partition_point(|(key, _)| number(key, depth) < numbers.end);
            let (own, others) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = others;
            pages.put(move || page(own, numbers, depth));
            if pages.is_full() {
                made.extend(pages.take());
            }
        }
        made.extend(std::iter::from_fn(|| pages.take()));
        made.into_iter().collect::<Result<Vec<Digest>>>()
    });
    Ok((entries.len() as u64, pages?))
}

/// The digest of a page with these entries, sorted by their keys.
fn page(entries: &[(Digest, Value<'_>)], numbers: std::ops::Range<usize>, depth: u32) -> Result<Digest> {
    let mut rest = entries;
    let mut bucket = |wanted: usize| {
        let mut text = String::new();
        while let Some(((key, value), others)) = rest.split_first()
            && number(key, depth) == wanted
        {
            text.extend([&key.to_string(), " ", &value.json()?, "\n"]);
            rest = others;
        }
        Ok(Digest::of(text.as_bytes()))
    };
    Ok(page_digest(&numbers.map(&mut bucket).collect::<Result<Vec<_>>>()?))
}
