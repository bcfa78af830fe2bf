//! Days of an owner: what its devices measured and reported.

use std::collections::{BTreeMap, BTreeSet};

use pulseline_schemas::{Exercise, Stream, Upload};
use pulseline_sql::periods::DayNumber;
use uuid::Uuid;

use super::decimal::{rounded, scaled};
use super::nights::{Night, Stretch, best};
use super::owners::{Owners, day_of};
use super::quarters::{Quarter, QuarterKey, Sum};
use crate::oracle::Oracle;

/// In the order of the columns; other names come last.
const ZONES: [&str; 4] = [
    "BELOW_DEFAULT_ZONE_1",
    "IN_DEFAULT_ZONE_1",
    "IN_DEFAULT_ZONE_2",
    "IN_DEFAULT_ZONE_3",
];
const LEVELS: [&str; 4] = ["sedentary", "lightly_active", "moderately_active", "very_active"];

/// An exercise in whole numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) minutes: i64,
    pub(super) active: Option<i64>,
    pub(super) kcal: Option<i64>,
    pub(super) steps: Option<i64>,
    pub(super) distance: Option<i64>,
    pub(super) bpm: Option<i64>,
}

/// A day, or a longer period.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    pub(super) worn: i64,
    pub(super) heart: Sum,
    pub(super) valid: i64,
    pub(super) minutes: [Sum; 3],
    /// Hundredths, one value per day.
    pub(super) resting: Vec<i64>,
    pub(super) zones: [Option<i64>; 5],
    pub(super) is_said: bool,
    pub(super) is_active: bool,
    pub(super) levels: [Option<i64>; 5],
    pub(super) nights: Vec<Night>,
    pub(super) efforts: Vec<Effort>,
}

pub(super) type Days = BTreeMap<(Uuid, DayNumber), Day>;

impl Day {
    fn add_quarter(&mut self, quarter: &Quarter) {
        self.worn += i64::from(quarter.worn.count_ones());
        self.valid += quarter.valid;
        self.heart.merge(&quarter.heart);
        for (mine, other) in self.minutes.iter_mut().zip(&quarter.minutes) {
            mine.merge(other);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.worn += other.worn;
        self.valid += other.valid;
        self.heart.merge(&other.heart);
        for (mine, other) in self.minutes.iter_mut().zip(&other.minutes) {
            mine.merge(other);
        }
        self.resting.extend(&other.resting);
        self.is_said |= other.is_said;
        self.is_active |= other.is_active;
        for (mine, other) in
            (self.zones.iter_mut().zip(other.zones)).chain(self.levels.iter_mut().zip(other.levels))
        {
            *mine = sum([*mine, other]);
        }
        self.nights.extend(other.nights.iter().cloned());
        self.efforts.extend(&other.efforts);
    }
}

pub(super) fn sum(values: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    values
        .into_iter()
        .flatten()
        .fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
}

/// Every day of every owner.
pub(super) fn of(
    oracle: &Oracle,
    owners: &Owners,
    quarters: &[(Uuid, QuarterKey, Quarter)],
    nights: &[(Uuid, &Night)],
) -> Days {
    let mut days = Days::new();
    let mut worn: BTreeMap<(Uuid, DayNumber), i64> = BTreeMap::new();
    for (owner, key, quarter) in quarters {
        days.entry((*owner, day_of(key.1)))
            .or_default()
            .add_quarter(quarter);
    }
    // For each device, even in a quarter in which another one counts: the time for which it was worn.
    for (device, day, minutes) in worn_days(oracle) {
        *worn.entry((device, day)).or_default() += minutes;
    }
    for (owner, night) in nights {
        let day = day_of(night.sleep.upload.window_end.0);
        days.entry((*owner, day))
            .or_default()
            .nights
            .push((*night).clone());
    }
    let exercises: Vec<_> = oracle.exercises.values().cloned().collect();
    let beats = |other: &Exercise, one: &Exercise| {
        one.upload.device_id != other.upload.device_id && one.overlaps(other)
    };
    let began_on = |exercise: &Exercise| day_of(exercise.upload.window_start.0);
    for (owner, exercise) in best(&exercises, owners, began_on, beats) {
        let day = day_of(exercise.upload.window_start.0);
        days.entry((owner, day))
            .or_default()
            .efforts
            .push(effort(exercise));
    }
    said(oracle, owners, &worn, &mut days);
    days
}

fn worn_days(oracle: &Oracle) -> impl Iterator<Item = (Uuid, DayNumber, i64)> {
    let quarters = super::quarters::of(oracle);
    quarters
        .into_iter()
        .map(|(key, quarter)| (key.0, day_of(key.1), quarter.worn.count_ones().into()))
}

/// Daily figures, from the device that was worn longest among those with figures of the day.
fn said(oracle: &Oracle, owners: &Owners, worn: &BTreeMap<(Uuid, DayNumber), i64>, days: &mut Days) {
    let mut speakers: BTreeMap<(Uuid, DayNumber, bool), BTreeSet<(i64, Uuid)>> = BTreeMap::new();
    let is_activity = |stream| stream == Stream::ActivityMinutes;
    for key in oracle.days.keys() {
        let minutes = worn.get(&(key.device_id, key.local_date.0)).copied().unwrap_or(0);
        if let Some(owner) = owners.on(key.device_id, key.local_date.0) {
            let who = (owner, key.local_date.0, is_activity(key.stream));
            speakers.entry(who).or_default().insert((-minutes, key.device_id));
        }
    }
    for (key, row) in &oracle.days {
        let Some(owner) = owners.on(key.device_id, key.local_date.0) else {
            continue;
        };
        let who = (owner, key.local_date.0, is_activity(key.stream));
        let speaker = speakers.get(&who).and_then(BTreeSet::first);
        if speaker.is_none_or(|(_, device)| *device != key.device_id) {
            continue;
        }
        let day = days.entry((owner, key.local_date.0)).or_default();
        let hundredths = scaled(row.value, (1, 1), 2).unwrap_or_default();
        let place = |names: &[&str; 4]| names.iter().position(|name| *name == key.label).unwrap_or(4);
        match key.stream {
            Stream::ActivityMinutes => {
                let slot = &mut day.levels[place(&LEVELS)];
                *slot = sum([*slot, Some(hundredths / 100)]);
                day.is_active = true;
            }
            Stream::HeartRateZones => {
                let slot = &mut day.zones[place(&ZONES)];
                *slot = sum([*slot, Some(hundredths)]);
                day.is_said = true;
            }
            _ => {
                day.resting.push(hundredths);
                day.is_said = true;
            }
        }
    }
}

impl Stretch for Exercise {
    fn upload(&self) -> &Upload {
        &self.upload
    }

    fn log_id(&self) -> i64 {
        self.log_id
    }

    fn end_offset(&self) -> i32 {
        self.end_utc_offset_minutes
    }
}

fn effort(exercise: &Exercise) -> Effort {
    let hundredths = |millis: i64| rounded(i128::from(millis) * 100, 60_000);
    let factor = match exercise.distance_unit.as_deref() {
        Some("Kilometer") => Some((1_000, 1)),
        Some("Mile") => Some((1_609_344, 1_000)),
        _ => None,
    };
    Effort {
        minutes: hundredths(exercise.duration_ms).unwrap_or_default(),
        active: exercise.active_duration_ms.and_then(hundredths),
        kcal: exercise.calories.and_then(|kcal| scaled(kcal, (1, 1), 3)),
        steps: exercise.steps.map(i64::from),
        distance: exercise
            .distance
            .zip(factor)
            .and_then(|(distance, factor)| scaled(distance, factor, 1)),
        bpm: exercise.average_heart_rate.map(i64::from),
    }
}
