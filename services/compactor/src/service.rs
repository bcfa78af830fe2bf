//! The compactor as a service: one works, others stand by.

use std::time::Instant;

use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::retry::{Class, Classify, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use pulseline_sql::Client;
use pulseline_sql::lease::Lease;
use uuid::Uuid;

use crate::config::CompactorConfig;
use crate::cycle::{CycleReport, cycle};
use crate::error::CompactorError;
use crate::locks::keep;
use crate::metrics;

const LEASE: &str = "compactor";
const APPLICATION: &str = "pulseline-compactor";

/// Compacts until told to stop. Outages are waited out; a second compactor stands by.
///
/// # Errors
/// What cannot be waited out: a wrong setting, a missing migration, an error that nobody knows.
pub async fn run(
    config: CompactorConfig,
    timescale: TimescaleConfig,
    clock: Clock,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), CompactorError> {
    config.validate().map_err(CompactorError::Config)?;
    metrics::describe();
    let owner = Uuid::new_v4();
    while !shutdown.is_stopping() {
        let ended = lead(&config, &timescale, &clock, owner, (&health, &shutdown)).await;
        metrics::record_leader(false);
        match ended {
            Ok(()) => {}
            Err(error @ CompactorError::LeaseLost) => {
                health.set_ready(false);
                tracing::warn!(%error, "superseded: this compactor stands by again");
            }
            Err(error) if error.class() == Class::Transient => {
                health.set_ready(false);
                tracing::warn!(%error, "waiting for an outage to end");
                shutdown.sleep(std::time::Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Works as long as the lease is held and the connection lives.
async fn lead(
    config: &CompactorConfig,
    timescale: &TimescaleConfig,
    clock: &Clock,
    owner: Uuid,
    (health, shutdown): (&Health, &Shutdown),
) -> Result<(), CompactorError> {
    let mut client = connect(timescale).await?;
    let ttl = config.lease_ttl();
    let Some(lease) = stand_by(&client, owner, config, shutdown).await? else {
        return Ok(());
    };
    tracing::info!(epoch = lease.epoch(), "this compactor holds the lease");
    metrics::record_leader(true);
    health.set_ready(true);
    let mut sampled = Instant::now();
    while !shutdown.is_stopping() {
        let began = Instant::now();
        let report = cycle(&mut client, &lease, config, clock).await?;
        keep(&client, &lease).await?;
        let is_due = |interval| !report.more && sampled.elapsed() >= interval;
        if config.sample_interval().is_some_and(is_due) {
            sampled = Instant::now();
            take_sample(&mut client).await?;
            keep(&client, &lease).await?;
        }
        let mut pause = config.pause_after(began.elapsed(), report.more);
        // A long pause is cut so that the lease stays alive.
        while !pause.is_zero() && shutdown.sleep(pause.min(ttl / 3)).await {
            pause = pause.saturating_sub(ttl / 3);
            keep(&client, &lease).await?;
        }
    }
    lease
        .release(&client)
        .await
        .map_err(CompactorError::sql("giving up the lease"))
}

/// Compares a day by chance with its recomputation: what is stored must not rot unseen between two runs of `verify`.
async fn take_sample(client: &mut Client) -> Result<(), CompactorError> {
    let began = Instant::now();
    let (draw, _) = Uuid::new_v4().as_u64_pair();
    if let Some(sample) = pulseline_auditor::sample(client, draw).await? {
        metrics::record_sample(&sample, began.elapsed());
    }
    Ok(())
}

/// Waits for the lease; none when told to stop.
async fn stand_by(
    client: &Client,
    owner: Uuid,
    config: &CompactorConfig,
    shutdown: &Shutdown,
) -> Result<Option<Lease>, CompactorError> {
    let ttl = config.lease_ttl();
    let mut is_told = false;
    loop {
        let won = Lease::acquire(client, LEASE, owner, ttl).await;
        if let Some(lease) = won.map_err(CompactorError::sql("acquiring the lease"))? {
            return Ok(Some(lease));
        }
        if !is_told {
            is_told = true;
            tracing::info!("standing by: another compactor holds the lease");
        }
        if !shutdown.sleep(ttl / 3).await {
            return Ok(None);
        }
    }
}

/// Runs cycles until nothing is left to do now. Waits for the lease like the service.
///
/// # Errors
/// As [`run`].
pub async fn run_once(
    config: &CompactorConfig,
    timescale: &TimescaleConfig,
    clock: &Clock,
    shutdown: &Shutdown,
) -> Result<CycleReport, CompactorError> {
    config.validate().map_err(CompactorError::Config)?;
    let mut client = retry_transient(shutdown, "connecting", || connect(timescale)).await?;
    let Some(lease) = stand_by(&client, Uuid::new_v4(), config, shutdown).await? else {
        return Ok(CycleReport::default());
    };
    let mut total = CycleReport::default();
    loop {
        let report = cycle(&mut client, &lease, config, clock).await?;
        total.days += report.days;
        total.refreshes += report.refreshes;
        total.sleeps += report.sleeps;
        total.packed += report.packed;
        total.deleted += report.deleted;
        total.folded += report.folded;
        total.waiting = report.waiting;
        if !report.more || shutdown.is_stopping() {
            break;
        }
    }
    lease
        .release(&client)
        .await
        .map_err(CompactorError::sql("giving up the lease"))?;
    Ok(total)
}

pub(crate) async fn connect(timescale: &TimescaleConfig) -> Result<Client, CompactorError> {
    pulseline_sql::open(timescale, APPLICATION)
        .await
        .map_err(CompactorError::sql("connecting"))
}
