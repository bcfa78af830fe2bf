//! Who was erased, as the warehouse knows it: hashes, whose key is elsewhere (P13).

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;

const HASHES: &str = "select tombstone from ops.forgotten";
/// Waits for whoever writes rows: what they wrote is there to be deleted, what they write next knows of the erased.
const SEIZE: &str = "lock table ops.forgotten in access exclusive mode";
const ADD: &str = "insert into ops.forgotten (tombstone) select unnest($1::bytea[]) on conflict do nothing";

/// The hashes of everybody.
///
/// # Errors
/// What the server says.
pub async fn hashes(client: &impl GenericClient) -> Result<Vec<Vec<u8>>, SqlError> {
    let rows = client.query(HASHES, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Adds hashes, once nobody writes rows; who writes after the transaction's end sees them.
///
/// # Errors
/// What the server says.
pub async fn add(transaction: &Transaction<'_>, hashes: &[Vec<u8>]) -> Result<(), SqlError> {
    transaction.batch_execute(SEIZE).await?;
    transaction.execute(ADD, &[&hashes]).await?;
    Ok(())
}
