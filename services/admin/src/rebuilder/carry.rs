//! Carries over what MongoDB no longer has: rows of raw whose documents were removed for their age, and the accounting of their
//! offsets (P12).
//!
//! The loader of the new warehouse works at the same time. Where both have a reading, the greater version stays, as in every
//! write of raw (D-5). The new warehouse's floor of documents tells how far it has come, and moves with the rows.

use std::ops::Range;
use std::time::{Duration, Instant};

use pulseline_runtime::retry::{Class, Classify};
use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient, SqlError, Transaction, query};

use crate::rebuilder::connection::open;
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::{POLL, Rebuilder};

/// Most days of a transaction, which holds up the embedded database.
const SLICE_DAYS: DayNumber = 28;
/// A slice that took less is followed by one of twice as many days.
const SLICE_TIME: Duration = Duration::from_secs(1);
/// Marks that the compactor takes in a cycle: with more of them waiting, it falls behind.
const WAITING_MARKS: i64 = 20_000;

/// A removal ends before this, or finds the new warehouse and is refused.
const HOLD: &str = "lock table ops.removed_offsets in share mode";
/// Figures whose readings are deleted, from days whose documents are removed.
const ORPHANED: &str = "select f.floor_date::text from ops.floors f, ops.documents_floor d where f.layer = 'raw' \
    and exists (select from ops.loaded_days l where l.local_date < f.floor_date and l.local_date < d.floor_date)";
/// The first day that is not carried yet and has rows, or else the floor; then the floor, and how far the new warehouse has come.
const NEXT: &str = "select coalesce((select min(greatest(c.starts_on, n.floor_date)) from ops.chunks c \
        where c.ends_on > coalesce(n.floor_date, '-infinity')), f.floor_date) - date '1970-01-01', \
    f.floor_date - date '1970-01-01', n.floor_date - date '1970-01-01' \
    from ops.documents_floor f left join next_ops.documents_floor n on true";
/// `forget` waits until the rows that were read before it are there, and then deletes them.
const BEGIN: &str = "set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0; \
    lock table ops.forgotten, next_ops.forgotten in access share mode";
const COLUMNS: &str = "select string_agg(format('%1$I = excluded.%1$I', column_name), ', ' order by ordinal_position) \
    from information_schema.columns where table_schema = 'raw' and table_name = $1 \
    and column_name not in ('device_id', 'local_ts', 'utc_offset_minutes')";
const MOVE: &str = "insert into next_ops.documents_floor as n (floor_date) values (date '1970-01-01' + $1::int) \
    on conflict (is_single) do update set floor_date = excluded.floor_date, raised_at = clock_timestamp() \
    where excluded.floor_date > n.floor_date";
/// Days of raw without documents: the first that has rows, and the first after them.
const CARRIED: &str = "select min(c.starts_on) - date '1970-01-01', f.floor_date - date '1970-01-01' from ops.chunks c, ops.documents_floor f \
    where c.starts_on < f.floor_date group by f.floor_date";
const WAITING: &str = "select count(*) from (select from next_ops.dirty_days limit $1) d";

/// Carries over the accounting of removed documents, before the new warehouse's loader begins; no document is removed from
/// here on.
pub(crate) async fn offsets(transaction: &Transaction<'_>) -> Result<(), SqlError> {
    transaction.batch_execute(HOLD).await?;
    transaction
        .execute(query!("rebuilder/carry_offsets"), &[])
        .await?;
    Ok(())
}

/// Refuses a rebuild that would lose figures: neither their readings nor their documents are there any more.
pub(crate) async fn refuse_orphans(client: &Client) -> Result<(), RebuilderError> {
    match client.query_opt(ORPHANED, &[]).await? {
        Some(row) => Err(RebuilderError::FiguresOnly { floor: row.get(0) }),
        None => Ok(()),
    }
}

/// Carries over rows of days before the floor of documents; returns the number of days. It waits out outages, and ends early
/// when told to stop.
pub(crate) async fn rows(
    rebuilder: &Rebuilder,
    tell: &(dyn Fn(DayNumber) + Send + Sync),
) -> Result<i64, RebuilderError> {
    let mut client = open(rebuilder).await?;
    let (mut carried, mut length) = (0, 1);
    while !rebuilder.shutdown().is_stopping() {
        let began = Instant::now();
        match slice(&mut client, length).await {
            Ok(Some(days)) => {
                carried += i64::from(days.end - days.start);
                tell(days.end);
                length = next_length(length, began.elapsed());
                until_refreshed(rebuilder, &client).await;
            }
            Ok(None) => break,
            Err(error) if error.is_locked() => {
                tracing::debug!(%error, "a slice met another writer: trying again")
            }
            Err(error) if error.class() == Class::Transient => client = open(rebuilder).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(carried)
}

/// Carries over at most so many days; none when all are there.
async fn slice(client: &mut Client, length: DayNumber) -> Result<Option<Range<DayNumber>>, RebuilderError> {
    let Some(days) = next_days(client, length).await? else {
        return Ok(None);
    };
    let transaction = client.transaction().await?;
    transaction.batch_execute(BEGIN).await?;
    for (stream, _) in Stream::readings() {
        let columns = transaction.query_one(COLUMNS, &[&stream.name()]).await?;
        let statement = statement(stream, columns.get(0), &days);
        // Not prepared: a plan for any days would open every chunk.
        transaction.batch_execute(&statement).await?;
    }
    transaction.execute(MOVE, &[&days.end]).await?;
    transaction.commit().await?;
    Ok(Some(days))
}

async fn next_days(client: &Client, length: DayNumber) -> Result<Option<Range<DayNumber>>, RebuilderError> {
    let Some(row) = client.query_opt(NEXT, &[]).await? else {
        return Ok(None);
    };
    let (start, floor): (DayNumber, DayNumber) = (row.get(0), row.get(1));
    let reached: Option<DayNumber> = row.get(2);
    let start = start.min(floor);
    let days = start..floor.min(start.saturating_add(length));
    // The last slice may be empty, and still move the floor.
    Ok(reached.is_none_or(|reached| reached < floor).then_some(days))
}

fn next_length(length: DayNumber, took: Duration) -> DayNumber {
    if took < SLICE_TIME {
        (2 * length).min(SLICE_DAYS)
    } else {
        (length / 2).max(1)
    }
}

/// The rows of a stream, with the marks of what changed. Each says days in its text.
fn statement(stream: Stream, columns: &str, days: &Range<DayNumber>) -> String {
    let (name, start, end) = (stream.name(), date_of(days.start), date_of(days.end));
    format!(
        "with carried as (insert into next_raw.{name} as t select * from raw.{name} \
            where local_ts >= timestamp '{start}' and local_ts < timestamp '{end}' order by device_id, local_ts, utc_offset_minutes \
            on conflict (device_id, local_ts, utc_offset_minutes) do update set {columns} \
            where (excluded.synced_at, excluded.event_id) > (t.synced_at, t.event_id) \
            returning t.device_id, t.local_ts::date as day) \
        insert into next_ops.dirty_days (stream, device_id, local_date) select distinct '{name}', device_id, day from carried"
    )
}

/// What the new warehouse lacks of rows without documents, or has of an older version: nothing else proves these. An upload of such
/// a day may be on its way to it, and is waited for.
pub(crate) async fn lacking(rebuilder: &Rebuilder) -> Result<Vec<String>, RebuilderError> {
    let client = open(rebuilder).await?;
    let began = Instant::now();
    loop {
        let lacking = lacking_now(rebuilder, &client).await?;
        let is_over = began.elapsed() >= rebuilder.settle || rebuilder.shutdown().is_stopping();
        if lacking.is_empty() || is_over {
            return Ok(lacking);
        }
        rebuilder.shutdown().sleep(POLL).await;
    }
}

async fn lacking_now(rebuilder: &Rebuilder, client: &Client) -> Result<Vec<String>, RebuilderError> {
    let mut lacking = Vec::new();
    let Some(days) = client.query_opt(CARRIED, &[]).await? else {
        return Ok(lacking);
    };
    let (mut start, floor): (DayNumber, DayNumber) = (days.get(0), days.get(1));
    while start < floor && !rebuilder.shutdown().is_stopping() {
        let days = start..floor.min(start + SLICE_DAYS);
        for (stream, _) in Stream::readings() {
            let rows: i64 = client.query_one(&count_lacking(stream, &days), &[]).await?.get(0);
            if rows > 0 {
                let (table, first, last) = (stream.raw_table(), date_of(days.start), date_of(days.end - 1));
                lacking.push(format!(
                    "next_{table} {first} to {last}: {rows} rows of {table}, which have no documents, are missing or older"
                ));
            }
        }
        start = days.end;
    }
    Ok(lacking)
}

fn count_lacking(stream: Stream, days: &Range<DayNumber>) -> String {
    let (name, start, end) = (stream.name(), date_of(days.start), date_of(days.end));
    let on_days =
        |row| format!("{row}.local_ts >= timestamp '{start}' and {row}.local_ts < timestamp '{end}'");
    format!(
        "select count(*) from raw.{name} o left join next_raw.{name} n on n.device_id = o.device_id and n.local_ts = o.local_ts \
            and n.utc_offset_minutes = o.utc_offset_minutes and {} \
        where {} and (n.device_id is null or (n.synced_at, n.event_id) < (o.synced_at, o.event_id))",
        on_days("n"),
        on_days("o")
    )
}

/// Waits until the new warehouse's compactor keeps up, or for a stop.
async fn until_refreshed(rebuilder: &Rebuilder, client: &Client) {
    loop {
        let waiting = client.query_one(WAITING, &[&(WAITING_MARKS + 1)]).await;
        let is_behind = waiting.is_ok_and(|row| row.get::<_, i64>(0) > WAITING_MARKS);
        // An outage shows with the next slice.
        if !is_behind || !rebuilder.shutdown().sleep(POLL).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_while_they_are_quick() {
        let (quick, slow) = (Duration::from_millis(1), Duration::from_secs(9));
        let mut lengths = vec![1];
        for took in [quick, quick, quick, quick, quick, slow, slow] {
            lengths.push(next_length(lengths[lengths.len() - 1], took));
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 28, 14, 7]);
        assert_eq!(next_length(1, slow), 1);
    }

    #[test]
    fn d_5_the_greater_version_stays() {
        let text = statement(Stream::Steps, "steps = excluded.steps", &(18_206..18_208));
        for part in [
            "insert into next_raw.steps as t select * from raw.steps",
            "local_ts >= timestamp '2019-11-06' and local_ts < timestamp '2019-11-08'",
            "do update set steps = excluded.steps where (excluded.synced_at, excluded.event_id) > (t.synced_at, t.event_id)",
            "select distinct 'steps', device_id, day from carried",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
