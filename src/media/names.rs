//! Names that every filesystem of a stick can hold, and every system read back.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::text;

/// Long enough for every name of a release (a cluster id has at most 63
/// characters), and well within what FAT and a path on Windows hold.
const LONGEST: usize = 64;

/// Device names of DOS: as a file's name, with or without an extension, Windows
/// cannot open them and Linux refuses to make them on FAT.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// Checks the relative paths of a release before anything is signed: each
/// component of `[A-Za-z0-9._-]`, none that steers a path or that FAT cannot
/// hold, and no two that differ in case alone.
pub fn check_names<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<()> {
    directories(paths).map(drop)
}

/// Checks the paths and returns the directories they need, parents first.
pub(super) fn directories<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<BTreeSet<&'a str>> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut directories = BTreeSet::new();
    let mut files = BTreeSet::new();
    for path in paths {
        path.split('/').try_for_each(|component| check_component(path, component))?;
        if !files.insert(path) {
            return Err(refuse(path, "it occurs twice"));
        }
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        for prefix in parents.clone().chain([path]) {
            let before = seen.insert(prefix.to_ascii_lowercase(), prefix);
            if before.is_some_and(|before| before != prefix) {
                return Err(refuse(
                    path,
                    "another name differs from it in case alone, and FAT knows no case",
                ));
            }
        }
        directories.extend(parents);
    }
    match directories.intersection(&files).next() {
        Some(both) => Err(refuse(both, "it is both a file and a directory")),
        None => Ok(directories),
    }
}

pub(super) fn check_component(path: &str, component: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if component.is_empty() || !component.chars().all(plain) {
        return Err(refuse(
            path,
            "want letters, digits, '.', '_' and '-', with single slashes between names",
        ));
    }
    if component.len() > LONGEST {
        return Err(refuse(path, &format!("want at most {LONGEST} characters between slashes")));
    }
    // FAT drops trailing dots, so that two names become one; "." and ".." end in one, too.
    if component.ends_with('.') {
        return Err(refuse(path, "want no name that ends in a dot"));
    }
    let stem = component.split('.').next().unwrap_or(component).to_ascii_lowercase();
    let (device, number) = stem.split_at_checked(3).unwrap_or((&stem, ""));
    let numbered = matches!(device, "com" | "lpt");
    let reserved = if numbered { matches!(number.as_bytes(), [b'1'..=b'9']) } else { number.is_empty() };
    if DEVICES.contains(&device) && reserved {
        return Err(refuse(path, "FAT reserves this name for a device"));
    }
    Ok(())
}

fn refuse(path: &str, why: &str) -> Error {
    Error::usage("output.name", format!("{} cannot be written to a stick: {why}", text::shown(path)))
        .next("choose another name for what it is named after, such as the cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_good_names() {
        let paths = [
            "MANIFEST.toml",
            "a/ca-cert.pem",
            "a/b/c.pem",
            "a/root-cert.pem",
            "b/.x",
            "con-1/communal",
            "com0",
        ];
        check_names(paths).unwrap();
        assert_eq!(directories(paths).unwrap().into_iter().collect::<Vec<_>>(), ["a", "a/b", "b", "con-1"]);
        check_names([format!("{}/x", "n".repeat(64)).as_str()]).unwrap();
    }

    #[test]
    fn names_that_steer_a_path_or_that_fat_cannot_hold_are_refused() {
        let long = "n".repeat(65);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "../x",
            "a/../b",
            ".",
            "./a",
            "a b",
            "a\\b",
            "a:b",
            "a\nb",
            "caf\u{e9}",
            "a~1",
            "end.",
            "end./x",
            "con",
            "CON/x",
            "a/nul.pem",
            "Com1",
            "lpt9.txt",
            "aux.tar.gz",
            &long,
        ] {
            assert_eq!(check_names([bad]).unwrap_err().id, "output.name", "{bad:?}");
        }
    }

    #[test]
    fn names_that_fat_takes_for_one_are_refused() {
        for pair in [["a/x", "a/X"], ["a/x", "A/y"], ["a", "a/b"], ["a", "a"], ["a/b", "A"]] {
            assert_eq!(check_names(pair).unwrap_err().id, "output.name", "{pair:?}");
        }
        check_names(["a/x", "b/X"]).unwrap();
    }
}
