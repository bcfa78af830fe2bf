//! Ownership: one loader at a time, by a lease that is a row. Each new owner raises the epoch, and every
//! checkpoint moves only under the epoch that claimed it: a loader that was presumed dead writes nothing more.

use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::health::{Health, STALLED_AFTER};
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Hop;
use pulseline_sql::Client;
use pulseline_sql::lease::Lease;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::LoaderError;
use crate::metrics;
use crate::waits::{Blockers, report_wait};

/// Name of the lease.
const LEASE: &str = "loader";
/// Application name of the lease's connection.
const APPLICATION: &str = "pulseline-loader-lease";
/// The names of waits in reports.
const ACQUIRING: &str = "acquiring the loader's lease";
const RENEWING: &str = "renewing the loader's lease";
/// Renewals per term of the lease: two may fail without losing it.
pub(crate) const RENEWALS_PER_TTL: u32 = 3;

/// A lease that was won.
pub(crate) struct Owner {
    timescale: TimescaleConfig,
    client: Client,
    lease: Lease,
    ttl: Duration,
}

impl Owner {
    /// Waits until this loader gets the lease; none when told to stop before.
    pub(crate) async fn acquire(
        timescale: &TimescaleConfig,
        ttl: Duration,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, LoaderError> {
        let owner = Uuid::new_v4();
        let heart = health.watch("lease", STALLED_AFTER);
        let mut is_standing_by = false;
        while !shutdown.is_stopping() {
            heart.beat();
            let attempt = || async {
                let mut wait = shutdown.waits().prepare(ACQUIRING);
                report_wait(&mut wait, Self::attempt(timescale, owner, ttl)).await
            };
            // Without the lease there is nothing to drain: a stop also ends the wait for an outage.
            let won = tokio::select! {
                biased;
                () = shutdown.stopping() => return Ok(None),
                won = retry_transient(shutdown, ACQUIRING, attempt) => won,
            };
            match won {
                Ok(Some(owner)) => {
                    tracing::info!(epoch = owner.epoch(), "this loader holds the lease");
                    metrics::record_owner(true);
                    return Ok(Some(owner));
                }
                Ok(None) if !is_standing_by => {
                    is_standing_by = true;
                    health.standing_by();
                    tracing::info!("standing by: another loader holds the lease");
                }
                Ok(None) => {}
                Err(RetryError::Failed(error)) => return Err(error),
                Err(RetryError::Abandoned) => return Ok(None),
            }
            shutdown.sleep(ttl / RENEWALS_PER_TTL).await;
        }
        Ok(None)
    }

    async fn attempt(
        timescale: &TimescaleConfig,
        owner: Uuid,
        ttl: Duration,
    ) -> Result<Option<Self>, LoaderError> {
        let client = connect(timescale).await?;
        let won = Lease::acquire(&client, LEASE, owner, ttl).await;
        let won = won.map_err(LoaderError::sql("acquiring the lease"))?;
        Ok(won.map(|lease| Self {
            timescale: timescale.clone(),
            client,
            lease,
            ttl,
        }))
    }

    /// The epoch under which this loader writes.
    pub(crate) fn epoch(&self) -> i64 {
        self.lease.epoch()
    }

    /// Renews the lease until `done`; an error means that another loader took it.
    ///
    /// It waits out outages without giving up: if another loader takes over meanwhile, its epoch is in
    /// the checkpoints, and this loader can commit nothing.
    pub(crate) async fn keep(
        mut self,
        done: CancellationToken,
        shutdown: Shutdown,
    ) -> (Self, Result<(), LoaderError>) {
        let pause = self.ttl / RENEWALS_PER_TTL;
        let mut wait = shutdown.waits().prepare(RENEWING);
        let mut blockers = Blockers::default();
        loop {
            tokio::select! {
                biased;
                () = done.cancelled() => return (self, Ok(())),
                () = tokio::time::sleep(pause) => {}
            }
            match report_wait(&mut wait, self.lease.renew(&self.client)).await {
                Ok(true) => {
                    wait.over();
                    if let Err(error) = blockers.check(&self.client, self.epoch()).await {
                        tracing::debug!(%error, "the sessions that block this loader are unknown");
                    }
                }
                Ok(false) => {
                    let lost = LoaderError::LeaseLost {
                        name: LEASE,
                        epoch: self.epoch(),
                    };
                    metrics::record_owner(false);
                    return (self, Err(lost));
                }
                Err(error) => {
                    wait.failed(Hop::Timescale, &error);
                    match report_wait(&mut wait, connect(&self.timescale)).await {
                        Ok(client) => self.client = client,
                        Err(error) => wait.failed(Hop::Timescale, &error),
                    }
                }
            }
        }
    }

    /// Releases the lease, so that a standby need not wait for its end.
    pub(crate) async fn release(self) {
        metrics::record_owner(false);
        if let Err(error) = self.lease.release(&self.client).await {
            tracing::warn!(%error, "the lease was not released; it expires by itself");
        }
    }
}

async fn connect(timescale: &TimescaleConfig) -> Result<Client, LoaderError> {
    pulseline_sql::open(timescale, APPLICATION)
        .await
        .map_err(LoaderError::sql("connecting for the lease"))
}
