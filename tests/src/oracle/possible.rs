//! Which readings and sessions raw accepts.

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{Exercise, LocalMillis, Sleep, SleepScore, Upload};

/// 2007-01-01: older readings are impossible, because no such device existed.
const READINGS_FROM: LocalMillis = LocalMillis(1_167_609_600_000);

/// A reading must be from the time of these devices, and at most a day after its `synced_at`.
pub(super) fn is_possible(ts: LocalMillis, upload: &Upload) -> bool {
    is_possible_at(ts, upload.utc_offset_minutes, upload)
}

fn is_possible_at(ts: LocalMillis, utc_offset_minutes: i32, upload: &Upload) -> bool {
    ts >= READINGS_FROM && ts.at_offset(utc_offset_minutes).0 <= upload.synced_at.0 + DAY_MS
}

pub(super) fn sleep_is_possible(sleep: &Sleep) -> bool {
    is_possible(sleep.upload.window_start, &sleep.upload)
        && is_possible_at(
            sleep.upload.window_end,
            sleep.end_utc_offset_minutes,
            &sleep.upload,
        )
}

pub(super) fn score_is_possible(score: &SleepScore) -> bool {
    is_possible(score.upload.window_end, &score.upload)
        && score
            .overall_score
            .is_none_or(|points| (0..=100).contains(&points))
}

pub(super) fn exercise_is_possible(exercise: &Exercise) -> bool {
    is_possible(exercise.upload.window_start, &exercise.upload)
        && is_possible_at(
            exercise.upload.window_end,
            exercise.end_utc_offset_minutes,
            &exercise.upload,
        )
        && exercise
            .average_heart_rate
            .is_none_or(|bpm| (20..=250).contains(&bpm))
}
