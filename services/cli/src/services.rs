//! Runs each service with its telemetry, signal handling and connections.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pulseline_generator::{Counts, SimulateConfig};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::{self, Health};

use crate::args::{CompactArgs, SimulateArgs};
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

/// How often a running simulation logs its progress.
const PROGRESS: Duration = Duration::from_secs(5);

pub(crate) async fn sink(settings: Settings) -> anyhow::Result<Outcome> {
    let Settings {
        kafka,
        registry,
        mongo,
        sink,
        ..
    } = settings.clone();
    let connections = pulseline_sink::SinkConnections {
        kafka,
        registry,
        mongo,
    };
    serve(&settings, "sink", |health, shutdown| {
        pulseline_sink::run(sink, connections, health, shutdown)
    })
    .await
}

pub(crate) async fn load(settings: Settings) -> anyhow::Result<Outcome> {
    settings.require_mongo()?;
    settings.require_timescale()?;
    let Settings {
        mongo,
        timescale,
        loader,
        ..
    } = settings.clone();
    let connections = pulseline_loader::LoaderConnections { mongo, timescale };
    serve(&settings, "loader", |health, shutdown| {
        pulseline_loader::run(loader, connections, health, shutdown)
    })
    .await
}

pub(crate) async fn compact(settings: Settings, arguments: &CompactArgs) -> anyhow::Result<Outcome> {
    settings.require_timescale()?;
    let Settings {
        timescale, compactor, ..
    } = settings.clone();
    let clock = Clock::system();
    if arguments.dry_run {
        telemetry::init_logs();
        let lines = pulseline_compactor::preview(&compactor, &timescale, &clock).await?;
        lines.iter().for_each(|line| print::line(line));
        return Ok(Outcome::Done);
    }
    if arguments.once {
        telemetry::init_logs();
        let shutdown = Shutdown::new();
        shutdown.on_signals(settings.drain())?;
        let report = pulseline_compactor::run_once(&compactor, &timescale, &clock, &shutdown).await?;
        print::line(&format!(
            "{} changes, {} refreshes, {} patched device days, {} sleeps with another heart rate, {} days of people, {} patched days settled, \
             {} chunks packed, {} deleted, {} days wait until they have closed",
            report.days,
            report.refreshes,
            report.patched,
            report.sleeps,
            report.user_days,
            report.settled,
            report.packed,
            report.deleted,
            report.waiting
        ));
        return Ok(Outcome::Done);
    }
    serve(&settings, "compactor", |health, shutdown| {
        pulseline_compactor::run(compactor, timescale, clock, health, shutdown)
    })
    .await
}

pub(crate) async fn console(settings: Settings) -> anyhow::Result<Outcome> {
    let connections = pulseline_console::ConsoleConnections {
        audited: settings.audited()?,
        compactor: settings.compactor.clone(),
    };
    let console = settings.console.clone();
    serve(&settings, "console", |health, shutdown| {
        pulseline_console::run(console, connections, health, shutdown)
    })
    .await
}

pub(crate) async fn migrate(settings: Settings) -> anyhow::Result<Outcome> {
    settings.require_timescale()?;
    telemetry::init_logs();
    let report = pulseline_sql::migrate(&settings.timescale).await?;
    print::line(&match report.applied.as_slice() {
        [] => format!("nothing to do: the schema is at version {}", report.version),
        applied => format!(
            "applied {}; the schema is at version {}",
            applied.join(", "),
            report.version
        ),
    });
    Ok(Outcome::Done)
}

pub(crate) async fn simulate(settings: Settings, arguments: &SimulateArgs) -> anyhow::Result<Outcome> {
    settings.require_kafka()?;
    settings.require_registry()?;
    let config = simulate_config(arguments)?;
    let Settings { kafka, registry, .. } = settings.clone();
    let connections = pulseline_generator::GeneratorConnections { kafka, registry };
    serve(&settings, "generator", |health, shutdown| async move {
        let counts = Arc::new(Counts::new());
        health.set_ready(true);
        let running = pulseline_generator::simulate(
            &config,
            &connections,
            Clock::system(),
            Arc::clone(&counts),
            shutdown,
        );
        tokio::pin!(running);
        let summary = loop {
            tokio::select! {
                ended = &mut running => break ended?,
                () = tokio::time::sleep(PROGRESS) => {
                    let total = counts.snapshot().total();
                    tracing::info!(issued = total.issued, acknowledged = total.acknowledged, "simulating");
                }
            }
        };
        let total = summary.total();
        print::line(&format!(
            "issued {}, acknowledged {}, failed {}; {} readings",
            total.issued, total.acknowledged, total.failed, total.readings
        ));
        anyhow::ensure!(
            total.failed == 0,
            "Kafka did not acknowledge {} messages; the log says why",
            total.failed
        );
        Ok(())
    })
    .await
}

/// The simulation that the arguments describe.
pub(crate) fn simulate_config(arguments: &SimulateArgs) -> Result<SimulateConfig, ConfigError> {
    let invalid = |error: &dyn std::fmt::Display| ConfigError::Invalid(error.to_string());
    let config = SimulateConfig {
        participants: arguments.participants,
        from: arguments.from.parse().map_err(|error| invalid(&error))?,
        days: arguments.days,
        speed: arguments.speed.parse().map_err(|error| invalid(&error))?,
        seed: arguments.seed,
        late: arguments.late,
        duplicate: arguments.duplicate,
        correct: arguments.correct,
        broken: arguments.broken,
        quirks: arguments.quirks.parse().map_err(|error| invalid(&error))?,
        window_secs: arguments.window_secs,
        heart_rate_secs: arguments.heart_rate_secs,
        partitions: arguments.partitions,
    };
    config.validate().map_err(ConfigError::Invalid)?;
    Ok(config)
}

/// Runs a service with logs, metrics, health endpoints and signal handling.
pub(crate) async fn serve<F, E>(
    settings: &Settings,
    name: &str,
    run: impl FnOnce(Health, Shutdown) -> F,
) -> anyhow::Result<Outcome>
where
    F: Future<Output = Result<(), E>>,
    anyhow::Error: From<E>,
{
    telemetry::init_logs();
    let recorder = telemetry::install_recorder()?;
    let shutdown = Shutdown::new();
    let health = Health::watching(shutdown.waits());
    shutdown
        .on_signals(settings.drain())
        .context("cannot install signal handlers")?;
    telemetry::serve(&settings.telemetry, recorder, health.clone(), shutdown.clone()).await?;
    tracing::info!(version = pulseline_runtime::VERSION, "{name} starts");
    Box::pin(run(health, shutdown)).await?;
    tracing::info!("{name} ended");
    Ok(Outcome::Done)
}
