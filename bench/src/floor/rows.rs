//! Readings as prepared rows of a binary COPY, and tables like raw's for them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, pin_mut};
use pulseline_schemas::{Event, LocalMillis, Readings, Stream, Upload};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::cohort::Cohort;

/// Rows of a COPY, as in the loader's batches.
pub(crate) const BATCH: usize = 20_000;
/// Header of the binary format: signature, flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Milliseconds from 1970 to PostgreSQL's epoch.
const EPOCH_2000_MS: i64 = 946_684_800_000;

/// The table of a stream of readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) stream: Stream,
    /// The column of the value.
    pub(crate) value: &'static str,
}

impl Table {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Stream::readings().map(|(stream, Readings { value, .. })| Self { stream, value })
    }

    pub(crate) fn of(stream: Stream) -> Option<Self> {
        Self::all().find(|table| table.stream == stream)
    }

    pub(crate) fn has_confidence(self) -> bool {
        self.stream == Stream::HeartRates
    }

    /// Its columns in the order of [`Row`].
    pub(crate) fn columns(self) -> String {
        let confidence = if self.has_confidence() { "confidence, " } else { "" };
        let value = self.value;
        format!("device_id, local_ts, utc_offset_minutes, {value}, {confidence}synced_at, event_id")
    }
}

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

    /// The greater version wins.
    pub(crate) const fn version(&self) -> (i64, Uuid) {
        (self.synced_at, self.event_id)
    }

    fn write(&self, has_confidence: bool, bytes: &mut BytesMut) {
        bytes.put_i16(6 + i16::from(has_confidence));
        bytes.put_i32(16);
        bytes.put_slice(self.device_id.as_bytes());
        millis(bytes, self.local_ts);
        small(bytes, self.utc_offset_minutes);
        if has_confidence {
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
    // The generator's values are far below the column's limit.
    bytes.put_i16(i16::try_from(value).unwrap_or(i16::MAX));
}

/// An event's rows and their table, if it has readings.
pub(crate) fn of_event(event: &Event) -> Option<(Table, Vec<Row>)> {
    let upload = event.upload()?;
    let row = |at: LocalMillis, value: i32, confidence: Option<i32>| row(upload, at.0, value, confidence);
    let rows = match event {
        Event::HeartRates(of) => of
            .samples
            .iter()
            .map(|s| row(s.ts, s.bpm, s.confidence))
            .collect(),
        Event::Steps(of) => of.samples.iter().map(|s| row(s.ts, s.steps, None)).collect(),
        Event::Distances(of) => of
            .samples
            .iter()
            .map(|s| row(s.ts, s.distance_mm, None))
            .collect(),
        Event::Calories(of) => of.samples.iter().map(|s| row(s.ts, s.millikcal, None)).collect(),
        Event::ActivityMinutes(_)
        | Event::HeartRateZones(_)
        | Event::RestingHeartRates(_)
        | Event::Sleeps(_)
        | Event::SleepScores(_)
        | Event::Exercises(_)
        | Event::Users(_) => return None,
    };
    Some((Table::of(event.stream())?, rows))
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

/// The newest of the rows with the same key: devices repeat readings in an upload, and a statement accepts a key
/// once.
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

/// Bytes of a COPY, prepared before the clock starts: the driver's own writer encodes while it sends.
pub(crate) fn binary(table: Table, rows: &[Row]) -> Bytes {
    let mut bytes = BytesMut::from(HEADER);
    for row in rows {
        row.write(table.has_confidence(), &mut bytes);
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

/// Creates empty hypertables like raw's, with chunks, keys, checks and columnstore, in the schema `bench`. Each
/// also has a continuous aggregate, because its hypertable records the change of every row.
pub(crate) async fn make_tables(client: &Client) -> Result<()> {
    client.batch_execute("create schema bench").await?;
    for Table { stream: table, .. } in Table::all() {
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

/// Drops the hypertables.
pub(crate) async fn drop_tables(client: &Client) -> Result<()> {
    Ok(client
        .batch_execute("drop schema if exists bench cascade")
        .await?)
}

/// Passes on a cohort's readings in batches of one table, in order of delivery; returns the time of writing and
/// their number.
pub(crate) async fn in_batches(
    cohort: &Cohort,
    mut write: impl AsyncFnMut(Table, Vec<Row>) -> Result<Duration>,
) -> Result<(Duration, u64)> {
    let (mut took, mut readings) = (Duration::ZERO, 0);
    let mut filling: [Vec<Row>; Stream::COUNT] = Default::default();
    for event in cohort.events()? {
        let Some((table, rows)) = of_event(&event) else {
            continue;
        };
        readings += rows.len() as u64;
        let filled = &mut filling[table.stream as usize];
        filled.extend(rows);
        if filled.len() >= BATCH {
            took += write(table, std::mem::take(filled)).await?;
        }
    }
    for table in Table::all() {
        took += write(table, std::mem::take(&mut filling[table.stream as usize])).await?;
    }
    Ok((took, readings))
}
