//! The start of a rebuild: takes its lease, creates the schemas beside those in use, and fills what must precede any row.

use std::time::{Duration, Instant};

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::lease;
use pulseline_sql::{Client, GenericClient, Schemas, SqlError};
use uuid::Uuid;

use crate::rebuilder::carry;
use crate::rebuilder::connection::{APPLICATION, open};
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::{POLL, Rebuilder};

const LEASE: &str = "rebuild";
/// Long enough for a pause of the server, short enough that another rebuild soon continues a killed one.
const LEASE_TTL: Duration = Duration::from_secs(30);
/// Ids of two warehouses never overlap: a compactor that read ids before the swap deletes no others after it.
const PART_IDS: &str = "select setval(pg_get_serial_sequence('next_ops.dirty_days', 'id'), greatest( \
    (select last_value from next_ops.dirty_days_id_seq), (select last_value from ops.dirty_days_id_seq) + (1::bigint << 40)))";
/// The erased people must be known before the first row.
const CARRY: &str = "insert into next_ops.forgotten (tombstone, erased_at) select tombstone, erased_at from ops.forgotten \
        on conflict do nothing; \
    insert into next_ops.forgotten_days (tombstone, from_day, until_day, erased_at) \
        select tombstone, from_day, until_day, erased_at from ops.forgotten_days on conflict do nothing";

/// The lease of the rebuild, held in the warehouse in use.
pub(crate) struct Lease(lease::Lease);

impl Lease {
    /// Renews it while polled; ends when it is lost. An outage is not a loss.
    pub(crate) async fn lost(&self, timescale: &TimescaleConfig) -> RebuilderError {
        let mut client = None;
        loop {
            tokio::time::sleep(LEASE_TTL / 6).await;
            let renewed = match &client {
                Some(client) => self.0.renew(client).await,
                None => match pulseline_sql::connect(timescale, APPLICATION).await {
                    Ok(opened) => self.0.renew(client.insert(opened)).await,
                    Err(error) => Err(error),
                },
            };
            match renewed {
                Ok(true) => {}
                Ok(false) => return RebuilderError::LeaseLost,
                Err(error) => {
                    tracing::warn!(%error, "the rebuild's lease could not be renewed");
                    client = None;
                }
            }
        }
    }

    /// Releases it, in the warehouse in use: a swap has carried it over.
    pub(crate) async fn release(self, timescale: &TimescaleConfig) {
        if let Ok(client) = pulseline_sql::connect(timescale, APPLICATION).await
            && let Err(error) = self.0.release(&client).await
        {
            tracing::debug!(%error, "the rebuild's lease was not released; it expires by itself");
        }
    }
}

/// Takes the lease, and creates the schemas; true when an earlier call had begun them.
pub(crate) async fn begin(rebuilder: &Rebuilder) -> Result<(Lease, bool), RebuilderError> {
    let client = open(rebuilder).await?;
    if Schemas::old().are_there(&client).await? {
        return Err(RebuilderError::OldIsThere);
    }
    carry::refuse_orphans(&client).await?;
    let lease = begin_alone(rebuilder, &client).await?;
    let was_begun = Schemas::next().are_there(&client).await?;
    pulseline_sql::migrate(&rebuilder.beside().healer.audited.timescale).await?;
    prepare(client).await?;
    Ok((lease, was_begun))
}

/// Takes the lease to build or drop; waits for the lease of a killed rebuild to expire.
pub(crate) async fn begin_alone(rebuilder: &Rebuilder, client: &Client) -> Result<Lease, RebuilderError> {
    let owner = Uuid::new_v4();
    let deadline = Instant::now() + 2 * LEASE_TTL;
    loop {
        if let Some(won) = lease::Lease::acquire(client, LEASE, owner, LEASE_TTL).await? {
            return Ok(Lease(won));
        }
        if Instant::now() >= deadline || !rebuilder.shutdown().sleep(POLL).await {
            return Err(RebuilderError::IsUnderWay);
        }
    }
}

async fn prepare(mut client: Client) -> Result<(), SqlError> {
    let transaction = client.transaction().await?;
    transaction.query_one(PART_IDS, &[]).await?;
    transaction.batch_execute(CARRY).await?;
    carry::offsets(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}
