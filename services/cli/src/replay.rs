//! `generate replay`: files to Kafka, and `generate simulate --write`: a cohort to files.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use pulseline_archive::{Archive, Clock as FileClock, Options, Survey};
use pulseline_generator::{Counts, ReplayConfig, SimulateConfig, Summary, SurveyedArchive, WrittenFile};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::ConfigError;
use pulseline_schemas::{LocalDay, Stream, UtcMillis};

use crate::args::ReplayArgs;
use crate::exit::Outcome;
use crate::print;
use crate::services::serve;
use crate::settings::Settings;

const BAR: &str = "{msg} {bar:30} {percent:>3} %  {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
/// How often the bar moves.
const TICK: Duration = Duration::from_millis(500);
/// Without a terminal, one line every few ticks.
const LINE_EVERY: u32 = 10;

pub(crate) async fn replay(settings: Settings, arguments: &ReplayArgs) -> anyhow::Result<Outcome> {
    let options = options(arguments, UtcMillis(Clock::system().now_utc_millis()))?;
    let speed = arguments.speed.parse();
    let config = ReplayConfig {
        speed: speed.map_err(|error| ConfigError::Invalid(format!("--speed: {error}")))?,
        partitions: arguments.partitions,
    };
    if !arguments.dry_run {
        settings.require_kafka()?;
        settings.require_registry()?;
    }
    let (archive, survey) = tokio::task::spawn_blocking(move || survey(options)).await??;
    print::line(&survey.to_string());
    if arguments.dry_run {
        print::line("nothing was sent: --dry-run");
        return Ok(Outcome::Done);
    }
    let source = Arc::new(SurveyedArchive {
        archive,
        survey,
        consumed: AtomicU64::new(0),
    });
    let Settings { kafka, registry, .. } = settings.clone();
    let connections = pulseline_generator::GeneratorConnections { kafka, registry };
    serve(&settings, "generator", |health, shutdown| async move {
        let counts = Arc::new(Counts::new());
        health.set_ready(true);
        let running = pulseline_generator::replay(
            Arc::clone(&source),
            config,
            &connections,
            (Clock::system(), Arc::clone(&counts)),
            shutdown.clone(),
        );
        let summary = watch(running, &source, &counts).await?;
        tell(&summary, shutdown.is_stopping());
        Ok::<_, anyhow::Error>(())
    })
    .await
}

/// Shows progress until the replay ends.
async fn watch(
    running: impl Future<Output = Result<Summary, pulseline_generator::GeneratorError>>,
    source: &SurveyedArchive,
    counts: &Counts,
) -> anyhow::Result<Summary> {
    tokio::pin!(running);
    let bar = bar(source.archive.bytes(), "replaying")?;
    for tick in 1_u32.. {
        tokio::select! {
            ended = &mut running => {
                bar.finish_and_clear();
                return Ok(ended?);
            }
            () = tokio::time::sleep(TICK) => {
                let consumed = source.consumed.load(Ordering::Relaxed);
                bar.set_position(consumed);
                if bar.is_hidden() && tick.is_multiple_of(LINE_EVERY) {
                    let total = counts.snapshot().total();
                    tracing::info!(acknowledged = total.acknowledged, readings = total.readings, bytes = consumed, "replaying");
                }
            }
        }
    }
    unreachable!("the loop above has no end of its own")
}

fn tell(summary: &Summary, is_stopped: bool) {
    let readings = |count: u64| print::thousands(i64::try_from(count).unwrap_or(i64::MAX));
    for (stream, counts) in &summary.topics {
        if counts.issued > 0 {
            print::line(&format!(
                "{:<20} {:>9} messages  {:>12} readings",
                stream.name(),
                readings(counts.acknowledged),
                readings(counts.readings)
            ));
        }
    }
    let total = summary.total();
    print::line(&format!(
        "{}sent {} messages with {} readings; {} records became dead letters",
        if is_stopped {
            "stopped; run the command again to resume; "
        } else {
            ""
        },
        readings(total.acknowledged),
        readings(total.readings),
        readings(summary.dead_letters.acknowledged)
    ));
}

fn bar(bytes: u64, what: &'static str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template(BAR)?;
    Ok(ProgressBar::new(bytes).with_style(style).with_message(what))
}

fn survey(options: Options) -> anyhow::Result<(Archive, Survey)> {
    let archive = Archive::open(options)?;
    let bar = bar(archive.bytes(), "reading")?;
    let survey = archive.survey(&mut |bytes| bar.set_position(bytes))?;
    bar.finish_and_clear();
    Ok((archive, survey))
}

fn options(arguments: &ReplayArgs, now: UtcMillis) -> Result<Options, ConfigError> {
    let mut options = Options::new(&arguments.dir, arguments.zone.as_str(), now);
    options.person.clone_from(&arguments.name);
    options.only.clone_from(&arguments.participant);
    options.zones = arguments.zone_of.iter().cloned().collect();
    for (stream, clock) in &arguments.clock {
        let stream = Stream::from_name(stream)
            .ok_or_else(|| ConfigError::Invalid(format!("--clock: unknown stream {stream}")))?;
        let clock = match clock.as_str() {
            "utc" => FileClock::Utc,
            "local" => FileClock::Local,
            other => {
                return Err(ConfigError::Invalid(format!(
                    "--clock: {other} is invalid; use utc or local"
                )));
            }
        };
        options.clocks.insert(stream, clock);
    }
    let day = |name: &str, text: &Option<String>| -> Result<Option<LocalDay>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        let day = text
            .parse()
            .map_err(|error| ConfigError::Invalid(format!("{name}: {error}")))?;
        Ok(Some(LocalDay(pulseline_sql::periods::number_of(day))))
    };
    options.from = day("--from", &arguments.from)?;
    options.to = day("--to", &arguments.to)?;
    if let Some(text) = &arguments.exported_at {
        let at: jiff::Timestamp = text
            .parse()
            .map_err(|error| ConfigError::Invalid(format!("--exported-at: {error}")))?;
        options.exported_at = Some(UtcMillis(at.as_millisecond()));
    }
    Ok(options)
}

/// Writes the final state of a cohort as files.
pub(crate) async fn write(config: SimulateConfig, dir: &Path) -> anyhow::Result<Outcome> {
    let now = UtcMillis(Clock::system().now_utc_millis());
    let target = dir.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        let mut tell = |folder: &str, file: &WrittenFile| {
            print::line(&format!(
                "{folder:<5} {:<30} {:>9} records  {}",
                file.name,
                file.records,
                HumanBytes(file.bytes)
            ));
        };
        pulseline_generator::write_pmdata(&config, now, &target, &mut tell)
    });
    let written = writing.await??;
    print::line(&format!(
        "wrote {} folders, {} records, {}; replay them with: pulseline generate replay {}",
        written.folders.len(),
        written.records(),
        HumanBytes(written.bytes()),
        dir.display()
    ));
    Ok(Outcome::Done)
}
