//! Uploads of heart rates.

use std::sync::Arc;

use bson::RawDocument;

use super::fields::{Fields, as_integer, as_millis};
use super::readings::{self, Reading};
use super::{Mapped, Origin, Refusal, guard};

pub(super) fn map(fields: &Fields<'_>, origin: &Arc<Origin>, now: i64) -> Result<Mapped, Refusal> {
    readings::map(fields, origin, now, read, |reading| {
        guard::value("bpm", reading.value, &guard::BPM)?;
        guard::value("confidence", i32::from(reading.confidence), &guard::CONFIDENCE)
    })
}

fn read(item: u32, metric: &RawDocument) -> Result<Reading, Refusal> {
    let (mut ts, mut bpm, mut confidence) = (None, None, None);
    // One pass: this runs for every reading of the busiest stream.
    for field in metric {
        let (key, value) = field.map_err(|error| Refusal::unmappable(error.to_string()))?;
        match key.as_str() {
            "ts" => ts = Some(as_millis("ts", value)?),
            "bpm" => bpm = Some(as_integer("bpm", value)?),
            "confidence" => confidence = Some(as_integer::<i64>("confidence", value)?),
            _ => {}
        }
    }
    match (ts, bpm, confidence) {
        (Some(local_ts), Some(value), Some(confidence)) => {
            // Too wide for the column is far outside the guard: that reading's letter, not the upload's.
            let confidence = i16::try_from(confidence).unwrap_or(i16::MAX);
            Ok(Reading {
                local_ts,
                item,
                value,
                confidence,
            })
        }
        _ => Err(Refusal::unmappable("ts, bpm or confidence is missing")),
    }
}
