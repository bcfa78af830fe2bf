//! Ownership: one loader at a time, by a lease that is a row. Each new owner raises the epoch, and every
//! checkpoint moves only under the epoch that claimed it: a loader that was presumed dead writes nothing more.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::health::{Health, STALLED_AFTER};
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Hop;
use tokio_util::sync::CancellationToken;

use crate::error::LoaderError;
use crate::metrics;
use crate::waits::report_wait;

/// Name of the lease.
pub(crate) const LEASE: &str = "loader";
/// The names of waits in reports.
const ACQUIRING: &str = "acquiring the loader's lease";
const RENEWING: &str = "renewing the loader's lease";
/// Renewals per term of the lease: two may fail without losing it.
pub(crate) const RENEWALS_PER_TTL: u32 = 3;

/// Where the lease is acquired: with [`Lease`] the seam between ownership and the warehouse.
pub(crate) trait Leases: Send + Sync {
    /// Takes the lease if it is free or expired; none while another loader holds it.
    fn acquire(&self) -> BoxFuture<'_, Result<Option<Box<dyn Lease>>, LoaderError>>;
}

/// A lease that was won.
pub(crate) trait Lease: Send + Sync {
    /// Rises at every change of owner.
    fn epoch(&self) -> i64;

    /// Renews it for another term, over a new connection after an error; false when it went to another loader.
    fn renew(&mut self) -> BoxFuture<'_, Result<bool, LoaderError>>;

    /// Releases it.
    fn release(&mut self) -> BoxFuture<'_, Result<(), LoaderError>>;
}

/// The loader that holds the lease.
pub(crate) struct Owner {
    lease: Box<dyn Lease>,
    ttl: Duration,
}

impl Owner {
    /// Waits until this loader gets the lease; none when told to stop before.
    pub(crate) async fn acquire(
        leases: &dyn Leases,
        ttl: Duration,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<Self>, LoaderError> {
        let heart = health.watch("lease", STALLED_AFTER);
        let mut is_standing_by = false;
        while !shutdown.is_stopping() {
            heart.beat();
            let attempt = || async {
                let mut wait = shutdown.waits().prepare(ACQUIRING);
                report_wait(&mut wait, leases.acquire()).await
            };
            // Without the lease there is nothing to drain: a stop also ends the wait for an outage.
            let won = tokio::select! {
                biased;
                () = shutdown.stopping() => return Ok(None),
                won = retry_transient(shutdown, ACQUIRING, attempt) => won,
            };
            match won {
                Ok(Some(lease)) => {
                    tracing::info!(epoch = lease.epoch(), "this loader holds the lease");
                    metrics::record_owner(true);
                    return Ok(Some(Self { lease, ttl }));
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
        loop {
            tokio::select! {
                biased;
                () = done.cancelled() => return (self, Ok(())),
                () = tokio::time::sleep(pause) => {}
            }
            match report_wait(&mut wait, self.lease.renew()).await {
                Ok(true) => wait.over(),
                Ok(false) => {
                    let lost = LoaderError::LeaseLost {
                        name: LEASE,
                        epoch: self.epoch(),
                    };
                    metrics::record_owner(false);
                    return (self, Err(lost));
                }
                Err(error) => wait.failed(Hop::Timescale, &error),
            }
        }
    }

    /// Releases the lease, so that a standby need not wait for its end.
    pub(crate) async fn release(mut self) {
        metrics::record_owner(false);
        if let Err(error) = self.lease.release().await {
            tracing::warn!(%error, "the lease was not released; it expires by itself");
        }
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
