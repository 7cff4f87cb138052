//! Names that become paths: what a release may be called, and its folders.

use super::JOURNAL;
use crate::error::{Error, Result};
use crate::text::{is_dns_label, shown};

/// Refuses a cluster id that cannot be a folder in a release.
pub fn cluster(name: &str) -> Result<()> {
    if name == JOURNAL {
        return Err(Error::usage("release.cluster", "a cluster cannot be called 'journal'")
            .next("register the cluster under another id: that folder holds the journal's copy"));
    }
    if is_dns_label(name) {
        return Ok(());
    }
    Err(Error::usage("release.cluster", format!("cluster id '{}' is not a DNS label", shown(name)))
        .next("use 1 to 63 lower-case letters, digits and inner hyphens"))
}

/// Refuses a release name that is not a plain file name, or that does not tell
/// a rehearsal from a ceremony.
pub fn release(name: &str, rehearsal: bool) -> Result<()> {
    let bad = |what: &str| {
        Error::usage("release.name", format!("release name '{}' {what}", shown(name)))
            .next("leave the release its name")
    };
    if !is_file_name(name) {
        return Err(bad("is not made of letters, digits, dots, hyphens and underscores alone"));
    }
    match (rehearsal, name.contains(super::REHEARSAL)) {
        (true, false) => Err(bad("lacks the word REHEARSAL")),
        (false, true) => Err(bad("says REHEARSAL, but this is none")),
        _ => Ok(()),
    }
}

/// Refuses a path that leads anywhere but beneath its folder, on any file system.
pub fn path(path: &str) -> Result<()> {
    if path.split('/').all(is_file_name) {
        return Ok(());
    }
    Err(Error::usage("release.name", format!("'{}' cannot be a path in a release", shown(path)))
        .next("use letters, digits, dots, hyphens and underscores"))
}

fn is_file_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=100).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_is_a_dns_label() {
        for good in ["east", "a", "0-9", &"x".repeat(63)] {
            assert!(cluster(good).is_ok(), "{good}");
        }
        for bad in ["", "East", "a_b", "-a", "a-", "a.b", "../x", "é", "journal", &"x".repeat(64)] {
            assert_eq!(cluster(bad).unwrap_err().id, "release.cluster", "{bad}");
        }
    }

    #[test]
    fn a_rehearsal_says_so_in_its_name() {
        assert!(release("anchorite-2026-11-22-0001", false).is_ok());
        assert!(release("anchorite-REHEARSAL-2026-11-22-0001", true).is_ok());
        for (name, rehearsal) in
            [("a/b", false), ("..", false), ("anchorite-1", true), ("anchorite-REHEARSAL-1", false)]
        {
            assert_eq!(release(name, rehearsal).unwrap_err().id, "release.name", "{name}");
        }
    }

    #[test]
    fn a_path_stays_beneath_its_folder() {
        assert!(path("2026/0001.jsonl").is_ok());
        for bad in ["", "/etc", "a//b", "../b", "a/.hidden", "a\\b", "a\nb"] {
            assert_eq!(path(bad).unwrap_err().id, "release.name", "{bad}");
        }
    }
}
