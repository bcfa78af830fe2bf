//! Measures each hop beside its floor: the same bytes through the same server by a bare client, in the same run. Absolute
//! figures drift with the machine, ratios much less.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is for people"
)]

mod cohort;
mod cost;
mod floor;
mod hop;
mod report;
mod round;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use report::Report;

/// Each hop beside the same I/O by a bare client: readings per second, ratio, processor time, memory.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  scripts/bench                                     3 rounds of a million readings
  scripts/bench --readings 5000000 --json           more of them, as JSON
  scripts/bench --compare before.json               beside an earlier run of this machine")]
struct Arguments {
    /// Readings of a round, about.
    #[arg(long, default_value_t = 1_000_000)]
    readings: u64,
    /// People in the cohort; some wear two devices.
    #[arg(long, default_value_t = 8)]
    participants: u32,
    /// Rounds; floors and hops take turns in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// A report that --json printed before, to be shown beside this one.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let before = arguments.compare.as_deref().map(Report::read).transpose()?;
    let config = cohort::config(arguments.readings, arguments.participants);
    let mut report = Report::default();
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        report.add(round::run(&config).await?);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", report.table(before.as_ref()));
    }
    Ok(())
}
