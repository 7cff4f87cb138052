//! The journal's verbs.

use std::path::PathBuf;

use anchorite::x509::Digest;
use clap::{Args, Subcommand};

use crate::cli::parse_digest;

/// The journal: verify, show, export, restore
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite audit verify --home /srv/ca")]
pub struct Audit {
    #[command(subcommand)]
    pub verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    Verify(AuditVerify),
    Show(AuditShow),
    Export(AuditExport),
    Restore(AuditRestore),
}

/// Replay the journal and check every hash, sequence and signature
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite audit verify --home /srv/ca\n  anchorite audit verify --journal RELEASE/journal --root RELEASE/root-cert.pem \\\n      --root-sha256 HEX"
)]
pub struct AuditVerify {
    /// A copy of the journal instead of the home's
    #[arg(long, value_name = "DIR", requires = "root")]
    pub journal: Option<PathBuf>,
    /// The root certificate to judge it by
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The root certificate's SHA-256, as noted at its ceremony
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    pub root_sha256: Option<Digest>,
    /// The head as noted on the last printed sheet
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    pub expect_head: Option<Digest>,
}

/// Show what is on record
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite audit show --home /srv/ca --last 20")]
pub struct AuditShow {
    /// Only the last N entries
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
}

/// Copy the journal and what it governs to a folder
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite audit export --home /srv/ca --to /media/audit")]
pub struct AuditExport {
    /// The folder to write into
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Take the journal over from an export or a release
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite audit restore --home /srv/ca --root-sha256 HEX \\\n      --from /media/audit/anchorite-export-000042/journal"
)]
pub struct AuditRestore {
    /// The folder that holds the copy (`journal.jsonl`)
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The root certificate's SHA-256, as noted at its ceremony
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    pub root_sha256: Digest,
    /// The newest head known, from the printed sheet (needed where state/head is gone)
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    pub expect_head: Option<Digest>,
    /// Take a copy although lines after it are lost for good: behind state/head, or behind what
    /// lies in the home, signed; that goes on record again
    #[arg(long)]
    pub accept_loss: bool,
}
