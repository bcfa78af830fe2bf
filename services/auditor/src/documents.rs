//! Compares raw with MongoDB: the documents' winners, by last upload, with the rows of raw (P8).

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use bson::RawDocument;
use pulseline_clients::mongo::Database;
use pulseline_schemas::Stream;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_sql::{Client, GenericClient, documents};

use crate::error::AuditError;
use crate::warehouse::Loaded;

mod checksum;
mod dead_letters;
mod device;
mod expected;
mod origins;
mod owners;
mod pages;
mod tables;
mod whole;

use checksum::DaySum;
pub(crate) use dead_letters::compare_dead_letters;
use expected::ExpectedDeadLetters;
pub(crate) use owners::compare_owners;
pub(crate) use tables::Table;
pub(crate) use whole::compare_whole;

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
    /// Dead letters.
    DeadLetters,
}

/// A stream of many small readings: value and confidence columns, named as in a document, and the value's range.
pub(crate) struct Readings {
    pub(crate) stream: Stream,
    value: &'static str,
    confidence: Option<&'static str>,
    range: RangeInclusive<i32>,
}

/// Everything of raw that is compared, and the dead letters beside it.
pub(crate) fn comparisons() -> impl Iterator<Item = Comparison> {
    let streams = Stream::ALL.into_iter().map(comparison);
    streams.chain([Comparison::Owners, Comparison::DeadLetters])
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
    /// The table that is compared.
    pub(crate) fn relation(&self) -> &'static str {
        match self {
            Self::Readings(readings) => readings.stream.raw_table(),
            Self::Table(table) => table.stream.raw_table(),
            Self::Owners => owners::RELATION,
            Self::DeadLetters => origins::RELATION,
        }
    }

    /// For each item of a document whether it is inside the guards; the others are dead letters of their own. None where a
    /// document is one row.
    fn kept_items(&self, document: &RawDocument) -> Result<Vec<bool>, AuditError> {
        match self {
            Self::Readings(readings) => {
                let all = device::upload(readings, document)?;
                Ok(all.into_iter().map(|(_, is_kept)| is_kept).collect())
            }
            Self::Table(table) => whole::kept_items(table, document),
            Self::Owners | Self::DeadLetters => Ok(Vec::new()),
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
/// and accounting are read in one snapshot, which determines the documents it must hold. The same pass finds the dead letters that
/// these documents must have.
pub(crate) async fn compare(
    readings: &Readings,
    database: &Database,
    client: &mut Client,
    compared: Compared<'_>,
) -> Result<Vec<String>, AuditError> {
    if compared.of_documents.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = raw_sums(readings, client, compared.days, compared.before).await?;
    let mut differences: Vec<(DayNumber, String)> = Vec::new();
    let mut dead_letters = ExpectedDeadLetters::new(readings.stream, database, client);
    let table = readings.stream.raw_table();
    let collection = database.collection(readings.stream.collection());
    let scope = (&found, compared.of_documents);
    let others = device::read_others(readings, database, scope, &mut dead_letters).await?;
    for device in collection.distinct("device_id").await? {
        let Some(device) = device.as_str() else { continue };
        let scope = (&found, compared.of_documents, &others);
        let sums = device::device_sums(readings, database, device, scope, &mut dead_letters);
        for (day, expected) in sums.await? {
            let actual = found.take(&(device.to_owned(), day));
            if actual != expected {
                let said = format!(
                    "{table} {device} {}: {} rows with checksum {}, but MongoDB's documents give {} rows with {}",
                    date_of(day),
                    actual.rows,
                    actual.checksum,
                    expected.rows,
                    expected.checksum
                );
                differences.push((day, said));
            }
        }
    }
    for ((device, day), sum) in found.slices.into_values().flat_map(|(sums, _)| sums) {
        let said = format!(
            "{table} {device} {}: {} rows without any document in MongoDB",
            date_of(day),
            sum.rows
        );
        differences.push((day, said));
    }
    let missing = dead_letters.missing().await?;
    // Documents may have been removed meanwhile: the floor was raised before.
    let floor = documents::floor(client).await?.unwrap_or(DayNumber::MIN);
    differences.retain(|(day, _)| *day >= floor);
    Ok(differences
        .into_iter()
        .map(|(_, said)| said)
        .chain(missing)
        .collect())
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
