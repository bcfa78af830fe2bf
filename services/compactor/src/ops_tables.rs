//! The compactor's ops tables: dirty days, waiting days, accounting, journal.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient, query};

use crate::dirty::{Dirty, Waiting};
use crate::error::CompactorError;

/// Newest days first: a backlog cannot hide the present.
const DIRTY: &str = "select id, stream, device_id, local_date - date '1970-01-01', is_forced \
    from ops.dirty_days order by local_date desc, id limit $1";
const WAITING: &str = "select stream, local_date - date '1970-01-01' from ops.waiting_days";
const JOURNAL: &str = "insert into ops.compactions (started_at, task, relation, range_start, range_end, reason, rows, seconds) \
    values (clock_timestamp() - $7::double precision * interval '1 second', $1, $2, date '1970-01-01' + $3::int, \
    date '1970-01-01' + $4::int, $5, $6, $7)";
/// A slice: a journal untrimmed for years cannot make one statement long.
const TRIM: &str = "delete from ops.compactions where id in (select id from ops.compactions \
    where started_at < clock_timestamp() - $1::int * interval '1 day' order by id limit 10000)";

/// Ranges that a row holds before they move to a page: 24 bytes each.
const PAGE_RANGES: i64 = 1_000;

/// Below the greatest offset of a partition, for the topic's newest incarnation: as `status` counts, from folded rows.
const UNACCOUNTED: &str = "select topic, \
        sum(upper(offsets) - (select sum(upper(part) - lower(part)) from unnest(offsets) part))::bigint \
    from ops.accounted a where offsets <> '{}' \
        and generation = (select max(generation) from ops.accounted b where b.topic = a.topic) group by topic";
/// The least id is the oldest mark of a device's day: ids follow the order of arrival. Days of people wait after it.
const OLDEST: &str = "select extract(epoch from clock_timestamp() - least( \
    (select marked_at from ops.dirty_days order by id limit 1), \
    (select min(marked_at) from ops.dirty_user_days)))::double precision";

/// The state of the ops tables after a cycle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog {
    /// Missing offsets, by topic.
    pub(crate) unaccounted: HashMap<String, i64>,
    /// Seconds that the oldest change has waited for its refresh, or for the person's day; 0 when none waits.
    pub(crate) oldest_seconds: f64,
}

/// Reads the missing offsets and the longest wait.
pub(crate) async fn backlog(client: &Client) -> Result<Backlog, CompactorError> {
    let failed = || CompactorError::sql("reading the backlog in the ops tables");
    let oldest = client.query_one(OLDEST, &[]);
    let asked = tokio::try_join!(client.query(UNACCOUNTED, &[]), oldest);
    let (unaccounted, oldest) = asked.map_err(failed())?;
    Ok(Backlog {
        unaccounted: unaccounted.iter().map(|row| (row.get(0), row.get(1))).collect(),
        oldest_seconds: oldest.get::<_, Option<f64>>(0).unwrap_or_default(),
    })
}

/// The newest dirty days, at most `limit`.
pub(crate) async fn dirty(client: &Client, limit: i64) -> Result<Vec<Dirty>, CompactorError> {
    let rows = client
        .query(DIRTY, &[&limit])
        .await
        .map_err(CompactorError::sql("reading dirty days"))?;
    Ok(rows
        .iter()
        .map(|row| Dirty {
            id: row.get(0),
            stream: row.get(1),
            device: row.get(2),
            day: row.get(3),
            is_forced: row.get(4),
        })
        .collect())
}

/// Days that had not ended when their rows changed.
pub(crate) async fn waiting(client: &Client) -> Result<Vec<Waiting>, CompactorError> {
    let rows = client
        .query(WAITING, &[])
        .await
        .map_err(CompactorError::sql("reading waiting days"))?;
    let read = |row: &tokio_postgres::Row| Waiting {
        stream: row.get(0),
        day: row.get(1),
    };
    Ok(rows.iter().map(read).collect())
}

/// Folds the oldest `limit` rows of the accounting log; returns how many.
pub(crate) async fn fold(client: &Client, limit: i64) -> Result<i64, CompactorError> {
    let row = client
        .query_one(query!("compactor/fold"), &[&limit])
        .await
        .map_err(CompactorError::sql("folding the accounting log"))?;
    let folded = row.get(0);
    if folded > 0 {
        let paged = client.execute(query!("compactor/page"), &[&PAGE_RANGES]).await;
        paged.map_err(CompactorError::sql("moving ranges of the accounting to a page"))?;
    }
    Ok(folded)
}

/// An entry of the journal.
pub(crate) struct NewEntry<'a> {
    pub(crate) task: &'a str,
    pub(crate) relation: &'a str,
    pub(crate) days: Range<DayNumber>,
    pub(crate) reason: String,
    pub(crate) rows: i64,
}

/// Writes a journal entry.
pub(crate) async fn journal(
    client: &Client,
    entry: &NewEntry<'_>,
    took: Duration,
) -> Result<(), CompactorError> {
    let (start, end) = (entry.days.start, entry.days.end);
    client
        .execute(
            JOURNAL,
            &[
                &entry.task,
                &entry.relation,
                &start,
                &end,
                &entry.reason,
                &entry.rows,
                &took.as_secs_f64(),
            ],
        )
        .await
        .map_err(CompactorError::sql("writing the journal"))?;
    Ok(())
}

/// Deletes journal entries that are older than `days`.
pub(crate) async fn trim(client: &Client, days: i32) -> Result<(), CompactorError> {
    client
        .execute(TRIM, &[&days])
        .await
        .map_err(CompactorError::sql("trimming the journal"))?;
    Ok(())
}
