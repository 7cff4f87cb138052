//! Names that every filesystem of a stick can hold, and every system read back.

use std::collections::BTreeMap;

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
    let mut tree = Tree::default();
    paths.into_iter().try_for_each(|path| tree.add(path).map(drop))
}

/// The files and directories of a release so far.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// As they are spelt, by what FAT takes them for; and whether that is a directory.
    spelt: BTreeMap<String, (String, bool)>,
}

impl Tree {
    /// Checks a file's path and gives the directories that it needs and that were not there,
    /// parents first.
    pub fn add(&mut self, path: &str) -> Result<Vec<String>> {
        path.split('/').try_for_each(|component| check_component(path, component))?;
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let mut new = Vec::new();
        for prefix in parents {
            if self.note(path, prefix, true)? {
                new.push(prefix.to_owned());
            }
        }
        if !self.note(path, path, false)? {
            return Err(refuse(path, "it occurs twice"));
        }
        Ok(new)
    }

    /// Whether it is new.
    fn note(&mut self, path: &str, name: &str, directory: bool) -> Result<bool> {
        match self.spelt.get(&name.to_ascii_lowercase()) {
            None => {
                self.spelt.insert(name.to_ascii_lowercase(), (name.to_owned(), directory));
                Ok(true)
            }
            Some((spelt, _)) if spelt != name => {
                Err(refuse(path, "another name differs from it in case alone, and FAT knows no case"))
            }
            Some((_, is)) if *is != directory => Err(refuse(name, "it is both a file and a directory")),
            Some(_) => Ok(false),
        }
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
        let mut tree = Tree::default();
        let directories: Vec<_> = paths.iter().flat_map(|path| tree.add(path).unwrap()).collect();
        assert_eq!(directories, ["a", "a/b", "b", "con-1"]);
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
