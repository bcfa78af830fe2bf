//! Documents of the reference store: one per device and window, with their own ids and times in epoch seconds.

use pulseline_schemas::{HeartRate, Step};
use serde::Deserialize;
use serde_json::Value;

use super::{Context, Out, Reading, Sample, Unknown, parse, sleep};
use crate::family::Family;
use crate::identity::given_id;
use crate::value::{Number, Refusal, Stamp};

#[derive(Debug, Deserialize)]
struct Bucket {
    device_id: Option<Value>,
    metrics: Option<Vec<Metric>>,
}

#[derive(Debug, Deserialize)]
struct Metric {
    #[serde(default)]
    ts: Stamp,
    #[serde(default)]
    bpm: Number,
    #[serde(default)]
    confidence: Number,
    #[serde(default)]
    steps: Number,
    #[serde(flatten)]
    unknown: Unknown,
}

pub(super) fn samples(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    context.progress.owner = None;
    let bucket: Bucket = parse(bytes)?;
    own(context, bucket.device_id.as_ref())?;
    let metrics = bucket.metrics.ok_or_else(|| Refusal::missing("metrics"))?;
    for (index, metric) in (0..).zip(metrics) {
        if let Err(refusal) = sample(context, metric, out) {
            out.refusals.push((index, refusal));
        }
    }
    Ok(())
}

fn sample(context: &mut Context<'_>, metric: Metric, out: &mut Out) -> Result<(), Refusal> {
    let stamp = metric.ts.required("ts")?;
    let is_heart_rate = context.family == Family::StoreHeartRates;
    let (number, name) = if is_heart_rate {
        (metric.bpm, "bpm")
    } else {
        (metric.steps, "steps")
    };
    let number = number.count(name)?.ok_or_else(|| Refusal::missing(name))?;
    let confidence = metric.confidence.count("confidence")?;
    let at = context.clock()?.reading(stamp);
    let ts = at.local;
    let sample = if is_heart_rate {
        Sample::HeartRate(HeartRate {
            ts,
            bpm: number,
            confidence,
        })
    } else {
        Sample::Step(Step { ts, steps: number })
    };
    let unknown = (!metric.unknown.is_empty()).then(|| Box::new(metric.unknown));
    context.push(out, Reading::Sample { at, sample, unknown })
}

/// A document that is a log, or whose `metrics` are logs.
pub(super) fn sleep(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Nights {
        device_id: Option<Value>,
        metrics: Option<Vec<Value>>,
    }

    context.progress.owner = None;
    let nights: Nights = parse(bytes)?;
    own(context, nights.device_id.as_ref())?;
    let Some(logs) = nights.metrics else {
        return sleep::carry(context, parse(bytes)?, out);
    };
    for (index, log) in (0..).zip(logs) {
        let log = serde_json::from_value(log).map_err(|error| Refusal::new("shape", error.to_string()));
        if let Err(refusal) = log.and_then(|log| sleep::carry(context, log, out)) {
            out.refusals.push((index, refusal));
        }
    }
    Ok(())
}

fn own(context: &mut Context<'_>, device: Option<&Value>) -> Result<(), Refusal> {
    let device = device
        .and_then(id_text)
        .ok_or_else(|| Refusal::missing("device_id"))?;
    let device = given_id(&device);
    context.progress.owner = Some((context.people.owning(device), device));
    Ok(())
}

/// The text of an id: plain, or mongoexport's `{"$oid": …}` or `{"$uuid": …}`.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(fields) => fields
            .get("$oid")
            .or_else(|| fields.get("$uuid"))
            .and_then(id_text),
        _ => None,
    }
}
