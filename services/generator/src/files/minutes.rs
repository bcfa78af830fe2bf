//! Files of readings: heart rates, and the minutes whose numbers are strings.

use std::collections::HashMap;
use std::io;

use serde::Serialize;
use uuid::Uuid;

use super::array::{Array, Oddities};
use super::clock::spaced;
use crate::oracle::{HeartRateRow, ReadingKey};

/// What a second source of the same minutes is called.
const SOURCE: &str = "tracker";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeartRateRecord {
    date_time: String,
    value: HeartRateValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

#[derive(Serialize)]
struct HeartRateValue {
    bpm: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<i32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MinuteRecord {
    date_time: String,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

/// The rows of a device as they happened: an hour that is lived twice stands there twice, one after the other.
fn of<V>(device_id: Uuid, rows: &HashMap<ReadingKey, V>) -> Vec<(&ReadingKey, &V)> {
    let mut of: Vec<_> = rows
        .iter()
        .filter(|(key, _)| key.device_id == device_id)
        .collect();
    of.sort_unstable_by_key(|(key, _)| key.at());
    of
}

pub(super) fn write_heart_rates(
    array: &mut Array,
    device_id: Uuid,
    rows: &HashMap<ReadingKey, HeartRateRow>,
) -> io::Result<()> {
    for (key, row) in of(device_id, rows) {
        array.push(|oddities| HeartRateRecord {
            date_time: spaced(key.local_ts),
            value: HeartRateValue {
                bpm: row.bpm,
                confidence: row.confidence,
            },
            source: oddities.unknown_key.then_some(SOURCE),
        })?;
    }
    Ok(())
}

/// `value` writes a row's number.
pub(super) fn write_minutes<V>(
    array: &mut Array,
    device_id: Uuid,
    rows: &HashMap<ReadingKey, V>,
    value: impl Fn(&V, Oddities) -> String,
) -> io::Result<()> {
    for (key, row) in of(device_id, rows) {
        array.push(|oddities| MinuteRecord {
            date_time: spaced(key.local_ts),
            value: value(row, oddities),
            source: oddities.unknown_key.then_some(SOURCE),
        })?;
    }
    Ok(())
}

/// A whole number of the `digits`-th decimal: 1390 thousandths are `1.39`, and 2000 are `2`, or `2.0`.
pub(super) fn decimal(value: i32, digits: u32, as_float: bool) -> String {
    let unit = 10_i32.pow(digits);
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return if as_float {
            format!("{whole}.0")
        } else {
            whole.to_string()
        };
    }
    let width = digits as usize;
    format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_lose_nothing_and_say_no_more() {
        assert_eq!(decimal(1_390, 3, false), "1.39");
        assert_eq!(decimal(1_009, 3, true), "1.009");
        assert_eq!(decimal(2_000, 3, false), "2");
        assert_eq!(decimal(2_000, 3, true), "2.0");
        assert_eq!(decimal(56_505, 1, false), "5650.5");
        assert_eq!(decimal(0, 1, false), "0");
    }
}
