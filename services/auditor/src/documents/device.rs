//! The readings of one device: what raw must hold of them by day, and which of them are dead letters of their own.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use bson::{RawBsonRef, RawDocument, RawDocumentBuf, doc};
use pulseline_clients::mongo::Database;
use pulseline_schemas::dead_letter::WHOLE;
use pulseline_schemas::pages::{Order, Pages, REACH_DAYS, STARTS};
use pulseline_sql::periods::DayNumber;

use super::checksum::{self, DAY_MS, DaySum, DaySums, Reading, day_of};
use super::expected::ExpectedDeadLetters;
use super::pages::{self, Reader};
use super::{Found, Readings};
use crate::error::AuditError;

/// Documents without a place in the order of windows, by device.
pub(super) type Others = BTreeMap<String, Vec<RawDocumentBuf>>;

/// What the documents of a device say, as far as they are read.
struct Device<'a> {
    readings: &'a Readings,
    found: &'a Found,
    days: &'a Range<DayNumber>,
    sums: DaySums,
}

/// What raw must hold of a device, by day. Documents come in the order of their windows, so that only the readings of a few days
/// are held at once.
pub(super) async fn device_sums(
    readings: &Readings,
    database: &Database,
    device: &str,
    (found, days, others): (&Found, &Range<DayNumber>, &Others),
    expected: &mut ExpectedDeadLetters<'_>,
) -> Result<BTreeMap<DayNumber, DaySum>, AuditError> {
    let collection = database.collection(readings.stream.collection());
    let mut of_device = pages::pages(Order::of(readings.stream))
        .matching(doc! { "device_id": device })
        .starting(windows_of(days));
    if is_whole(days) {
        of_device = of_device.without_others();
    }
    // Before all others, and their windows close no day.
    let others = others.get(device).into_iter().flatten();
    let mut device = Device {
        readings,
        found,
        days,
        sums: DaySums::default(),
    };
    for document in others {
        device.take(document, &mut |document, item| expected.expect(document, item))?;
    }
    let mut reader = Reader::new(collection, of_device);
    while let Some(reply) = reader.next().await? {
        for document in reply.documents()? {
            device.close_before(document);
            device.take(document, &mut |document, item| expected.expect(document, item))?;
        }
        expected.query_many().await?;
    }
    Ok(device.sums.close())
}

/// Documents without a place in the order of windows that are no dead letters, by device. Those that are must be dead letters.
/// Read once for all devices, and only where all days are compared, because no index holds them together.
pub(super) async fn read_others(
    readings: &Readings,
    database: &Database,
    (found, days): (&Found, &Range<DayNumber>),
    expected: &mut ExpectedDeadLetters<'_>,
) -> Result<Others, AuditError> {
    let mut others = Others::new();
    if !is_whole(days) {
        return Ok(others);
    }
    let collection = database.collection(readings.stream.collection());
    let mut reader = Reader::new(collection, Pages::others(Order::of(readings.stream)));
    while let Some(reply) = reader.next().await? {
        for document in reply.documents()? {
            if found.before.is_dead(document) {
                expected.expect(document, WHOLE);
            } else if let Ok(device) = document.get_str("device_id") {
                let of_device = others.entry(device.to_owned()).or_default();
                of_device.push(document.to_owned());
            }
        }
        expected.query_many().await?;
    }
    Ok(others)
}

fn is_whole(days: &Range<DayNumber>) -> bool {
    let windows = windows_of(days);
    windows.start() <= STARTS.start() && windows.end() >= STARTS.end()
}

impl Device<'_> {
    /// Closes the days that neither this document nor a later one in the order of windows reaches.
    fn close_before(&mut self, document: &RawDocument) {
        if let Ok(at) = document.get_datetime("created_at") {
            let starts_on = day_of(at.timestamp_millis());
            self.sums.close_before(starts_on.saturating_sub(REACH_DAYS));
        }
    }

    /// Adds the readings of a document, and tells the items that must be dead letters.
    fn take(
        &mut self,
        document: &RawDocument,
        expect: &mut dyn FnMut(&RawDocument, i32),
    ) -> Result<(), AuditError> {
        // A window is short: it lies in one day, or in two.
        let day = |name| -> Result<DayNumber, AuditError> {
            Ok(day_of(document.get_datetime(name)?.timestamp_millis()))
        };
        let ends = [day("created_at"), day("ended_at")];
        let found = self.found;
        // Its dead letters came with its accounting: they are looked up after it was read.
        let is_loaded_before = found.before.holds(document);
        if !is_loaded_before && found.before.is_dead(document) {
            expect(document, WHOLE);
        }
        let is_loaded = |day: &Result<DayNumber, AuditError>| {
            day.as_ref()
                .is_ok_and(|day| found.loaded_at(*day).holds(document))
        };
        if !is_loaded_before && !ends.iter().any(is_loaded) {
            return Ok(());
        }
        for (reading, is_kept) in upload(self.readings, document)? {
            if !is_kept {
                if is_loaded_before {
                    expect(document, i32::try_from(reading.seq).unwrap_or(i32::MAX));
                }
                continue;
            }
            let day = day_of(reading.local_ms);
            if self.days.contains(&day) && found.loaded_at(day).holds(document) {
                self.sums.add(reading);
            }
        }
        Ok(())
    }
}

/// Starts of the windows whose readings can lie on these days.
fn windows_of(days: &Range<DayNumber>) -> RangeInclusive<i64> {
    let from = i64::from(days.start) - i64::from(REACH_DAYS);
    from * DAY_MS..=i64::from(days.end) * DAY_MS
}

/// The readings of a document; false beside those outside the guards, which are dead letters of their own.
pub(super) fn upload(
    readings: &Readings,
    document: &RawDocument,
) -> Result<Vec<(Reading, bool)>, AuditError> {
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
        let is_in_range = readings.range.contains(&value)
            && confidence.is_none_or(|confidence| (0..=3).contains(&confidence));
        let is_kept = is_in_range && checksum::could_be_lived(local_ms, offset, synced_at);
        let event_id = Arc::clone(&event_id);
        let reading = Reading {
            local_ms,
            offset,
            synced_at,
            event_id,
            seq,
            value,
            confidence,
        };
        all.push((reading, is_kept));
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

#[cfg(test)]
mod tests {
    use bson::{DateTime, rawdoc};

    use super::*;
    use crate::documents::{Comparison, comparison};
    use crate::warehouse::Loaded;

    const DAY: DayNumber = 18_201;

    /// Steps of one minute of [`DAY`], in a window that starts then.
    fn steps(offset: i64, window_start_ms: i64) -> RawDocumentBuf {
        let at = DateTime::from_millis(i64::from(DAY) * DAY_MS + offset * 60_000);
        rawdoc! {
            "_id": offset.to_string(),
            "created_at": DateTime::from_millis(window_start_ms),
            "ended_at": at,
            "synced_at": at,
            "utc_offset_minutes": 0,
            "metrics": [{ "ts": at, "steps": 5 }],
            "kafka": { "topic": "fitbit.steps", "generation": 1, "partition": 0, "offset": offset },
        }
    }

    #[test]
    fn p_8_a_loaded_document_whose_window_is_impossible_counts_and_closes_no_day() {
        let Comparison::Readings(readings) = comparison(pulseline_schemas::Stream::Steps) else {
            panic!("steps are readings");
        };
        let found = Found {
            slices: BTreeMap::new(),
            before: Loaded::of_topic("fitbit.steps", "{[0,10)}"),
            days: 0..0,
        };
        let days = DAY..DAY + 1;
        let mut device = Device {
            readings: &readings,
            found: &found,
            days: &days,
            sums: DaySums::default(),
        };
        let mut expect = |_: &RawDocument, item| panic!("item {item} is no dead letter");
        for offset in 0..2 {
            // In the year 50,000.
            device
                .take(&steps(offset, 1_515_000_000_000_000), &mut expect)
                .unwrap();
        }
        for offset in 2..5 {
            let regular = steps(offset, i64::from(DAY) * DAY_MS);
            device.close_before(&regular);
            device.take(&regular, &mut expect).unwrap();
        }
        let sums = device.sums.close();
        assert_eq!(sums[&DAY].rows, 5);
    }
}
