//! Uploads of steps.

use std::sync::Arc;

use bson::RawDocument;

use super::fields::{Fields, as_integer, as_millis};
use super::readings::{self, Reading};
use super::{Mapped, Origin, Refusal, guard};

pub(super) fn map(fields: &Fields<'_>, origin: &Arc<Origin>, now: i64) -> Result<Mapped, Refusal> {
    readings::map(fields, origin, now, read, |reading| {
        guard::value("steps", reading.value, &guard::STEPS)
    })
}

fn read(item: u32, metric: &RawDocument) -> Result<Reading, Refusal> {
    let (mut ts, mut steps) = (None, None);
    for field in metric {
        let (key, value) = field.map_err(|error| Refusal::unmappable(error.to_string()))?;
        match key.as_str() {
            "ts" => ts = Some(as_millis("ts", value)?),
            "steps" => steps = Some(as_integer("steps", value)?),
            _ => {}
        }
    }
    match (ts, steps) {
        (Some(local_ts), Some(value)) => Ok(Reading {
            local_ts,
            item,
            value,
            confidence: 0,
        }),
        _ => Err(Refusal::unmappable("ts or steps is missing")),
    }
}
