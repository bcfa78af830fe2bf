//! Simulates a cohort at full speed, and waits until every message is processed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pulseline_auditor::{AuditorConnections, Status};
use pulseline_generator::{Counts, GeneratorError, SimulateConfig, Summary};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use tokio::task::JoinHandle;

use crate::args::DemoArgs;
use crate::print;
use crate::settings::Settings;

const POLL: Duration = Duration::from_secs(1);
/// Without a terminal, one line every few polls.
const LINE_EVERY: u32 = 5;
/// The demo fails after this long without progress instead of waiting forever.
const STUCK: Duration = Duration::from_secs(120);
/// High enough for a few broken uploads in a small cohort.
const BROKEN: f64 = 0.002;

/// The processed messages, and how long each part took.
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
    let connections = pulseline_generator::GeneratorConnections {
        kafka: settings.kafka.clone(),
        registry: settings.registry.clone(),
    };
    let audited = settings.audited()?;
    print::line(&format!(
        "simulating {} people for {} days",
        config.participants, config.days
    ));
    let began = Instant::now();
    let stop = shutdown.clone();
    let simulating = tokio::spawn(async move {
        let counts = Arc::new(Counts::new());
        pulseline_generator::simulate(&config, &connections, Clock::system(), counts, stop).await
    });
    Watch::new(audited, began, simulating)?
        .until_quiet(shutdown)
        .await
}

/// Polls every hop while messages flow.
struct Watch {
    audited: AuditorConnections,
    began: Instant,
    simulating: JoinHandle<Result<Summary, GeneratorError>>,
    bar: ProgressBar,
    produced: Option<(Summary, Duration)>,
    accounted_in: Option<Duration>,
    last: String,
    moved: Instant,
}

impl Watch {
    fn new(
        audited: AuditorConnections,
        began: Instant,
        simulating: JoinHandle<Result<Summary, GeneratorError>>,
    ) -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("{elapsed} {bar:30} {percent:>3} %  {msg}")?;
        Ok(Self {
            audited,
            began,
            simulating,
            bar: ProgressBar::new(0).with_style(style),
            produced: None,
            accounted_in: None,
            last: String::new(),
            moved: began,
        })
    }

    /// Waits until every message is accounted for and every dirty day is refreshed.
    async fn until_quiet(mut self, shutdown: &Shutdown) -> anyhow::Result<Flowed> {
        for tick in 0_u32.. {
            self.note_produced().await?;
            let status = pulseline_auditor::status(&self.audited).await;
            self.show(&status, tick);
            if let Some((summary, produced_in)) = &self.produced {
                let is_complete = status.unreachable.is_empty()
                    && status.unaccounted() == 0
                    && status.produced().unsigned_abs() == summary.total().acknowledged;
                if is_complete {
                    self.accounted_in.get_or_insert(self.began.elapsed());
                }
                if let (Some(accounted_in), true) = (self.accounted_in, is_complete && status.is_quiet()) {
                    self.bar.finish_and_clear();
                    return Ok(Flowed {
                        summary: summary.clone(),
                        status,
                        produced_in: *produced_in,
                        accounted_in,
                        refreshed_in: self.began.elapsed(),
                    });
                }
            }
            let stuck = STUCK.as_secs();
            anyhow::ensure!(
                self.moved.elapsed() < STUCK,
                "no progress for {stuck} s:\n{status}"
            );
            anyhow::ensure!(
                shutdown.sleep(POLL).await,
                "stopped before all messages were processed:\n{status}"
            );
        }
        unreachable!("the loop above has no end of its own")
    }

    async fn note_produced(&mut self) -> anyhow::Result<()> {
        if self.produced.is_some() || !self.simulating.is_finished() {
            return Ok(());
        }
        let summary = (&mut self.simulating).await??;
        let (total, took) = (summary.total(), self.began.elapsed());
        self.bar.suspend(|| {
            print::line(&format!(
                "produced {} messages with {} readings in {:.1} s",
                total.acknowledged,
                print::thousands(i64::try_from(total.readings).unwrap_or(i64::MAX)),
                took.as_secs_f64()
            ));
        });
        self.produced = Some((summary, took));
        Ok(())
    }

    fn show(&mut self, status: &Status, tick: u32) {
        let line = hops(status);
        if line != self.last {
            (self.last, self.moved) = (line.clone(), Instant::now());
        }
        self.bar.set_length(status.produced().unsigned_abs());
        self.bar
            .set_position((status.produced() - status.unaccounted()).unsigned_abs());
        if self.bar.is_hidden() && tick.is_multiple_of(LINE_EVERY) {
            print::line(&format!("{:>4} s  {line}", self.began.elapsed().as_secs()));
        }
        self.bar.set_message(line);
    }
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
