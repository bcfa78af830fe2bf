//! Exercises.

use pulseline_schemas::{Event, Exercise, ExerciseLevel, ExerciseZone, UtcMillis};
use serde::Deserialize;

use super::day::day_of;
use super::other::Others;
use super::{Context, Out, Reading, Unknown, parse};
use crate::value::{Number, Refusal, Stamp, flag};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Log {
    log_id: Number,
    activity_name: Option<String>,
    activity_type_id: Number,
    log_type: Option<String>,
    start_time: Stamp,
    duration: Number,
    active_duration: Number,
    average_heart_rate: Number,
    calories: Number,
    steps: Number,
    distance: Number,
    distance_unit: Option<String>,
    speed: Number,
    pace: Number,
    elevation_gain: Number,
    #[serde(deserialize_with = "flag")]
    has_gps: Option<bool>,
    activity_level: Option<Vec<Level>>,
    heart_rate_zones: Option<Vec<Zone>>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Level {
    name: Option<String>,
    minutes: Number,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Zone {
    name: Option<String>,
    min: Number,
    max: Number,
    minutes: Number,
    #[serde(flatten)]
    unknown: Unknown,
}

pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    let log: Log = parse(bytes)?;
    let start = context.clock()?.session(log.start_time.required("startTime")?);
    let duration_ms = match log.duration.whole("duration")? {
        Some(duration) => duration,
        None => {
            let active = log.active_duration.whole("activeDuration")?;
            active.ok_or_else(|| Refusal::missing("duration"))?
        }
    };
    let end = UtcMillis(start.instant().0.saturating_add(duration_ms));
    let end = context.clock()?.at(end);
    let mut others = Others::of(log.unknown);
    let levels = levels_of(log.activity_level, &mut others)?;
    let heart_rate_zones = zones_of(log.heart_rate_zones, &mut others)?;
    let day = day_of(start.local)?;
    let exercise = Exercise {
        upload: context.upload(start, end)?,
        end_utc_offset_minutes: end.utc_offset_minutes,
        log_id: log
            .log_id
            .whole("logId")?
            .ok_or_else(|| Refusal::missing("logId"))?,
        activity_name: log
            .activity_name
            .ok_or_else(|| Refusal::missing("activityName"))?,
        activity_type_id: log.activity_type_id.whole("activityTypeId")?,
        log_type: log.log_type,
        duration_ms,
        active_duration_ms: log.active_duration.whole("activeDuration")?,
        average_heart_rate: log.average_heart_rate.count("averageHeartRate")?,
        calories: log.calories.decimal("calories")?,
        steps: log.steps.count("steps")?,
        distance: log.distance.decimal("distance")?,
        distance_unit: log.distance_unit,
        speed: log.speed.decimal("speed")?,
        pace: log.pace.decimal("pace")?,
        elevation_gain: log.elevation_gain.decimal("elevationGain")?,
        has_gps: log.has_gps,
        levels,
        heart_rate_zones,
        extra: others.into_extra(),
    };
    let event = Box::new(Event::Exercises(exercise));
    context.push(out, Reading::Session { day, end, event })
}

fn levels_of(levels: Option<Vec<Level>>, others: &mut Others) -> Result<Vec<ExerciseLevel>, Refusal> {
    let mut all = Vec::new();
    for (index, level) in levels.into_iter().flatten().enumerate() {
        others.put_item("levels", index, level.unknown);
        all.push(ExerciseLevel {
            name: level.name.ok_or_else(|| Refusal::missing("a level's name"))?,
            minutes: level.minutes.count("minutes")?.unwrap_or_default(),
        });
    }
    Ok(all)
}

fn zones_of(zones: Option<Vec<Zone>>, others: &mut Others) -> Result<Vec<ExerciseZone>, Refusal> {
    let mut all = Vec::new();
    for (index, zone) in zones.into_iter().flatten().enumerate() {
        others.put_item("heart_rate_zones", index, zone.unknown);
        all.push(ExerciseZone {
            name: zone.name.ok_or_else(|| Refusal::missing("a zone's name"))?,
            min_bpm: zone.min.count("min")?,
            max_bpm: zone.max.count("max")?,
            minutes: zone.minutes.count("minutes")?.unwrap_or_default(),
        });
    }
    Ok(all)
}
