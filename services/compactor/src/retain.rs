//! Deletes readings that are too old, if configured (P12): it first raises the floor, then drops chunks below it. Aggregates
//! of deleted readings stay.

use std::ops::Range;
use std::time::Instant;

use pulseline_schemas::Stream;
use pulseline_sql::SqlError;
use pulseline_sql::floor::{floor, raise, seize};
use pulseline_sql::lease::Lease;
use pulseline_sql::periods::{DayNumber, Level, date_of, sleep_window};
use pulseline_sql::{Client, GenericClient};

use crate::config::CompactorConfig;
use crate::error::CompactorError;
use crate::locks::{is_passing, keep, reset_lock_timeout, set_short_lock_timeout};
use crate::ops_tables::{self, NewEntry};

const DAY_MS: i64 = 86_400_000;
/// Changes to refresh before the readings they need may be deleted; sleeps need the readings of adjacent days.
const PENDING: &str = "select count(*) from ( \
        select from ops.dirty_days where stream = any($3) \
            and local_date < date '1970-01-01' + $2::int \
        union all select from ops.waiting_days where local_date < date '1970-01-01' + $1::int) p";
/// Oldest first: each call then drops only the chunk that it names.
const BELOW: &str = "select stream, starts_on - date '1970-01-01', ends_on - date '1970-01-01' from ops.chunks \
    where ends_on <= date '1970-01-01' + $1::int order by ends_on, stream limit $2";

const SEARCHING: &str = "looking for readings that are too old";
const RAISING: &str = "raising the floor";
const DELETING: &str = "deleting readings";

/// A chunk below the floor.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) stream: String,
    pub(crate) days: Range<DayNumber>,
}

/// What there is to delete now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overdue {
    /// The floor to raise to first.
    pub(crate) raise_to: Option<DayNumber>,
    /// Chunks below the floor, oldest first, at most as many as a cycle deletes.
    pub(crate) chunks: Vec<Old>,
}

/// The first day to keep, always the first of a month so that months stay complete; none when everything
/// is kept.
fn target(retain_days: i32, now_utc_millis: i64) -> Option<DayNumber> {
    let today = DayNumber::try_from(now_utc_millis.div_euclid(DAY_MS)).ok()?;
    (retain_days > 0).then(|| Level::Month.period(today - retain_days).start)
}

/// Finds readings that are too old; changes nothing.
pub(crate) async fn overdue(
    client: &Client,
    config: &CompactorConfig,
    now_utc_millis: i64,
) -> Result<Overdue, CompactorError> {
    let Some(target) = target(config.retain_days, now_utc_millis) else {
        return Ok(Overdue::default());
    };
    let raised = floor(client).await.map_err(CompactorError::sql(SEARCHING))?;
    let rows = client
        .query(BELOW, &[&target, &config.retain_chunks])
        .await
        .map_err(CompactorError::sql(SEARCHING))?;
    let chunks = rows.iter().map(|row| Old {
        stream: row.get(0),
        days: row.get(1)..row.get(2),
    });
    Ok(Overdue {
        raise_to: raised.is_none_or(|raised| raised < target).then_some(target),
        chunks: chunks.collect(),
    })
}

/// Deletes readings that are too old; returns the number of chunks.
pub(crate) async fn retain(
    client: &mut Client,
    lease: &Lease,
    config: &CompactorConfig,
    now_utc_millis: i64,
) -> Result<usize, CompactorError> {
    let overdue = overdue(client, config, now_utc_millis).await?;
    if overdue.raise_to.is_none() && overdue.chunks.is_empty() {
        return Ok(0);
    }
    keep(client, lease).await?;
    set_short_lock_timeout(client).await?;
    let may_delete = match overdue.raise_to {
        Some(to) => raise_floor(client, to).await?,
        None => true,
    };
    let mut deleted = 0;
    for old in overdue.chunks.iter().filter(|_| may_delete) {
        keep(client, lease).await?;
        deleted += usize::from(delete(client, old).await?);
    }
    reset_lock_timeout(client).await?;
    Ok(deleted)
}

/// Raises the floor once nothing below it waits for a refresh: later writers see it. False means not now.
async fn raise_floor(client: &mut Client, to: DayNumber) -> Result<bool, CompactorError> {
    let transaction = client.transaction().await.map_err(CompactorError::sql(RAISING))?;
    match seize(&transaction).await {
        // Another session, which loads or reads, holds the lock for long.
        Err(SqlError::Postgres(error)) if is_passing(error.code()) => return Ok(false),
        seized => seized.map_err(CompactorError::sql(RAISING))?,
    }
    let of_sleeps = sleep_window(to).end;
    let streams = Stream::readings()
        .map(|(stream, _)| stream)
        .chain([Stream::Sleeps]);
    let streams: Vec<&str> = streams.map(Stream::name).collect();
    let pending: i64 = transaction
        .query_one(PENDING, &[&to, &of_sleeps, &streams])
        .await
        .map_err(CompactorError::sql(RAISING))?
        .get(0);
    let day = date_of(to);
    if pending > 0 {
        tracing::debug!(pending, floor = %day, "readings below the floor are kept until their pending refreshes are done");
        return Ok(false);
    }
    raise(&transaction, to)
        .await
        .map_err(CompactorError::sql(RAISING))?;
    transaction.commit().await.map_err(CompactorError::sql(RAISING))?;
    tracing::info!(floor = %day, "the floor was raised: readings of days before it are deleted");
    Ok(true)
}

/// Drops one chunk; false when another session uses it now.
async fn delete(client: &Client, old: &Old) -> Result<bool, CompactorError> {
    let began = Instant::now();
    let relation = format!("raw.{}", old.stream);
    let end = date_of(old.days.end);
    let call = format!("select drop_chunks('{relation}', older_than => timestamp '{end}')");
    match client.batch_execute(&call).await {
        Ok(()) => {}
        Err(error) if is_passing(error.code()) => {
            tracing::info!(relation, %end, %error, "the chunk was not deleted: a later cycle tries again");
            return Ok(false);
        }
        Err(error) => return Err(CompactorError::sql(DELETING)(error)),
    }
    let entry = NewEntry {
        task: "retain",
        relation: &relation,
        days: old.days.clone(),
        reason: "older than what is kept".to_owned(),
        rows: 1,
    };
    ops_tables::journal(client, &entry, began.elapsed()).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_12_a_floor_is_the_first_of_a_month() {
        // 2019-11-06; 62 days before is 2019-09-05.
        let now = 18_206 * DAY_MS + 1;
        let first = target(62, now).map(date_of).map(|day| day.to_string());
        assert_eq!(first.as_deref(), Some("2019-09-01"));
        assert_eq!(target(0, now), None);
    }
}
