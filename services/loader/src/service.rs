//! Wires the loader together: the lease, and the loading under it.

use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{self, Database};
use pulseline_runtime::config::{MongoConfig, TimescaleConfig};
use pulseline_runtime::health::Health;
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::config::LoaderConfig;
use crate::context::Context;
use crate::error::LoaderError;
use crate::lease::WarehouseLeases;
use crate::metrics;
use crate::owner::{Owner, RENEWALS_PER_TTL};
use crate::session;
use crate::write::Expected;

/// The servers that the loader uses.
#[derive(Clone, Debug)]
pub struct LoaderConnections {
    /// The source of documents.
    pub mongo: MongoConfig,
    /// The target of rows.
    pub timescale: TimescaleConfig,
}

/// Loads until told to stop. It waits out outages. A second loader stands by until the first one's lease ends; a loader
/// that lost its lease does the same.
///
/// # Errors
/// Permanent failures: a wrong setting, a position that the server no longer knows, an unknown error. The next
/// start loads what was not committed.
pub fn run(
    config: LoaderConfig,
    connections: LoaderConnections,
    health: Health,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), LoaderError>> {
    Box::pin(async move {
        config.validate().map_err(LoaderError::Config)?;
        metrics::describe();
        let Some(database) = opened(&connections.mongo, &shutdown).await? else {
            return Ok(());
        };
        let standing = Standing {
            config,
            timescale: connections.timescale,
            database,
            health,
            shutdown,
        };
        let ended = standing.lead().await;
        standing.health.set_ready(false);
        standing.database.close().await;
        ended
    })
}

/// A loader that works while it holds the lease, and stands by otherwise.
struct Standing {
    config: LoaderConfig,
    timescale: TimescaleConfig,
    database: Database,
    health: Health,
    shutdown: Shutdown,
}

impl Standing {
    async fn lead(&self) -> Result<(), LoaderError> {
        let ttl = self.config.lease_ttl();
        loop {
            let leases = WarehouseLeases::new(&self.timescale, ttl);
            let Some(owner) = Owner::acquire(&leases, ttl, &self.health, &self.shutdown).await? else {
                return Ok(());
            };
            match self.load(owner).await {
                Err(error) if error.is_superseded() => {
                    tracing::warn!(%error, "superseded: this loader stands by again");
                    self.health.set_ready(false);
                    self.shutdown.sleep(ttl / RENEWALS_PER_TTL).await;
                }
                ended => return ended,
            }
        }
    }

    /// Loads while this loader holds the lease.
    async fn load(&self, owner: Owner) -> Result<(), LoaderError> {
        self.health.set_ready(false);
        // Both a stop from outside and the loss of the lease stop the loading.
        let inner = self.shutdown.child();
        let forwarder = tokio::spawn(forward(self.shutdown.clone(), inner.clone()));
        let context = Context {
            config: self.config.clone(),
            timescale: self.timescale.clone(),
            database: self.database.clone(),
            epoch: owner.epoch(),
            expected: Expected::default(),
            health: self.health.clone(),
            shutdown: inner.clone(),
        };
        let loading = tokio::spawn(async move { session::load(&context).await });
        let released = CancellationToken::new();
        let keeper = tokio::spawn(owner.keep(released.clone(), self.shutdown.clone()));
        let ended = supervise(loading, keeper, &released, &inner).await;
        forwarder.abort();
        ended
    }
}

/// Waits until loading ends, or the lease is lost: without it nothing can be committed, so nothing is drained.
async fn supervise(
    mut loading: JoinHandle<Result<(), LoaderError>>,
    mut keeper: JoinHandle<(Owner, Result<(), LoaderError>)>,
    released: &CancellationToken,
    shutdown: &Shutdown,
) -> Result<(), LoaderError> {
    let loaded = tokio::select! {
        biased;
        kept = &mut keeper => {
            shutdown.abandon();
            let loaded = loading.await.unwrap_or_else(|error| Err(died(&error)));
            return match (kept, loaded) {
                // An error that the lost lease caused is not a reason of its own.
                (Ok((_, lost)), Ok(()) | Err(LoaderError::Abandoned)) => lost,
                (Err(error), Ok(()) | Err(LoaderError::Abandoned)) => Err(died(&error)),
                (_, failed) => failed,
            };
        }
        loaded = &mut loading => loaded.unwrap_or_else(|error| Err(died(&error))),
    };
    released.cancel();
    if let Ok((owner, _)) = keeper.await
        && !shutdown.is_abandoned()
    {
        owner.release().await;
    }
    loaded
}

async fn forward(outer: Shutdown, inner: Shutdown) {
    outer.stopping().await;
    inner.stop();
    outer.abandoned().await;
    inner.abandon();
}

fn died(error: &JoinError) -> LoaderError {
    LoaderError::Task(error.to_string())
}

/// Opens MongoDB once its servers' names resolve; none when a stop was requested meanwhile.
async fn opened(config: &MongoConfig, shutdown: &Shutdown) -> Result<Option<Database>, LoaderError> {
    let opening = retry_transient(shutdown, "looking up MongoDB", || open_database(config));
    tokio::select! {
        biased;
        () = shutdown.stopping() => Ok(None),
        opened = opening => match opened {
            Ok(database) => Ok(Some(database)),
            Err(RetryError::Failed(error)) => Err(error),
            Err(RetryError::Abandoned) => Ok(None),
        },
    }
}

pub(crate) async fn open_database(config: &MongoConfig) -> Result<Database, LoaderError> {
    Ok(mongo::open(config, "pulseline-loader").await?)
}

#[cfg(test)]
mod tests;
