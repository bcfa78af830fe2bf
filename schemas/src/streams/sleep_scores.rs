//! Fitbit's score of a sleep.

use super::{Extra, Upload};
use crate::codec::record;

record! {
    /// The score of one sleep: its window is the sleep's end, twice.
    "SleepScore" SleepScore in upload: Upload {
        /// The sleep it is about.
        log_id: i64 = "log_id",
        /// 0 to 100.
        overall_score: Option<i32> = "overall_score",
        /// Points for the sleep's stages.
        composition_score: Option<i32> = "composition_score",
        /// Points for restoration.
        revitalization_score: Option<i32> = "revitalization_score",
        /// Points for its length.
        duration_score: Option<i32> = "duration_score",
        /// Minutes of deep sleep.
        deep_sleep_minutes: Option<i32> = "deep_sleep_minutes",
        /// Resting heart rate of the day, beats per minute.
        resting_heart_rate: Option<f64> = "resting_heart_rate",
        /// Share of the time that was restless.
        restlessness: Option<f64> = "restlessness",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
