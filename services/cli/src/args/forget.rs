//! `forget`.

use clap::Args;
use uuid::Uuid;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default forget 2f0c3b1a-8f0e-5b7c-9d0a-0d9b8c7a6f5e --dry-run   report what is stored
  pulseline --stack default forget 2f0c3b1a-8f0e-5b7c-9d0a-0d9b8c7a6f5e --yes       erase it for good

Afterwards the command searches MongoDB, raw, stage, agg and the dead letters; it exits 1 when it finds anything.
Run it again after an interruption: it resumes. Later deliveries about the same person are rejected and counted.")]
pub(crate) struct ForgetArgs {
    /// Id of the person.
    pub(crate) user: Uuid,
    /// A device of the person that no profile names; may be repeated.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Vec<Uuid>,
    /// Confirm the erasure; it cannot be undone.
    #[arg(long, conflicts_with = "dry_run", required_unless_present = "dry_run")]
    pub(crate) yes: bool,
    /// Report what is stored; change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Maximum wait for the compactor to refresh the person's days, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
