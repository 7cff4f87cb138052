//! The cryptographic checks of a release, by the verifying family of code.

use super::{CrlFacts, Judge};
use crate::error::Result;
use crate::verify;
use crate::x509::{Issuer, Time};

/// Judges with [`crate::verify`].
#[derive(Debug, Clone, Copy)]
pub struct Verifier;

impl Judge for Verifier {
    fn path(&self, chain: &[&[u8]], root: &[u8], at: Time) -> Result<()> {
        verify::validate_path(chain, root, at)
    }

    fn journal_certificate(&self, certificate: &[u8], root: &[u8]) -> Result<()> {
        verify::check_journal_certificate(certificate, root)
    }

    fn crl(&self, crl: &[u8], issuer: &[u8]) -> Result<CrlFacts> {
        verify::read_crl(crl, &Issuer::from_der(issuer)?).map(facts)
    }

    fn crl_facts(&self, crl: &[u8]) -> Result<CrlFacts> {
        verify::parse_crl(crl).map(facts)
    }

    fn signature(&self, p7s: &[u8], content: &[u8], signer: &[u8], root: &[u8]) -> Result<()> {
        verify::verify_detached(p7s, content, signer, root).map(drop)
    }
}

fn facts(crl: verify::Crl) -> CrlFacts {
    let verify::Crl { issuer, number, this_update, next_update, entries, .. } = crl;
    CrlFacts { issuer, number, this_update, next_update, entries: entries.len() as u64 }
}
