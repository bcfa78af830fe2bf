//! Simulates a cohort as fast as it goes, and waits until it is through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pulseline_auditor::{Connections, Status};
use pulseline_generator::{Counts, SimulateConfig, Summary};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;

use crate::args::DemoArgs;
use crate::print;
use crate::settings::Settings;

const POLL: Duration = Duration::from_secs(1);
/// Without a terminal a line now and then is enough.
const LINE_EVERY: u32 = 5;
/// Nothing moves for that long: something is wrong, and the demo says so instead of waiting for ever.
const STUCK: Duration = Duration::from_secs(120);
/// A few broken uploads in a small cohort too.
const BROKEN: f64 = 0.002;

/// What went through, and how long each part took.
pub(super) struct Flowed {
    pub(super) summary: Summary,
    pub(super) status: Status,
    pub(super) produced_in: Duration,
    pub(super) accounted_in: Duration,
    pub(super) refreshed_in: Duration,
}

pub(super) async fn run(
    settings: &Settings,
    arguments: &DemoArgs,
    shutdown: &Shutdown,
) -> anyhow::Result<Flowed> {
    let config = SimulateConfig {
        participants: arguments.participants,
        days: arguments.days,
        seed: arguments.seed,
        broken: BROKEN,
        ..SimulateConfig::default()
    };
    config.validate().map_err(anyhow::Error::msg)?;
    let connections = pulseline_generator::Connections {
        kafka: settings.kafka.clone(),
        registry: settings.registry.clone(),
    };
    let audited = settings.audited()?;
    print::line(&format!(
        "simulating {} people for {} days",
        config.participants, config.days
    ));
    let counts = Arc::new(Counts::new());
    let began = Instant::now();
    let summary = pulseline_generator::simulate(
        &config,
        &connections,
        Clock::system(),
        Arc::clone(&counts),
        shutdown.clone(),
    )
    .await?;
    let produced_in = began.elapsed();
    let total = summary.total();
    print::line(&format!(
        "produced {} messages with {} readings in {:.1} s",
        total.acknowledged,
        print::thousands(i64::try_from(total.readings)?),
        produced_in.as_secs_f64()
    ));
    let (status, accounted_in, refreshed_in) = wait(&audited, began, total.acknowledged, shutdown).await?;
    Ok(Flowed {
        summary,
        status,
        produced_in,
        accounted_in,
        refreshed_in,
    })
}

/// Waits until every message is accounted for, and then until every dirty day is refreshed.
async fn wait(
    audited: &Connections,
    began: Instant,
    produced: u64,
    shutdown: &Shutdown,
) -> anyhow::Result<(Status, Duration, Duration)> {
    let bar = ProgressBar::new(produced);
    bar.set_style(ProgressStyle::with_template(
        "{elapsed} {bar:30} {percent:>3} %  {msg}",
    )?);
    let mut accounted_in = None;
    let (mut last, mut moved) = (String::new(), Instant::now());
    for tick in 0_u32.. {
        let status = pulseline_auditor::status(audited).await;
        let line = hops(&status);
        if line != last {
            (last, moved) = (line.clone(), Instant::now());
        }
        bar.set_position(produced.saturating_sub(status.unaccounted().unsigned_abs()));
        bar.set_message(line.clone());
        if bar.is_hidden() && tick.is_multiple_of(LINE_EVERY) {
            print::line(&format!("{:>4} s  {line}", began.elapsed().as_secs()));
        }
        let is_complete = status.unreachable.is_empty() && status.unaccounted() == 0;
        if is_complete && accounted_in.is_none() {
            accounted_in = Some(began.elapsed());
        }
        if let (Some(accounted_in), true) = (accounted_in, status.is_quiet()) {
            bar.finish_and_clear();
            return Ok((status, accounted_in, began.elapsed()));
        }
        anyhow::ensure!(
            moved.elapsed() < STUCK,
            "nothing has moved for {} s:\n{status}",
            STUCK.as_secs()
        );
        anyhow::ensure!(
            shutdown.sleep(POLL).await,
            "stopped before everything was through:\n{status}"
        );
    }
    unreachable!("the loop above has no end of its own")
}

fn hops(status: &Status) -> String {
    let sum =
        |value: fn(&pulseline_auditor::Flow) -> i64| print::thousands(status.flows.iter().map(value).sum());
    format!(
        "produced {}  stored {}  loaded {}  duplicate {}  dead {}  unaccounted {}  dirty days {}",
        sum(|flow| flow.produced),
        sum(|flow| flow.stored),
        sum(|flow| flow.loaded),
        sum(|flow| flow.duplicate),
        sum(|flow| flow.dead),
        sum(|flow| flow.unaccounted),
        print::thousands(status.dirty_days)
    )
}
