//! Revocation and CRLs.

use std::path::PathBuf;

use anchorite::x509::{Reason, Serial, Time};
use clap::Args;

use super::{Pin, time};

/// Revoke certificates, on record; the next CRL lists them
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite revoke 5c0ffee0 --home /srv/ca --reason keyCompromise\n\nreasons (RFC 5280): unspecified, keyCompromise, cACompromise, affiliationChanged, superseded,\ncessationOfOperation, privilegeWithdrawn"
)]
pub struct Revoke {
    /// Serial numbers, as `status`, the receipts and the journal show them
    #[arg(value_name = "SERIAL", value_parser = serial, required_unless_present_any = ["certificate", "list"])]
    pub serials: Vec<Serial>,
    /// Certificates (PEM or DER) in place of serial numbers
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// Serial numbers in a file, one a line, in place of many on the command line
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Why
    #[arg(long, value_name = "REASON", value_parser = Reason::parse)]
    pub reason: Reason,
    /// When it is revoked, where that is not now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub date: Option<Time>,
    /// Since when the key is known or suspected to be in other hands
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub invalidity_date: Option<Time>,
    /// Who asks for it, for the record
    #[arg(long, value_name = "TEXT")]
    pub asked_by: Option<String>,
    /// Sign the CRL at once and release it to this stick
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Stop before the token: show what would be done
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// Sign the root's next CRL and release it, with the fleet's set
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite crl --home /srv/ca --to /media/out\n\nThe fleet's set, ca-crl.pem, is the root's CRL and one of every intermediate that is alive."
)]
pub struct Crl {
    /// A stick with clusters' CRLs, for certificates that were signed without one
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// The stick for the release
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Stop before the token: show what would be signed
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// SERIAL=REASON, for `sign` and `plan`.
#[derive(Debug, Clone)]
pub struct Named {
    pub serial: Serial,
    pub reason: Reason,
}

pub fn named(text: &str) -> Result<Named, String> {
    let (serial_text, reason) = text.split_once('=').ok_or("want SERIAL=REASON, e.g. 5c0ffee0=superseded")?;
    Ok(Named { serial: serial(serial_text)?, reason: Reason::parse(reason)? })
}

pub fn serial(text: &str) -> Result<Serial, String> {
    Serial::parse(text)
        .ok_or_else(|| "want a serial number: up to 40 hexadecimal digits, colons allowed".into())
}
