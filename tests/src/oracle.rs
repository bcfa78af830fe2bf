//! Computes the expected content of the warehouse after a plan's deliveries: an independent implementation of the
//! rules.
//!
//! For one natural key the upload with the greatest (synced_at, event_id) wins, and within it the last reading, in
//! any order of arrival and with any number of repetitions. Sessions and profiles are replaced as a whole.

mod possible;
mod rows;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use pulseline_generator::{Breakage, DeliveryKind, Payload, Planned};
use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{
    ActivityMinutes, Calories, Distances, Event, Exercise, HeartRateZones, HeartRates, LocalDay, LocalMillis,
    RestingHeartRates, Sleep, SleepScore, Steps, Stream, Upload, User,
};
use uuid::Uuid;

use possible::{exercise_is_possible, is_possible, score_is_possible, sleep_is_possible};
use rows::Versioned;
pub use rows::{CaloriesRow, DayKey, DayRow, DistanceRow, HeartRateRow, ReadingKey, StepsRow, Version};

/// Minutes of the longest day.
const DAY_MINUTES: f64 = 1_500.0;

/// An expected dead letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dead {
    /// An undecodable message; its offset is dead.
    Undecodable(Breakage),
    /// A reading (its index) or a whole upload (−1) that raw rejects.
    Unmappable {
        /// The event.
        event_id: Uuid,
        /// The reading.
        item: i32,
    },
}

/// Collects deliveries and computes their expected outcome.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// Rows of `raw.heart_rates`.
    pub heart_rates: HashMap<ReadingKey, HeartRateRow>,
    /// Rows of `raw.steps`.
    pub steps: HashMap<ReadingKey, StepsRow>,
    /// Rows of `raw.distances`.
    pub distances: HashMap<ReadingKey, DistanceRow>,
    /// Rows of `raw.calories`.
    pub calories: HashMap<ReadingKey, CaloriesRow>,
    /// Rows of `raw.activity_minutes`, `raw.heart_rate_zones` and `raw.resting_heart_rates`.
    pub days: HashMap<DayKey, DayRow>,
    /// Rows of `raw.sleep_scores`, by (device, log of the sleep).
    pub sleep_scores: HashMap<(Uuid, i64), SleepScore>,
    /// Rows of `raw.exercises`, by (device, log).
    pub exercises: HashMap<(Uuid, i64), Exercise>,
    /// Rows of `raw.sleeps` with their levels, by (device, log).
    pub sleeps: HashMap<(Uuid, i64), Sleep>,
    /// Rows of `raw.users`.
    pub users: HashMap<Uuid, User>,
    /// Every version of a profile: who owned a device when comes from all.
    pub profiles: BTreeMap<(i64, Uuid), User>,
    /// Messages per stream.
    pub issued: HashMap<Stream, u64>,
    /// Messages per stream and kind.
    pub kinds: BTreeMap<(Stream, DeliveryKind), u64>,
    /// Distinct events per stream; each has one document.
    pub events: HashMap<Stream, HashSet<Uuid>>,
    /// Messages per stream that repeat an event; each has one receipt.
    pub duplicates: HashMap<Stream, u64>,
    /// Messages per stream that are dead as a whole: undecodable, or without anything loadable.
    pub dead_messages: HashMap<Stream, u64>,
    /// Every dead letter, per stream.
    pub dead: Vec<(Stream, Dead)>,
}

impl Oracle {
    /// Creates the oracle after these deliveries.
    pub fn of(deliveries: impl IntoIterator<Item = Planned>) -> Self {
        let mut oracle = Self::default();
        for planned in deliveries {
            oracle.observe(&planned);
        }
        oracle
    }

    /// Adds one delivery.
    pub fn observe(&mut self, planned: &Planned) {
        *self.issued.entry(planned.stream).or_default() += 1;
        *self.kinds.entry((planned.stream, planned.kind)).or_default() += 1;
        let Payload::Event(event) = &planned.payload else {
            if let DeliveryKind::Broken(breakage) = planned.kind {
                *self.dead_messages.entry(planned.stream).or_default() += 1;
                self.dead.push((planned.stream, Dead::Undecodable(breakage)));
            }
            return;
        };
        if !self
            .events
            .entry(planned.stream)
            .or_default()
            .insert(event.event_id())
        {
            *self.duplicates.entry(planned.stream).or_default() += 1;
            return;
        }
        let version = Version {
            synced_at: event.synced_at(),
            event_id: event.event_id(),
        };
        self.take(event, version);
    }

    /// Expected rows of raw, without the levels of sleeps.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.heart_rates.len()
            + self.steps.len()
            + self.distances.len()
            + self.calories.len()
            + self.days.len()
            + self.sleeps.len()
            + self.sleep_scores.len()
            + self.exercises.len()
            + self.users.len()
    }

    /// Messages of a stream whose offsets must be accounted as loaded.
    #[must_use]
    pub fn loaded_messages(&self, stream: Stream) -> u64 {
        let of = |counts: &HashMap<Stream, u64>| counts.get(&stream).copied().unwrap_or_default();
        of(&self.issued) - of(&self.duplicates) - of(&self.dead_messages)
    }

    /// Adds the readings of a new event.
    fn take(&mut self, event: &Event, version: Version) {
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
            Event::Users(user) => {
                self.profiles
                    .insert((user.synced_at.0, user.event_id), user.clone());
                keep(self.users.entry(user.user_id), user.clone());
            }
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

    fn dead_upload(&mut self, stream: Stream, version: Version) {
        *self.dead_messages.entry(stream).or_default() += 1;
        let event_id = version.event_id;
        self.dead.push((stream, Dead::Unmappable { event_id, item: -1 }));
    }

    fn dead_item(&mut self, stream: Stream, version: Version, item: usize) {
        let item = i32::try_from(item).unwrap_or(i32::MAX);
        self.dead.push((
            stream,
            Dead::Unmappable {
                event_id: version.event_id,
                item,
            },
        ));
    }
}

/// One daily figure of any stream.
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

const fn session(upload: &Upload, log_id: i64) -> (Uuid, i64) {
    (upload.device_id, log_id)
}

/// Keeps the greater version; of equal ones the later reading of the upload.
fn keep<K, V: Versioned>(entry: Entry<'_, K, V>, row: V) {
    match entry {
        Entry::Vacant(free) => {
            free.insert(row);
        }
        Entry::Occupied(mut taken) => {
            if row.version() >= taken.get().version() {
                taken.insert(row);
            }
        }
    }
}
