//! The progress of a backfill: a stopped one continues there.

use std::ops::Range;

use pulseline_schemas::Stream;
use pulseline_schemas::pages::PagePosition;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient, Transaction};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::error::LoaderError;

/// A finished one starts over.
const BEGIN: &str = pulseline_sql::query!("loader/begin_backfill");
const DONE: &str = "update ops.backfills set next_date = date '1970-01-01' + $5::int, place = null, \
    finished_at = case when $5 = $4 then clock_timestamp() end \
    where stream = $1 and device = $2 and from_date = date '1970-01-01' + $3::int and to_date = date '1970-01-01' + $4::int";

/// In the transaction that holds the rows.
const MOVE: &str = "update ops.backfills set place = coalesce($5, place), documents = documents + $6, \
    changed_rows = changed_rows + $7 \
    where stream = $1 and device = $2 and from_date = date '1970-01-01' + $3::int and to_date = date '1970-01-01' + $4::int";

/// The progress of a backfill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Documents in the range, approximately.
    pub total: u64,
    /// Documents read.
    pub documents: u64,
    /// Rows written: readings that are new or different, and whole rows that are not older.
    pub changed: u64,
    /// The days being read, or left to read.
    pub days: Range<DayNumber>,
    /// The document of these days after which it continues.
    pub(crate) page_position: Option<PagePosition>,
    /// False when it was stopped before the end.
    pub is_finished: bool,
    /// The first day whose documents are all kept, where the range begins before it: nothing of earlier days can be repaired.
    pub documents_from: Option<DayNumber>,
}

/// The stored progress of one backfill. A writer moves it with the rows.
#[derive(Debug)]
pub(crate) struct Mark {
    stream: &'static str,
    device: String,
    days: Range<DayNumber>,
}

impl Mark {
    pub(crate) fn new(stream: Stream, device: Option<Uuid>, days: Range<DayNumber>) -> Self {
        Self {
            stream: stream.name(),
            device: device.as_ref().map(Uuid::to_string).unwrap_or_default(),
            days,
        }
    }

    /// Starts or resumes: returns the first day, and what was done before.
    pub(super) async fn begin(&self, client: &Client) -> Result<Progress, LoaderError> {
        let days = &self.days;
        let row = client
            .query_one(BEGIN, &[&self.stream, &self.device, &days.start, &days.end])
            .await
            .map_err(LoaderError::statement("beginning a backfill"))?;
        let page_position: Option<&[u8]> = row.get(3);
        Ok(Progress {
            days: row.get(0)..days.end,
            documents: row.get::<_, i64>(1).unsigned_abs(),
            changed: row.get::<_, i64>(2).unsigned_abs(),
            // An unreadable one is ignored: the chunk is read from its beginning.
            page_position: page_position
                .and_then(|page_position| bson::deserialize_from_slice(page_position).ok()),
            ..Progress::default()
        })
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
        self.execute(tx, MOVE, &[&page_position, &documents, &changed])
            .await
    }

    /// Records a finished chunk, which ends before this day.
    pub(super) async fn done(&self, client: &Client, end: DayNumber) -> Result<(), LoaderError> {
        self.execute(client, DONE, &[&end]).await
    }

    async fn execute(
        &self,
        client: &impl GenericClient,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<(), LoaderError> {
        let days = &self.days;
        let key: [&(dyn ToSql + Sync); 4] = [&self.stream, &self.device, &days.start, &days.end];
        client
            .execute(statement, &[&key[..], values].concat())
            .await
            .map_err(LoaderError::statement("writing how far a backfill is"))?;
        Ok(())
    }
}
