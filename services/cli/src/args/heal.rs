//! `heal`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default heal --dry-run         which offsets are lost
  pulseline --stack default heal                   load what MongoDB has of them, and what Kafka still has
  pulseline --stack default heal --every 60        the same once a minute, as a service

An offset counts as lost once sink and loader are both past it; what is on its way is waited for and left alone.")]
pub(crate) struct HealArgs {
    /// Longest to wait for what is still on its way, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) grace: u64,
    /// Say what is lost, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the report as JSON.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) json: bool,
    /// Go on as a service: look again after so many seconds, and repair what is found.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["dry_run", "json"])]
    pub(crate) every: Option<u64>,
    /// As a service: offsets that one round repairs at most. What is nowhere is tried again after an hour.
    #[arg(long, default_value_t = pulseline_healer::ROUND_OFFSETS, value_name = "OFFSETS", requires = "every")]
    pub(crate) round: i64,
}
