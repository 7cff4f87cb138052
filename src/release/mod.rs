//! Releases: what leaves the appliance after a session, as bytes.
//!
//! Pure: [`Origin::lay_out`] makes each cluster's folder and [`prepare`] what stands beside
//! them, the journal key signs the sums, and
//! [`fn@check`] tells anywhere and at any time whether a folder is that release.

pub mod certificate;
pub mod check;
pub mod cms;
pub mod consumer;
mod crls;
pub mod documents;
mod folder;
pub mod istio;
mod layout;
pub mod names;
pub mod pem;
mod readme;
mod sums;
mod verifier;

use std::collections::BTreeMap;

pub use check::{Judge, Looked, Report, check, check_cluster, check_laid_out};
use consumer::Part;
pub use consumer::{Consumer, Object};
pub use crls::{ClusterList, CrlEntry, CrlFacts, Crls, SeenCrls};
pub use documents::{Manifest, Receipt};
pub use layout::{ClusterFolder, Laid, LaidOut, Member, Origin, Prepared, ReleaseInput, check_once, prepare};
pub use verifier::Verifier;

/// What the release holds and who signed which cluster; written last.
pub const MANIFEST: &str = "MANIFEST.toml";
/// Digests of every file but itself and its signature, for `sha256sum -c`.
pub const SUMS: &str = "SHA256SUMS";
/// Detached CMS signature over [`SUMS`].
pub const SIGNATURE: &str = "SHA256SUMS.p7s";
/// The root certificate, in a release and in each cluster's folder.
pub const ROOT_CERT: &str = "root-cert.pem";
/// The certificate of the key that signed [`SUMS`].
pub const JOURNAL_CERT: &str = "journal-cert.pem";
/// The root's CRL alone.
pub const ROOT_CRL: &str = "root-crl.pem";
/// The fleet's set: the root's CRL, then one of every intermediate that is alive.
pub const CA_CRL: &str = "ca-crl.pem";
/// Another root's key and name, signed by this one: for chains alone, never a trust bundle.
pub const CROSS_CERT: &str = "cross-cert.pem";
/// How to check and load a release without anchorite.
pub const README: &str = "README.txt";
/// The folder of the journal's copy.
pub const JOURNAL: &str = "journal";
/// A cluster's intermediate alone.
pub const CA_CERT: &str = "ca-cert.pem";
/// A cluster's intermediate first, the root last.
pub const CERT_CHAIN: &str = "cert-chain.pem";
/// What was signed for a cluster, and why.
pub const RECEIPT: &str = "receipt.toml";

/// The PEM files of every cluster's folder, whoever takes them.
const COMMON: [(&str, Part); 3] =
    [(CA_CERT, Part::Certificate), (CERT_CHAIN, Part::Chain), (ROOT_CERT, Part::Roots)];

/// Every file that stands at a release's top.
pub const TOP: [&str; 6] = [MANIFEST, SUMS, SIGNATURE, ROOT_CERT, JOURNAL_CERT, README];
/// Those that may.
const TOP_OPTIONAL: [&str; 3] = [ROOT_CRL, CA_CRL, CROSS_CERT];

/// The files of one folder, by path beneath it.
pub type Folder<'a> = BTreeMap<&'a str, &'a [u8]>;

/// Borrows files read into memory as a [`Folder`].
pub fn folder(files: &BTreeMap<String, Vec<u8>>) -> Folder<'_> {
    files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect()
}

/// The word that a rehearsal's names carry.
pub const REHEARSAL: &str = "REHEARSAL";
