//! The journal for operators: what was refreshed, packed or deleted, why, and how long it took.

use futures_util::future::BoxFuture;
use pulseline_sql::{Client, GenericClient};
use serde::Serialize;

use crate::error::CompactorError;

const NEWEST: &str = "select id, (extract(epoch from started_at) * 1000)::bigint, task, relation, \
    range_start::date::text, (range_end - interval '1 day')::date::text, reason, rows, seconds \
    from ops.compactions order by id desc limit $1";

/// An entry of `ops.compactions`.
#[derive(Clone, Debug, Serialize)]
pub struct JournalEntry {
    /// Rises.
    pub id: i64,
    /// When it began, in UTC milliseconds.
    pub started_at: i64,
    /// `refresh`, `facts`, `pack`, `repack`, or a later kind of task.
    pub task: String,
    /// The continuous aggregate, table of facts or hypertable.
    pub relation: String,
    /// First local day.
    pub first_day: Option<String>,
    /// Last day.
    pub last_day: Option<String>,
    /// The reason.
    pub reason: String,
    /// Changed days behind it, rows, or chunks.
    pub rows: i64,
    /// How long it took.
    pub seconds: f64,
}

/// The newest entries, at most `limit`.
///
/// # Errors
/// Errors of the server.
pub fn journal(client: &Client, limit: i64) -> BoxFuture<'_, Result<Vec<JournalEntry>, CompactorError>> {
    Box::pin(async move {
        let rows = client.query(NEWEST, &[&limit]).await;
        let rows = rows.map_err(CompactorError::sql("reading the journal"))?;
        let entry = |row: &tokio_postgres::Row| JournalEntry {
            id: row.get(0),
            started_at: row.get(1),
            task: row.get(2),
            relation: row.get(3),
            first_day: row.get(4),
            last_day: row.get(5),
            reason: row.get(6),
            rows: row.get(7),
            seconds: row.get(8),
        };
        Ok(rows.iter().map(entry).collect())
    })
}
