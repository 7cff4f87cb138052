//! A folder as the pod has it that loads it: the kubelet mounts a Secret's files as links
//! (`ca-cert.pem` to `..data/ca-cert.pem`, and `..data` to the folder of the day).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use super::durable;
use crate::error::{Error, Result};
use crate::text::{shown_bytes, shown_path};

/// A Secret holds no more.
const FILE_BYTES: usize = 1 << 20;
/// Nor as many.
const FILES: usize = 1000;

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The files by name, each wiped when dropped, for one of them may be a private key.
    pub files: BTreeMap<String, Zeroizing<Vec<u8>>>,
    /// Those that cannot be read, by name, and why.
    pub unread: BTreeMap<String, Error>,
}

/// All files of a folder. Names that begin with a dot are the kubelet's own; folders are not
/// entered.
pub fn read_loaded(dir: &Path) -> Result<Loaded> {
    let unreadable = |e: io::Error| {
        Error::usage("file.unreadable", format!("{}: {e}", shown_path(dir)))
            .next("see that you may read it, and that its disk is sound")
    };
    let mut loaded = Loaded::default();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = shown_bytes(name.as_encoded_bytes());
        if name.starts_with('.') || std::fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
            continue;
        }
        if loaded.files.len() + loaded.unread.len() == FILES {
            return Err(Error::usage(
                "installed.too-many",
                format!("{}: more than {FILES} files", shown_path(dir)),
            )
            .next("give the folder that the Secret is mounted at, or the Secret itself"));
        }
        match durable::read_secret(&path, FILE_BYTES) {
            Ok(bytes) => drop(loaded.files.insert(name, bytes)),
            Err(error) => drop(loaded.unread.insert(name, error)),
        }
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_kubelet_mounts_it() {
        let dir = tempfile::tempdir().unwrap();
        let of_the_day = dir.path().join("..2026_11_22_10_00_00.1");
        std::fs::create_dir(&of_the_day).unwrap();
        std::fs::write(of_the_day.join("tls.crt"), "one").unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("..2026_11_22_10_00_00.1", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/tls.crt", dir.path().join("tls.crt")).unwrap();
        let files = read_loaded(dir.path()).unwrap().files;
        assert_eq!(files.keys().collect::<Vec<_>>(), ["tls.crt"]);
        assert_eq!(files["tls.crt"].as_slice(), b"one");

        std::os::unix::fs::symlink("..data/gone", dir.path().join("ca.crt")).unwrap();
        let loaded = read_loaded(dir.path()).unwrap();
        assert_eq!((loaded.files.len(), loaded.unread["ca.crt"].id), (1, "file.missing"));
        assert_eq!(read_loaded(&dir.path().join("nowhere")).unwrap_err().id, "file.unreadable");
    }

    #[test]
    fn not_more_than_a_secret_holds() {
        let dir = tempfile::tempdir().unwrap();
        (0..=FILES).for_each(|n| std::fs::write(dir.path().join(n.to_string()), "").unwrap());
        assert_eq!(read_loaded(dir.path()).unwrap_err().id, "installed.too-many");
    }
}
