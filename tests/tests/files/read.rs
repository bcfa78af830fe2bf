//! Reads the files of a device, knowing PMData's format and the device's zone.

use std::fs;
use std::path::Path;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use serde_json::Value;

/// `2019-11-01 00:00:05` or `2019-11-01T00:00:05.000`, as milliseconds of local time.
pub(crate) fn clock(text: &str) -> i64 {
    let at: DateTime = text.trim_end_matches('Z').parse().unwrap();
    Offset::UTC.to_timestamp(at).unwrap().as_millisecond()
}

/// Days since 1970 of `2019-11-01`.
pub(crate) fn day(text: &str) -> i64 {
    let date: Date = text.parse().unwrap();
    (date - Date::constant(1970, 1, 1)).get_days().into()
}

/// The records of a file without exact repeats; none when there is no such file.
pub(crate) fn records(folder: &Path, name: &str) -> Option<Vec<Value>> {
    let text = fs::read_to_string(folder.join("fitbit").join(name)).ok()?;
    assert!(!text.contains('\n'), "one array on one line");
    let mut records: Vec<Value> = serde_json::from_str(&text).unwrap();
    records.dedup();
    Some(records)
}

/// A decimal number in units of its `digits`-th decimal, exactly.
pub(crate) fn decimal(text: &str, digits: usize) -> i64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<digits$}").parse::<i64>().unwrap()
        / 10_i64.pow(u32::try_from(rest.len().saturating_sub(digits)).unwrap())
}
