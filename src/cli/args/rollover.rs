//! A root's change and end.

use std::path::PathBuf;

use anchorite::journal::Stage;
use anchorite::x509::Seconds;
use clap::{Args, Subcommand};

use super::{Pin, span};

/// Change from one root to another: old, then both trusted, then new
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root rollover begin --home /srv/new-ca --old /media/in/root-cert.pem --overlap 90d\n\nIt is recorded in the home of each of the two roots, as far as they have one."
)]
pub struct RootRollover {
    #[command(subcommand)]
    pub verb: RolloverVerb,
}

#[derive(Debug, Subcommand)]
pub enum RolloverVerb {
    Begin(RolloverBegin),
    Stage(RolloverStage),
    Reached(RolloverReached),
    Cross(RolloverCross),
    Compromised(RolloverCompromised),
    End(RolloverEnd),
    Show(RolloverShow),
}

/// Name the other root: the one that goes, or the one that comes
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root rollover begin --home /srv/new-ca --old /media/in/root-cert.pem --overlap 90d"
)]
pub struct RolloverBegin {
    /// The old root, or its trust bundle: it is trusted on, and may be any CA's, in a token or not
    #[arg(long, value_name = "FILE", required_unless_present = "new", conflicts_with = "new")]
    pub old: Option<PathBuf>,
    /// The new root, or its trust bundle
    #[arg(long, value_name = "FILE")]
    pub new: Option<PathBuf>,
    /// How long both are to be trusted at the most; no cross-certificate outlives it
    #[arg(long, value_parser = span)]
    pub overlap: Seconds,
    /// The old root's key is in other hands: the new root never vouches for it
    #[arg(long)]
    pub compromised: bool,
    #[command(flatten)]
    pub pin: Pin,
}

/// Release the trust bundle of the next stage, or, as a way back, of the last
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover stage both --home /srv/new-ca --to /media/out")]
pub struct RolloverStage {
    /// old, both or new
    #[arg(value_parser = stage)]
    pub stage: Stage,
    /// The stick for the release; the new root's home releases nothing at stage old
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    #[command(flatten)]
    pub pin: Pin,
}

/// Record that the stage's trust bundle is in every cluster
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover reached --home /srv/new-ca")]
pub struct RolloverReached {
    #[command(flatten)]
    pub pin: Pin,
}

/// Sign a cross-certificate: the other root's key and name, for chains alone
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover cross --home /srv/new-ca --to /media/out")]
pub struct RolloverCross {
    /// The stick for the release
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    #[command(flatten)]
    pub pin: Pin,
}

/// Record that the old root's key is in other hands
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover compromised --home /srv/new-ca")]
pub struct RolloverCompromised {
    #[command(flatten)]
    pub pin: Pin,
}

/// Record that the rollover is over, or given up at its first stage
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover end --home /srv/new-ca")]
pub struct RolloverEnd {
    #[command(flatten)]
    pub pin: Pin,
}

/// Show where the rollover stands and what may follow (no token needed)
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite root rollover show --home /srv/new-ca")]
pub struct RolloverShow {}

/// End a root's life: a last, long CRL, then its key's destruction
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite root retire --home /srv/old-ca --to /media/out\n  anchorite root retire --home /srv/old-ca --destroyed 'seen by A and B'"
)]
pub struct RootRetire {
    /// The stick for the last CRL
    #[arg(long, value_name = "DIR", required_unless_present = "destroyed", conflicts_with = "destroyed")]
    pub to: Option<PathBuf>,
    /// Record how the key was destroyed, in the token and wherever a copy was, and who saw it
    #[arg(long, value_name = "TEXT")]
    pub destroyed: Option<String>,
    #[command(flatten)]
    pub pin: Pin,
}

fn stage(text: &str) -> Result<Stage, String> {
    let stages = [Stage::Old, Stage::Both, Stage::New];
    stages.into_iter().find(|stage| stage.name() == text).ok_or_else(|| "want old, both or new".into())
}
