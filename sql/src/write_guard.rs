//! What must not change while rows are written: the floor of raw, and who was erased.
//!
//! Whoever writes rows holds both for its transaction, and writes nothing when they are not what its rows were prepared for.
//! Whoever changes one of them waits for the writers, and holds up the next: so no row comes in behind a deletion.

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::DayNumber;

/// A reader's lock, before the statement that reads: what it reads then cannot change until its transaction ends.
const HOLD: &str = "lock table ops.floors, ops.forgotten in access share mode";
const READ: &str = "select (select floor_date - date '1970-01-01' from ops.floors where layer = 'raw'), \
    (select coalesce(max(revision), 0) from ops.forgotten)";

/// The state of the warehouse that rows were prepared for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteGuard {
    /// The first day whose readings are kept; none while everything is.
    pub retention_floor: Option<DayNumber>,
    /// Revision of the list of who was erased; 0 while nobody was.
    pub erasure_revision: i64,
}

/// Both, which stay as they are until the transaction ends.
///
/// # Errors
/// What the server says.
pub async fn hold(transaction: &Transaction<'_>) -> Result<WriteGuard, SqlError> {
    // Sent in one go: the second statement begins when the first has its lock.
    let (lock, read) = (transaction.batch_execute(HOLD), transaction.query_one(READ, &[]));
    let ((), row) = tokio::try_join!(biased; lock, read)?;
    Ok(WriteGuard {
        retention_floor: row.get(0),
        erasure_revision: row.get(1),
    })
}
