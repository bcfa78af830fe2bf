//! `backfill`: reloads a range of documents, with a progress bar.

use std::ops::Range;

use indicatif::{ProgressBar, ProgressStyle};
use pulseline_loader::backfill::{Backfill, Progress};
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry;
use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, date_of, number_of};

use crate::args::BackfillArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

const BAR: &str =
    "{msg} {bar:30} {percent:>3} %  {human_pos} of {human_len} documents, {per_sec}, {eta} left";

pub(crate) async fn run(settings: Settings, arguments: &BackfillArgs) -> anyhow::Result<Outcome> {
    settings.require_mongo()?;
    settings.require_timescale()?;
    let streams = streams(arguments)?;
    telemetry::init_logs();
    let shutdown = Shutdown::new();
    shutdown.on_signals(settings.drain())?;
    let connections = pulseline_loader::LoaderConnections {
        mongo: settings.mongo,
        timescale: settings.timescale,
    };
    let mut outcome = Outcome::Done;
    for stream in streams {
        let job = Backfill {
            stream,
            device: arguments.device,
            days: number_of(arguments.from)..number_of(arguments.to) + 1,
            chunk: arguments.chunk.into(),
        };
        let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?);
        let tell = |progress: &Progress| show(&bar, stream, progress);
        let done =
            pulseline_loader::backfill::backfill(job, &settings.loader, &connections, &shutdown, &tell).await;
        bar.finish_and_clear();
        let done = done?;
        print::line(&said(stream, &done));
        if !done.is_finished {
            outcome = Outcome::Unfinished;
            break;
        }
    }
    Ok(outcome)
}

fn streams(arguments: &BackfillArgs) -> Result<Vec<Stream>, ConfigError> {
    if arguments.stream.is_empty() {
        return Ok(Stream::ALL.to_vec());
    }
    let known = |name: &String| {
        Stream::from_name(name).ok_or_else(|| {
            let names = Stream::ALL.map(Stream::name).join(" ");
            ConfigError::Invalid(format!("--stream: unknown stream {name}; use one of {names}"))
        })
    };
    arguments.stream.iter().map(known).collect()
}

fn show(bar: &ProgressBar, stream: Stream, progress: &Progress) {
    bar.set_length(progress.total.max(progress.documents));
    bar.set_position(progress.documents);
    bar.set_message(format!("{stream} {}", span(&progress.days)));
}

fn said(stream: Stream, progress: &Progress) -> String {
    let count = |number: u64| print::thousands(i64::try_from(number).unwrap_or(i64::MAX));
    let (documents, changed) = (count(progress.documents), count(progress.changed));
    let stopped = if progress.is_finished {
        String::new()
    } else {
        format!(
            "; stopped before {}, run the command again to resume",
            date_of(progress.days.start)
        )
    };
    let gone = progress.documents_from.map(|floor| {
        let day = date_of(floor);
        format!(
            "; documents of days before {day} are no longer kept, so nothing of these days can be repaired"
        )
    });
    let gone = gone.unwrap_or_default();
    format!("{stream}: {documents} documents were read, {changed} rows were written{stopped}{gone}")
}

fn span(days: &Range<DayNumber>) -> String {
    format!("{} to {}", date_of(days.start), date_of(days.end - 1))
}
