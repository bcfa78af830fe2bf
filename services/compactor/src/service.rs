//! The compactor as a service: one works, the others stand by.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::health::{Health, Heart};
use pulseline_runtime::retry::{Class, Classify, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Wait;
use pulseline_sql::Client;
use pulseline_sql::lease::Lease;
use uuid::Uuid;

use crate::config::CompactorConfig;
use crate::connection::connect;
use crate::cycle::cycle;
use crate::error::CompactorError;
use crate::locks::{hold, keep, settle};
use crate::metrics;
use crate::report::CycleReport;
use crate::rhythm::Rhythm;

const LEASE: &str = "compactor";
/// Longest that a cycle may be silent: it refreshes a bounded part of a history, and one statement may take minutes.
const CYCLE_PATIENCE: Duration = Duration::from_secs(1_800);

/// Compacts until told to stop. It waits out outages; a second compactor stands by.
///
/// # Errors
/// Permanent failures: a wrong setting, a missing migration, an unknown error.
pub fn run(
    config: CompactorConfig,
    timescale: TimescaleConfig,
    clock: Clock,
    health: Health,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), CompactorError>> {
    Box::pin(async move {
        config.validate().map_err(CompactorError::Config)?;
        metrics::describe();
        let owner = Uuid::new_v4();
        let mut signals = Signals {
            heart: health.watch("cycle", CYCLE_PATIENCE),
            wait: shutdown.waits().prepare("compacting"),
            health,
            shutdown,
        };
        while !signals.shutdown.is_stopping() {
            let ended = lead(&config, &timescale, &clock, owner, &mut signals).await;
            metrics::record_leader(false);
            signals.heart.beat();
            match ended {
                Ok(()) => continue,
                Err(error @ CompactorError::LeaseLost) => {
                    tracing::warn!(%error, "superseded: this compactor stands by again");
                }
                Err(error) if error.class() == Class::Transient => {
                    signals.health.set_ready(false);
                    signals.wait.failed(error.hop(), &error);
                }
                Err(error) => return Err(error),
            }
            signals.shutdown.sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
}

/// The service's stop signal, and its health.
struct Signals {
    health: Health,
    heart: Heart,
    /// The wait from an outage until the warehouse answers again.
    wait: Wait,
    shutdown: Shutdown,
}

/// Works while the lease is held and the connection lives.
async fn lead(
    config: &CompactorConfig,
    timescale: &TimescaleConfig,
    clock: &Clock,
    owner: Uuid,
    signals: &mut Signals,
) -> Result<(), CompactorError> {
    let mut client = connect(timescale).await?;
    let ttl = config.lease_ttl();
    let waits = || {
        signals.wait.over();
        signals.health.standing_by();
        signals.heart.beat();
    };
    let Some(lease) = stand_by(&client, owner, config, &signals.shutdown, waits).await? else {
        return Ok(());
    };
    let Signals {
        health,
        heart,
        wait,
        shutdown,
    } = signals;
    tracing::info!(epoch = lease.epoch(), "this compactor holds the lease");
    metrics::record_leader(true);
    wait.over();
    health.set_ready(true);
    hold(timescale, &lease, shutdown.waits(), settle(&client, shutdown)).await?;
    let (mut sampled, mut rhythm) = (Instant::now(), Rhythm::new(Instant::now()));
    while !shutdown.is_stopping() {
        heart.beat();
        let began = Instant::now();
        let work = cycle(&mut client, &lease, config, clock, rhythm.is_rested());
        let report = hold(timescale, &lease, shutdown.waits(), work).await?;
        keep(&client, &lease).await?;
        let is_due = |interval| !report.more && sampled.elapsed() >= interval;
        if config.sample_interval().is_some_and(is_due) {
            sampled = Instant::now();
            hold(timescale, &lease, shutdown.waits(), take_sample(&mut client)).await?;
            heart.beat();
            keep(&client, &lease).await?;
        }
        let mut pause = rhythm.pause_after(Instant::now(), began.elapsed(), report.more, config);
        // A long pause is split so that the lease stays valid.
        while !pause.is_zero() && shutdown.sleep(pause.min(ttl / 3)).await {
            pause = pause.saturating_sub(ttl / 3);
            heart.beat();
            keep(&client, &lease).await?;
        }
    }
    lease
        .release(&client)
        .await
        .map_err(CompactorError::sql("giving up the lease"))
}

/// Compares a random day with its recomputation, so that corruption shows between two runs of `verify`.
async fn take_sample(client: &mut Client) -> Result<(), CompactorError> {
    let began = Instant::now();
    let (draw, _) = Uuid::new_v4().as_u64_pair();
    if let Some(sample) = pulseline_auditor::sample(client, draw).await? {
        metrics::record_sample(&sample, began.elapsed());
        pulseline_auditor::mark_stale(client, &sample.stale).await?;
    }
    Ok(())
}

/// Waits for the lease, and reports when another compactor has it; none when told to stop.
async fn stand_by(
    client: &Client,
    owner: Uuid,
    config: &CompactorConfig,
    shutdown: &Shutdown,
    mut waits: impl FnMut(),
) -> Result<Option<Lease>, CompactorError> {
    let ttl = config.lease_ttl();
    let mut is_reported = false;
    loop {
        let won = Lease::acquire(client, LEASE, owner, ttl).await;
        if let Some(lease) = won.map_err(CompactorError::sql("acquiring the lease"))? {
            return Ok(Some(lease));
        }
        waits();
        if !is_reported {
            is_reported = true;
            tracing::info!("standing by: another compactor holds the lease");
        }
        if !shutdown.sleep(ttl / 3).await {
            return Ok(None);
        }
    }
}

/// Runs cycles until no work is left. Waits for the lease like the service, and again when it is lost.
///
/// # Errors
/// As [`run`].
pub fn run_once<'a>(
    config: &'a CompactorConfig,
    timescale: &'a TimescaleConfig,
    clock: &'a Clock,
    shutdown: &'a Shutdown,
) -> BoxFuture<'a, Result<CycleReport, CompactorError>> {
    Box::pin(async move {
        config.validate().map_err(CompactorError::Config)?;
        let (owner, mut total) = (Uuid::new_v4(), CycleReport::default());
        loop {
            let mut client = retry_transient(shutdown, "connecting", || connect(timescale)).await?;
            let Some(lease) = stand_by(&client, owner, config, shutdown, || ()).await? else {
                return Ok(total);
            };
            let work = work_off(&mut client, &lease, (config, clock, shutdown), &mut total);
            match hold(timescale, &lease, shutdown.waits(), work).await {
                Err(error @ CompactorError::LeaseLost) => tracing::warn!(%error, "standing by again"),
                done => {
                    done?;
                    let released = lease.release(&client).await;
                    released.map_err(CompactorError::sql("giving up the lease"))?;
                    return Ok(total);
                }
            }
        }
    })
}

/// Runs cycles until no work is left; adds up their results.
async fn work_off(
    client: &mut Client,
    lease: &Lease,
    (config, clock, shutdown): (&CompactorConfig, &Clock, &Shutdown),
    total: &mut CycleReport,
) -> Result<(), CompactorError> {
    settle(client, shutdown).await?;
    while !shutdown.is_stopping() {
        let report = cycle(client, lease, config, clock, true).await?;
        total.days += report.days;
        total.refreshes += report.refreshes;
        total.patched += report.patched;
        total.sleeps += report.sleeps;
        total.user_days += report.user_days;
        total.settled += report.settled;
        total.packed += report.packed;
        total.deleted += report.deleted;
        total.folded += report.folded;
        total.waiting = report.waiting;
        if !report.more {
            break;
        }
    }
    Ok(())
}
