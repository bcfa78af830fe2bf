//! `exercise.json`.

use std::collections::BTreeMap;
use std::io;

use pulseline_schemas::Exercise;
use serde::Serialize;
use serde_json::Value;

use super::array::{Array, Number};
use super::clock::spaced;
use super::sleeps::unknown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExerciseRecord<'a> {
    log_id: i64,
    activity_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity_type_id: Option<i64>,
    activity_level: Vec<Level<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_heart_rate: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calories: Option<Number>,
    duration: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_duration: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_type: Option<&'a str>,
    heart_rate_zones: Vec<Zone<'a>>,
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pace: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elevation_gain: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    has_gps: Option<bool>,
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Level<'a> {
    minutes: i32,
    name: &'a str,
}

#[derive(Serialize)]
struct Zone<'a> {
    name: &'a str,
    min: Option<i32>,
    max: Option<i32>,
    minutes: i32,
}

/// Writes exercises in the order given.
pub(super) fn write_exercises<'a>(
    array: &mut Array,
    exercises: impl Iterator<Item = &'a Exercise>,
) -> io::Result<()> {
    for exercise in exercises {
        array.push(|oddities| record(exercise, oddities.as_float))?;
    }
    Ok(())
}

fn record(exercise: &Exercise, as_float: bool) -> ExerciseRecord<'_> {
    let number = |value: Option<f64>| value.map(|value| Number::of(value, as_float));
    let levels = exercise.levels.iter().map(|level| Level {
        minutes: level.minutes,
        name: &level.name,
    });
    let zones = exercise.heart_rate_zones.iter().map(|zone| Zone {
        name: &zone.name,
        min: zone.min_bpm,
        max: zone.max_bpm,
        minutes: zone.minutes,
    });
    ExerciseRecord {
        log_id: exercise.log_id,
        activity_name: &exercise.activity_name,
        activity_type_id: exercise.activity_type_id,
        activity_level: levels.collect(),
        average_heart_rate: exercise.average_heart_rate,
        calories: number(exercise.calories),
        duration: exercise.duration_ms,
        active_duration: exercise.active_duration_ms,
        steps: exercise.steps,
        log_type: exercise.log_type.as_deref(),
        heart_rate_zones: zones.collect(),
        start_time: spaced(exercise.upload.window_start),
        distance: exercise.distance,
        distance_unit: exercise.distance_unit.as_deref(),
        speed: exercise.speed,
        pace: exercise.pace,
        elevation_gain: number(exercise.elevation_gain),
        has_gps: exercise.has_gps,
        extra: unknown(&exercise.extra),
    }
}
