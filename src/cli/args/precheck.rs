//! What is asked for away from the home: its policies carried out, requests judged by them.

use std::path::PathBuf;

use anchorite::x509::Time;
use clap::Args;

use super::time;

/// Away from the home: judge requests by its exported policies, before anybody travels
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite precheck --policies /media/audit/anchorite-policies-000042 /media/in\n\n\
        The rules are those of the ceremony, and so are the words; what only that day's record can\n\
        tell is named."
)]
pub struct Precheck {
    /// The folder that `anchorite policy export` made
    #[arg(long, value_name = "DIR")]
    pub policies: PathBuf,
    /// Judge by this policy instead of the register's
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// When the ceremony will be [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Time>,
    /// List every rule, also those that found everything in order
    #[arg(long)]
    pub all: bool,
    /// Folders and files
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
}

/// Write the policies in force into a folder, for `precheck` in the clusters' CI
#[derive(Debug, Args)]
#[command(after_help = "example:\n  anchorite policy export --home /srv/ca --to /media/audit")]
pub struct PolicyExport {
    /// Where the folder is made
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}
