//! The lease, and locks that are never waited for long.

use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Waits;
use pulseline_sql::lease::Lease;
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::error::SqlState;

use crate::connection::APPLICATION;
use crate::error::CompactorError;

/// How often the compactor checks whether another refresh has ended.
const POLL: Duration = Duration::from_millis(500);
/// A refresh of this warehouse by another connection: its owner has lost the lease or the connection, and the server continues.
const RUNNING: &str = "select exists (select from pg_stat_activity where datname = current_database() \
    and pid <> pg_backend_pid() and state = 'active' and (query like 'call refresh_continuous_aggregate(''stage.%' \
        or query like 'call refresh_continuous_aggregate(''agg.%'))";

/// First in a transaction that writes rows of people: an erasure waits until they are there, and then deletes them.
pub(crate) const NO_ERASURE: &str = "lock table ops.forgotten in access share mode";

/// Attempts at what another session's lock blocks (55P03) before the cycle gives up.
const LOCKED_ATTEMPTS: u32 = 5;
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

/// Waits before another attempt, if another session's lock is all that was in the way; false after the last one.
pub(crate) async fn may_try_again(code: Option<&SqlState>, attempt: u32, relation: &str) -> bool {
    if attempt >= LOCKED_ATTEMPTS || code != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return false;
    }
    tracing::info!(relation, "another session is refreshing it: trying again");
    tokio::time::sleep(LOCKED_PAUSE * attempt).await;
    true
}

/// Works under the lease, which is renewed meanwhile however long a statement takes; cancels the work when the lease is lost.
pub(crate) async fn hold<T>(
    timescale: &TimescaleConfig,
    lease: &Lease,
    waits: &Waits,
    work: impl Future<Output = Result<T, CompactorError>>,
) -> Result<T, CompactorError> {
    tokio::select! {
        biased;
        done = work => done,
        () = lease.lost(timescale, APPLICATION, waits) => Err(CompactorError::LeaseLost),
    }
}

/// Waits until no refresh runs that began before this term: up to TimescaleDB 2.26.2 a second refresh skips the days that the
/// first one works on and reports success, whatever becomes of the first.
pub(crate) async fn settle(client: &Client, shutdown: &Shutdown) -> Result<(), CompactorError> {
    let mut is_reported = false;
    loop {
        let running = client.query_one(RUNNING, &[]).await;
        let running = running.map_err(CompactorError::sql("looking for refreshes that still run"))?;
        if !running.get::<_, bool>(0) {
            return Ok(());
        }
        if !is_reported {
            is_reported = true;
            tracing::info!("waiting for an earlier refresh: a new one would skip its days");
        }
        if !shutdown.sleep(POLL).await {
            return Ok(());
        }
    }
}

/// Renews the lease before a statement, or as the last one of a transaction, which is kept only if the lease still holds.
pub(crate) async fn keep(client: &impl GenericClient, lease: &Lease) -> Result<(), CompactorError> {
    let renewed = lease.renew(client).await;
    if renewed.map_err(CompactorError::sql("renewing the lease"))? {
        return Ok(());
    }
    Err(CompactorError::LeaseLost)
}

/// Limits lock waits to half a second: a waiting lock request blocks all later ones.
pub(crate) async fn set_short_lock_timeout(client: &Client) -> Result<(), CompactorError> {
    set(client, "set lock_timeout = '500ms'").await
}

/// Restores the server's limit for lock waits.
pub(crate) async fn reset_lock_timeout(client: &Client) -> Result<(), CompactorError> {
    set(client, "reset lock_timeout").await
}

async fn set(client: &Client, statement: &str) -> Result<(), CompactorError> {
    client
        .batch_execute(statement)
        .await
        .map_err(CompactorError::sql("setting the lock timeout"))
}

/// True when the relation is locked by another session, or dropped since it was listed: a later cycle finds it again.
pub(crate) fn is_passing(code: Option<&SqlState>) -> bool {
    code.is_some_and(|code| *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::UNDEFINED_TABLE)
}
