//! The fleet's calendar.

use std::path::PathBuf;

use anchorite::x509::{Seconds, Time};
use clap::Args;

use super::{span, time};

/// The fleet's calendar: what ends when, by when somebody has to act (no token needed)
#[derive(Debug, Args)]
#[command(
    after_help = "example:\n  anchorite status --home /srv/ca --within 90d\n  anchorite status --home /srv/ca --ical /media/out/fleet.ics --prometheus /media/out/fleet.prom\n\nIt exits with 1 where something is overdue, over, revoked and on no CRL, or left open."
)]
pub struct Status {
    /// Show only the clusters of which something falls due by then; the files hold all
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub within: Option<Seconds>,
    /// Look from this time instead of now
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Option<Time>,
    /// Write the dates as iCalendar (RFC 5545); an older one of ours is replaced
    #[arg(long, value_name = "FILE")]
    pub ical: Option<PathBuf>,
    /// Write them for the node exporter's textfile collector; an older one of ours is replaced
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
}
