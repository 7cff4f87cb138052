//! An index with its pages and buckets and the lines after it, as they lie in a home and in a
//! release: as they are, and with the lines' hashes and signatures made anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use anchorite::audit::{Expectation, State, audit};
use anchorite::journal::{Index, Past, Update, check_index, find, replay, replay_after, update};
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::journal::{Scribe, mended};
use super::stick::folder;
use super::world::{self, root};
use super::{files, fit, good};

type Parts = BTreeMap<Digest, Vec<u8>>;

/// The input's first file is the index, its second the lines; all others are pages and buckets.
pub fn index(data: &[u8]) {
    let mut files = files::unpack(data).into_iter().map(|(_, bytes)| bytes);
    let Some(index) = good(Index::read(files.next().unwrap_or(data))) else { return };
    let lines = files.next().unwrap_or_default();
    let parts: Parts = files.map(|bytes| (Digest::of(bytes), bytes.to_vec())).collect();
    let shelf = Shelf { index, parts };
    let index = &shelf.index;

    assert_eq!(written(index).index, index_bytes(data), "what is read is written in that form");
    if judge(index, lines) != State::Broken {
        // Nobody without the keys made an index that is sealed under this root.
        assert!(genuine().iter().any(|part| part.index.digest() == index.digest()), "an index was forged");
    }
    on_disk(&shelf, index_bytes(data));
    let lines = mended(Scribe::after(index), lines, Some(index.digest()));
    judge(index, &lines);
    goes_on(shelf, &lines);
}

fn index_bytes(data: &[u8]) -> &[u8] {
    files::unpack(data).first().map_or(data, |(_, bytes)| bytes)
}

/// The index brought up to date with nothing.
fn written(index: &Index) -> Update {
    let again = update(index.ledger(), Some(index), |_| unreachable!("nothing is looked for")).unwrap();
    assert!(again.parts.is_empty() && again.stale.is_empty());
    again
}

/// What an audit of the lines says that come with an index in a release.
fn judge(index: &Index, lines: &[u8]) -> State {
    let expect =
        Expectation { root_sha256: Some(root().fingerprint()), after: Some(index), ..Expectation::default() };
    let (report, audited, _) = audit(lines, &expect);
    report.errors.iter().for_each(|fault| fit(&fault.message));
    report.open.iter().for_each(|line| fit(line));
    assert_eq!(report.errors.is_empty(), report.state != State::Broken);
    if let Some(audited) = audited {
        let beneath = index.ledger();
        assert!(audited.ledger.count() > beneath.count(), "no seal vouches for it");
        assert_eq!(audited.ledger.bytes() - beneath.bytes() + audited.torn.len() as u64, lines.len() as u64);
    }
    report.state
}

/// In a home all of its pages and buckets are there, each as it was; else it is noticed.
fn on_disk(shelf: &Shelf, bytes: &[u8]) {
    let state = folder();
    std::fs::create_dir(state.path().join("index")).unwrap();
    std::fs::write(state.path().join("index.json"), bytes).unwrap();
    let path = |digest: &Digest| state.path().join("index").join(digest.to_string());
    for (digest, bytes) in &shelf.parts {
        std::fs::write(path(digest), bytes).unwrap();
    }
    let found = good(check_index(state.path())).map(|index| index.unwrap().digest());
    let whole = good(shelf.in_use()).filter(|parts| parts.iter().all(|part| shelf.parts.contains_key(part)));
    assert_eq!(found, whole.as_ref().map(|_| shelf.index.digest()));
    let Some(digest) = whole.iter().flatten().next() else { return };
    for other in changed(&shelf.parts[digest]) {
        std::fs::write(path(digest), other).unwrap();
        assert!(good(check_index(state.path())).is_none(), "a changed page or bucket is not noticed");
    }
}

fn changed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut bent = bytes.to_vec();
    bent[bytes.len() / 2] ^= 1;
    [bent, bytes[..bytes.len() - 1].to_vec(), [bytes, b"\n"].concat()]
}

/// The home's next session: what follows the index is replayed on it, and it grows.
fn goes_on(shelf: Shelf, lines: &[u8]) {
    for part in shelf.parts.values() {
        found_is_there(part);
    }
    let shelf = Arc::new(shelf);
    let mut start = shelf.index.ledger().clone();
    start.stand_on(shelf.clone());
    let Some(replayed) = good(replay_after(&shelf.index, start, lines, |_, _| Ok(()))) else { return };
    let grown = update(&replayed.ledger, Some(&shelf.index), |digest| shelf.part(digest));
    let Some(grown) = good(grown) else { return };
    let index = Index::read(&grown.index).unwrap();
    assert_eq!(written(&index).index, grown.index);
    grown.parts.iter().for_each(|(digest, bytes)| {
        assert_eq!(*digest, Digest::of(bytes));
        found_is_there(bytes);
    });
    let grown = Shelf::of(index, shelf.parts.clone(), grown);
    let (Some(now), Some(before)) = (good(grown.in_use()), good(shelf.in_use())) else { return };
    assert!(now.is_subset(&grown.parts.keys().copied().chain(before).collect()));
}

/// What is found of an entry stands in a line of its own.
fn found_is_there(bucket: &[u8]) {
    for line in bucket.split(|b| *b == b'\n') {
        let Some(key) = line.get(..64).and_then(|key| Digest::parse(std::str::from_utf8(key).ok()?)) else {
            continue;
        };
        if let Some(Some(value)) = good(find(bucket, &key)) {
            let line = format!("{key} {value}");
            assert!(bucket.split(|b| *b == b'\n').any(|l| l == line.as_bytes()), "{line}");
        }
    }
}

/// An index with its pages and buckets.
#[derive(Debug)]
pub struct Shelf {
    pub index: Index,
    pub parts: Parts,
}

impl Shelf {
    /// After an update: with what is new, without what is stale.
    pub fn of(index: Index, mut parts: Parts, update: Update) -> Self {
        parts.retain(|digest, _| !update.stale.contains(digest));
        parts.extend(update.parts);
        Self { index, parts }
    }

    pub fn part(&self, digest: &Digest) -> Result<Arc<[u8]>> {
        let part = self.parts.get(digest).map(|part| Arc::from(&part[..]));
        part.ok_or_else(|| Error::integrity("fuzz.part", "no such page or bucket"))
    }

    /// What there is to be; an error where a page is not there to tell.
    pub fn in_use(&self) -> Result<BTreeSet<Digest>> {
        Ok(self.index.parts(&|digest| self.part(digest))?.into_iter().collect())
    }
}

impl Past for Shelf {
    fn get(&self, key: &Digest) -> Result<Option<String>> {
        self.index.get(key, &|digest| self.part(digest))
    }

    fn get_all(&self, keys: &[Digest]) -> Result<HashMap<Digest, String>> {
        self.index.get_all(keys, &|digest| self.part(digest))
    }
}

/// The world's journal, parted at each seal: the index of the lines before, and those from
/// the seal on, which vouches for it.
pub fn genuine() -> &'static [Part] {
    static PARTS: std::sync::LazyLock<Vec<Part>> = std::sync::LazyLock::new(|| {
        let starts = world::JOURNAL.split_inclusive(|b| *b == b'\n').scan(0, |end, line| {
            let start = *end;
            *end += line.len();
            Some((start, line))
        });
        let seal = b"\"purpose\":\"seal\"";
        let seals = starts.filter(|(_, line)| line.windows(seal.len()).any(|w| w == seal));
        seals.map(|(at, _)| Part::at(at)).collect()
    });
    &PARTS
}

pub struct Part {
    pub index: Index,
    pub bytes: Vec<u8>,
    pub lines: Vec<u8>,
    pub parts: Parts,
}

impl Part {
    fn at(at: usize) -> Self {
        let (before, lines) = world::JOURNAL.split_at(at);
        let ledger = replay(before, |_, _| Ok(())).unwrap().ledger;
        let update = update(&ledger, None, |_| unreachable!("nothing beneath")).unwrap();
        let (bytes, index) = (update.index.clone(), Index::read(&update.index).unwrap());
        let lines = mended(Scribe::after(&index), lines, Some(index.digest()));
        let Shelf { index, parts } = Shelf::of(index, Parts::new(), update);
        Self { index, bytes, lines, parts }
    }

    /// As an input of the target.
    pub fn packed(&self) -> Vec<u8> {
        let named = [(&b"index.json"[..], &self.bytes[..]), (b"journal.jsonl", &self.lines)];
        let parts = self.parts.values().map(|bytes| (&b"part"[..], bytes.as_slice()));
        files::pack(named.into_iter().chain(parts))
    }
}
