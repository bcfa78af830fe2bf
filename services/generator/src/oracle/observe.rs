//! The expected outcome of one upload.

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{
    ActivityMinutes, Calories, Distances, Event, Exercise, HeartRateZones, HeartRates, LocalDay, LocalMillis,
    RestingHeartRates, Sleep, SleepScore, Steps, Stream, Upload,
};

use super::rows::{CaloriesRow, DayKey, DayRow, DistanceRow, HeartRateRow, ReadingKey, StepsRow, Version};
use super::{Oracle, keep};

/// 2007-01-01: no such device existed before.
const READINGS_FROM: LocalMillis = LocalMillis(1_167_609_600_000);
/// Minutes of the longest day.
const DAY_MINUTES: f64 = 1_500.0;

impl Oracle {
    /// Takes the readings of an event that was not seen before.
    pub(super) fn take(&mut self, event: &Event, version: Version) {
        match event {
            Event::HeartRates(event) => self.take_heart_rates(event, version),
            Event::Steps(event) => self.take_steps(event, version),
            Event::Distances(event) => self.take_distances(event, version),
            Event::Calories(event) => self.take_calories(event, version),
            Event::ActivityMinutes(event) => self.take_activity_minutes(event, version),
            Event::HeartRateZones(event) => self.take_zones(event, version),
            Event::RestingHeartRates(event) => self.take_resting(event, version),
            Event::Sleeps(sleep) if sleep_is_possible(sleep) => {
                keep(
                    self.sleeps.entry(session(&sleep.upload, sleep.log_id)),
                    sleep.clone(),
                );
            }
            Event::SleepScores(score) if score_is_possible(score) => {
                keep(
                    self.sleep_scores.entry(session(&score.upload, score.log_id)),
                    score.clone(),
                );
            }
            Event::Exercises(exercise) if exercise_is_possible(exercise) => {
                keep(
                    self.exercises.entry(session(&exercise.upload, exercise.log_id)),
                    exercise.clone(),
                );
            }
            Event::Sleeps(_) | Event::SleepScores(_) | Event::Exercises(_) => {
                self.dead_upload(event.stream(), version);
            }
            Event::Users(user) => keep(self.users.entry(user.user_id), user.clone()),
        }
    }

    fn take_heart_rates(&mut self, event: &HeartRates, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let known = sample
                .confidence
                .is_none_or(|confidence| (0..=3).contains(&confidence));
            if known && (20..=250).contains(&sample.bpm) && is_possible(sample.ts, &event.upload) {
                let row = HeartRateRow {
                    bpm: sample.bpm,
                    confidence: sample.confidence,
                    version,
                };
                keep(self.heart_rates.entry(reading(&event.upload, sample.ts)), row);
            } else {
                self.dead_item(Stream::HeartRates, version, item);
            }
        }
    }

    fn take_steps(&mut self, event: &Steps, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let steps = sample.steps;
            if (0..=1_000).contains(&steps) && is_possible(sample.ts, &event.upload) {
                let row = StepsRow { steps, version };
                keep(self.steps.entry(reading(&event.upload, sample.ts)), row);
            } else {
                self.dead_item(Stream::Steps, version, item);
            }
        }
    }

    fn take_distances(&mut self, event: &Distances, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let distance_mm = sample.distance_mm;
            if (0..=5_000_000).contains(&distance_mm) && is_possible(sample.ts, &event.upload) {
                let row = DistanceRow { distance_mm, version };
                keep(self.distances.entry(reading(&event.upload, sample.ts)), row);
            } else {
                self.dead_item(Stream::Distances, version, item);
            }
        }
    }

    fn take_calories(&mut self, event: &Calories, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let millikcal = sample.millikcal;
            if (0..=100_000).contains(&millikcal) && is_possible(sample.ts, &event.upload) {
                let row = CaloriesRow { millikcal, version };
                keep(self.calories.entry(reading(&event.upload, sample.ts)), row);
            } else {
                self.dead_item(Stream::Calories, version, item);
            }
        }
    }

    fn take_activity_minutes(&mut self, event: &ActivityMinutes, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let figure = Figure {
                local_date: sample.local_date,
                label: &sample.level,
                value: sample.minutes.into(),
                error: None,
                is_possible: (0.0..=DAY_MINUTES).contains(&sample.minutes.into()),
            };
            self.take_figure((Stream::ActivityMinutes, item), &event.upload, figure, version);
        }
    }

    fn take_zones(&mut self, event: &HeartRateZones, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let figure = Figure {
                local_date: sample.local_date,
                label: &sample.zone,
                value: sample.minutes,
                error: None,
                is_possible: (0.0..=DAY_MINUTES).contains(&sample.minutes),
            };
            self.take_figure((Stream::HeartRateZones, item), &event.upload, figure, version);
        }
    }

    fn take_resting(&mut self, event: &RestingHeartRates, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let figure = Figure {
                local_date: sample.local_date,
                label: "",
                value: sample.bpm,
                error: sample.error,
                is_possible: (20.0..=250.0).contains(&sample.bpm),
            };
            self.take_figure((Stream::RestingHeartRates, item), &event.upload, figure, version);
        }
    }

    fn take_figure(
        &mut self,
        (stream, item): (Stream, usize),
        upload: &Upload,
        figure: Figure<'_>,
        version: Version,
    ) {
        let midnight = LocalMillis(i64::from(figure.local_date.0) * DAY_MS);
        if !figure.is_possible || !is_possible(midnight, upload) {
            self.dead_item(stream, version, item);
            return;
        }
        let key = DayKey {
            stream,
            device_id: upload.device_id,
            local_date: figure.local_date,
            label: figure.label.to_owned(),
        };
        let row = DayRow {
            value: figure.value,
            error: figure.error,
            version,
        };
        keep(self.days.entry(key), row);
    }
}

/// One figure of a day, whatever it is of.
struct Figure<'a> {
    local_date: LocalDay,
    label: &'a str,
    value: f64,
    error: Option<f64>,
    is_possible: bool,
}

const fn reading(upload: &Upload, local_ts: LocalMillis) -> ReadingKey {
    ReadingKey {
        device_id: upload.device_id,
        local_ts,
        utc_offset_minutes: upload.utc_offset_minutes,
    }
}

const fn session(upload: &Upload, log_id: i64) -> (uuid::Uuid, i64) {
    (upload.device_id, log_id)
}

/// A reading is from the age of these devices, and not from more than a day after it was sent.
fn is_possible(ts: LocalMillis, upload: &Upload) -> bool {
    is_possible_at(ts, upload.utc_offset_minutes, upload)
}

fn is_possible_at(ts: LocalMillis, utc_offset_minutes: i32, upload: &Upload) -> bool {
    ts >= READINGS_FROM && ts.at_offset(utc_offset_minutes).0 <= upload.synced_at.0 + DAY_MS
}

fn sleep_is_possible(sleep: &Sleep) -> bool {
    is_possible(sleep.upload.window_start, &sleep.upload)
        && is_possible_at(
            sleep.upload.window_end,
            sleep.end_utc_offset_minutes,
            &sleep.upload,
        )
}

fn score_is_possible(score: &SleepScore) -> bool {
    is_possible(score.upload.window_end, &score.upload)
        && score
            .overall_score
            .is_none_or(|points| (0..=100).contains(&points))
}

fn exercise_is_possible(exercise: &Exercise) -> bool {
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
