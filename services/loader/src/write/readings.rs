//! Readings: straight into the hypertable, or through a temporary table where a row may be met.

use bytes::Bytes;
use pulseline_schemas::Stream;
use tokio_postgres::{Client, Transaction};
use uuid::Uuid;

use super::copying::copy;
use crate::copy::CopyRows;
use crate::error::LoaderError;
use crate::map::ReadingsUpload;
use crate::resolve::Row;

/// Bytes of a row in binary COPY: the widest of the two.
const ROW_BYTES: usize = 82;

/// The statements of one stream's table.
#[derive(Debug)]
pub(crate) struct Table {
    stream: Stream,
    copy_direct: &'static str,
    create: &'static str,
    copy_merge: &'static str,
    merge: &'static str,
    newest: &'static str,
}

/// The table of a stream of readings; none for the others.
pub(crate) const fn table_of(stream: Stream) -> Option<&'static Table> {
    match stream {
        Stream::HeartRates => Some(&HEART_RATES),
        Stream::Steps => Some(&STEPS),
        Stream::Sleeps | Stream::Users => None,
    }
}

static HEART_RATES: Table = Table {
    stream: Stream::HeartRates,
    copy_direct: "copy raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id) \
        from stdin (format binary)",
    create: "create temporary table incoming_readings (device_id uuid, local_ts timestamp, \
        utc_offset_minutes smallint, bpm smallint, confidence smallint, synced_at timestamptz, event_id uuid) \
        on commit drop",
    copy_merge: "copy pg_temp.incoming_readings (device_id, local_ts, utc_offset_minutes, bpm, confidence, \
        synced_at, event_id) from stdin (format binary)",
    merge: "insert into raw.heart_rates as t \
        (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id) \
        select device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id \
        from pg_temp.incoming_readings order by device_id, local_ts, utc_offset_minutes \
        on conflict (device_id, local_ts, utc_offset_minutes) do update set bpm = excluded.bpm, \
        confidence = excluded.confidence, synced_at = excluded.synced_at, event_id = excluded.event_id \
        where (excluded.synced_at, excluded.event_id) > (t.synced_at, t.event_id) \
        or ((excluded.synced_at, excluded.event_id) = (t.synced_at, t.event_id) \
        and (excluded.bpm, excluded.confidence) is distinct from (t.bpm, t.confidence))",
    newest: "select d.id, (select max(r.local_ts) from raw.heart_rates r where r.device_id = d.id) \
        from unnest($1::uuid[]) as d(id)",
};

static STEPS: Table = Table {
    stream: Stream::Steps,
    copy_direct: "copy raw.steps (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id) \
        from stdin (format binary)",
    create: "create temporary table incoming_readings (device_id uuid, local_ts timestamp, \
        utc_offset_minutes smallint, steps integer, synced_at timestamptz, event_id uuid) on commit drop",
    copy_merge: "copy pg_temp.incoming_readings (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id) \
        from stdin (format binary)",
    merge: "insert into raw.steps as t (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id) \
        select device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id \
        from pg_temp.incoming_readings order by device_id, local_ts, utc_offset_minutes \
        on conflict (device_id, local_ts, utc_offset_minutes) do update set steps = excluded.steps, \
        synced_at = excluded.synced_at, event_id = excluded.event_id \
        where (excluded.synced_at, excluded.event_id) > (t.synced_at, t.event_id) \
        or ((excluded.synced_at, excluded.event_id) = (t.synced_at, t.event_id) \
        and excluded.steps is distinct from t.steps)",
    newest: "select d.id, (select max(r.local_ts) from raw.steps r where r.device_id = d.id) \
        from unnest($1::uuid[]) as d(id)",
};

/// Rows as bytes of a binary COPY, made before the transaction begins so that it is short.
pub(crate) fn encode(table: &Table, rows: &[Row], uploads: &[ReadingsUpload]) -> CopyRows {
    let mut copy = CopyRows::with_capacity(rows.len(), ROW_BYTES);
    for row in rows {
        let upload = &uploads[row.upload as usize];
        if table.stream == Stream::HeartRates {
            // The guards have bounded a heart rate far below what the column holds.
            let bpm = i16::try_from(row.value).unwrap_or(i16::MAX);
            copy.row(7)
                .uuid(row.device_id)
                .millis(row.local_ts)
                .int2(row.utc_offset_minutes);
            copy.int2(bpm).int2(row.confidence);
        } else {
            copy.row(6)
                .uuid(row.device_id)
                .millis(row.local_ts)
                .int2(row.utc_offset_minutes);
            copy.int4(row.value);
        }
        copy.millis(upload.synced_at).uuid(upload.event_id);
    }
    copy
}

/// Copies rows that meet no other. Fast; a unique violation says that one does.
pub(crate) async fn direct(tx: &Transaction<'_>, table: &Table, rows: Bytes) -> Result<(), LoaderError> {
    copy(tx, table.copy_direct, rows, "copying readings").await
}

/// Writes rows where they are newer than what is there.
pub(crate) async fn merge(tx: &Transaction<'_>, table: &Table, rows: Bytes) -> Result<(), LoaderError> {
    tx.batch_execute(table.create)
        .await
        .map_err(LoaderError::statement("making room to merge"))?;
    copy(tx, table.copy_merge, rows, "copying readings to merge").await?;
    tx.execute(table.merge, &[])
        .await
        .map_err(LoaderError::statement("merging readings"))?;
    Ok(())
}

/// The newest loaded reading of each device, in milliseconds of its wall clock.
pub(crate) async fn newest(
    client: &Client,
    table: &Table,
    devices: &[Uuid],
) -> Result<Vec<(Uuid, Option<i64>)>, LoaderError> {
    let rows = client
        .query(table.newest, &[&devices])
        .await
        .map_err(LoaderError::statement("looking up the newest readings"))?;
    Ok(rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                row.get::<_, Option<super::copying::LocalMillis>>(1)
                    .map(|at| at.0),
            )
        })
        .collect())
}
