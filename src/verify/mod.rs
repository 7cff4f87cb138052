//! Verification after signing, and of anything that comes back later: by another
//! parser and other crypto (x509-parser, aws-lc-rs) than the family that built
//! and signed, so that one bug is not a bug in both.

mod adoption;
pub mod attestation;
mod authority;
pub mod certificate;
pub mod cms;
pub mod crl;
pub mod describe;
mod extension_text;
mod name_constraints;
mod parsed;
pub mod path;
pub mod signature;
#[cfg(test)]
pub(crate) mod tests;

pub use self::adoption::{ADOPTION_RULES, AdoptionRule, check_adopted, check_companion, judge_adopted};
pub use self::attestation::{Attested, Version, Vouchers, verify_attestation, verify_statement};
pub use self::authority::{Authority, read_authority};
pub use self::certificate::{Beneath, Certificate, Verified, verify};
pub use self::cms::{SignedAttributes, check_journal_certificate, signed_attributes, verify_detached};
pub use self::crl::{Crl, describe_crl, parse_crl, read_crl, verify_crl};
pub use self::describe::{
    DescribedExtension, Description, describe_certificate, describe_tbs, describe_trusted,
};
pub use self::path::validate_path;
pub use self::signature::verify_signature;
