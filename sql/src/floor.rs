//! The floor of raw: readings of days before it are deleted, and none of them is loaded any more (P12).
//!
//! Whoever writes readings [holds](crate::write_guard) the floor for its transaction; whoever raises it waits for them and holds up the next. So
//! what is deleted was refreshed, and nothing comes in behind it.

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

/// Waits until nobody holds the floor, and keeps it to this transaction.
///
/// # Errors
/// What the server says; 55P03 when `lock_timeout` passes first.
pub async fn seize(transaction: &Transaction<'_>) -> Result<(), SqlError> {
    Ok(transaction.batch_execute(SEIZE).await?)
}

/// Raises a floor that was seized; never lowers it. `to` is the first day of a month.
///
/// # Errors
/// What the server says.
pub async fn raise(transaction: &Transaction<'_>, to: DayNumber) -> Result<(), SqlError> {
    transaction.execute(RAISE, &[&to]).await?;
    Ok(())
}
