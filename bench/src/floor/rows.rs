//! Readings as ready rows of a binary COPY, and tables like raw's to put them into.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, pin_mut};
use pulseline_schemas::{Event, Upload};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::cohort::Cohort;

/// Rows of a COPY, as the loader's batches.
pub(crate) const BATCH: usize = 20_000;
/// Tables of readings, and the column of their value.
pub(crate) const TABLES: [(&str, &str); 4] = [
    ("heart_rates", "bpm"),
    ("steps", "steps"),
    ("distances", "distance_mm"),
    ("calories", "millikcal"),
];
/// Of the binary format: signature, flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Milliseconds from 1970 to PostgreSQL's epoch.
const EPOCH_2000_MS: i64 = 946_684_800_000;

/// A reading as a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    device_id: Uuid,
    local_ts: i64,
    utc_offset_minutes: i32,
    value: i32,
    confidence: Option<i32>,
    synced_at: i64,
    event_id: Uuid,
}

impl Row {
    pub(crate) const fn key(&self) -> (Uuid, i64, i32) {
        (self.device_id, self.local_ts, self.utc_offset_minutes)
    }

    /// The greater one wins.
    pub(crate) const fn version(&self) -> (i64, Uuid) {
        (self.synced_at, self.event_id)
    }

    fn write(&self, table: usize, bytes: &mut BytesMut) {
        let has_confidence = table == 0;
        bytes.put_i16(6 + i16::from(has_confidence));
        bytes.put_i32(16);
        bytes.put_slice(self.device_id.as_bytes());
        millis(bytes, self.local_ts);
        small(bytes, self.utc_offset_minutes);
        if table == 0 {
            small(bytes, self.value);
            match self.confidence {
                Some(confidence) => small(bytes, confidence),
                None => bytes.put_i32(-1),
            }
        } else {
            bytes.put_i32(4);
            bytes.put_i32(self.value);
        }
        millis(bytes, self.synced_at);
        bytes.put_i32(16);
        bytes.put_slice(self.event_id.as_bytes());
    }
}

fn millis(bytes: &mut BytesMut, millis: i64) {
    bytes.put_i32(8);
    bytes.put_i64((millis - EPOCH_2000_MS) * 1_000);
}

fn small(bytes: &mut BytesMut, value: i32) {
    bytes.put_i32(2);
    // The generator's values are far below what the column holds.
    bytes.put_i16(i16::try_from(value).unwrap_or(i16::MAX));
}

/// The columns of a table in the order of [`Row`].
pub(crate) fn columns(table: usize) -> String {
    let value = TABLES[table].1;
    let confidence = if table == 0 { "confidence, " } else { "" };
    format!("device_id, local_ts, utc_offset_minutes, {value}, {confidence}synced_at, event_id")
}

/// An event's rows and their table, if it carries readings.
pub(crate) fn of_event(event: &Event) -> Option<(usize, Vec<Row>)> {
    let upload = event.upload()?;
    let row = |at: i64, value: i32, confidence: Option<i32>| row(upload, at, value, confidence);
    let (table, rows) = match event {
        Event::HeartRates(of) => (
            0,
            of.samples
                .iter()
                .map(|s| row(s.ts.0, s.bpm, s.confidence))
                .collect(),
        ),
        Event::Steps(of) => (1, of.samples.iter().map(|s| row(s.ts.0, s.steps, None)).collect()),
        Event::Distances(of) => (
            2,
            of.samples
                .iter()
                .map(|s| row(s.ts.0, s.distance_mm, None))
                .collect(),
        ),
        Event::Calories(of) => (
            3,
            of.samples
                .iter()
                .map(|s| row(s.ts.0, s.millikcal, None))
                .collect(),
        ),
        _ => return None,
    };
    Some((table, rows))
}

const fn row(upload: &Upload, local_ts: i64, value: i32, confidence: Option<i32>) -> Row {
    Row {
        device_id: upload.device_id,
        local_ts,
        utc_offset_minutes: upload.utc_offset_minutes,
        value,
        confidence,
        synced_at: upload.synced_at.0,
        event_id: upload.event_id,
    }
}

/// Of rows with the same key the newest: devices repeat readings in one upload, and a statement takes a key once.
pub(crate) fn distinct(rows: Vec<Row>) -> Vec<Row> {
    let mut places: HashMap<_, usize> = HashMap::with_capacity(rows.len());
    let mut distinct: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = *places.entry(row.key()).or_insert(distinct.len());
        match distinct.get_mut(place) {
            None => distinct.push(row),
            Some(kept) if row.version() > kept.version() => *kept = row,
            Some(_) => {}
        }
    }
    distinct
}

/// A COPY's bytes, ready before the clock starts: the driver's own writer encodes while it sends.
pub(crate) fn binary(table: usize, rows: &[Row]) -> Bytes {
    let mut bytes = BytesMut::from(HEADER);
    for row in rows {
        row.write(table, &mut bytes);
    }
    bytes.put_i16(-1);
    bytes.freeze()
}

/// Sends a COPY; `target` names table and columns.
pub(crate) async fn copy(client: &Client, target: &str, rows: Bytes) -> Result<()> {
    let sink = client
        .copy_in(&format!("copy {target} from stdin with (format binary)"))
        .await?;
    pin_mut!(sink);
    sink.send(rows).await?;
    sink.finish().await?;
    Ok(())
}

/// Makes empty hypertables like raw's, with its chunks, keys, checks and columnstore, in the schema `bench`. Each has a
/// continuous aggregate too: a hypertable that has one takes a note of every row.
pub(crate) async fn make_tables(client: &Client) -> Result<()> {
    client.batch_execute("create schema bench").await?;
    for (table, _) in TABLES {
        let make = format!(
            "create table bench.{table} (like raw.{table} including all); \
             select create_hypertable('bench.{table}', by_range('local_ts', interval '1 day'), create_default_indexes => false); \
             alter table bench.{table} set (timescaledb.enable_columnstore, timescaledb.segmentby = 'device_id', \
                 timescaledb.orderby = 'local_ts, utc_offset_minutes')"
        );
        client.batch_execute(&make).await?;
        let figures = format!(
            "create materialized view bench.{table}_1d with (timescaledb.continuous) as \
             select time_bucket(interval '1 day', local_ts) as bucket, count(*) as readings from bench.{table} group by 1 with no data"
        );
        client.batch_execute(&figures).await?;
    }
    Ok(())
}

/// Drops them.
pub(crate) async fn drop_tables(client: &Client) -> Result<()> {
    Ok(client
        .batch_execute("drop schema if exists bench cascade")
        .await?)
}

/// Hands a cohort's readings over in batches of one table, in the order in which they are delivered; gives the time that
/// writing took, and how many there were.
pub(crate) async fn in_batches(
    cohort: &Cohort,
    mut write: impl AsyncFnMut(usize, Vec<Row>) -> Result<Duration>,
) -> Result<(Duration, u64)> {
    let (mut took, mut readings) = (Duration::ZERO, 0);
    let mut filling: [Vec<Row>; TABLES.len()] = Default::default();
    for event in cohort.events()? {
        let Some((table, rows)) = of_event(&event) else {
            continue;
        };
        readings += rows.len() as u64;
        filling[table].extend(rows);
        if filling[table].len() >= BATCH {
            took += write(table, std::mem::take(&mut filling[table])).await?;
        }
    }
    for (table, rows) in filling.into_iter().enumerate() {
        took += write(table, rows).await?;
    }
    Ok((took, readings))
}
