//! `heal`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default heal --dry-run         list lost offsets
  pulseline --stack default heal                   repair them from MongoDB, and from Kafka while it keeps them
  pulseline --stack default heal --every 60        repair once a minute, as a service

An offset is lost when sink and loader are both past it and it is not accounted for. Offsets in flight are left alone.")]
pub(crate) struct HealArgs {
    /// Maximum wait for messages in flight, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) grace: u64,
    /// List lost offsets; change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the report as JSON.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) json: bool,
    /// Run as a service: check and repair at this interval.
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["dry_run", "json"])]
    pub(crate) every: Option<u64>,
    /// As a service, repair at most this many offsets per round; unrepairable ones are retried after an hour.
    #[arg(long, default_value_t = pulseline_admin::healer::ROUND_OFFSETS, value_name = "OFFSETS", requires = "every")]
    pub(crate) round: i64,
}
