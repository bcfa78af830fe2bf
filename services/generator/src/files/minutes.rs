//! Files of readings: heart rates, and the minutes whose numbers are strings.

use std::io;

use pulseline_schemas::{HeartRate, LocalMillis};
use serde::Serialize;

use super::array::{Array, Oddities};
use super::clock::spaced;

/// Name of a second source of the same minutes.
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

/// Writes heart rates in the order given.
pub(super) fn write_heart_rates<'a>(
    array: &mut Array,
    samples: impl Iterator<Item = &'a HeartRate>,
) -> io::Result<()> {
    for sample in samples {
        array.push(|oddities| HeartRateRecord {
            date_time: spaced(sample.ts),
            value: HeartRateValue {
                bpm: sample.bpm,
                confidence: sample.confidence,
            },
            source: oddities.unknown_key.then_some(SOURCE),
        })?;
    }
    Ok(())
}

/// Writes minutes in the order given; `value` returns the time of a sample and writes its number.
pub(super) fn write_minutes<V>(
    array: &mut Array,
    samples: impl Iterator<Item = V>,
    value: impl Fn(&V, Oddities) -> (LocalMillis, String),
) -> io::Result<()> {
    for sample in samples {
        array.push(|oddities| {
            let (ts, value) = value(&sample, oddities);
            MinuteRecord {
                date_time: spaced(ts),
                value,
                source: oddities.unknown_key.then_some(SOURCE),
            }
        })?;
    }
    Ok(())
}

/// A whole number in units of the `digits`-th decimal: 1390 thousandths are `1.39`, and 2000 are `2`, or `2.0`.
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
    fn decimals_are_exact_and_as_short_as_possible() {
        assert_eq!(decimal(1_390, 3, false), "1.39");
        assert_eq!(decimal(1_009, 3, true), "1.009");
        assert_eq!(decimal(2_000, 3, false), "2");
        assert_eq!(decimal(2_000, 3, true), "2.0");
        assert_eq!(decimal(56_505, 1, false), "5650.5");
        assert_eq!(decimal(0, 1, false), "0");
    }
}
