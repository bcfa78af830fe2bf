//! Files of days: active minutes, time in heart-rate zones, resting heart rate.

use std::collections::BTreeMap;
use std::io;

use pulseline_schemas::LocalDay;
use serde::Serialize;

use super::array::{Array, Number};
use super::clock::{american, midnight};
use crate::oracle::DayRow;

/// The rows of one daily stream of a device: per day, what stands under which label.
pub(super) type Days<'a> = BTreeMap<LocalDay, BTreeMap<&'a str, &'a DayRow>>;

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

/// Minutes at one level of activity; a day without that level is left out.
pub(super) fn write_level(array: &mut Array, days: &Days<'_>, level: &str) -> io::Result<()> {
    for (day, labels) in days {
        if let Some(row) = labels.get(level) {
            array.push(|_| DayRecord {
                date_time: midnight(*day),
                value: (row.value as i64).to_string(),
            })?;
        }
    }
    Ok(())
}

pub(super) fn write_zones(array: &mut Array, days: &Days<'_>) -> io::Result<()> {
    for (day, zones) in days {
        array.push(|oddities| DayRecord {
            date_time: midnight(*day),
            value: Zones {
                values_in_zones: zones
                    .iter()
                    .map(|(zone, row)| (*zone, Number::of(row.value, !oddities.as_float)))
                    .collect(),
            },
        })?;
    }
    Ok(())
}

/// The estimate of each of the dates; one that has none says so.
pub(super) fn write_resting(
    array: &mut Array,
    days: &Days<'_>,
    dates: impl Iterator<Item = LocalDay>,
) -> io::Result<()> {
    for day in dates {
        let row = days.get(&day).and_then(|labels| labels.get(""));
        array.push(|oddities| DayRecord {
            date_time: midnight(day),
            value: Resting {
                date: row.map(|_| american(day)),
                value: Number::of(row.map_or(0.0, |row| row.value), !oddities.as_float),
                error: Number::of(
                    row.and_then(|row| row.error).unwrap_or_default(),
                    !oddities.as_float,
                ),
            },
        })?;
    }
    Ok(())
}
