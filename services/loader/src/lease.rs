//! The loader's lease in the warehouse, on a connection of its own.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;
use pulseline_sql::lease::Lease as Row;
use uuid::Uuid;

use crate::error::LoaderError;
use crate::owner::{LEASE, Lease, Leases};
use crate::waits::Blockers;

/// Application name of the lease's connection.
const APPLICATION: &str = "pulseline-loader-lease";

/// The lease's row, as one contender sees it.
pub(crate) struct WarehouseLeases {
    timescale: TimescaleConfig,
    owner: Uuid,
    ttl: Duration,
}

impl WarehouseLeases {
    /// A contender with an id of its own.
    pub(crate) fn new(timescale: &TimescaleConfig, ttl: Duration) -> Self {
        Self {
            timescale: timescale.clone(),
            owner: Uuid::new_v4(),
            ttl,
        }
    }
}

impl Leases for WarehouseLeases {
    fn acquire(&self) -> BoxFuture<'_, Result<Option<Box<dyn Lease>>, LoaderError>> {
        Box::pin(async move {
            let client = connect(&self.timescale).await?;
            let won = Row::acquire(&client, LEASE, self.owner, self.ttl).await;
            let Some(row) = won.map_err(LoaderError::sql("acquiring the lease"))? else {
                return Ok(None);
            };
            let lease: Box<dyn Lease> = Box::new(WarehouseLease {
                timescale: self.timescale.clone(),
                client: Some(client),
                row,
                blockers: Blockers::default(),
            });
            Ok(Some(lease))
        })
    }
}

struct WarehouseLease {
    timescale: TimescaleConfig,
    /// None after an error.
    client: Option<Client>,
    row: Row,
    blockers: Blockers,
}

impl Lease for WarehouseLease {
    fn epoch(&self) -> i64 {
        self.row.epoch()
    }

    fn renew(&mut self) -> BoxFuture<'_, Result<bool, LoaderError>> {
        Box::pin(async move {
            let client = match self.client.take() {
                Some(client) => client,
                None => connect(&self.timescale).await?,
            };
            let renewed = self.row.renew(&client).await;
            let is_ours = renewed.map_err(LoaderError::sql("renewing the lease"))?;
            if is_ours && let Err(error) = self.blockers.check(&client, self.row.epoch()).await {
                tracing::debug!(%error, "the sessions that block this loader are unknown");
            }
            self.client = Some(client);
            Ok(is_ours)
        })
    }

    fn release(&mut self) -> BoxFuture<'_, Result<(), LoaderError>> {
        Box::pin(async move {
            let client = match self.client.take() {
                Some(client) => client,
                None => connect(&self.timescale).await?,
            };
            let released = self.row.release(&client).await;
            released.map_err(LoaderError::sql("releasing the lease"))
        })
    }
}

async fn connect(timescale: &TimescaleConfig) -> Result<Client, LoaderError> {
    pulseline_sql::open(timescale, APPLICATION)
        .await
        .map_err(LoaderError::sql("connecting for the lease"))
}
