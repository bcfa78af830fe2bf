//! Exercises. A later upload of an exercise replaces it whole.

use super::{Extra, Upload};
use crate::codec::record;

record! {
    /// Minutes of an exercise at one level of activity.
    "ExerciseLevel" ExerciseLevel {
        /// `sedentary`, `lightly`, `fairly`, `very`; others are kept.
        name: String = "name",
        /// Minutes.
        minutes: i32 = "minutes",
    }
}

record! {
    /// Minutes of an exercise in one heart-rate zone.
    "ExerciseZone" ExerciseZone {
        /// As the source says.
        name: String = "name",
        /// Lowest beats per minute.
        min_bpm: Option<i32> = "min_bpm",
        /// Highest beats per minute.
        max_bpm: Option<i32> = "max_bpm",
        /// Minutes.
        minutes: i32 = "minutes",
    }
}

record! {
    /// An exercise: its window is start to start + duration, its offset that of the start.
    "Exercise" Exercise in upload: Upload {
        /// Minutes east of UTC at the end.
        end_utc_offset_minutes: i32 = "end_utc_offset_minutes",
        /// Fitbit's number of the session.
        log_id: i64 = "log_id",
        /// What was done.
        activity_name: String = "activity_name",
        /// Fitbit's number of what was done.
        activity_type_id: Option<i64> = "activity_type_id",
        /// How it was recorded.
        log_type: Option<String> = "log_type",
        /// Length in milliseconds.
        duration_ms: i64 = "duration_ms",
        /// Length without pauses, in milliseconds.
        active_duration_ms: Option<i64> = "active_duration_ms",
        /// Mean beats per minute.
        average_heart_rate: Option<i32> = "average_heart_rate",
        /// Kilocalories.
        calories: Option<f64> = "calories",
        /// Steps.
        steps: Option<i32> = "steps",
        /// Distance in `distance_unit`.
        distance: Option<f64> = "distance",
        /// `Kilometer` or `Mile`, by the account's settings.
        distance_unit: Option<String> = "distance_unit",
        /// `distance_unit` per hour.
        speed: Option<f64> = "speed",
        /// Seconds per `distance_unit`.
        pace: Option<f64> = "pace",
        /// Metres, or feet, by the account's settings.
        elevation_gain: Option<f64> = "elevation_gain",
        /// True when a track was recorded; the track itself is not carried.
        has_gps: Option<bool> = "has_gps",
        /// Minutes by level.
        levels: Vec<ExerciseLevel> = "levels",
        /// Minutes by heart-rate zone.
        heart_rate_zones: Vec<ExerciseZone> = "heart_rate_zones",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
