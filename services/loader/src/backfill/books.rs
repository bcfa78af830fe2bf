//! How far a backfill has come: one that was stopped goes on there.

use pulseline_sql::{Client, GenericClient};
use uuid::Uuid;

use super::{Backfill, Progress};
use crate::error::LoaderError;

/// One that was finished begins anew.
const BEGIN: &str = "insert into ops.backfills as b (stream, device, from_date, to_date, next_date) \
    values ($1, $2, date '1970-01-01' + $3::int, date '1970-01-01' + $4::int, date '1970-01-01' + $3::int) \
    on conflict (stream, device, from_date, to_date) do update set finished_at = null, \
        next_date = case when b.finished_at is null then b.next_date else b.from_date end, \
        documents = case when b.finished_at is null then b.documents else 0 end, \
        changed_rows = case when b.finished_at is null then b.changed_rows else 0 end, \
        started_at = case when b.finished_at is null then b.started_at else clock_timestamp() end \
    returning next_date - date '1970-01-01', documents, changed_rows";
const DONE: &str = "update ops.backfills set next_date = date '1970-01-01' + $5::int, documents = $6, changed_rows = $7, \
    finished_at = case when $5 = $4 then clock_timestamp() end \
    where stream = $1 and device = $2 and from_date = date '1970-01-01' + $3::int and to_date = date '1970-01-01' + $4::int";

fn device(job: &Backfill) -> String {
    job.device.as_ref().map(Uuid::to_string).unwrap_or_default()
}

/// Begins, or goes on: from which day, and with what that was done before.
pub(super) async fn begin(client: &Client, job: &Backfill) -> Result<Progress, LoaderError> {
    let row = client
        .query_one(
            BEGIN,
            &[&job.stream.name(), &device(job), &job.days.start, &job.days.end],
        )
        .await
        .map_err(LoaderError::statement("beginning a backfill"))?;
    Ok(Progress {
        days: row.get(0)..job.days.end,
        documents: row.get::<_, i64>(1).unsigned_abs(),
        changed: row.get::<_, i64>(2).unsigned_abs(),
        ..Progress::default()
    })
}

/// A chunk is done.
pub(super) async fn done(client: &Client, job: &Backfill, done: &Progress) -> Result<(), LoaderError> {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    client
        .execute(
            DONE,
            &[
                &job.stream.name(),
                &device(job),
                &job.days.start,
                &job.days.end,
                &done.days.end,
                &count(done.documents),
                &count(done.changed),
            ],
        )
        .await
        .map_err(LoaderError::statement("writing how far a backfill is"))?;
    Ok(())
}
