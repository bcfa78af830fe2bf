//! An exercise as its device uploads it.

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{Exercise, ExerciseLevel, ExerciseZone, Stream, Upload, UtcMillis};
use uuid::Uuid;

use super::{Bout, RUN};
use crate::cohort::activity::Minute;
use crate::cohort::daily::{zone_bounds, zone_of};
use crate::cohort::day::Day;
use crate::cohort::movement::{distance_mm, millikcal};
use crate::cohort::oddities::extra;
use crate::cohort::{Cohort, Person};

/// Millimetres of a mile and of a kilometre.
const MILE_MM: f64 = 1_609_344.0;
const KILOMETRE_MM: f64 = 1_000_000.0;

impl Bout {
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

    /// Distance, speed and pace; only runs have them.
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

    /// Most keys are optional, and some logs lack some of them.
    fn leave_out(&self, exercise: &mut Exercise) {
        // Two bits per key: a quarter of the logs lacks it.
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

/// The unit of distance of an account, by its home, and its length in millimetres.
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
