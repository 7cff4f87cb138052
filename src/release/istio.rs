//! The PEM files of a cluster, held to more than their consumer demands: istiod
//! takes a chain without the intermediate and a root file that holds it.

use super::consumer::Parts;
use super::{CA_CERT, CERT_CHAIN, Folder, ROOT_CERT, pem, sums};
use crate::error::Error;
use crate::x509::Digest;

/// The certificates of a cluster's folder that passed [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The intermediate's DER.
    pub certificate: Vec<u8>,
    /// From the intermediate upwards, the root left out.
    pub path: Vec<Vec<u8>>,
    /// The root's DER.
    pub root: Vec<u8>,
    /// The DER of the other roots that are trusted, in their order.
    pub companions: Vec<Vec<u8>>,
    /// The DER of all roots that are trusted, in the order of root-cert.pem.
    pub trusted: Vec<Vec<u8>>,
}

impl Bundle {
    /// In the forms that consumers want.
    pub fn parts(&self) -> Parts {
        Parts::new(self.path.iter().map(Vec::as_slice), &self.root, self.trusted.iter().map(Vec::as_slice))
    }
}

/// Checks ca-cert.pem (the intermediate alone), cert-chain.pem (the intermediate
/// first, the root last, none twice) and root-cert.pem (the roots that are trusted,
/// none twice): only certificates, in the one form that is ever written. `place` stands before
/// file names in errors, e.g. `east/`.
pub fn check(place: &str, files: &Folder) -> Result<Bundle, Vec<Error>> {
    let bytes = |name: &str| {
        let file = format!("{place}{name}");
        files.get(name).ok_or_else(|| sums::missing(&file)).map(|bytes| (file, *bytes))
    };
    let single = |name| bytes(name).and_then(|(file, bytes)| pem::single(&file, bytes));
    let chain = bytes(CERT_CHAIN).and_then(|(file, bytes)| pem::certificates(&file, bytes));
    let trusted = bytes(ROOT_CERT).and_then(|(file, bytes)| pem::trust_bundle(&file, bytes));
    match (single(CA_CERT), chain, trusted) {
        (Ok(certificate), Ok(chain), Ok(trusted)) => check_order(place, certificate, chain, trusted),
        (a, b, c) => Err([a.err(), b.err(), c.err()].into_iter().flatten().collect()),
    }
}

/// Takes the root off the end of the chain, if chain and files agree.
fn check_order(
    place: &str,
    certificate: Vec<u8>,
    mut path: Vec<Vec<u8>>,
    trusted: Vec<Vec<u8>>,
) -> Result<Bundle, Vec<Error>> {
    let bad = |file: &str, what: String| Error::integrity("release.chain", format!("{place}{file}: {what}"));
    let mut errors = Vec::new();
    if trusted.contains(&certificate) {
        errors.push(bad(ROOT_CERT, "holds the certificate of ca-cert.pem, wanted roots".into()));
    }
    if path.first() != Some(&certificate) {
        errors.push(bad(CERT_CHAIN, "does not begin with the certificate of ca-cert.pem".into()));
    }
    let root = path.pop().unwrap_or_default();
    if !trusted.contains(&root) {
        errors.push(bad(CERT_CHAIN, "does not end with a root of root-cert.pem".into()));
    }
    let companions = trusted.iter().filter(|der| **der != root).cloned().collect();
    let bundle = Bundle { certificate, path, root, companions, trusted };
    let mut seen = std::collections::BTreeSet::from([bundle.root.as_slice()]);
    for twice in bundle.path.iter().filter(|der| !seen.insert(der.as_slice())) {
        errors.push(bad(CERT_CHAIN, format!("holds the certificate {} twice", Digest::of(twice))));
    }
    if errors.is_empty() { Ok(bundle) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::pem::certificate as to_pem;

    fn try_files(ca: &str, chain: &str, root: &str) -> Result<Bundle, Vec<&'static str>> {
        let files = Folder::from([
            (CA_CERT, ca.as_bytes()),
            (CERT_CHAIN, chain.as_bytes()),
            (ROOT_CERT, root.as_bytes()),
        ]);
        check("east/", &files).map_err(|errors| errors.iter().map(|e| e.id).collect())
    }

    #[test]
    fn the_path_is_the_chain_without_the_root() {
        let (ca, middle, root) = (to_pem(b"ca"), to_pem(b"middle"), to_pem(b"root"));
        let bundle = try_files(&ca, &format!("{ca}{middle}{root}"), &root).unwrap();
        assert_eq!(bundle.path, [b"ca".to_vec(), b"middle".to_vec()]);
        assert_eq!((bundle.certificate, bundle.root), (b"ca".to_vec(), b"root".to_vec()));
        let second = to_pem(b"second");
        let bundle = try_files(&ca, &format!("{ca}{root}"), &format!("{root}{second}")).unwrap();
        assert_eq!((bundle.root, bundle.companions), (b"root".to_vec(), vec![b"second".to_vec()]));
    }

    #[test]
    fn bundles_that_istiod_takes_and_that_kill_the_mesh() {
        let (ca, root, other) = (to_pem(b"ca"), to_pem(b"root"), to_pem(b"other"));
        let chain = format!("{ca}{root}");
        let defects = [
            ("no intermediate", &ca, root.clone(), root.clone()),
            ("no root", &ca, ca.clone(), root.clone()),
            ("wrong order", &ca, format!("{root}{ca}"), root.clone()),
            ("another intermediate first", &ca, format!("{other}{ca}{root}"), root.clone()),
            ("twice", &ca, format!("{ca}{ca}{root}"), root.clone()),
            ("the intermediate as the root", &ca, chain.clone(), ca.clone()),
        ];
        for (defect, ca, chain, root) in defects {
            let ids = try_files(ca, &chain, &root).unwrap_err();
            assert!(ids.iter().all(|id| *id == "release.chain"), "{defect}: {ids:?}");
        }
        assert_eq!(try_files(&ca, &chain, &format!("{root}{ca}")).unwrap_err(), ["release.chain"]);
        // The new root of a rollover stands behind the old one.
        assert!(try_files(&ca, &chain, &format!("{other}{root}")).is_ok());
        assert_eq!(try_files(&ca, &chain, &format!("{root}{other}{root}")).unwrap_err(), ["release.pem"]);
        assert_eq!(try_files(&chain, &chain, &root).unwrap_err(), ["release.pem"]);
    }

    #[test]
    fn every_file_is_looked_at() {
        let files = Folder::from([(CA_CERT, b"x".as_slice())]);
        let ids: Vec<_> = check("", &files).unwrap_err().iter().map(|e| e.id).collect();
        assert_eq!(ids, ["release.pem", "release.missing", "release.missing"]);
    }
}
