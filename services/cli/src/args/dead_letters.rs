//! `dead-letters`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// List unresolved dead letters, newest first.
    #[command(after_help = "Examples:
  pulseline --stack default dead-letters list
  pulseline dead-letters list --reason out_of_range --stream heart_rates --since 2019-11-01
  pulseline dead-letters list --all --json")]
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Include replayed and discarded dead letters.
        #[arg(long)]
        all: bool,
        /// Maximum number to print.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter with its bytes, decoded as far as possible.
    #[command(after_help = "Example:
  pulseline dead-letters show kafka:fitbit.steps/0/3/1789")]
    Show {
        /// Origin of the dead letter, as `list` prints it.
        origin: String,
        /// Show only the dead letter of this reading; -1 is the whole upload.
        #[arg(long, allow_negative_numbers = true)]
        item: Option<i32>,
    },
    /// Process dead letters again after a fix; exit 1 when some remain.
    #[command(after_help = "Examples:
  pulseline --stack default dead-letters replay kafka:fitbit.steps/0/3/1789
  pulseline dead-letters replay --reason unknown_schema --since 2019-11-01

A message that could not be stored is sent to its topic again, at a new offset. A document that could not be loaded is
loaded. What fails again stays a dead letter.")]
    Replay {
        #[command(flatten)]
        selection: SelectionArgs,
    },
    /// Mark dead letters as no longer needed; they stay stored, with the reason.
    #[command(after_help = "Example:
  pulseline dead-letters discard --reason undecodable --since 2019-11-01 --why \"a test of the gateway\"")]
    Discard {
        #[command(flatten)]
        selection: SelectionArgs,
        /// The reason, stored with each dead letter.
        #[arg(long)]
        why: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SelectionArgs {
    /// Origins, as `list` prints them.
    pub(crate) origin: Vec<String>,
    /// Select only this reason.
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: Option<String>,
    /// Select only this stream.
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    /// Select only dead letters since this instant (UTC), such as 2019-11-01 or 2019-11-01T12:00Z.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) since: Option<String>,
}
