//! The command line: commands, options and their help.

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
  pulseline --stack default status               show every hop on one screen
  pulseline --stack default verify               recompute every figure; exit 1 on any difference

Later sources override earlier ones: defaults, --config FILE (TOML), environment variables such as
PULSELINE__KAFKA__BROKERS. --stack NAME supplies the server addresses that are still unset.

Exit codes:
  0  done
  1  verify found a difference, the demo's verdict is bad, a replayed dead letter remains, heal left offsets lost,
     a rebuilt warehouse differs, or forget still found data or pending days
  2  wrong usage or configuration
  3  a service stopped on an error, or a command failed
  4  unfinished work was abandoned at the drain deadline; verify, backfill or rebuild was stopped before its end;
     or a partition does not move while verify waits"
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
    /// Send uploads to Kafka: from a simulated cohort, or from exported files.
    #[command(subcommand)]
    Generate(Generate),
    /// Store events: Kafka → MongoDB.
    Sink,
    /// Load events: MongoDB change stream → raw tables in TimescaleDB.
    Load,
    /// Refresh stage and agg for the dirty days only.
    Compact(CompactArgs),
    /// Reload a range of documents while streaming continues.
    Backfill(BackfillArgs),
    /// Find lost offsets and repair them from MongoDB and Kafka; exit 1 when some remain.
    Heal(HealArgs),
    /// Build a second warehouse from MongoDB, verify it, and swap it in; exit 1 when it differs.
    Rebuild(RebuildArgs),
    /// Erase a person from every store, and prove it.
    Forget(ForgetArgs),
    /// List, show, replay or discard dead letters.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Serve the web console: flow, accounting, dead letters, compactor, a person's days.
    #[command(after_help = "Examples:
  pulseline --stack default console                                   serve http://127.0.0.1:8620
  PULSELINE__CONSOLE__LISTEN=127.0.0.1:0 pulseline console            use a free port; the log names it
  PULSELINE__CONSOLE__TOKEN=\"$(openssl rand -hex 16)\" pulseline console   allow replays with this token

Beyond loopback the console requires credentials: console.basic_user and console.basic_password, or
console.bearer_token. console.tls_certificate and console.tls_key enable HTTPS.

The console is read-only except for replays. It starts without the servers and shows which ones are unreachable.")]
    Console,
    /// Show the effective settings, or check them against the servers.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Create or update the warehouse schema; safe to repeat and to run concurrently.
    Migrate,
    /// Recompute every figure and compare it with the stored one; exit 1 on any difference.
    Verify(VerifyArgs),
    /// Show message counts and lag of every hop on one screen.
    Status(StatusArgs),
    /// Run the whole flow on embedded servers: simulate, stream, refresh, verify.
    Demo(DemoArgs),
    /// Start and stop the embedded servers.
    #[command(subcommand)]
    Stack(StackCommand),
    /// Print shell completions.
    #[command(after_help = "Examples:
  pulseline completions bash > ~/.local/share/bash-completion/completions/pulseline
  pulseline completions zsh > ~/.zfunc/_pulseline
  pulseline completions fish > ~/.config/fish/completions/pulseline.fish")]
    Completions {
        /// The shell to print completions for.
        shell: Shell,
    },
    /// Write one manual page per command.
    #[command(after_help = "Example:
  pulseline man ~/.local/share/man/man1 && man pulseline-verify")]
    Man {
        /// Folder for the pages; created when missing.
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Simulate a seeded cohort with circadian heart rate, steps and sleeps.
    #[command(after_help = "Example:
  pulseline --stack default generate simulate --participants 16 --from 2019-11-01 --days 7 --speed max")]
    Simulate(Box<SimulateArgs>),
    /// Replay exported files: a PMData folder, a Fitbit account export or Fitabase tables, zipped or not.
    #[command(after_help = "Examples:
  pulseline generate replay pmdata --dry-run                            report what the folder holds
  pulseline --stack default generate replay pmdata --participant p01 --zone Europe/Oslo
  pulseline --stack default generate replay MyFitbitData.zip --zone Australia/Sydney

A replay can be repeated at any time: the same files give the same events.
Invalid records become dead letters with their file, byte offset and reason.")]
    Replay(Box<ReplayArgs>),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayArgs {
    /// Folder or zip archive.
    pub(crate) dir: PathBuf,
    /// Replay only this person, by folder name; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) participant: Vec<String>,
    /// Name of the person an account export belongs to [default: the folder's name].
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// IANA time zone of people without their own.
    #[arg(long, default_value = "Europe/Oslo")]
    pub(crate) zone: String,
    /// Time zone of one person; may be repeated.
    #[arg(long, value_name = "NAME=ZONE", value_parser = pair)]
    pub(crate) zone_of: Vec<(String, String)>,
    /// Override the clock of a stream's files: STREAM=utc or STREAM=local; may be repeated.
    #[arg(long, value_name = "STREAM=CLOCK", value_parser = pair)]
    pub(crate) clock: Vec<(String, String)>,
    /// When the files were exported, such as 2020-08-18T00:00Z [default: each folder's newest reading].
    #[arg(long, value_name = "INSTANT")]
    pub(crate) exported_at: Option<String>,
    /// First local date to replay.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Last local date to replay.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
    /// `max`, or a factor such as `x1000` relative to the time the readings span.
    #[arg(long, default_value = "max")]
    pub(crate) speed: String,
    /// Read the files and report; send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Partitions of topics that the command creates.
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
    /// Share of uploads that are later corrected with other values.
    #[arg(long, default_value_t = 0.02, value_name = "FRACTION")]
    pub(crate) correct: f64,
    /// Share of uploads that are accompanied by a broken one.
    #[arg(long, default_value_t = 0.001, value_name = "FRACTION")]
    pub(crate) broken: f64,
    /// Quirks of real data: `all`, `none`, or a list such as `all,-growing_sleeps` or `naps,unknown_keys`.
    #[arg(long, default_value = "all", value_name = "LIST", allow_hyphen_values = true)]
    pub(crate) quirks: String,
    /// Length of an upload's window in seconds; must divide 900. Shorter windows give fresher live data.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) window_secs: u32,
    /// Seconds between two heart rates: a multiple of 5 that divides the window. With 60, a day of a person takes a fifth of
    /// the rows.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub(crate) heart_rate_secs: u32,
    /// Partitions of topics that the command creates.
    #[arg(long, default_value_t = 4)]
    pub(crate) partitions: i32,
    /// Write the final state as PMData files into this empty folder instead of sending it.
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// Finish the work that is due now, then exit.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print the plan of the next cycle; change nothing.
    #[arg(long, conflicts_with = "once")]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pulseline --stack default backfill --from 2019-11-01 --to 2019-11-30                  all streams, one month
  pulseline backfill --stream heart_rates --from 2019-01-01 --to 2019-12-31 --chunk day
  pulseline backfill --stream steps --device 00000000-0000-0000-0000-000000000001 --from 2019-11-06 --to 2019-11-06

Correct readings stay untouched; days, sessions and profiles are rewritten as a whole. An interrupted backfill resumes
when you run it again with the same range; a finished one starts over. Stream positions and accounting do not change.")]
pub(crate) struct BackfillArgs {
    /// Reload only this stream; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Vec<String>,
    /// Reload only this device.
    #[arg(long, value_name = "UUID")]
    pub(crate) device: Option<uuid::Uuid>,
    /// First day, in the wearers' local time.
    #[arg(long, value_name = "DATE")]
    pub(crate) from: jiff::civil::Date,
    /// Last day, in the wearers' local time.
    #[arg(long, value_name = "DATE")]
    pub(crate) to: jiff::civil::Date,
    /// Size of one step; an interrupted step is repeated.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) chunk: ChunkArg,
}

/// Length of one step of a backfill.
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
  pulseline --stack default verify --full                              compare all days
  pulseline verify --from 2019-11-01 --to 2019-11-30                   compare one month
  pulseline verify --relation agg.daily_steps --relation raw.steps     compare two relations
  pulseline verify --relation ops.dead_letters                         compare dead letters with MongoDB's
  pulseline verify --full --minutes 30                                 stop after half an hour
  pulseline verify --full --start-at agg.daily_steps                   resume a stopped verify
  pulseline verify --full --repair                                     have wrong figures computed anew")]
pub(crate) struct VerifyArgs {
    /// Compare all days instead of the 62 newest that have data and are not after tomorrow. Dead letters, sessions and
    /// profiles are compared whole in any case.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) full: bool,
    /// First day to compare, in the wearers' local time.
    #[arg(long, value_name = "DATE", requires = "to")]
    pub(crate) from: Option<jiff::civil::Date>,
    /// Last day to compare, in the wearers' local time.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<jiff::civil::Date>,
    /// Compare only this relation; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(crate) relation: Vec<String>,
    /// Start at this relation; a stopped verify prints which one.
    #[arg(long, value_name = "NAME", conflicts_with = "relation")]
    pub(crate) start_at: Option<String>,
    /// Mark stored figures that differ from their readings, so that the compactor computes them anew; still exit 1.
    #[arg(long, visible_alias = "mend")]
    pub(crate) repair: bool,
    /// Start no further comparison after this many minutes; exit 4 when some remain.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// Maximum wait for messages in flight, in seconds.
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
    /// Exit after the verdict instead of continuing at real-time speed; exit 0 only when it is good.
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
    /// Name of the embedded servers; the demo clears their data first.
    #[arg(long, default_value = "demo")]
    pub(crate) name: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StackCommand {
    /// Provision and start the servers, in the foreground unless --detach is given.
    Up {
        /// Return once the servers are ready; `stack down` stops them.
        #[arg(long, short)]
        detach: bool,
        /// Clear the data of all four servers first.
        #[arg(long)]
        fresh: bool,
        /// Name of the stack; several can run side by side [default: --stack, else "default"].
        #[arg(long)]
        name: Option<String>,
    },
    /// Stop the servers; keep their data.
    Down {
        /// Name of the stack [default: --stack, else "default"].
        #[arg(long)]
        name: Option<String>,
    },
    /// Show which servers run, and their addresses.
    Status {
        /// Name of the stack [default: --stack, else "default"].
        #[arg(long)]
        name: Option<String>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the servers' addresses as shell exports: eval "$(pulseline stack env)".
    Env {
        /// Name of the stack [default: --stack, else "default"].
        #[arg(long)]
        name: Option<String>,
    },
}
