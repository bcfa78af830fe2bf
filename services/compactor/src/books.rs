//! The books of the compactor: dirty days, waiting periods, accounting, journal.

use std::time::Duration;

use pulseline_sql::periods::Level;
use tokio_postgres::Client;

use crate::error::CompactorError;
use crate::plan::{Dirty, Plan, Refresh, Waiting};

const DIRTY: &str =
    "select id, stream, local_date - date '1970-01-01' from ops.dirty_days order by id limit $1";
const WAITING: &str = "select stream, level, starts_on - date '1970-01-01' from ops.waiting_periods";
const DONE: &str = "delete from ops.dirty_days where id = any($1)";
const WAIT: &str = "insert into ops.waiting_periods (stream, level, starts_on) \
    select stream, level, date '1970-01-01' + day from unnest($1::text[], $2::text[], $3::int[]) as w(stream, level, day) \
    on conflict do nothing";
const CLOSED: &str = "delete from ops.waiting_periods p \
    using unnest($1::text[], $2::text[], $3::int[]) as w(stream, level, day) \
    where p.stream = w.stream and p.level = w.level and p.starts_on = date '1970-01-01' + w.day";
const JOURNAL: &str = "insert into ops.compactions (started_at, task, relation, range_start, range_end, reason, rows, seconds) \
    values (clock_timestamp() - $6::double precision * interval '1 second', 'refresh', $1, date '1970-01-01' + $2::int, \
    date '1970-01-01' + $3::int, $4, $5, $6)";

/// Exactly the rows that are deleted are added: one statement, one snapshot.
const FOLD: &str = "with taken as ( \
        delete from ops.accounted_log where id in (select id from ops.accounted_log order by id limit $1) returning * \
    ), grouped as ( \
        select topic, generation, partition, count(*) as rows, \
            range_agg(int8range(from_offset, to_offset)) as offsets, \
            coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'duplicate'), '{}') as duplicate, \
            coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'void'), '{}') as void, \
            coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'dead'), '{}') as dead, \
            coalesce(range_agg(int8range(from_offset, to_offset)) filter (where kind = 'erased'), '{}') as erased \
        from taken group by topic, generation, partition \
    ), folded as ( \
        insert into ops.accounted as a (topic, generation, partition, offsets, duplicate, void, dead, erased) \
        select topic, generation, partition, offsets, duplicate, void, dead, erased from grouped \
        on conflict (topic, generation, partition) do update set offsets = a.offsets + excluded.offsets, \
            duplicate = a.duplicate + excluded.duplicate, void = a.void + excluded.void, \
            dead = a.dead + excluded.dead, erased = a.erased + excluded.erased \
        returning 1 \
    ) select coalesce(sum(rows), 0)::bigint, (select count(*) from folded) from grouped";

/// The oldest dirty days, at most `limit`.
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
            day: row.get(2),
        })
        .collect())
}

/// Periods that were open when their rows changed.
pub(crate) async fn waiting(client: &Client) -> Result<Vec<Waiting>, CompactorError> {
    let rows = client
        .query(WAITING, &[])
        .await
        .map_err(CompactorError::sql("reading waiting periods"))?;
    let read = |row: &tokio_postgres::Row| {
        let level = Level::from_name(row.get(1))?;
        Some(Waiting {
            stream: row.get(0),
            level,
            starts_on: row.get(2),
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Closes a plan whose refreshes are done: exactly the ids that were read before are deleted (P6).
pub(crate) async fn close(client: &mut Client, plan: &Plan) -> Result<(), CompactorError> {
    let failed = || CompactorError::sql("closing a cycle");
    let transaction = client.transaction().await.map_err(failed())?;
    for (statement, periods) in [(WAIT, &plan.wait), (CLOSED, &plan.closed)] {
        if periods.is_empty() {
            continue;
        }
        let streams: Vec<_> = periods.iter().map(|period| period.stream.as_str()).collect();
        let levels: Vec<_> = periods.iter().map(|period| period.level.name()).collect();
        let days: Vec<_> = periods.iter().map(|period| period.starts_on).collect();
        transaction
            .execute(statement, &[&streams, &levels, &days])
            .await
            .map_err(failed())?;
    }
    transaction.execute(DONE, &[&plan.done]).await.map_err(failed())?;
    transaction.commit().await.map_err(failed())
}

/// Folds the oldest `limit` rows of the accounting's log; says how many.
pub(crate) async fn fold(client: &Client, limit: i64) -> Result<i64, CompactorError> {
    let row = client
        .query_one(FOLD, &[&limit])
        .await
        .map_err(CompactorError::sql("folding the accounting"))?;
    Ok(row.get(0))
}

/// Writes down a refresh.
pub(crate) async fn journal(
    client: &Client,
    refresh: &Refresh,
    took: Duration,
) -> Result<(), CompactorError> {
    let reason = format!("{} changed periods", refresh.periods);
    let rows = i64::try_from(refresh.periods).unwrap_or(i64::MAX);
    let (start, end) = (refresh.days.start, refresh.days.end);
    client
        .execute(
            JOURNAL,
            &[
                &refresh.relation,
                &start,
                &end,
                &reason,
                &rows,
                &took.as_secs_f64(),
            ],
        )
        .await
        .map_err(CompactorError::sql("writing the journal"))?;
    Ok(())
}
