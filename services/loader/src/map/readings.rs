//! Uploads of minute and second readings: the high-volume streams, with one value per reading.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bson::{RawBsonRef, RawDocument};

use super::fields::{Fields, as_integer, as_millis, wrong};
use super::guard;
use super::mapped::Mapped;
use crate::dead_letter::DeadLetter;
use crate::document::{Origin, Reading, ReadingsUpload, Refusal, Rows};

/// Approximate size of a reading in a document, to allocate once.
const METRIC_BYTES: usize = 40;

/// Width of the value's column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Int2,
    Int4,
}

/// How the samples of a stream become rows.
#[derive(Debug)]
pub(crate) struct Readings {
    pub(crate) table: &'static str,
    /// Name of the value, in documents and in the table.
    pub(crate) value: &'static str,
    pub(crate) width: Width,
    pub(crate) has_confidence: bool,
    /// Others become dead letters, one per reading.
    pub(crate) range: RangeInclusive<i32>,
}

/// Reads the envelope, then every reading; readings outside the guards become separate dead letters.
pub(super) fn map(
    stream: &Readings,
    fields: &Fields<'_>,
    origin: &Arc<Origin>,
    now: i64,
) -> Result<Mapped, Refusal> {
    fields.position()?;
    let synced_at = guard::synced_at(fields.millis("synced_at")?)?;
    let metrics = fields.array("metrics")?;
    let mut upload = ReadingsUpload {
        device_id: fields.uuid("device_id")?,
        event_id: fields.uuid("_id")?,
        synced_at,
        utc_offset_minutes: guard::offset("utc_offset_minutes", fields.integer("utc_offset_minutes")?)?,
        readings: Vec::with_capacity(metrics.as_bytes().len() / METRIC_BYTES + 1),
        origin: Arc::clone(origin),
    };
    let mut dead_letters = Vec::new();
    for (item, element) in (0_u32..).zip(metrics) {
        let element = element.map_err(|error| Refusal::unmappable(format!("metrics[{item}]: {error}")))?;
        let RawBsonRef::Document(document) = element else {
            return Err(wrong(&format!("metrics[{item}]"), "a document"));
        };
        let reading = read(stream, item, document).map_err(|refusal| Refusal {
            detail: format!("metrics[{item}]: {}", refusal.detail),
            ..refusal
        })?;
        let in_time = guard::local_time("ts", reading.local_ts, upload.utc_offset_minutes, synced_at);
        match in_time.and_then(|()| check(stream, &reading)) {
            Ok(()) => upload.readings.push(reading),
            Err(refusal) => {
                let item = i32::try_from(item).unwrap_or(i32::MAX);
                dead_letters.push(DeadLetter::about(
                    origin,
                    item,
                    &refusal,
                    Some(document.as_bytes().to_vec()),
                    now,
                ));
            }
        }
    }
    let mut mapped = Mapped::loaded(Rows::Readings(upload), origin);
    mapped.dead_letters = dead_letters;
    Ok(mapped)
}

fn read(stream: &Readings, item: u32, metric: &RawDocument) -> Result<Reading, Refusal> {
    let (mut ts, mut value, mut confidence) = (None, None, None);
    // One pass: this runs for every reading of the busiest streams.
    for field in metric {
        let (key, found) = field.map_err(|error| Refusal::unmappable(error.to_string()))?;
        match key.as_str() {
            "ts" => ts = Some(as_millis("ts", found)?),
            "confidence" if stream.has_confidence && found != RawBsonRef::Null => {
                // Too wide for the column means far outside the guard: a dead letter for that reading, not for the upload.
                let wide: i64 = as_integer("confidence", found)?;
                confidence = Some(i16::try_from(wide).unwrap_or(i16::MAX));
            }
            name if name == stream.value => value = Some(as_integer(stream.value, found)?),
            _ => {}
        }
    }
    match (ts, value) {
        (Some(local_ts), Some(value)) => Ok(Reading {
            local_ts,
            item,
            value,
            confidence,
        }),
        _ => Err(Refusal::unmappable(format!("ts or {} is missing", stream.value))),
    }
}

fn check(stream: &Readings, reading: &Reading) -> Result<(), Refusal> {
    guard::value(stream.value, reading.value, &stream.range)?;
    reading.confidence.map_or(Ok(()), |confidence| {
        guard::value("confidence", i32::from(confidence), &guard::CONFIDENCE)
    })
}
