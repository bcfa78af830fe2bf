//! Retention of MongoDB's documents: the day before which they may be gone, and the offsets of those that are (P12).
//!
//! Both change under a lock that a rebuild takes when it copies them. So each change lies before the copy, or finds the
//! rebuild and is refused.

use std::ops::Range;

use crate::client::{GenericClient, Transaction};
use crate::error::SqlError;
use crate::periods::DayNumber;
use crate::schemas::Schemas;

const FLOOR: &str = "select floor_date - date '1970-01-01' from ops.documents_floor";
/// As an insert takes it, but before the question whether a rebuild is under way.
const HOLD: &str = "lock table ops.removed_offsets in row exclusive mode";
const RAISE: &str = "insert into ops.documents_floor as f (floor_date) values (date '1970-01-01' + $1::int) \
    on conflict (is_single) do update set floor_date = excluded.floor_date, raised_at = clock_timestamp() \
    where excluded.floor_date > f.floor_date";
const MARK: &str = "insert into ops.removed_offsets as r (topic, generation, partition, offsets) \
    select topic, generation, partition, range_agg(int8range(first, after)) \
    from unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[]) as m(topic, generation, partition, first, after) \
    group by topic, generation, partition \
    on conflict (topic, generation, partition) do update set offsets = r.offsets + excluded.offsets";

/// Offsets of a document or a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentOffsets {
    /// Topic.
    pub topic: String,
    /// Incarnation of the topic.
    pub incarnation: i32,
    /// Partition.
    pub partition: i32,
    /// The offsets.
    pub offsets: Range<i64>,
}

/// The first day whose documents are all kept; none while every document is.
///
/// # Errors
/// What the server says.
pub async fn floor(client: &impl GenericClient) -> Result<Option<DayNumber>, SqlError> {
    Ok(client.query_opt(FLOOR, &[]).await?.map(|row| row.get(0)))
}

/// Keeps a rebuild from beginning until the transaction ends; false while one is under way.
///
/// # Errors
/// What the server says.
pub async fn hold(transaction: &Transaction<'_>) -> Result<bool, SqlError> {
    transaction.batch_execute(HOLD).await?;
    Ok(!Schemas::next().are_there(transaction).await?)
}

/// Raises the floor in a transaction that [holds](hold) it; never lowers it.
///
/// # Errors
/// What the server says.
pub async fn raise(transaction: &Transaction<'_>, to: DayNumber) -> Result<(), SqlError> {
    transaction.execute(RAISE, &[&to]).await?;
    Ok(())
}

/// Marks offsets as removed, in a transaction that [holds](hold) them. A mark of a document that is still there does no harm.
///
/// # Errors
/// What the server says.
pub async fn mark(transaction: &Transaction<'_>, removed: &[&DocumentOffsets]) -> Result<(), SqlError> {
    let topics: Vec<&str> = removed.iter().map(|of| of.topic.as_str()).collect();
    let incarnations: Vec<i32> = removed.iter().map(|of| of.incarnation).collect();
    let partitions: Vec<i32> = removed.iter().map(|of| of.partition).collect();
    let first: Vec<i64> = removed.iter().map(|of| of.offsets.start).collect();
    let after: Vec<i64> = removed.iter().map(|of| of.offsets.end).collect();
    transaction
        .execute(MARK, &[&topics, &incarnations, &partitions, &first, &after])
        .await?;
    Ok(())
}
