//! What is held, and not for long: the lease, and locks that somebody who loads or reads waits for.

use pulseline_sql::lease::Lease;
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::error::SqlState;

use crate::error::CompactorError;

/// Renews the lease before a statement: a cycle may take longer than the lease lasts.
pub(crate) async fn keep(client: &impl GenericClient, lease: &Lease) -> Result<(), CompactorError> {
    let renewed = lease.renew(client).await;
    if renewed.map_err(CompactorError::sql("renewing the lease"))? {
        return Ok(());
    }
    Err(CompactorError::LeaseLost)
}

/// From here on no lock is waited for longer than half a second: who waits for a lock makes all others wait behind it.
pub(crate) async fn be_impatient(client: &Client) -> Result<(), CompactorError> {
    set(client, "set lock_timeout = '500ms'").await
}

/// From here on locks are waited for as long as the server says.
pub(crate) async fn be_patient(client: &Client) -> Result<(), CompactorError> {
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
