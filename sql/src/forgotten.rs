//! The warehouse's list of erased people: hashes, whose key is in MongoDB (P13).

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;

const HASHES: &str = "select tombstone from ops.forgotten";
/// Waits for writers of rows: what they wrote can be deleted, and later writers see the list.
const SEIZE: &str = "lock table ops.forgotten in access exclusive mode";
const ADD: &str = "insert into ops.forgotten (tombstone) select unnest($1::bytea[]) on conflict do nothing";

/// All hashes.
///
/// # Errors
/// What the server says.
pub async fn hashes(client: &impl GenericClient) -> Result<Vec<Vec<u8>>, SqlError> {
    let rows = client.query(HASHES, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Adds hashes, once no writer is active; later writers see them.
///
/// # Errors
/// What the server says.
pub async fn add(transaction: &Transaction<'_>, hashes: &[Vec<u8>]) -> Result<(), SqlError> {
    transaction.batch_execute(SEIZE).await?;
    transaction.execute(ADD, &[&hashes]).await?;
    Ok(())
}
