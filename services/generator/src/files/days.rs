//! Files of days: active minutes, time in heart-rate zones, resting heart rate.

use std::collections::BTreeMap;
use std::io;

use pulseline_schemas::{ActivityMinute, LocalDay, RestingHeartRate, ZoneMinutes};
use serde::Serialize;

use super::array::{Array, Number};
use super::clock::{american, midnight};
use super::state::Latest;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DayRecord<V> {
    date_time: String,
    value: V,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Zones<'a> {
    values_in_zones: BTreeMap<&'a str, Number>,
}

#[derive(Serialize)]
struct Resting {
    date: Option<String>,
    value: Number,
    error: Number,
}

/// Minutes at one level of activity; the file has no record for a day without that level.
pub(super) fn write_level<'a>(
    array: &mut Array,
    samples: impl Iterator<Item = &'a ActivityMinute>,
    level: &str,
) -> io::Result<()> {
    for sample in samples.filter(|sample| sample.level == level) {
        array.push(|_| DayRecord {
            date_time: midnight(sample.local_date),
            value: sample.minutes.to_string(),
        })?;
    }
    Ok(())
}

/// Minutes in each zone; the samples are sorted by day.
pub(super) fn write_zones(array: &mut Array, samples: &[&ZoneMinutes]) -> io::Result<()> {
    for zones in samples.chunk_by(|one, next| one.local_date == next.local_date) {
        array.push(|oddities| DayRecord {
            date_time: midnight(zones[0].local_date),
            value: Zones {
                values_in_zones: zones
                    .iter()
                    .map(|sample| {
                        let minutes = Number::of(sample.minutes, !oddities.as_float);
                        (sample.zone.as_str(), minutes)
                    })
                    .collect(),
            },
        })?;
    }
    Ok(())
}

/// The estimate of each date; a date without an estimate has a record with 0.
pub(super) fn write_resting(
    array: &mut Array,
    estimates: &Latest<LocalDay, RestingHeartRate>,
    dates: impl Iterator<Item = LocalDay>,
) -> io::Result<()> {
    for day in dates {
        let estimate = estimates.get(&day);
        let (bpm, error) = estimate.map_or((0.0, None), |sample| (sample.bpm, sample.error));
        array.push(|oddities| DayRecord {
            date_time: midnight(day),
            value: Resting {
                date: estimate.map(|_| american(day)),
                value: Number::of(bpm, !oddities.as_float),
                error: Number::of(error.unwrap_or_default(), !oddities.as_float),
            },
        })?;
    }
    Ok(())
}
