//! What can be said on the command line.

mod config;
mod dead_letters;
mod forget;
mod heal;
mod rebuild;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use config::{ConfigCheckArgs, ConfigCommand, ConfigShowArgs};
pub(crate) use dead_letters::{DeadLetters, SelectionArgs};
pub(crate) use forget::ForgetArgs;
pub(crate) use heal::HealArgs;
pub(crate) use rebuild::RebuildArgs;

/// Streams smartwatch readings through Kafka and MongoDB into TimescaleDB, exactly.
#[derive(Debug, Parser)]
#[command(
    name = "pulseline",
    version,
    after_help = "Examples:
  pulseline demo --once                          the whole flow on embedded servers, with a verdict
  pulseline stack up --detach                    start the embedded servers
  pulseline --stack default migrate              create the warehouse's schema there
  pulseline --stack default sink                 run one service there
  pulseline --stack default status               one screen: what is where
  pulseline --stack default verify               recompute everything, exit 1 on any difference

Settings come from defaults, then --config FILE (TOML), then environment variables such as PULSELINE__KAFKA__BROKERS,
then the servers of --stack NAME, for those that are still unset.

Exit codes: 0 done, 1 verify found a difference, a replayed dead letter stays, heal leaves a hole, a rebuilt warehouse differs or forget finds something,
2 wrong usage or configuration, 3 a service stopped on an error, 4 unfinished work was abandoned at the drain deadline."
)]
pub(crate) struct Cli {
    /// Configuration file (TOML); unknown keys are refused.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Use the embedded servers of this name, started by `stack up`.
    #[arg(long, global = true, value_name = "NAME", env = "PULSELINE_STACK")]
    pub(crate) stack: Option<String>,
    /// Folder of the embedded servers.
    #[arg(long, global = true, value_name = "DIR", default_value = ".stack")]
    pub(crate) stack_root: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Devices that upload: simulated ones, and those whose files people have.
    #[command(subcommand)]
    Generate(Generate),
    /// Kafka → MongoDB.
    Sink,
    /// MongoDB change stream → raw tables in TimescaleDB.
    Load,
    /// Refresh stage and agg for exactly the dirty days.
    Compact(CompactArgs),
    /// Load a range of documents once more, while streaming goes on.
    Backfill(BackfillArgs),
    /// Find offsets that are lost, and load what MongoDB has of them; exit 1 when some stay.
    Heal(HealArgs),
    /// Build the warehouse anew from MongoDB, beside the one in use, check it and swap; exit 1 when it differs.
    Rebuild(RebuildArgs),
    /// Remove a person from every store, and prove it.
    Forget(ForgetArgs),
    /// What could not be processed: read it, replay it after a fix, discard it.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// The console, one page: flow, accounting, dead letters, compactor, a person's days.
    #[command(after_help = "Examples:
  pulseline --stack default console                                   at http://127.0.0.1:8620
  PULSELINE__CONSOLE__LISTEN=127.0.0.1:0 pulseline console            at a free port, which the log names
  PULSELINE__CONSOLE__TOKEN=\"$(openssl rand -hex 16)\" pulseline console   dead letters can be replayed with this token

On another address than 127.0.0.1 it asks for a password or a token: console.basic_user and console.basic_password, or
console.bearer_token. console.tls_certificate and console.tls_key make it HTTPS.

It changes nothing but that. Servers that are away are shown as such, and waited for.")]
    Console,
    /// The settings that are in force, and whether the servers take them.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Create or update the warehouse's schema; safe to run twice or by two at once.
    Migrate,
    /// Recompute every figure and compare; exit 1 on any difference.
    Verify(VerifyArgs),
    /// One screen: produced, stored, loaded, dead, unaccounted, lag.
    Status(StatusArgs),
    /// The whole flow on embedded servers: simulate, stream, refresh, verify.
    Demo(DemoArgs),
    /// The embedded servers.
    #[command(subcommand)]
    Stack(StackCommand),
    /// Print the completions of a shell.
    #[command(after_help = "Examples:
  pulseline completions bash > ~/.local/share/bash-completion/completions/pulseline
  pulseline completions zsh > ~/.zfunc/_pulseline
  pulseline completions fish > ~/.config/fish/completions/pulseline.fish")]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write a manual page for each command.
    #[command(after_help = "Example:
  pulseline man ~/.local/share/man/man1 && man pulseline-verify")]
    Man {
        /// Folder of the pages; it is made when it is missing.
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// A seeded cohort with circadian heart rate, steps and sleeps.
    #[command(after_help = "Example:
  pulseline --stack default generate simulate --participants 16 --from 2019-11-01 --days 7 --speed max")]
    Simulate(Box<SimulateArgs>),
    /// The files that people have: a PMData folder, a Fitbit account export, Fitabase tables, zipped or not.
    #[command(after_help = "Examples:
  pulseline generate replay pmdata --dry-run                            only say what is there
  pulseline --stack default generate replay pmdata --participant p01 --zone Europe/Oslo
  pulseline --stack default generate replay MyFitbitData.zip --zone Australia/Sydney

Stopped and run again, or run twice, it changes nothing: the same files give the same events.
Records that no event can be made of become dead letters with their file, byte and reason.")]
    Replay(Box<ReplayArgs>),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// Folder or zip archive.
    pub(crate) dir: PathBuf,
    /// Only these people, by the names of their folders; may be said several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) participant: Vec<String>,
    /// Name of the one person whose export it is; without it, the name of the folder.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// IANA zone of everybody who has none of their own.
    #[arg(long, default_value = "Europe/Oslo")]
    pub(crate) zone: String,
    /// Zone of one person, as NAME=ZONE; may be said several times.
    #[arg(long, value_name = "NAME=ZONE", value_parser = pair)]
    pub(crate) zone_of: Vec<(String, String)>,
    /// Clock of a stream's files, as STREAM=utc or STREAM=local, where it is not that of the layout.
    #[arg(long, value_name = "STREAM=CLOCK", value_parser = pair)]
    pub(crate) clock: Vec<(String, String)>,
    /// When the files were exported (UTC, such as 2020-08-18T00:00Z); without it, each folder's newest reading.
    #[arg(long, value_name = "INSTANT")]
    pub(crate) exported_at: Option<String>,
    /// First local date.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Last local date.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
    /// `max`, or a factor such as `x1000`: the time that the readings span, divided by it.
    #[arg(long, default_value = "max")]
    pub(crate) speed: String,
    /// Read and report; send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Partitions of topics that do not exist yet.
    #[arg(long, default_value_t = 4)]
    pub(crate) partitions: i32,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SimulateArgs {
    /// People in the cohort; some wear two devices.
    #[arg(long, default_value_t = 16)]
    pub(crate) participants: u32,
    /// First day, in the wearer's local time, or `now`.
    #[arg(long, default_value = "2019-11-01", value_name = "DATE")]
    pub(crate) from: String,
    /// Days to simulate.
    #[arg(long, default_value_t = 7)]
    pub(crate) days: u32,
    /// `realtime`, a factor such as `x60`, or `max`.
    #[arg(long, default_value = "max")]
    pub(crate) speed: String,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Share of uploads that arrive up to 7 days late.
    #[arg(long, default_value_t = 0.05, value_name = "FRACTION")]
    pub(crate) late: f64,
    /// Share of uploads that are sent twice.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION")]
    pub(crate) duplicate: f64,
    /// Share of uploads that come again with other values.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION")]
    pub(crate) correct: f64,
    /// Share of uploads beside which a broken one is sent.
    #[arg(long, default_value_t = 0.001, value_name = "FRACTION")]
    pub(crate) broken: f64,
    /// Quirks of real data: `all`, `none`, or a list such as `all,-growing_sleeps` or `naps,unknown_keys`.
    #[arg(long, default_value = "all", value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) quirks: String,
    /// Length of an upload's window in seconds; divides 900. Short windows make live data fresh.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) window_secs: u32,
    /// Partitions of topics that do not exist yet.
    #[arg(long, default_value_t = 4)]
    pub(crate) partitions: i32,
    /// Write what it comes to as PMData files into this empty folder instead of sending it.
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Work until nothing is left to do now, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print what the next cycle would do, and change nothing.
    #[arg(long, conflicts_with = "once")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default backfill --from 2019-11-01 --to 2019-11-30                  every stream of a month
  pulseline backfill --stream heart_rates --from 2019-01-01 --to 2019-12-31 --chunk day
  pulseline backfill --stream steps --device 00000000-0000-0000-0000-000000000001 --from 2019-11-06 --to 2019-11-06

Readings that are right already stay untouched; days, sessions and profiles are written again as a whole. Stopped or killed, it goes on when it is run again with the same range;
once it has finished, the same range begins anew. Positions and accounting of the stream are not touched.")]
pub(crate) struct BackfillArgs {
    /// Only this stream; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Vec<String>,
    /// Only this device.
    #[arg(long, value_name = "UUID")]
    pub(crate) device: Option<uuid::Uuid>,
    /// First day, on the wearers' wall clocks.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: jiff::civil::Date,
    /// Last day.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: jiff::civil::Date,
    /// What is done at a time: what was begun when it is stopped is done again.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) chunk: ChunkArg,
}

/// Length of a part of a backfill.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ChunkArg {
    /// A day.
    Day,
    /// A calendar month.
    #[default]
    Month,
    /// A calendar year.
    Year,
}

impl From<ChunkArg> for pulseline_loader::backfill::Chunk {
    fn from(chunk: ChunkArg) -> Self {
        match chunk {
            ChunkArg::Day => Self::Day,
            ChunkArg::Month => Self::Month,
            ChunkArg::Year => Self::Year,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default verify --full                              everything there is
  pulseline verify --from 2019-11-01 --to 2019-11-30                   one month
  pulseline verify --relation agg.daily_steps --relation raw.steps     two relations
  pulseline verify --full --minutes 30                                 as much as half an hour allows
  pulseline verify --full --start-at agg.daily_steps                   go on where a verify was stopped")]
pub(crate) struct VerifyArgs {
    /// Compare all days, not only the 62 newest that have anything and are not after tomorrow.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) full: bool,
    /// First day to compare, on the wearers' wall clocks.
    #[arg(long, value_name = "DATE", requires = "to")]
    pub(crate) from: Option<jiff::civil::Date>,
    /// Last day to compare.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<jiff::civil::Date>,
    /// Compare this relation only; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) relation: Vec<String>,
    /// Leave out what comes before this relation, as a stopped verify says.
    #[arg(long, value_name = "NAME", conflicts_with = "relation")]
    pub(crate) start_at: Option<String>,
    /// Begin no other comparison after so many minutes; exit code 4 when some are left.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// Longest to wait for what is still on its way, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub(crate) settle: u64,
    /// Print the verdict as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  scripts/demo --once --participants 4 --days 2")]
pub(crate) struct DemoArgs {
    /// End with the verdict instead of going on at real-time speed; exit 0 only when it is good.
    #[arg(long)]
    pub(crate) once: bool,
    /// People in the cohort.
    #[arg(long, default_value_t = 16)]
    pub(crate) participants: u32,
    /// Days to simulate from 2019-11-01.
    #[arg(long, default_value_t = 7)]
    pub(crate) days: u32,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Name of the embedded servers that the demo starts anew.
    #[arg(long, default_value = "demo")]
    pub(crate) name: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StackCommand {
    /// Provision and start the servers; stays in the foreground unless --detach.
    Up {
        /// Return when the servers are ready; `stack down` stops them.
        #[arg(long, short)]
        detach: bool,
        /// Clear the data of all four servers first.
        #[arg(long)]
        fresh: bool,
        /// Several stacks run side by side under different names; without it, the one of --stack, else "default".
        #[arg(long)]
        name: Option<String>,
    },
    /// Stop the servers; their data stays.
    Down {
        /// Which stack; without it, the one of --stack, else "default".
        #[arg(long)]
        name: Option<String>,
    },
    /// Which servers run, and where.
    Status {
        /// Which stack; without it, the one of --stack, else "default".
        #[arg(long)]
        name: Option<String>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// The servers' addresses as shell exports: eval "$(pulseline stack env)".
    Env {
        /// Which stack; without it, the one of --stack, else "default".
        #[arg(long)]
        name: Option<String>,
    },
}
