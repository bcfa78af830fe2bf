//! Measures each hop beside its floor: the same bytes through the same server by a minimal client, in the same run.
//! Absolute figures vary with the machine, ratios much less.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is for people"
)]

mod bytes;
mod case;
mod cohort;
mod compacting;
mod cost;
mod fleet;
mod floor;
mod freshness;
mod histogram;
mod hop;
mod late;
mod read;
mod report;
mod round;
mod steady;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use case::Case;
use freshness::Freshness;
use report::BenchReport;

/// Each hop beside the same I/O by a bare client: readings per second, ratio, processor time, memory; then how fresh live
/// readings are.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  scripts/bench                                     3 rounds of a million readings, then a minute of live ones
  scripts/bench --readings 1M,5M,20M --rounds 1     what a reading costs by the size of the run
  scripts/bench --devices 16,1000,20000             what it costs by the number of devices
  scripts/bench --json > before.json                to be shown beside a later run
  scripts/bench --compare before.json               beside an earlier run of this machine
  scripts/bench freshness                           live readings alone
  scripts/bench late                                one late upload, by the number of devices
  scripts/bench fleet                               questions about people, by their number; a long history, by its length
  scripts/bench steady                              late uploads of a fleet that goes on uploading
  scripts/bench bytes                               what a packed heart rate takes, by setting and column")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Readings of a round, about; several sizes one after the other.
    #[arg(long, value_parser = case::count, value_delimiter = ',', default_value = "1M")]
    readings: Vec<u64>,
    /// People in the cohort; some wear two devices.
    #[arg(long, default_value_t = 8)]
    participants: u32,
    /// Deal the uploads out to so many devices, about; several numbers one after the other. Without generate and read.
    #[arg(long, value_delimiter = ',')]
    devices: Vec<u32>,
    /// Rounds of each size; floors and hops take turns in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of live readings at the end; 0 for none.
    #[arg(long, default_value_t = 60)]
    live_seconds: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
    /// A report that --json printed before, to be shown beside this one.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// How long a live reading takes to be seen in raw and in the daily figure.
    Freshness {
        /// Devices that send a heart rate every 5 seconds, each in an event of its own.
        #[arg(long, default_value_t = LIVE_DEVICES)]
        devices: u32,
        /// How long they are looked at.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What a late upload of 15 minutes costs the compactor, by the number of devices.
    Late {
        /// Devices that have a day of readings; several numbers one after the other.
        #[arg(long, value_delimiter = ',', default_value = "16,300,3000")]
        devices: Vec<i32>,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What questions about one person and about many cost by the number of people, and when a history is complete by its length.
    Fleet {
        /// People with a device each; several numbers one after the other.
        #[arg(long, value_delimiter = ',', default_value = "20,2000")]
        people: Vec<i32>,
        /// Days of each.
        #[arg(long, default_value_t = 30)]
        days: i32,
        /// Days of one person with dense readings; several numbers one after the other.
        #[arg(long, value_delimiter = ',', default_value = "500,1000")]
        history_days: Vec<i32>,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// How soon the late uploads of a fleet show while all its devices go on uploading, and how busy the compactor is.
    Steady {
        /// Devices; several numbers one after the other.
        #[arg(long, value_delimiter = ',', default_value = "300,3000")]
        devices: Vec<i32>,
        /// How long each is looked at.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What a packed heart rate takes, by the columnstore's settings and by column.
    Bytes {
        /// Readings, about; steps, distances and energy, a seventh of them, are left out.
        #[arg(long, value_parser = case::count, default_value = "1M")]
        readings: u64,
        /// People in the cohort.
        #[arg(long, default_value_t = 16)]
        participants: u32,
        /// Print the figures as JSON.
        #[arg(long)]
        json: bool,
    },
}

const LIVE_DEVICES: u32 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.part {
        None => hops(arguments).await,
        Some(Part::Freshness {
            devices,
            seconds,
            json,
        }) => {
            let mut report = BenchReport::default();
            live(&mut report, devices, seconds).await?;
            print(&report, json, None)
        }
        Some(Part::Late { devices, json }) => {
            let mut all = Vec::new();
            for devices in devices {
                eprintln!("a late upload among {devices} devices");
                all.push(late::measure(devices).await?);
            }
            if json {
                println!("{}", serde_json::to_string_pretty(&all)?);
            } else {
                print!("{}", late::table(&all));
            }
            Ok(())
        }
        Some(Part::Steady {
            devices,
            seconds,
            json,
        }) => measure_steady(devices, seconds, json).await,
        Some(Part::Fleet {
            people,
            days,
            history_days,
            json,
        }) => measure_fleet((people, days), history_days, json).await,
        Some(Part::Bytes {
            readings,
            participants,
            json,
        }) => {
            let case = Case {
                readings,
                participants,
                devices: None,
            };
            let taken = bytes::measure(&case).await?;
            if json {
                println!("{}", serde_json::to_string_pretty(&taken)?);
            } else {
                print!("{}", bytes::table(&taken));
            }
            Ok(())
        }
    }
}

async fn measure_fleet((people, days): (Vec<i32>, i32), history_days: Vec<i32>, json: bool) -> Result<()> {
    let (mut fleets, mut histories) = (Vec::new(), Vec::new());
    for people in people {
        eprintln!("{people} people, {days} days");
        fleets.push(fleet::measure(people, days).await?);
    }
    for days in history_days {
        eprintln!("one person, {days} days");
        histories.push(fleet::history(days).await?);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&(fleets, histories))?);
    } else {
        print!("{}", fleet::table(&fleets, &histories));
    }
    Ok(())
}

async fn measure_steady(devices: Vec<i32>, seconds: u64, json: bool) -> Result<()> {
    let mut all = Vec::new();
    for devices in devices {
        eprintln!("{devices} devices for {seconds} s");
        all.push(steady::measure(devices, seconds).await?);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print!("{}", steady::table(&all));
    }
    Ok(())
}

async fn hops(arguments: Arguments) -> Result<()> {
    let before = arguments.compare.as_deref().map(BenchReport::read).transpose()?;
    let mut report = BenchReport::default();
    for case in Case::all(&arguments.readings, arguments.participants, &arguments.devices) {
        for round in 1..=arguments.rounds {
            eprintln!("{case}, round {round} of {}", arguments.rounds);
            report.add(&case.to_string(), round::run(&case).await?);
        }
    }
    if arguments.live_seconds > 0 {
        live(&mut report, LIVE_DEVICES, arguments.live_seconds).await?;
    }
    print(&report, arguments.json, before.as_ref())
}

async fn live(report: &mut BenchReport, devices: u32, seconds: u64) -> Result<()> {
    eprintln!("live readings of {devices} devices for {seconds} s");
    let Freshness { raw, figure } = freshness::measure(devices, seconds).await?;
    report.add_live(devices, raw, figure);
    Ok(())
}

fn print(report: &BenchReport, json: bool, before: Option<&BenchReport>) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
    } else {
        print!("{}", report.tables(before));
    }
    Ok(())
}
