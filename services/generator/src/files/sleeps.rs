//! `sleep.json`.

use std::collections::BTreeMap;
use std::io;

use pulseline_schemas::{Extra, LocalMillis, Sleep, SleepLevel};
use serde::Serialize;
use serde_json::Value;

use super::array::Array;
use super::clock::{date, spaced, with_t};
use crate::quirks::{Quirk, Quirks};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SleepRecord<'a> {
    log_id: i64,
    date_of_sleep: String,
    start_time: String,
    end_time: String,
    duration: i64,
    minutes_to_fall_asleep: i32,
    minutes_asleep: i32,
    minutes_awake: i32,
    minutes_after_wakeup: i32,
    time_in_bed: i32,
    efficiency: i32,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_type: Option<&'a str>,
    levels: Levels<'a>,
    main_sleep: bool,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Levels<'a> {
    summary: BTreeMap<&'a str, Summary>,
    data: Vec<LevelRecord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    short_data: Option<Vec<LevelRecord<'a>>>,
}

#[derive(Default, Serialize)]
struct Summary {
    count: i32,
    minutes: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelRecord<'a> {
    date_time: String,
    level: &'a str,
    seconds: i32,
}

/// Writes sleeps in the order given.
pub(super) fn write_sleeps<'a>(
    array: &mut Array,
    sleeps: impl Iterator<Item = &'a Sleep>,
    quirks: Quirks,
) -> io::Result<()> {
    for sleep in sleeps {
        array.push(|_| record(sleep, quirks))?;
    }
    Ok(())
}

fn record(sleep: &Sleep, quirks: Quirks) -> SleepRecord<'_> {
    let mixed = if quirks.has(Quirk::MixedDates) {
        with_t
    } else {
        spaced
    };
    let classic = sleep.kind == "classic";
    let mut summary = summary(&sleep.levels);
    if classic && quirks.has(Quirk::OddSummaries) {
        for level in ["asleep", "restless"] {
            summary.insert(level, Summary::default());
        }
    }
    // A log without short wakes lacks the key.
    let has_shorts = !(classic || (sleep.short_levels.is_empty() && quirks.has(Quirk::NoShortLevels)));
    SleepRecord {
        log_id: sleep.log_id,
        date_of_sleep: date(sleep.date_of_sleep),
        start_time: spaced(sleep.upload.window_start),
        end_time: mixed(sleep.upload.window_end),
        duration: sleep.duration_ms,
        minutes_to_fall_asleep: sleep.minutes_to_fall_asleep,
        minutes_asleep: sleep.minutes_asleep,
        minutes_awake: sleep.minutes_awake,
        minutes_after_wakeup: sleep.minutes_after_wakeup,
        time_in_bed: sleep.time_in_bed,
        efficiency: sleep.efficiency,
        r#type: &sleep.kind,
        info_code: sleep.info_code,
        log_type: sleep.log_type.as_deref(),
        levels: Levels {
            summary,
            data: levels(&sleep.levels, mixed),
            short_data: has_shorts.then(|| levels(&sleep.short_levels, mixed)),
        },
        main_sleep: sleep.main_sleep,
        extra: unknown(&sleep.extra),
    }
}

fn summary(levels: &[SleepLevel]) -> BTreeMap<&str, Summary> {
    let mut seconds: BTreeMap<&str, (i32, i32)> = BTreeMap::new();
    for level in levels {
        let (count, sum) = seconds.entry(&level.level).or_default();
        *count += 1;
        *sum += level.seconds;
    }
    let of = |(level, (count, sum))| {
        (
            level,
            Summary {
                count,
                minutes: sum / 60,
            },
        )
    };
    seconds.into_iter().map(of).collect()
}

fn levels(levels: &[SleepLevel], clock: fn(LocalMillis) -> String) -> Vec<LevelRecord<'_>> {
    let records = levels.iter().map(|level| LevelRecord {
        date_time: clock(level.ts),
        level: &level.level,
        seconds: level.seconds,
    });
    records.collect()
}

/// The unknown keys of the source, sorted.
pub(super) fn unknown(extra: &Extra) -> BTreeMap<String, Value> {
    extra
        .0
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
