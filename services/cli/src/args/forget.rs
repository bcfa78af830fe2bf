//! `forget`.

use clap::Args;
use uuid::Uuid;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default forget 2f0c3b1a-8f0e-5b7c-9d0a-0d9b8c7a6f5e --dry-run   what is there of them
  pulseline --stack default forget 2f0c3b1a-8f0e-5b7c-9d0a-0d9b8c7a6f5e --yes       remove it, for good

MongoDB, raw, stage, agg and dead letters are searched afterwards; exit code 1 when something is found. Stopped or killed,
the same command goes on. What Kafka or an export delivers later of the same person is refused and counted.")]
pub(crate) struct ForgetArgs {
    /// The person.
    pub(crate) user: Uuid,
    /// A device of theirs that no profile names; may be said several times.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Vec<Uuid>,
    /// Remove it: nothing brings it back.
    #[arg(long, conflicts_with = "dry_run", required_unless_present = "dry_run")]
    pub(crate) yes: bool,
    /// Say what is there, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Longest to wait until the compactor has made the figures of their days anew, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
