//! The progress of a backfill: a stopped one continues there.

use std::ops::Range;

use pulseline_schemas::pages::PagePosition;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient, Transaction};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{Backfill, Progress};
use crate::error::LoaderError;

/// A finished one starts over.
const BEGIN: &str = "insert into ops.backfills as b (stream, device, from_date, to_date, next_date) \
    values ($1, $2, date '1970-01-01' + $3::int, date '1970-01-01' + $4::int, date '1970-01-01' + $3::int) \
    on conflict (stream, device, from_date, to_date) do update set finished_at = null, \
        next_date = case when b.finished_at is null then b.next_date else b.from_date end, \
        documents = case when b.finished_at is null then b.documents else 0 end, \
        changed_rows = case when b.finished_at is null then b.changed_rows else 0 end, \
        started_at = case when b.finished_at is null then b.started_at else clock_timestamp() end, \
        place = case when b.finished_at is null then b.place end \
    returning next_date - date '1970-01-01', documents, changed_rows, place";
const DONE: &str = "update ops.backfills set next_date = date '1970-01-01' + $5::int, place = null, \
    finished_at = case when $5 = $4 then clock_timestamp() end \
    where stream = $1 and device = $2 and from_date = date '1970-01-01' + $3::int and to_date = date '1970-01-01' + $4::int";

/// In the transaction that holds the rows.
const MOVE: &str = "update ops.backfills set place = coalesce($5, place), documents = documents + $6, \
    changed_rows = changed_rows + $7 \
    where stream = $1 and device = $2 and from_date = date '1970-01-01' + $3::int and to_date = date '1970-01-01' + $4::int";

/// The progress that a writer moves with the rows of a backfill.
#[derive(Debug)]
pub(crate) struct Mark {
    stream: &'static str,
    device: String,
    days: Range<DayNumber>,
}

impl Mark {
    pub(super) fn of(job: &Backfill) -> Self {
        Self {
            stream: job.stream.name(),
            device: device(job),
            days: job.days.clone(),
        }
    }

    /// Records documents done, up to this one, and rows written.
    pub(crate) async fn advance(
        &self,
        tx: &Transaction<'_>,
        page_position: Option<&PagePosition>,
        (documents, changed): (usize, u64),
    ) -> Result<(), LoaderError> {
        // A document without a position in the order follows the last one that has: another run may have other chunks.
        let page_position = page_position.filter(|page_position| **page_position != PagePosition::Rest);
        let page_position = page_position.map(bson::serialize_to_vec).transpose();
        let page_position = page_position
            .map_err(|error| LoaderError::Protocol(format!("the position of a backfill: {error}")))?;
        let documents = i64::try_from(documents).unwrap_or(i64::MAX);
        let changed = i64::try_from(changed).unwrap_or(i64::MAX);
        let days = &self.days;
        let values: [&(dyn ToSql + Sync); 7] = [
            &self.stream,
            &self.device,
            &days.start,
            &days.end,
            &page_position,
            &documents,
            &changed,
        ];
        tx.execute(MOVE, &values)
            .await
            .map_err(LoaderError::statement("writing how far a backfill is"))?;
        Ok(())
    }
}

fn device(job: &Backfill) -> String {
    job.device.as_ref().map(Uuid::to_string).unwrap_or_default()
}

/// Starts or resumes: returns the first day, and what was done before.
pub(super) async fn begin(client: &Client, job: &Backfill) -> Result<Progress, LoaderError> {
    let row = client
        .query_one(
            BEGIN,
            &[&job.stream.name(), &device(job), &job.days.start, &job.days.end],
        )
        .await
        .map_err(LoaderError::statement("beginning a backfill"))?;
    let page_position: Option<&[u8]> = row.get(3);
    Ok(Progress {
        days: row.get(0)..job.days.end,
        documents: row.get::<_, i64>(1).unsigned_abs(),
        changed: row.get::<_, i64>(2).unsigned_abs(),
        // An unreadable one is ignored: the chunk is read from its beginning.
        page_position: page_position
            .and_then(|page_position| bson::deserialize_from_slice(page_position).ok()),
        ..Progress::default()
    })
}

/// Records a finished chunk.
pub(super) async fn done(client: &Client, job: &Backfill, done: &Progress) -> Result<(), LoaderError> {
    client
        .execute(
            DONE,
            &[
                &job.stream.name(),
                &device(job),
                &job.days.start,
                &job.days.end,
                &done.days.end,
            ],
        )
        .await
        .map_err(LoaderError::statement("writing how far a backfill is"))?;
    Ok(())
}
