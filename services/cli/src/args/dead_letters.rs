//! `dead-letters`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// Dead letters that nobody has dealt with, newest first.
    #[command(after_help = "Examples:
  pulseline --stack default dead-letters list
  pulseline dead-letters list --reason out_of_range --stream heart_rates --since 2019-11-01
  pulseline dead-letters list --all --json")]
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Those that were replayed or discarded as well.
        #[arg(long)]
        all: bool,
        /// How many are shown.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// One dead letter with its bytes, decoded as far as they go.
    #[command(after_help = "Example:
  pulseline dead-letters show kafka:fitbit.steps/0/3/1789")]
    Show {
        /// Its origin, as the list says it.
        origin: String,
        /// Only the dead letter about this reading; -1 is the whole upload.
        #[arg(long, allow_negative_numbers = true)]
        item: Option<i32>,
    },
    /// Process dead letters again, after a fix; exit 1 when some stay.
    #[command(after_help = "Examples:
  pulseline --stack default dead-letters replay kafka:fitbit.steps/0/3/1789
  pulseline dead-letters replay --reason unknown_schema --since 2019-11-01

A message that could not be stored is sent to its topic again and has another offset there; a document that could not
be loaded is loaded. Whatever is refused again stays a dead letter.")]
    Replay {
        #[command(flatten)]
        selection: SelectionArgs,
    },
    /// Say that nobody needs dead letters any more; they stay, with the reason.
    #[command(after_help = "Example:
  pulseline dead-letters discard --reason undecodable --since 2019-11-01 --why \"a test of the gateway\"")]
    Discard {
        #[command(flatten)]
        selection: SelectionArgs,
        /// Why, for whoever asks later.
        #[arg(long)]
        why: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SelectionArgs {
    /// Origins, as the list says them.
    pub(crate) origin: Vec<String>,
    /// Only of this reason.
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: Option<String>,
    /// Only of this stream.
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    /// Only since this instant (UTC): a date, or such as 2019-11-01T12:00Z.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) since: Option<String>,
}
