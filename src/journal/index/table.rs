//! Which bucket lies under which digest, page by page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::{Index, malformed};
use crate::error::Result;
use crate::text::hex_digest;
use crate::x509::Digest;

/// How many buckets' digests stand in a page. (In tests a few: so that few make many pages.)
pub(super) const PER_PAGE: usize = if cfg!(any(test, fuzzing)) { 16 } else { 128 };

/// The bytes of a page or a bucket.
pub type Part = Arc<[u8]>;

/// Reads one by its digest.
pub type Load<'a> = &'a dyn Fn(&Digest) -> Result<Part>;

/// The pages of an index; those that are needed are read, and then open.
pub struct Table<'a> {
    depth: u32,
    /// The digest of each.
    pub pages: Vec<Digest>,
    open: BTreeMap<usize, Vec<Digest>>,
    load: Load<'a>,
    /// Pages and buckets that were put in.
    pub new: Vec<(Digest, Vec<u8>)>,
    /// Those in whose place they are.
    pub replaced: Vec<Digest>,
}

impl<'a> Table<'a> {
    /// Of buckets that hold nothing.
    pub fn new(depth: u32, load: Load<'a>) -> Self {
        let pages = vec![empty(); page_count(depth)];
        Self { depth, pages, open: BTreeMap::new(), load, new: Vec::new(), replaced: Vec::new() }
    }

    /// Of an index.
    pub fn above(index: &Index, load: Load<'a>) -> Self {
        Self { pages: index.content.pages.clone(), ..Self::new(index.depth(), load) }
    }

    /// A bucket's bytes, as they were.
    pub fn bucket(&mut self, number: usize) -> Result<Part> {
        let digest = self.page(number)?.get(number % PER_PAGE).copied().unwrap_or_else(empty);
        read(self.load, &digest)
    }

    /// Puts a bucket in the place of another.
    pub fn put(&mut self, number: usize, bucket: Vec<u8>) -> Result<()> {
        let digest = Digest::of(&bucket);
        if let Some(place) = self.page(number)?.get_mut(number % PER_PAGE) {
            let old = std::mem::replace(place, digest);
            self.replace(old, digest, bucket);
        }
        Ok(())
    }

    /// Reads every page.
    pub fn open_all(&mut self) -> Result<()> {
        (0..self.pages.len()).try_for_each(|page| self.page(page * PER_PAGE).map(drop))
    }

    /// What there are files for: pages, and the buckets of the open ones.
    pub fn in_use(&self) -> Vec<Digest> {
        let all = self.pages.iter().chain(self.open.values().flatten());
        all.copied().filter(|digest| *digest != empty()).collect()
    }

    /// Puts the open pages in, as they are by now.
    pub fn close(&mut self) {
        for (number, buckets) in std::mem::take(&mut self.open) {
            let text = render(&buckets).into_bytes();
            let digest = Digest::of(&text);
            if let Some(place) = self.pages.get_mut(number) {
                let old = std::mem::replace(place, digest);
                self.replace(old, digest, text);
            }
        }
    }

    fn replace(&mut self, old: Digest, digest: Digest, bytes: Vec<u8>) {
        if old == digest {
            return;
        }
        if old != empty() {
            self.replaced.push(old);
        }
        if !bytes.is_empty() {
            self.new.push((digest, bytes));
        }
    }

    /// The page that names a bucket.
    fn page(&mut self, bucket: usize) -> Result<&mut Vec<Digest>> {
        match self.open.entry(bucket / PER_PAGE) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(page_of(self.depth, &self.pages, bucket, self.load)?)),
        }
    }
}

/// How many pages there are.
pub fn page_count(depth: u32) -> usize {
    (1_usize << depth).div_ceil(PER_PAGE)
}

/// The digests of the buckets that stand in one page with this one.
fn page_of(depth: u32, pages: &[Digest], bucket: usize, load: Load<'_>) -> Result<Vec<Digest>> {
    let Page { length, digest, bytes } = Page::of(depth, pages, bucket, load)?;
    if bytes.is_empty() {
        return Ok(vec![empty(); length]);
    }
    let page: Option<Vec<Digest>> = super::text(&bytes)?.lines().map(Digest::parse).collect();
    page.filter(|page| page.len() == length).ok_or_else(|| unlike(digest, length))
}

/// One bucket's digest: of its page, only its line is read.
pub fn bucket_at(depth: u32, pages: &[Digest], bucket: usize, load: Load<'_>) -> Result<Digest> {
    let Page { length, digest, bytes } = Page::of(depth, pages, bucket, load)?;
    if bytes.is_empty() {
        return Ok(empty());
    }
    let mut lines = bytes.chunks(bytes.len() / length);
    let line = lines.nth(bucket % PER_PAGE).and_then(|line| line.strip_suffix(b"\n"));
    line.and_then(|line| Digest::parse(str::from_utf8(line).ok()?)).ok_or_else(|| unlike(digest, length))
}

/// A page's bytes, which name so many buckets in lines of one length.
struct Page {
    length: usize,
    digest: Digest,
    bytes: Part,
}

impl Page {
    fn of(depth: u32, pages: &[Digest], bucket: usize, load: Load<'_>) -> Result<Self> {
        let length = PER_PAGE.min(1 << depth);
        let digest = pages.get(bucket / PER_PAGE).copied().unwrap_or_else(empty);
        let bytes = read(load, &digest)?;
        if bytes.len() % length != 0 {
            return Err(unlike(digest, length));
        }
        Ok(Self { length, digest, bytes })
    }
}

fn unlike(digest: Digest, length: usize) -> crate::Error {
    malformed(format!("page {digest}: it does not name {length} buckets"))
}

/// What lies under a digest.
pub fn read(load: Load<'_>, digest: &Digest) -> Result<Part> {
    if *digest == empty() { Ok(Part::default()) } else { load(digest) }
}

/// Nothing, where all of its buckets hold nothing: it is named by [`empty`] then.
fn render(page: &[Digest]) -> String {
    if page.iter().all(|bucket| *bucket == empty()) {
        return String::new();
    }
    let mut text = String::with_capacity(page.len() * 65);
    for bucket in page {
        text.push_str(hex_digest(&bucket.0, &mut [0; 64]));
        text.push('\n');
    }
    text
}

/// The digest of a page that names these buckets.
pub(super) fn page_digest(page: &[Digest]) -> Digest {
    Digest::of(render(page).as_bytes())
}

/// The digest of a page or bucket that holds nothing; there is no file for it.
pub fn empty() -> Digest {
    Digest::of(b"")
}
