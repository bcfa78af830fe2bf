//! The floor of raw: readings of earlier days are deleted, and no longer loaded (P12).
//!
//! Each writer of readings [locks](crate::write_guard) the floor for its transaction; raising it waits for them and
//! blocks later ones. So only refreshed readings are deleted, and none arrives afterwards.

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::DayNumber;

const FLOOR: &str = "select floor_date - date '1970-01-01' from ops.floors where layer = 'raw'";
const SEIZE: &str = "lock table ops.floors in access exclusive mode";
const RAISE: &str = "insert into ops.floors as f (layer, floor_date) values ('raw', date '1970-01-01' + $1::int) \
    on conflict (layer) do update set floor_date = excluded.floor_date, raised_at = clock_timestamp() \
    where excluded.floor_date > f.floor_date";

/// The first day that is kept; none while everything is.
///
/// # Errors
/// What the server says.
pub async fn floor(client: &impl GenericClient) -> Result<Option<DayNumber>, SqlError> {
    Ok(client.query_opt(FLOOR, &[]).await?.map(|row| row.get(0)))
}

/// Waits until no writer holds the floor, and locks it for this transaction.
///
/// # Errors
/// What the server says; 55P03 when `lock_timeout` passes first.
pub async fn seize(transaction: &Transaction<'_>) -> Result<(), SqlError> {
    Ok(transaction.batch_execute(SEIZE).await?)
}

/// Raises a locked floor; never lowers it. `to` is the first day of a month.
///
/// # Errors
/// What the server says.
pub async fn raise(transaction: &Transaction<'_>, to: DayNumber) -> Result<(), SqlError> {
    transaction.execute(RAISE, &[&to]).await?;
    Ok(())
}
