//! What is tried with foreign bytes, one function for each kind of them. No input may
//! make one of these panic: what is demanded of every input stands as an assertion.
//!
//! Each one is tried with the bytes as they are, and where a signature would end it at
//! once, with the bytes signed anew by keys that everybody knows ([`world`]).

mod arguments;
mod certificate;
mod cms;
mod crl;
mod csr;
mod exported;
pub mod files;
mod history;
pub mod index;
mod installed;
mod journal;
mod key;
mod making;
mod object;
mod pem;
mod plan;
pub mod policy;
mod release;
mod seeds;
mod stick;
pub mod world;

use anchorite::Error;
use anchorite::finding::Finding;
use anchorite::text::is_shown;

pub use self::arguments::arguments;
pub use self::certificate::certificate;
pub use self::cms::cms;
pub use self::crl::crl;
pub use self::csr::{csr, request};
pub use self::exported::exported;
pub use self::history::history;
pub use self::index::index;
pub use self::installed::installed;
pub use self::journal::journal;
pub use self::key::key;
pub use self::making::make_world;
pub use self::object::object;
pub use self::pem::pem;
pub use self::plan::plan;
pub use self::policy::policy;
pub use self::release::release;
pub use self::seeds::seeds;
pub use self::stick::stick;

/// What is done with one input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is its folder's in `regressions/`.
pub const TARGETS: [(&str, Target); 17] = [
    ("arguments", arguments),
    ("certificate", certificate),
    ("cms", cms),
    ("crl", crl),
    ("csr", csr),
    ("exported", exported),
    ("history", history),
    ("index", index),
    ("installed", installed),
    ("journal", journal),
    ("key", key),
    ("object", object),
    ("pem", pem),
    ("plan", plan),
    ("policy", policy),
    ("release", release),
    ("stick", stick),
];

/// Text that people read: nothing in it steers a terminal or begins a line of its own.
/// Three characters are our own.
#[track_caller]
fn fit(text: &str) {
    let own = |c: char| matches!(c, '\u{2026}' | '\u{a7}' | '\u{2265}');
    let bad: String = text.chars().filter(|c| !own(*c)).collect();
    assert!(is_shown(&bad), "{text:?}");
}

#[track_caller]
fn fit_error(error: &Error) {
    fit(&error.message);
    fit(&error.next);
    assert!(!error.id.is_empty() && !error.message.is_empty());
}

#[track_caller]
fn fit_finding(finding: &Finding) {
    for text in [&finding.message, &finding.found, &finding.wanted].into_iter().chain(&finding.source) {
        fit(text);
    }
}

/// The value, where there is one; the error must be fit to be read.
#[track_caller]
fn good<T>(result: anchorite::Result<T>) -> Option<T> {
    result.inspect_err(fit_error).ok()
}
