//! SHA256SUMS in the format of GNU coreutils, sorted by path.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{SIGNATURE, SUMS};
use crate::error::Error;
use crate::text::{shown, shown_bytes};
use crate::x509::Digest;

/// SHA-256 of each file that the sums cover, by path.
pub type Digests = BTreeMap<String, Digest>;

/// Of all files but the sums themselves and their signature.
pub fn digests<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Digests {
    let covered: Vec<_> = files.filter(|(path, _)| is_covered(path)).collect();
    covered.into_par_iter().map(|(path, bytes)| (path.to_owned(), Digest::of(bytes))).collect()
}

/// One line a file.
pub fn render<P: AsRef<str>>(digests: &BTreeMap<P, Digest>) -> Vec<u8> {
    let line = |(path, digest): (&P, &Digest)| format!("{digest}  {}\n", path.as_ref());
    let length = digests.keys().map(|path| path.as_ref().len() + 67).sum();
    let mut sums = String::with_capacity(length);
    sums.extend(digests.iter().map(line));
    sums.into_bytes()
}

fn is_covered(path: &str) -> bool {
    path != SUMS && path != SIGNATURE
}

/// Holds the sums against the files: every line right, every file listed.
pub fn check(sums: &[u8], files: &Digests) -> Vec<Error> {
    let (listed, mut errors) = parse(sums);
    for (path, wanted) in &listed {
        match files.get(*path) {
            None => errors.push(missing(path)),
            Some(found) if found != wanted => errors.push(Error::integrity(
                "release.sums",
                format!("{}: SHA-256 is {found}, SHA256SUMS says {wanted}", shown(path)),
            )),
            Some(_) => {}
        }
    }
    let listed: BTreeSet<_> = listed.into_keys().collect();
    let unlisted = files.keys().filter(|path| !listed.contains(path.as_str()));
    errors.extend(unlisted.map(|path| {
        Error::integrity("release.extra", format!("{}: not in SHA256SUMS", shown(path)))
            .next("remove it, or ask where it came from: it is not part of the release")
    }));
    errors
}

/// A file that should be there.
pub fn missing(path: &str) -> Error {
    Error::integrity("release.missing", format!("{}: missing", shown(path)))
        .next("copy the whole release again from where it was made")
}

/// The lines that can be read, and what is wrong with the others.
fn parse(sums: &[u8]) -> (BTreeMap<&str, Digest>, Vec<Error>) {
    let (mut listed, mut errors) = (BTreeMap::new(), Vec::new());
    let bad = |what: String| Error::integrity("release.sums", format!("SHA256SUMS: {what}"));
    for line in sums.split_inclusive(|b| *b == b'\n') {
        match parse_line(line) {
            None => errors.push(bad(format!("cannot read the line '{}'", shown_bytes(line)))),
            Some((path, _)) if !is_covered(path) => errors.push(bad(format!("{path} cannot be listed"))),
            Some((path, digest)) => {
                listed.insert(path, digest);
            }
        }
    }
    if errors.is_empty() && render(&listed) != sums {
        errors.push(bad("not sorted, or a path listed twice".into()));
    }
    (listed, errors)
}

fn parse_line(line: &[u8]) -> Option<(&str, Digest)> {
    let (digest, path) = str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once("  ")?;
    let parsed = Digest::parse(digest)?;
    (parsed.to_string() == digest && !path.is_empty()).then_some((path, parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 3] = [("b/x", b"two"), ("a", b"one"), (SIGNATURE, b"-")];

    fn ids(sums: &[u8], files: &[(&str, &[u8])]) -> Vec<&'static str> {
        check(sums, &digests(files.iter().copied())).iter().map(|e| e.id).collect()
    }

    #[test]
    fn sums_are_sorted_and_fit() {
        let sums = render(&digests(FILES.into_iter()));
        let (a, b) = (Digest::of(b"one"), Digest::of(b"two"));
        assert_eq!(String::from_utf8(sums.clone()).unwrap(), format!("{a}  a\n{b}  b/x\n"));
        assert!(ids(&sums, &FILES).is_empty());
    }

    #[test]
    fn missing_changed_and_unlisted_files_show_at_once() {
        let sums = render(&digests(FILES.into_iter()));
        let files = [("a", b"changed".as_slice()), ("c", b"new")];
        assert_eq!(ids(&sums, &files), ["release.sums", "release.missing", "release.extra"]);
    }

    #[test]
    fn another_form_is_refused() {
        let (a, b) = (Digest::of(b"one"), Digest::of(b"two"));
        for sums in [
            format!("{b}  b/x\n{a}  a\n"),
            format!("{a}  a\n{a}  a\n{b}  b/x\n"),
            format!("{a}  a\n{b}  b/x\n\n"),
            format!("{a}  a\n{b}  b/x\n{b}  {SUMS}\n"),
        ] {
            assert_eq!(ids(sums.as_bytes(), &FILES), ["release.sums"], "{sums}");
        }
        let no_newline = format!("{a}  a\n{b}  b/x");
        assert_eq!(ids(no_newline.as_bytes(), &FILES), ["release.sums", "release.extra"]);
        let upper = format!("{}  a\n{b}  b/x\n", a.to_string().to_uppercase());
        assert_eq!(ids(upper.as_bytes(), &FILES), ["release.sums", "release.extra"]);
    }
}
