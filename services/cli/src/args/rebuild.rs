//! `rebuild`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default rebuild                build, verify and swap while the services keep running
  pulseline --stack default rebuild --drop-old     drop the previous warehouse
  pulseline --stack default rebuild --discard      drop an unfinished rebuild

The command builds next_raw, next_stage, next_agg and next_ops. When they have caught up and `verify --full` finds no
difference, it renames the current schemas to old_raw, old_stage, old_agg and old_ops and swaps the new ones in. Run it
again after an interruption: it resumes. Like `migrate`, it connects as the schema owner. To inspect the new warehouse:
PULSELINE__TIMESCALE__SCHEMA_PREFIX=next_ pulseline --stack default status")]
pub(crate) struct RebuildArgs {
    /// Maximum wait for messages in flight before the swap, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Drop the warehouse that the last rebuild replaced, and exit.
    #[arg(long, conflicts_with_all = ["discard", "json"])]
    pub(crate) drop_old: bool,
    /// Drop what an unfinished rebuild has built, and exit.
    #[arg(long, conflicts_with = "json")]
    pub(crate) discard: bool,
}
