//! Uploads of readings: what heart rates and steps have in common.

use std::sync::Arc;

use bson::RawBsonRef;
use uuid::Uuid;

use super::fields::{Fields, wrong};
use super::{Mapped, Origin, Refusal, Rows, guard};
use crate::letter::Letter;

/// One reading, as wide as its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Wall clock, in milliseconds as if it were UTC.
    pub(crate) local_ts: i64,
    /// Its place in the document's array: the last in the array wins a tie.
    pub(crate) item: u32,
    /// Beats per minute, or steps.
    pub(crate) value: i32,
    /// Confidence, where the stream has one.
    pub(crate) confidence: i16,
}

/// The readings of one upload that are inside the guards.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadingsUpload {
    pub(crate) device_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) synced_at: i64,
    pub(crate) utc_offset_minutes: i16,
    pub(crate) readings: Vec<Reading>,
    pub(crate) origin: Arc<Origin>,
}

/// Reads the envelope, then every reading by `read`; those outside the guards become letters of their own.
pub(super) fn map(
    fields: &Fields<'_>,
    origin: &Arc<Origin>,
    now: i64,
    read: impl Fn(u32, &bson::RawDocument) -> Result<Reading, Refusal>,
    check: impl Fn(&Reading) -> Result<(), Refusal>,
) -> Result<Mapped, Refusal> {
    fields.position()?;
    let synced_at = guard::synced_at(fields.millis("synced_at")?)?;
    let mut upload = ReadingsUpload {
        device_id: fields.uuid("device_id")?,
        event_id: fields.uuid("_id")?,
        synced_at,
        utc_offset_minutes: guard::offset("utc_offset_minutes", fields.integer("utc_offset_minutes")?)?,
        readings: Vec::with_capacity(180),
        origin: Arc::clone(origin),
    };
    let mut letters = Vec::new();
    for (item, element) in (0_u32..).zip(fields.array("metrics")?) {
        let element = element.map_err(|error| Refusal::unmappable(format!("metrics[{item}]: {error}")))?;
        let RawBsonRef::Document(document) = element else {
            return Err(wrong(&format!("metrics[{item}]"), "a document"));
        };
        let reading = read(item, document).map_err(|refusal| Refusal {
            detail: format!("metrics[{item}]: {}", refusal.detail),
            ..refusal
        })?;
        let in_time = guard::local_time("ts", reading.local_ts, upload.utc_offset_minutes, synced_at);
        match in_time.and_then(|()| check(&reading)) {
            Ok(()) => upload.readings.push(reading),
            Err(refusal) => {
                let item = i32::try_from(item).unwrap_or(i32::MAX);
                letters.push(Letter::about(
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
    mapped.letters = letters;
    Ok(mapped)
}
