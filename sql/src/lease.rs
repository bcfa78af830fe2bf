//! Leases: exclusive rights to a task. A lease is a row with an expiry, never a session lock: behind a pooler, or in a
//! session that all clients share, every client would get a session lock.

use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::waits::{Hop, Waits};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::client::{Client, GenericClient};
use crate::connect::connect;
use crate::error::SqlError;

/// Renewals per term: two may fail without losing the lease.
const RENEWALS: u32 = 3;

const ACQUIRE: &str = "insert into ops.leases as l (name, owner, epoch, expires_at) \
    values ($1, $2, 1, clock_timestamp() + $3::double precision * interval '1 second') \
    on conflict (name) do update set owner = excluded.owner, expires_at = excluded.expires_at, \
    epoch = l.epoch + case when l.owner = excluded.owner then 0 else 1 end \
    where l.owner = excluded.owner or l.expires_at < clock_timestamp() returning epoch";
const RENEW: &str = "update ops.leases set expires_at = clock_timestamp() + $4::double precision * interval '1 second' \
    where name = $1 and owner = $2 and epoch = $3";
const RELEASE: &str =
    "update ops.leases set expires_at = '-infinity' where name = $1 and owner = $2 and epoch = $3";

/// A lease that was won.
#[derive(Clone, Debug)]
pub struct Lease {
    name: String,
    owner: Uuid,
    epoch: i64,
    ttl: Duration,
}

impl Lease {
    /// Takes the lease if it is free or expired; none while another owner holds it.
    ///
    /// # Errors
    /// What the server says.
    pub async fn acquire(
        client: &Client,
        name: &str,
        owner: Uuid,
        ttl: Duration,
    ) -> Result<Option<Self>, SqlError> {
        let row = client
            .query_opt(ACQUIRE, &[&name, &owner, &ttl.as_secs_f64()])
            .await?;
        Ok(row.map(|row| Self {
            name: name.to_owned(),
            owner,
            epoch: row.get(0),
            ttl,
        }))
    }

    /// Rises at every change of owner.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Renews it for another term; false when it went to another.
    ///
    /// # Errors
    /// What the server says.
    pub async fn renew(&self, client: &impl GenericClient) -> Result<bool, SqlError> {
        let seconds = self.ttl.as_secs_f64();
        Ok(client
            .execute(RENEW, &[&self.name, &self.owner, &self.epoch, &seconds])
            .await?
            == 1)
    }

    /// Renews it as long as this is polled, on its own connection, because the owner's work may take longer than a term. Ends
    /// when another owner took the lease. An outage is not a loss; it shows in `waits`.
    pub async fn lost(&self, timescale: &TimescaleConfig, application_name: &str, waits: &Waits) {
        let mut kept = None;
        let mut wait = waits.prepare("renewing the lease");
        loop {
            sleep(self.ttl / RENEWALS).await;
            let renewed = async {
                let client = match kept.take() {
                    Some(client) => client,
                    None => connect(timescale, application_name).await?,
                };
                let is_ours = self.renew(&client).await?;
                kept = Some(client);
                Ok::<_, SqlError>(is_ours)
            };
            match timeout(self.ttl, renewed).await {
                Ok(Ok(true)) => wait.over(),
                Ok(Ok(false)) => return,
                Ok(Err(error)) => wait.failed(Hop::Timescale, &error),
                Err(_) => wait.failed(Hop::Timescale, &"TimescaleDB does not answer"),
            }
        }
    }

    /// Releases it, so that a standby need not wait for its expiry.
    ///
    /// # Errors
    /// What the server says.
    pub async fn release(&self, client: &Client) -> Result<(), SqlError> {
        client
            .execute(RELEASE, &[&self.name, &self.owner, &self.epoch])
            .await?;
        Ok(())
    }
}
