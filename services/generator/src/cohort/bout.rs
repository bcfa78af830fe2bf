//! Exercises: the period with the most steps, detected by the device, or one that the wearer recorded.

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{Exercise, ExerciseLevel, ExerciseZone, Stream, Upload, UtcMillis};
use uuid::Uuid;

use super::activity::{Level, Minute};
use super::daily::{zone_bounds, zone_of};
use super::day::Day;
use super::movement::{distance_mm, millikcal};
use super::oddities::extra;
use super::{Cohort, Device, Person};
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};

/// Log numbers of this era begin here; they need 64 bits.
const LOG_ID_BASE: i64 = 29_000_000_000;
/// Days with an exercise.
const EXERCISE: f64 = 0.4;
/// Fewest steps per minute of a walk.
const WALK_STEPS_A_MINUTE: i32 = 25;
/// Millimetres of a mile and of a kilometre.
const MILE_MM: f64 = 1_609_344.0;
const KILOMETRE_MM: f64 = 1_000_000.0;

/// One exercise, planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bout {
    /// When it began.
    pub(crate) start: UtcMillis,
    /// When it ended.
    pub(crate) end: UtcMillis,
    log_id: i64,
    sport: Sport,
    /// Steps and calories that its wearer added.
    added: i32,
    /// Keys that this log does not have, one bit each.
    absent: u32,
}

/// What is done: its name, and Fitbit's number of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sport {
    name: &'static str,
    type_id: Option<i64>,
    log_type: &'static str,
}

const fn sport(name: &'static str, type_id: Option<i64>, log_type: &'static str) -> Sport {
    Sport {
        name,
        type_id,
        log_type,
    }
}

const WALK: Sport = sport("Walk", Some(90_013), "auto_detected");
const HIKE: Sport = sport("Hike", Some(90_012), "manual");
const RUN: Sport = sport("Run", Some(90_009), "auto_detected");
const BIKE: Sport = sport("Bike", Some(90_001), "tracker");
/// Neither this program nor any list knows it.
const UNKNOWN_SPORT: Sport = sport("Hover Boarding", None, "mobile_ride");

/// The exercises of a date, whose minutes begin at an instant.
pub(crate) fn bouts(
    cohort: &Cohort,
    device: &Device,
    date: i32,
    (start, minutes): (i64, &[Minute]),
) -> Vec<Bout> {
    let mut draw = cohort.draw(device.index, date.into(), Purpose::Exercise);
    if device.secondary || !draw.chance(EXERCISE) {
        return Vec::new();
    }
    let length = draw.int(15, 60).unsigned_abs() as usize;
    let (roll, at) = (draw.below(10), draw.between(9 * 60, 19 * 60));
    let (seconds, absent) = (draw.between(0, 59), draw.bits());
    let recorded = (usize::try_from(at).unwrap_or_default(), BIKE);
    let found = match roll {
        0 if cohort.has(Quirk::UnknownValues) => Some((recorded.0, UNKNOWN_SPORT)),
        0..=2 => Some(recorded),
        _ => busiest(minutes, length),
    };
    let Some((first, sport)) = found else {
        return Vec::new();
    };
    let worn = minutes.get(first..first + length);
    if !worn.is_some_and(|minutes| minutes.iter().all(|minute| minute.worn)) {
        return Vec::new();
    }
    let begins = start + i64::try_from(first).unwrap_or_default() * MINUTE_MS + seconds * 1_000;
    // It ends within its last minute.
    let lasts = i64::try_from(length).unwrap_or_default() * MINUTE_MS - 60_000;
    vec![Bout {
        start: UtcMillis(begins),
        end: UtcMillis(begins + lasts),
        log_id: LOG_ID_BASE + i64::from(date) * 100_000 + i64::from(device.index),
        sport,
        added: 0,
        absent: if cohort.has(Quirk::AbsentKeys) { absent } else { 0 },
    }]
}

/// Where so many minutes have the most steps, and what they are; none when that is little.
fn busiest(minutes: &[Minute], length: usize) -> Option<(usize, Sport)> {
    let steps = |minute: &Minute| minute.steps.unwrap_or_default();
    let mut sum: i32 = minutes.iter().take(length).map(steps).sum();
    let mut best = (0, sum);
    for last in length..minutes.len() {
        sum += steps(&minutes[last]) - steps(&minutes[last - length]);
        if sum > best.1 {
            best = (last - length + 1, sum);
        }
    }
    let (first, most) = best;
    let window = minutes.get(first..first + length)?;
    let runs = window
        .iter()
        .filter(|minute| minute.level() == Level::Very)
        .count();
    let enough = most >= WALK_STEPS_A_MINUTE * i32::try_from(length).ok()?;
    enough.then_some((first, if runs * 2 > length { RUN } else { WALK }))
}

impl Bout {
    /// The exercise after someone edited it: moved in time, or called by another name.
    pub(crate) fn edited(&self, day: &Day, draw: &mut Draw) -> Self {
        let earlier = draw.between(5, 20) * MINUTE_MS;
        let added = draw.int(10, 200);
        let mut edited = self.clone();
        if draw.chance(0.5) && self.start.0 - earlier >= day.start {
            edited.start.0 -= earlier;
            edited.end.0 -= earlier;
        }
        edited.sport = if self.sport == WALK { HIKE } else { self.sport };
        edited.added = added;
        edited
    }

    /// The exercise as its device uploads it.
    pub(crate) fn event(&self, cohort: &Cohort, day: &Day, synced_at: i64) -> Exercise {
        let person = cohort.owner(&day.device);
        let (offset, end_offset) = (person.zone.offset(self.start), person.zone.offset(self.end));
        let minutes = self.minutes(day);
        let duration_ms = self.end.0 - self.start.0;
        let steps: i32 = minutes.iter().filter_map(|minute| minute.steps).sum();
        let energy: i32 = minutes
            .iter()
            .map(|minute| millikcal(person.basal_millikcal, minute))
            .sum();
        let (distance, speed, pace) = self.way(person, minutes);
        let mut exercise = Exercise {
            upload: Upload {
                event_id: Uuid::nil(),
                device_id: day.device.device_id,
                synced_at: UtcMillis(synced_at),
                utc_offset_minutes: offset,
                window_start: self.start.at_offset(offset),
                window_end: self.end.at_offset(end_offset),
            },
            end_utc_offset_minutes: end_offset,
            log_id: self.log_id,
            activity_name: self.sport.name.to_owned(),
            activity_type_id: self.sport.type_id,
            log_type: Some(self.sport.log_type.to_owned()),
            duration_ms,
            active_duration_ms: Some(duration_ms - i64::from(self.absent & 3) * 60_000),
            average_heart_rate: mean_bpm(minutes),
            calories: Some(f64::from(energy / 1_000 + self.added)),
            steps: Some(steps + self.added),
            distance,
            distance_unit: distance.map(|_| unit(person).0.to_owned()),
            speed,
            pace,
            elevation_gain: Some(f64::from(self.absent & 63) / 2.0),
            has_gps: Some(self.sport == RUN),
            levels: levels(minutes),
            heart_rate_zones: zones(person, minutes),
            extra: extra(cohort, &day.device, day.start, Stream::Exercises),
        };
        self.leave_out(&mut exercise);
        exercise
    }

    fn minutes<'a>(&self, day: &'a Day) -> &'a [Minute] {
        let index = |at: i64| usize::try_from((at - day.start).div_euclid(MINUTE_MS)).unwrap_or_default();
        let until = (index(self.end.0) + 1).min(day.minutes.len());
        day.minutes.get(index(self.start.0)..until).unwrap_or_default()
    }

    /// Distance, speed and pace; a run has them.
    fn way(&self, person: &Person, minutes: &[Minute]) -> (Option<f64>, Option<f64>, Option<f64>) {
        if self.sport != RUN {
            return (None, None, None);
        }
        let millimetres: i32 = minutes
            .iter()
            .filter_map(|minute| distance_mm(person.step_mm, minute))
            .sum();
        if millimetres == 0 {
            return (None, None, None);
        }
        let distance = f64::from(millimetres) / unit(person).1;
        let seconds = (self.end.0 - self.start.0) as f64 / 1_000.0;
        (
            Some(distance),
            Some(distance * 3_600.0 / seconds),
            Some(seconds / distance),
        )
    }

    /// Most keys are optional: some logs lack some of them.
    fn leave_out(&self, exercise: &mut Exercise) {
        // Two bits a key: a quarter of the logs lacks it.
        let lacks = |key: u32| (self.absent >> (8 + 2 * key)) & 3 == 3;
        if lacks(0) {
            exercise.speed = None;
        }
        if lacks(1) {
            exercise.pace = None;
        }
        if lacks(2) {
            exercise.elevation_gain = None;
        }
        if lacks(3) {
            exercise.has_gps = None;
        }
        if lacks(4) {
            exercise.steps = None;
        }
        if lacks(5) {
            exercise.active_duration_ms = None;
        }
        if lacks(6) {
            exercise.average_heart_rate = None;
        }
    }
}

/// The unit of an account's distances by its home, and its millimetres.
fn unit(person: &Person) -> (&'static str, f64) {
    if person.zone.name().starts_with("America/") {
        ("Mile", MILE_MM)
    } else {
        ("Kilometer", KILOMETRE_MM)
    }
}

fn mean_bpm(minutes: &[Minute]) -> Option<i32> {
    let measured = || minutes.iter().filter_map(Minute::measured_bpm);
    let count = i32::try_from(measured().count()).ok()?;
    measured().sum::<i32>().checked_div(count)
}

fn levels(minutes: &[Minute]) -> Vec<ExerciseLevel> {
    let mut counts = [0; 4];
    for minute in minutes {
        counts[minute.level() as usize] += 1;
    }
    let names = ["sedentary", "lightly", "fairly", "very"].into_iter().zip(counts);
    names
        .map(|(name, minutes)| ExerciseLevel {
            name: name.to_owned(),
            minutes,
        })
        .collect()
}

fn zones(person: &Person, minutes: &[Minute]) -> Vec<ExerciseZone> {
    let mut counts = [0; 4];
    for bpm in minutes.iter().filter_map(Minute::measured_bpm) {
        counts[zone_of(person, bpm)] += 1;
    }
    let names = ["Out of Range", "Fat Burn", "Cardio", "Peak"];
    let zone = |(zone, (name, minutes)): (usize, (&str, i32))| {
        let (least, most) = zone_bounds(person, zone);
        ExerciseZone {
            name: name.to_owned(),
            min_bpm: Some(least),
            max_bpm: Some(most),
            minutes,
        }
    };
    names.into_iter().zip(counts).enumerate().map(zone).collect()
}
