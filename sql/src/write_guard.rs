//! Guards what must not change while rows are written: the floor of raw, and the list of erased people.
//!
//! Each writer of rows locks both for its transaction, and writes nothing when they changed after its rows were prepared.
//! A change of either waits for the writers and blocks later ones: so no row arrives after a deletion.

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::DayNumber;

/// A reader's lock, taken before the statement that reads: the state cannot change until the transaction ends. The lock on
/// the erased people covers the erased days too, which are added under it.
const HOLD: &str = "lock table ops.floors, ops.forgotten in access share mode";
const READ: &str = "select (select floor_date - date '1970-01-01' from ops.floors where layer = 'raw'), \
    (select coalesce(max(revision), 0) from ops.forgotten) + (select coalesce(max(revision), 0) from ops.forgotten_days)";

/// The state of the warehouse that rows were prepared for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteGuard {
    /// The first day whose readings are kept; none while everything is.
    pub retention_floor: Option<DayNumber>,
    /// Revision of the list of erased people; 0 while it is empty.
    pub erasure_revision: i64,
}

/// Reads both, and locks them until the transaction ends.
///
/// # Errors
/// What the server says.
pub async fn hold(transaction: &Transaction<'_>) -> Result<WriteGuard, SqlError> {
    // Sent together: the second statement begins once the first has its lock.
    let (lock, read) = (transaction.batch_execute(HOLD), transaction.query_one(READ, &[]));
    let ((), row) = tokio::try_join!(biased; lock, read)?;
    Ok(WriteGuard {
        retention_floor: row.get(0),
        erasure_revision: row.get(1),
    })
}
