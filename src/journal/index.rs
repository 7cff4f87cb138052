//! The index: what a long journal adds up to, so that it need not be read whole
//! each time. Pure.
//!
//! `index.json` holds the [`Ledger`] and the digests of the pages; a page holds the
//! digests of some buckets; a bucket holds the entries whose
//! [`key`](super::past::key) begins with its number, sorted, a line each. The seal of
//! the line that follows names the SHA-256 of `index.json`, and with it every page and
//! bucket. A session reads and writes the few that it touches, however many there are.
//! The same journal gives the same index, whether it grew session by session or was
//! made at once: an audit makes it again and compares.

mod table;
mod whole;

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use self::table::Part;
use self::table::{Load, Table, bucket_at, page_count, read};
use super::Ledger;
use super::past::{Kind, key};
use crate::error::{Error, Result};
use crate::text::hex_digest;
use crate::x509::{Digest, Serial};

const FORMAT: &str = "anchorite-index-v3";
/// With fewer and larger buckets (v2), and without the lists of certificates by the week in
/// which they end (v1). Lines that follow such an index can be audited; a home makes its
/// index anew.
const OLDER: [&str; 2] = ["anchorite-index-v1", "anchorite-index-v2"];
/// How many entries a bucket holds at most on average. Beyond that there are twice as
/// many buckets. (In tests a few: so that few make many buckets.)
const PER_BUCKET: u64 = if cfg!(any(test, fuzzing)) { 4 } else { 32 };
/// Two to the power of this is the most buckets that there are.
const DEEPEST: u32 = 28;

/// So many entries of a bucket are looked for one by one; for more all of it is read.
const FEW: usize = 8;

/// An index as it was read, with its digest.
#[derive(Debug)]
pub struct Index {
    content: Content<'static>,
    digest: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'l> {
    format: String,
    ledger: Cow<'l, Ledger>,
    entries: u64,
    pages: Vec<Digest>,
}

/// What is to be written for a new index.
#[derive(Debug)]
pub struct Update {
    /// The bytes of `index.json`.
    pub index: Vec<u8>,
    /// Pages and buckets that are new, each under its digest.
    pub parts: Vec<(Digest, Vec<u8>)>,
    /// Pages and buckets that nothing refers to any more.
    pub stale: Vec<Digest>,
}

type Entries = BTreeMap<Digest, String>;

impl Index {
    /// Reads `index.json`, in the one form in which it is written.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let content: Content = serde_json::from_slice(bytes)
            .map_err(|e| malformed(format!("index.json: {}", crate::text::shown(&e.to_string()))))?;
        let older = OLDER.contains(&content.format.as_str());
        let known = older || content.format == FORMAT;
        let whole = older || content.pages.len() == page_count(depth_for(content.entries));
        if !known || !whole || !content.ledger.adds_up() {
            return Err(malformed("index.json: not an index of this format".into()));
        }
        if json(&content)?.as_bytes() != bytes {
            return Err(malformed("index.json: not in canonical form".into()));
        }
        Ok(Self { content, digest: Digest::of(bytes) })
    }

    /// Whether a home can go on from it.
    pub fn is_current(&self) -> bool {
        self.content.format == FORMAT
    }

    /// SHA-256 of `index.json`, which the seal names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The ledger as it stood when the index was made, without what is in the buckets.
    pub fn ledger(&self) -> &Ledger {
        &self.content.ledger
    }

    /// Whether it says what a ledger that read every line says.
    pub fn is_of(&self, whole: &Ledger) -> Result<bool> {
        let (entries, pages) = whole::pages(whole.recent())?;
        let content = Content { format: FORMAT.into(), ledger: Cow::Borrowed(whole), entries, pages };
        Ok(Digest::of(json(&content)?.as_bytes()) == self.digest)
    }

    /// The value under a key; `load` reads a page or a bucket by its digest.
    pub fn get(&self, key: &Digest, load: Load<'_>) -> Result<Option<String>> {
        find(&self.bucket(number(key, self.depth()), load)?, key)
    }

    fn bucket(&self, number: usize, load: Load<'_>) -> Result<Part> {
        read(load, &bucket_at(self.depth(), &self.content.pages, number, load)?)
    }

    /// The values under many keys; each bucket is read once.
    pub fn get_all(&self, keys: &[Digest], load: Load<'_>) -> Result<HashMap<Digest, String>> {
        let mut wanted: BTreeMap<usize, HashSet<Digest>> = BTreeMap::new();
        for key in keys {
            wanted.entry(number(key, self.depth())).or_default().insert(*key);
        }
        let mut found = HashMap::new();
        for (number, keys) in wanted {
            let bucket = self.bucket(number, load)?;
            if keys.len() <= FEW {
                for key in keys {
                    found.extend(find(&bucket, &key)?.map(|value| (key, value)));
                }
            } else {
                found.extend(parse(&bucket)?.into_iter().filter(|(key, _)| keys.contains(key)));
            }
        }
        Ok(found)
    }

    /// The digest of every page and bucket for which there is a file.
    pub fn parts(&self, load: Load<'_>) -> Result<Vec<Digest>> {
        let mut table = Table::above(self, load);
        table.open_all()?;
        Ok(table.in_use())
    }

    /// Two to the power of the depth is the number of buckets.
    fn depth(&self) -> u32 {
        depth_for(self.content.entries)
    }
}

/// Brings an index up to date with what a ledger holds above it; without one it is
/// made from all that the ledger holds. `load` reads a page or a bucket of `below`.
pub fn update(
    ledger: &Ledger,
    below: Option<&Index>,
    load: impl Fn(&Digest) -> Result<Part>,
) -> Result<Update> {
    let mut table = below.map_or_else(|| Table::new(0, &load), |index| Table::above(index, &load));
    let old_depth = below.map_or(0, Index::depth);
    let mut entries = below.map_or(0, |index| index.content.entries);
    let mut touched: BTreeMap<usize, Entries> = BTreeMap::new();
    for (key, change) in changes(ledger)? {
        let number = number(&key, old_depth);
        let bucket = match touched.entry(number) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(parse(&table.bucket(number)?)?),
        };
        let value = change.applied(bucket.get(&key))?;
        entries += u64::from(bucket.insert(key, value).is_none());
    }
    let depth = depth_for(entries);
    let mut stale = Vec::new();
    if depth != old_depth {
        for number in 0..1 << old_depth {
            if let Entry::Vacant(free) = touched.entry(number) {
                free.insert(parse(&table.bucket(number)?)?);
            }
        }
        stale = table.in_use();
        touched = spread(touched, depth);
        table = Table::new(depth, &load);
    }
    for (number, entries) in touched {
        table.put(number, render(&entries).into_bytes())?;
    }
    table.close();
    let Table { pages, new: parts, replaced, .. } = table;
    stale.extend(replaced);
    let new: HashSet<Digest> = parts.iter().map(|(digest, _)| *digest).collect();
    stale.retain(|digest| !new.contains(digest));
    let content = Content { format: FORMAT.into(), ledger: Cow::Borrowed(ledger), entries, pages };
    let index = serde_json::to_vec(&content).map_err(|e| malformed(e.to_string()))?;
    Ok(Update { index, parts, stale })
}

/// Finds an entry's value in a bucket.
pub fn find(bucket: &[u8], key: &Digest) -> Result<Option<String>> {
    let wanted = format!("{key} ");
    let value = text(bucket)?.split('\n').find_map(|line| line.strip_prefix(&wanted));
    Ok(value.map(Into::into))
}

/// What becomes of an entry.
enum Change {
    Set(String),
    Append(Vec<Serial>),
}

impl Change {
    fn applied(self, before: Option<&String>) -> Result<String> {
        match self {
            Self::Set(value) => Ok(value),
            Self::Append(new) => {
                let before = before.map(|list| serde_json::from_str(list)).transpose();
                let mut serials: Vec<Serial> =
                    before.map_err(|e| malformed(format!("a bucket's list: {e}")))?.unwrap_or_default();
                serials.extend(new);
                json(&serials)
            }
        }
    }
}

fn changes(ledger: &Ledger) -> Result<Vec<(Digest, Change)>> {
    let recent = ledger.recent();
    let mut changes = Vec::new();
    for (serial, issued) in &recent.certificates {
        changes.push((key(Kind::Serial, serial.as_bytes()), Change::Set(json(issued)?)));
    }
    for (group, serials) in &recent.groups {
        if !serials.is_empty() {
            changes.push((*group, Change::Append(serials.clone())));
        }
    }
    for plan in &recent.finished {
        changes.push((key(Kind::Plan, &plan.0), Change::Set(json(&true)?)));
    }
    for head in &recent.heads {
        changes.push((key(Kind::Head, &head.hash.0), Change::Set(json(&head.count)?)));
    }
    Ok(changes)
}

fn spread(buckets: BTreeMap<usize, Entries>, depth: u32) -> BTreeMap<usize, Entries> {
    let mut spread: BTreeMap<usize, Entries> = BTreeMap::new();
    for (key, value) in buckets.into_values().flatten() {
        spread.entry(number(&key, depth)).or_default().insert(key, value);
    }
    spread
}

/// The key's first `depth` bits.
fn number(key: &Digest, depth: u32) -> usize {
    let [a, b, c, d, ..] = key.0;
    u32::from_be_bytes([a, b, c, d]).checked_shr(32 - depth).unwrap_or(0) as usize
}

fn depth_for(entries: u64) -> u32 {
    (0..DEEPEST).find(|depth| entries <= PER_BUCKET << depth).unwrap_or(DEEPEST)
}

fn render(entries: &Entries) -> String {
    let mut text = String::with_capacity(entries.values().map(|value| value.len() + 66).sum());
    for (key, value) in entries {
        text.extend([hex_digest(&key.0, &mut [0; 64]), " ", value, "\n"]);
    }
    text
}

fn parse(bucket: &[u8]) -> Result<Entries> {
    let entry = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((Digest::parse(key)?, value.to_string()))
    };
    let lines = text(bucket)?.lines();
    lines.map(|line| entry(line).ok_or_else(|| malformed("a bucket's line has no key".into()))).collect()
}

fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| malformed(format!("a bucket is not text: {e}")))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| malformed(e.to_string()))
}

fn malformed(what: String) -> Error {
    Error::integrity("journal.index", format!("state/index: {what}"))
}

#[cfg(test)]
mod tests;
