//! Sleep logs from Fitbit's files and from the reference store.

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{Event, LocalDay, LocalMillis, Sleep, SleepLevel};
use serde::Deserialize;
use serde_json::Value;

use super::day::day_of;
use super::other::Others;
use super::{Context, Out, Reading, Unknown, parse};
use crate::moment::Moment;
use crate::value::{Number, Refusal, Stamp, flag};

/// A sleep log; a field's alias is its name in the reference store.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
pub(super) struct Log {
    #[serde(alias = "log_id")]
    log_id: Number,
    #[serde(alias = "date_of_sleep")]
    date_of_sleep: Stamp,
    #[serde(alias = "start_time")]
    start_time: Stamp,
    #[serde(alias = "end_time")]
    end_time: Stamp,
    /// Start and end of the store's document, for logs without their own.
    #[serde(rename = "created_at")]
    created_at: Stamp,
    #[serde(rename = "ended_at")]
    ended_at: Stamp,
    #[serde(alias = "duration_ms")]
    duration: Number,
    #[serde(alias = "minutes_to_fall_asleep")]
    minutes_to_fall_asleep: Number,
    #[serde(alias = "minutes_asleep")]
    minutes_asleep: Number,
    #[serde(alias = "minutes_awake")]
    minutes_awake: Number,
    #[serde(alias = "minutes_after_wakeup")]
    minutes_after_wakeup: Number,
    #[serde(alias = "time_in_bed")]
    time_in_bed: Number,
    efficiency: Number,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(alias = "info_code")]
    info_code: Number,
    #[serde(alias = "main_sleep", alias = "isMainSleep", deserialize_with = "flag")]
    main_sleep: Option<bool>,
    #[serde(alias = "log_type")]
    log_type: Option<String>,
    levels: Option<Levels>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Levels {
    summary: Option<Value>,
    data: Option<Vec<Level>>,
    #[serde(alias = "short_data")]
    short_data: Option<Vec<Level>>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Debug, Deserialize)]
struct Level {
    #[serde(rename = "dateTime", alias = "ts", alias = "date_time", default)]
    at: Stamp,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    seconds: Number,
    #[serde(flatten)]
    unknown: Unknown,
}

pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    carry(context, parse(bytes)?, out)
}

pub(super) fn carry(context: &mut Context<'_>, mut log: Log, out: &mut Out) -> Result<(), Refusal> {
    // The store's ids of document and device are not part of the log.
    log.unknown.remove("_id");
    log.unknown.remove("device_id");
    let start = match log.start_time.optional("startTime")? {
        Some(start) => start,
        None => log.created_at.required("startTime")?,
    };
    let start = context.clock()?.session(start);
    let (end, duration_ms) = end_of(context, &log, start)?;
    let date_of_sleep = match log.date_of_sleep.day("dateOfSleep")? {
        Some(day) => day,
        None => day_of(end.local)?,
    };
    let mut others = Others::of(log.unknown);
    let levels = log.levels.unwrap_or_default();
    if let Some(summary) = levels.summary {
        others.put("levels_summary", summary);
    }
    for (name, value) in levels.unknown {
        others.put(&format!("levels_{name}"), value);
    }
    let data = levels_of(context, levels.data, "levels", &mut others)?;
    let short_levels = levels_of(context, levels.short_data, "short_levels", &mut others)?;
    let minutes = Minutes {
        to_fall_asleep: log.minutes_to_fall_asleep.count("minutesToFallAsleep")?,
        asleep: log.minutes_asleep.count("minutesAsleep")?,
        awake: log.minutes_awake.count("minutesAwake")?,
        after_wakeup: log.minutes_after_wakeup.count("minutesAfterWakeup")?,
    };
    let time_in_bed = match log.time_in_bed.count("timeInBed")? {
        Some(minutes) => minutes,
        None => i32::try_from(duration_ms / MINUTE_MS).map_err(|_| Refusal::missing("timeInBed"))?,
    };
    let minutes = minutes.completed(time_in_bed);
    let sleep = Sleep {
        upload: context.upload(start, end)?,
        end_utc_offset_minutes: end.utc_offset_minutes,
        log_id: log
            .log_id
            .whole("logId")?
            .ok_or_else(|| Refusal::missing("logId"))?,
        date_of_sleep,
        duration_ms,
        minutes_to_fall_asleep: required(minutes.to_fall_asleep, "minutesToFallAsleep")?,
        minutes_asleep: required(minutes.asleep, "minutesAsleep")?,
        minutes_awake: required(minutes.awake, "minutesAwake")?,
        minutes_after_wakeup: required(minutes.after_wakeup, "minutesAfterWakeup")?,
        time_in_bed,
        efficiency: required(log.efficiency.count("efficiency")?, "efficiency")?,
        kind: log
            .kind
            .or_else(|| kind_of(&data))
            .ok_or_else(|| Refusal::missing("type"))?,
        info_code: log.info_code.count("infoCode")?,
        main_sleep: log.main_sleep.unwrap_or(true),
        levels: data,
        short_levels,
        log_type: log.log_type,
        extra: others.into_extra(),
    };
    push(context, out, (date_of_sleep, end), sleep)
}

fn push(
    context: &Context<'_>,
    out: &mut Out,
    (day, end): (LocalDay, Moment),
    sleep: Sleep,
) -> Result<(), Refusal> {
    let event = Box::new(Event::Sleeps(sleep));
    context.push(out, Reading::Session { day, end, event })
}

/// End and length; a missing one is derived from the other, but neither corrects the other.
fn end_of(context: &mut Context<'_>, log: &Log, start: Moment) -> Result<(Moment, i64), Refusal> {
    let duration = log.duration.whole("duration")?;
    let end = match log.end_time.optional("endTime")? {
        Some(end) => Some(end),
        None => log.ended_at.optional("ended_at")?,
    };
    let clock = context.clock()?;
    match (end, duration) {
        (Some(end), duration) => {
            let end = clock.session_end(end, start);
            Ok((end, duration.unwrap_or(end.instant().0 - start.instant().0)))
        }
        (None, Some(duration)) => {
            let end = LocalMillis(start.local.0.saturating_add(duration));
            Ok((clock.session_end(end, start), duration))
        }
        (None, None) => Err(Refusal::missing("endTime")),
    }
}

/// Levels keep the UTC offset of the sleep's start; no offset is computed for them.
fn levels_of(
    context: &mut Context<'_>,
    levels: Option<Vec<Level>>,
    list: &str,
    others: &mut Others,
) -> Result<Vec<SleepLevel>, Refusal> {
    let is_local = context.clock == crate::Clock::Local;
    let mut all = Vec::new();
    for (index, level) in levels.into_iter().flatten().enumerate() {
        let stamp = level.at.required("a level's dateTime")?;
        others.put_item(list, index, level.unknown);
        all.push(SleepLevel {
            ts: if is_local {
                stamp
            } else {
                context.clock()?.session(stamp).local
            },
            level: level.level.ok_or_else(|| Refusal::missing("a level's name"))?,
            seconds: required(level.seconds.count("seconds")?, "a level's seconds")?,
        });
    }
    Ok(all)
}

/// The type of the log, from its levels' names.
fn kind_of(levels: &[SleepLevel]) -> Option<String> {
    levels.iter().find_map(|level| match level.level.as_str() {
        "deep" | "light" | "rem" | "wake" => Some("stages".to_owned()),
        "asleep" | "restless" | "awake" => Some("classic".to_owned()),
        _ => None,
    })
}

/// The components of the time in bed.
struct Minutes {
    to_fall_asleep: Option<i32>,
    asleep: Option<i32>,
    awake: Option<i32>,
    after_wakeup: Option<i32>,
}

impl Minutes {
    /// Derives a single missing component from the others.
    fn completed(mut self, time_in_bed: i32) -> Self {
        let mut parts = [
            &mut self.to_fall_asleep,
            &mut self.asleep,
            &mut self.awake,
            &mut self.after_wakeup,
        ];
        let known: i64 = parts.iter().filter_map(|part| part.map(i64::from)).sum();
        let rest = i32::try_from(i64::from(time_in_bed) - known).unwrap_or(-1);
        let mut missing = parts.iter_mut().filter(|part| part.is_none());
        if let (Some(part), None, 0..) = (missing.next(), missing.next(), rest) {
            **part = Some(rest);
        }
        self
    }
}

fn required(number: Option<i32>, name: &str) -> Result<i32, Refusal> {
    number.ok_or_else(|| Refusal::missing(name))
}
