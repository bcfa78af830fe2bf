//! Ownership: one loader at a time, by a lease that is a row. Whoever takes over raises the epoch, and every
//! checkpoint moves only under the epoch that claimed it: a loader that was thought dead writes nothing more.

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
/// Application name of the connection that holds it.
const APPLICATION: &str = "pulseline-loader-lease";
/// What is waited for, as it is reported.
const ACQUIRING: &str = "acquiring the loader's lease";
const RENEWING: &str = "renewing the loader's lease";
/// Renewals per lifetime of the lease: two may fail without a loss.
pub(crate) const RENEWALS_PER_TTL: u32 = 3;

/// A lease that was won.
pub(crate) struct Owner {
    timescale: TimescaleConfig,
    client: Client,
    lease: Lease,
    ttl: Duration,
}

impl Owner {
    /// Waits until the lease is ours; none when told to stop before.
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
            // Until the lease is ours there is nothing to drain: a stop ends the wait for an outage as well.
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

    /// Renews the lease until `done`; an error says that it went to another.
    ///
    /// An outage is waited out without giving up: should another loader have taken over meanwhile, its epoch is in
    /// the checkpoints and nothing of ours can be committed.
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
                        tracing::debug!(%error, "who holds up this loader is not known");
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

    /// Gives the lease up, so that a standby need not wait for its end.
    pub(crate) async fn release(self) {
        metrics::record_owner(false);
        if let Err(error) = self.lease.release(&self.client).await {
            tracing::warn!(%error, "the lease was not given up; it ends by itself");
        }
    }
}

async fn connect(timescale: &TimescaleConfig) -> Result<Client, LoaderError> {
    pulseline_sql::open(timescale, APPLICATION)
        .await
        .map_err(LoaderError::sql("connecting for the lease"))
}
