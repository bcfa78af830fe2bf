//! Compares raw with MongoDB: the documents' winners, by last upload, with the rows of raw (P8).

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use bson::{RawBsonRef, RawDocument, doc};
use pulseline_clients::mongo::Database;
use pulseline_schemas::Stream;
use pulseline_schemas::pages::Order;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient};

use crate::error::AuditError;
use crate::warehouse::Loaded;

mod checksum;
mod owners;
mod pages;
mod tables;
mod whole;

use checksum::{DAY_MS, DaySum, DaySums, Reading, day_of};
pub(crate) use owners::compare_owners;
pub(crate) use tables::Table;
pub(crate) use whole::compare_whole;

/// Readings of a document lie less than so many days after the start of its window.
const REACH_DAYS: DayNumber = 7;
/// Days that one statement sums up.
const SLICE_DAYS: DayNumber = 28;

/// A device's day.
type DeviceDay = (String, DayNumber);

/// How the rows of a stream are compared with its documents.
pub(crate) enum Comparison {
    /// By sums of days.
    Readings(Readings),
    /// Row by row.
    Table(Table),
    /// Who owns a device when, with every version of a profile.
    Owners,
}

/// A stream of many small readings: value and confidence columns, named as in a document, and the value's range.
pub(crate) struct Readings {
    pub(crate) stream: Stream,
    value: &'static str,
    confidence: Option<&'static str>,
    range: RangeInclusive<i32>,
}

/// Everything of raw that is compared.
pub(crate) fn comparisons() -> impl Iterator<Item = Comparison> {
    let streams = Stream::ALL.into_iter().map(comparison);
    streams.chain([Comparison::Owners])
}

/// Written independently of the loader: one mistake must not hide in both.
fn comparison(stream: Stream) -> Comparison {
    let readings = |value, confidence, range| {
        Comparison::Readings(Readings {
            stream,
            value,
            confidence,
            range,
        })
    };
    match stream {
        Stream::HeartRates => readings("bpm", Some("confidence"), 20..=250),
        Stream::Steps => readings("steps", None, 0..=1_000),
        Stream::Distances => readings("distance_mm", None, 0..=5_000_000),
        Stream::Calories => readings("millikcal", None, 0..=100_000),
        Stream::ActivityMinutes => Comparison::Table(tables::activity_minutes()),
        Stream::HeartRateZones => Comparison::Table(tables::heart_rate_zones()),
        Stream::RestingHeartRates => Comparison::Table(tables::resting_heart_rates()),
        Stream::Sleeps => Comparison::Table(tables::sleeps()),
        Stream::SleepScores => Comparison::Table(tables::sleep_scores()),
        Stream::Exercises => Comparison::Table(tables::exercises()),
        Stream::Users => Comparison::Table(tables::users()),
    }
}

impl Comparison {
    /// The table of raw that is compared.
    pub(crate) fn relation(&self) -> &'static str {
        match self {
            Self::Readings(readings) => readings.stream.raw_table(),
            Self::Table(table) => table.stream.raw_table(),
            Self::Owners => owners::RELATION,
        }
    }
}

/// Sums over raw, each with what was loaded in the very snapshot that it was taken in.
struct Found {
    /// By the first day of each slice.
    slices: BTreeMap<DayNumber, (BTreeMap<DeviceDay, DaySum>, Loaded)>,
    /// Before the days were fixed: what is loaded outside of them must have been in raw then.
    before: Loaded,
    days: Range<DayNumber>,
}

impl Found {
    /// What was loaded when the sums of `day` were taken.
    fn loaded_at(&self, day: DayNumber) -> &Loaded {
        let slice = self.slices.range(..=day).next_back();
        match slice {
            Some((_, (_, loaded))) if self.days.contains(&day) => loaded,
            _ => &self.before,
        }
    }

    fn take(&mut self, key: &DeviceDay) -> DaySum {
        let mut slices = self.slices.range_mut(..=key.1);
        slices
            .next_back()
            .and_then(|(_, (sums, _))| sums.remove(key))
            .unwrap_or_default()
    }
}

/// Which days are compared.
pub(crate) struct Compared<'a> {
    /// Days of raw that have anything, cut to what is compared.
    pub(crate) days: &'a Range<DayNumber>,
    /// Days that documents are read of. When these are more, a document's reading on one of them is one that raw lacks.
    pub(crate) of_documents: &'a Range<DayNumber>,
    /// What was loaded before the days were fixed.
    pub(crate) before: Loaded,
}

/// Compares counts and checksums per device and day. Documents in flight are left out, and readings may keep arriving: rows
/// and accounting are read in one snapshot, which determines the documents it must hold.
pub(crate) async fn compare(
    readings: &Readings,
    database: &Database,
    client: &mut Client,
    compared: Compared<'_>,
) -> Result<Vec<String>, AuditError> {
    let mut found = raw_sums(readings, client, compared.days, compared.before).await?;
    let mut differences = Vec::new();
    let table = readings.stream.raw_table();
    let collection = database.collection(readings.stream.collection());
    for device in collection.distinct("device_id").await? {
        let Some(device) = device.as_str() else { continue };
        for (day, expected) in
            device_sums(readings, database, device, (&found, compared.of_documents)).await?
        {
            let actual = found.take(&(device.to_owned(), day));
            if actual != expected {
                differences.push(format!(
                    "{table} {device} {}: {} rows with checksum {}, but MongoDB's documents give {} rows with {}",
                    date_of(day),
                    actual.rows,
                    actual.checksum,
                    expected.rows,
                    expected.checksum
                ));
            }
        }
    }
    for ((device, day), sum) in found.slices.into_values().flat_map(|(sums, _)| sums) {
        differences.push(format!(
            "{table} {device} {}: {} rows without any document in MongoDB",
            date_of(day),
            sum.rows
        ));
    }
    Ok(differences)
}

async fn raw_sums(
    readings: &Readings,
    client: &mut Client,
    days: &Range<DayNumber>,
    before: Loaded,
) -> Result<Found, AuditError> {
    let mut slices = BTreeMap::new();
    let mut start = days.start;
    while start < days.end {
        let end = (start + SLICE_DAYS).min(days.end);
        let sql = checksum::statement(
            readings.stream.raw_table(),
            readings.value,
            readings.confidence.unwrap_or("null::int"),
            (&date_of(start).to_string(), &date_of(end).to_string()),
        );
        let snapshot = client.snapshot().await?;
        let loaded = Loaded::read(&snapshot, readings.stream.topic()).await?;
        let rows = snapshot.query(&sql, &[]).await?;
        snapshot.rollback().await?;
        let sums = rows.iter().map(|row| {
            let sum = DaySum {
                rows: row.get(2),
                checksum: row.get(3),
            };
            ((row.get(0), row.get(1)), sum)
        });
        slices.insert(start, (sums.collect(), loaded));
        start = end;
    }
    Ok(Found {
        slices,
        before,
        days: days.clone(),
    })
}

/// What raw must hold of a device, by day. Documents come in the order of their windows, so that only the readings of a few days
/// are held at once.
async fn device_sums(
    readings: &Readings,
    database: &Database,
    device: &str,
    (found, days): (&Found, &Range<DayNumber>),
) -> Result<BTreeMap<DayNumber, DaySum>, AuditError> {
    let collection = database.collection(readings.stream.collection());
    let of_device = pages::pages(Order::of(readings.stream))
        .matching(doc! { "device_id": device })
        .starting(windows_of(days));
    let mut sums = DaySums::default();
    let take = |document: &RawDocument| {
        // A window is short: it lies in one day, or in two.
        let day = |name| -> Result<DayNumber, AuditError> {
            Ok(day_of(document.get_datetime(name)?.timestamp_millis()))
        };
        let ends = [day("created_at"), day("ended_at")];
        if let [Ok(starts_on), _] = ends {
            sums.close_before(starts_on.saturating_sub(REACH_DAYS));
        }
        let is_loaded = |day: &Result<DayNumber, AuditError>| {
            day.as_ref()
                .is_ok_and(|day| found.loaded_at(*day).holds(document))
        };
        if !ends.iter().any(is_loaded) {
            return Ok(());
        }
        for reading in upload(readings, document)? {
            let day = day_of(reading.local_ms);
            if days.contains(&day) && found.loaded_at(day).holds(document) {
                sums.add(reading);
            }
        }
        Ok(())
    };
    pages::read(&collection, of_device, take).await?;
    Ok(sums.close())
}

/// Starts of the windows whose readings can lie on these days.
fn windows_of(days: &Range<DayNumber>) -> RangeInclusive<i64> {
    let from = i64::from(days.start) - i64::from(REACH_DAYS);
    from * DAY_MS..=i64::from(days.end) * DAY_MS
}

/// The readings of a loaded document that are inside the guards; the others are dead letters of their own.
fn upload(readings: &Readings, document: &RawDocument) -> Result<Vec<Reading>, AuditError> {
    let synced_at = document.get_datetime("synced_at")?.timestamp_millis();
    let offset = document.get_i32("utc_offset_minutes")?;
    let event_id: Arc<str> = document.get_str("_id")?.into();
    let mut all = Vec::new();
    for (seq, metric) in document.get_array("metrics")?.into_iter().enumerate() {
        let metric = metric?;
        let metric = metric
            .as_document()
            .ok_or_else(|| AuditError::Unexpected("a metric is not a document".into()))?;
        let local_ms = metric.get_datetime("ts")?.timestamp_millis();
        let value = metric.get_i32(readings.value)?;
        let confidence = confidence(readings, metric)?;
        let is_kept = readings.range.contains(&value)
            && confidence.is_none_or(|confidence| (0..=3).contains(&confidence));
        if is_kept && checksum::could_be_lived(local_ms, offset, synced_at) {
            let event_id = Arc::clone(&event_id);
            all.push(Reading {
                local_ms,
                offset,
                synced_at,
                event_id,
                seq,
                value,
                confidence,
            });
        }
    }
    Ok(all)
}

fn confidence(readings: &Readings, metric: &RawDocument) -> Result<Option<i32>, AuditError> {
    let found = readings.confidence.map(|name| metric.get(name)).transpose()?;
    match found.flatten() {
        None | Some(RawBsonRef::Null) => Ok(None),
        Some(RawBsonRef::Int32(confidence)) => Ok(Some(confidence)),
        Some(other) => Err(AuditError::Unexpected(format!("a confidence is {other:?}"))),
    }
}
