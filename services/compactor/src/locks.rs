//! What is held, and not for long: the lease, and locks that somebody who loads or reads waits for.

use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Waits;
use pulseline_sql::lease::Lease;
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::error::SqlState;

use crate::error::CompactorError;
use crate::service::APPLICATION;

/// How often it is looked whether another's refresh has ended.
const POLL: Duration = Duration::from_millis(500);
/// A refresh of this warehouse that another connection began: its owner has lost the lease, or its connection, and the server goes on.
const RUNNING: &str = "select exists (select from pg_stat_activity where datname = current_database() \
    and pid <> pg_backend_pid() and state = 'active' and (query like 'call refresh_continuous_aggregate(''stage.%' \
        or query like 'call refresh_continuous_aggregate(''agg.%'))";

/// Works under the lease, which is renewed meanwhile however long a statement takes; gives the work up when the lease is lost.
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

/// Waits until no refresh runs that was begun before this term: up to TimescaleDB 2.26.2 a second one passes over the days that the
/// first works on and says that all is done, whatever becomes of the first.
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
            tracing::info!("waiting for a refresh that was begun before: its days must not be passed over");
        }
        if !shutdown.sleep(POLL).await {
            return Ok(());
        }
    }
}

/// Renews the lease before a statement, or with the last one of a transaction: what it wrote is kept only if the lease is still ours.
pub(crate) async fn keep(client: &impl GenericClient, lease: &Lease) -> Result<(), CompactorError> {
    let renewed = lease.renew(client).await;
    if renewed.map_err(CompactorError::sql("renewing the lease"))? {
        return Ok(());
    }
    Err(CompactorError::LeaseLost)
}

/// From here on no lock is waited for longer than half a second: who waits for a lock makes all others wait behind it.
pub(crate) async fn set_short_lock_timeout(client: &Client) -> Result<(), CompactorError> {
    set(client, "set lock_timeout = '500ms'").await
}

/// From here on locks are waited for as long as the server says.
pub(crate) async fn reset_lock_timeout(client: &Client) -> Result<(), CompactorError> {
    set(client, "reset lock_timeout").await
}

async fn set(client: &Client, statement: &str) -> Result<(), CompactorError> {
    client
        .batch_execute(statement)
        .await
        .map_err(CompactorError::sql("setting how long locks are waited for"))
}

/// Locked by somebody who reads or writes it, or dropped since it was listed: a later cycle finds it again.
pub(crate) fn is_passing(code: Option<&SqlState>) -> bool {
    code.is_some_and(|code| *code == SqlState::LOCK_NOT_AVAILABLE || *code == SqlState::UNDEFINED_TABLE)
}
