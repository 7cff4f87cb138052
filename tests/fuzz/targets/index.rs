//! An index with its buckets and the lines after it, as they lie in a home and in a
//! release: as they are, and with the lines' hashes and signatures made anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anchorite::audit::{Expectation, State, audit};
use anchorite::journal::{Index, Past, Update, check_index, find, replay, replay_after, update};
use anchorite::x509::Digest;
use anchorite::{Error, Result};

use super::journal::{Scribe, mended};
use super::stick::folder;
use super::world::{self, root};
use super::{files, fit, good};

type Buckets = BTreeMap<Digest, Vec<u8>>;

/// The input's first file is the index, its second the lines; all others are buckets.
pub fn index(data: &[u8]) {
    let mut files = files::unpack(data).into_iter().map(|(_, bytes)| bytes);
    let Some(index) = good(Index::read(files.next().unwrap_or(data))) else { return };
    let lines = files.next().unwrap_or_default();
    let buckets: Buckets = files.map(|bytes| (Digest::of(bytes), bytes.to_vec())).collect();

    assert_eq!(written(&index).index, index_bytes(data), "what is read is written in that form");
    if judge(&index, lines) != State::Broken {
        // Nobody without the keys made an index that is sealed under this root.
        assert!(genuine().iter().any(|part| part.index.digest() == index.digest()), "an index was forged");
    }
    on_disk(&index, index_bytes(data), &buckets);
    let lines = mended(Scribe::after(&index), lines, Some(index.digest()));
    judge(&index, &lines);
    goes_on(Shelf { index, buckets }, &lines);
}

fn index_bytes(data: &[u8]) -> &[u8] {
    files::unpack(data).first().map_or(data, |(_, bytes)| bytes)
}

/// The index brought up to date with nothing.
fn written(index: &Index) -> Update {
    let again = update(index.ledger(), Some(index), |_| unreachable!("nothing is looked for")).unwrap();
    assert!(again.buckets.is_empty() && again.stale.is_empty());
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

/// In a home all of its buckets are there, each as it was; else it is noticed.
fn on_disk(index: &Index, bytes: &[u8], buckets: &Buckets) {
    let state = folder();
    std::fs::create_dir(state.path().join("index")).unwrap();
    std::fs::write(state.path().join("index.json"), bytes).unwrap();
    let bucket = |digest: &Digest| state.path().join("index").join(digest.to_string());
    let in_use = in_use(index);
    for (digest, bytes) in buckets.iter().filter(|(digest, _)| in_use.contains(digest)) {
        std::fs::write(bucket(digest), bytes).unwrap();
    }
    let found = good(check_index(state.path())).map(|index| index.unwrap().digest());
    let whole = in_use.iter().all(|digest| buckets.contains_key(digest));
    assert_eq!(found, whole.then_some(index.digest()));
    let Some(digest) = in_use.first().filter(|_| whole) else { return };
    for other in changed(&buckets[digest]) {
        std::fs::write(bucket(digest), other).unwrap();
        assert!(good(check_index(state.path())).is_none(), "a changed bucket is not noticed");
    }
}

fn changed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut bent = bytes.to_vec();
    bent[bytes.len() / 2] ^= 1;
    [bent, bytes[..bytes.len() - 1].to_vec(), [bytes, b"\n"].concat()]
}

/// The home's next session: what follows the index is replayed on it, and it grows.
fn goes_on(shelf: Shelf, lines: &[u8]) {
    for bucket in shelf.buckets.values() {
        found_is_there(bucket);
    }
    let shelf = Arc::new(shelf);
    let mut start = shelf.index.ledger().clone();
    start.stand_on(shelf.clone());
    let Some(replayed) = good(replay_after(&shelf.index, start, lines, |_, _| Ok(()))) else { return };
    let grown = update(&replayed.ledger, Some(&shelf.index), |digest| shelf.bucket(digest));
    let Some(grown) = good(grown) else { return };
    let index = Index::read(&grown.index).unwrap();
    assert_eq!(written(&index).index, grown.index);
    grown.buckets.iter().for_each(|(digest, bytes)| {
        assert_eq!(*digest, Digest::of(bytes));
        found_is_there(bytes);
    });
    let grown = Shelf::of(index, shelf.buckets.clone(), grown);
    assert!(grown.in_use().is_subset(&grown.buckets.keys().copied().chain(shelf.in_use()).collect()));
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

/// An index with its buckets.
#[derive(Debug)]
pub struct Shelf {
    pub index: Index,
    pub buckets: Buckets,
}

impl Shelf {
    /// After an update: with what is new, without what is stale.
    pub fn of(index: Index, mut buckets: Buckets, update: Update) -> Self {
        buckets.retain(|digest, _| !update.stale.contains(digest));
        buckets.extend(update.buckets.into_iter().filter(|(_, bytes)| !bytes.is_empty()));
        Self { index, buckets }
    }

    pub fn bucket(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.buckets.get(digest).cloned().ok_or_else(|| Error::integrity("fuzz.bucket", "no such bucket"))
    }

    pub fn in_use(&self) -> BTreeSet<Digest> {
        in_use(&self.index)
    }
}

fn in_use(index: &Index) -> BTreeSet<Digest> {
    index.buckets().iter().copied().filter(|digest| *digest != Digest::of(b"")).collect()
}

impl Past for Shelf {
    fn get(&self, key: &Digest) -> Result<Option<String>> {
        match self.index.bucket_of(key).filter(|digest| **digest != Digest::of(b"")) {
            Some(digest) => find(&self.bucket(digest)?, key),
            None => Ok(None),
        }
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
    pub buckets: Buckets,
}

impl Part {
    fn at(at: usize) -> Self {
        let (before, lines) = world::JOURNAL.split_at(at);
        let ledger = replay(before, |_, _| Ok(())).unwrap().ledger;
        let update = update(&ledger, None, |_| unreachable!("nothing beneath")).unwrap();
        let (bytes, index) = (update.index.clone(), Index::read(&update.index).unwrap());
        let lines = mended(Scribe::after(&index), lines, Some(index.digest()));
        let Shelf { index, buckets } = Shelf::of(index, Buckets::new(), update);
        Self { index, bytes, lines, buckets }
    }

    /// As an input of the target.
    pub fn packed(&self) -> Vec<u8> {
        let named = [(&b"index.json"[..], &self.bytes[..]), (b"journal.jsonl", &self.lines)];
        let buckets = self.buckets.values().map(|bytes| (&b"bucket"[..], bytes.as_slice()));
        files::pack(named.into_iter().chain(buckets))
    }
}
