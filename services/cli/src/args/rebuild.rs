//! `rebuild`.

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default rebuild                build, check, swap; the services go on meanwhile
  pulseline --stack default rebuild --drop-old     drop the warehouse that was in use before
  pulseline --stack default rebuild --discard      drop what was built and is not in use

The new warehouse grows in next_raw, next_stage, next_agg and next_ops. Once it has caught up and `verify --full` of it finds no
difference it takes the names of the one in use, which is kept as old_raw, old_stage, old_agg and old_ops. Stopped or killed, the
same command goes on. It connects as the owner of the schemas, as `migrate` does. To look at the new one before it is in use:
PULSELINE__TIMESCALE__SCHEMA_PREFIX=next_ pulseline --stack default status")]
pub(crate) struct RebuildArgs {
    /// Longest to wait, in the end, for what is still on its way, in seconds.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Only drop the warehouse that was in use before the last rebuild.
    #[arg(long, conflicts_with_all = ["discard", "json"])]
    pub(crate) drop_old: bool,
    /// Only drop what an unfinished rebuild has built.
    #[arg(long, conflicts_with = "json")]
    pub(crate) discard: bool,
}
