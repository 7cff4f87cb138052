//! The cryptographic checks of a release, by the verifying family of code.

use super::Judge;
use crate::error::Result;
use crate::verify;
use crate::x509::Time;

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

    fn signature(&self, p7s: &[u8], content: &[u8], signer: &[u8], root: &[u8]) -> Result<()> {
        verify::verify_detached(p7s, content, signer, root).map(drop)
    }
}
