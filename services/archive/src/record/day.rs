//! Files with one record per day: minutes by level, resting heart rate, minutes by heart-rate zone.

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{ActivityMinute, LocalDay, LocalMillis, RestingHeartRate, ZoneMinutes};
use serde_json::{Map, Value};

use super::dated::Dated;
use super::{Context, Out, Reading, Sample, Unknown, parse};
use crate::value::{Number, Refusal, Stamp};

pub(super) fn activity(
    context: &mut Context<'_>,
    level: &str,
    bytes: &[u8],
    out: &mut Out,
) -> Result<(), Refusal> {
    let mut record: Dated<Number> = parse(bytes)?;
    let local_date = day_of(record.at()?)?;
    let minutes = record.take_value()?.count("value")?;
    let sample = Sample::ActivityMinute(ActivityMinute {
        local_date,
        level: level.to_owned(),
        minutes: minutes.ok_or_else(|| Refusal::missing("value"))?,
    });
    push_day(context, out, local_date, sample, record.unknown)
}

/// A day without an estimate has the value 0 and no date; it gives no row.
pub(super) fn resting_heart_rate(
    context: &mut Context<'_>,
    bytes: &[u8],
    out: &mut Out,
) -> Result<(), Refusal> {
    let mut record: Dated<Value> = parse(bytes)?;
    let mut unknown = record.unknown.take().unwrap_or_default();
    let outer = record.at();
    // Nested as Fitbit writes it, or flat.
    let mut said = match record.take_value() {
        Ok(Value::Object(said)) => said,
        Ok(value) => {
            let mut said = std::mem::take(&mut *unknown);
            said.insert("value".into(), value);
            said
        }
        Err(_) => std::mem::take(&mut *unknown),
    };
    let date: Stamp = take(&mut said, "date")?;
    let value: Number = take(&mut said, "value")?;
    let error: Number = take(&mut said, "error")?;
    let bpm = value.decimal("value")?.unwrap_or_default();
    if bpm == 0.0 {
        out.sentinels += 1;
        return Ok(());
    }
    let local_date = match date.day("date")? {
        Some(day) => day,
        None => day_of(outer?)?,
    };
    said.extend(*unknown);
    let sample = Sample::RestingHeartRate(RestingHeartRate {
        local_date,
        bpm,
        error: error.decimal("error")?,
    });
    let unknown = (!said.is_empty()).then(|| Box::new(said));
    push_day(context, out, local_date, sample, unknown)
}

pub(super) fn zones(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    let mut record: Dated<Value> = parse(bytes)?;
    let local_date = day_of(record.at()?)?;
    let mut unknown = record.unknown.take().unwrap_or_default();
    // Nested as Fitbit writes it, or flat.
    let mut said = match record.take_value() {
        Ok(Value::Object(said)) => said,
        Ok(_) => return Err(Refusal::new("shape", "value is no object")),
        Err(_) => std::mem::take(&mut *unknown),
    };
    let Some(Value::Object(zones)) = said.remove("valuesInZones") else {
        return Err(Refusal::missing("valuesInZones"));
    };
    let mut zones: Vec<_> = zones.into_iter().collect();
    zones.sort_by(|(a, _), (b, _)| a.cmp(b));
    unknown.extend(said);
    let mut unknown = (!unknown.is_empty()).then_some(unknown);
    for (index, (zone, minutes)) in zones.into_iter().enumerate() {
        match number(&minutes).decimal(&zone) {
            Ok(Some(minutes)) => {
                let sample = Sample::ZoneMinutes(ZoneMinutes {
                    local_date,
                    zone,
                    minutes,
                });
                push_day(context, out, local_date, sample, unknown.take())?;
            }
            Ok(None) => {}
            Err(refusal) => out
                .refusals
                .push((i32::try_from(index).unwrap_or(i32::MAX), refusal)),
        }
    }
    Ok(())
}

/// A row of a day, with the UTC offset of its midnight.
pub(super) fn push_day(
    context: &mut Context<'_>,
    out: &mut Out,
    day: LocalDay,
    sample: Sample,
    unknown: Option<Box<Unknown>>,
) -> Result<(), Refusal> {
    let midnight = LocalMillis(i64::from(day.0) * DAY_MS);
    let at = context.clock()?.session(midnight);
    context.push(out, Reading::Sample { at, sample, unknown })
}

pub(super) fn day_of(stamp: LocalMillis) -> Result<LocalDay, Refusal> {
    i32::try_from(stamp.days())
        .map(LocalDay)
        .map_err(|_| Refusal::new("date", "out of range"))
}

fn number(value: &Value) -> Number {
    serde_json::from_value(value.clone()).unwrap_or_else(|_| Number::Wrong(value.to_string()))
}

fn take<T: serde::de::DeserializeOwned + Default>(
    said: &mut Map<String, Value>,
    name: &str,
) -> Result<T, Refusal> {
    let value = said.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Refusal::new("shape", format!("{name}: {error}")))
}
