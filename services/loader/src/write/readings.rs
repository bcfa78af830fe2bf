//! Writes readings: directly into the hypertable, or through a temporary table where a key may exist.

use bytes::Bytes;
use pulseline_sql::{Client, GenericClient, Transaction};
use uuid::Uuid;

use super::copying::{LocalMillis, copy};
use super::rows::Touched;
use super::warehouse::Newest;
use crate::batch::DirtyDay;
use crate::copy::CopyRows;
use crate::document::{ReadingsUpload, day_of};
use crate::error::LoaderError;
use crate::map::readings::{Readings, Width};
use crate::resolve::Row;

const KEY: &str = "device_id, local_ts, utc_offset_minutes";
/// Bytes of the widest row in binary COPY.
const ROW_BYTES: usize = 82;

/// The statements of one stream's table.
#[derive(Debug)]
pub(crate) struct Statements {
    width: Width,
    has_confidence: bool,
    copy_direct: String,
    create: String,
    copy_merge: String,
    merge: String,
    newest: String,
    newest_until: String,
}

impl Statements {
    pub(crate) fn of(readings: &Readings) -> Self {
        let table = readings.table;
        let mut written = vec![readings.value, "synced_at", "event_id"];
        if readings.has_confidence {
            written.insert(1, "confidence");
        }
        let list = |prefix: &str| {
            let names: Vec<String> = written.iter().map(|name| format!("{prefix}{name}")).collect();
            names.join(", ")
        };
        let set = written.iter().map(|name| format!("{name} = excluded.{name}"));
        let set = set.collect::<Vec<_>>().join(", ");
        let (columns, new, old) = (format!("{KEY}, {}", list("")), list("excluded."), list("t."));
        Self {
            width: readings.width,
            has_confidence: readings.has_confidence,
            copy_direct: format!("copy {table} ({columns}) from stdin (format binary)"),
            create: format!("create temporary table incoming_readings (like {table}) on commit drop"),
            copy_merge: format!("copy pg_temp.incoming_readings ({columns}) from stdin (format binary)"),
            // Greater versions differ in the version itself, equal ones only in their values.
            merge: format!(
                "with merged as (insert into {table} as t ({columns}) select {columns} from pg_temp.incoming_readings \
                 order by {KEY} on conflict ({KEY}) do update set {set} \
                 where (excluded.synced_at, excluded.event_id) >= (t.synced_at, t.event_id) \
                 and ({new}) is distinct from ({old}) \
                 returning t.device_id, t.local_ts::date - date '1970-01-01' as day) \
                 select device_id, day, count(*) from merged group by device_id, day"
            ),
            newest: format!(
                "select d.id, (select max(r.local_ts) from {table} r where r.device_id = d.id) \
                 from unnest($1::uuid[]) as d(id)"
            ),
            newest_until: format!(
                "select d.id, (select max(r.local_ts) from {table} r where r.device_id = d.id \
                 and r.local_ts <= timestamp 'epoch' + d.until * interval '1 millisecond') \
                 from unnest($1::uuid[], $2::bigint[]) as d(id, until)"
            ),
        }
    }
}

/// Rows as binary COPY, encoded before the transaction begins to keep it short.
pub(crate) fn encode(statements: &Statements, rows: &[Row], uploads: &[ReadingsUpload]) -> CopyRows {
    let mut copy = CopyRows::with_capacity(rows.len(), ROW_BYTES);
    for row in rows {
        let upload = &uploads[row.upload as usize];
        copy.row(6 + i16::from(statements.has_confidence))
            .uuid(row.device_id)
            .millis(row.local_ts)
            .int2(row.utc_offset_minutes);
        match statements.width {
            // The guards keep the value far below the column's limit.
            Width::Int2 => copy.int2(i16::try_from(row.value).unwrap_or(i16::MAX)),
            Width::Int4 => copy.int4(row.value),
        };
        if statements.has_confidence {
            copy.optional(row.confidence, CopyRows::int2);
        }
        copy.millis(upload.synced_at).uuid(upload.event_id);
    }
    copy
}

/// What new rows change: every day they touch.
pub(crate) fn all_of(rows: &[Row]) -> Touched {
    let mut touched = Touched::default();
    let mut last = None;
    for row in rows {
        let day = DirtyDay {
            device_id: row.device_id,
            local_date: day_of(row.local_ts),
        };
        touched.rows += 1;
        if last.replace(day) != Some(day) {
            touched.days.insert(day);
        }
    }
    touched
}

/// Copies rows with new keys. Fast; a unique violation shows an existing key.
pub(crate) async fn direct(
    tx: &Transaction<'_>,
    statements: &Statements,
    rows: Bytes,
) -> Result<(), LoaderError> {
    copy(tx, &statements.copy_direct, rows, "copying readings").await
}

/// Writes rows that are newer than the stored ones, or of the same version with other values (P7).
pub(crate) async fn merge(
    tx: &Transaction<'_>,
    statements: &Statements,
    rows: Bytes,
) -> Result<Touched, LoaderError> {
    tx.batch_execute(&statements.create)
        .await
        .map_err(LoaderError::statement("making room to merge"))?;
    copy(tx, &statements.copy_merge, rows, "copying readings to merge").await?;
    let merged = tx
        .query(&statements.merge, &[])
        .await
        .map_err(LoaderError::statement("merging readings"))?;
    let mut touched = Touched::default();
    for row in &merged {
        touched.days.insert(DirtyDay {
            device_id: row.get(0),
            local_date: row.get(1),
        });
        touched.rows += row.get::<_, i64>(2).unsigned_abs();
    }
    Ok(touched)
}

/// The newest loaded reading of each device, in milliseconds of its wall clock.
pub(crate) async fn newest(
    client: &Client,
    statements: &Statements,
    devices: &[Uuid],
) -> Result<Newest, LoaderError> {
    let rows = client
        .query(&statements.newest, &[&devices])
        .await
        .map_err(LoaderError::statement("looking up the newest readings"))?;
    Ok(rows.iter().map(found).collect())
}

/// The newest loaded reading of each device that is not after an instant, in milliseconds of its wall clock.
pub(crate) async fn newest_until(
    client: &Client,
    statements: &Statements,
    ends: &[(Uuid, i64)],
) -> Result<Newest, LoaderError> {
    let (devices, until): (Vec<Uuid>, Vec<i64>) = ends.iter().copied().unzip();
    let rows = client
        .query(&statements.newest_until, &[&devices, &until])
        .await
        .map_err(LoaderError::statement(
            "looking up the newest readings of a range",
        ))?;
    Ok(rows.iter().map(found).collect())
}

fn found(row: &tokio_postgres::Row) -> (Uuid, Option<i64>) {
    (row.get(0), row.get::<_, Option<LocalMillis>>(1).map(|at| at.0))
}
